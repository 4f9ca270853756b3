"""The coupled scan on a GPU, by the Triton kernels of triton_forward.py and triton_backward.py.

With many sequences one program takes a block of channels through all of time. With few (fewer programs than a GPU has
room for) time is cut into chunks that run at once: each is summarised as an affine map of the state before it, the maps
are applied in order, and the chunks then run from known states; the backward does the same with P transposed.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor

from kernels import triton_backward as back
from kernels import triton_forward as ahead
from kernels.inputs import ScanInputs, Traced
from kernels.once import history, once
from kernels.reference import as_shares

SPACING = 16  # ticks between checkpoints, and held in a program's scratch in the backward
CHUNK = 64  # ticks of a chunk when time runs in parallel
LAUNCHED = 65_535  # programs along a grid's second and third axis at most
PROGRAMS = 264  # two for every multiprocessor of an H100: with fewer, time is cut into chunks
PARTS = 8  # parts of dB and dC at most, each as large as B: more would outgrow the states
WARPS = 4
# 0, 1 or 2 quarters of the exponentials by a polynomial in multiply-adds; `bench` measures all three.
QUARTERS = 0
# Floats of state in one program, all of its tensors together; more spill registers (measured by cuobjdump for sm_90).
ROOM_AHEAD, ROOM_BACK, ROOM_JOINT = 3072, 2304, 2304


def scan(inputs: ScanInputs, with_state: bool) -> tuple[Tensor, Tensor | None]:
    """Give y [B, L, M, E] in u's dtype and, if wanted, the final state [B, M, E, N] in float32."""
    with torch.cuda.device_of(inputs.u):  # Triton launches on the current device
        return _Scan.apply(inputs.delta_softplus, with_state, history(inputs), *inputs.in_order)


def trace(inputs: ScanInputs, shares: bool) -> Traced:
    """Give y, the norms, the shares where asked for, and the final state; sequential in time, without gradients."""
    with torch.cuda.device_of(inputs.u):
        return _trace(inputs, shares)


def _trace(inputs: ScanInputs, shares: bool) -> Traced:
    plan = _Plan.of(inputs.u, inputs.A)
    tensors = _prepare(inputs.in_order)
    u, W, h0 = tensors[0], tensors[5], tensors[-1]
    B, L, M, E = u.shape
    y, last = torch.empty_like(u), _empty(u, B, M, E, plan.N)
    if not u.numel():
        return Traced(y, _empty(u, B, L, M), _empty(u, B, L, M, M) if shares else None, _start(h0, last))
    block = plan.block(ROOM_JOINT, M * M) if shares else plan.block(ROOM_AHEAD, M)
    blocks = triton.cdiv(E, block)
    norm = _empty(u, blocks, B, L, M)
    sizes = {"M": M, "BE": block, "BN": plan.BN, "num_warps": WARPS}
    sizes |= {"SOFTPLUS": inputs.delta_softplus, "QUARTERS": QUARTERS}
    share = None
    if shares:
        product = _empty(W, blocks, B, L, M, M)
        ahead.trace[(blocks, B)](*tensors[:10], h0, y, last, norm, product, L, E, plan.N, **sizes)
        share = as_shares(product.sum(0))
    else:
        ahead.forward[(blocks, B, 1)](
            *tensors[:10], h0, y, last, None, norm, L, L, SPACING, 1, 0, E, plan.N, **sizes
        )
    return Traced(y, norm.sum(0).sqrt(), share, last)


def refusal(u: Tensor) -> str | None:
    """It needs a GPU, or Triton's interpreter for trying it without one; float64 is not for it."""
    if u.dtype == torch.float64:
        return "u is float64: use backend='reference', or u.float()"
    if u.device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        return f"the inputs are on {u.device}: move them to a GPU with .cuda(), or use backend='auto'"
    return None


