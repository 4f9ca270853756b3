"""What the CPU loops do with bundles of vectors: exponentials, sums over lanes, and the mixing of the chains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from kernels.lanes import (
    DOUBLE,
    FLOAT,
    FUSE,
    INTEGER,
    INTEGERS,
    LANES,
    VECTOR,
    LanesType,
    bundle,
    call,
    compiled,
    constant,
    each,
    parts,
    place,
    splat,
)

# 2^f = 1 + f q(f) on |f| <= 1/2: the minimax fit with the value 1 at 0, relative error 9.2e-8, and its slope at 0
# right to 3e-7, so that a state that decays slowly decays at the right rate.
_EXP2 = (
    0.0013264727186489455,
    0.009671512833757908,
    0.05550733745081785,
    0.2402224208235304,
    0.6931469775970879,
    1.0,
)
# Added to v it rounds v to an integer r, and leaves the biased exponent of 2^r in the low bits of the sum.
_ROUND = 1.5 * 2**23 + 127
WITHIN = np.float32(126)  # |a b| up to here is safe for `exp2_within`
_ZERO, _ONE, _TWO, _LOG2E = np.float32(0), np.float32(1), np.float32(2), np.float32(math.log2(math.e))
# atanh(s) / s = 1 + ... on s^2 <= 1/9, relative error 5e-9.
_ATANH = tuple(np.float32(c) for c in (0.14005996, 0.14000902, 0.20010764, 0.33333208))


def _power(builder: Any, f: list[Any], shifted: list[Any]) -> list[Any]:
    """2^f 2^r, an instruction at a time for all vectors: their chains of dependent steps then overlap."""
    power = [constant(float(np.float32(_EXP2[0])))] * len(f)
    for coefficient in _EXP2[1:]:
        c = constant(float(np.float32(coefficient)))
        products = [builder.fmul(p, x, flags=FUSE) for p, x in zip(power, f, strict=True)]
        power = [builder.fadd(p, c, flags=FUSE) for p in products]
    exponents = [builder.shl(builder.bitcast(s, INTEGERS), constant(23, INTEGERS)) for s in shifted]
    scales = [builder.bitcast(e, VECTOR) for e in exponents]
    return [builder.fmul(p, s, flags=FUSE) for p, s in zip(power, scales, strict=True)]


@intrinsic
def exp2(typing: Any, value: Any) -> Any:
    """2^v by lane, without a branch or a table: relative error under 2e-7; below 2^-126 it stays there.

    Rounding leaves of v what is in [-1/2, 1/2], where a polynomial gives its power of two.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        low, high, magic = constant(-126.0), constant(128.0), constant(_ROUND)
        v = parts(builder, args[0])
        v = [builder.select(builder.fcmp_ordered("<", x, low), low, x) for x in v]
        v = [builder.select(builder.fcmp_ordered(">", x, high), high, x) for x in v]
        shifted = [builder.fadd(x, magic) for x in v]
        f = [builder.fsub(x, builder.fsub(s, magic)) for x, s in zip(v, shifted, strict=True)]
        return bundle(builder, _power(builder, f, shifted))

    return value(value), emit


@intrinsic
def exp2_within(typing: Any, a: Any, b: Any) -> Any:
    """2^(a b) by lane where |a b| <= WITHIN is known: no ends to look after, and the product joins the rounding."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        magic, name = constant(_ROUND), f"llvm.fmuladd.v{LANES}f32"
        both = [parts(builder, value) for value in args]
        shifted = each(lambda a, b: call(builder, name, a, b, magic), *both)
        back = [builder.fsub(magic, s) for s in shifted]
        f = each(lambda a, b, r: call(builder, name, a, b, r), *both, back)
        return bundle(builder, _power(builder, f, shifted))

    return LanesType(max(a.count, b.count))(a, b), emit


@intrinsic
def larger(typing: Any, a: Any, b: Any) -> Any:
    """The larger of two by lane; a NaN in `a` stays."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        both = (parts(builder, value) for value in args)
        most = each(lambda a, b: builder.select(builder.fcmp_ordered("<", a, b), b, a), *both)
        return bundle(builder, most)

    return LanesType(max(a.count, b.count))(a, b), emit


