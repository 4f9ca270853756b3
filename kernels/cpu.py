"""The coupled scan on a CPU: the numba loops of cpu_forward.py and cpu_backward.py, their threads and their autograd.

Memory for the backward grows with L / 32 states: the forward keeps checkpoints, and the backward recomputes what lies
between two. Nothing else of the size of u is made: softplus, mask, skip and gate happen inside the loops, because on
a CPU a fresh array costs more in page faults than in arithmetic.

Threads are ours, one range of blocks each, because numba's own pool must not be entered by two threads at once. No
sum depends on their number, so neither does a bit of the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.cpu_backward import STRIP, backward, backward_room
from kernels.cpu_forward import SPACING, forward, forward_room, trace_room
from kernels.cpu_forward import trace as trace_kernel
from kernels.inputs import ScanInputs, Traced
from kernels.lanes import LANES
from kernels.once import history, once
from kernels.reference import as_shares

# Below this many vectors of state a second thread costs more than it brings (about 1 ms of work).
THREAD_WORK = 200_000


def scan(inputs: ScanInputs, with_state: bool) -> tuple[Tensor, Tensor | None]:
    """Give y [B, L, M, E] in u's dtype and, if wanted, the final state [B, M, E, N] in float32."""
    return _Scan.apply(inputs.delta_softplus, with_state, history(inputs), *inputs.in_order)


def trace(inputs: ScanInputs, shares: bool) -> Traced:
    """Give y, the norms, the shares where asked for, and the final state, without gradients."""
    softly, layout = inputs.delta_softplus, _Layout.of(inputs.u, inputs.A)
    given, h0 = _prepare(inputs.in_order)
    y, last = torch.empty_like(cast(Tensor, given[0])), _floats(layout.states)
    squares = _floats(layout.batch, layout.blocks, layout.length, layout.modalities)
    share = None
    if shares:
        products = _floats(*squares.shape, layout.modalities)
        outputs = (h0, y, last, products, squares)
        _spread(trace_kernel, trace_room, layout, softly, given, *outputs)
        share = as_shares(products.sum(1))
    else:
        _spread(forward, forward_room, layout, softly, given, h0, y, last, None, squares)
    return Traced(_unrows(y, inputs.u), squares.sum(1).sqrt(), share, _unpack(last, layout))


def refusal(u: Tensor) -> str | None:
    """Float64 and other devices are not for this backend."""
    if u.device.type != "cpu":
        return f"the inputs are on {u.device}: use backend='auto', or move them with .cpu()"
    if u.dtype == torch.float64:
        return "u is float64: use backend='reference', or u.float()"
    return None


