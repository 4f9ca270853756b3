"""Train a Coupled Mamba on streams: `python -m model.train [CONFIG] --data DIR [--out DIR]`.

The schedule is fixed and the last step is the one kept, so validation data chooses nothing. A run that was stopped goes
on from its last checkpoint under runs/ and ends where an uninterrupted one does, since every step draws its streams and
its dropout by its own number. On several GPUs: `accelerate launch -m model.train CONFIG --data DIR`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from model.command_line import CONFIGS, read_config
from model.data.corpora import load_training, what_trains
from model.evaluation.calibration import calibrate, class_spread
from model.provenance import made_from
from model.provenance.sums import WEIGHTS, seal
from model.training.checkpoints import AnotherRunError
from model.training.streams import TrainSettings, launched, read_settings, train


def main(given: Sequence[str] | None = None) -> None:
    """The command line: train, calibrate the intervals on the part kept for it, write the weights.

    With several processes the first makes the features, which the others then read, and it alone writes.
    """
    arguments, settings = parse(given)
    accelerator = launched()
    with accelerator.main_process_first():
        parts = load_training(arguments.data)
    pools, run = {m: p.train for m, p in parts.items()}, arguments.run or Path("runs") / arguments.config.stem
    try:
        network = train(settings, pools, run)
    except AnotherRunError as error:
        sys.exit(f"python -m model.train: {error}")
    if accelerator.is_main_process:
        network.config.intervals = calibrate(network, {m: p.dev for m, p in parts.items()})
        network.config.class_spread = class_spread(network, parts["text"].dev)
        (network.half() if arguments.half else network).save_pretrained(arguments.out)
        what_trains(arguments.data).save(arguments.out)
        made_from.save(arguments.out)
        seal(arguments.out)
    accelerator.wait_for_everyone()


def parse(given: Sequence[str] | None = None) -> tuple[argparse.Namespace, TrainSettings]:
    """The command line's options, and the settings that its config holds."""
    parser = argparse.ArgumentParser(prog="python -m model.train", description=__doc__)
    parser.add_argument(
        "config",
        nargs="?",
        type=Path,
        default=CONFIGS / "streams.toml",
        help="a file like configs/streams.toml, the default",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with text/, speech/ and faces/")
    parser.add_argument("--run", type=Path, help="where checkpoints and the log go (runs/CONFIG)")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where the trained network goes")
    parser.add_argument("--half", action="store_true", help="write float16 weights, of half the size")
    arguments = parser.parse_args(given)
    if not arguments.data.is_dir():
        parser.error(
            f"there is no folder {arguments.data}: name the one with text/, speech/ and faces/ by --data"
        )
    return arguments, read_config(parser, read_settings, arguments.config)


if __name__ == "__main__":
    main()
