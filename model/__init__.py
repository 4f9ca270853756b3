"""Coupled Mamba: config, coupled layer, network, training, evaluation and the packaged weights.

The names below load torch only when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "CoupledMamba": "network",
    "CoupledMambaConfig": "config",
    "Alone": "inference",
    "Counterfactual": "explain",
    "Explanation": "explain",
    "HalfLives": "timescales",
    "Stream": "streaming",
    "build_network": "baselines",
    "counterfactual": "explain",
    "couplings": "timescales",
    "half_lives": "timescales",
    "load_network": "baselines",
    "Dynamics": "inference",
    "Interval": "inference",
    "Prediction": "inference",
    "Split": "split",
    "load_default": "inference",
    "load_independent": "inference",
    "predict": "inference",
    "split_score": "split",
    "split_lines": "split",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'model' has no attribute {name!r}")
    return getattr(importlib.import_module(f"model.{_HOMES[name]}"), name)
