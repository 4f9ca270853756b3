"""A vector type for numba: LANES float32 side by side, so that a kernel is vectorised because it says so.

Left to itself LLVM works in 256 bits on most AVX-512 processors, and not at all where it cannot tell two arrays
apart. Written with these vectors a kernel becomes plain vector instructions on any processor: 16 lanes are one
register of AVX-512, two of AVX2, four of NEON.

A value is a bundle: one vector, or one for every chain. Arithmetic goes through the whole bundle, so the states of
all chains are loaded once, mixed in registers and stored once. How many vectors there are is part of the type; a
kernel says it by a tuple of that length, `chains`.

Memory is an address and an index in floats, because numba counts references to an array wherever it is passed on,
which costs more here than a row's arithmetic; whoever calls a kernel keeps the memory alive.

numba's cache looks at the file of a kernel only, while a kernel contains what it calls from the others: `compiled`
stamps it with all of them.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import njit
from numba.core import caching, cgutils, types
from numba.extending import intrinsic, models, overload, register_model

LANES = 16
FLOAT, INTEGER, DOUBLE = ir.FloatType(), ir.IntType(32), ir.DoubleType()
VECTOR, INTEGERS = ir.VectorType(FLOAT, LANES), ir.VectorType(INTEGER, LANES)
# A product and a sum may fuse into one rounding; nothing may be reordered, so results do not depend on the shape.
FUSE = ("contract", "nsz")


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`numba.njit` without the GIL, kept on disk where a folder for it can be written."""
    kernel = njit(nogil=True, error_model="numpy", fastmath=set(FUSE))(function)
    with suppress(RuntimeError):  # numba found no folder it may write to
        kernel._cache = _Cache(function)  # as `njit(cache=True)` does with a cache of numba's own
    return kernel


@cache
def _sources() -> str:
    """A hash of all files that kernels are made of: the loops and what they call."""
    folder = Path(__file__).parent
    files = sorted([*folder.glob("lane*.py"), *folder.glob("cpu*.py")])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


class _StampedBySources:
    """A locator of numba's whose stamp also tells of the files that a kernel's own file takes from."""

    def get_source_stamp(self) -> tuple[Any, str]:
        return super().get_source_stamp(), _sources()  # type: ignore[misc]


class _Located(caching.CompileResultCacheImpl):
    """Where a kernel is kept: the folders that numba tries, in its order."""

    _locator_classes = [  # noqa: RUF012  # as numba declares it
        type(kind.__name__, (_StampedBySources, kind), {}) for kind in caching.CacheImpl._locator_classes
    ]


class _Cache(caching.FunctionCache):
    _impl_class = _Located


class LanesType(types.Type):
    """numba's name for a bundle of `count` vectors."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"Lanes({count} of {LANES})")


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    """The bundle is one LLVM value: an array of vectors."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.ArrayType(VECTOR, kind.count))


def constant(value: float, kind: ir.VectorType = VECTOR) -> ir.Constant:
    """The LLVM constant with the same number in every lane."""
    return ir.Constant(kind, [value] * LANES)


def call(builder: Any, name: str, *args: Any, result: Any = VECTOR, fast: Sequence[str] = ()) -> Any:
    """Call one of LLVM's own functions."""
    kind = ir.FunctionType(result, [a.type for a in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args, fastmath=fast)


def parts(builder: Any, value: Any) -> list[Any]:
    """The vectors of a bundle."""
    return [builder.extract_value(value, k) for k in range(value.type.count)]


def bundle(builder: Any, vectors: Sequence[Any]) -> Any:
    """The reverse of `parts`."""
    value = ir.Constant(ir.ArrayType(VECTOR, len(vectors)), ir.Undefined)
    for k, vector in enumerate(vectors):
        value = builder.insert_value(value, vector, k)
    return value


def each(act: Callable[..., Any], *values: list[Any]) -> list[Any]:
    """Apply to every vector of some bundles; a bundle of one stands for as many as the others have."""
    count = max(len(value) for value in values)
    return [act(*(value[k % len(value)] for value in values)) for k in range(count)]


def place(builder: Any, where: Sequence[Any], k: int, kind: Any = VECTOR) -> Any:
    """The pointer to what lies k strides after `index` floats from `address`; `where` is (address, index, stride)."""
    address, index, stride = where
    first = builder.inttoptr(address, FLOAT.as_pointer())
    offset = builder.add(index, builder.mul(stride, ir.Constant(stride.type, k)))
    return builder.bitcast(builder.gep(first, [offset]), kind.as_pointer())


def in_all_lanes(builder: Any, value: Any) -> Any:
    """A vector of one float."""
    nothing = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(INTEGER, 0))
    return builder.shuffle_vector(first, nothing, constant(0, INTEGERS))


