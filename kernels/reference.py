"""The coupled scan as a plain loop over time: the ground truth that every backend is tested against.

    S_t^m = exp(delta_t^m (x) A^m)
    h_t^m = S_t^m * sum_j W_mj h_{t-1}^j + (delta_t^m u_t^m) (x) B_t^m
    y_t^m = (C_t^m . h_t^m + D^m u_t^m) * silu(z_t^m)

States and sums are float32, or float64 when u is; autograd differentiates the loop.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.inputs import ScanInputs, Traced


def scan(inputs: ScanInputs, with_state: bool) -> tuple[Tensor, Tensor | None]:
    """Give y [B, L, M, E] in u's dtype and, if wanted, the final state [B, M, E, N] in its own dtype."""
    i = promote(inputs)
    delta, u, B = entering(i)
    h = first_state(i)
    outputs = []
    for t in range(i.u.shape[1]):
        h = advance(h, u[:, t], delta[:, t], i.A, B[:, t], i.coupling)
        outputs.append(read(h, i.C[:, t]))
    return finish(inputs, i, _stack(outputs, i.u)), h if with_state else None


def trace(inputs: ScanInputs, shares: bool) -> Traced:
    """Give y, ||h_t^m|| over E and N, and the signed source shares of C . h, target m by source j.

    The states that source j's injections alone bring are carried beside the whole: given S the recurrence is
    linear, so they add up to it. Source j's initial state counts as its injection.
    """
    i = promote(inputs)
    delta, u, B = entering(i)
    h = first_state(i)
    modalities = h.shape[1]
    pick = torch.eye(modalities, dtype=h.dtype, device=h.device)
    parts = torch.einsum("jm,bmen->jbmen", pick, h)
    outputs, norms, ratios = [], [], []
    for t in range(i.u.shape[1]):
        h = advance(h, u[:, t], delta[:, t], i.A, B[:, t], i.coupling)
        outputs.append(read(h, i.C[:, t]))
        norms.append(h.flatten(2).norm(dim=-1))
        if shares:
            own = pick[:, None, :, None] * u[:, t]
            parts = advance(parts, own, delta[:, t], i.A, B[:, t], i.coupling)
            ratios.append(torch.einsum("jbme,bme->bmj", read(parts, i.C[:, t]), outputs[-1]))
    states = _stack(outputs, i.u)
    state_norm = _stack(norms, i.u[..., 0])
    share = as_shares(_stack(ratios, i.u[..., :1].expand(-1, -1, -1, modalities))) if shares else None
    return Traced(finish(inputs, i, states), state_norm, share, h)


def refusal(u: Tensor) -> str | None:
    """The reference runs everything the checks let through."""


def advance(h: Tensor, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, coupling: Tensor) -> Tensor:
    """One tick of the recurrence: h [..., M, E, N], u and delta [..., M, E], A [M, E, N], B [..., M, N]."""
    S = torch.exp(delta[..., None] * A)
    return S * torch.einsum("mj,...jen->...men", coupling, h) + (delta * u)[..., None] * B[..., None, :]


def read(h: Tensor, C: Tensor) -> Tensor:
    """C . h over the states: [..., M, E]."""
    return torch.einsum("...mn,...men->...me", C, h)


def promote(inputs: ScanInputs) -> ScanInputs:
    """The same inputs in the dtype of the states: float64 when u is, else float32."""
    dtype = torch.float64 if inputs.u.dtype == torch.float64 else torch.float32
    floats = {name: value.to(dtype) for name, value in inputs.tensors.items() if name != "mask"}
    return replace(inputs, **floats)  # type: ignore[arg-type]


def entering(i: ScanInputs) -> tuple[Tensor, Tensor, Tensor]:
    """What enters the states: the delta that acts (plus its bias, through softplus), u and B.

    At masked ticks all three are 0, so that S = 1 and nothing is injected. They are filled, not multiplied: padding
    may hold NaN, which times 0 is NaN. The delta given is filled too, because softplus' derivative there is NaN.
    """
    delta, u, B = i.delta, i.u, i.B
    absent = None if i.mask is None else ~i.mask[..., None]
    if absent is not None:
        delta, u, B = (value.masked_fill(absent, 0.0) for value in (delta, u, B))
    if i.delta_bias is not None:
        delta = delta + i.delta_bias
    if i.delta_softplus:
        delta = F.softplus(delta)
    return delta if absent is None else delta.masked_fill(absent, 0.0), u, B


def first_state(i: ScanInputs) -> Tensor:
    """The state before the first tick [B, M, E, N]: the one given, or zeros."""
    if i.initial_state is not None:
        return i.initial_state
    batch, _, modalities, channels = i.u.shape
    return i.u.new_zeros(batch, modalities, channels, i.A.shape[-1])


def finish(inputs: ScanInputs, i: ScanInputs, y: Tensor) -> Tensor:
    """Add the skip D u, apply the gate silu(z), and return to u's dtype."""
    if i.D is not None:
        y = y + i.D * i.u
    if i.z is not None:
        y = y * F.silu(i.z)
    return y.to(inputs.u.dtype)


def as_shares(products: Tensor) -> Tensor:
    """<y^{m<-j}, y^m> [..., M, M] -> shares that sum to 1 over j; 0 where the output is 0."""
    total = products.sum(-1, keepdim=True)
    zero = total <= torch.finfo(total.dtype).tiny
    return torch.where(zero, 0.0, products / total.masked_fill(zero, 1.0))


def _stack(ticks: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(ticks, dim=1) if ticks else torch.zeros_like(like)
