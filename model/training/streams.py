"""Training on streams: the settings of a run, its loss and its schedule, of which the last step is the one kept."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_model
from torch import Tensor
from tqdm import tqdm

from model.coupled.config import CoupledMambaConfig, check_network
from model.coupled.features import Standardise
from model.coupled.network import CoupledMamba
from model.data.pool import Pool
from model.data.streams import ALL, Batch, Streams, StreamSettings
from model.fusion.baselines import build_network
from model.training.checkpoints import cut_log, resume, save, tensorboard

if TYPE_CHECKING:
    from accelerate import Accelerator

Log = Any


@dataclass(frozen=True)
class TrainSettings:
    """One run: a file of model/configs, with [network] and [streams] as nested tables."""

    seed: int = 1
    steps: int = 1600
    batch: int = 32
    """Streams a step, on each device."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    clip_weight: float = 0.5
    """Of the clip scores' loss beside that of the ticks."""
    scale_weight: float = 0.2
    """Of the likelihood of the truth, from which the scales learn, beside the scores' loss."""
    checkpoint_every: int = 200
    start: str = ""
    """Folder of a checkpoint to go on from; a fresh network without."""
    network: dict[str, Any] = field(default_factory=dict)
    streams: StreamSettings = field(default_factory=StreamSettings)


def read_settings(path: Path) -> TrainSettings:
    """Read a TOML config.

    Raises TypeError for a key that no setting has, ValueError for what is no TOML, a network that cannot be made or a
    start that is no checkpoint.
    """
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    streams: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in table.pop("streams", {}).items()
    }
    settings = TrainSettings(streams=StreamSettings(**streams), **table)
    check_network(settings.network)
    if settings.start and not (Path(settings.start) / "model.safetensors").is_file():
        raise ValueError(f"start is {settings.start!r}, which holds no model.safetensors")
    return settings


def build(settings: TrainSettings, pools: dict[str, Pool]) -> CoupledMamba:
    """A fresh network with the widths and the standardisation of the training features."""
    torch.manual_seed(settings.seed)
    widths = tuple(pools[m].rows.shape[1] for m in ALL)
    network = build_network(CoupledMambaConfig(ALL, widths, **settings.network))
    for m in ALL:
        observed = pools[m].rows[pools[m].presence > 0]
        standardise = network.get_submodule(f"embed.standardise.{m}")
        assert isinstance(standardise, Standardise)
        standardise.fit(torch.from_numpy(observed.astype(np.float32)))
    if settings.start:
        load_model(network, Path(settings.start) / "model.safetensors")
    return cast(CoupledMamba, network)  # or a baseline, which is used and saved alike


def loss_of(network: torch.nn.Module, batch: Batch, settings: TrainSettings, device: torch.device) -> Tensor:
    """Smooth absolute error of the ticks' and the clips' scores, plus the Laplace likelihood of their truths."""
    values = {m: torch.from_numpy(v).to(device) for m, v in batch.values.items()}
    target, truth, weight, clip, clip_truth = (
        torch.from_numpy(a).to(device)
        for a in (batch.target, batch.truth, batch.weight, batch.clip, batch.clip_truth)
    )
    output = network(values, torch.from_numpy(batch.presence).to(device))
    ticks = error(output.ticks, target) + settings.scale_weight * surprise(
        output.ticks, output.tick_scale, truth
    )
    clips = error(output.clip, clip) + settings.scale_weight * surprise(
        output.clip, output.clip_scale, clip_truth
    )
    return (ticks * weight).sum() / weight.sum() + settings.clip_weight * clips.mean()


def error(score: Tensor, target: Tensor) -> Tensor:
    """Huber's loss with its bend at 1 [same shape]: means for small errors, medians for large ones."""
    return torch.nn.functional.smooth_l1_loss(score, target, reduction="none")


def surprise(score: Tensor, scale: Tensor, truth: Tensor) -> Tensor:
    """Negative log likelihood under a Laplace law; the scales learn from it, the scores do not."""
    return (score.detach() - truth).abs() / scale + scale.log()


