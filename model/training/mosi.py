"""One run on mosi_utterances: settings, training on some videos, scores for others."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from model.coupled.config import CoupledMambaConfig, check_network
from model.coupled.network import Output
from model.data.mosi import EXPECTED, PUBLISHED, Float, Videos, exchange
from model.fusion.bidirectional import make, single_directions

ANCHOR = 1.5
"""Score that the linear reading aims at, on either side of neutral."""
SHARPNESS = 2.0
"""Logit of "not negative" for a score of 1: the binary loss then reads the same number as the regression."""


@dataclass(frozen=True)
class MosiSettings:
    """One run. The last epoch is the one kept, so held-out videos choose nothing."""

    modalities: tuple[str, ...] = PUBLISHED
    bidirectional: bool = True
    epochs: int = 30
    batches: int = 3
    """Steps an epoch, each on videos of about the same length, so that little is padded."""
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    binary_weight: float = 1.0
    """Weight of the two-class loss beside the absolute error."""
    modality_dropout: float = 0.2
    """Chance that one modality of an utterance is unobserved in an epoch; never all of them."""
    expected: dict[str, float] = field(default_factory=lambda: dict(EXPECTED))
    """Accuracy of each modality on new videos, for `exchange`; empty for the features as they are."""
    components: dict[str, int] = field(default_factory=dict)
    """Principal components kept of each modality; all features where a modality is not named."""
    anchor: float = 0.0
    """Ridge penalty, per 100 utterances, of a linear reading of each utterance by itself, to which the network's
    scores are added; 0 for none. Few videos teach a network little beyond it, and unlearning it costs accuracy."""
    network: dict[str, Any] = field(default_factory=dict)


class Reader(nn.Module):
    """Features to a few principal components, fitted to training videos without labels, then the network's scores,
    added to a linear reading of each utterance where the settings have an anchor.
    """

    def __init__(self, settings: MosiSettings, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.modalities = settings.modalities
        kept = {m: min(settings.components.get(m, widths[m]), widths[m]) for m in settings.modalities}
        config = CoupledMambaConfig(
            settings.modalities, tuple(kept.values()), **{"step": 1.0, **settings.network}
        )
        self.network = make(config, settings.bidirectional)
        for m, k in kept.items():
            self.register_buffer(f"centre_{m}", torch.zeros(widths[m]))
            self.register_buffer(f"axes_{m}", torch.eye(widths[m])[:, :k].clone())
        self.register_buffer("anchor", torch.zeros(sum(kept.values()) + 1))

    def forward(self, values: Mapping[str, Tensor], presence: Tensor) -> Output:
        """As the network, from whole features; the anchor is in the scores of the ticks alone."""
        reduced = {m: self.reduce(m, values[m]) for m in self.modalities}
        output: Output = self.network(reduced, presence)
        return replace(
            output, ticks=output.ticks + self.columns(reduced, presence) @ self.get_buffer("anchor")
        )

    def columns(self, reduced: Mapping[str, Tensor], presence: Tensor) -> Tensor:
        """[B, L, k + 1]: all components, 0 where unobserved, and a constant."""
        parts = [reduced[m].clamp(-5, 5) * presence[..., i, None] for i, m in enumerate(self.modalities)]
        return torch.cat([*parts, torch.ones_like(presence[..., :1])], dim=-1)

    def reduce(self, m: str, x: Tensor) -> Tensor:
        """[..., D] -> [..., k], each of deviation 1 in training."""
        return (x - self.get_buffer(f"centre_{m}")) @ self.get_buffer(f"axes_{m}")

    def fit(self, m: str, rows: Tensor) -> None:
        """Components of features of deviation 1, and the network's own standardisation of them."""
        deviation = rows.std(0).clamp_min(1e-4)
        centre, axes = self.get_buffer(f"centre_{m}"), self.get_buffer(f"axes_{m}")
        centre.copy_(rows.mean(0))
        if axes.shape[1] < axes.shape[0]:
            basis = torch.linalg.svd((rows - centre) / deviation, full_matrices=False)[2]
            axes.zero_()[:, : len(basis)] = basis[: axes.shape[1]].T / deviation[:, None]
        axes /= self.reduce(m, rows).std(0).clamp_min(1e-4)
        for direction in single_directions(self.network):
            direction.embed.standardise[m].fit(self.reduce(m, rows))  # type: ignore[union-attr, index]

    def fit_anchor(self, draws: Sequence[Videos], penalty: float) -> None:
        """Ridge regression of the sign, times ANCHOR, on the components of several exchanges of the same videos."""
        rows, signs = [], []
        for videos in draws:
            reduced = {m: self.reduce(m, torch.from_numpy(videos.values[m])) for m in self.modalities}
            told = torch.from_numpy(videos.told)
            rows.append(self.columns(reduced, torch.from_numpy(videos.presence()))[told].double())
            signs.append(torch.where(torch.from_numpy(videos.score)[told] >= 0, ANCHOR, -ANCHOR).double())
        x, y = torch.cat(rows), torch.cat(signs)
        shrink = penalty / 100 * len(x) * torch.eye(x.shape[1], dtype=torch.double)
        shrink[-1, -1] = 0
        self.get_buffer("anchor").copy_(torch.linalg.solve(x.T @ x + shrink, x.T @ y))


