"""Reading a whole sequence both ways: two causal networks, one of them from the end, and the mean of their scores.

For settings in which the whole clip is known, as in published tables that read a video with a bidirectional network.
The shipped network stays causal.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from model.coupled.config import CoupledMambaConfig
from model.coupled.network import Output
from model.fusion.baselines import build_network


class Bidirectional(nn.Module):
    """Any network of model.fusion.baselines, forwards and backwards; of their interface it has the forward alone.

    Each direction is fitted to its features and saved by itself, and is a network that `model.predict` takes.
    """

    def __init__(self, config: CoupledMambaConfig) -> None:
        super().__init__()
        self.config = config
        self.forwards = build_network(config)
        self.backwards = build_network(config)

    @property
    def directions(self) -> tuple[nn.Module, nn.Module]:
        """Both networks."""
        return self.forwards, self.backwards

    def forward(
        self, values: Mapping[str, Float[Tensor, "B L width"]], presence: Float[Tensor, "B L M"]
    ) -> Output:
        """Scores of every tick and of the clip. Padding, where nothing is present, must be at the end."""
        turn = turned((presence > 0).any(-1))
        ahead = self.forwards(values, presence)
        back = self.backwards({m: take(v, turn) for m, v in values.items()}, take(presence, turn))
        return Output(
            (ahead.ticks + back.ticks.gather(1, turn)) / 2,
            (ahead.clip + back.clip) / 2,
            (ahead.tick_scale + back.tick_scale.gather(1, turn)) / 2,
            (ahead.clip_scale + back.clip_scale) / 2,
        )


def turned(observed: Bool[Tensor, "B L"]) -> Int[Tensor, "B L"]:
    """Places of each sequence from its last observed tick to its first, then its padding; its own inverse."""
    places = torch.arange(observed.shape[1], device=observed.device).expand(observed.shape)
    length = torch.where(observed, places + 1, 0).amax(1, keepdim=True)
    return torch.where(places < length, length - 1 - places, places)


def take(x: Float[Tensor, "B L D"], places: Int[Tensor, "B L"]) -> Float[Tensor, "B L D"]:
    """x[b, places[b, l]]."""
    return x.gather(1, places[..., None].expand(x.shape))


def make(config: CoupledMambaConfig, bidirectional: bool) -> nn.Module:
    """The network that config.fusion names, in one direction or both."""
    return Bidirectional(config) if bidirectional else build_network(config)


def single_directions(network: nn.Module) -> tuple[nn.Module, ...]:
    """The causal networks inside."""
    return network.directions if isinstance(network, Bidirectional) else (network,)
