"""How the expression network is fitted: its schedule, an epoch, checkpoints, and the weights at the end.

Every epoch has its own seed, so an interrupted run ends where an uninterrupted one does.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from extractors.face.expression import (
    EXPRESSIONS,
    Config,
    ExpressionNet,
    fusion_split,
    load_expression,
    read_config,
)
from extractors.training import checkpoint
from extractors.training.augment_faces import augment, mix
from extractors.training.face_answers import here, probabilities, sharpen, taught_once, to_faces
from extractors.training.face_figures import report

LOOK_EVERY = 5  # epochs


@dataclass(frozen=True)
class Schedule:
    """How long and how hard. The figures were fixed beforehand, the epochs by the time one of them takes."""

    epochs: int = 45
    batch: int = 128
    rate: float = 2e-3  # held from the second epoch until the weights settle
    settling: float = 0.45  # last share of the epochs, over which the rate falls to nothing
    decay: float = 0.05  # AdamW's weight decay
    smoothing: float = 0.1  # FER2013's labels agree with people about two times in three
    taught: float = 0.5  # share of the target that is the teachers' answer, where there are any
    # Parameter of the Beta distribution by which faces are laid over one another; 0 is never.
    mixed: float = 0.0
    average: float = 0.999  # of the weights, per step
    widths: tuple[int, ...] = (48, 96, 192)
    seed: int = 0

    def rate_at(self, part: float) -> float:
        """The learning rate when `part` epochs are done: up over one, level, then straight down."""
        left = (self.epochs - part) / max(self.settling * self.epochs, 1e-9)
        return self.rate * max(min(part, left, 1.0), 1e-3)

    def hardness(self, epoch: int) -> float:
        """How hard the augmentation of an epoch is, 0..1: milder while the weights settle."""
        return 0.8 if epoch < (1 - self.settling) * self.epochs else 0.5


@dataclass
class Run:
    """Everything a checkpoint holds."""

    network: ExpressionNet
    averaged: AveragedModel
    optimiser: torch.optim.AdamW
    epoch: int = 0
    made: str = ""
    """Names what the run is made of, as `digest_of` does."""


def start(schedule: Schedule, teacher: ExpressionNet | None = None) -> Run:
    """A fresh run, from nothing or from what the teacher computes, with as many or fewer channels everywhere."""
    torch.manual_seed(schedule.seed)
    network = ExpressionNet(schedule.widths)
    if teacher is not None:
        widen(teacher, network)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its types
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.rate, weight_decay=schedule.decay, fused=True
    )
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(schedule.average), use_buffers=True)
    return Run(network, averaged, optimiser)


@torch.no_grad()
def widen(narrow: ExpressionNet, wide: ExpressionNet) -> None:
    """Make `wide`, freshly drawn, compute what `narrow` does, in place.

    The narrow network becomes its first channels, which do not listen to the new ones yet; the new ones listen to
    all and are as they were drawn. Raises ValueError where `wide` is the narrower one, or one of other stages.
    """
    known, fresh = narrow.state_dict(), wide.state_dict()
    if known.keys() != fresh.keys() or any(known[k].shape > fresh[k].shape for k in known):
        raise ValueError(
            "cannot widen to fewer channels or other stages: give a width for each of the same stages"
        )
    for name, value in known.items():
        into = fresh[name]
        if value.ndim > 1:
            into[: len(value), value.shape[1] :] = 0
        into[tuple(slice(size) for size in value.shape)] = value


def targets(
    labels: NDArray[np.int8], schedule: Schedule, said: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """What is to be answered [n, 7]: the labels, smoothed, mixed with what a teacher said [n, 7]."""
    kinds = len(EXPRESSIONS)
    plain = np.eye(kinds, dtype=np.float32)[labels] * (1 - schedule.smoothing) + schedule.smoothing / kinds
    return plain if said is None else (1 - schedule.taught) * plain + schedule.taught * said


def train_epoch(
    run: Run, images: NDArray[np.uint8], wanted: NDArray[np.float32], schedule: Schedule
) -> float:
    """One pass over images [n, 48, 48] and what they are to answer [n, 7] in a seeded order; the mean loss."""
    torch.manual_seed(1000 * (schedule.seed + 1) + run.epoch)
    run.network.train()
    order, total = torch.randperm(len(images)).cpu().numpy(), 0.0
    batches, hardness = len(images) // schedule.batch, schedule.hardness(run.epoch)
    for i in range(batches):
        run.optimiser.param_groups[0]["lr"] = schedule.rate_at(run.epoch + i / batches)
        rows = order[i * schedule.batch : (i + 1) * schedule.batch]
        faces, answers = augment(to_faces(images[rows]), hardness), here(torch.from_numpy(wanted[rows]))
        if schedule.mixed > 0:
            faces, answers = mix(faces, answers, schedule.mixed)
        with torch.autocast(faces.device.type, torch.bfloat16):
            logits = run.network(faces)
        loss = F.cross_entropy(logits.float(), answers)
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        run.optimiser.step()
        run.averaged.update_parameters(run.network)
        total += loss.item()
    run.epoch += 1
    return total / batches


def save(run: Run, path: Path) -> None:
    """Write a checkpoint that `resume` goes on from."""
    state = {
        "network": run.network.state_dict(),
        "averaged": run.averaged.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "epoch": run.epoch,
        "made": run.made,
    }
    checkpoint.write(state, path)


def resume(run: Run, path: Path) -> None:
    """Go on from the checkpoint at `path`. Errors as in `checkpoint.read`."""
    state = checkpoint.read(path, run.made)
    run.network.load_state_dict(state["network"])
    run.averaged.load_state_dict(state["averaged"])
    run.optimiser.load_state_dict(state["optimiser"])
    run.epoch = state["epoch"]


def publish(run: Run, path: Path, trained: dict[str, object], measured: dict[str, object]) -> None:
    """Write the averaged weights at `path` as float16 and what was measured in the json beside them."""
    from safetensors.torch import save as to_bytes

    state = {k: v.cpu() for k, v in run.averaged.module.state_dict().items()}
    kept = {k: v.half().contiguous() for k, v in state.items() if v.is_floating_point()}
    counters = {k: v.contiguous() for k, v in state.items() if not v.is_floating_point()}
    data = to_bytes(kept | counters)
    config: Config = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "widths": list(run.network.widths),
        "expressions": list(EXPRESSIONS),
        "trained": trained,
        "measured": measured,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.with_suffix(".json").write_text(json.dumps(config, indent=2) + "\n")


def digest_of(
    images: NDArray[np.uint8], labels: NDArray[np.int8], schedule: Schedule, teachers: Sequence[str]
) -> str:
    """Names what a run is made of: faces and labels, the schedule, the sha256 of each teacher."""
    digest = hashlib.sha256(repr((schedule, list(teachers), images.shape)).encode())
    for array in (images, labels):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def learn(
    data: Path,
    schedule: Schedule,
    teachers: Sequence[Path],
    runs: Path,
    weights: Path,
    afresh: bool = False,
) -> dict[str, object]:
    """Train on the faces in `data`, from runs/last.pt where a run was stopped, and write the weights; their figures.

    It starts as the first of the teachers (their weights' paths), or with `afresh` from nothing. Errors as in `widen`
    and `resume`.
    """
    arrays = np.load(data / "fer2013_train.npz")
    images, labels = arrays["image"], arrays["label"]
    ours, held = fusion_split(images)
    crowd, taught_by = [load_expression(w) for w in teachers], [read_config(w)["sha256"] for w in teachers]
    run, kept = start(schedule, crowd[0] if crowd and not afresh else None), runs / "last.pt"
    run.made = digest_of(images[ours], labels[ours], schedule, [*taught_by, *["afresh"] * afresh])
    if kept.exists():
        resume(run, kept)
    if run.epoch < schedule.epochs:
        said = taught_once(crowd, images[ours], runs / "said.npz", run.made) if crowd else None
        wanted = targets(labels[ours], schedule, said)
    while run.epoch < schedule.epochs:
        began = time.process_time()
        loss = train_epoch(run, images[ours], wanted, schedule)
        save(run, kept)
        print(f"epoch {run.epoch}: loss {loss:.4f}, {time.process_time() - began:.0f} CPU s", flush=True)
        if run.epoch % LOOK_EVERY == 0:
            print(report(probabilities(run.averaged.module, images[held]), labels[held]), flush=True)
    sharper = sharpen(run.averaged.module, images[held], labels[held])
    valid = np.load(data / "fer2013_valid.npz")
    measured: dict[str, object] = {
        "held_tenth": report(probabilities(run.averaged.module, images[held]), labels[held]),
        "fer2013_valid": report(probabilities(run.averaged.module, valid["image"]), valid["label"]),
    }
    trained = {"faces": len(ours), "taught_by": taught_by, "afresh": afresh, "sharper": round(sharper, 3)}
    publish(run, weights, trained | asdict(schedule), measured)
    return measured
