"""Faces read by a crowd, then by one: python -m extractors.teach_expression --data DIR --device cuda.

The expression network must stay small, since it reads every look of a clip on a CPU; what it learns from need not.
Wide networks are trained from different starts, and the small one then learns, from nothing, what they say together of
faces it sees moved, covered and mixed (distillation of an ensemble: Hinton et al. 2015). This is for a GPU: by
counting widths and epochs, the teachers multiply about 18 times as much as the shipped network's three runs did.

A run that was stopped goes on; the schedules are fixed, and nothing is chosen on fer2013_valid.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch

from extractors.face.expression import WEIGHTS
from extractors.training.fit_expression import Schedule, learn

TEACHER = Schedule(epochs=80, batch=256, rate=2e-3, mixed=0.3, widths=(96, 192, 384))
PUPIL = Schedule(epochs=200, batch=256, rate=2e-3, taught=0.7, mixed=0.3, seed=100)


def teach(
    data: Path,
    runs: Path,
    weights: Path,
    teacher: Schedule = TEACHER,
    pupil: Schedule = PUPIL,
    count: int = 4,
) -> dict[str, object]:
    """Train `count` teachers and the network they teach, written at `weights`; what was measured of the latter.

    data: folder of fer2013_train.npz and fer2013_valid.npz. Raises ValueError where `runs` holds another run.
    """
    crowd = []
    for seed in range(count):
        own = runs / f"teacher-{seed}"
        crowd.append(own / "expression.safetensors")
        if not crowd[-1].with_suffix(".json").exists():
            print(json.dumps(learn(data, replace(teacher, seed=seed), [], own, crowd[-1])), flush=True)
    return learn(data, pupil, crowd, runs / "pupil", weights, afresh=True)


def main() -> None:
    """Parse the command line, train, and print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m extractors.teach_expression", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the two fer2013 files")
    parser.add_argument("--device", default="cuda", help="cuda for a GPU, or cpu")
    parser.add_argument("--runs", type=Path, default=Path("runs/teach"), help="folder of the checkpoints")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="where the weights are written")
    options = parser.parse_args()
    torch.set_default_device(options.device)
    print(json.dumps(teach(options.data, options.runs, options.weights), indent=2))


if __name__ == "__main__":
    main()
