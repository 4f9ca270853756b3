"""The backward loops of the CPU backend, compiled by numba; names and layout are those of cpu_forward.py.

They go through the chunks between checkpoints from the last, recompute one, and walk it backwards with the one
carried quantity G_t^m = sum_i W_im q_{t+1}^i, where q = S lambda and lambda = dy C + G. Within a chunk they take a
strip of states at a time: states n do not meet but in the sums of a row, which `rows` holds. `stretch` is a chunk of a
task: (its first row, the task, its block, how many ticks), and `scratch` what `_places` gives.
"""

# numba infers the types of what it compiles, and `Lanes` has none that mypy could check.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False

from __future__ import annotations

import math

import numpy as np

from kernels.cpu_forward import FAR, NEAR, SPACING, before_step, copy, decay, entering, steepest
from kernels.lane_functions import WITHIN, add_lanes, add_totals, columns, mix, mix_back, outer, peak, sigmoid
from kernels.lanes import LANES, compiled, load, matrix, splat, spread, store, zero_pairs, zeros

# States n that go through a chunk at a time: few enough for the cache, and as `columns` takes them.
STRIP = LANES
_ONE = np.float32(1)
_LN2 = np.float32(math.log(2))
_ROWS = 6


def backward_room(blocks: int, modalities: int, states: int) -> int:
    """Floats of scratch for `backward`: rows, H, S, G and the terms of dB and dC."""
    ticks = (_ROWS * SPACING + (2 * SPACING + 1) * STRIP + states + 2 * STRIP) * modalities
    return ticks * LANES


@compiled
def backward(given, h0, kept, dy, dlast, found, room, softly, sizes, chains, sharing, start, stop):
    """Gradients of blocks start..stop into `found`: du, ddelta, dz, dA, dB, dC, dW, dD, dbias, dh0. dA [tasks, N, M,
    LANES] and, in float64 and zeros at first, dW [tasks, M, M], dD and dbias [tasks, M, LANES] are one part for every
    task; dB and dC [parts, B L M, N up to whole strips] are one for a run of blocks that no two threads share,
    `sharing` being (blocks in a run, B L M). They are added up afterwards in one order, so that threads do not change
    the bits. dlast, dz and dh0 may be absent.
    """
    (L, E, N), M = sizes, len(chains)
    blocks, size = E // LANES, M * N * LANES
    chunks = (L + SPACING - 1) // SPACING
    scratch = _places(room, N, chains)
    w = matrix(given[5], chains)
    for task in range(start, stop):
        b, block = divmod(task, blocks)
        _open_task(found, scratch, dlast, task, N, chains)
        far = WITHIN / steepest(given[2], block * size, N, chains)
        for chunk in range(chunks - 1, -1, -1):
            first = chunk * SPACING
            stretch = ((b * L + first) * M, task, block, min(SPACING, L - first))
            source = h0 + 4 * task * size if h0 != 0 else 0
            if chunk > 0:
                source = kept + 4 * (task * (chunks - 1) + chunk - 1) * size
            part = block // sharing[0] * sharing[1]
            near = _open_rows(given, dy, room, softly, sizes, chains, stretch, far)
            _pass_strips(near, given, found, scratch, source, w, N, chains, stretch, part)
            _close_rows(given, dy, scratch, found, softly, sizes, chains, stretch)
        if found[9] != 0:
            copy(found[9] + 4 * task * size, scratch[3], N, chains)


@compiled
def _places(room, N, chains):
    """Where in the scratch lie the rows, H, S, G and the terms of dB and dC."""
    width = len(chains) * LANES
    H = room + 4 * _ROWS * SPACING * width
    S = H + 4 * (SPACING + 1) * STRIP * width
    G = S + 4 * SPACING * STRIP * width
    return room, H, S, G, G + 4 * N * width


@compiled
def _open_task(found, scratch, dlast, task, N, chains):
    """G as it comes to the last tick, and zeros in the part of dA's, which is summed over time."""
    size = N * len(chains) * LANES
    copy(scratch[3], dlast + 4 * task * size if dlast != 0 else 0, N, chains)
    copy(found[3] + 4 * task * size, 0, N, chains)


@compiled
def _pass_strips(near, given, found, scratch, source, w, N, chains, stretch, part):
    """Recompute one chunk and walk it back, a strip of states at a time."""
    M = len(chains)
    for low in range(0, N, STRIP):
        strip = (low, min(low + STRIP, N))
        begun = source + 4 * low * M * LANES if source != 0 else 0
        if near:
            _replay(NEAR, given, begun, scratch, w, N, chains, stretch, strip)
        else:
            _replay(FAR, given, begun, scratch, w, N, chains, stretch, strip)
        pairs = _walk_back(given, found, scratch, w, N, chains, stretch, part, strip)
        # Float64 beyond a strip: one float32 sum over all of L was the least exact gradient.
        add_totals(found[6] + 8 * stretch[1] * M * M, pairs)


@compiled
def _open_rows(given, dy, rows, softly, sizes, chains, stretch, far):
    """Fill rows [6, SPACING, M, LANES] of a chunk: delta, delta u, the gradient before the gate, and three zeros for
    what is summed over n: towards delta, towards delta u, and C . h. Says whether every delta is within `far`.
    """
    z = given[7]
    (_, E, _), M = sizes, len(chains)
    first, _, block, ticks = stretch
    width = M * LANES
    step = SPACING * width
    near = True
    for t in range(ticks):
        row = first + t * M
        o, p = t * width, row * E + block * LANES
        d, x = entering(given, softly, row, p, block * LANES, E, chains)
        near = near and peak(d) <= far  # no delta that is NaN is
        f = load(dy, p, E, chains)
        if z != 0:
            gate = load(z, p, E, chains)
            f = f * gate * sigmoid(gate)
        store(rows, o, LANES, d)
        store(rows, step + o, LANES, x)
        store(rows, 2 * step + o, LANES, f)
        for k in range(3, _ROWS):
            store(rows, k * step + o, LANES, zeros(chains))
    return near


