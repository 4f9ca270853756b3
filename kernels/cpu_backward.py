"""The backward loops of the CPU backend, compiled by numba; names and layout are those of cpu_forward.py.

They go through the chunks between checkpoints from the last, recompute one, and walk it backwards with the one
carried quantity G_t^m = sum_i W_im q_{t+1}^i, where q = S lambda and lambda = dy C + G. Within a chunk they take a
strip of states at a time: states n do not meet but in the sums of a row, which `rows` holds.
"""

# numba infers the types of what it compiles, and `Lanes` has none that mypy could check.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False

from __future__ import annotations

import math

import numpy as np

from kernels.cpu_forward import SPACING, step_size, step_slope
from kernels.lanes import LANES, compiled, exp2, load, scratch, sigmoid, splat, store, total

STRIP = 16  # states n that the backward takes through a chunk at a time, so that they stay in the cache
_ZERO, _ONE = np.float32(0), np.float32(1)
_LN2 = np.float32(math.log(2))


@compiled
def backward(
    given,
    h0,
    kept,
    dy,
    dlast,
    du,
    ddelta,
    dz,
    dA,
    dB,
    dC,
    dW,
    dD,
    dbias,
    dh0,
    softly,
    sizes,
    chains,
    start,
    stop,
):
    """Gradients of blocks start..stop. dA [tasks, M, N, LANES], dW [tasks, M, M], dD and dbias [tasks, M, LANES] are
    one part for every task, dB and dC [parts, B L M N] one for a run of blocks that no two threads share; they are
    added up afterwards in one order, so that threads do not change the bits. dlast, dz and dh0 may be empty.
    """
    (L, E, N), M = sizes, len(chains)
    size = M * N * LANES
    blocks = E // LANES
    together = -(-blocks // dB.shape[0])
    chunks = (L + SPACING - 1) // SPACING
    rows = scratch(6 * SPACING * M * LANES)
    H = scratch((SPACING + 1) * M * STRIP * LANES)
    S = scratch(SPACING * M * STRIP * LANES)
    q = scratch(M * STRIP * LANES)
    G = scratch(size)
    pairs = scratch(M * M * LANES)
    for task in range(start, stop):
        b, block = divmod(task, blocks)
        for o in range(0, size, LANES):
            store(G, o, load(dlast, task * size + o) if len(dlast) > 0 else splat(_ZERO))
            store(dA, task * size + o, splat(_ZERO))
        for o in range(task * M * LANES, (task + 1) * M * LANES, LANES):
            store(dD, o, splat(_ZERO))
            store(dbias, o, splat(_ZERO))
        for chunk in range(chunks - 1, -1, -1):
            first = chunk * SPACING
            ticks = min(SPACING, L - first)
            row, part = (b * L + first) * M, block // together
            _open_rows(given, dy, rows, softly, sizes, chains, row, block, ticks)
            checkpoint = (task * (chunks - 1) + chunk - 1) * size if chunk > 0 else task * size
            source = kept if chunk > 0 else h0
            for n in range(0, N, STRIP):
                strip = (n, min(n + STRIP, N))
                for o in range(0, M * M * LANES, LANES):
                    store(pairs, o, splat(_ZERO))
                _replay(given, source, checkpoint, rows, H, S, sizes, chains, row, block, ticks, strip)
                _walk_back(
                    given, rows, H, S, q, G, pairs, dA, dB, dC, sizes, chains, row, part, task, ticks, strip
                )
                # Float64 beyond a strip: one float32 sum over all of L was the least exact gradient.
                for k in range(M * M):
                    dW[task * M * M + k] += total(load(pairs, k * LANES))
            _close_rows(given, dy, rows, du, ddelta, dz, dD, dbias, softly, sizes, chains, row, task, ticks)
        if len(dh0) > 0:
            for o in range(0, size, LANES):
                store(dh0, task * size + o, load(G, o))


@compiled
def _open_rows(given, dy, rows, softly, sizes, chains, row, block, ticks):
    """Fill rows [6, SPACING, M, LANES] of a chunk: delta, delta u, the gradient before the gate, and three zeros for
    what is summed over n: towards delta, towards delta u, and C . h.
    """
    u, z = given[0], given[7]
    (_, E, _), M = sizes, len(chains)
    step = SPACING * M * LANES
    for r in range(ticks * M):
        o, p = r * LANES, (row + r) * E + block * LANES
        d, f = step_size(given, softly, row + r, p, r % M * E + block * LANES), load(dy, p)
        if len(z) > 0:
            f = f * load(z, p) * sigmoid(load(z, p))
        store(rows, o, d)
        store(rows, step + o, d * load(u, p))
        store(rows, 2 * step + o, f)
        for k in range(3, 6):
            store(rows, k * step + o, splat(_ZERO))


@compiled
def _replay(given, source, checkpoint, rows, H, S, sizes, chains, row, block, ticks, strip):
    """Recompute the states n of a strip over one chunk: S [ticks, M, STRIP, LANES] and H [1 + ticks, ...]."""
    _, _, A, B, _, W = given[:6]
    (_, _, N), M = sizes, len(chains)
    low, high = strip
    step = M * STRIP * LANES
    for m in range(M):
        for n in range(low, high):
            h = load(source, checkpoint + (m * N + n) * LANES) if len(source) > 0 else splat(_ZERO)
            store(H, (m * STRIP + n - low) * LANES, h)
    for t in range(ticks):
        for m in range(M):
            r = t * M + m
            d, x = load(rows, r * LANES), load(rows, (SPACING * M + r) * LANES)
            for n in range(low, high):
                o = (m * STRIP + n - low) * LANES
                g = splat(W[m * M]) * load(H, t * step + (n - low) * LANES)
                for j in range(1, M):
                    g = splat(W[m * M + j]) * load(H, t * step + (j * STRIP + n - low) * LANES) + g
                s = exp2(d * load(A, (block * M * N + m * N + n) * LANES))
                store(S, t * step + o, s)
                store(H, (t + 1) * step + o, s * g + x * splat(B[(row + r) * N + n]))


@compiled
def _walk_back(given, rows, H, S, q, G, pairs, dA, dB, dC, sizes, chains, row, part, task, ticks, strip):
    """Walk a strip of states back over one chunk; G [M, N, LANES] goes from after its last tick to before its first."""
    _, _, A, B, C, W = given[:6]
    (_, E, N), M = sizes, len(chains)
    low, high = strip
    step, across = M * STRIP * LANES, SPACING * M * LANES
    for t in range(ticks - 1, -1, -1):
        for m in range(M):
            r = t * M + m
            k = r * LANES
            d, x, f = load(rows, k), load(rows, across + k), load(rows, 2 * across + k)
            to_delta, to_x, out = (
                load(rows, 3 * across + k),
                load(rows, 4 * across + k),
                load(rows, 5 * across + k),
            )
            for n in range(low, high):
                o = (m * STRIP + n - low) * LANES
                state = (m * N + n) * LANES
                c = splat(C[(row + r) * N + n])
                lam = f * c + load(G, state)
                q_n = load(S, t * step + o) * lam
                store(q, o, q_n)
                g = splat(W[m * M]) * load(H, t * step + (n - low) * LANES)
                for j in range(1, M):
                    g = splat(W[m * M + j]) * load(H, t * step + (j * STRIP + n - low) * LANES) + g
                qg = q_n * g
                to_delta = qg * load(A, task % (E // LANES) * M * N * LANES + state) + to_delta
                to_x = lam * splat(B[(row + r) * N + n]) + to_x
                h = load(H, (t + 1) * step + o)
                out = h * c + out
                place = task * M * N * LANES + state
                store(dA, place, qg * d + load(dA, place))
                dB[part, (row + r) * N + n] += total(lam * x)
                dC[part, (row + r) * N + n] += total(f * h)
            store(rows, 3 * across + k, to_delta)
            store(rows, 4 * across + k, to_x)
            store(rows, 5 * across + k, out)
        for m in range(M):
            for n in range(low, high):
                g = splat(W[m]) * load(q, (n - low) * LANES)
                for i in range(1, M):
                    g = splat(W[i * M + m]) * load(q, (i * STRIP + n - low) * LANES) + g
                store(G, (m * N + n) * LANES, g)
            for j in range(M):
                pair = load(pairs, (m * M + j) * LANES)
                for n in range(high - low):
                    h = load(H, t * step + (j * STRIP + n) * LANES)
                    pair = load(q, (m * STRIP + n) * LANES) * h + pair
                store(pairs, (m * M + j) * LANES, pair)


@compiled
def _close_rows(given, dy, rows, du, ddelta, dz, dD, dbias, softly, sizes, chains, row, task, ticks):
    """From the sums over n, the gradients of u, delta and z over one chunk, and the parts of D's and the bias's."""
    u, D, z = given[0], given[6], given[7]
    (_, E, _), M = sizes, len(chains)
    block = task % (E // LANES)
    across = SPACING * M * LANES
    for r in range(ticks * M):
        m, k, p = r % M, r * LANES, (row + r) * E + block * LANES
        place, own = m * E + block * LANES, (task * M + m) * LANES
        d, f, v, to_x = load(rows, k), load(rows, 2 * across + k), load(u, p), load(rows, 4 * across + k)
        skip = load(D, place) if len(D) > 0 else splat(_ZERO)
        if len(z) > 0:
            gate = sigmoid(load(z, p))
            bend = splat(_ONE) + load(z, p) * (splat(_ONE) - gate)
            store(dz, p, load(dy, p) * (load(rows, 5 * across + k) + skip * v) * gate * bend)
        to_delta = splat(_LN2) * load(rows, 3 * across + k) + v * to_x
        to_delta = to_delta * step_slope(given, softly, row + r, p, place)
        store(du, p, d * to_x + skip * f)
        store(ddelta, p, to_delta)
        store(dD, own, f * v + load(dD, own))
        store(dbias, own, to_delta + load(dbias, own))
