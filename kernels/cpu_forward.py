"""The forward loops of the CPU backend, compiled by numba: a block of channels' states stays in the first-level cache.

The LANES channels of a block are one vector, so no sum runs across lanes in the forward; a bundle is such a vector for
each of the M chains. The states of a block are laid out [N, M, LANES]; a task is one block of one sequence, numbered
b * blocks + block. Time goes in stretches of SPACING ticks, each for all blocks in turn, so that the rows of a
stretch are read from memory once.

Memory is given by address, 0 where an argument is absent. `given` is (u, delta, A, B, C, W, D, z, delta_bias, mask),
all float32, A [blocks, N, M, LANES] scaled so that S = 2^(delta A), B finite at masked ticks, and `softly` says whether
delta goes through softplus. `sizes` is (L, E, N) with E a whole number of blocks. `chains` is a tuple of M zeros: a
tuple's length is part of its type, so the compiler knows M. `room` is scratch memory of as many floats as
`forward_room` says.
"""

# numba infers the types of what it compiles, and `Lanes` has none that mypy could check.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False

from __future__ import annotations

from kernels.lane_functions import (
    WITHIN,
    exp2,
    exp2_within,
    larger,
    mix,
    only,
    peak,
    sigmoid,
    softplus,
    store_totals,
    where,
)
from kernels.lanes import LANES, compiled, load, matrix, spread, store, zeros

SPACING = 32  # ticks between checkpoints; memory grows with L / SPACING states
NEAR, FAR = (), (0,)  # by its length the compiler knows which of two loops it makes


def forward_room(blocks: int, modalities: int, states: int) -> int:
    """Floats of scratch for `forward`: the states of one sequence."""
    return blocks * modalities * states * LANES


def trace_room(blocks: int, modalities: int, states: int) -> int:
    """Floats of scratch for `trace`: the states of one block for every source, and a tick's outputs."""
    return modalities * (modalities * states + modalities) * LANES


@compiled
def entering(given, softly, row, p, place, E, chains):
    """(the delta that acts, delta u): delta plus its bias, through softplus; both 0 at a masked tick. They are chosen,
    not multiplied: what is given there may be NaN, and NaN times 0 is NaN.
    """
    u, delta, _, _, _, _, _, _, bias, present = given
    d = load(delta, p, E, chains)
    if bias != 0:
        d = d + load(bias, place, E, chains)
    if softly:
        d = softplus(d)
    x = d * load(u, p, E, chains)
    if present != 0:
        flags = spread(present, row, 1, chains)
        d, x = where(flags, d), where(flags, x)
    return d, x


@compiled
def before_step(given, softly, row, p, place, E, to_delta, chains):
    """The gradient of the delta given, from that of the delta that acts; 0 at a masked tick."""
    _, delta, _, _, _, _, _, _, bias, present = given
    if softly:
        d = load(delta, p, E, chains)
        if bias != 0:
            d = d + load(bias, place, E, chains)
        to_delta = to_delta * sigmoid(d)
    if present != 0:
        to_delta = where(spread(present, row, 1, chains), to_delta)
    return to_delta


@compiled
def steepest(A, first, N, chains):
    """The largest magnitude among a block's A: how far a step can go before 2^(delta A) needs its ends looked after."""
    most = zeros(chains)
    for n in range(N):
        a = load(A, first + n * len(chains) * LANES, LANES, chains)
        most = larger(most, larger(a, zeros(chains) - a))
    return peak(most)


@compiled
def decay(reach, d, a):
    """S = 2^(delta A); `reach` says whether delta A can leave the range of `exp2_within`."""
    return exp2_within(d, a) if len(reach) == 0 else exp2(d * a)


@compiled
def _finish(given, out, p, place, E, chains):
    """C . h plus the skip D u, through the gate silu(z)."""
    u, _, _, _, _, _, D, z, _, _ = given
    if D != 0:
        out = out + load(D, place, E, chains) * load(u, p, E, chains)
    if z != 0:
        gate = load(z, p, E, chains)
        out = out * gate * sigmoid(gate)
    return out


@compiled
def _advance(reach, A, B, C, w, h, d, x, row, N, squared, chains):
    """Take the states h of a block one tick on, in place; (C . h, the sums of h^2 where asked for)."""
    out, squares = zeros(chains), zeros(chains)
    size = len(chains) * LANES
    for n in range(N):
        g = mix(w, load(h, n * size, LANES, chains))
        v = decay(reach, d, load(A, n * size, LANES, chains)) * g + x * spread(B, row * N + n, N, chains)
        store(h, n * size, LANES, v)
        out = v * spread(C, row * N + n, N, chains) + out
        if squared:
            squares = v * v + squares
    return out, squares


@compiled
def copy(target, source, count, chains):
    """Copy the states of a block; zeros where there is no source."""
    size = len(chains) * LANES
    for o in range(0, count * size, size):
        store(target, o, LANES, load(source, o, LANES, chains) if source != 0 else zeros(chains))