@compiled
def _replay(reach, given, source, scratch, w, N, chains, stretch, strip):
    """Recompute the states n of a strip over one chunk: S [ticks, STRIP, M, LANES] and H [1 + ticks, ...]."""
    A, B, M = given[2], given[3], len(chains)
    rows, H, S, _, _ = scratch
    row, _, block, ticks = stretch
    low, high = strip
    width = M * LANES
    step = STRIP * width
    copy(H, source, high - low, chains)
    for t in range(ticks):
        d, x = load(rows, t * width, LANES, chains), load(rows, (SPACING + t) * width, LANES, chains)
        for n in range(low, high):
            o = t * step + (n - low) * width
            s = decay(reach, d, load(A, (block * N + n) * width, LANES, chains))
            g = mix(w, load(H, o, LANES, chains))
            store(S, o, LANES, s)
            store(H, o + step, LANES, s * g + x * spread(B, (row + t * M) * N + n, N, chains))


@compiled
def _walk_back(given, found, scratch, w, N, chains, stretch, part, strip):
    """Walk a strip of states back over one chunk; G [N, M, LANES] goes from after its last tick to before its first.
    Gives the sums of q^m h^j over the strip.
    """
    (_, _, A, B, C, _, _, _, _, _), M = given, len(chains)
    _, _, _, dA, dB, dC, _, _, _, _ = found
    rows, H, S, G, terms = scratch
    row, task, block, ticks = stretch
    low, high = strip
    width = M * LANES
    step, across = STRIP * width, SPACING * width
    padded = (N + STRIP - 1) // STRIP * STRIP
    dA += 4 * task * N * width
    pairs = zero_pairs(chains)
    for t in range(ticks - 1, -1, -1):
        k = t * width
        d, x = load(rows, k, LANES, chains), load(rows, across + k, LANES, chains)
        f = load(rows, 2 * across + k, LANES, chains)
        to_delta = load(rows, 3 * across + k, LANES, chains)
        to_x = load(rows, 4 * across + k, LANES, chains)
        out = load(rows, 5 * across + k, LANES, chains)
        for n in range(low, high):
            i = (n - low) * width
            c = spread(C, (row + t * M) * N + n, N, chains)
            lam = f * c + load(G, n * width, LANES, chains)
            q = load(S, t * step + i, LANES, chains) * lam
            before, after = load(H, t * step + i, LANES, chains), load(H, (t + 1) * step + i, LANES, chains)
            qg = q * mix(w, before)
            store(G, n * width, LANES, mix_back(w, q))
            pairs = outer(q, before) + pairs
            to_delta = qg * load(A, (block * N + n) * width, LANES, chains) + to_delta
            to_x = lam * spread(B, (row + t * M) * N + n, N, chains) + to_x
            out = after * c + out
            store(dA, n * width, LANES, qg * d + load(dA, n * width, LANES, chains))
            store(terms, i, LANES, lam * x)
            store(terms, step + i, LANES, f * after)
        store(rows, 3 * across + k, LANES, to_delta)
        store(rows, 4 * across + k, LANES, to_x)
        store(rows, 5 * across + k, LANES, out)
        own = (part + row + t * M) * padded + low
        store(dB, own, padded, columns(terms, 0, LANES, chains) + load(dB, own, padded, chains))
        store(dC, own, padded, columns(terms, step, LANES, chains) + load(dC, own, padded, chains))
    return pairs


@compiled
def _close_rows(given, dy, scratch, found, softly, sizes, chains, stretch):
    """From the sums over n, the gradients of u, delta and z over one chunk, and the parts of D's and the bias's.
    These are summed where the terms of dB and dC were, which nothing needs any more.
    """
    u, D, z = given[0], given[6], given[7]
    du, ddelta, dz, _, _, _, _, dD, dbias, _ = found
    (_, E, _), M = sizes, len(chains)
    first, task, block, ticks = stretch
    rows, _, _, _, sums = scratch
    width = M * LANES
    across = SPACING * width
    copy(sums, 0, 2, chains)
    skip = load(D, block * LANES, E, chains) if D != 0 else zeros(chains)
    for t in range(ticks):
        row = first + t * M
        k, p = t * width, row * E + block * LANES
        d, f = load(rows, k, LANES, chains), load(rows, 2 * across + k, LANES, chains)
        v, to_x = load(u, p, E, chains), load(rows, 4 * across + k, LANES, chains)
        if z != 0:
            gate = load(z, p, E, chains)
            open_ = sigmoid(gate)
            bend = splat(_ONE) + gate * (splat(_ONE) - open_)
            out = load(rows, 5 * across + k, LANES, chains)
            if D != 0:  # v may be NaN at a masked tick
                out = out + skip * v
            store(dz, p, E, load(dy, p, E, chains) * out * open_ * bend)
        to_delta = splat(_LN2) * load(rows, 3 * across + k, LANES, chains) + v * to_x
        to_delta = before_step(given, softly, row, p, block * LANES, E, to_delta, chains)
        store(du, p, E, d * to_x + skip * f)
        store(ddelta, p, E, to_delta)
        store(sums, 0, LANES, f * v + load(sums, 0, LANES, chains))
        store(sums, width, LANES, to_delta + load(sums, width, LANES, chains))
    # Float64 beyond a chunk, as for dW: in float32 the error of a sum over all of L grows with L.
    add_lanes(dD + 8 * task * width, load(sums, 0, LANES, chains))
    add_lanes(dbias + 8 * task * width, load(sums, width, LANES, chains))
