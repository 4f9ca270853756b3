"""The loops of the CPU backend, compiled by numba: a block of channels' states stays in the first-level cache.

The LANES channels of a block are one vector, so no sum runs across lanes in the forward. The states of a block are
laid out [M, N, LANES]; a task is one block of one sequence, numbered b * blocks + block.

`given` is the tuple (u, delta, A, B, C, W, D, z, delta_bias, mask) of flat float32 arrays, empty where an argument is
absent, A scaled so that S = 2^(delta A), and `softly` says whether delta goes through softplus.
`sizes` is (L, E, N) with E a whole number of blocks. `chains` is a tuple of M zeros: a tuple's length is part of
its type, so the compiler knows M and unrolls the loops over the chains.

The backward goes through the chunks between checkpoints from the last, recomputes one, and walks it backwards with
the one carried quantity G_t^m = sum_i W_im q_{t+1}^i, where q = S lambda and lambda = dy C + G.
"""

# numba infers the types of what it compiles, and `Lanes` has none that mypy could check.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False

from __future__ import annotations

import math

import numpy as np

from kernels.lanes import LANES, compiled, exp2, load, scratch, sigmoid, softplus, splat, store, total

SPACING = 32  # ticks between checkpoints; memory grows with L / SPACING states
STRIP = 16  # states n that the backward takes through a chunk at a time, so that they stay in the cache
_ZERO, _ONE = np.float32(0), np.float32(1)
_LN2 = np.float32(math.log(2))


@compiled
def _step_size(given, softly, row, p, place):
    """The delta that acts: plus its bias, through softplus, 0 at a masked tick."""
    delta, bias, present = given[1], given[8], given[9]
    d = load(delta, p)
    if len(bias) > 0:
        d = d + load(bias, place)
    if softly:
        d = softplus(d)
    if len(present) > 0:
        d = d * splat(present[row])
    return d


@compiled
def _slope(given, softly, row, p, place):
    """The derivative of `_step_size` by the delta given."""
    delta, bias, present = given[1], given[8], given[9]
    slope = splat(_ONE)
    if softly:
        slope = sigmoid(load(delta, p) + load(bias, place)) if len(bias) > 0 else sigmoid(load(delta, p))
    if len(present) > 0:
        slope = slope * splat(present[row])
    return slope


@compiled
def _finish(given, out, p, place):
    """C . h plus the skip D u, through the gate silu(z)."""
    u, D, z = given[0], given[6], given[7]
    if len(D) > 0:
        out = out + load(D, place) * load(u, p)
    if len(z) > 0:
        out = out * load(z, p) * sigmoid(load(z, p))
    return out


@compiled
def forward(given, h0, y, last, kept, norms, softly, sizes, chains, start, stop):
    """Blocks start..stop of y [B, L, M, E]. Where not empty, h0 and last [tasks, M, N, LANES] are the first and the
    last state, kept takes the states before ticks SPACING, 2 SPACING and so on, and norms [tasks, L, M] the sum of
    h^2 over the block.
    """
    u, _, A, B, C, W = given[:6]
    (L, E, N), M = sizes, len(chains)
    size = M * N * LANES
    chunks = (L + SPACING - 1) // SPACING
    h = scratch(size)
    new = scratch(size)
    for task in range(start, stop):
        b, block = divmod(task, E // LANES)
        for o in range(0, size, LANES):
            store(h, o, load(h0, task * size + o) if len(h0) > 0 else splat(_ZERO))
        for t in range(L):
            if len(kept) > 0 and t % SPACING == 0 and t > 0:
                for o in range(0, size, LANES):
                    store(kept, (task * (chunks - 1) + t // SPACING - 1) * size + o, load(h, o))
            for m in range(M):
                row = (b * L + t) * M + m
                p = row * E + block * LANES
                d = _step_size(given, softly, row, p, m * E + block * LANES)
                x = d * load(u, p)
                out, squares = splat(_ZERO), splat(_ZERO)
                for n in range(N):
                    o = (m * N + n) * LANES
                    g = splat(W[m * M]) * load(h, n * LANES)
                    for j in range(1, M):
                        g = splat(W[m * M + j]) * load(h, (j * N + n) * LANES) + g
                    v = exp2(d * load(A, block * size + o)) * g + x * splat(B[row * N + n])
                    store(new, o, v)
                    out = v * splat(C[row * N + n]) + out
                    if len(norms) > 0:
                        squares = v * v + squares
                store(y, p, _finish(given, out, p, m * E + block * LANES))
                if len(norms) > 0:
                    norms[(task * L + t) * M + m] = total(squares)
            h, new = new, h
        if len(last) > 0:
            for o in range(0, size, LANES):
                store(last, task * size + o, load(h, o))


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
        d, f = _step_size(given, softly, row + r, p, r % M * E + block * LANES), load(dy, p)
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
        to_delta = to_delta * _slope(given, softly, row + r, p, place)
        store(du, p, d * to_x + skip * f)
        store(ddelta, p, to_delta)
        store(dD, own, f * v + load(dD, own))
        store(dbias, own, to_delta + load(dbias, own))


@compiled
def trace(given, h0, y, last, products, norms, softly, sizes, chains, start, stop):
    """`forward` carried once for every source: products [tasks, L, M, M] = sum over the block of y^{m<-j} y^m."""
    u, _, A, B, C, W = given[:6]
    (L, E, N), M = sizes, len(chains)
    size = M * N * LANES
    parts = scratch(M * size)  # [source, M, N, LANES]
    new = scratch(M * size)
    outs = scratch(M * LANES)
    for task in range(start, stop):
        b, block = divmod(task, E // LANES)
        for j in range(M):
            for o in range(0, size, LANES):
                own = len(h0) > 0 and o // (N * LANES) == j
                store(parts, j * size + o, load(h0, task * size + o) if own else splat(_ZERO))
        for t in range(L):
            for m in range(M):
                row = (b * L + t) * M + m
                p = row * E + block * LANES
                d = _step_size(given, softly, row, p, m * E + block * LANES)
                x = d * load(u, p)
                squares = splat(_ZERO)
                for o in range(0, M * LANES, LANES):
                    store(outs, o, splat(_ZERO))
                for n in range(N):
                    s = exp2(d * load(A, block * size + (m * N + n) * LANES))
                    c = splat(C[row * N + n])
                    injected = x * splat(B[row * N + n])
                    whole = injected
                    for j in range(M):
                        g = splat(W[m * M]) * load(parts, j * size + n * LANES)
                        for i in range(1, M):
                            g = splat(W[m * M + i]) * load(parts, j * size + (i * N + n) * LANES) + g
                        v = s * g
                        whole = whole + v
                        if j == m:
                            v = v + injected
                        store(new, j * size + (m * N + n) * LANES, v)
                        store(outs, j * LANES, v * c + load(outs, j * LANES))
                    squares = whole * whole + squares
                out = load(outs, 0)
                for j in range(1, M):
                    out = out + load(outs, j * LANES)
                store(y, p, _finish(given, out, p, m * E + block * LANES))
                norms[(task * L + t) * M + m] = total(squares)
                for j in range(M):
                    products[((task * L + t) * M + m) * M + j] = total(load(outs, j * LANES) * out)
            parts, new = new, parts
        for o in range(0, size, LANES):
            v = load(parts, o)
            for j in range(1, M):
                v = v + load(parts, j * size + o)
            store(last, task * size + o, v)
