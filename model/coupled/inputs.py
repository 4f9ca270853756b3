"""What a network is given, held against what it takes: errors with the value seen and the remedy."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from model.coupled.config import CoupledMambaConfig


def check_inputs(config: CoupledMambaConfig, values: Mapping[str, Tensor], presence: Tensor) -> None:
    """Raise ValueError where no tick is given, or a modality is missing or has another width or length.

    TypeError where presence is no tensor, or values no mapping to tensors: one clip's arrays are for `model.predict`.
    """
    if not isinstance(presence, Tensor):
        raise TypeError(
            f"expected presence as one tensor [B, L, M], got {type(presence).__name__}: stack the modalities in the "
            "order of config.modalities, or give one clip's arrays by name to model.predict"
        )
    if not isinstance(values, Mapping):
        raise TypeError(
            f"expected values by name, one tensor [B, L, width] a modality, got {type(values).__name__}"
        )
    expected = (*presence.shape[:2], len(config.widths))
    if presence.ndim != 3 or tuple(presence.shape) != expected:
        raise ValueError(
            f"expected presence [B, L, M] with M = {len(config.widths)} for "
            f"{', '.join(config.modalities)}, got {tuple(presence.shape)}"
        )
    if not expected[1]:
        raise ValueError(f"expected at least one tick, got presence of shape {tuple(presence.shape)}")
    for name, width in config.features.items():
        if name not in values:
            raise ValueError(f"values lacks {name!r}: give zeros with presence 0 where it was not observed")
        if not isinstance(values[name], Tensor):
            raise TypeError(
                f"expected values[{name!r}] as a tensor, got {type(values[name]).__name__}: use torch.as_tensor, "
                "or give one clip's arrays to model.predict"
            )
        if tuple(values[name].shape) != (*expected[:2], width):
            raise ValueError(
                f"expected values[{name!r}] of shape {(*expected[:2], width)}, got {tuple(values[name].shape)}"
            )


def check_eval(network: nn.Module) -> None:
    """Raise ValueError for a network in training mode, whose answers are drawn anew at every asking."""
    if network.training:
        raise ValueError("the network is in training mode, where dropout acts: call network.eval() first")


def check_dtype(name: str, given: Tensor, own: Tensor) -> None:
    """Raise TypeError where features are more exact than the network's numbers, which no product with them takes.

    Less exact ones are widened by the standardisation. Autocast narrows what comes to a product, float64 aside.
    """
    found = torch.promote_types(given.dtype, own.dtype)
    narrowed = found != torch.float64 and torch.is_autocast_enabled(given.device.type)
    if found != own.dtype and not narrowed:
        raise TypeError(
            f"values[{name!r}] are {given.dtype} but the network's weights {own.dtype}: "
            f"give values[{name!r}].to({own.dtype})"
        )