def read_settings(path: Path, **changes: Any) -> MosiSettings:
    """Read a TOML config; `changes` replace its keys.

    Raises TypeError for a key that no setting has, ValueError for a network that cannot be made.
    """
    table = {**tomllib.loads(path.read_text(encoding="utf-8")), **changes}
    table["modalities"] = tuple(table.get("modalities", PUBLISHED))
    settings = MosiSettings(**table)
    check_network(settings.network)
    return settings


def build(settings: MosiSettings, videos: Videos, seed: int) -> Reader:
    """A fresh network with the components and the standardisation of the training videos."""
    torch.manual_seed(seed)
    reader = Reader(settings, videos.widths)
    for m in settings.modalities:
        reader.fit(m, torch.from_numpy(videos.values[m][videos.told]))
    return reader


def digest_of(settings: MosiSettings, videos: Videos, count: int) -> str:
    """Names what a row's runs are made of: settings, folds, and the features and scores of its own modalities."""
    digest = hashlib.sha256(f"{settings} {count} {videos.names}".encode())
    for array in (*videos.only(settings.modalities).values.values(), videos.told, videos.score, videos.row):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def train(settings: MosiSettings, videos: Videos, seed: int) -> Reader:
    """Train on these videos; the same settings, videos and seed give the same network."""
    videos = videos.only(settings.modalities)
    network = build(settings, videos, seed)
    rng = np.random.default_rng(seed)
    if settings.anchor > 0:
        draws = [replace(videos, values=exchange(videos, rng, settings.expected)) for _ in range(4)]
        network.fit_anchor(draws, settings.anchor)
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.epochs * settings.batches, pct_start=0.2
    )
    for _ in range(settings.epochs):
        mixed = replace(videos, values=exchange(videos, rng, settings.expected))
        for picked in batches(videos, settings.batches, rng):
            batch = mixed.take(picked).trimmed()
            presence = drop_modalities(batch.presence(), settings.modality_dropout, rng)
            loss = loss_of(scores(network, batch.values, presence), batch, settings.binary_weight)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return network.eval()


def batches(videos: Videos, count: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Videos in groups of about the same length, in random order."""
    length = videos.told.sum(1) * rng.uniform(0.8, 1.25, len(videos))
    groups = np.array_split(np.argsort(length), count)
    return [groups[i] for i in rng.permutation(len(groups)) if len(groups[i])]


def drop_modalities(presence: Float, chance: float, rng: np.random.Generator) -> Float:
    """Presence [V, L, M] without some modalities, but never without all."""
    kept = rng.random(presence.shape) >= chance
    kept[~kept.any(-1)] = True
    return (presence * kept).astype(np.float32)


def scores(network: nn.Module, values: dict[str, Float], presence: Float) -> Tensor:
    """Scores [V, L] of every utterance."""
    ticks: Tensor = network(
        {m: torch.from_numpy(v) for m, v in values.items()}, torch.from_numpy(presence)
    ).ticks
    return ticks


def loss_of(ticks: Tensor, videos: Videos, binary_weight: float) -> Tensor:
    """Mean absolute error of the scores, plus the two-class loss, over utterances."""
    told = torch.from_numpy(videos.told)
    target = torch.from_numpy(videos.score)[told]
    found = ticks[told]
    binary = F.binary_cross_entropy_with_logits(SHARPNESS * found, (target >= 0).float())
    return (found - target).abs().mean() + binary_weight * binary


def predict(network: Reader, videos: Videos, values: dict[str, Float] | None = None) -> Float:
    """Scores [V, L] in -3..3, 0 in the padding; from other values than the videos' own where given."""
    network.eval()
    own = videos.only(network.modalities)
    with torch.inference_mode():
        found = scores(network, values or own.values, own.presence()).numpy()
    return np.where(videos.told, found.clip(-3, 3), 0).astype(np.float32)


def two_class_accuracy(predicted: Float, videos: Videos) -> float:
    """Share of the utterances put right: score >= 0 or not, neutral ones counting as not negative."""
    told = videos.told
    return float(np.mean((predicted[told] >= 0) == (videos.score[told] >= 0)))