@dataclass(frozen=True)
class _Plan:
    """How one problem is cut into programs."""

    L: int
    E: int
    N: int
    BN: int
    chunk: int
    chunks: int

    @classmethod
    def of(cls, u: Tensor, A: Tensor) -> _Plan:
        B, L, M, E = u.shape
        N = A.shape[-1]
        if L * M * max(E, N) >= 2**31 or B > LAUNCHED:
            raise ValueError(
                f"backend 'triton' takes sequences of L M max(E, N) < 2^31 entries and B < 65,536, got L = {L}, "
                f"M = {M}, E = {E}, N = {N}, B = {B}: split the sequence, carrying the state, or the batch"
            )
        whole = cls(L, E, N, triton.next_power_of_2(N), max(L, 1), 1)
        few = B * triton.cdiv(E, whole.block(ROOM_AHEAD, M)) < PROGRAMS
        if not few or L < 4 * CHUNK:
            return whole
        chunk = CHUNK * triton.cdiv(triton.cdiv(L, CHUNK), LAUNCHED)
        return cls(L, E, N, whole.BN, chunk, triton.cdiv(L, chunk))

    def block(self, room: int, tensors: int) -> int:
        """Channels of a program that keeps so many state tensors: a power of two, at most 32."""
        fitting = max(1, room // (tensors * self.BN))
        return min(32, 1 << fitting.bit_length() - 1, triton.next_power_of_2(self.E))

    @property
    def kept(self) -> int:
        """Checkpoints of one sequence."""
        return triton.cdiv(self.L, SPACING)


class _Scan(torch.autograd.Function):
    """The whole operation, skip and gate included."""

    @staticmethod
    def forward(
        ctx: Any, softplus: bool, with_state: bool, past: Tensor | None, *given: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        tensors = _prepare(given)
        u, h0 = tensors[0], tensors[-1]
        plan = _Plan.of(u, tensors[2])
        B, L, M, E = u.shape
        y = torch.empty_like(u)
        last = _empty(u, B, M, E, plan.N) if with_state else None
        kept = _empty(u, B, plan.kept, M, E, plan.N) if past is not None else None
        P = None
        if u.numel():
            start, P = _starts(plan, tensors, softplus)
            block = plan.block(ROOM_AHEAD, M)
            ahead.forward[(triton.cdiv(E, block), B, plan.chunks)](
                *tensors[:10], start, y, last, kept, None,
                L, plan.chunk, SPACING, plan.chunks, plan.kept, E, plan.N,
                M=M, BE=block, BN=plan.BN, SOFTPLUS=softplus, QUARTERS=QUARTERS, num_warps=WARPS,
            )  # fmt: skip
        elif last is not None:
            last = _start(h0, last)
        ctx.save_for_backward(past, *tensors, kept, P)
        ctx.plan, ctx.softplus = plan, softplus
        ctx.dtypes = [None if value is None else value.dtype for value in given]
        ctx.set_materialize_grads(False)
        return y, last

    @staticmethod
    @once
    def backward(
        ctx: Any, saved: list[Any], dy: Tensor | None, dlast: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        *tensors, kept, P = saved
        dy = torch.zeros_like(tensors[0]) if dy is None else dy.contiguous()
        with torch.cuda.device_of(dy):
            found = _gradients(ctx.plan, tensors, ctx.softplus, kept, P, dy, dlast)
        cast = [None if g is None or t is None else g.to(t) for g, t in zip(found, ctx.dtypes, strict=True)]
        return None, None, None, *cast


def _starts(plan: _Plan, tensors: list[Any], softplus: bool) -> tuple[Tensor | None, Tensor | None]:
    """The state before every chunk [B, chunks, M, E, N], and the chunks' maps P, if there is more than one."""
    u, delta, A, B_, _, W, _, _, bias, mask, h0 = tensors
    if plan.chunks == 1:
        return h0, None
    B, L, M, E = u.shape
    ends, starts = (_empty(u, B, plan.chunks, M, E, plan.N) for _ in range(2))
    P = _empty(u, B, plan.chunks, M, M, E, plan.N)
    block = plan.block(ROOM_JOINT, M * M)
    sizes = {"M": M, "BE": block, "BN": plan.BN, "num_warps": WARPS}
    blocks = triton.cdiv(E, block)
    ahead.summarise[(blocks, B, plan.chunks)](
        u, delta, A, B_, W, bias, mask, ends, P, L, plan.chunk, plan.chunks, E, plan.N,
        SOFTPLUS=softplus, QUARTERS=QUARTERS, **sizes,
    )  # fmt: skip
    ahead.carry[(blocks, B)](h0, ends, P, starts, plan.chunks, E, plan.N, REVERSE=False, **sizes)
    return starts, P


def _ends(
    plan: _Plan, tensors: list[Any], softplus: bool, P: Tensor | None, dy: Tensor, dlast: Tensor | None
) -> Tensor:
    """G after the last tick of every chunk [B, chunks, M, E, N]; the backward overwrites it."""
    u, delta, A, _, C, W, _, z, bias, mask, _ = tensors
    B, L, M, E = u.shape
    if plan.chunks == 1:
        G = _empty(u, B, 1, M, E, plan.N).zero_()
        return G if dlast is None else G.copy_(dlast[:, None])
    own, G = (_empty(u, B, plan.chunks, M, E, plan.N) for _ in range(2))
    block = plan.block(ROOM_AHEAD, M)
    back.summarise_back[(triton.cdiv(E, block), B, plan.chunks)](
        delta, A, C, W, z, bias, mask, dy, own, L, plan.chunk, plan.chunks, E, plan.N,
        M=M, BE=block, BN=plan.BN, SOFTPLUS=softplus, QUARTERS=QUARTERS, num_warps=WARPS,
    )  # fmt: skip
    block = plan.block(ROOM_JOINT, M * M)
    dlast = None if dlast is None else dlast.float().contiguous()
    ahead.carry[(triton.cdiv(E, block), B)](
        dlast, own, P, G, plan.chunks, E, plan.N, M=M, BE=block, BN=plan.BN, REVERSE=True, num_warps=WARPS
    )
    return G


def _gradients(
    plan: _Plan,
    tensors: list[Any],
    softplus: bool,
    kept: Tensor,
    P: Tensor | None,
    dy: Tensor,
    dlast: Tensor | None,
) -> tuple[Tensor | None, ...]:
    """The gradients in the order of the inputs, float32 where they are sums."""
    u, D, z, bias, h0 = tensors[0], tensors[6], tensors[7], tensors[8], tensors[10]
    B, L, M, E = u.shape
    N, chunks = plan.N, plan.chunks
    block = plan.block(ROOM_BACK, M * M)
    blocks = triton.cdiv(E, block)
    n_sub = triton.cdiv(blocks, PARTS)
    groups = triton.cdiv(blocks, n_sub)

    def zeros(*shape: int) -> Tensor:
        return _empty(u, *shape).zero_()

    du, ddelta = torch.zeros_like(u), torch.zeros_like(tensors[1])
    dz = None if z is None else torch.zeros_like(z)
    dA, dW = zeros(B, chunks, M, E, N), zeros(groups, B, chunks, M, M)
    dB, dC = zeros(groups, B, L, M, N), zeros(groups, B, L, M, N)
    dD, dbias = (None if v is None else zeros(B, chunks, M, E) for v in (D, bias))
    G = zeros(B, 1, M, E, N) if dlast is None else dlast.float()[:, None]
    if u.numel():
        G = _ends(plan, tensors, softplus, P, dy, dlast)
        scratch = _empty(u, B, chunks, SPACING, M, E, N)
        back.backward[(groups, B, chunks)](
            *tensors[:10], kept, dy, G, scratch, du, ddelta, dz, dA, dB, dC, dW, dD, dbias,
            L, plan.chunk, SPACING, chunks, plan.kept, n_sub, E, N,
            M=M, BE=block, BN=plan.BN, SOFTPLUS=softplus, QUARTERS=QUARTERS, num_warps=WARPS,
        )  # fmt: skip
    sums = [None if v is None else v.sum((0, 1)) for v in (dA, dD, dbias)]
    dh0 = None if h0 is None else G[:, 0]
    return du, ddelta, sums[0], dB.sum(0), dC.sum(0), dW.sum((0, 1, 2)), sums[1], dz, sums[2], None, dh0


def _prepare(given: Any) -> list[Any]:
    """Contiguous tensors; what is read once a program in float32, A scaled so that S = 2^(delta A)."""
    found: list[Any] = [None if value is None else value.detach().contiguous() for value in given]
    for k in (2, 5, 6, 8, 10):
        found[k] = None if found[k] is None else found[k].float()
    found[2] = found[2] * math.log2(math.e)
    found[9] = None if found[9] is None else found[9].to(torch.uint8)
    return found


def _start(h0: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if h0 is None else h0.clone()


def _empty(like: Tensor, *shape: int) -> Tensor:
    return torch.empty(*shape, device=like.device, dtype=torch.float32)
