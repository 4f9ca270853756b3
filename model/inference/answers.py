"""What a person asks of one analysed clip: arrays in and arrays out, as in `predict`.

On entry: values[m] [L, width] and presence[m] [L] of the clip's grid. On exit: why the score is what it is at a tick,
how long the chains remember, and the ways of their states through space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.coupled.explain import from_start
from model.coupled.network import CoupledMamba
from model.coupled.split import split_score
from model.coupled.stretches import carry, read_stretches, run_stretches
from model.coupled.timescales import couplings, half_lives
from model.inference.prediction import Line, as_batch, wide

LONGEST = 300
"""Ticks whose parts in a moment are told, a minute: more cannot be answered at a click's pace."""
REACH = 1500
"""Observed ticks before these that are read for what they leave in the states, five minutes of them: half-lives are
seconds, but where nothing is observed nothing is forgotten either. Which modalities were ever heard, which the head
asks, is taken from the whole clip."""


@dataclass(frozen=True)
class Why:
    """The score at a tick and what it is made of: base + the sum over all sources is the score, to rounding.

    `score` is that of the whole clip's reading. `sources[m]` holds the signed points that modality m brought in at the
    ticks first..at, through all layers, with what the network realised held fixed (`model.coupled.split`); `base` is
    what its constants say and, where first > 0, what the ticks before it had left. `without[m]` is the score that the
    network gives anew with modality m never observed; empty where fewer than two were.
    """

    score: float
    base: float
    first: int
    sources: dict[str, Line]
    without: dict[str, float]


@dataclass(frozen=True)
class Memory:
    """Of every layer: coupling [layers, M, M] (row = target), half-lives [layers, M] and of all together [layers].

    Half-lives are in seconds, inf where nothing is forgotten, and those by which half of what is read lasts longer.
    """

    coupling: NDArray[np.float32]
    half_life: NDArray[np.float32]
    together: NDArray[np.float32]


@dataclass(frozen=True)
class Paths:
    """The chains' ways: points [L, M, 3] in -1..1, and the share (0..1) of all movement that three directions show.

    Every chain is drawn to the same size: one often moves ten times as far as another, which would not be seen.
    """

    points: NDArray[np.float32]
    shown: float


def why(network: CoupledMamba, values: Mapping[str, Line], presence: Mapping[str, Line], at: int) -> Why:
    """Why the score at tick `at` is what it is, by the LONGEST ticks up to it; errors as in `split_score`.

    `at` counts from 0, from the clip's end where negative.
    """
    batch, observed = as_batch(network, values, presence)
    at = from_start(at, observed.shape[1])
    first = max(0, at + 1 - LONGEST)
    heard = (observed[:, :first] > 0).any(1)
    parts = {m: v[:, first:] for m, v in batch.items()}
    carried = None
    if first:
        before = slice(_reached(observed[:, :first]), first)
        carried = carry(network, {m: v[:, before] for m, v in batch.items()}, observed[:, before])
        carried = carried._replace(heard=heard)
    found = split_score(network, parts, observed[:, first:], at - first, carried)
    brought = {m: wide(found.sources[0, i]).numpy() for i, m in enumerate(network.config.modalities)}
    fewer = _without_each(network, batch, observed, at)
    return Why(float(found.score[0]), float(found.constant[0]), first, brought, fewer)


def _reached(observed: Tensor) -> int:
    """The last tick from which on every row of observed [B, L, M] has REACH ticks with something in them, or 0."""
    count = (observed > 0).any(-1).flip(1).cumsum(1)
    needed = int((count < REACH).sum(1).max()) + 1
    return max(0, observed.shape[1] - needed)


def _without_each(
    network: CoupledMamba, values: Mapping[str, Tensor], observed: Tensor, at: int
) -> dict[str, float]:
    """The score at a tick with each of the modalities observed by then taken away, all in one batch."""
    seen = observed[0, : at + 1].any(0).nonzero().flatten().tolist()
    if len(seen) < 2:
        return {}
    kept = observed.new_ones(len(seen), 1, observed.shape[-1])
    kept[range(len(seen)), 0, seen] = 0
    first = _reached(observed[:, : max(0, at + 1 - LONGEST)] * kept)
    heard = (kept * observed[:, :first].amax(1, keepdim=True) > 0)[:, 0] if first else None
    rows = {m: v[:, first : at + 1].expand(len(seen), -1, -1) for m, v in values.items()}
    output = run_stretches(network, rows, observed[:, first : at + 1] * kept, heard=heard)
    scores = output.ticks[:, -1].tolist()
    return {network.config.modalities[i]: score for i, score in zip(seen, scores, strict=True)}


def memory(network: CoupledMamba, values: Mapping[str, Line], presence: Mapping[str, Line]) -> Memory:
    """The learnt couplings, and the half-lives on this clip, whose input decides how fast the states forget."""
    lives = half_lives(network, *as_batch(network, values, presence))
    return Memory(
        wide(couplings(network)).numpy(),
        wide(torch.stack([layer.weighted[0] for layer in lives])).numpy(),
        wide(torch.stack([layer.coupled[0] for layer in lives])).numpy(),
    )


@torch.no_grad()
def paths(network: CoupledMamba, values: Mapping[str, Line], presence: Mapping[str, Line]) -> Paths:
    """The chains' outputs of the last layer, along the three directions in which they move most over the clip.

    Each chain is taken from its own mean and by its own spread, so that what is seen is how it moves and not where it
    stands; the directions are those of all chains together.
    """
    given = as_batch(network, values, presence)
    whole = wide(torch.cat([read.x[0] for read in read_stretches(network, *given)]))
    moved = (whole - whole.mean(0)).double().numpy()
    spread = np.sqrt((moved**2).sum(-1).mean(0))
    moved = moved / np.where(spread > 1e-9, spread, 1.0)[:, None]
    flat = moved.reshape(-1, moved.shape[-1])
    variance, directions = np.linalg.eigh(flat.T @ flat)
    points = moved @ directions[:, -1:-4:-1]
    points = np.pad(points, ((0, 0), (0, 0), (0, 3 - points.shape[-1])))
    total, most = float(variance.clip(0).sum()), float(np.abs(points).max(initial=0))
    if total < 1e-12:
        return Paths(np.zeros_like(points, np.float32), 0.0)
    return Paths((points / most).astype(np.float32), float(variance[-3:].clip(0).sum() / total))
