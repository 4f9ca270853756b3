"""The coupled layer: Mamba's block for each modality, and one matrix between their states.

On entry and on exit: x [B, L, M, D], M chains of L ticks, and mask [B, L, M], True where the modality was
observed. Every modality has weights of its own, kept in one tensor with a leading M so that one matrix product
serves all chains.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kernels import coupled_scan, coupled_trace
from model.config import CoupledMambaConfig

Trace = tuple[Float[Tensor, "B L M"], Float[Tensor, "B L M M"]]


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

    def forward(self, u: Float[Tensor, "B L M E"]) -> Float[Tensor, "B L M E"]:
        """Convolve along L; tick t sees ticks t - ticks + 1 .. t."""
        batch, length, modalities, channels = u.shape
        rows = u.reshape(batch, length, -1).transpose(1, 2)
        rows = F.pad(rows, (self.weight.shape[-1] - 1, 0))
        rows = F.conv1d(rows, self.weight, self.bias, groups=modalities * channels)
        return rows.transpose(1, 2).reshape(batch, length, modalities, channels)


class Coupling(nn.Module):
    """W [M, M], target by source. Rows of a learned or mean W lie on the simplex, so states stay bounded.

    "mean" is the paper's equation (6) with S = exp(Delta A) / M, "sum" the same equation read literally: its
    states overflow float32 within about 85 ticks at Mamba's own initialisation, and it is offered for study.
    """

    def __init__(self, modalities: int, kind: str, self_weight: float) -> None:
        super().__init__()
        self.kind = kind
        if kind == "learned":
            self.logits = nn.Parameter(torch.eye(modalities) * self_heavy_logit(modalities, self_weight))
        else:
            fixed = {"mean": 1 / modalities, "sum": 1.0}
            w = torch.eye(modalities) if kind == "none" else torch.full((modalities, modalities), fixed[kind])
            self.register_buffer("fixed", w, persistent=False)

    def forward(self) -> Float[Tensor, "M M"]:
        """The matrix."""
        return self.logits.softmax(-1) if self.kind == "learned" else self.get_buffer("fixed")


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
        u, z = self.into(self.norm(x)).chunk(2, dim=-1)
        u = F.silu(self.conv(u))
        delta, b, c = self.select(u).split(self.splits, dim=-1)
        arguments = {
            "D": self.skip,
            "z": z,
            "delta_bias": self.delta_bias,
            "delta_softplus": True,
            "mask": mask,
        }
        scan = coupled_trace if trace else coupled_scan
        result = scan(u, self.widen_delta(delta), -self.log_a.exp(), b, c, self.coupling(), **arguments)
        y, *traced = result if trace else (result,)
        return x + self.dropout(self.out(y)), (traced[0], traced[1]) if trace else None


def initial_delta_bias(modalities: int, channels: int) -> Float[Tensor, "M E"]:
    """Mamba's own start: softplus(bias) log-uniform between 0.001 and 0.1."""
    delta = torch.empty(modalities, channels).uniform_(math.log(1e-3), math.log(1e-1)).exp()
    return delta + torch.log(-torch.expm1(-delta))
