"""How long a network remembers: the half-lives of the realised states, and the couplings that tie them.

S_t = exp(Delta_t A) depends on the input, so a half-life is that of one clip. A state's rate is the mean over all
ticks of the clip of Delta_t a, with Delta_t = 0 where the modality was not observed: an absent tick forgets nothing.
Its half-life is ln 2 / rate ticks, times config.step seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from model.coupled.layers import Selection, coupled_layers
from model.coupled.stretches import read_stretches

if TYPE_CHECKING:
    from model.coupled.network import CoupledMamba


@dataclass(frozen=True)
class HalfLives:
    """Of one layer, in seconds; inf where nothing is forgotten (or, under the literal sum, where states grow)."""

    median: Float[Tensor, "B M"]
    """Of each chain on its own: the median over its E * N states."""
    weighted: Float[Tensor, "B M"]
    """The same median with each state weighing what it holds of the chain's reading: the area under its response to
    one tick's injection, |Delta u| |B C| / rate. Half of what is read of memory is in states that last longer."""
    coupled: Float[Tensor, " B"]
    """Of the coupled system: a channel's states of all chains decay together, at last by the greatest eigenvalue of
    diag(exp(-rate)) W a tick, S frozen at its geometric mean. The median over channels and states, weighted as above
    with the weights of all chains."""


@torch.no_grad()
def half_lives(
    network: CoupledMamba, values: Mapping[str, Float[Tensor, "B L width"]], presence: Float[Tensor, "B L M"]
) -> list[HalfLives]:
    """The half-lives of every layer on a clip of at least one tick; arguments and errors as in `read_stretches`."""
    sums: list[_Sums] = []
    for read in read_stretches(network, values, presence):
        parts = [_sums(given, given.step_sizes(read.mask)) for given in read.given]
        sums = [_Sums(*map(torch.add, *two)) for two in zip(sums, parts, strict=True)] if sums else parts
        layers = read.given
    means = (_Sums(*(total / presence.shape[1] for total in part)) for part in sums)
    return [_of_layer(given, mean, network.config.step) for given, mean in zip(layers, means, strict=True)]


@torch.no_grad()
def couplings(network: CoupledMamba) -> Float[Tensor, "layers M M"]:
    """W of every layer, row = target, column = source."""
    return torch.stack([layer.coupling(layer.log_a) for layer in coupled_layers(network.layers)])


class _Sums(NamedTuple):
    """Over the ticks, of what one layer's scan was given: Delta and |Delta u| [B, M, E], |B C| [B, M, N]."""

    delta: Tensor
    injected: Tensor
    read: Tensor


def _sums(given: Selection, delta: Float[Tensor, "B l M E"]) -> _Sums:
    # Float64, because rates of 1e-9 a tick and eigenvalues within 1e-9 of 1 are told apart here.
    delta = delta.double()
    return _Sums(delta.sum(1), (delta * given.u).abs().sum(1), (given.B * given.C).abs().double().sum(1))


def _of_layer(given: Selection, mean: _Sums, step: float) -> HalfLives:
    rate = mean.delta[..., None] * -given.A.double()
    force = mean.injected[..., None]
    held = force * mean.read[:, :, None] / rate.clamp_min(1e-300)
    own, weight = (math.log(2) / rate * step).flatten(2), held.flatten(2)
    system = torch.exp(-rate).permute(0, 2, 3, 1)[..., None] * given.coupling.double()
    slowest = -torch.linalg.eigvals(system).abs().amax(-1).log()
    together = torch.where(slowest > 1e-12, math.log(2) / slowest * step, math.inf)
    return HalfLives(
        weighted_median(own, torch.ones_like(own)).float(),
        weighted_median(own, weight).float(),
        weighted_median(together.flatten(1), held.sum(1).flatten(1)).float(),
    )


def weighted_median(
    values: Float[Tensor, "*shape n"], weights: Float[Tensor, "*shape n"]
) -> Float[Tensor, "*shape"]:
    """The least value at which half of the weight is reached; the greatest where all weights are 0."""
    values, order = values.sort(-1)
    reached = weights.gather(-1, order).cumsum(-1)
    first = (reached < reached[..., -1:] / 2).sum(-1, keepdim=True)
    first = torch.where(reached[..., -1:] > 0, first, values.shape[-1] - 1)
    return values.gather(-1, first).squeeze(-1)
