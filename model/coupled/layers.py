"""The coupled layer: Mamba's block for each modality, and one matrix between their states.

On entry and on exit: x [B, L, M, D], M chains of L ticks, and mask [B, L, M], True where the modality was
observed. Every modality has weights of its own, kept in one tensor with a leading M so that one matrix product
serves all chains.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kernels import coupled_scan, coupled_step, coupled_trace
from model.coupled.config import CoupledMambaConfig

Trace = tuple[Float[Tensor, "B L M"], Float[Tensor, "B L M M"]]


class Selection(NamedTuple):
    """The arguments of one scan by the names of `kernels.coupled_scan`; L is left out for a single tick."""

    u: Float[Tensor, "B L M E"]
    delta: Float[Tensor, "B L M E"]
    A: Float[Tensor, "M E N"]
    B: Float[Tensor, "B L M N"]
    C: Float[Tensor, "B L M N"]
    coupling: Float[Tensor, "M M"]
    D: Float[Tensor, "M E"]
    z: Float[Tensor, "B L M E"]
    delta_bias: Float[Tensor, "M E"]

    def step_sizes(self, mask: Bool[Tensor, "B L M"]) -> Float[Tensor, "B L M E"]:
        """The delta that acts: softplus of delta and its bias, 0 where the modality was not observed."""
        return F.softplus(self.delta + self.delta_bias).masked_fill(~mask[..., None], 0.0)


class Memory(NamedTuple):
    """What a layer keeps between ticks: the convolution's last inputs and the states."""

    window: Float[Tensor, "B K M E"]
    state: Float[Tensor, "B M E N"]


class ModalityLinear(nn.Module):
    """A linear map for each modality: [..., M, inner] -> [..., M, outer]."""

    def __init__(self, modalities: int, inner: int, outer: int, bias: bool = True) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inner)
        self.weight = nn.Parameter(torch.empty(modalities, outer, inner).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(modalities, outer)) if bias else None

    def forward(self, x: Float[Tensor, "*shape M inner"]) -> Float[Tensor, "*shape M outer"]:
        """Apply modality m's map to x[..., m, :]."""
        y = torch.einsum("...mi,moi->...mo", x, self.weight)
        return y if self.bias is None else y + self.bias


class ModalityNorm(nn.Module):
    """Layer normalisation over the last axis with gain and bias for each modality."""

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(modalities, width))
        self.bias = nn.Parameter(torch.zeros(modalities, width))

    def forward(self, x: Float[Tensor, "B L M D"]) -> Float[Tensor, "B L M D"]:
        """Normalise each tick of each chain."""
        return F.layer_norm(x, x.shape[-1:]) * self.weight + self.bias


