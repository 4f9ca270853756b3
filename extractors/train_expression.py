"""Train the expression network on FER2013: python -m extractors.train_expression --data DIR.

DIR holds fer2013_train.npz and fer2013_valid.npz. Nine tenths of the former train (`fusion_split`); the tenth
kept back is looked at now and then, and is later what the fusion network learns from. The schedule is
fixed and the last epoch is kept, so nothing is chosen on fer2013_valid, which is measured at the end.
A run goes on from its last epoch when it is started again; every epoch has its own seed, so an interrupted run
ends where an uninterrupted one does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from extractors.expression import EXPRESSIONS, WEIGHTS, Config, ExpressionNet, fusion_split

VALENCE = {
    "happy": 2.0, "neutral": 0.0, "sad": -1.5, "fear": -2.0, "disgust": -2.0, "angry": -2.5,
}  # fmt: skip
LOOK_EVERY = 5  # epochs


@dataclass(frozen=True)
class Schedule:
    """How long and how hard. The figures were fixed beforehand, the epochs by the time one of them takes."""

    epochs: int = 45
    batch: int = 128
    rate: float = 4e-3  # peak of the one-cycle schedule
    decay: float = 0.05  # AdamW's weight decay
    smoothing: float = 0.1  # FER2013's labels agree with people about two times in three
    average: float = 0.998  # of the weights, per step
    seed: int = 0


@dataclass
class Run:
    """Everything a checkpoint holds."""

    network: ExpressionNet
    averaged: AveragedModel
    optimiser: torch.optim.AdamW
    scheduler: torch.optim.lr_scheduler.OneCycleLR
    epoch: int = 0


def start(schedule: Schedule, faces: int) -> Run:
    """A fresh run over `faces` training images."""
    torch.manual_seed(schedule.seed)
    network = ExpressionNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its types
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=schedule.decay)
    steps = schedule.epochs * (faces // schedule.batch)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, schedule.rate, total_steps=steps, pct_start=0.2
    )
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(schedule.average), use_buffers=True)
    return Run(network, averaged, optimiser, scheduler)


def train_epoch(run: Run, images: NDArray[np.uint8], labels: NDArray[np.int8], schedule: Schedule) -> float:
    """One pass over images [n, 48, 48] in a seeded order; the mean loss."""
    torch.manual_seed(1000 * (schedule.seed + 1) + run.epoch)
    run.network.train()
    order, total = torch.randperm(len(images)).numpy(), 0.0
    batches = len(images) // schedule.batch
    for i in range(batches):
        rows = order[i * schedule.batch : (i + 1) * schedule.batch]
        faces = augment(torch.from_numpy(images[rows])[:, None].float() / 255)
        with torch.autocast("cpu", torch.bfloat16):
            logits = run.network(faces)
        wanted = torch.from_numpy(labels[rows]).long()
        loss = F.cross_entropy(logits.float(), wanted, label_smoothing=schedule.smoothing)
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        run.optimiser.step()
        run.scheduler.step()
        run.averaged.update_parameters(run.network)
        total += loss.item()
    run.epoch += 1
    return total / batches


def augment(faces: Tensor) -> Tensor:
    """Seen from elsewhere, in other light, partly covered, and as soft as a face cut from video.

    faces [n, 1, 48, 48] in 0..1, and so is what comes back.
    """
    faces = _move(faces)
    n = len(faces)
    # The mean and the contrast are undone by the network; what is lost by clipping and by gamma is not.
    gamma = torch.empty(n, 1, 1, 1).uniform_(-0.4, 0.4).exp()
    contrast = torch.empty(n, 1, 1, 1).uniform_(0.7, 1.4)
    shift = torch.empty(n, 1, 1, 1).uniform_(-0.15, 0.15)
    faces = ((faces.clamp_min(0) ** gamma - 0.5) * contrast + 0.5 + shift).clamp(0, 1)
    return _cover(_soften(faces))


def _move(faces: Tensor) -> Tensor:
    n = len(faces)
    angle = torch.empty(n).uniform_(-0.26, 0.26)
    wide, high = torch.empty(2, n).uniform_(-0.17, 0.17).exp()
    mirror = torch.randint(0, 2, (n,)) * 2.0 - 1
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = mirror * wide * angle.cos(), -high * angle.sin()
    matrix[:, 1, 0], matrix[:, 1, 1] = mirror * wide * angle.sin(), high * angle.cos()
    matrix[:, :, 2] = torch.empty(n, 2).uniform_(-0.2, 0.2)
    grid = F.affine_grid(matrix, list(faces.shape), align_corners=False)
    return F.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def _soften(faces: Tensor) -> Tensor:
    """A quarter of the batch, at one lower resolution drawn for it."""
    part, side = len(faces) // 4, int(torch.randint(14, 37, ()))
    small = F.interpolate(faces[:part], size=(side, side), mode="area")
    soft = F.interpolate(small, size=faces.shape[2:], mode="bilinear", align_corners=False)
    return torch.cat([soft, faces[part:]])


def _cover(faces: Tensor) -> Tensor:
    """A grey square of 6 to 18 pixels over half of the faces."""
    n, side = len(faces), faces.shape[2]
    centre = torch.rand(2, n, 1) * side
    half = torch.empty(n, 1).uniform_(3, 9) * torch.randint(0, 2, (n, 1))
    place = torch.arange(side) + 0.5
    rows, columns = ((place - centre[i]).abs() < half for i in (0, 1))
    hidden = (rows[:, :, None] & columns[:, None, :])[:, None]
    return torch.where(hidden, torch.rand(n, 1, 1, 1), faces)


@torch.inference_mode()
def probabilities(network: torch.nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Class probabilities [n, 7] for images [n, 48, 48], averaged over each face and its mirror image."""
    network.eval()
    parts = []
    for i in range(0, len(images), 256):
        faces = torch.from_numpy(images[i : i + 256])[:, None].float() / 255
        parts.append((network(faces).softmax(1) + network(faces.flip(3)).softmax(1)).numpy() / 2)
    return np.concatenate(parts).astype(np.float32)