def train(settings: TrainSettings, pools: dict[str, Pool], run: Path) -> CoupledMamba:
    """Run the schedule, from run/last.pt where a run was stopped; errors as in `build` and `resume`."""
    accelerator = launched()
    network = build(settings, pools)
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, betas=(0.9, 0.98), weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps, pct_start=0.1
    )
    run.mkdir(parents=True, exist_ok=True)
    made = digest_of(settings, pools, accelerator.num_processes, accelerator.mixed_precision)
    # float16's, which learns by how much to scale the loss
    scaler = [accelerator.scaler] if accelerator.scaler else []
    begin = resume(run / "last.pt", made, network, optimiser, schedule, *scaler)
    wrapped, optimiser = accelerator.prepare(network, optimiser)
    streams = Streams(pools, settings.streams, settings.seed)
    with logging_to(run, accelerator, begin) as log:
        bar = tqdm(range(begin, settings.steps), initial=begin, total=settings.steps, disable=log is None)
        for step in bar:
            streams.rng = seeded(settings.seed, step, accelerator.process_index)
            batch = streams.batch(settings.batch)
            loss = loss_of(wrapped, batch, settings, accelerator.device)
            optimiser.zero_grad()
            accelerator.backward(loss)
            norm = accelerator.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            if log is not None:
                log(step, loss=loss.item(), gradient=norm.item(), rate=schedule.get_last_lr()[0])
                if (step + 1) % settings.checkpoint_every == 0:
                    save(run / "last.pt", step + 1, made, network, optimiser, schedule, *scaler)
    accelerator.wait_for_everyone()
    return network.eval().cpu()


def launched() -> Accelerator:
    """What this process was launched as, on its device. A step is one batch of each process: accelerate would divide
    the loss by ACCELERATE_GRADIENT_ACCUMULATION_STEPS, and nothing here gathers gradients over steps.
    """
    from accelerate import Accelerator
    from accelerate.utils import GradientAccumulationPlugin

    return Accelerator(gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1))


def seeded(*numbers: int) -> np.random.Generator:
    """A generator for one step of one process; torch's own, of the dropout, is set by the same numbers."""
    sequence = np.random.SeedSequence(numbers)
    torch.manual_seed(int(sequence.generate_state(1)[0]))
    return np.random.default_rng(sequence.spawn(1)[0])


def digest_of(settings: TrainSettings, pools: Mapping[str, Pool], processes: int, precision: str) -> str:
    """Names what a run is made of: its settings, every number and label it learns from, the weights it starts from,
    and how it was launched, since each process adds streams to a step.
    """
    digest = hashlib.sha256(repr((replace(settings, checkpoint_every=0), processes, precision)).encode())
    for name, pool in sorted(pools.items()):
        digest.update(name.encode())
        arrays: tuple[NDArray[Any], ...] = (pool.rows, pool.presence, pool.offsets, *pool.labels)
        for array in arrays:
            digest.update(str((array.dtype, array.shape)).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    if settings.start:
        digest.update((Path(settings.start) / "model.safetensors").read_bytes())
    return digest.hexdigest()


@contextmanager
def logging_to(run: Path, accelerator: Accelerator, begin: int) -> Iterator[Log]:
    """A function (step, **figures) that writes run/log.jsonl, and TensorBoard's files where it is installed.

    Steps from `begin` on that stand there already, of a run that was stopped after its last checkpoint, are taken out.
    None on every process but the first.
    """
    if not accelerator.is_main_process:
        yield None
        return
    board = tensorboard(run, begin)
    cut_log(run / "log.jsonl", "step", begin)
    with (run / "log.jsonl").open("a", buffering=1) as lines:

        def log(step: int, **figures: float) -> None:
            lines.write(json.dumps({"step": step, **figures}) + "\n")
            for name, figure in figures.items() if board else ():
                board.add_scalar(name, figure, step)

        yield log
    if board:
        board.close()
