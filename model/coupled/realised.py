"""The network as it acted on one clip: every factor held at the value it took, so that scores are affine in the tokens.

A Mamba layer only multiplies what flows through it by factors that it makes from the same flow: Delta, B, C and with
them S, the gate silu(z), the sigmoid in silu(x) = x sigmoid(x), the deviation that a norm divides by; and in the head
the weights of the opinions, the attention of the pooling over time, and tanh's share 3 tanh(s / 3) / s. Held at what
they were, they leave an affine map from the tokens [B, L, M, D] that the first layer is given to every score:
    score = constants + sum_{m, s} <G_s^m, x_s^m>
and at the tokens that were really there it is the network's own score. Frozen gates and scales: Ali et al. 2024
(arXiv 2403.01590) for Mamba's attention; Jafari et al., MambaLRP, NeurIPS 2024 (arXiv 2406.07592), who show that the
factors must be held for contributions to be conserved. There half of a gated product goes to each of its branches;
here all goes to what was gated, and the gate counts as a factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kernels import coupled_scan
from model.coupled.head import Opinions
from model.coupled.inputs import check_eval
from model.coupled.layers import CoupledLayer, Memory, ModalityLinear, ModalityNorm, coupled_layers

if TYPE_CHECKING:
    from model.coupled.explain import Values
    from model.coupled.head import Head
    from model.coupled.network import CoupledMamba
    from model.coupled.stretches import Carried

EPS = 1e-5  # of F.layer_norm
Map = Callable[[Tensor], Tensor]


class Realised:
    """A batch of clips as the network reads it, one layer after another.

    `x` [B, L, M, D] is the stream, at first the tokens. `advance` moves it through the next layer and gives the layer's
    map with its factors held; `head` gives the maps to the scores. A map applied to the stream it was made from gives
    what the network gives; on any other stream it is affine. Raises ValueError as the forward does, for a network in
    training mode and for one without coupled states.
    """

    @torch.no_grad()
    def __init__(
        self,
        network: CoupledMamba,
        values: Values,
        presence: Float[Tensor, "B L M"],
        carried: Carried | None = None,
    ) -> None:
        check_eval(network)
        self.layers, self._head = coupled_layers(network.layers), network.head
        self.carried = carried
        self.x, self.mask = network.encode(values, presence, 0)
        self.nothing = network.embed.absent.detach().expand_as(self.x)
        """The tokens had nothing been observed."""

    @torch.no_grad()
    def advance(self) -> Iterator[Map]:
        """Through every layer; a caller that keeps none of the maps needs the memory of one."""
        memories = self.carried.memories if self.carried else [None] * len(self.layers)
        for layer, memory in zip(self.layers, memories, strict=True):
            held = _layer(layer, self.x, self.mask, memory)
            yield held
            self.x = held(self.x)

    @torch.no_grad()
    def head(self) -> tuple[Map, Map]:
        """From what the last layer gave: to the score of every tick [B, L], and to the clip's [B]."""
        norm = _norm(self._head.norm, self.x)
        heard = self.mask.cumsum(1) > 0
        if self.carried:
            heard = heard | self.carried.heard[:, None]
        ticks, clip = _scores(self._head, norm(self.x), self.mask, heard)
        return lambda x: ticks(norm(x)), lambda x: clip(norm(x))


def _norm(norm: ModalityNorm, x: Tensor) -> Map:
    """(x - its mean) / the deviation that was, then gain and bias."""
    scale = norm.weight * torch.rsqrt(x.var(-1, correction=0, keepdim=True) + EPS)
    return lambda x: (x - x.mean(-1, keepdim=True)) * scale + norm.bias


def _layer(
    layer: CoupledLayer, x: Float[Tensor, "B L M D"], mask: Bool[Tensor, "B L M"], memory: Memory | None
) -> Map:
    """x + out(scan(conv(u) * sigmoid that was) * gate that was), with the S, B and C that were.

    The window and the states in `memory` go in as they were, whatever x: they add to the constants.
    """
    norm = _norm(layer.norm, x)
    u, z = layer.into(norm(x)).chunk(2, dim=-1)
    window, state = memory or (None, None)
    before = layer.conv(u, window)
    open_ = before.sigmoid()
    given = layer.select_from(before * open_, z)
    held = {name: value.detach() for name, value in given._asdict().items() if name != "u"}
    to_u = _only(layer.into, slice(0, u.shape[-1]))

    def act(x: Tensor) -> Tensor:
        given = layer.conv(to_u(norm(x)), window) * open_
        y = coupled_scan(u=given, **held, delta_softplus=True, mask=mask, initial_state=state)
        return x + layer.out(y)

    return act


def _scores(
    head: Head, x: Float[Tensor, "B L M D"], mask: Bool[Tensor, "B L M"], heard: Bool[Tensor, "B L M"]
) -> tuple[Map, Map]:
    """The score of every tick, and of the clip, from the normalised chains; `heard` is what was observed by a tick."""
    reach = head.attend(x).squeeze(-1).masked_fill(~mask, -1e4).softmax(1)

    def pool(x: Tensor) -> Tensor:
        return torch.einsum("blm,blmd->bmd", reach, x)

    ticks = _opinions(head, head.tick, x, heard)
    clip = _opinions(head, head.clip, pool(x), mask.any(1))
    return ticks, lambda x: clip(pool(x))


def _opinions(
    head: Head, opinions: Opinions, x: Float[Tensor, "*shape M D"], heard: Bool[Tensor, "*shape M"]
) -> Map:
    """The weighted sum of the chains' opinions, by the weights and the bends that were."""
    open_ = opinions.hide(x).sigmoid()
    say, precision, _ = opinions(x)
    weight = head.weigh(precision, heard)
    total = (weight * head.lean(say)).sum(-1, keepdim=True)
    factor = weight * _factor(head.lean, say) * _factor(head.bend, total)
    tell = _only(opinions.tell, slice(0, 1))
    return lambda x: (factor * tell(opinions.hide(x) * open_).squeeze(-1)).sum(-1)


def _factor(bend: Map, x: Tensor) -> Tensor:
    """bend(x) / x; its limit 1 where x is 0."""
    return torch.where(x.abs() < 1e-4, 1.0, bend(x) / x)


def _only(linear: ModalityLinear, rows: slice) -> Map:
    """Some of a map's outputs, without the others' cost."""
    assert linear.bias is not None
    weight, bias = linear.weight[:, rows], linear.bias[:, rows]
    return lambda x: torch.einsum("...mi,moi->...mo", x, weight) + bias
