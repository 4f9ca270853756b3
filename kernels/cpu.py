"""The coupled scan on a CPU: numba kernels that keep a block of channels' states in the first-level cache.

Time runs inside, (batch, block of LANES channels) outside; the LANES channels of a block are one vector, so no sum
runs across lanes in the forward. States of a block are laid out [M, N, LANES]. The forward keeps the state before
every SPACING-th tick; the backward goes through these chunks from the last, recomputes one, and walks it backwards
with the one carried quantity G_t^m = sum_i W_im q_{t+1}^i (q = S * lambda, lambda = dy C + G).
Softplus, mask, skip and gate are a 1/N-th of the work and are left to torch.

Threads are ours, one range of blocks each, because numba's own pool must not be entered by two threads at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from kernels.inputs import ScanInputs
from kernels.lanes import LANES, compiled, exp2, load, splat, store, total
from kernels.reference import finish, first_state, promote, step_sizes
from kernels.reference import trace as trace

SPACING = 32  # ticks between checkpoints; memory grows with L / SPACING states
# Below this many vectors of state a second thread costs more than it brings (about 1 ms of work).
THREAD_WORK = 200_000
_ZERO = np.float32(0)
_LN2 = np.float32(math.log(2))


@compiled
def _forward(u, delta, A, B, C, W, h0, y, last, kept, sizes, start, stop):  # type: ignore[no-untyped-def]
    """Blocks start..stop of y [B, L, M, E] and last [blocks, M, N, LANES]; kept takes checkpoints unless empty."""
    L, M, E, N = sizes
    size = M * N * LANES
    chunks = (L + SPACING - 1) // SPACING
    h = np.empty(size, np.float32)
    new = np.empty(size, np.float32)
    for task in range(start, stop):
        b, block = divmod(task, E // LANES)
        for o in range(0, size, LANES):
            store(h, o, load(h0, task * size + o))
        for t in range(L):
            if len(kept) > 0 and t % SPACING == 0:
                for o in range(0, size, LANES):
                    store(kept, (task * chunks + t // SPACING) * size + o, load(h, o))
            for m in range(M):
                row = (b * L + t) * M + m
                p = row * E + block * LANES
                d = load(delta, p)
                x = d * load(u, p)
                out = splat(_ZERO)
                for n in range(N):
                    o = (m * N + n) * LANES
                    g = splat(W[m * M]) * load(h, n * LANES)
                    for j in range(1, M):
                        g = splat(W[m * M + j]) * load(h, (j * N + n) * LANES) + g
                    v = exp2(d * load(A, block * size + o)) * g + x * splat(B[row * N + n])
                    store(new, o, v)
                    out = v * splat(C[row * N + n]) + out
                store(y, p, out)
            h, new = new, h
        for o in range(0, size, LANES):
            store(last, task * size + o, load(h, o))


@compiled
def _replay(u, delta, A, B, W, H, S, sizes, b, block, first, ticks):  # type: ignore[no-untyped-def]
    """Recompute one chunk: S [ticks, M, N, LANES], and H [1 + ticks, ...] from the checkpoint in H[0]."""
    L, M, E, N = sizes
    size = M * N * LANES
    for t in range(ticks):
        old = t * size
        for m in range(M):
            row = (b * L + first + t) * M + m
            d = load(delta, row * E + block * LANES)
            x = d * load(u, row * E + block * LANES)
            for n in range(N):
                o = (m * N + n) * LANES
                g = splat(W[m * M]) * load(H, old + n * LANES)
                for j in range(1, M):
                    g = splat(W[m * M + j]) * load(H, old + (j * N + n) * LANES) + g
                s = exp2(d * load(A, block * size + o))
                store(S, old + o, s)
                store(H, old + size + o, s * g + x * splat(B[row * N + n]))


@compiled
def _backward(u, delta, A, B, C, W, kept, dy, dlast, du, ddelta, dA, dB, dC, dW, dh0, sizes, start, stop):  # type: ignore[no-untyped-def]
    """Gradients of blocks start..stop. dA [tasks, M, N, LANES], dB and dC [blocks, B, L, M, N] and dW [tasks, M, M]
    are one part for every block, added up afterwards in one order, so that threads do not change the bits.
    """
    L, M, E, N = sizes
    size = M * N * LANES
    blocks = E // LANES
    batch = len(dA) // (blocks * size)
    chunks = (L + SPACING - 1) // SPACING
    H = np.empty((SPACING + 1) * size, np.float32)
    S = np.empty(SPACING * size, np.float32)
    G = np.empty(size, np.float32)
    q = np.empty(size, np.float32)
    pairs = np.empty(M * M * LANES, np.float32)
    for task in range(start, stop):
        b, block = divmod(task, blocks)
        for o in range(0, size, LANES):
            store(G, o, load(dlast, task * size + o))
        for chunk in range(chunks - 1, -1, -1):
            first = chunk * SPACING
            ticks = min(SPACING, L - first)
            for o in range(0, size, LANES):
                store(H, o, load(kept, (task * chunks + chunk) * size + o))
            _replay(u, delta, A, B, W, H, S, sizes, b, block, first, ticks)
            for o in range(0, M * M * LANES, LANES):
                store(pairs, o, splat(_ZERO))
            for t in range(ticks - 1, -1, -1):
                old = t * size
                for m in range(M):
                    row = (b * L + first + t) * M + m
                    p = row * E + block * LANES
                    part = ((block * batch + b) * L + first + t) * M * N + m * N
                    d, v, f = load(delta, p), load(u, p), load(dy, p)
                    x = d * v
                    to_delta, to_x = splat(_ZERO), splat(_ZERO)
                    for n in range(N):
                        o = (m * N + n) * LANES
                        lam = f * splat(C[row * N + n]) + load(G, o)
                        q_n = load(S, old + o) * lam
                        store(q, o, q_n)
                        g = splat(W[m * M]) * load(H, old + n * LANES)
                        for j in range(1, M):
                            g = splat(W[m * M + j]) * load(H, old + (j * N + n) * LANES) + g
                        qg = q_n * g
                        to_delta = qg * load(A, block * size + o) + to_delta
                        to_x = lam * splat(B[row * N + n]) + to_x
                        store(dA, task * size + o, qg * d + load(dA, task * size + o))
                        dB[part + n] = total(lam * x)
                        dC[part + n] = total(f * load(H, old + size + o))
                    store(du, p, d * to_x)
                    store(ddelta, p, splat(_LN2) * to_delta + v * to_x)
                _pull_back(W, q, H, old, G, pairs, M, N)
            # Float64 across chunks: one float32 sum over all of L was the least exact gradient.
            for k in range(M * M):
                dW[task * M * M + k] += total(load(pairs, k * LANES))
        for o in range(0, size, LANES):
            store(dh0, task * size + o, load(G, o))


@compiled
def _pull_back(W, q, H, old, G, pairs, M, N):  # type: ignore[no-untyped-def]
    """G^m = sum_i W_im q^i for the tick before, and pairs_mj += sum_n q^m h_{t-1}^j."""
    for m in range(M):
        for n in range(N):
            g = splat(W[m]) * load(q, n * LANES)
            for i in range(1, M):
                g = splat(W[i * M + m]) * load(q, (i * N + n) * LANES) + g
            store(G, (m * N + n) * LANES, g)
        for j in range(M):
            pair = load(pairs, (m * M + j) * LANES)
            for n in range(N):
                pair = load(q, (m * N + n) * LANES) * load(H, old + (j * N + n) * LANES) + pair
            store(pairs, (m * M + j) * LANES, pair)


def scan(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Give y [B, L, M, E] in u's dtype and the final state [B, M, E, N] in float32."""
    i = promote(inputs)
    y, state = _Scan.apply(i.u, step_sizes(i), i.A, i.B, i.C, i.coupling, first_state(i))
    return finish(inputs, i, y), state