@compiled
def forward(given, h0, y, last, kept, norms, room, softly, sizes, chains, start, stop):
    """Blocks start..stop of y [B, L, M, E]. Where given, h0 and last [tasks, N, M, LANES] are the first and the last
    state, kept takes the states before ticks SPACING, 2 SPACING and so on, and norms [tasks, L, M] the sum of h^2
    over the block.
    """
    _, _, A, B, C, W, _, _, _, _ = given
    (L, E, N), M = sizes, len(chains)
    blocks, size = E // LANES, M * N * LANES
    chunks = (L + SPACING - 1) // SPACING
    w = matrix(W, chains)
    for b in range(start // blocks, (stop + blocks - 1) // blocks):
        tasks = range(max(start, b * blocks), min(stop, (b + 1) * blocks))
        for task in tasks:
            block = task - b * blocks
            copy(room + 4 * block * size, h0 + 4 * task * size if h0 != 0 else 0, N, chains)
        for chunk in range(chunks):
            for task in tasks:
                block = task - b * blocks
                h, a = room + 4 * block * size, A + 4 * block * size
                far = WITHIN / steepest(A, block * size, N, chains)
                if kept != 0 and chunk > 0:
                    copy(kept + 4 * (task * (chunks - 1) + chunk - 1) * size, h, N, chains)
                for t in range(chunk * SPACING, min(L, (chunk + 1) * SPACING)):
                    row = (b * L + t) * M
                    p, place = row * E + block * LANES, block * LANES
                    d, x = entering(given, softly, row, p, place, E, chains)
                    if peak(d) <= far:
                        out, squares = _advance(NEAR, a, B, C, w, h, d, x, row, N, norms != 0, chains)
                    else:
                        out, squares = _advance(FAR, a, B, C, w, h, d, x, row, N, norms != 0, chains)
                    store(y, p, E, _finish(given, out, p, place, E, chains))
                    if norms != 0:
                        store_totals(norms, (task * L + t) * M, 1, squares)
        if last != 0:
            for task in tasks:
                copy(last + 4 * task * size, room + 4 * (task - b * blocks) * size, N, chains)


@compiled
def trace(given, h0, y, last, products, norms, room, softly, sizes, chains, start, stop):
    """`forward` carried once for every source: products [tasks, L, M, M] = sum over the block of y^{m<-j} y^m."""
    A, W = given[2], given[5]
    (L, E, N), M = sizes, len(chains)
    blocks, size = E // LANES, M * N * LANES
    outs = room + 4 * M * size  # after the states [source, N, M, LANES], a tick's outputs [source, M, LANES]
    w = matrix(W, chains)
    for task in range(start, stop):
        b, block = divmod(task, blocks)
        _part(room, h0 + 4 * task * size if h0 != 0 else 0, N, chains)
        for t in range(L):
            row, here = (b * L + t) * M, task * L + t
            p, place = row * E + block * LANES, block * LANES
            d, x = entering(given, softly, row, p, place, E, chains)
            squares = _advance_parts(given, A + 4 * block * size, room, outs, w, d, x, row, N, chains)
            out = _whole(outs, M * LANES, chains)
            store(y, p, E, _finish(given, out, p, place, E, chains))
            store_totals(norms, here * M, 1, squares)
            for j in range(M):
                shared = load(outs, j * M * LANES, LANES, chains) * out
                store_totals(products, here * M * M + j, M, shared)
        for o in range(0, size, M * LANES):
            store(last, task * size + o, LANES, _whole(room + 4 * o, size, chains))


@compiled
def _part(parts, first, N, chains):
    """The states of a block for every source [M, N, M, LANES]: each begins with its own chain of the first state."""
    width = len(chains) * LANES
    for j in range(len(chains)):
        for o in range(0, N * width, width):
            h = load(first, o, LANES, chains) if first != 0 else zeros(chains)
            store(parts, j * N * width + o, LANES, only(h, j))


@compiled
def _whole(parts, stride, chains):
    """The sum over the sources of what lies `stride` floats apart."""
    whole = zeros(chains)
    for j in range(len(chains)):
        whole = whole + load(parts, j * stride, LANES, chains)
    return whole


@compiled
def _advance_parts(given, A, parts, outs, w, d, x, row, N, chains):
    """Take the states for every source one tick on, in place, and leave C . h of each in `outs`; the sums of h^2."""
    B, C, M = given[3], given[4], len(chains)
    width = M * LANES
    squares = zeros(chains)
    for j in range(M):
        store(outs, j * width, LANES, zeros(chains))
    for n in range(N):
        s = decay(FAR, d, load(A, n * width, LANES, chains))
        c = spread(C, row * N + n, N, chains)
        injected = x * spread(B, row * N + n, N, chains)
        whole = zeros(chains)
        for j in range(M):
            o = (j * N + n) * width
            v = s * mix(w, load(parts, o, LANES, chains)) + only(injected, j)
            store(parts, o, LANES, v)
            store(outs, j * width, LANES, v * c + load(outs, j * width, LANES, chains))
            whole = whole + v
        squares = whole * whole + squares
    return squares
