"""Train on one of MMSA's corpora, in the paper's setting: `python -m model.mmsa_train CONFIG FILE [--seeds 5]`.

CONFIG is a file of model/configs (mmsa_*.toml): Adam, L1 loss, the epoch of the lowest validation MAE. FILE is the
corpus's pickle. The test split is read once a seed, after that. Each seed's network goes to OUT/seed-N by
save_pretrained, with trained.json (settings, figures of valid and test) beside it; a log, TensorBoard's files and a
checkpoint of every epoch go to RUN/seed-N, so a run that was stopped goes on and ends where an uninterrupted one does.
Finished seeds are not trained again.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from model.command_line import at_least_one, make_room, read_config, write_json
from model.measures.mmsa import Figures, mean_and_deviation
from model.training.checkpoints import AnotherRunError
from model.training.mmsa import DivergedError, read_corpus, read_settings, train_seed


def table(runs: Sequence[Mapping[str, Figures]]) -> str:
    """Mean and standard deviation over the seeds of each figure on the test split, of those that all seeds have."""
    shared = set.intersection(*(set(run["test"]) for run in runs))
    tests = [{k: v for k, v in run["test"].items() if k in shared} for run in runs]
    return "\n".join(f"{name:16s} {told}" for name, told in mean_and_deviation(tests).items())


def main(given: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m model.mmsa_train", description=__doc__)
    parser.add_argument("config", type=Path, help="a file of model/configs, mmsa_*.toml")
    parser.add_argument("file", type=Path, help="the corpus's pickle, as MMSA has it")
    parser.add_argument("--seeds", type=at_least_one, default=5, help="how many networks, of seeds 0, 1, ...")
    parser.add_argument("--out", type=Path, help="where networks go (runs/CONFIG/networks)")
    parser.add_argument("--run", type=Path, help="where checkpoints and logs go (runs/CONFIG)")
    parser.add_argument("--json", type=Path, help="write all seeds' figures here too")
    arguments = parser.parse_args(given)
    make_room(parser, arguments.json)
    settings = read_config(parser, read_settings, arguments.config)
    try:
        parts = read_corpus(settings, arguments.file)
        with arguments.file.open("rb") as file:
            made = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        parser.error(str(error))
    for repair in (repair for part in parts.values() for repair in part.repairs):
        print(repair)
    run = arguments.run or Path("runs") / arguments.config.stem
    out = arguments.out or run / "networks"
    figures = []
    for seed in range(arguments.seeds):
        name = hashlib.sha256(f"{made} {settings} {seed}".encode()).hexdigest()
        try:
            figures.append(
                train_seed(settings, parts, seed, name, out / f"seed-{seed}", run / f"seed-{seed}")
            )
        except AnotherRunError as error:
            parser.error(str(error))
        except DivergedError as error:
            sys.exit(f"{parser.prog}: {error}")
        print(
            f"seed {seed}: " + "  ".join(f"{k} {v:.4f}" for k, v in figures[-1]["test"].items()), flush=True
        )
    print(table(figures))
    write_json(arguments.json, {"valid": [f["valid"] for f in figures], "test": [f["test"] for f in figures]})


if __name__ == "__main__":
    main()