def refusal(inputs: ScanInputs) -> str | None:
    """Float64 and other devices are not for this backend."""
    if inputs.u.device.type != "cpu":
        return f"the inputs are on {inputs.u.device}: use backend='auto', or move them with .cpu()"
    if inputs.u.dtype == torch.float64:
        return "u is float64: use backend='reference', or u.float()"
    return None


class _Scan(torch.autograd.Function):
    """y = C . h and the final state, from float32 inputs."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        u, delta, A, B, C, W, h0 = (value.detach() for value in tensors)
        sizes = (*u.shape[1:3], _padded(u.shape[3]), A.shape[2])
        packed = (_rows(u), _rows(delta), _pack(A * math.log2(math.e)), _flat(B), _flat(C), _flat(W))
        tasks = u.shape[0] * sizes[2] // LANES
        state = tasks * sizes[1] * sizes[3] * LANES
        chunks = -(-sizes[0] // SPACING) if any(ctx.needs_input_grad) else 0
        kept = torch.empty(chunks * state)
        y, last = torch.empty_like(packed[0]), torch.empty(state)
        _spread(_forward, tasks, sizes, *packed, _pack(h0), y, last, kept)
        ctx.save_for_backward(*packed, kept)
        ctx.sizes, ctx.shapes = sizes, (u.shape, A.shape)
        return _unrows(y, u.shape), _unpack(last, h0.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, dlast: Tensor) -> tuple[Tensor, ...]:
        *packed, kept = ctx.saved_tensors
        shape, (_, _, N) = ctx.shapes
        batch, L, M, _ = shape
        blocks = ctx.sizes[2] // LANES
        du, ddelta = torch.empty_like(packed[0]), torch.empty_like(packed[0])
        dA, dh0 = torch.zeros(batch, blocks, M * N * LANES), torch.empty(batch, blocks, M * N * LANES)
        dB, dC = torch.empty(blocks, batch, L, M, N), torch.empty(blocks, batch, L, M, N)
        dW = torch.zeros(batch * blocks, M, M, dtype=torch.float64)
        out = (du, ddelta, dA, dB, dC, dW, dh0)
        _spread(
            _backward, batch * blocks, ctx.sizes, *packed, kept, _rows(dy), _pack(dlast), *map(_flat, out)
        )
        state_shape = (batch, M, shape[3], N)
        return (
            _unrows(du, shape),
            _unrows(ddelta, shape),
            _unpack(dA.sum(0), (1, *state_shape[1:]))[0],
            dB.sum(0),
            dC.sum(0),
            dW.sum(0).float(),
            _unpack(dh0, state_shape),
        )


def _spread(kernel: Callable[..., None], tasks: int, sizes: tuple[int, ...], *tensors: Tensor) -> None:
    """Run a kernel over all its blocks, in as many threads as torch uses and the work is worth."""
    arrays = [value.numpy() for value in tensors]
    work = tasks * sizes[0] * sizes[1] * sizes[3]
    threads = max(1, min(torch.get_num_threads(), tasks, work // THREAD_WORK))
    if threads == 1:
        kernel(*arrays, sizes, 0, tasks)
        return
    edges = [tasks * k // threads for k in range(threads + 1)]
    # A pool of its own for every call: no state is shared between callers, and none is lost in a fork.
    with ThreadPoolExecutor(threads) as pool:
        parts = [pool.submit(kernel, *arrays, sizes, *edges[k : k + 2]) for k in range(threads)]
    for part in parts:
        part.result()


def _padded(channels: int) -> int:
    return -(-channels // LANES) * LANES


def _flat(value: Tensor) -> Tensor:
    return value.contiguous().view(-1)


def _rows(value: Tensor) -> Tensor:
    """[B, L, M, E] -> flat, with E padded by zeros to whole blocks."""
    return _flat(F.pad(value, (0, -value.shape[-1] % LANES)))


def _unrows(flat: Tensor, shape: tuple[int, ...]) -> Tensor:
    return flat.view(*shape[:-1], _padded(shape[-1]))[..., : shape[-1]].contiguous()


def _pack(states: Tensor) -> Tensor:
    """[..., M, E, N] -> flat [..., blocks, M, N, LANES], with E padded by zeros to whole blocks."""
    padded = F.pad(states, (0, 0, 0, -states.shape[-2] % LANES))
    return _flat(padded.unflatten(-2, (-1, LANES)).transpose(-4, -3).transpose(-1, -2))


def _unpack(flat: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The reverse of `_pack`, to [B, M, E, N]."""
    batch, M, E, N = shape
    states = flat.view(batch, _padded(E) // LANES, M, N, LANES).permute(0, 2, 1, 4, 3)
    return states.reshape(batch, M, _padded(E), N)[:, :, :E]
