"""The coupled scan on a CPU: numba loops (cpu_kernels.py) between a few plain torch operations.

Softplus, mask, skip and gate are 1/N-th of the work and are left to torch and its autograd. Memory for the backward
grows with L / 32 states: the forward keeps checkpoints, and the backward recomputes what lies between two.

Threads are ours, one range of blocks each, because numba's own pool must not be entered by two threads at once. No
sum depends on their number, so neither does a bit of the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from kernels.cpu_kernels import SPACING, backward, forward
from kernels.cpu_kernels import trace as trace_kernel
from kernels.inputs import ScanInputs, Traced
from kernels.lanes import LANES
from kernels.reference import as_shares, finish, promote, step_sizes

# Below this many vectors of state a second thread costs more than it brings (about 1 ms of work).
THREAD_WORK = 200_000


def scan(inputs: ScanInputs, with_state: bool) -> tuple[Tensor, Tensor | None]:
    """Give y [B, L, M, E] in u's dtype and the final state [B, M, E, N] in float32, or None."""
    i = promote(inputs)
    y, state = _Scan.apply(with_state, i.u, step_sizes(i), i.A, i.B, i.C, i.coupling, i.initial_state)
    return finish(inputs, i, y), state


def trace(inputs: ScanInputs, shares: bool) -> Traced:
    """Give y, the norms, the shares where asked for, and the final state, without gradients."""
    i = promote(inputs)
    layout, packed = _prepare(i.u, step_sizes(i), i.A, i.B, i.C, i.coupling)
    h0 = torch.empty(0) if i.initial_state is None else _pack(i.initial_state)
    y, last = torch.empty_like(packed[0]), torch.empty(layout.states)
    squares = torch.empty(layout.batch, layout.blocks, layout.length, layout.modalities)
    share = None
    if shares:
        products = torch.empty(*squares.shape, layout.modalities)
        _spread(trace_kernel, layout, *packed, h0, y, last, _flat(products), _flat(squares))
        share = as_shares(products.sum(1))
    else:
        _spread(forward, layout, *packed, h0, y, last, torch.empty(0), _flat(squares))
    y = finish(inputs, i, _unrows(y, i.u.shape))
    return Traced(y, squares.sum(1).sqrt(), share, _unpack(last, layout))


def refusal(u: Tensor) -> str | None:
    """Float64 and other devices are not for this backend."""
    if u.device.type != "cpu":
        return f"the inputs are on {u.device}: use backend='auto', or move them with .cpu()"
    if u.dtype == torch.float64:
        return "u is float64: use backend='reference', or u.float()"
    return None


class _Scan(torch.autograd.Function):
    """y = C . h and, if wanted, the final state, from float32 inputs."""

    @staticmethod
    def forward(ctx: Any, with_state: bool, *tensors: Tensor) -> tuple[Tensor, Tensor | None]:
        *given, h0 = tensors
        layout, packed = _prepare(*given)
        kept = torch.empty(layout.chunks * layout.states if any(ctx.needs_input_grad) else 0)
        y, last = torch.empty_like(packed[0]), torch.empty(layout.states if with_state else 0)
        first = torch.empty(0) if h0 is None else _pack(h0)
        _spread(forward, layout, *packed, first, y, last, kept, torch.empty(0))
        ctx.save_for_backward(*packed, kept)
        ctx.layout, ctx.shape = layout, given[0].shape
        ctx.set_materialize_grads(False)
        return _unrows(y, given[0].shape), _unpack(last, layout) if with_state else None

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor | None, dlast: Tensor | None) -> tuple[Tensor | None, ...]:
        *packed, kept = ctx.saved_tensors
        layout = ctx.layout
        dy = torch.zeros_like(packed[0]) if dy is None else _rows(dy)
        dlast = torch.empty(0) if dlast is None else _pack(dlast)
        du, ddelta = torch.empty_like(packed[0]), torch.empty_like(packed[0])
        dA = torch.empty(layout.batch, layout.state)
        dB, dC = (torch.empty(layout.blocks, *packed[k].shape) for k in (3, 4))
        dW = torch.zeros(layout.batch * layout.blocks, layout.modalities**2, dtype=torch.float64)
        dh0 = torch.empty(layout.states if ctx.needs_input_grad[-1] else 0)
        _spread(backward, layout, *packed, kept, dy, dlast, du, ddelta, *map(_flat, (dA, dB, dC, dW)), dh0)
        rows = (layout.batch, layout.length, layout.modalities, layout.states_per_channel)
        return (
            None,
            _unrows(du, ctx.shape),
            _unrows(ddelta, ctx.shape),
            _unpack(dA.sum(0), replace(layout, batch=1))[0],
            dB.sum(0).view(rows),
            dC.sum(0).view(rows),
            dW.sum(0).float().view(layout.modalities, layout.modalities),
            _unpack(dh0, layout) if ctx.needs_input_grad[-1] else None,
        )


