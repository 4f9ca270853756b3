"""The published table on mosi_utterances: `python -m model.mosi FOLDER [--seeds 10] [--folds 5] [--held 5]`.

Every row is a network of equal size on other inputs or with another fusion, trained on some of the 62 videos and
measured on the others, for every seed and fold; FOLDER holds train.npz and nothing of test.npz is read. Runs are kept
in a file as they finish, so a stopped table goes on. `--final` trains ten networks on all videos and stores them;
`python -m model.evaluate` measures those on a test.npz.

Two accuracies a run. "as they are" takes the held-out features from the file: they were learnt from the held-out
labels too, so it says nothing about new videos where text or visual features are used. "exchanged" weakens the
held-out features to what each modality is expected to know of new videos (model.data.mosi.exchange): its level is an
assumption, its differences between networks are not. Rows of words alone use no such features: both are one, and
honest.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.command_line import CONFIGS, at_least_one, make_room, read_config
from model.coupled.config import CoupledMambaConfig
from model.data.mosi import PUBLISHED, WORDS, Videos, exchange, folds, read
from model.evaluation.mosi import WEIGHTS
from model.fusion.baselines import match_width, parameters
from model.fusion.bidirectional import make
from model.measures.paired import Paired, corrected_test
from model.provenance import made_from
from model.provenance.sums import seal
from model.training.mosi import MosiSettings, digest_of, predict, read_settings, train, two_class_accuracy
from model.training.runs import append, read_runs

CONFIG = CONFIGS / "mosi.toml"
WITH_WORDS = (WORDS, *PUBLISHED)
ROWS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "coupled": (PUBLISHED, {}),
    "mean": (PUBLISHED, {"coupling": "mean"}),
    "independent": (PUBLISHED, {"fusion": "independent"}),
    "late": (PUBLISHED, {"fusion": "late"}),
    "concat": (PUBLISHED, {"fusion": "concat"}),
    "attention": (PUBLISHED, {"fusion": "attention"}),
    "text": (("text",), {}),
    "text+audio": (("text", "audio"), {}),
    "text+visual": (("text", "visual"), {}),
    "audio+visual": (("audio", "visual"), {}),
    "words": ((WORDS,), {}),
    "words+all": (WITH_WORDS, {}),
    "words+all mean": (WITH_WORDS, {"coupling": "mean"}),
    "words+all independent": (WITH_WORDS, {"fusion": "independent"}),
}
"""Row -> (modalities, changes to the network's config)."""
SHIPPED = {"published": ("coupled", "mosi_network.toml"), "words": ("words+all", "mosi.toml")}
"""Stored networks: name -> (row, config)."""
PUBLISHED_TEST = {"bc-LSTM (ACL 2017)": 80.3, "MMMU-BA (EMNLP 2018)": 82.31}


def row_settings(settings: MosiSettings, row: str, videos: Videos) -> MosiSettings:
    """Settings of one row; other fusions get the width at which they come nearest to coupled's parameters."""
    modalities, changes = ROWS[row]
    network = {**settings.network, **changes}
    if network.get("fusion", "coupled") in ("late", "concat", "attention"):
        widths = tuple(min(settings.components.get(m, 10**9), videos.widths[m]) for m in modalities)
        coupled = CoupledMambaConfig(modalities, widths, **settings.network)
        config = CoupledMambaConfig(modalities, widths, **network)
        network["d_model"] = match_width(config, parameters(make(coupled, False)), tolerance=1.0).d_model
    return replace(settings, modalities=modalities, network=network)


def run(settings: MosiSettings, row: str, videos: Videos, seed: int, count: int, fold: int) -> dict[str, Any]:
    """One row, seed and fold: {row, seed, fold, as_they_are, exchanged, n_train, n_test, parameters}."""
    inside, outside = folds(len(videos), count, seed)[fold]
    own = row_settings(settings, row, videos)
    network = train(own, videos.take(inside), seed=1000 * seed + fold)
    held = videos.take(outside).only(own.modalities)
    weakened = exchange(held, np.random.default_rng([seed, fold]), own.expected)
    return {
        "row": row,
        "seed": seed,
        "fold": fold,
        "as_they_are": two_class_accuracy(predict(network, held), held),
        "exchanged": two_class_accuracy(predict(network, held, weakened), held),
        "n_train": int(videos.told[inside].sum()),
        "n_test": int(held.told.sum()),
        "parameters": parameters(network),
    }


def cross_validate(
    settings: MosiSettings,
    videos: Videos,
    rows: Sequence[str],
    seeds: int,
    count: int,
    held: int,
    kept: Path,
) -> list[dict[str, Any]]:
    """All rows for every seed and the first `held` of its `count` folds; runs found in `kept` are not repeated.

    Those of other settings, another number of folds or other data do not count. Seeds are the outer loop, so that a
    stopped table has all rows for fewer seeds.
    """
    made = {row: digest_of(row_settings(settings, row, videos), videos, count) for row in rows}
    found = [r for r in read_runs(kept) if r["row"] in made and r.get("made") == made[r["row"]]]
    done = {(r["row"], r["seed"], r["fold"]) for r in found}
    for seed in range(seeds):
        for fold in range(held):
            for row in rows:
                if (row, seed, fold) not in done:
                    found.append({**run(settings, row, videos, seed, count, fold), "made": made[row]})
                    append(kept, found[-1])
    return [r for r in found if r["seed"] < seeds and r["fold"] < held]


def table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Mean and standard deviation over seeds of each row, and its paired test against independent chains.

    A row is tested where there are independent chains on the same inputs: between other inputs the difference hangs on
    what the exchanged features are assumed to know.
    """
    lines = []
    for row in dict.fromkeys(r["row"] for r in runs):
        own = [r for r in runs if r["row"] == row]
        cells = [f"{row:24s} {len(own):3d} runs {own[0]['parameters']:7d} parameters"]
        for measure in ("as_they_are", "exchanged"):
            seeds = [
                np.mean([r[measure] for r in own if r["seed"] == s])
                for s in dict.fromkeys(r["seed"] for r in own)
            ]
            deviation = np.std(seeds, ddof=1) if len(seeds) > 1 else 0.0
            cells.append(f"{measure.replace('_', ' ')} {100 * np.mean(seeds):.2f} +- {100 * deviation:.2f}")
        other = independent_of(row)
        paired = None if other in (None, row) else against(runs, row, other)
        if paired:
            cells.append(
                f"against {other} {100 * paired.difference:+.2f}, p {paired.p:.2f}, {paired.pairs} pairs"
            )
        lines.append("  ".join(cells))
    return "\n".join(lines)


def independent_of(row: str) -> str | None:
    """The row of independent chains on the same inputs; None where there is none."""
    wanted = ROWS[row][0], {"fusion": "independent"}
    return next((name for name, made in ROWS.items() if made == wanted), None)


def against(
    runs: Sequence[Mapping[str, Any]], row: str, other: str, measure: str = "exchanged"
) -> Paired | None:
    """The corrected test of two rows on the splits that both have; None for fewer than two."""
    first, second = ({(r["seed"], r["fold"]): r for r in runs if r["row"] == name} for name in (row, other))
    both = sorted(first.keys() & second.keys())
    if len(both) < 2:
        return None
    sizes = [int(np.mean([first[k][n] for k in both])) for n in ("n_train", "n_test")]
    return corrected_test([first[k][measure] for k in both], [second[k][measure] for k in both], *sizes)


def save_final(
    settings: Mapping[str, MosiSettings], videos: Videos, seeds: int, path: Path = WEIGHTS
) -> None:
    """Train the networks of SHIPPED on all videos, each with every seed, and store them in one file as float16.

    The json beside it describes them, and names the videos, and the weights of the text extractor that read the
    transcripts.
    """
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    described = {}
    for name, (row, _) in SHIPPED.items():
        own = row_settings(settings[name], row, videos)
        described[name] = {**asdict(own), "widths": [videos.widths[m] for m in own.modalities]}
        for seed in range(seeds):
            state = train(own, videos, seed).state_dict()
            tensors |= {f"{name}.{seed}.{k}": half(v) for k, v in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    made = {
        "seeds": seeds,
        "made_from": made_from.installed(["text"]),
        "videos": list(videos.names),
        "networks": described,
    }
    path.with_suffix(".json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def half(x: torch.Tensor) -> torch.Tensor:
    """Weights in float16, but for numbers that are out of its range (means of loud features)."""
    fits = x.dtype == torch.float32 and bool((x.abs() < 6e4).all())
    return (x.half() if fits else x).contiguous()


def main(given: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m model.mosi", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with train.npz")
    parser.add_argument("--config", type=Path, default=CONFIG, help="sizes and steps (configs/mosi.toml)")
    parser.add_argument(
        "--seeds", type=at_least_one, default=10, help="runs, each with folds of its own (10)"
    )
    parser.add_argument("--folds", type=int, default=5, help="parts into which each seed splits the videos")
    parser.add_argument(
        "--held", type=at_least_one, help="how many of these parts are held out in turn (all)"
    )
    parser.add_argument(
        "--rows", nargs="+", choices=list(ROWS), default=list(ROWS), help="of the table (all)"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs/mosi.jsonl"), help="where runs are kept")
    parser.add_argument(
        "--final", action="store_true", help="train the stored networks on all videos instead"
    )
    arguments = parser.parse_args(given)
    path = arguments.folder / "train.npz"
    if not path.exists():
        parser.error(f"there is no {path}: name the folder that holds train.npz")
    torch.set_num_threads(1)  # sequences are short: more threads cost more than they bring
    videos = read(path, words=arguments.final or any(WORDS in ROWS[row][0] for row in arguments.rows))
    if arguments.final:
        shipped = {name: read_settings(CONFIGS / file) for name, (_, file) in SHIPPED.items()}
        save_final(shipped, videos, arguments.seeds)
        seal(WEIGHTS.parent)
        return
    settings = read_config(parser, read_settings, arguments.config)
    held = arguments.folds if arguments.held is None else arguments.held
    # Now, and not after the hours that the first folds take.
    if not 2 <= arguments.folds <= len(videos) or held > arguments.folds:
        parser.error(
            f"--folds is {arguments.folds} and --held {held}: give 2 to {len(videos)} folds, and at most as many held"
        )
    make_room(parser, arguments.runs)
    runs = cross_validate(
        settings, videos, arguments.rows, arguments.seeds, arguments.folds, held, arguments.runs
    )
    print(table(runs))
    print("published, on 752 test utterances: " + ", ".join(f"{k} {v}" for k, v in PUBLISHED_TEST.items()))


if __name__ == "__main__":
    main()
