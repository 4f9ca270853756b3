"""What a network says of a clip without a modality: not observed, or held at what is usual. Any fusion, all layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from model.coupled.inputs import check_eval

if TYPE_CHECKING:
    from model.coupled.explain import Values
    from model.coupled.network import Output
    from model.fusion.baselines import Network

ALWAYS = slice(None)


@dataclass(frozen=True)
class Counterfactual:
    """Three answers of the network to one clip."""

    whole: Output
    removed: Output
    """The modalities masked, as if they had not been observed."""
    neutral: Output
    """The modalities present, but held at their training mean."""


@torch.no_grad()
def counterfactual(
    network: Network,
    values: Values,
    presence: Float[Tensor, "B L M"],
    without: str | Sequence[str],
    during: slice = ALWAYS,
) -> Counterfactual:
    """What the network says of the whole, with one or several modalities removed, and with them held at neutral.

    Held at neutral is another question than removed: the modality is still there and says what is usual. `during`
    are the ticks at which it is so, all by default: a word or a look at one moment can be taken away. Goes through
    all layers and any fusion. Raises ValueError for an unknown modality, with its name, and for a network in training
    mode.
    """
    check_eval(network)
    names = list(network.config.modalities)
    without = [without] if isinstance(without, str) else without
    if unknown := [m for m in without if m not in names]:
        raise ValueError(f"no modality is called {', '.join(unknown)}: choose from {', '.join(names)}")
    fewer, neutral = presence.clone(), dict(values)
    for m in without:
        fewer[:, during, names.index(m)] = 0
        neutral[m] = values[m].clone()
        neutral[m][:, during] = network.embed.standardise[m].get_buffer("mean")
    answers = network(values, presence), network(values, fewer), network(neutral, presence)
    return Counterfactual(*answers)
