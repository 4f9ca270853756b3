"""Train the sentiment adapter of the word embeddings: python -m extractors.train_text --data DIR.

DIR holds gzipped tables of rated sentences (columns source, score, text, group). A LoRA adapter (Hu et al. 2022) is
trained on the packaged MiniLM through sentence-transformers' own adapter support. What is read from a sentence is
linear in the mean of its words' embeddings, so the same readout applies to each word: a score for every source,
and five classes for the sentences that have them.

Of the near-duplicate groups, one tenth is for validation and one is kept for the fusion network, which must see
embeddings as reliable as those of new sentences; eight tenths train. The last epoch's averaged weights are kept.
A run goes on from its last epoch when it is started again, and ends where an uninterrupted one does.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from extractors.text import MAX_WORDS, held_for_fusion, held_out, load_base

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

CLASSES = 5
STEP = 1.5  # between the five classes' scores: -3, -1.5, 0, 1.5, 3
GRADED = ("sst5-train", "sst5-dev")  # sources whose scores are five classes


@dataclass(frozen=True)
class Schedule:
    """How the adapter is trained."""

    epochs: int = 4
    batch: int = 32
    rate: float = 1e-3  # peak of the one-cycle schedule
    decay: float = 0.01  # AdamW's weight decay
    rank: int = 32
    alpha: int = 32
    classes: float = 0.5  # weight of the five classes' cross-entropy
    smoothing: float = 0.05
    dropout: float = 0.1  # of the sentence's mean embedding
    average: float = 0.995  # of the weights, per step
    seed: int = 0


@dataclass(frozen=True)
class Sentence:
    """A rated sentence; score in -3..3."""

    text: str
    score: float
    source: str
    group: str


@dataclass(frozen=True)
class Batch:
    """ids and mask [n, T]; weight [n, T] sums to one over a sentence, alike over words; the rest [n]."""

    ids: Tensor
    mask: Tensor
    weight: Tensor
    score: Tensor
    spread: Tensor
    label: Tensor


@dataclass
class Run:
    """What a checkpoint holds, and the encoder it works on."""

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


def read_sentences(folder: Path) -> list[Sentence]:
    """The rated sentences of folder/*.csv.gz that have words. Raises FileNotFoundError where there is no table."""
    files = sorted(folder.glob("*.csv.gz"))
    if not files:
        raise FileNotFoundError(f"no *.csv.gz in {folder}: give the folder of rated_sentences.csv.gz")
    texts = (gzip.decompress(f.read_bytes()).decode("utf-8") for f in files)
    rows = (r for t in texts for r in csv.DictReader(io.StringIO(t, newline="")))
    return [
        Sentence(r["text"], float(r["score"]), r["source"], r["group"]) for r in rows if r["text"].split()
    ]


def training_part(sentences: Sequence[Sentence]) -> list[Sentence]:
    """The eight tenths that train."""
    return [s for s in sentences if not (held_out(s.group) or held_for_fusion(s.group))]


def start(schedule: Schedule, sentences: int) -> Run:
    """A fresh adapter on a fresh encoder, for a run over `sentences` sentences."""
    from peft import LoraConfig, TaskType

    torch.manual_seed(schedule.seed)
    encoder = load_base()
    encoder.add_adapter(
        LoraConfig(
            task_type=TaskType.FEATURE_EXTRACTION,
            r=schedule.rank,
            lora_alpha=schedule.alpha,
            target_modules=r".*encoder\.layer\.\d+\..*(query|key|value|dense)",
        )
    )
    head = nn.Linear(encoder[0].auto_model.config.hidden_size, 1 + CLASSES)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
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


@torch.no_grad()
def _publish_step(run: Run) -> None:
    """Give the encoder, which computes in bfloat16, the weights that the optimiser holds in float32."""
    torch._foreach_copy_(list(run.inside.values()), [run.weights[k] for k in run.inside])


def tokenise(
    encoder: SentenceTransformer, sentences: Sequence[Sentence]
) -> list[tuple[list[int], list[float]]]:
    """Token numbers of each sentence, and each token's share in the mean over words."""
    words = [s.text.split()[:MAX_WORDS] for s in sentences]
    encoded = encoder.tokenizer(words, is_split_into_words=True, truncation=True, max_length=256)
    result = []
    for i, ids in enumerate(encoded["input_ids"]):
        owners = encoded.word_ids(i)
        counts = np.bincount([o for o in owners if o is not None] or [0])
        share = 1 / max(np.count_nonzero(counts), 1)
        result.append((ids, [0.0 if o is None else share / counts[o] for o in owners]))
    return result


def batches(
    sentences: Sequence[Sentence],
    tokens: Sequence[tuple[list[int], list[float]]],
    size: int,
    order: NDArray[np.int64],
) -> Iterator[Batch]:
    """Batches of sentences of like length, themselves in the order their first sentences have in `order`."""
    spread = _spreads(sentences)
    pool = size * 32
    for first in range(0, len(order), pool):
        near = sorted(order[first : first + pool], key=lambda i: len(tokens[i][0]))
        groups = [near[i : i + size] for i in range(0, len(near), size)]
        rank = {int(i): n for n, i in enumerate(order[first : first + pool])}
        for group in sorted(groups, key=lambda g: rank[int(g[0])]):
            yield _batch([sentences[i] for i in group], [tokens[i] for i in group], spread)


def _spreads(sentences: Sequence[Sentence]) -> dict[str, float]:
    """Each source's standard deviation: a miss by one counts more where scores lie close together."""
    sources = {s.source for s in sentences}
    return {
        source: max(float(np.std([s.score for s in sentences if s.source == source])), 0.5)
        for source in sources
    }


def _batch(
    sentences: Sequence[Sentence], tokens: Sequence[tuple[list[int], list[float]]], spread: dict[str, float]
) -> Batch:
    length = max(len(ids) for ids, _ in tokens)
    ids = torch.zeros(len(tokens), length, dtype=torch.long)
    mask, weight = torch.zeros_like(ids), torch.zeros(len(tokens), length)
    for row, (numbers, shares) in enumerate(tokens):
        ids[row, : len(numbers)] = torch.tensor(numbers)
        mask[row, : len(numbers)] = 1
        weight[row, : len(numbers)] = torch.tensor(shares)
    label = [round(s.score / STEP) + CLASSES // 2 if s.source in GRADED else -1 for s in sentences]
    return Batch(
        ids,
        mask,
        weight,
        torch.tensor([s.score for s in sentences]),
        torch.tensor([spread[s.source] for s in sentences]),
        torch.tensor(label),
    )


def pool(encoder: SentenceTransformer, batch: Batch) -> Tensor:
    """Mean of the words' embeddings [n, 384], float32."""
    hidden = encoder[0].auto_model(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
    return (hidden.float() * batch.weight[:, :, None]).sum(1)


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
    tokens: Sequence[tuple[list[int], list[float]]],
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
            run.weights[name].grad = value.grad.float()
            value.grad = None
        nn.utils.clip_grad_norm_(run.weights.values(), 1.0)
        run.optimiser.step()
        run.scheduler.step()
        _publish_step(run)
        _average(run, schedule.average)
        losses.append(loss.item())
        if len(losses) % 100 == 0:
            print(
                f"  step {len(losses)}: {np.mean(losses[-100:]):.4f}, {time.process_time() - began:.0f} s",
                flush=True,
            )
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
    """Write a checkpoint that `resume` goes on from, replacing the last one only when it is whole."""
    state = {
        "weights": {k: v.detach() for k, v in run.weights.items()},
        "averaged": run.averaged,
        "optimiser": run.optimiser.state_dict(),
        "scheduler": run.scheduler.state_dict(),
        "epoch": run.epoch,
        "seconds": run.seconds,
        "losses": run.losses,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


@torch.no_grad()
def resume(run: Run, path: Path) -> None:
    """Go on from the checkpoint at `path`, one of this machine's own."""
    state = torch.load(path, weights_only=True)
    for name, value in run.weights.items():
        value.copy_(state["weights"][name])
    run.averaged = state["averaged"]
    run.optimiser.load_state_dict(state["optimiser"])
    run.scheduler.load_state_dict(state["scheduler"])
    run.epoch, run.seconds, run.losses = state["epoch"], state["seconds"], state["losses"]
    _publish_step(run)


@torch.inference_mode()
def read(run: Run, sentences: Sequence[Sentence]) -> NDArray[np.float32]:
    """Readouts [n, 6] of the averaged weights."""
    now = {k: v.detach().clone() for k, v in run.weights.items()}
    for name, value in run.weights.items():
        value.copy_(run.averaged[name])
    _publish_step(run)
    run.encoder.eval()
    tokens = tokenise(run.encoder, sentences)
    order = np.argsort([len(ids) for ids, _ in tokens], kind="stable")
    result = np.zeros((len(sentences), 1 + CLASSES), np.float32)
    spread = {s.source: 1.0 for s in sentences}
    for first in range(0, len(order), 64):
        rows = order[first : first + 64]
        batch = _batch([sentences[i] for i in rows], [tokens[i] for i in rows], spread)
        pooled = pool(run.encoder, batch)
        result[rows] = run.head(pooled).numpy()
    for name, value in run.weights.items():
        value.copy_(now[name])
    _publish_step(run)
    return result


def report(out: NDArray[np.float32], sentences: Sequence[Sentence]) -> dict[str, dict[str, float]]:
    """Per source: sign accuracy (zeros left out), MAE, and five classes by the class readout."""
    result = {}
    source = np.array(["sst5" if s.source in GRADED else s.source for s in sentences])
    score = np.array([s.score for s in sentences])
    for name in sorted(set(source)):
        rows = source == name
        signed = rows & (score != 0)
        result[name] = {
            "sign": round(float(((out[signed, 0] > 0) == (score[signed] > 0)).mean()), 4),
            "mae": round(float(np.abs(out[rows, 0].clip(-3, 3) - score[rows]).mean()), 4),
        }
        if name == "sst5":
            wanted = np.round(score[rows] / STEP) + CLASSES // 2
            result[name]["five"] = round(float((out[rows, 1:].argmax(1) == wanted).mean()), 4)
            rounded = np.clip(np.round(out[rows, 0] / STEP), -2, 2) + 2
            result[name]["five_of_score"] = round(float((rounded == wanted).mean()), 4)
    return result


def main() -> None:
    """Parse the command line and train."""
    options = parse()
    schedule = Schedule(
        epochs=options.epochs,
        seed=options.seed,
        rank=options.rank,
        alpha=options.alpha,
        rate=options.rate,
        batch=options.batch,
        classes=options.classes,
    )
    everything = read_sentences(options.data)
    ours = training_part(everything)
    ours_dev = [s for s in everything if held_for_fusion(s.group)]
    print(asdict(schedule), len(ours), len(ours_dev), flush=True)
    run, checkpoint = start(schedule, len(ours)), options.runs / "last.pt"
    if checkpoint.exists():
        resume(run, checkpoint)
    tokens = tokenise(run.encoder, ours)
    while run.epoch < schedule.epochs:
        loss = train_epoch(run, ours, tokens, schedule)
        save(run, checkpoint)
        print(f"epoch {run.epoch}: loss {loss:.4f}, {run.seconds:.0f} CPU s", flush=True)
        print(json.dumps(report(read(run, ours_dev), ours_dev)), flush=True)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m extractors.train_text", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of rated_sentences.csv.gz")
    parser.add_argument("--epochs", type=int, default=Schedule.epochs)
    parser.add_argument("--seed", type=int, default=Schedule.seed)
    parser.add_argument("--rank", type=int, default=Schedule.rank)
    parser.add_argument("--alpha", type=int, default=Schedule.alpha)
    parser.add_argument("--rate", type=float, default=Schedule.rate)
    parser.add_argument("--batch", type=int, default=Schedule.batch)
    parser.add_argument("--classes", type=float, default=Schedule.classes)
    parser.add_argument("--runs", type=Path, default=Path("runs/text"), help="folder of the checkpoint")
    return parser.parse_args()


if __name__ == "__main__":
    main()
