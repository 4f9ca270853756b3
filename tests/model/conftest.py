from __future__ import annotations

import numpy as np
import pytest
import torch

from model.coupled.config import CoupledMambaConfig
from model.coupled.network import CoupledMamba
from model.data.pool import Pool, pool_of

WIDTHS = {"text": 6, "audio": 5, "visual": 4}


def small_config(**changes: object) -> CoupledMambaConfig:
    sizes = {"d_model": 16, "d_state": 4, "layers": 2, "dropout": 0.0}
    features = {"modalities": tuple(WIDTHS), "widths": tuple(WIDTHS.values())}
    return CoupledMambaConfig(**{**features, **sizes, **changes})


@pytest.fixture
def network() -> CoupledMamba:
    torch.manual_seed(0)
    return CoupledMamba(small_config()).eval()


def made(**changes: object) -> CoupledMamba:
    """A small network whose head is not near indifference, where it starts and a wrong pooling would not show."""
    torch.manual_seed(0)
    network = CoupledMamba(small_config(**changes)).eval()
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if name.startswith("head."):
                tensor.add_(0.5 * torch.randn(tensor.shape))
    return network


def random_clip(length: int, batch: int = 2, seed: int = 0) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = {m: torch.randn(batch, length, w, generator=generator) for m, w in WIDTHS.items()}
    return values, (torch.rand(batch, length, 3, generator=generator) > 0.2).float()


def signed_pool(modality: str, speakers: int = 3, seed: int = 0) -> Pool:
    """Utterances whose first feature is their score: what a working network has to find."""
    rng = np.random.default_rng(seed)
    scores = np.repeat([-2.0, -1.0, 0.0, 2.0], 5 * speakers)
    rows = []
    for score in scores:
        r = 0.3 * rng.standard_normal(
            (1 if modality == "visual" else int(rng.integers(4, 9)), WIDTHS[modality])
        )
        r[:, 0] += score
        rows.append(r.astype(np.float32))
    return pool_of(
        rows,
        [np.ones(len(r), np.float32) for r in rows],
        list(scores),
        [f"s{i % speakers}" for i in range(len(scores))],
        ["made"] * len(scores),
        [str(s) for s in scores],
    )


@pytest.fixture
def pools() -> dict[str, Pool]:
    return {m: signed_pool(m, seed=i) for i, m in enumerate(WIDTHS)}


@pytest.fixture
def fewer_streams(monkeypatch):
    """A few streams for each figure of theirs, where the packaged network is read on 128."""
    from model.evaluation import figures

    for name in ("on_streams", "coverage"):
        whole = getattr(figures, name)
        monkeypatch.setattr(figures, name, lambda *given, whole=whole: whole(*given, count=3))
