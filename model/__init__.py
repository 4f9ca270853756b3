"""Coupled Mamba: the network and what it is compared with, prediction, training, evaluation and the packaged weights.

A room each (CONTRIBUTING.md); the commands stand beside them. The names below load torch only when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "CoupledMamba": "coupled.network",
    "CoupledMambaConfig": "coupled.config",
    "Alone": "inference.prediction",
    "Counterfactual": "inference.counterfactual",
    "Explanation": "coupled.explain",
    "HalfLives": "coupled.timescales",
    "Stream": "coupled.streaming",
    "build_network": "fusion.baselines",
    "counterfactual": "inference.counterfactual",
    "couplings": "coupled.timescales",
    "explain_last_layer": "coupled.explain",
    "half_lives": "coupled.timescales",
    "load_network": "fusion.baselines",
    "Dynamics": "inference.prediction",
    "Interval": "inference.prediction",
    "Prediction": "inference.prediction",
    "Split": "coupled.split",
    "load_default": "inference.loading",
    "load_independent": "inference.loading",
    "predict": "inference.prediction",
    "split_score": "coupled.split",
    "split_lines": "coupled.split",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'model' has no attribute {name!r}")
    return getattr(importlib.import_module(f"model.{_HOMES[name]}"), name)
