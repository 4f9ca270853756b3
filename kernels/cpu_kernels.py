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

from kernels.lanes import LANES, compiled, exp2, load, sigmoid, softplus, splat, store, total

SPACING = 32  # ticks between checkpoints; memory grows with L / SPACING states
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
    last state, kept takes the checkpoints, and norms [tasks, L, M] the sum of h^2 over the block.
    """
    u, _, A, B, C, W = given[:6]
    (L, E, N), M = sizes, len(chains)
    size = M * N * LANES
    chunks = (L + SPACING - 1) // SPACING
    h = np.empty(size, np.float32)
    new = np.empty(size, np.float32)
    for task in range(start, stop):
        b, block = divmod(task, E // LANES)
        for o in range(0, size, LANES):
            store(h, o, load(h0, task * size + o) if len(h0) > 0 else splat(_ZERO))
        for t in range(L):
            if len(kept) > 0 and t % SPACING == 0:
                for o in range(0, size, LANES):
                    store(kept, (task * chunks + t // SPACING) * size + o, load(h, o))
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
def _replay(given, H, S, softly, sizes, chains, b, block, first, ticks):
    """Recompute one chunk: S [ticks, M, N, LANES], and H [1 + ticks, ...] from the checkpoint in H[0]."""
    u, _, A, B, _, W = given[:6]
    (L, E, N), M = sizes, len(chains)
    size = M * N * LANES
    for t in range(ticks):
        old = t * size
        for m in range(M):
            row = (b * L + first + t) * M + m
            p = row * E + block * LANES
            d = _step_size(given, softly, row, p, m * E + block * LANES)
            x = d * load(u, p)
            for n in range(N):
                o = (m * N + n) * LANES
                g = splat(W[m * M]) * load(H, old + n * LANES)
                for j in range(1, M):
                    g = splat(W[m * M + j]) * load(H, old + (j * N + n) * LANES) + g
                s = exp2(d * load(A, block * size + o))
                store(S, old + o, s)
                store(H, old + size + o, s * g + x * splat(B[row * N + n]))


@compiled
def backward(
    given, kept, dy, dlast, du, ddelta, dz, dA, dB, dC, dW, dD, dbias, dh0, softly, sizes, chains, start, stop
):
    """Gradients of blocks start..stop. dA [tasks, M, N, LANES], dB and dC [blocks, B, L, M, N], dW [tasks, M, M], dD
    and dbias [tasks, M, LANES] are one part for every block, added up afterwards in one order, so that threads do not
    change the bits. dlast, dz and dh0 may be empty.
    """
    u, _, A, B, C, W, D, z = given[:8]
    (L, E, N), M = sizes, len(chains)
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
            store(G, o, load(dlast, task * size + o) if len(dlast) > 0 else splat(_ZERO))
            store(dA, task * size + o, splat(_ZERO))
        for o in range(task * M * LANES, (task + 1) * M * LANES, LANES):
            store(dD, o, splat(_ZERO))
            store(dbias, o, splat(_ZERO))
        for chunk in range(chunks - 1, -1, -1):
            first = chunk * SPACING
            ticks = min(SPACING, L - first)
            for o in range(0, size, LANES):
                store(H, o, load(kept, (task * chunks + chunk) * size + o))
            _replay(given, H, S, softly, sizes, chains, b, block, first, ticks)
            for o in range(0, M * M * LANES, LANES):
                store(pairs, o, splat(_ZERO))
            for t in range(ticks - 1, -1, -1):
                old = t * size
                for m in range(M):
                    row = (b * L + first + t) * M + m
                    p = row * E + block * LANES
                    part = ((block * batch + b) * L + first + t) * M * N + m * N
                    place = m * E + block * LANES
                    d, v, f = _step_size(given, softly, row, p, place), load(u, p), load(dy, p)
                    x = d * v
                    out = load(D, place) * v if len(D) > 0 else splat(_ZERO)
                    upstream, gate = f, splat(_ONE)
                    if len(z) > 0:
                        gate = sigmoid(load(z, p))
                        f = f * load(z, p) * gate
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
                        h = load(H, old + size + o)
                        dC[part + n] = total(f * h)
                        out = h * splat(C[row * N + n]) + out
                    if len(z) > 0:
                        bend = splat(_ONE) + load(z, p) * (splat(_ONE) - gate)
                        store(dz, p, upstream * out * gate * bend)
                    to_u = d * to_x + f * load(D, place) if len(D) > 0 else d * to_x
                    to_delta = (splat(_LN2) * to_delta + v * to_x) * _slope(given, softly, row, p, place)
                    store(du, p, to_u)
                    store(ddelta, p, to_delta)
                    o = (task * M + m) * LANES
                    store(dD, o, f * v + load(dD, o))
                    store(dbias, o, to_delta + load(dbias, o))
                _pull_back(W, q, H, old, G, pairs, N, chains)
            # Float64 across chunks: one float32 sum over all of L was the least exact gradient.
            for k in range(M * M):
                dW[task * M * M + k] += total(load(pairs, k * LANES))
        if len(dh0) > 0:
            for o in range(0, size, LANES):
                store(dh0, task * size + o, load(G, o))


@compiled
def _pull_back(W, q, H, old, G, pairs, N, chains):
    """G^m = sum_i W_im q^i for the tick before, and pairs_mj += sum_n q^m h_{t-1}^j."""
    M = len(chains)
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


@compiled
def trace(given, h0, y, last, products, norms, softly, sizes, chains, start, stop):
    """`forward` carried once for every source: products [tasks, L, M, M] = sum over the block of y^{m<-j} y^m."""
    u, _, A, B, C, W = given[:6]
    (L, E, N), M = sizes, len(chains)
    size = M * N * LANES
    parts = np.empty(M * size, np.float32)  # [source, M, N, LANES]
    new = np.empty(M * size, np.float32)
    outs = np.empty(M * LANES, np.float32)
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
