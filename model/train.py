"""Train a Coupled Mamba on streams: `python -m model.train [CONFIG] [--data DIR] [--out DIR]`.

The schedule is fixed and the last step is the one kept, so validation data chooses nothing. A run that was
stopped goes on from its last checkpoint under runs/.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from model.config import CoupledMambaConfig
from model.corpora import Pool, Split, load_faces, load_speech, load_text
from model.inference import WEIGHTS
from model.network import CoupledMamba
from model.streams import ALL, Batch, Streams, StreamSettings

CONFIGS = Path(__file__).parent / "configs"
DATA = Path("../shared/data")


@dataclass(frozen=True)
class TrainSettings:
    """One run: a file of model/configs, with [network] and [streams] as nested tables."""

    seed: int = 1
    steps: int = 1600
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    clip_weight: float = 0.5
    checkpoint_every: int = 200
    network: dict[str, Any] = field(default_factory=dict)
    streams: StreamSettings = field(default_factory=StreamSettings)


def read_settings(path: Path) -> TrainSettings:
    """Read a TOML config. Raises TypeError for a key that no setting has."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    streams: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in table.pop("streams", {}).items()
    }
    return TrainSettings(streams=StreamSettings(**streams), **table)


def load_splits(data: Path) -> dict[str, Split]:
    """Training and validation pools of every modality."""
    return {"text": load_text(data), "audio": load_speech(data), "visual": load_faces(data)}


def build(settings: TrainSettings, pools: dict[str, Pool]) -> CoupledMamba:
    """A fresh network with the widths and the standardisation of the training features."""
    torch.manual_seed(settings.seed)
    widths = tuple(pools[m].rows.shape[1] for m in ALL)
    network = CoupledMamba(CoupledMambaConfig(ALL, widths, **settings.network))
    for m in ALL:
        observed = pools[m].rows[pools[m].presence > 0]
        network.embed.standardise[m].fit(torch.from_numpy(observed.astype(np.float32)))  # type: ignore[operator]
    return network


def loss_of(network: CoupledMamba, batch: Batch, clip_weight: float) -> Tensor:
    """Weighted mean absolute error of the ticks, plus that of the clips."""
    values = {m: torch.from_numpy(v) for m, v in batch.values.items()}
    target, weight, clip = (torch.from_numpy(a) for a in (batch.target, batch.weight, batch.clip))
    output = network(values, torch.from_numpy(batch.presence))
    ticks = ((output.ticks - target).abs() * weight).sum() / weight.sum()
    return ticks + clip_weight * (output.clip - clip).abs().mean()


def train(settings: TrainSettings, pools: dict[str, Pool], run: Path) -> CoupledMamba:
    """Run the schedule, from run/last.pt where a run was stopped."""
    network = build(settings, pools)
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, betas=(0.9, 0.98), weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps, pct_start=0.1
    )
    run.mkdir(parents=True, exist_ok=True)
    begin = resume(run / "last.pt", network, optimiser, schedule)
    streams = Streams(pools, settings.streams, seed=settings.seed * 1_000_003 + begin)
    with (run / "log.jsonl").open("a") as log:
        for step in tqdm(range(begin, settings.steps), initial=begin, total=settings.steps):
            loss = loss_of(network, streams.batch(settings.batch), settings.clip_weight)
            optimiser.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            log.write(json.dumps({"step": step, "loss": loss.item(), "gradient": norm.item()}) + "\n")
            if (step + 1) % settings.checkpoint_every == 0:
                log.flush()
                save(run / "last.pt", step + 1, network, optimiser, schedule)
    return network.eval()


def save(path: Path, step: int, *parts: Any) -> None:
    """Write a training state aside, then move it into place."""
    torch.save({"step": step, "parts": [p.state_dict() for p in parts]}, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


def resume(path: Path, *parts: Any) -> int:
    """Load a training state of ours where there is one; returns the step to go on from."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for part, saved in zip(parts, state["parts"], strict=True):
        part.load_state_dict(saved)
    return int(state["step"])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m model.train", description=__doc__)
    parser.add_argument("config", nargs="?", type=Path, default=CONFIGS / "streams.toml")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with text/, speech/ and faces/")
    parser.add_argument("--run", type=Path, help="where checkpoints and the log go (runs/CONFIG)")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where the trained network goes")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        parser.error(
            f"there is no folder {arguments.data}: name the one with text/, speech/ and faces/ by --data"
        )
    settings = read_settings(arguments.config)
    pools = {m: s.train for m, s in load_splits(arguments.data).items()}
    network = train(settings, pools, arguments.run or Path("runs") / arguments.config.stem)
    network.save_pretrained(arguments.out)


if __name__ == "__main__":
    main()
