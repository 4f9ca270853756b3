"""The Triton kernels that run forward in time: the scan, its trace, and the two that join chunks.

Names and layout are those of triton_blocks.py.
"""

# Triton compiles these functions from their source: it knows no starred tuples, and a pointer that may be None must be
# tested alone. mypy cannot see Triton's types.
# ruff: noqa: RUF005, SIM102
# mypy: ignore-errors

from __future__ import annotations

import triton
import triton.language as tl

from kernels.triton_blocks import (
    SIZES,
    advance,
    at,
    decay,
    finish_row,
    if_present,
    load_delta,
    load_row,
    load_scalars,
    load_states,
    mix,
    store_states,
    zeros,
)


@triton.jit(do_not_specialize=SIZES)
def forward(
    p_u, p_delta, p_A, p_B, p_C, p_W, p_D, p_z, p_bias, p_mask, p_start, p_y, p_last, p_kept, p_norm,
    L, T, K, n_chunks, n_kept, E, N,
    M: tl.constexpr, BE: tl.constexpr, BN: tl.constexpr, SOFTPLUS: tl.constexpr,
    QUARTERS: tl.constexpr,
):  # fmt: skip
    """y of one chunk from its start state; checkpoints every K ticks, sums of h^2 [blocks, B, L, M], the last state."""
    i_e, i_b, i_c = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.program_id(2)
    o_e, o_n = i_e * BE + tl.arange(0, BE), tl.arange(0, BN)
    m_e, m_n = o_e < E, o_n < N
    o_en, m_en = o_e[:, None] * N + o_n[None, :], m_e[:, None] & m_n[None, :]
    seq = i_b * L * M
    w = load_scalars(p_W, M * M)
    A = load_states(p_A, o_en, m_en, E * N, M)
    h = zeros(M, BE, BN)
    if p_start is not None:
        h = load_states(p_start + (i_b * n_chunks + i_c) * M * E * N, o_en, m_en, E * N, M)
    t = i_c * T
    end = tl.minimum(L, t + T)
    while t < end:
        if p_kept is not None:
            if t % K == 0:
                store_states(p_kept + (i_b * n_kept + t // K) * M * E * N, h, o_en, m_en, E * N, M)
        h = advance(
            w, h, A, p_u, p_delta, p_B, p_bias, p_mask, seq, t, o_e, o_n, m_e, m_n, E, N, M, SOFTPLUS, QUARTERS,
        )  # fmt: skip
        for m in tl.static_range(M):
            row = t * M + m
            y = tl.sum(h[m] * load_row(p_C, seq, row, o_n, m_n, N)[None, :], 1)
            tl.store(
                at(p_y, seq, row, o_e, E), finish_row(p_u, p_D, p_z, seq, row, m, o_e, m_e, E, y), mask=m_e
            )
            if p_norm is not None:
                place = (i_e * tl.num_programs(1) + i_b) * L * M + row
                tl.store(p_norm + place, tl.sum(tl.sum(h[m] * h[m], 1), 0))
        t += 1
    if p_last is not None:
        if i_c == n_chunks - 1:
            store_states(p_last + i_b * M * E * N, h, o_en, m_en, E * N, M)


@triton.jit(do_not_specialize=SIZES)
def summarise(
    p_u, p_delta, p_A, p_B, p_W, p_bias, p_mask, p_end, p_P, L, T, n_chunks, E, N,
    M: tl.constexpr, BE: tl.constexpr, BN: tl.constexpr, SOFTPLUS: tl.constexpr,
    QUARTERS: tl.constexpr,
):  # fmt: skip
    """A chunk as an affine map of the state before it: h_end = P h_start + end, P an M x M matrix a state."""
    i_e, i_b, i_c = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.program_id(2)
    o_e, o_n = i_e * BE + tl.arange(0, BE), tl.arange(0, BN)
    m_e, m_n = o_e < E, o_n < N
    o_en, m_en = o_e[:, None] * N + o_n[None, :], m_e[:, None] & m_n[None, :]
    seq = i_b * L * M
    w = load_scalars(p_W, M * M)
    A = load_states(p_A, o_en, m_en, E * N, M)
    h = zeros(M, BE, BN)
    P = ()  # column j is the state that a one in chain j becomes: P[j * M + m]
    for j in tl.static_range(M):
        for m in tl.static_range(M):
            P = P + (tl.full([BE, BN], 1.0 if m == j else 0.0, tl.float32),)
    t = i_c * T
    end = tl.minimum(L, t + T)
    while t < end:
        new = ()
        S = ()
        for m in tl.static_range(M):
            row = t * M + m
            d, _ = load_delta(p_delta, p_bias, p_mask, seq, row, m, o_e, m_e, E, SOFTPLUS)
            x = d * if_present(p_mask, seq, row, load_row(p_u, seq, row, o_e, m_e, E))
            b = if_present(p_mask, seq, row, load_row(p_B, seq, row, o_n, m_n, N))
            S = S + (decay(d, A[m], QUARTERS),)
            new = new + (S[m] * mix(w, h, m, M) + x[:, None] * b[None, :],)
        h = new
        grown = ()
        for j in tl.static_range(M):
            for m in tl.static_range(M):
                grown = grown + (S[m] * mix(w, P, m, M, j * M),)
        P = grown
        t += 1
    i_bc = i_b * n_chunks + i_c
    store_states(p_end + i_bc * M * E * N, h, o_en, m_en, E * N, M)
    store_states(p_P + i_bc * M * M * E * N, P, o_en, m_en, E * N, M * M)


@triton.jit(do_not_specialize=SIZES)
def carry(
    p_first, p_end, p_P, p_start, n_chunks, E, N,
    M: tl.constexpr, BE: tl.constexpr, BN: tl.constexpr, REVERSE: tl.constexpr,
):  # fmt: skip
    """Walk over the chunks: note the state each starts from, then map it; REVERSE runs from the last, by P^T."""
    i_e, i_b = tl.program_id(0), tl.program_id(1).to(tl.int64)
    o_e, o_n = i_e * BE + tl.arange(0, BE), tl.arange(0, BN)
    o_en, m_en = o_e[:, None] * N + o_n[None, :], (o_e < E)[:, None] & (o_n < N)[None, :]
    h = zeros(M, BE, BN)
    if p_first is not None:
        h = load_states(p_first + i_b * M * E * N, o_en, m_en, E * N, M)
    k = 0
    while k < n_chunks:
        i_bc = i_b * n_chunks + (n_chunks - 1 - k if REVERSE else k)
        store_states(p_start + i_bc * M * E * N, h, o_en, m_en, E * N, M)
        new = load_states(p_end + i_bc * M * E * N, o_en, m_en, E * N, M)
        P = load_states(p_P + i_bc * M * M * E * N, o_en, m_en, E * N, M * M)
        mapped = ()
        for m in tl.static_range(M):
            v = new[m]
            for j in tl.static_range(M):
                v += (P[m * M + j] if REVERSE else P[j * M + m]) * h[j]
            mapped = mapped + (v,)
        h = mapped
        k += 1


@triton.jit
def part(h, M: tl.constexpr, BE: tl.constexpr, BN: tl.constexpr):
    """States for every source, parts[j * M + m]: each begins with its own chain of h."""
    parts = ()
    for j in tl.static_range(M):
        for m in tl.static_range(M):
            parts = parts + (h[m] if m == j else tl.zeros([BE, BN], tl.float32),)
    return parts


@triton.jit
def whole(parts, m: tl.constexpr, M: tl.constexpr):
    """The state of chain m: the sum of what every source brings to it."""
    h = parts[m]
    for j in tl.static_range(1, M):
        h += parts[j * M + m]
    return h


@triton.jit(do_not_specialize=SIZES)
def trace(
    p_u, p_delta, p_A, p_B, p_C, p_W, p_D, p_z, p_bias, p_mask, p_start, p_y, p_last, p_norm, p_product, L, E, N,
    M: tl.constexpr, BE: tl.constexpr, BN: tl.constexpr, SOFTPLUS: tl.constexpr,
    QUARTERS: tl.constexpr,
):  # fmt: skip
    """The forward carried once for every source j, as states parts[j * M + m]; products of y^{m<-j} and y^m beside it.

    p_norm [blocks, B, L, M] and p_product [blocks, B, L, M, M] are sums over a block's channels.
    """
    i_e, i_b = tl.program_id(0), tl.program_id(1).to(tl.int64)
    o_e, o_n = i_e * BE + tl.arange(0, BE), tl.arange(0, BN)
    m_e, m_n = o_e < E, o_n < N
    o_en, m_en = o_e[:, None] * N + o_n[None, :], m_e[:, None] & m_n[None, :]
    seq = i_b * L * M
    w = load_scalars(p_W, M * M)
    A = load_states(p_A, o_en, m_en, E * N, M)
    parts = zeros(M * M, BE, BN)
    if p_start is not None:
        parts = part(load_states(p_start + i_b * M * E * N, o_en, m_en, E * N, M), M, BE, BN)
    t = 0
    while t < L:
        i_out = ((i_e * tl.num_programs(1) + i_b) * L + t) * M
        S = ()
        injected = ()
        for m in tl.static_range(M):
            row = t * M + m
            d, _ = load_delta(p_delta, p_bias, p_mask, seq, row, m, o_e, m_e, E, SOFTPLUS)
            x = d * if_present(p_mask, seq, row, load_row(p_u, seq, row, o_e, m_e, E))
            b = if_present(p_mask, seq, row, load_row(p_B, seq, row, o_n, m_n, N))
            S = S + (decay(d, A[m], QUARTERS),)
            injected = injected + (x[:, None] * b[None, :],)
        new = ()
        for j in tl.static_range(M):
            for m in tl.static_range(M):
                v = S[m] * mix(w, parts, m, M, j * M)
                new = new + (v + injected[m] if m == j else v,)
        parts = new
        for m in tl.static_range(M):
            row = t * M + m
            c = load_row(p_C, seq, row, o_n, m_n, N)[None, :]
            h = whole(parts, m, M)
            y = tl.sum(h * c, 1)
            tl.store(p_norm + i_out + m, tl.sum(tl.sum(h * h, 1), 0))
            for j in tl.static_range(M):
                tl.store(p_product + (i_out + m) * M + j, tl.sum(tl.sum(parts[j * M + m] * c, 1) * y, 0))
            tl.store(
                at(p_y, seq, row, o_e, E), finish_row(p_u, p_D, p_z, seq, row, m, o_e, m_e, E, y), mask=m_e
            )
        t += 1
    last = ()
    for m in tl.static_range(M):
        last = last + (whole(parts, m, M),)
    store_states(p_last + i_b * M * E * N, last, o_en, m_en, E * N, M)


@triton.jit
def exponentials(p_out, BLOCK: tl.constexpr, ROUNDS: tl.constexpr):
    """ROUNDS exponentials of every element of a block in registers: the bench's measure of their rate."""
    x = tl.arange(0, BLOCK) * (-1.0 / BLOCK)
    i = 0
    while i < ROUNDS:
        x = tl.exp2(x) - 1.0  # stays in -1..0 and depends on the round before, so that none is left out
        i += 1
    tl.store(p_out + tl.program_id(0), tl.sum(x, 0))
