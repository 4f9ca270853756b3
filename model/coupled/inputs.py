"""What a network is given, held against what it takes: errors with the value seen and the remedy."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from model.coupled.config import CoupledMambaConfig


def check_inputs(
    config: CoupledMambaConfig,
    values: Mapping[str, Tensor],
    presence: Tensor,
    lead: tuple[int, ...] | None = None,
) -> None:
    """Raise ValueError where no tick is given, or a modality is missing or has another width or length.

    TypeError where presence is no tensor, or values no mapping to tensors: one clip's arrays are for `model.predict`.
    `lead` is the shape before the last axis: (B,) or () of one tick that a stream is fed, None for B, L of whole clips,
    which are as many as presence has.
    """
    axes = "B, L, " if lead is None else "B, " * len(lead)
    predict = ", or give one clip's arrays by name to model.predict" if lead is None else ""
    check_kinds(values, presence, axes, predict)
    given = tuple(presence.shape)
    expected = (*(given[:2] if lead is None else lead), len(config.widths))
    if given != expected:
        wanted = f"with M = {expected[-1]}" if lead is None else f"of shape {expected}"
        raise ValueError(
            f"expected presence [{axes}M] {wanted} for {', '.join(config.modalities)}, got {given}"
        )
    if lead is None and not given[1]:
        raise ValueError(f"expected at least one tick, got presence of shape {given}")
    for name, width in config.features.items():
        if name not in values:
            raise ValueError(f"values lacks {name!r}: give zeros with presence 0 where it was not observed")
        check_rows(name, values[name], (*expected[:-1], width), predict)


def check_kinds(values: object, presence: object, axes: str, predict: str) -> None:
    """Raise TypeError where presence is no tensor or values no mapping; the rest is what the error says of them."""
    if not isinstance(presence, Tensor):
        raise TypeError(
            f"expected presence as one tensor [{axes}M], got {type(presence).__name__}: stack the modalities in the "
            f"order of config.modalities{predict}"
        )
    if not isinstance(values, Mapping):
        raise TypeError(
            f"expected values by name, one tensor [{axes}width] a modality, got {type(values).__name__}"
        )


def check_rows(name: str, rows: object, shape: tuple[int, ...], predict: str) -> None:
    """Raise TypeError where one modality's values are no tensor, and ValueError where they have another shape."""
    if not isinstance(rows, Tensor):
        raise TypeError(
            f"expected values[{name!r}] as a tensor, got {type(rows).__name__}: use torch.as_tensor{predict}"
        )
    if tuple(rows.shape) != shape:
        raise ValueError(f"expected values[{name!r}] of shape {shape}, got {tuple(rows.shape)}")


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
