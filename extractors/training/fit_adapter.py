"""How the adapter of the word embeddings is fitted: its schedule, an epoch, checkpoints, and what it then reads.

Every epoch has its own seed, so an interrupted run ends where an uninterrupted one does.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from extractors.training import checkpoint
from extractors.training.rated import Sentence
from extractors.training.sentence_batches import Batch, Tokens, batch_of, batches, pool, tokenise
from extractors.words.adapter import READOUTS, check, load_head
from extractors.words.embeddings import load_base

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True)
class Schedule:
    """How the adapter is trained."""

    epochs: int = 3
    batch: int = 32
    rate: float = 1e-3  # peak of the one-cycle schedule
    decay: float = 0.01  # AdamW's weight decay
    rank: int = 32
    alpha: int = 32
    classes: float = 1.0  # weight of the five classes' cross-entropy
    smoothing: float = 0.05
    dropout: float = 0.1  # of the sentence's mean embedding
    average: float = 0.995  # of the weights, per step
    seed: int = 0


@dataclass
class Run:
    """What a checkpoint holds, and the encoder it works on.

    `inside` are the encoder's own bfloat16 copies, which compute; `weights`, of the adapter and the readout, are what
    the optimiser moves, in float32.
    """

    encoder: SentenceTransformer
    head: nn.Linear
    inside: dict[str, nn.Parameter]
    weights: dict[str, nn.Parameter]
    averaged: dict[str, Tensor]
    optimiser: torch.optim.AdamW
    scheduler: torch.optim.lr_scheduler.OneCycleLR
    epoch: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    made: str = ""
    """Names what the run is made of, as `digest_of` does."""


def start(schedule: Schedule, sentences: int, folder: Path | None = None) -> Run:
    """A fresh adapter on a fresh encoder, or the one in `folder`, for a run over `sentences` sentences."""
    torch.manual_seed(schedule.seed)
    encoder = load_base()
    head = nn.Linear(encoder[0].auto_model.config.hidden_size, len(READOUTS))
    if folder is None:
        _add_adapter(encoder, schedule)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
    else:
        check(folder)
        encoder.load_adapter(str(folder), is_trainable=True)
        known = load_head(folder)
        head.load_state_dict({"weight": torch.from_numpy(known.weight), "bias": torch.from_numpy(known.bias)})
    lora = {k: v for k, v in encoder[0].auto_model.named_parameters() if v.requires_grad}
    held = {k: nn.Parameter(v.detach().clone()) for k, v in lora.items()}
    weights = held | {f"head.{k}": v for k, v in head.named_parameters()}
    # Small steps would be lost in bfloat16, so the encoder's own copy only computes.
    encoder.bfloat16()
    # On CPUs the fused attention's backward pass takes longer than all else together; and drawing its dropout
    # takes as long as attention itself.
    encoder[0].auto_model.set_attn_implementation("eager")
    for name, module in encoder.named_modules():
        if name.endswith("attention.self"):
            module.dropout.p = 0.0
    optimiser = torch.optim.AdamW(weights.values(), lr=schedule.rate, weight_decay=schedule.decay, fused=True)
    steps = max(schedule.epochs * math.ceil(sentences / schedule.batch), 10)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, schedule.rate, total_steps=steps + 1, pct_start=0.1
    )
    averaged = {k: v.detach().clone() for k, v in weights.items()}
    return Run(encoder, head, lora, weights, averaged, optimiser, scheduler)


def _add_adapter(encoder: SentenceTransformer, schedule: Schedule) -> None:
    from peft import LoraConfig, TaskType

    encoder.add_adapter(
        LoraConfig(
            task_type=TaskType.FEATURE_EXTRACTION,
            r=schedule.rank,
            lora_alpha=schedule.alpha,
            target_modules=r".*encoder\.layer\.\d+\..*(query|key|value|dense)",
        )
    )


@torch.no_grad()
def _tell(run: Run) -> None:
    """Give the encoder, which computes in bfloat16, the weights that the optimiser holds in float32."""
    torch._foreach_copy_(list(run.inside.values()), [run.weights[k] for k in run.inside])


def loss_of(out: Tensor, batch: Batch, schedule: Schedule) -> Tensor:
    """Loss of the readouts out [n, 6]: the score's error in its source's spread, and the classes'."""
    # Between squares and absolute values: SST's scores are steps of 1.5 and read by their absolute error.
    error = F.smooth_l1_loss(out[:, 0], batch.score, reduction="none", beta=1.0)
    loss = (error / batch.spread).mean()
    if bool((batch.label >= 0).any()):
        graded = F.cross_entropy(
            out[:, 1:],
            batch.label,
            ignore_index=-1,
            label_smoothing=schedule.smoothing,
            reduction="sum",
        )
        loss = loss + schedule.classes * graded / len(out)
    return loss


