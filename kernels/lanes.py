"""A vector type for numba: LANES float32 side by side, so that a kernel is vectorised because it says so.

Left to itself LLVM works in 256 bits on most AVX-512 processors, and not at all where it cannot tell two arrays
apart. Written with these vectors a kernel becomes plain vector instructions on any processor: 32 lanes are two
registers of AVX-512, four of AVX2, eight of NEON.

numba's cache looks at the file of the kernel only: after an edit here, delete kernels/__pycache__.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic, models, overload, register_model

LANES = 32
_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_INTEGERS = ir.VectorType(ir.IntType(32), LANES)
# A product and a sum may fuse into one rounding; nothing may be reordered, so results do not depend on the shape.
_FUSE = ("contract", "nsz")
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


_ZERO, _ONE, _TWO, _LOG2E = np.float32(0), np.float32(1), np.float32(2), np.float32(math.log2(math.e))
# atanh(s) / s = 1 + ... on s^2 <= 1/9, relative error 5e-9.
_ATANH = tuple(np.float32(c) for c in (0.14005996, 0.14000902, 0.20010764, 0.33333208))


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`numba.njit` without the GIL, kept on disk where a folder for it can be written."""
    options = {"nogil": True, "error_model": "numpy", "fastmath": set(_FUSE)}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder it may write to
        return njit(**options)(function)


class LanesType(types.Type):
    """numba's name for the vector."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes({LANES})")


_LANES = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    """The vector is one LLVM value."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _constant(value: float, kind: ir.VectorType = _VECTOR) -> ir.Constant:
    return ir.Constant(kind, [value] * LANES)


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """The LANES floats of a contiguous 1-d float32 array from `index` on; no bounds are checked."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_address(context, builder, signature.args[0], *args), align=4)

    return _LANES(array, types.intp), emit


@intrinsic
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Put the vector into a contiguous 1-d float32 array from `index` on; no bounds are checked."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, signature.args[0], *args[:2]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, _LANES), emit


@intrinsic
def splat(typing: Any, value: Any) -> Any:
    """The same float in every lane."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        first = builder.insert_element(nothing, args[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(first, nothing, _constant(0, _INTEGERS))

    return _LANES(types.float32), emit


@intrinsic
def total(typing: Any, value: Any) -> Any:
    """The sum over the lanes, a float32, always added in the same order."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(_FLOAT, [_FLOAT, _VECTOR])
        add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.fadd.v{LANES}f32")
        return builder.call(add, [ir.Constant(_FLOAT, -0.0), args[0]], fastmath=("reassoc",))

    return types.float32(_LANES), emit


@intrinsic
def larger(typing: Any, a: Any, b: Any) -> Any:
    """The larger of two by lane; a NaN in `a` stays."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", *args), args[1], args[0])

    return _LANES(_LANES, _LANES), emit


@intrinsic
def exp2(typing: Any, value: Any) -> Any:
    """2^v by lane, without a branch or a table: relative error under 2e-7; below 2^-126 it stays there.

    Adding 1.5 * 2^23 rounds v to an integer r, and with 127 added too the low bits of that float are the biased
    exponent of 2^r. What is left of v is in [-1/2, 1/2], where a polynomial gives its power of two.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        low, high, magic = _constant(-126.0), _constant(128.0), _constant(1.5 * 2**23 + 127)
        v = args[0]
        v = builder.select(builder.fcmp_ordered("<", v, low), low, v)
        v = builder.select(builder.fcmp_ordered(">", v, high), high, v)
        shifted = builder.fadd(v, magic)
        f = builder.fsub(v, builder.fsub(shifted, magic))
        power = _constant(float(np.float32(_EXP2[0])))
        for coefficient in _EXP2[1:]:
            product = builder.fmul(power, f, flags=_FUSE)
            power = builder.fadd(product, _constant(float(np.float32(coefficient))), flags=_FUSE)
        exponent = builder.shl(builder.bitcast(shifted, _INTEGERS), _constant(23, _INTEGERS))
        return builder.fmul(power, builder.bitcast(exponent, _VECTOR), flags=_FUSE)

    return _LANES(_LANES), emit


def _offer(symbol: Callable[..., Any], instruction: str) -> None:
    """Let numba code write `a + b`, `a - b`, `a * b`, `a / b` for two vectors."""

    @intrinsic
    def combine(typing: Any, a: Any, b: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, instruction)(*args, flags=_FUSE)

        return _LANES(_LANES, _LANES), emit

    @overload(symbol)
    def typed(a, b):  # type: ignore[no-untyped-def]  # numba compares it with the lambda, names and all
        if isinstance(a, LanesType) and isinstance(b, LanesType):
            return lambda a, b: combine(a, b)  # noqa: PLW0108
        return None


_offer(operator.add, "fadd")
_offer(operator.sub, "fsub")
_offer(operator.mul, "fmul")
_offer(operator.truediv, "fdiv")


@compiled
def scratch(count):  # type: ignore[no-untyped-def]
    """`count` floats that begin a cache line: a vector that straddles two lines costs twice as much to move."""
    room = np.empty(count + 16, np.float32)
    skip = (-room.ctypes.data % 64) // 4
    return room[skip : skip + count]


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