@intrinsic
def peak(typing: Any, value: Any) -> Any:
    """The largest magnitude in a bundle, a float32; NaN where there is one.

    Magnitudes are compared by their bits, as integers: their order is the same, and a NaN's are above infinity's. As
    floats nothing is larger than a NaN, nor is it larger than anything, so it would hide or be hidden by the lanes
    after it.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        unsigned = constant(0x7FFFFFFF, INTEGERS)
        sizes = [builder.and_(builder.bitcast(v, INTEGERS), unsigned) for v in parts(builder, args[0])]
        most = sizes[0]
        for size in sizes[1:]:
            most = builder.select(builder.icmp_signed("<", most, size), size, most)
        found = call(builder, f"llvm.vector.reduce.smax.v{LANES}i32", most, result=INTEGER)
        return builder.bitcast(found, FLOAT)

    return types.float32(value), emit


def _total(builder: Any, vector: Any) -> Any:
    """The sum over the lanes, always added in the same order."""
    name, nothing = f"llvm.vector.reduce.fadd.v{LANES}f32", ir.Constant(FLOAT, -0.0)
    return call(builder, name, nothing, vector, result=FLOAT, fast=("reassoc",))


@intrinsic
def store_totals(typing: Any, address: Any, index: Any, stride: Any, value: Any) -> Any:
    """Store the sum over each vector's lanes, `stride` floats apart."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for k, vector in enumerate(parts(builder, args[3])):
            builder.store(_total(builder, vector), place(builder, args[:3], k, FLOAT))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, value), emit


@intrinsic
def add_totals(typing: Any, address: Any, value: Any) -> Any:
    """Add the sum over each vector's lanes to the float64 numbers that begin at the address."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        totals = [_total(builder, vector) for vector in parts(builder, args[1])]
        _add_wide(builder, args[0], totals, DOUBLE)
        return context.get_dummy_value()

    return types.void(types.intp, value), emit


@intrinsic
def add_lanes(typing: Any, address: Any, value: Any) -> Any:
    """Add every lane of each vector to the float64 numbers that begin at the address, LANES for each of the chains."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _add_wide(builder, args[0], parts(builder, args[1]), ir.VectorType(DOUBLE, LANES))
        return context.get_dummy_value()

    return types.void(types.intp, value), emit


def _add_wide(builder: Any, address: Any, values: Sequence[Any], kind: Any) -> None:
    """Add floats, or vectors of them, to what lies one after the other from the address on, of a `kind` of float64."""
    first = builder.inttoptr(address, kind.as_pointer())
    for k, value in enumerate(values):
        where = builder.gep(first, [ir.Constant(address.type, k)])
        more = builder.fadd(builder.load(where, align=8), builder.fpext(value, kind))
        builder.store(more, where, align=8)


def _columns(builder: Any, rows: Sequence[Any]) -> Any:
    """One vector whose lane n is the sum over the lanes of row n.

    Two vectors at a time are folded into one, half as many lanes left to every row: 15 sums instead of 16 times 4.
    A fold of vectors in stretches of `width` lanes puts those of `a` before those of `b` in every group of `across`
    lanes: whole registers first, then within 128 bits, where a shuffle of two registers is one instruction.
    """

    def fold(a: Any, b: Any, width: int, across: int) -> Any:
        firsts = [g + s for g in range(0, LANES, across) for s in range(0, across, width)]
        half = width // 2
        order = []
        for g in range(0, LANES, across):
            own = [s for s in firsts if g <= s < g + across]
            order += own + [s + LANES for s in own]
        low = [s + k for s in order for k in range(half)]
        picks = [ir.Constant(INTEGERS, [p + more for p in low]) for more in (0, half)]
        return builder.fadd(*(builder.shuffle_vector(a, b, pick) for pick in picks))

    vectors = list(rows)
    for width, across in ((16, 16), (8, 16), (4, 4), (2, 4)):
        half = len(vectors) // 2
        vectors = [fold(vectors[k], vectors[k + half], width, across) for k in range(half)]
    return vectors[0]


