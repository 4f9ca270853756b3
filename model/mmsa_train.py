"""Train and measure a network on one of MMSA's corpora, in the paper's setting.

The setting is a file of model/configs: Adam, L1 loss, the epoch of the lowest validation MAE (the paper does not say
which it keeps; MMSA keeps the best on validation data). The test split is read once, after that.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.bidirectional import make, single_directions
from model.config import CoupledMambaConfig
from model.mmsa import CORPORA, TICKS, Float, Utterances, read
from model.mmsa_metrics import MEASURES, Figures

SCALE = 3.0
"""The network's scores reach from -3 to 3; a corpus rated from -1 to 1 is stretched to that and back."""


@dataclass(frozen=True)
class MmsaSettings:
    """One run on one corpus; defaults are the paper's."""

    corpus: str = "mosei"
    aligned: bool = False
    ticks: int = TICKS
    repair: bool = False
    epochs: int = 150
    batch: int = 1024
    learning_rate: float = 5e-4
    weight_decay: float = 5e-4
    bidirectional: bool = False
    network: dict[str, Any] = field(default_factory=dict)


def read_settings(path: Path) -> MmsaSettings:
    """Read a TOML config. Raises TypeError for a key that no setting has."""
    return MmsaSettings(**tomllib.loads(path.read_text(encoding="utf-8")))


def read_corpus(settings: MmsaSettings, path: Path) -> dict[str, Utterances]:
    """The file in the form that the settings name."""
    return read(path, settings.corpus, settings.aligned, settings.ticks, settings.repair)


def build(settings: MmsaSettings, part: Utterances, seed: int) -> nn.Module:
    """A fresh network with the widths and the standardisation of the training split."""
    torch.manual_seed(seed)
    config = CoupledMambaConfig(tuple(part.widths), tuple(part.widths.values()), **settings.network)
    network = make(config, settings.bidirectional)
    for direction in single_directions(network):
        for i, (m, rows) in enumerate(part.values.items()):
            seen = torch.from_numpy(rows[part.presence[:, :, i] > 0])
            if len(seen) > 1:
                direction.embed.standardise[m].fit(seen)  # type: ignore[union-attr, index]
    return network


def train(settings: MmsaSettings, parts: Mapping[str, Utterances], seed: int) -> nn.Module:
    """Train on parts["train"]; the epoch of the lowest MAE on parts["valid"] is kept."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = build(settings, parts["train"], seed).to(device)
    limit = CORPORA[settings.corpus].limit
    optimiser = torch.optim.Adam(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    rng = np.random.default_rng(seed)
    lowest, best = np.inf, copy.deepcopy(network.state_dict())
    for _ in range(settings.epochs):
        network.train()
        for picked in groups(rng.permutation(len(parts["train"])), settings.batch):
            target = torch.from_numpy(parts["train"].score[picked]).to(device) * (SCALE / limit)
            loss = (clip_scores(network, parts["train"], picked) - target).abs().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        error = float(np.abs(predict(settings, network, parts["valid"]) - parts["valid"].score).mean())
        if error < lowest:
            lowest, best = error, copy.deepcopy(network.state_dict())
    network.load_state_dict(best)
    return network.eval()


def groups(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Batches of at most `size` rows."""
    yield from (order[i : i + size] for i in range(0, len(order), size))


def clip_scores(network: nn.Module, part: Utterances, picked: NDArray[np.int64]) -> Tensor:
    """Scores [n] of some utterances, -3..3."""
    device = next(network.parameters()).device
    values = {m: torch.from_numpy(v[picked]).to(device) for m, v in part.values.items()}
    clip: Tensor = network(values, torch.from_numpy(part.presence[picked]).to(device)).clip
    return clip


def predict(settings: MmsaSettings, network: nn.Module, part: Utterances) -> Float:
    """Scores [n] on the corpus's own scale."""
    network.eval()
    with torch.inference_mode():
        found = [clip_scores(network, part, p).cpu() for p in groups(np.arange(len(part)), settings.batch)]
    share = np.float32(CORPORA[settings.corpus].limit / SCALE)
    return (torch.cat(found).numpy() * share).astype(np.float32)


def measure(settings: MmsaSettings, network: nn.Module, part: Utterances) -> Figures:
    """MMSA's figures of the corpus."""
    return MEASURES[settings.corpus](predict(settings, network, part), part.score)
