"""What the Triton kernels are made of: blocks of states in registers, rows of one tick, one step of the recurrence.

Names: i_ index, p_ pointer, o_ offsets, m_ mask; e channel, n state, m target, j source, t tick, c chunk. States of a
block are M tensors [BE, BN] in a tuple, because M = 3 is no power of two. Everything is contiguous; A is scaled by
log2(e). A program covers the ticks of one chunk: with one chunk of all L ticks a kernel is sequential in time; with
many, `summarise` and `carry` find the state before each, and the same kernels run on all chunks at once. Loops over
time are `while` loops: under Triton 3.6's interpreter range() rejects a bound known only at run time.
"""

# Triton compiles these functions from their source: it knows no starred tuples, and a pointer that may be None must be
# tested alone. mypy cannot see Triton's types.
# ruff: noqa: RUF005
# mypy: ignore-errors

from __future__ import annotations

import triton
import triton.language as tl

SIZES = ["L", "T", "K", "n_chunks", "n_kept"]  # a new length must not mean a new compilation
# v + ROUND: v rounded, and in its low bits the biased exponent of that power.
ROUND = tl.constexpr(1.5 * 2**23 + 127)


@triton.jit
def zeros(M: tl.constexpr, BE: tl.constexpr, BN: tl.constexpr):
    """M tensors of zeros [BE, BN]."""
    h = ()
    for _ in tl.static_range(M):
        h = h + (tl.zeros([BE, BN], tl.float32),)
    return h


@triton.jit
def zero_rows(M: tl.constexpr, BE: tl.constexpr):
    """M tensors of zeros [BE]."""
    rows = ()
    for _ in tl.static_range(M):
        rows = rows + (tl.zeros([BE], tl.float32),)
    return rows


@triton.jit
def load_states(p, o_en, m_en, stride, M: tl.constexpr):
    """M tensors [BE, BN] that lie `stride` floats apart."""
    h = ()
    for m in tl.static_range(M):
        h = h + (tl.load(p + m * stride + o_en, mask=m_en, other=0.0),)
    return h


@triton.jit
def store_states(p, h, o_en, m_en, stride, M: tl.constexpr):
    """The reverse of `load_states`."""
    for m in tl.static_range(M):
        tl.store(p + m * stride + o_en, h[m], mask=m_en)


@triton.jit
def add_states(p, h, o_en, m_en, stride, M: tl.constexpr):
    """Add to M tensors in memory that no other program touches."""
    for m in tl.static_range(M):
        place = p + m * stride + o_en
        tl.store(place, tl.load(place, mask=m_en, other=0.0) + h[m], mask=m_en)


@triton.jit
def add_row(p, mask, value):
    """Add to a row in memory that no other program touches."""
    tl.store(p, tl.load(p, mask=mask, other=0.0) + value, mask=mask)


@triton.jit
def add_totals(p, values, COUNT: tl.constexpr):
    """Add the sums of COUNT tensors [BE, BN] to as many floats in memory that no other program touches."""
    for i in tl.static_range(COUNT):
        tl.store(p + i, tl.load(p + i) + tl.sum(tl.sum(values[i], 1), 0))


@triton.jit
def load_scalars(p, COUNT: tl.constexpr):
    """COUNT floats as a tuple of scalars."""
    w = ()
    for i in tl.static_range(COUNT):
        w = w + (tl.load(p + i),)
    return w


@triton.jit
def mix(w, h, m: tl.constexpr, M: tl.constexpr, START: tl.constexpr = 0):
    """sum_j W_mj h^j over the M states from START on."""
    g = w[m * M] * h[START]
    for j in tl.static_range(1, M):
        g += w[m * M + j] * h[START + j]
    return g


@triton.jit
def mix_back(w, q, m: tl.constexpr, M: tl.constexpr):
    """sum_i W_im q^i."""
    g = w[m] * q[0]
    for i in tl.static_range(1, M):
        g += w[i * M + m] * q[i]
    return g


@triton.jit
def at(p, seq, row, o, width):
    """Where one tick and chain of [B, L, M, width] lies: 64 bits to the sequence, whose rows before are `seq`, and 32
    within it, which keeps the compiler from holding a 64-bit pointer for every array in registers.
    """
    return p + seq * width + (row * width + o)


@triton.jit
def load_row(p, seq, row, o, mask, width):
    """One tick and chain of [B, L, M, width], as float32."""
    return tl.load(at(p, seq, row, o, width), mask=mask, other=0.0).to(tl.float32)


@triton.jit
def if_present(p_mask, seq, row, value):
    """The value, or 0 at a masked tick: chosen, because what is given there may be NaN, and NaN times 0 is NaN."""
    if p_mask is not None:
        value = tl.where(tl.load(p_mask + seq + row) != 0, value, 0.0)
    return value


