"""Train the expression network on FER2013: python -m extractors.train_expression --data DIR.

DIR holds fer2013_train.npz and fer2013_valid.npz. Nine tenths of the former train (`fusion_split`); the tenth
kept back is looked at now and then, and is later what the fusion network learns from. The schedule is
fixed and the last epoch is kept, and how sure the network may be is set on that tenth (`sharpen`), so nothing is chosen
on fer2013_valid, which is measured at the end.
A run goes on from its last epoch when it is started again; every epoch has its own seed, so an interrupted run
ends where an uninterrupted one does.

With --teacher WEIGHTS a network as wide or wider starts as the trained one and goes on: `widen` keeps what it computes,
and half of what it is to answer is what the teacher says, as the labels are right only two times in three. Of several
teachers the first is the one to start as, and what they say together, over eight looks at each face, is taught; with
--afresh none is, so that teachers may be wider than what they teach. `--device cuda` trains on a GPU.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from extractors.face.expression import WEIGHTS
from extractors.training.fit_expression import Schedule, learn


def main() -> None:
    """Parse the command line, train, measure and write the weights."""
    options = parse()
    torch.set_default_device(options.device)
    schedule = Schedule(
        options.epochs,
        batch=options.batch,
        rate=options.rate,
        taught=options.taught,
        mixed=options.mixed,
        widths=tuple(options.widths),
        seed=options.seed,
    )
    measured = learn(
        options.data, schedule, options.teacher, options.runs, options.weights, afresh=options.afresh
    )
    print(json.dumps(measured, indent=2))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m extractors.train_expression", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of fer2013_train.npz and fer2013_valid.npz"
    )
    parser.add_argument("--epochs", type=int, default=Schedule.epochs, help=f"({Schedule.epochs})")
    parser.add_argument("--batch", type=int, default=Schedule.batch, help=f"faces a step ({Schedule.batch})")
    parser.add_argument("--rate", type=float, default=Schedule.rate, help="highest learning rate")
    parser.add_argument(
        "--widths", type=int, nargs="+", default=list(Schedule.widths), help="channels of the stages"
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        nargs="+",
        default=[],
        help="weights to learn from, the first also to start from",
    )
    parser.add_argument(
        "--afresh", action="store_true", help="start from nothing, and learn from all of the teachers"
    )
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for a GPU")
    parser.add_argument("--taught", type=float, default=Schedule.taught, help="share of the teachers' answer")
    parser.add_argument(
        "--mixed", type=float, default=Schedule.mixed, help="how far faces are laid over others"
    )
    parser.add_argument(
        "--seed", type=int, default=Schedule.seed, help="of the start and of all that is drawn"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs/expression"), help="folder of the checkpoint")
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="where the weights are written at the end"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
