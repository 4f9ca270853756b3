"""From the chains of the last layer to scores: every chain has an opinion, and how sure it is.

On entry: x [B, L, M, D] and mask [B, L, M], True where the modality was observed. On exit: a score from -3 to 3
for every tick, from it and those before it alone, and for the clip, each with the scale of its error.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from model.coupled.config import CoupledMambaConfig
from model.coupled.layers import ModalityLinear, ModalityNorm
from model.measures.intervals import LIMIT

HIDDEN = 64  # the released code's head is 128-64-1


class Scores(NamedTuple):
    """What the head says: ticks [B, L] and clip [B] in -3..3, each with its scale above 0."""

    ticks: Tensor
    tick_scale: Tensor
    clip: Tensor
    clip_scale: Tensor


class Opinions(nn.Module):
    """Each chain's opinion from its own stream: x [..., M, D] -> score, log precision and log scale, each [..., M]."""

    def __init__(self, modalities: int, width: int, dropout: float) -> None:
        super().__init__()
        self.hide = ModalityLinear(modalities, width, HIDDEN)
        self.tell = ModalityLinear(modalities, HIDDEN, 3)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "*shape M D"]) -> tuple[Tensor, Tensor, Tensor]:
        """Scores before bounding, log precisions, log scales."""
        score, precision, scale = self.tell(self.dropout(F.silu(self.hide(x)))).unbind(-1)
        return score, precision.clamp(-6, 6), scale.clamp(-4, 2)


class Head(nn.Module):
    """Opinions of the chains, weighed by their precisions: x [B, L, M, D] -> scores and scales.

    What chain m shows has precision p_m, the prior at neutral precision 1, and the score is the mean of their product,
    all taken as Gaussians; what an opinion is, the subclasses say. A chain whose modality was not observed yet has no
    say. The scale is what the chains expect of their own error, and grows with their disagreement, the weighted mean
    of (a_m - score)^2, by a learnt factor.
    """

    def __init__(self, config: CoupledMambaConfig) -> None:
        super().__init__()
        m, d = len(config.widths), config.d_model
        self.norm = ModalityNorm(m, d)
        self.tick = Opinions(m, d, config.dropout)
        self.clip = Opinions(m, d, config.dropout)
        self.attend = ModalityLinear(m, d, 1)
        self.conflict = nn.Parameter(torch.zeros(2))
        self.prior_scale = nn.Parameter(torch.zeros(2))

    def forward(self, x: Float[Tensor, "B L M D"], mask: Bool[Tensor, "B L M"]) -> Scores:
        """Every tick from its chains, and the clip from each chain's observed ticks pooled by attention."""
        x = self.norm(x)
        ticks = self.combine(self.tick(x), mask.cumsum(1) > 0, 0)
        seen = mask.any(1)
        reach = self.attend(x).squeeze(-1).masked_fill(~mask, -1e4).softmax(1)
        pooled = torch.einsum("blm,blmd->bmd", reach, x)
        return Scores(*ticks, *self.combine(self.clip(pooled), seen, 1))

    def combine(
        self, opinions: tuple[Tensor, Tensor, Tensor], heard: Bool[Tensor, "*shape M"], which: int
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """Score in -3..3 and scale above 0; `which` is 0 for ticks, 1 for clips."""
        say, precision, scale = opinions
        weight = self.weigh(precision, heard)
        score = self.bend((weight * self.lean(say)).sum(-1))
        # The scale learns from the opinions and must not bend them.
        share, say = self.share(weight.detach()), bounded(say.detach())
        apart = (share * (say - score.detach()[..., None]) ** 2).sum(-1)
        own = (share * (2 * scale).exp()).sum(-1)
        prior = (1 - share.sum(-1)) * (2 * self.prior_scale[which]).exp()
        return score, (own + prior + F.softplus(self.conflict[which]) * apart + 1e-4).sqrt()

    def weigh(self, precision: Float[Tensor, "*shape M"], heard: Bool[Tensor, "*shape M"]) -> Tensor:
        """Each opinion's factor in the score [..., M]; 0 where nothing was heard of the modality."""
        raise NotImplementedError

    def share(self, weight: Float[Tensor, "*shape M"]) -> Tensor:
        """The weights of the chains in the scale [..., M]; what is missing to 1 is the prior's."""
        raise NotImplementedError

    def lean(self, say: Float[Tensor, "*shape M"]) -> Tensor:
        """Opinions as they are summed."""
        raise NotImplementedError

    def bend(self, total: Float[Tensor, "*shape"]) -> Tensor:
        """Their sum as it is told, in -3..3."""
        raise NotImplementedError


class Posteriors(Head):
    """An opinion a_m is what is said where m alone was heard, the prior counted in, so its precision is 1 + p_m.

    The product of several counts the prior once: s = sum (1 + p_m) a_m / (1 + sum p_m), told as 3 tanh(s / 3). Of one
    that is a_m whatever p_m: what a modality says by itself and how much it weighs beside others are learnt apart.
    """

    def weigh(self, precision: Float[Tensor, "*shape M"], heard: Bool[Tensor, "*shape M"]) -> Tensor:
        """(1 + p_m) / (1 + sum p_m) of those heard."""
        evidence = precision.exp() * heard
        return (heard + evidence) / (1 + evidence.sum(-1, keepdim=True))

    def share(self, weight: Float[Tensor, "*shape M"]) -> Tensor:
        """The same, so that they sum to 1: the prior is in each."""
        return weight / weight.sum(-1, keepdim=True).clamp_min(1)

    def lean(self, say: Float[Tensor, "*shape M"]) -> Tensor:
        """As they are: bounded is their sum."""
        return say

    def bend(self, total: Float[Tensor, "*shape"]) -> Tensor:
        """Bounded."""
        return bounded(total)


class Likelihoods(Head):
    """An opinion is what m shows, told as 3 tanh(a_m / 3); the score is sum p_m a_m / (1 + sum p_m).

    Of one modality that is a_m shrunk towards neutral by p_m / (1 + p_m).
    """

    def weigh(self, precision: Float[Tensor, "*shape M"], heard: Bool[Tensor, "*shape M"]) -> Tensor:
        """p_m / (1 + sum p_m) of those heard."""
        evidence = precision.exp() * heard
        return evidence / (1 + evidence.sum(-1, keepdim=True))

    def share(self, weight: Float[Tensor, "*shape M"]) -> Tensor:
        """The same: what is missing to 1 is the prior."""
        return weight

    def lean(self, say: Float[Tensor, "*shape M"]) -> Tensor:
        """Each bounded."""
        return bounded(say)

    def bend(self, total: Float[Tensor, "*shape"]) -> Tensor:
        """As it is: weights below 1 in all keep it in the range."""
        return total


HEADS: dict[str, type[Head]] = {"likelihood": Likelihoods, "posterior": Posteriors}


def build_head(config: CoupledMambaConfig) -> Head:
    """The head whose opinions are what config.opinions says."""
    return HEADS[config.opinions](config)


def bounded(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """To -3..3, close to the identity in the middle."""
    return LIMIT * torch.tanh(x / LIMIT)
