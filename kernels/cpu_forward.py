"""The forward loops of the CPU backend, compiled by numba: a block of channels' states stays in the first-level cache.

The LANES channels of a block are one vector, so no sum runs across lanes in the forward. The states of a block are
laid out [M, N, LANES]; a task is one block of one sequence, numbered b * blocks + block.

`given` is the tuple (u, delta, A, B, C, W, D, z, delta_bias, mask) of flat float32 arrays, empty where an argument is
absent, A scaled so that S = 2^(delta A), and `softly` says whether delta goes through softplus.
`sizes` is (L, E, N) with E a whole number of blocks. `chains` is a tuple of M zeros: a tuple's length is part of
its type, so the compiler knows M and unrolls the loops over the chains.
"""

# numba infers the types of what it compiles, and `Lanes` has none that mypy could check.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False

from __future__ import annotations

import numpy as np

from kernels.lanes import LANES, compiled, exp2, load, scratch, sigmoid, softplus, splat, store, total

SPACING = 32  # ticks between checkpoints; memory grows with L / SPACING states
_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def step_size(given, softly, row, p, place):
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
def step_slope(given, softly, row, p, place):
    """The derivative of `step_size` by the delta given."""
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
                d = step_size(given, softly, row, p, m * E + block * LANES)
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
                d = step_size(given, softly, row, p, m * E + block * LANES)
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