class CausalConv(nn.Module):
    """Depthwise convolution over the last `ticks` ticks of each channel of each chain."""

    def __init__(self, modalities: int, channels: int, ticks: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(ticks)
        self.weight = nn.Parameter(torch.empty(modalities * channels, 1, ticks).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(modalities * channels))

    def forward(
        self, u: Float[Tensor, "B L M E"], window: Float[Tensor, "B K M E"] | None = None
    ) -> Float[Tensor, "B L M E"]:
        """Convolve along L; tick t sees ticks t - ticks + 1 .. t, of which the K = ticks - 1 before u are `window`."""
        batch, length, modalities, channels = u.shape
        rows = (u if window is None else torch.cat([window, u], dim=1)).flatten(2).transpose(1, 2)
        if window is None:
            rows = F.pad(rows, (self.weight.shape[-1] - 1, 0))
        rows = F.conv1d(rows, self.weight, self.bias, groups=modalities * channels)
        return rows.transpose(1, 2).reshape(batch, length, modalities, channels)

    def last(self, window: Float[Tensor, "B K M E"]) -> Float[Tensor, "B M E"]:
        """The output at the last of K = `ticks` ticks."""
        weight = self.weight.view(*window.shape[2:], -1)
        return torch.einsum("bkme,mek->bme", window, weight) + self.bias.view(*window.shape[2:])


class Coupling(nn.Module):
    """W [M, M], target by source. Rows of a learned or mean W lie on the simplex, so states stay bounded.

    "mean" is the paper's equation (6) with S = exp(Delta A) / M, "sum" the same equation read literally: its
    states overflow float32 within about 85 ticks at Mamba's own initialisation, and it is offered for study.
    """

    def __init__(self, modalities: int, kind: str, self_weight: float) -> None:
        super().__init__()
        self.kind, self.modalities = kind, modalities
        if kind == "learned":
            self.logits = nn.Parameter(torch.eye(modalities) * self_heavy_logit(modalities, self_weight))

    def forward(self, like: Tensor | None = None) -> Float[Tensor, "M M"]:
        """The matrix; a fixed one in the dtype and on the device of `like`.

        It is made anew: a buffer that is not saved would be lost where a network is built on the meta device.
        """
        if self.kind == "learned":
            return self.logits.softmax(-1)
        like = torch.empty(0) if like is None else like
        if self.kind == "none":
            return torch.eye(self.modalities, dtype=like.dtype, device=like.device)
        fixed = {"mean": 1 / self.modalities, "sum": 1.0}
        return like.new_full((self.modalities, self.modalities), fixed[self.kind])


def self_heavy_logit(modalities: int, self_weight: float) -> float:
    """The diagonal logit (others 0) whose row softmax gives `self_weight` to the chain itself."""
    return math.log(max(modalities - 1, 1) * self_weight / (1 - self_weight))


class CoupledLayer(nn.Module):
    """One layer of Algorithm 1 of the paper: x + out(scan(silu(conv(u))) * silu(z)), the scan coupled by W.

    An unobserved tick injects nothing and has S = 1: its chain holds what the coupling brings. It can still be
    read, through the C made from the chain's own stream.
    """

    def __init__(self, config: CoupledMambaConfig) -> None:
        super().__init__()
        m, d, e, n = len(config.widths), config.d_model, config.d_inner, config.d_state
        self.splits = [config.dt_rank, n, n]
        self.norm = ModalityNorm(m, d)
        self.into = ModalityLinear(m, d, 2 * e)
        self.conv = CausalConv(m, e, config.d_conv)
        self.select = ModalityLinear(m, e, sum(self.splits), bias=False)
        self.widen_delta = ModalityLinear(m, config.dt_rank, e, bias=False)
        self.delta_bias = nn.Parameter(initial_delta_bias(m, e))
        self.log_a = nn.Parameter(torch.arange(1, n + 1).float().log().repeat(m, e, 1))
        self.skip = nn.Parameter(torch.ones(m, e))
        self.coupling = Coupling(m, config.coupling, config.self_weight)
        self.out = ModalityLinear(m, e, d)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Float[Tensor, "B L M D"], mask: Bool[Tensor, "B L M"], trace: bool = False
    ) -> tuple[Float[Tensor, "B L M D"], Trace | None]:
        """One pass over all ticks; with `trace` also (state norms [B, L, M], signed shares [B, L, M, M])."""
        given = self.selection(x)
        scan = coupled_trace if trace else coupled_scan
        result = scan(**given._asdict(), delta_softplus=True, mask=mask)
        y, *traced = result if trace else (result,)
        return x + self.dropout(self.out(y)), (traced[0], traced[1]) if trace else None

    def step(
        self, x: Float[Tensor, "B M D"], mask: Bool[Tensor, "B M"], memory: Memory
    ) -> tuple[Float[Tensor, "B M D"], Memory]:
        """One tick, for streaming; what was kept of the ticks before goes in and comes out."""
        u, z = self.into(self.norm(x)).chunk(2, dim=-1)
        window = torch.cat([memory.window, u[:, None]], dim=1)
        given = self.select_from(F.silu(self.conv.last(window)), z)
        y, state = coupled_step(memory.state, **given._asdict(), delta_softplus=True, mask=mask)
        return x + self.dropout(self.out(y)), Memory(window[:, 1:], state)

    def resume(
        self, x: Float[Tensor, "B L M D"], mask: Bool[Tensor, "B L M"], memory: Memory
    ) -> tuple[Float[Tensor, "B L M D"], Memory, Selection]:
        """Some ticks, going on from what was kept of those before; also what the scan was given."""
        u, z = self.into(self.norm(x)).chunk(2, dim=-1)
        given = self.select_from(F.silu(self.conv(u, memory.window)), z)
        y, state = coupled_scan(
            **given._asdict(),
            delta_softplus=True,
            mask=mask,
            initial_state=memory.state,
            return_final_state=True,
        )
        window = torch.cat([memory.window, u], dim=1)[:, u.shape[1] :].clone()
        return x + self.dropout(self.out(y)), Memory(window, state), given

    def blank(self, batch: int) -> Memory:
        """The memory before the first tick."""
        modalities, channels, states = self.log_a.shape
        window = self.log_a.new_zeros(batch, self.conv.weight.shape[-1] - 1, modalities, channels)
        return Memory(window, self.log_a.new_zeros(batch, modalities, channels, states))

    def selection(self, x: Float[Tensor, "B L M D"]) -> Selection:
        """What the scan is given, from the layer's input."""
        u, z = self.into(self.norm(x)).chunk(2, dim=-1)
        return self.select_from(F.silu(self.conv(u)), z)

    def select_from(self, u: Float[Tensor, "*shape M E"], z: Float[Tensor, "*shape M E"]) -> Selection:
        """The same from what the convolution gives."""
        delta, b, c = self.select(u).split(self.splits, dim=-1)
        a = -self.log_a.exp()
        w = self.coupling(self.log_a)
        return Selection(u, self.widen_delta(delta), a, b, c, w, self.skip, z, self.delta_bias)


def coupled_layers(layers: nn.ModuleList) -> list[CoupledLayer]:
    """The layers of a network. Raises ValueError where one has no coupled states, as crossmodal attention has none."""
    for layer in layers:
        if not isinstance(layer, CoupledLayer):
            raise ValueError(
                f"{type(layer).__name__} of attention fusion has no states: use a coupled network"
            )
    return cast(list[CoupledLayer], list(layers))


def initial_delta_bias(modalities: int, channels: int) -> Float[Tensor, "M E"]:
    """Mamba's own start: softplus(bias) log-uniform between 0.001 and 0.1."""
    delta = torch.empty(modalities, channels).uniform_(math.log(1e-3), math.log(1e-1)).exp()
    return delta + torch.log(-torch.expm1(-delta))