def train_epoch(
    run: Run,
    sentences: Sequence[Sentence],
    tokens: Sequence[Tokens],
    schedule: Schedule,
) -> float:
    """One pass in a seeded order; the mean loss."""
    began = time.process_time()
    torch.manual_seed(1000 * (schedule.seed + 1) + run.epoch)
    order = torch.randperm(len(sentences)).numpy()
    run.encoder.train()
    losses = []
    for batch in batches(sentences, tokens, schedule.batch, order):
        pooled = pool(run.encoder, batch)
        loss = loss_of(run.head(F.dropout(pooled, schedule.dropout)), batch, schedule)
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for name, value in run.inside.items():
            run.weights[name].grad = None if value.grad is None else value.grad.float()
            value.grad = None
        nn.utils.clip_grad_norm_(run.weights.values(), 1.0)
        run.optimiser.step()
        run.scheduler.step()
        _tell(run)
        _average(run, schedule.average)
        losses.append(loss.item())
    run.epoch += 1
    run.seconds += time.process_time() - began
    run.losses.append(float(np.mean(losses)))
    return run.losses[-1]


@torch.no_grad()
def _average(run: Run, keep: float) -> None:
    held, now = list(run.averaged.values()), [v.detach() for v in run.weights.values()]
    # In the first steps the average would otherwise hang on to where training started.
    step = run.scheduler.last_epoch
    torch._foreach_lerp_(held, now, 1 - min(keep, step / (step + 10)))


def save(run: Run, path: Path) -> None:
    """Write a checkpoint that `resume` goes on from."""
    state = {
        "weights": {k: v.detach() for k, v in run.weights.items()},
        "averaged": run.averaged,
        "optimiser": run.optimiser.state_dict(),
        "scheduler": run.scheduler.state_dict(),
        "epoch": run.epoch,
        "made": run.made,
        "seconds": run.seconds,
        "losses": run.losses,
    }
    checkpoint.write(state, path)


@torch.no_grad()
def resume(run: Run, path: Path) -> None:
    """Go on from the checkpoint at `path`. Errors as in `checkpoint.read`."""
    state = checkpoint.read(path, run.made)
    for name, value in run.weights.items():
        value.copy_(state["weights"][name])
    run.averaged = state["averaged"]
    run.optimiser.load_state_dict(state["optimiser"])
    run.scheduler.load_state_dict(state["scheduler"])
    run.epoch, run.seconds, run.losses = state["epoch"], state["seconds"], state["losses"]
    _tell(run)


@torch.no_grad()
def settle(run: Run) -> None:
    """End the training: the averaged weights take the others' place, and the encoder computes in float32."""
    run.encoder.float()
    for name, value in run.weights.items():
        value.copy_(run.averaged[name])
    _tell(run)
    run.encoder.eval()


@torch.inference_mode()
def read(run: Run, sentences: Sequence[Sentence]) -> NDArray[np.float32]:
    """Readouts [n, 6] of a run that `settle` ended."""
    tokens = tokenise(run.encoder, sentences)
    order = np.argsort([len(ids) for ids, _ in tokens], kind="stable")
    result = np.zeros((len(sentences), len(READOUTS)), np.float32)
    spread = dict.fromkeys((s.source for s in sentences), 1.0)
    for first in range(0, len(order), 64):
        rows = order[first : first + 64]
        batch = batch_of([sentences[i] for i in rows], [tokens[i] for i in rows], spread)
        result[rows] = run.head(pool(run.encoder, batch)).numpy()
    return result


def train(
    sentences: Sequence[Sentence],
    schedule: Schedule,
    kept: Path,
    epochs: int | None = None,
    begin: Path | None = None,
) -> Run:
    """Train on all of the sentences, from the checkpoint `kept` on where there is one; `epochs` stops it earlier.

    Without a checkpoint the adapter is a fresh one, or the one in the folder `begin`. Errors as in `resume`.
    """
    run = start(schedule, len(sentences), begin)
    run.made = digest_of(sentences, schedule, begin)
    if kept.exists():
        resume(run, kept)
    tokens = tokenise(run.encoder, sentences)
    while run.epoch < (schedule.epochs if epochs is None else epochs):
        loss = train_epoch(run, sentences, tokens, schedule)
        save(run, kept)
        print(f"epoch {run.epoch}: loss {loss:.4f}, {run.seconds:.0f} CPU s", flush=True)
    return run


def digest_of(sentences: Sequence[Sentence], schedule: Schedule, begin: Path | None) -> str:
    """Names what a run is made of: the rated sentences, the schedule, the adapter that it begins with."""
    start_sums = check(begin)["sha256"] if begin else {}
    made = repr((schedule, sorted(start_sums.items()), list(sentences)))
    return hashlib.sha256(made.encode()).hexdigest()
