"""The Triton kernels that run backward in time.

With q = S lambda and lambda = f C + G the one carried quantity is G_t^m = sum_i W_im q_{t+1}^i, where f is the gradient
of y before the gate. Names and layout are those of triton_blocks.py.
"""

# Triton compiles these functions from their source: it knows no starred tuples, and a pointer that may be None must be
# tested alone. mypy cannot see Triton's types.
# ruff: noqa: RUF005
# mypy: ignore-errors

from __future__ import annotations

import triton
import triton.language as tl

from kernels.triton_blocks import (
    SIZES,
    add_row,
    add_states,
    add_totals,
    advance,
    at,
    decay,
    if_present,
    load_delta,
    load_row,
    load_scalars,
    load_states,
    mix,
    mix_back,
    store_states,
    zero_rows,
    zeros,
)

LN2 = tl.constexpr(0.6931471805599453)


@triton.jit(do_not_specialize=SIZES)
def summarise_back(
    p_delta, p_A, p_C, p_W, p_z, p_bias, p_mask, p_dy, p_end, L, T, n_chunks, E, N,
    M: tl.constexpr, BE: tl.constexpr, BN: tl.constexpr, SOFTPLUS: tl.constexpr,
    QUARTERS: tl.constexpr,
):  # fmt: skip
    """What a chunk's own outputs send back to the state before it: the affine part of the reverse map, P^T G + end."""
    i_e, i_b, i_c = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.program_id(2)
    o_e, o_n = i_e * BE + tl.arange(0, BE), tl.arange(0, BN)
    m_e, m_n = o_e < E, o_n < N
    o_en, m_en = o_e[:, None] * N + o_n[None, :], m_e[:, None] & m_n[None, :]
    seq = i_b * L * M
    w = load_scalars(p_W, M * M)
    A = load_states(p_A, o_en, m_en, E * N, M)
    G = zeros(M, BE, BN)
    t = tl.minimum(L, i_c * T + T) - 1
    while t >= i_c * T:
        q = ()
        for m in tl.static_range(M):
            row = t * M + m
            d, _ = load_delta(p_delta, p_bias, p_mask, seq, row, m, o_e, m_e, E, SOFTPLUS)
            f = load_row(p_dy, seq, row, o_e, m_e, E)
            if p_z is not None:
                z = load_row(p_z, seq, row, o_e, m_e, E)
                f = f * z * tl.sigmoid(z)
            lam = f[:, None] * load_row(p_C, seq, row, o_n, m_n, N)[None, :] + G[m]
            q = q + (decay(d, A[m], QUARTERS) * lam,)
        back = ()
        for m in tl.static_range(M):
            back = back + (mix_back(w, q, m, M),)
        G = back
        t -= 1
    store_states(p_end + (i_b * n_chunks + i_c) * M * E * N, G, o_en, m_en, E * N, M)