@intrinsic
def load(typing: Any, address: Any, index: Any, stride: Any, chains: Any) -> Any:
    """LANES floats for each of the chains, `stride` floats apart from `index` on."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = [place(builder, args[:3], k) for k in range(len(chains))]
        return bundle(builder, [builder.load(p, align=4) for p in places])

    return LanesType(len(chains))(types.intp, types.intp, types.intp, chains), emit


@intrinsic
def spread(typing: Any, address: Any, index: Any, stride: Any, chains: Any) -> Any:
    """One float in every lane for each of the chains, `stride` floats apart from `index` on."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = [place(builder, args[:3], k, FLOAT) for k in range(len(chains))]
        return bundle(builder, [in_all_lanes(builder, builder.load(p)) for p in places])

    return LanesType(len(chains))(types.intp, types.intp, types.intp, chains), emit


@intrinsic
def matrix(typing: Any, address: Any, chains: Any) -> Any:
    """An M x M matrix as a bundle of M M vectors, each with one entry in every lane."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero, one = (ir.Constant(args[0].type, k) for k in (0, 1))
        places = [place(builder, (args[0], zero, one), k, FLOAT) for k in range(len(chains) ** 2)]
        return bundle(builder, [in_all_lanes(builder, builder.load(p)) for p in places])

    return LanesType(len(chains) ** 2)(types.intp, chains), emit


@intrinsic
def store(typing: Any, address: Any, index: Any, stride: Any, value: Any) -> Any:
    """The reverse of `load`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for k, vector in enumerate(parts(builder, args[3])):
            builder.store(vector, place(builder, args[:3], k), align=4)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, value), emit


@intrinsic
def splat(typing: Any, value: Any) -> Any:
    """One vector with the same float in every lane."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return bundle(builder, [in_all_lanes(builder, args[0])])

    return LanesType(1)(types.float32), emit


@intrinsic
def zeros(typing: Any, chains: Any) -> Any:
    """A bundle of zeros, one vector for each of the chains."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return bundle(builder, [constant(0.0)] * len(chains))

    return LanesType(len(chains))(chains), emit


@intrinsic
def zero_pairs(typing: Any, chains: Any) -> Any:
    """A bundle of zeros, one vector for each pair of chains."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return bundle(builder, [constant(0.0)] * len(chains) ** 2)

    return LanesType(len(chains) ** 2)(chains), emit


def _offer(symbol: Callable[..., Any], instruction: str) -> None:
    """Let numba code write `a + b`, `a - b`, `a * b`, `a / b` for two bundles, of which one may be a single vector."""

    @intrinsic
    def combine(typing: Any, a: Any, b: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            both = (parts(builder, value) for value in args)
            return bundle(builder, each(lambda a, b: getattr(builder, instruction)(a, b, flags=FUSE), *both))

        return LanesType(max(a.count, b.count))(a, b), emit

    @overload(symbol)
    def typed(a, b):  # type: ignore[no-untyped-def]  # numba compares it with the lambda, names and all
        if isinstance(a, LanesType) and isinstance(b, LanesType):
            return lambda a, b: combine(a, b)  # noqa: PLW0108
        return None


_offer(operator.add, "fadd")
_offer(operator.sub, "fsub")
_offer(operator.mul, "fmul")
_offer(operator.truediv, "fdiv")
