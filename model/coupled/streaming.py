"""A network fed tick by tick, in memory that does not grow: for sound and picture as they come.

Each layer keeps its convolution's window and its states, the head a running sum of its pooling over time. Ticks and
clip agree with the whole pass of the same network to rounding (tested to 1e-4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from model.coupled.inputs import check_eval, check_inputs
from model.coupled.layers import coupled_layers

if TYPE_CHECKING:
    from model.coupled.head import Head
    from model.coupled.network import CoupledMamba

# What the head gives a tick that was not observed, before its softmax over time.
UNSEEN = -1e4


class Said(NamedTuple):
    """A score in -3..3 and the scale of its error, above 0; each [B], or without axes where the stream has none."""

    score: Tensor
    scale: Tensor


class Pooling:
    """The head's pooling over time, as the ticks come: what `Head.forward` says of the clip, in memory of one tick.

    `heard` [B, M] tells which modalities were observed so far.
    """

    def __init__(self, head: Head, batch: int) -> None:
        modalities, width = head.norm.weight.shape
        self.head = head
        # Softmax over time as it grows: the greatest logit so far, and sums relative to it. In float32 at least: to a
        # bfloat16 total of 256 nothing more can be added.
        self.own = head.norm.weight.dtype
        like = head.norm.weight.detach().to(torch.promote_types(self.own, torch.float32))
        self.greatest = like.new_full((batch, modalities), UNSEEN)
        self.total = like.new_zeros(batch, modalities)
        self.pooled = like.new_zeros(batch, modalities, width)
        self.heard = torch.zeros(batch, modalities, dtype=torch.bool, device=like.device)

    def add(self, x: Float[Tensor, "B L M D"], mask: Bool[Tensor, "B L M"]) -> None:
        """Take ticks, normalised by the head, and where they were observed."""
        logit = self.head.attend(x).squeeze(-1).to(self.total.dtype).masked_fill(~mask, UNSEEN)
        greatest = torch.maximum(self.greatest, logit.amax(1))
        kept, added = (self.greatest - greatest).exp(), (logit - greatest[:, None]).exp()
        self.total = kept * self.total + added.sum(1)
        self.pooled = kept[..., None] * self.pooled + torch.einsum("blm,blmd->bmd", added, x.to(added.dtype))
        self.greatest = greatest
        self.heard = self.heard | mask.any(1)

    def clip(self) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Score and scale of the clip so far."""
        pooled = (self.pooled / self.total[..., None]).to(self.own)
        return self.head.combine(self.head.clip(pooled), self.heard, 1)


class Stream:
    """One stream, or a batch of streams in step.

    Args:
        network: a CoupledMamba in eval mode, coupled or independent.
        batch: streams fed together, at least 1; None for one stream without a batch axis.

    Raises ValueError for a network in training mode, here as in `feed`, or of attention fusion, and for a batch
    below 1.
    """

    def __init__(self, network: CoupledMamba, batch: int | None = None) -> None:
        check_eval(network)
        if batch is not None and batch < 1:
            raise ValueError(
                f"batch must be at least 1, got {batch}: leave it out for one stream without a batch axis"
            )
        self.network, self.head = network, network.head
        self.lead = () if batch is None else (batch,)
        self.layers = coupled_layers(network.layers)
        rows = 1 if batch is None else batch
        self.memories = [layer.blank(rows) for layer in self.layers]
        self.ticks = 0
        self.pooling = Pooling(network.head, rows)

    @torch.no_grad()
    def feed(self, values: Mapping[str, Float[Tensor, "*B width"]], presence: Float[Tensor, "*B M"]) -> Said:
        """One tick of every modality in, the score at this tick out.

        values[m] is [width] and presence [M] in 0..1, with a leading B where the stream has a batch. Raises
        ValueError where a modality is missing or has another shape, and TypeError for what is no tensor or has another
        dtype than the weights.
        """
        check_eval(self.network)  # it may have gone on training since the stream began
        config = self.network.config
        check_inputs(config, values, presence, self.lead)
        batch = {m: torch.atleast_2d(values[m])[:, None] for m in config.modalities}
        mask = torch.atleast_2d(presence) > 0
        x = self.network.embed(batch, mask[:, None])[:, 0]
        for i, layer in enumerate(self.layers):
            x, self.memories[i] = layer.step(x, mask, self.memories[i])
        x = self.head.norm(x)
        self.ticks += 1
        self.pooling.add(x[:, None], mask[:, None])
        return self._said(self.head.combine(self.head.tick(x), self.pooling.heard, 0))

    @torch.no_grad()
    def clip(self) -> Said:
        """The score of all that was fed so far, as if the clip ended here. ValueError before the first tick."""
        if not self.ticks:
            raise ValueError("nothing was fed yet: feed at least one tick")
        return self._said(self.pooling.clip())

    def _said(self, pair: tuple[Tensor, Tensor]) -> Said:
        return Said(*(value.reshape(self.lead) for value in pair))
