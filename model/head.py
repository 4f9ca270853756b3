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

from model.config import CoupledMambaConfig
from model.layers import ModalityLinear, ModalityNorm

HIDDEN = 64  # the released code's head is 128-64-1
SCALE = 3.0


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

    A chain m says a_m with precision p_m; with a prior of precision 1 at neutral, the score is
    sum p_m a_m / (1 + sum p_m), as the mean of a product of Gaussians. A chain whose modality was not observed yet
    has no say. The scale is what the chains expect of their own error, and grows with their disagreement
    sum w_m (a_m - score)^2, w_m = p_m / (1 + sum p_m), by a learnt factor.
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
        say = bounded(say)
        evidence = precision.exp() * heard
        weight = evidence / (1 + evidence.sum(-1, keepdim=True))
        score = (weight * say).sum(-1)
        # The scale learns from the opinions and must not bend them.
        weight, say = weight.detach(), say.detach()
        apart = (weight * (say - score.detach()[..., None]) ** 2).sum(-1)
        own = (weight * (2 * scale).exp()).sum(-1)
        prior = (1 - weight.sum(-1)) * (2 * self.prior_scale[which]).exp()
        return score, (own + prior + F.softplus(self.conflict[which]) * apart + 1e-4).sqrt()


def bounded(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """To -3..3, close to the identity in the middle."""
    return SCALE * torch.tanh(x / SCALE)