@dataclass(frozen=True)
class _Layout:
    """The sizes the kernels work with."""

    batch: int
    length: int
    modalities: int
    channels: int
    states_per_channel: int

    @property
    def blocks(self) -> int:
        """Blocks of LANES channels, the last one filled up with zeros."""
        return -(-self.channels // LANES)

    @property
    def chunks(self) -> int:
        """Checkpoints of one block."""
        return -(-self.length // SPACING)

    @property
    def state(self) -> int:
        """Floats in the state of one sequence."""
        return self.blocks * LANES * self.modalities * self.states_per_channel

    @property
    def states(self) -> int:
        """Floats in the states of the whole batch."""
        return self.batch * self.state


def _prepare(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, W: Tensor
) -> tuple[_Layout, tuple[Tensor, ...]]:
    """The layout and the flat arrays of the kernels; A is scaled so that S = 2^(delta A)."""
    layout = _Layout(u.shape[0], u.shape[1], u.shape[2], u.shape[3], A.shape[-1])
    scaled = A.detach() * math.log2(math.e)
    return layout, (_rows(u), _rows(delta), _pack(scaled), _flat(B), _flat(C), _flat(W))


def _spread(kernel: Callable[..., None], layout: _Layout, *tensors: Tensor) -> None:
    """Run a kernel over all its blocks, in as many threads as torch uses and the work is worth."""
    arrays = [value.numpy() for value in tensors]
    sizes = (layout.length, layout.blocks * LANES, layout.states_per_channel)
    chains = (0,) * layout.modalities
    tasks = layout.batch * layout.blocks
    threads = max(
        1, min(torch.get_num_threads(), tasks, layout.states // LANES * layout.length // THREAD_WORK)
    )
    edges = [tasks * k // threads for k in range(threads + 1)]
    if threads == 1:
        kernel(*arrays, sizes, chains, 0, tasks)
        return
    # A pool of its own for every call: no state is shared between callers, and none is lost in a fork.
    with ThreadPoolExecutor(threads) as pool:
        parts = [pool.submit(kernel, *arrays, sizes, chains, *edges[k : k + 2]) for k in range(threads)]
    for part in parts:
        part.result()


def _flat(value: Tensor) -> Tensor:
    return value.detach().contiguous().view(-1)


def _rows(value: Tensor) -> Tensor:
    """[B, L, M, E] -> flat, with E padded by zeros to whole blocks."""
    spare = -value.shape[-1] % LANES
    return _flat(F.pad(value, (0, spare)) if spare else value)


def _unrows(flat: Tensor, shape: tuple[int, ...]) -> Tensor:
    channels = shape[-1] + -shape[-1] % LANES
    return flat.view(*shape[:-1], channels)[..., : shape[-1]].contiguous()


def _pack(states: Tensor) -> Tensor:
    """[..., M, E, N] -> flat [..., blocks, M, N, LANES], with E padded by zeros to whole blocks."""
    padded = F.pad(states, (0, 0, 0, -states.shape[-2] % LANES))
    return _flat(padded.unflatten(-2, (-1, LANES)).transpose(-4, -3).transpose(-1, -2))


def _unpack(flat: Tensor, layout: _Layout) -> Tensor:
    """The reverse of `_pack`, to [B, M, E, N]."""
    batch, M, N = layout.batch, layout.modalities, layout.states_per_channel
    states = flat.view(batch, layout.blocks, M, N, LANES).permute(0, 2, 1, 4, 3)
    return states.reshape(batch, M, layout.blocks * LANES, N)[:, :, : layout.channels]