@triton.jit
def load_delta(p_delta, p_bias, p_mask, seq, row, m: tl.constexpr, o_e, m_e, E, SOFTPLUS: tl.constexpr):
    """(the delta that acts, its derivative by the delta given), both 0 at a masked tick; pointers may be None."""
    raw = load_row(p_delta, seq, row, o_e, m_e, E)
    if p_bias is not None:
        raw += tl.load(p_bias + m * E + o_e, mask=m_e, other=0.0)
    slope = tl.where(m_e, 1.0, 0.0)
    delta = raw
    if SOFTPLUS:
        # log1p(x) = log(1 + x) x / ((1 + x) - 1): exact where 1 + x rounds, as it does for small steps.
        # NaN must stay NaN, as it does on a CPU: by itself the minimum would make 20 of it.
        power = tl.exp(tl.minimum(raw, 20.0, propagate_nan=tl.PropagateNan.ALL))
        one = 1.0 + power
        rest = tl.where(one == 1.0, 1.0, one - 1.0)
        delta = tl.where(one == 1.0, power, tl.log(one) * (power / rest))
        delta = tl.where(raw > 20.0, raw, delta)
        slope = slope * (power / one)
    delta, slope = if_present(p_mask, seq, row, delta), if_present(p_mask, seq, row, slope)
    return tl.where(m_e, delta, 0.0), slope


@triton.jit
def polynomial_exp2(v):
    """2^v in multiply-adds, relative error 2e-7; below 2^-126 it stays there. The same as `lanes` computes on a CPU.

    Adding ROUND rounds v to an integer; what is left of v is in [-1/2, 1/2], where a polynomial gives its power.
    """
    v = tl.maximum(v, -126.0, propagate_nan=tl.PropagateNan.ALL)
    v = tl.minimum(v, 128.0, propagate_nan=tl.PropagateNan.ALL)
    shifted = v + ROUND
    f = v - (shifted - ROUND)
    power = 0.0013264727186489455 * f + 0.009671512833757908
    power = power * f + 0.05550733745081785
    power = power * f + 0.2402224208235304
    power = power * f + 0.6931469775970879
    power = power * f + 1.0
    return power * (shifted.to(tl.int32, bitcast=True) << 23).to(tl.float32, bitcast=True)


@triton.jit
def decay(d, A, QUARTERS: tl.constexpr):
    """S = 2^(d A) for d [BE] and A [BE, BN], a share of the states by the polynomial so that both units work.

    Neighbouring states lie in one thread's registers, so splitting and joining them moves nothing. Fewer than four
    states are not split.
    """
    v = d[:, None] * A
    BE: tl.constexpr = A.shape[0]
    BN: tl.constexpr = A.shape[1]
    if QUARTERS == 0 or BN < 4:
        S = tl.exp2(v)
    else:
        most, rest = tl.split(tl.reshape(v, [BE, BN // 2, 2]))
        if QUARTERS == 1:
            third, last = tl.split(tl.reshape(rest, [BE, BN // 4, 2]))
            rest = tl.reshape(tl.join(tl.exp2(third), polynomial_exp2(last)), [BE, BN // 2])
        else:
            rest = polynomial_exp2(rest)
        S = tl.reshape(tl.join(tl.exp2(most), rest), [BE, BN])
    return S


@triton.jit
def advance(
    w, h, A, p_u, p_delta, p_B, p_bias, p_mask, seq, t, o_e, o_n, m_e, m_n, E, N,
    M: tl.constexpr, SOFTPLUS: tl.constexpr, QUARTERS: tl.constexpr,
):  # fmt: skip
    """The states one tick later."""
    new = ()
    for m in tl.static_range(M):
        row = t * M + m
        d, _ = load_delta(p_delta, p_bias, p_mask, seq, row, m, o_e, m_e, E, SOFTPLUS)
        x = d * if_present(p_mask, seq, row, load_row(p_u, seq, row, o_e, m_e, E))
        b = if_present(p_mask, seq, row, load_row(p_B, seq, row, o_n, m_n, N))
        new = new + (decay(d, A[m], QUARTERS) * mix(w, h, m, M) + x[:, None] * b[None, :],)
    return new


@triton.jit
def finish_row(p_u, p_D, p_z, seq, row, m: tl.constexpr, o_e, m_e, E, y):
    """y plus the skip, through the gate."""
    if p_D is not None:
        y += tl.load(p_D + m * E + o_e, mask=m_e, other=0.0) * load_row(p_u, seq, row, o_e, m_e, E)
    if p_z is not None:
        z = load_row(p_z, seq, row, o_e, m_e, E)
        y = y * z * tl.sigmoid(z)
    return y