@triton.jit(do_not_specialize=SIZES)
def backward(
    p_u, p_delta, p_A, p_B, p_C, p_W, p_D, p_z, p_bias, p_mask, p_kept, p_dy, p_G, p_scratch,
    p_du, p_ddelta, p_dz, p_dA, p_dB, p_dC, p_dW, p_dD, p_dbias,
    L, T, K, n_chunks, n_kept, n_sub, E, N,
    M: tl.constexpr, BE: tl.constexpr, BN: tl.constexpr, SOFTPLUS: tl.constexpr,
    QUARTERS: tl.constexpr,
):  # fmt: skip
    """The gradients of one chunk and of n_sub blocks of channels, one after the other.

    Stretches of K ticks are recomputed from their checkpoint into the program's scratch [K, M, E, N] and walked back.
    p_G [B, n_chunks, M, E, N] holds G after the chunk's last tick and receives it before the first. Sums over b and t
    (dA, dD, dbias, dW) are one part for every (b, chunk), dB and dC one part for every group of blocks: no atomics,
    so the same input gives the same bits.
    """
    i_g, i_b, i_c = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.program_id(2)
    o_n = tl.arange(0, BN)
    m_n = o_n < N
    seq = i_b * L * M
    w = load_scalars(p_W, M * M)
    i_bc = i_b * n_chunks + i_c
    end = tl.minimum(L, i_c * T + T)
    k = (end - 1) // K
    while k * K >= i_c * T:
        sub = 0
        while sub < n_sub:
            o_e = (i_g * n_sub + sub) * BE + tl.arange(0, BE)
            m_e = o_e < E
            o_en, m_en = o_e[:, None] * N + o_n[None, :], m_e[:, None] & m_n[None, :]
            A = load_states(p_A, o_en, m_en, E * N, M)
            h = load_states(p_kept + (i_b * n_kept + k) * M * E * N, o_en, m_en, E * N, M)
            first = k * K
            stop = tl.minimum(end, first + K)
            h = recompute(
                w, h, A, p_scratch, p_u, p_delta, p_B, p_bias, p_mask, i_bc * K, seq, first, stop,
                o_e, o_n, m_e, m_n, o_en, m_en, E, N, M, SOFTPLUS, QUARTERS,
            )  # fmt: skip
            tl.debug_barrier()  # the scratch is written by other threads than read it
            G = load_states(p_G + i_bc * M * E * N, o_en, m_en, E * N, M)
            G, dA, dW, dD, dbias = walk_back(
                w, h, G, A, p_scratch, p_u, p_delta, p_B, p_C, p_D, p_z, p_bias, p_mask, p_dy,
                p_du, p_ddelta, p_dz, p_dB, p_dC, i_bc * K, seq, (i_g * tl.num_programs(1) + i_b) * L * M, first, stop,
                o_e, o_n, m_e, m_n, o_en, m_en, E, N, M, BE, BN, SOFTPLUS, QUARTERS,
            )  # fmt: skip
            store_states(p_G + i_bc * M * E * N, G, o_en, m_en, E * N, M)
            add_states(p_dA + i_bc * M * E * N, dA, o_en, m_en, E * N, M)
            add_rows(p_dD, p_dbias, dD, dbias, i_bc, o_e, m_e, E, M)
            add_totals(p_dW + (i_g * tl.num_programs(1) * n_chunks + i_bc) * M * M, dW, M * M)
            tl.debug_barrier()  # the next block of channels reuses nothing of this one before it is written
            sub += 1
        k -= 1


@triton.jit
def recompute(
    w, h, A, p_scratch, p_u, p_delta, p_B, p_bias, p_mask, i_own, seq, first, stop,
    o_e, o_n, m_e, m_n, o_en, m_en, E, N, M: tl.constexpr, SOFTPLUS: tl.constexpr, QUARTERS: tl.constexpr,
):  # fmt: skip
    """The states h taken from tick `first` to `stop`, those before each tick left in the scratch."""
    t = first
    while t < stop:
        store_states(p_scratch + (i_own + t - first) * M * E * N, h, o_en, m_en, E * N, M)
        h = advance(
            w, h, A, p_u, p_delta, p_B, p_bias, p_mask, seq, t, o_e, o_n, m_e, m_n, E, N, M, SOFTPLUS, QUARTERS,
        )  # fmt: skip
        t += 1
    return h


