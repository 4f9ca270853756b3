"""The coupled scan as one global convolution, for parameters that are constant in time.

Equations (7)-(8) of the paper: with S constant the state is a sum of powers, and so the output a convolution with
    K_k^{m<-j} = C^m . (P^k)_mj (delta^j B^j),    P = diag(S) W, one M x M matrix for every channel and state.
With k = a + s b and s near sqrt(L), C P^a and P^{s b} delta B are s and L/s small tensors, and K is their product;
the states [L, M, M, E, N] never exist. Selective parameters (constant in nothing) need the scan, and so does a coupling
whose powers grow, such as the literal sum: an FFT rounds relative to the largest entry of all lags.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

GROWTH = 10.0
"""How large a power of P may become. Rounding of the FFT is that many times what it is for a kernel that decays."""


def convolution_kernel(
    length: int, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, coupling: Tensor
) -> Tensor:
    """K [L, M, M, E], lag by target by source by channel, from delta [M, E], A [M, E, N], B and C [M, N]."""
    S = torch.exp(delta[..., None] * A)
    P = torch.einsum("men,mj->enmj", S, coupling)
    stride = max(1, math.isqrt(length))
    readers, power = _powers(torch.diag_embed(C.T).expand_as(P), P, stride)
    injected = torch.diag_embed(torch.einsum("me,mn->enm", delta, B))
    writers, _ = _powers(injected.transpose(-1, -2), power.transpose(-1, -2), -(-length // stride))
    # readers [a, E, N, m, i] = C P^a and writers [b, E, N, j, i] = (P^{s b} delta B) transposed.
    kernel = torch.einsum("aenmi,benji->bamje", readers, writers)
    return kernel.flatten(0, 1)[:length]


def convolve(u: Tensor, kernel: Tensor) -> Tensor:
    """y [B, L, M, E] = sum over lags and sources of kernel [L, M, M, E] times u [B, L, M, E], by FFT."""
    length = u.shape[1]
    padded = 2 * length
    K, U = torch.fft.rfft(kernel, padded, dim=0), torch.fft.rfft(u, padded, dim=1)
    # Summed over the few sources one by one: as a batch of M x M products it would be ten times slower.
    spectrum = K[:, :, 0] * U[:, :, None, 0]
    for j in range(1, K.shape[2]):
        spectrum = spectrum + K[:, :, j] * U[:, :, None, j]
    return torch.fft.irfft(spectrum, padded, dim=1)[:, :length]


def scan_constant(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    coupling: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    delta_softplus: bool,
) -> Tensor:
    """The whole operation, gate and skip included, in u's dtype; float32 inside, float64 if u is.

    Raises ValueError where the kernel grows with lag.
    """
    dtype = torch.float64 if u.dtype == torch.float64 else torch.float32
    if u.numel() == 0:
        return torch.zeros_like(u)
    delta, A, B, C, coupling = (value.to(dtype) for value in (delta, A, B, C, coupling))
    if delta_bias is not None:
        delta = delta + delta_bias.to(dtype)
    if delta_softplus:
        delta = F.softplus(delta)
    kernel = convolution_kernel(u.shape[1], delta, A, B, C, coupling)
    _check_growth(kernel, delta, B, C)
    y = convolve(u.to(dtype), kernel)
    if D is not None:
        y = y + D.to(dtype) * u.to(dtype)
    if z is not None:
        y = y * F.silu(z.to(dtype))
    return y.to(u.dtype)


def _check_growth(kernel: Tensor, delta: Tensor, B: Tensor, C: Tensor) -> None:
    """Raise where an entry of K shows that a power of P has grown: with all of its entries within 1, those of K are at
    most |delta^j| |C^m| . |B^j|.
    """
    with torch.no_grad():
        within = torch.einsum("mn,jn,je->mje", C.abs(), B.abs(), delta.abs())
        grown = (kernel.abs() > GROWTH * within).any()
    if grown:
        times = float((kernel.abs() / within).nan_to_num(nan=0.0, posinf=torch.inf).max())
        raise ValueError(
            f"the convolution's kernel grows with lag, {times:.1e} times over {len(kernel)} ticks, and its FFT would "
            "round the early ticks by its largest entry: use coupled_scan, or a coupling whose rows sum to at most 1"
        )


def _powers(start: Tensor, step: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(start step^0 ... start step^(count-1)) stacked in front, and step^count.

    What has decayed below the root of the smallest float, relative to the start, becomes 0: it is far below rounding,
    and products of it would be subnormal, which a CPU multiplies ten times more slowly.
    """
    terms, power = [start], step
    least = torch.finfo(start.dtype).tiny ** 0.5
    scale = float(start.detach().abs().max())
    for _ in range(count - 1):
        terms.append(_product(terms[-1], step, least * scale))
        power = _product(power, step, least)
    return torch.stack(terms), power


def _product(a: Tensor, b: Tensor, least: float) -> Tensor:
    """The product of M x M matrices, elementwise over thousands of them, where a batched product is slow; entries below
    `least` become 0.
    """
    columns, rows = a.unbind(-1), b.unbind(-2)
    product = columns[0][..., :, None] * rows[0][..., None, :]
    for column, row in zip(columns[1:], rows[1:], strict=True):
        product = product + column[..., :, None] * row[..., None, :]
    return torch.where(product.abs() < least, 0.0, product)