def report(given: NDArray[np.float32], labels: NDArray[np.int8]) -> dict[str, object]:
    """Accuracy, macro F1, accuracy by class, and the valence CCC of the expected score without surprise."""
    guess = given.argmax(1)
    right, f1 = {}, []
    for i, name in enumerate(EXPRESSIONS):
        hits = int(((guess == i) & (labels == i)).sum())
        right[name] = round(hits / max(int((labels == i).sum()), 1), 4)
        f1.append(2 * hits / max(int((guess == i).sum() + (labels == i).sum()), 1))
    signed = [i for i, name in enumerate(EXPRESSIONS) if name in VALENCE]
    values = np.array([VALENCE[EXPRESSIONS[i]] for i in signed])
    rows = np.isin(labels, signed)
    share = given[rows][:, signed]
    expected = share @ values / share.sum(1)
    wanted = np.array([VALENCE.get(name, 0.0) for name in EXPRESSIONS])[labels[rows]]
    return {
        "faces": len(labels),
        "accuracy": round(float((guess == labels).mean()), 4),
        "macro_f1": round(float(np.mean(f1)), 4),
        "valence_ccc": round(agreement(expected, wanted), 4),
        "accuracy_by_class": right,
    }


def agreement(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Concordance correlation coefficient (Lin 1989), -1..1."""
    covariance = float(((x - x.mean()) * (y - y.mean())).mean())
    return 2 * covariance / float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def save(run: Run, path: Path) -> None:
    """Write a checkpoint that `resume` goes on from, replacing the last one only when it is whole."""
    state = {
        "network": run.network.state_dict(),
        "averaged": run.averaged.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "scheduler": run.scheduler.state_dict(),
        "epoch": run.epoch,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def resume(run: Run, path: Path) -> None:
    """Go on from the checkpoint at `path`, one of this machine's own."""
    state = torch.load(path, weights_only=True)
    run.network.load_state_dict(state["network"])
    run.averaged.load_state_dict(state["averaged"])
    run.optimiser.load_state_dict(state["optimiser"])
    run.scheduler.load_state_dict(state["scheduler"])
    run.epoch = state["epoch"]


def publish(run: Run, path: Path, trained: dict[str, object], measured: dict[str, object]) -> None:
    """Write the averaged weights at `path` as float16 and what was measured in the json beside them."""
    from safetensors.torch import save as to_bytes

    state = run.averaged.module.state_dict()
    kept = {k: v.half().contiguous() for k, v in state.items() if v.is_floating_point()}
    counters = {k: v.contiguous() for k, v in state.items() if not v.is_floating_point()}
    data = to_bytes(kept | counters)
    config: Config = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "widths": [32, 64, 128],
        "expressions": list(EXPRESSIONS),
        "trained": trained,
        "measured": measured,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.with_suffix(".json").write_text(json.dumps(config, indent=2) + "\n")


def main() -> None:
    """Parse the command line, train, measure and write the weights."""
    options = parse()
    schedule = Schedule(epochs=options.epochs, seed=options.seed)
    arrays = np.load(options.data / "fer2013_train.npz")
    images, labels = arrays["image"], arrays["label"]
    ours, held = fusion_split(images)
    run, checkpoint = start(schedule, len(ours)), options.runs / "last.pt"
    if checkpoint.exists():
        resume(run, checkpoint)
    while run.epoch < schedule.epochs:
        began = time.process_time()
        loss = train_epoch(run, images[ours], labels[ours], schedule)
        save(run, checkpoint)
        print(f"epoch {run.epoch}: loss {loss:.4f}, {time.process_time() - began:.0f} CPU s", flush=True)
        if run.epoch % LOOK_EVERY == 0:
            print(report(probabilities(run.averaged.module, images[held]), labels[held]), flush=True)
    measured: dict[str, object] = {
        "held_tenth": report(probabilities(run.averaged.module, images[held]), labels[held])
    }
    valid = np.load(options.data / "fer2013_valid.npz")
    measured["fer2013_valid"] = report(probabilities(run.averaged.module, valid["image"]), valid["label"])
    publish(run, options.weights, {"faces": len(ours), **asdict(schedule)}, measured)
    print(json.dumps(measured, indent=2))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m extractors.train_expression", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of fer2013_train.npz and fer2013_valid.npz"
    )
    parser.add_argument("--epochs", type=int, default=Schedule.epochs)
    parser.add_argument("--seed", type=int, default=Schedule.seed)
    parser.add_argument("--runs", type=Path, default=Path("runs/expression"), help="folder of the checkpoint")
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="where the weights are written at the end"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