@intrinsic
def columns(typing: Any, address: Any, index: Any, stride: Any, chains: Any) -> Any:
    """For each of the chains, the sums over the lanes of LANES vectors; the k-th vector of chain m lies at
    index + (k M + m) stride.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        M = len(chains)

        def one(m: int) -> Any:
            # The order in which folding leaves the sum of row n in lane n.
            rows = [8 * (k >> 2 & 1) + 4 * (k >> 3) + 2 * (k & 1) + (k >> 1 & 1) for k in range(LANES)]
            places = [place(builder, args[:3], n * M + m) for n in rows]
            return _columns(builder, [builder.load(p, align=4) for p in places])

        return bundle(builder, [one(m) for m in range(M)])

    return LanesType(len(chains))(types.intp, types.intp, types.intp, chains), emit


def _products(builder: Any, factors: Sequence[Any], values: Sequence[Any]) -> Any:
    found = builder.fmul(factors[0], values[0], flags=FUSE)
    for factor, value in zip(factors[1:], values[1:], strict=True):
        found = builder.fadd(builder.fmul(factor, value, flags=FUSE), found, flags=FUSE)
    return found


@intrinsic
def mix(typing: Any, W: Any, h: Any) -> Any:
    """sum_j W_mj h_j for a bundle W of M M vectors."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        W, h = (parts(builder, value) for value in args)
        M = len(h)
        return bundle(builder, [_products(builder, W[m * M : m * M + M], h) for m in range(M)])

    return h(W, h), emit


@intrinsic
def mix_back(typing: Any, W: Any, q: Any) -> Any:
    """sum_i W_im q_i for a bundle W of M M vectors."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        W, q = (parts(builder, value) for value in args)
        return bundle(builder, [_products(builder, W[m :: len(q)], q) for m in range(len(q))])

    return q(W, q), emit


@intrinsic
def outer(typing: Any, q: Any, h: Any) -> Any:
    """q_m h_j, a bundle of M M vectors."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows, columns = (parts(builder, value) for value in args)
        return bundle(builder, [builder.fmul(a, b, flags=FUSE) for a in rows for b in columns])

    return LanesType(q.count * h.count)(q, h), emit


@intrinsic
def only(typing: Any, value: Any, chain: Any) -> Any:
    """The bundle with zeros for all chains but one."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def one(m: int, vector: Any) -> Any:
            here = builder.icmp_signed("==", args[1], ir.Constant(args[1].type, m))
            return builder.select(here, vector, constant(0.0))

        return bundle(builder, [one(m, v) for m, v in enumerate(parts(builder, args[0]))])

    return value(value, types.intp), emit


@intrinsic
def where(typing: Any, flags: Any, value: Any) -> Any:
    """By lane the value, or 0 where the flag is 0; the value may be NaN there."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        nothing = constant(0.0)

        def one(flag: Any, vector: Any) -> Any:
            return builder.select(builder.fcmp_ordered("!=", flag, nothing), vector, nothing)

        return bundle(builder, each(one, *(parts(builder, value) for value in args)))

    return value(flags, value), emit


@compiled
def sigmoid(v):  # type: ignore[no-untyped-def]
    """1 / (1 + e^-v) by lane."""
    return splat(_ONE) / (splat(_ONE) + exp2(splat(-_LOG2E) * v))


@compiled
def softplus(v):  # type: ignore[no-untyped-def]
    """log(1 + e^v) by lane, as max(v, 0) + log1p(e^-|v|), exact to rounding for small steps too.

    With w = e^-|v| and s = w / (2 + w), log1p(w) = 2 atanh(s), and atanh(s) / s is a polynomial in s^2 <= 1/9.
    """
    w = exp2(splat(-_LOG2E) * larger(v, splat(_ZERO) - v))
    s = w / (splat(_TWO) + w)
    square = s * s
    power = splat(_ATANH[0])
    power = power * square + splat(_ATANH[1])
    power = power * square + splat(_ATANH[2])
    power = power * square + splat(_ATANH[3])
    power = power * square + splat(_ONE)
    return larger(v, splat(_ZERO)) + splat(_TWO) * s * power
