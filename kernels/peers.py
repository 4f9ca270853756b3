"""What the coupled scan is measured against: plain selective scans, and cross attention between modalities."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.inputs import ScanInputs

Result = TypeVar("Result")


def ways(backend: str, call: Callable[[], Result]) -> Iterator[tuple[str, Callable[[], Result]]]:
    """The call as it is and, for Triton, with 1/4 and 1/2 of the exponentials by the polynomial."""
    yield backend, call
    if backend != "triton":
        return
    from kernels import triton_scan

    def with_quarters(quarters: int) -> Result:
        usual, triton_scan.QUARTERS = triton_scan.QUARTERS, quarters
        try:
            return call()
        finally:
            triton_scan.QUARTERS = usual

    yield "triton, 1/4 polynomial", lambda: with_quarters(1)
    yield "triton, 1/2 polynomial", lambda: with_quarters(2)


def plain_scans(i: ScanInputs) -> Tensor:
    """One selective scan for every modality, as mamba-ssm's selective_scan_ref computes it: no coupling.

    exp(delta A) and delta B u are materialised as [B, E, L, N] before the loop over time.
    """
    delta = i.delta if i.delta_bias is None else i.delta + i.delta_bias
    delta = F.softplus(delta) if i.delta_softplus else delta
    return torch.stack([_plain_scan(i, delta[:, :, m], m) for m in range(i.u.shape[2])], dim=2)


def mamba_scans(i: ScanInputs) -> Tensor:
    """One call of mamba-ssm's CUDA scan for every modality; ImportError where it is not installed."""
    fused = cast(
        Callable[..., Tensor],
        import_module("mamba_ssm.ops.selective_scan_interface").selective_scan_fn,
    )
    outputs = []
    for m in range(i.u.shape[2]):
        u, delta, B, C = (v[:, :, m].transpose(1, 2).contiguous() for v in (i.u, i.delta, i.B, i.C))
        z = None if i.z is None else i.z[:, :, m].transpose(1, 2).contiguous()
        D, bias = (None if v is None else v[m].float() for v in (i.D, i.delta_bias))
        A = i.A[m].float()
        y = fused(u, delta, A, B, C, D, z=z, delta_bias=bias, delta_softplus=i.delta_softplus)
        outputs.append(y.transpose(1, 2))
    return torch.stack(outputs, dim=2)


def cross_attention(x: Tensor, heads: int = 8, fused: bool = False) -> Tensor:
    """MulT's fusion of x [B, L, M, E]: every modality attends to every other one, heads apart, and sums.

    Projections are left out, as they are for the scan. Unfused, the [L, L] weights are materialised, as in MulT and
    in the paper's comparison; fused is torch's scaled_dot_product_attention.
    """
    split = x.unflatten(-1, (heads, -1)).permute(2, 0, 3, 1, 4)  # [M, B, heads, L, E / heads]
    attend = F.scaled_dot_product_attention if fused else _attend
    outputs = []
    for m in range(len(split)):
        others = [attend(split[m], split[j], split[j]) for j in range(len(split)) if j != m]
        outputs.append(torch.stack(others).sum(0).transpose(1, 2).flatten(2))
    return torch.stack(outputs, dim=2)


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), dim=-1) @ v


def _plain_scan(i: ScanInputs, delta: Tensor, m: int) -> Tensor:
    u = i.u[:, :, m]
    decay = torch.exp(torch.einsum("ble,en->beln", delta, i.A[m]))
    injected = torch.einsum("ble,bln,ble->beln", delta, i.B[:, :, m], u)
    h = torch.zeros_like(decay[:, :, 0])
    outputs = []
    for t in range(u.shape[1]):
        h = decay[:, :, t] * h + injected[:, :, t]
        outputs.append(torch.einsum("ben,bn->be", h, i.C[:, t, m]))
    y = torch.stack(outputs, dim=1)
    if i.D is not None:
        y = y + i.D[m] * u
    return y if i.z is None else y * F.silu(i.z[:, :, m])
