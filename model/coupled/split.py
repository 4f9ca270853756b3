"""What a score is made of, through all layers: points brought in by each modality at each tick.

Exact: contributions and the constant sum to the score, to rounding, since with its factors held
(`model.coupled.realised`) the network is affine in its tokens, and one vector-Jacobian product splits an affine map's
value among them. A token counts by what it differs from the one learnt for "not observed": what was not observed brings
nothing, and the constant is what the network, as it acted, would say of tokens that were all unobserved: its biases.
The prior of the head stands at neutral, so it adds no points; it changes the weight of all others.

Not exact, and no mathematics makes it so: that a contribution is what would be missing without its token. The factors
were made from the same tokens, and without one of them the gates, step sizes and weights were others. What is said
then is the counterfactual (`model.inference.counterfactual`), for which the network runs anew; how far the two agree is
measured by deletion (`python -m model.deletion`, model/RESULTS.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from model.coupled.explain import signed_shares, up_to
from model.coupled.realised import Realised

if TYPE_CHECKING:
    from model.coupled.explain import Values
    from model.coupled.network import CoupledMamba
    from model.coupled.stretches import Carried


@dataclass(frozen=True)
class Split:
    """One score in points: constant + sources.sum((1, 2)). T ticks, up to the moment or all of the clip."""

    score: Float[Tensor, " B"]
    sources: Float[Tensor, "B M T"]
    """Brought in by modality m at tick s. Signed; 0 where it was not observed."""
    constant: Float[Tensor, " B"]
    """What the biases alone would say, with what was carried in from before the window, where it is one."""

    @property
    def shares(self) -> Float[Tensor, "B M T"]:
        """`sources` as signed shares that sum to 1 over modalities and ticks; 0 where the sum is 0."""
        return signed_shares(self.sources)


@dataclass(frozen=True)
class SplitLines:
    """Every score by modality, all earlier ticks together: constant + parts.sum(1) is the score, to rounding."""

    ticks: Float[Tensor, "B L"]
    parts: Float[Tensor, "B M L"]
    constant: Float[Tensor, "B L"]
    clip: Float[Tensor, " B"]
    clip_parts: Float[Tensor, "B M"]
    clip_constant: Float[Tensor, " B"]


def split_score(
    network: CoupledMamba,
    values: Values,
    presence: Float[Tensor, "B L M"],
    at: int | None = None,
    carried: Carried | None = None,
) -> Split:
    """Split the score at tick `at`, or with None that of the clip, by source modality and source tick.

    With `carried` (`model.coupled.stretches.carry`) the ticks are a window of a longer clip, and `at` one of the
    window's: its score is then the longer clip's at that tick. values and presence are those of the network's forward;
    `at` counts from 0, from the end where negative. Costs about five forward passes over the ticks up to `at`. Raises
    ValueError for a network in training mode, without coupled states or for a clip's score of a window, IndexError for
    a tick outside of the clip.
    """
    return split_scores(network, values, presence, [at], carried)[0]


@torch.no_grad()
def split_scores(
    network: CoupledMamba,
    values: Values,
    presence: Float[Tensor, "B L M"],
    moments: Sequence[int | None],
    carried: Carried | None = None,
) -> list[Split]:
    """The same of several moments of one clip: one forward pass for all, and one backward pass each.

    Each Split has the T = at + 1 ticks up to its moment; of no moments there are none. Errors as in `split_score`.
    """
    if carried is not None and None in moments:
        raise ValueError(
            "a window has no clip's score: give the tick `at`, or the whole clip without `carried`"
        )
    if not moments:
        return []
    ends = [up_to(network, {}, presence, at)[2] for at in moments]
    length = max(presence.shape[1] if at is None else at + 1 for at in ends)
    realised = Realised(network, {m: v[:, :length] for m, v in values.items()}, presence[:, :length], carried)
    tokens, nothing = realised.x.detach().requires_grad_(), realised.nothing
    brought = realised.x - nothing
    x, bare = tokens, nothing
    for held in realised.advance():
        bare = held(bare)
        with torch.enable_grad():
            x = held(x)
    to_ticks, to_clip = realised.head()
    found = []
    for at in ends:
        with torch.enable_grad():
            score = to_clip(x) if at is None else to_ticks(x)[:, at]
            (gradient,) = torch.autograd.grad(score.sum(), tokens, retain_graph=True)
        constant = to_clip(bare) if at is None else to_ticks(bare)[:, at]
        sources = (gradient * brought).sum(-1).mT
        found.append(Split(score.detach(), sources if at is None else sources[..., : at + 1], constant))
    return found


@torch.no_grad()
def split_lines(network: CoupledMamba, values: Values, presence: Float[Tensor, "B L M"]) -> SplitLines:
    """Split every tick's score, and the clip's, by modality alone: no backward pass, and the memory of one layer.

    Each modality's tokens go through the held network without the others'. Errors as in `split_score`.
    """
    realised = Realised(network, values, presence)
    nothing, start = realised.nothing, realised.x
    streams = [nothing]
    for m in range(start.shape[2]):
        alone = nothing.clone()
        alone[:, :, m] = start[:, :, m]
        streams.append(alone)
    for held in realised.advance():
        streams = [held(x) for x in streams]
    to_ticks, to_clip = realised.head()
    constant, *ticks = (to_ticks(x) for x in streams)
    clip_constant, *clips = (to_clip(x) for x in streams)
    return SplitLines(
        to_ticks(realised.x),
        torch.stack(ticks, 1) - constant[:, None],
        constant,
        to_clip(realised.x),
        torch.stack(clips, 1) - clip_constant[:, None],
        clip_constant,
    )