class _Scan(torch.autograd.Function):
    """The whole operation, skip and gate included."""

    @staticmethod
    def forward(
        ctx: Any, softly: bool, with_state: bool, past: Tensor | None, *tensors: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        u, A = cast(Tensor, tensors[0]), cast(Tensor, tensors[2])
        layout = _Layout.of(u, A)
        given, h0 = _prepare(tensors)
        kept = _floats(layout.checkpoints * layout.states) if past is not None else None
        y, last = torch.empty_like(cast(Tensor, given[0])), _floats(layout.states) if with_state else None
        _spread(forward, forward_room, layout, softly, given, h0, y, last, kept, None)
        ctx.save_for_backward(past, *given, h0, kept, u)
        ctx.softly, ctx.layout = softly, layout
        ctx.dtypes = [None if value is None else value.dtype for value in tensors]
        ctx.set_materialize_grads(False)
        return _unrows(y, u), None if last is None else _unpack(last, layout)

    @staticmethod
    @once
    def backward(
        ctx: Any, saved: list[Any], dy: Tensor | None, dlast: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        *given, h0, kept, u = saved
        dy = torch.zeros_like(given[0]) if dy is None else _rows(dy)
        dlast = None if dlast is None else _pack(dlast.float())
        held = (tuple(given), h0, kept)
        found = _gradients(ctx.layout, ctx.softly, held, dy, dlast, u, ctx.needs_input_grad[-1])
        typed = [None if t is None or g is None else g.to(t) for g, t in zip(found, ctx.dtypes, strict=True)]
        return None, None, None, *typed


def _gradients(
    layout: _Layout,
    softly: bool,
    saved: tuple[tuple[Tensor | None, ...], Tensor | None, Tensor],
    dy: Tensor,
    dlast: Tensor | None,
    u: Tensor,
    of_start: bool,
) -> tuple[Tensor | None, ...]:
    """The gradients in the order of the inputs, in float32; those of W, D and the bias in float64."""
    given, h0, kept = saved
    B, L, M, N = layout.batch, layout.length, layout.modalities, layout.states_per_channel
    du, ddelta = torch.empty_like(dy), torch.empty_like(dy)
    dz = None if given[7] is None else torch.empty_like(dy)
    dA, padded = _floats(B, layout.state), -(-N // STRIP) * STRIP
    dB, dC = (_floats(layout.parts, B, L, M, padded).zero_() for _ in range(2))
    dW = dy.new_zeros(B * layout.blocks, M, M, dtype=torch.float64)
    dD, dbias = (dy.new_zeros(B, layout.blocks, M, LANES, dtype=torch.float64) for _ in range(2))
    dh0 = _floats(layout.states) if of_start else None
    found = (du, ddelta, dz, dA, dB, dC, dW, dD, dbias, dh0)
    sharing = (-(-layout.blocks // layout.parts), B * L * M)
    _spread(backward, backward_room, layout, softly, given, h0, kept, dy, dlast, found, last=(sharing,))
    return (
        _unrows(du, u),
        _unrows(ddelta, u),
        _unpack(dA.sum(0), replace(layout, batch=1))[0],
        dB.sum(0)[..., :N],
        dC.sum(0)[..., :N],
        dW.sum(0),
        _channels(dD, layout),
        None if dz is None else _unrows(dz, u),
        _channels(dbias, layout),
        None,
        None if dh0 is None else _unpack(dh0, layout),
    )


@dataclass(frozen=True)
class _Layout:
    """The sizes the kernels work with."""

    batch: int
    length: int
    modalities: int
    channels: int
    states_per_channel: int

    @classmethod
    def of(cls, u: Tensor, A: Tensor) -> _Layout:
        """The layout for u [B, L, M, E] and A [M, E, N]."""
        return cls(u.shape[0], u.shape[1], u.shape[2], u.shape[3], A.shape[2])

    @property
    def blocks(self) -> int:
        """Blocks of LANES channels, the last one filled up with zeros."""
        return -(-self.channels // LANES)

    @property
    def checkpoints(self) -> int:
        """Checkpoints of one block: one between every two chunks."""
        return max(-(-self.length // SPACING) - 1, 0)

    @property
    def parts(self) -> int:
        """Runs of blocks that no two threads share, for one sequence: 16 in all leave enough to share out."""
        return min(self.blocks, -(-16 // max(self.batch, 1)))

    def first_task(self, run: int) -> int:
        """The task that begins a run of blocks, counted over the whole batch."""
        b, part = divmod(run, self.parts)
        return b * self.blocks + min(part * -(-self.blocks // self.parts), self.blocks)

    @property
    def state(self) -> int:
        """Floats in the state of one sequence."""
        return self.blocks * LANES * self.modalities * self.states_per_channel

    @property
    def states(self) -> int:
        """Floats in the states of the whole batch."""
        return self.batch * self.state


def _prepare(tensors: Sequence[Tensor | None]) -> tuple[tuple[Tensor | None, ...], Tensor | None]:
    """(the arrays that the kernels call `given`, the initial state), flat float32."""
    found = [None if value is None else value.detach().float() for value in tensors]
    u, delta, A, B, C, W, D, z, bias, mask, h0 = found
    u, delta, D, z, bias = (None if v is None else _rows(v) for v in (u, delta, D, z, bias))
    # Nothing is injected at a masked tick, not even NaN. The loops see to delta and u; B is copied only where needed.
    if tensors[9] is not None and not cast(Tensor, B).sum().isfinite():
        B = cast(Tensor, B).masked_fill(~tensors[9][..., None], 0.0)
    B, C, W, mask = (None if v is None else _flat(v) for v in (B, C, W, mask))
    scaled = _pack(cast(Tensor, A) * math.log2(math.e))
    return (u, delta, scaled, B, C, W, D, z, bias, mask), None if h0 is None else _pack(h0)


def _spread(
    kernel: Callable[..., None],
    room: Callable[[int, int, int], int],
    layout: _Layout,
    softly: bool,
    given: tuple[Tensor | None, ...],
    *outputs: Tensor | tuple[Tensor | None, ...] | None,
    last: tuple[Any, ...] = (),
) -> None:
    """Run a kernel over all its blocks, in as many threads as torch uses and the work is worth."""
    runs = layout.batch * layout.parts
    work = layout.states // LANES * layout.length
    threads = max(1, min(torch.get_num_threads(), runs, work // THREAD_WORK))
    edges = [layout.first_task(runs * k // threads) for k in range(threads + 1)]
    M, N = layout.modalities, layout.states_per_channel
    scratch = [_floats(room(layout.blocks, M, N)) for _ in range(threads)]
    addresses = [_address(value) for value in (given, *outputs)]
    sizes = (layout.length, layout.blocks * LANES, N)

    def run(k: int) -> None:
        kernel(*addresses, scratch[k].data_ptr(), softly, sizes, (0,) * M, *last, *edges[k : k + 2])

    if threads == 1:
        run(0)
        return
    # A pool of its own for every call: no state is shared between callers, and none is lost in a fork.
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(threads)))


def _floats(*shape: int) -> Tensor:
    """Memory for the loops, which write float32 on the CPU whatever torch's default dtype and device are."""
    return torch.empty(*shape, dtype=torch.float32, device="cpu")


def _address(value: Tensor | tuple[Tensor | None, ...] | None) -> Any:
    """Where a contiguous tensor begins, 0 for none or nothing; of a tuple, where each of its tensors does."""
    if isinstance(value, tuple):
        return tuple(_address(one) for one in value)
    return 0 if value is None else value.data_ptr()


def _flat(value: Tensor) -> Tensor:
    return value.detach().contiguous().view(-1)


def _rows(value: Tensor) -> Tensor:
    """[..., E] -> flat float32, with E padded by zeros to whole blocks."""
    spare = -value.shape[-1] % LANES
    return _flat((F.pad(value, (0, spare)) if spare else value).float())


def _unrows(flat: Tensor, like: Tensor) -> Tensor:
    """The reverse of `_rows`, in the shape and dtype of `like`."""
    channels = like.shape[-1] + -like.shape[-1] % LANES
    return flat.view(*like.shape[:-1], channels)[..., : like.shape[-1]].to(like.dtype).contiguous()


def _channels(parts: Tensor, layout: _Layout) -> Tensor:
    """Parts [B, blocks, M, LANES] -> their sum [M, E]."""
    return parts.sum(0).transpose(0, 1).reshape(layout.modalities, -1)[:, : layout.channels]


def _pack(states: Tensor) -> Tensor:
    """[..., M, E, N] -> flat [..., blocks, N, M, LANES], with E padded by zeros to whole blocks."""
    padded = F.pad(states, (0, 0, 0, -states.shape[-2] % LANES))
    return _flat(padded.unflatten(-2, (-1, LANES)).movedim((-3, -1), (-4, -3)))


def _unpack(flat: Tensor, layout: _Layout) -> Tensor:
    """The reverse of `_pack`, to [B, M, E, N]."""
    batch, M, N = layout.batch, layout.modalities, layout.states_per_channel
    states = flat.view(batch, layout.blocks, N, M, LANES).permute(0, 3, 1, 4, 2)
    return states.reshape(batch, M, layout.blocks * LANES, N)[:, :, : layout.channels]