@triton.jit
def walk_back(
    w, h, G, A, p_scratch, p_u, p_delta, p_B, p_C, p_D, p_z, p_bias, p_mask, p_dy,
    p_du, p_ddelta, p_dz, p_dB, p_dC, i_own, seq, part, first, stop, o_e, o_n, m_e, m_n, o_en, m_en, E, N,
    M: tl.constexpr, BE: tl.constexpr, BN: tl.constexpr, SOFTPLUS: tl.constexpr, QUARTERS: tl.constexpr,
):  # fmt: skip
    """Ticks `stop` to `first` of one block, from the states h and G after the last: (G before the first, and the sums
    over the ticks towards A, W, D and the bias).
    """
    dA = zeros(M, BE, BN)
    dW = zeros(M * M, BE, BN)
    dD = zero_rows(M, BE)
    dbias = zero_rows(M, BE)
    t = stop - 1
    while t >= first:
        before = load_states(p_scratch + (i_own + t - first) * M * E * N, o_en, m_en, E * N, M)
        q = ()
        new_dA = ()
        new_dD = ()
        new_dbias = ()
        for m in tl.static_range(M):
            q_m, to_A, to_D, to_bias = chain_back(
                w, h[m], before, G[m], A[m], p_u, p_delta, p_B, p_C, p_D, p_z, p_bias, p_mask, p_dy,
                p_du, p_ddelta, p_dz, p_dB, p_dC, seq, part, t * M + m, m, o_e, o_n, m_e, m_n, E, N,
                M, BE, SOFTPLUS, QUARTERS,
            )  # fmt: skip
            q = q + (q_m,)
            new_dA = new_dA + (dA[m] + to_A,)
            new_dD = new_dD + (dD[m] + to_D,)
            new_dbias = new_dbias + (dbias[m] + to_bias,)
        dA = new_dA
        dD = new_dD
        dbias = new_dbias
        new_dW = ()
        for m in tl.static_range(M):
            for j in tl.static_range(M):
                new_dW = new_dW + (dW[m * M + j] + q[m] * before[j],)
        dW = new_dW
        back = ()
        for m in tl.static_range(M):
            back = back + (mix_back(w, q, m, M),)
        G = back
        h = before
        t -= 1
    return G, dA, dW, dD, dbias


@triton.jit
def add_rows(p_dD, p_dbias, dD, dbias, i_bc, o_e, m_e, E, M: tl.constexpr):
    """Add a stretch's sums towards D and the bias to this chunk's parts [M, E]."""
    for m in tl.static_range(M):
        if p_dD is not None:
            add_row(p_dD + (i_bc * M + m) * E + o_e, m_e, dD[m])
        if p_dbias is not None:
            add_row(p_dbias + (i_bc * M + m) * E + o_e, m_e, dbias[m])


@triton.jit
def chain_back(
    w, h, before, G, A, p_u, p_delta, p_B, p_C, p_D, p_z, p_bias, p_mask, p_dy, p_du, p_ddelta, p_dz, p_dB, p_dC,
    seq, part, row, m: tl.constexpr, o_e, o_n, m_e, m_n, E, N,
    M: tl.constexpr, BE: tl.constexpr, SOFTPLUS: tl.constexpr, QUARTERS: tl.constexpr,
):  # fmt: skip
    """One tick of chain m: stores the gradients of u, delta, z, B and C; gives q, and what A, D and the bias get."""
    d, slope = load_delta(p_delta, p_bias, p_mask, seq, row, m, o_e, m_e, E, SOFTPLUS)
    u = load_row(p_u, seq, row, o_e, m_e, E)
    injected = if_present(p_mask, seq, row, u)
    b = if_present(p_mask, seq, row, load_row(p_B, seq, row, o_n, m_n, N))
    c = load_row(p_C, seq, row, o_n, m_n, N)
    f = load_row(p_dy, seq, row, o_e, m_e, E)
    skip = tl.zeros([BE], tl.float32)
    if p_D is not None:
        skip = tl.load(p_D + m * E + o_e, mask=m_e, other=0.0)
    if p_z is not None:
        z = load_row(p_z, seq, row, o_e, m_e, E)
        gate = tl.sigmoid(z)
        y = tl.sum(h * c[None, :], 1)
        if p_D is not None:  # u may be NaN at a masked tick
            y += skip * u
        tl.store(at(p_dz, seq, row, o_e, E), f * y * gate * (1.0 + z * (1.0 - gate)), mask=m_e)
        f = f * z * gate
    lam = f[:, None] * c[None, :] + G
    q = decay(d, A, QUARTERS) * lam
    qg = q * mix(w, before, m, M)
    to_x = tl.sum(lam * b[None, :], 1)
    ddelta = (tl.sum(qg * A, 1) * LN2 + injected * to_x) * slope
    tl.store(at(p_ddelta, seq, row, o_e, E), ddelta, mask=m_e)
    tl.store(at(p_du, seq, row, o_e, E), d * to_x + skip * f, mask=m_e)
    add_row(at(p_dB, part, row, o_n, N), m_n, tl.sum(lam * (d * injected)[:, None], 0))
    add_row(at(p_dC, part, row, o_n, N), m_n, tl.sum(h * f[:, None], 0))
    return q, qg * d[:, None], f * u, ddelta
