"""What the few names that a stranger's pickle may ask for stand for: makers of arrays, bytes and sets.

`model.data.unpickle` runs the pickle machine and finds them here. Each looks at its arguments before it makes anything,
and takes what it allocates from one account for the whole file, because a file may give one object to many makers: a
thousand arrays of the same megabyte take three kilobytes to ask for.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

FLOOR = 32 * 2**20
"""Bytes that the makers of any file may allocate, however small it is."""
TIMES = 8
"""And how many times a file's own size: arrays take once or twice their place in it, sets of small numbers more."""
MAX_AXES = 64
MAX_KEY = 32
"""Items of a tuple that is a key or a member: hashing walks through it each time it is used."""
MAX_INTEGER = 2**64
"""An integer's hash is not kept, so one of a million digits would be walked through each time too."""
_PLAIN = re.compile(r"[|<>=]?([?biufcSU][0-9]{0,6}|bool|O8?)")
_LATIN = ("latin1", "latin-1", "iso-8859-1")
_LAST_CODE_POINT = 0x10FFFF
_SHORT = reprlib.Repr()
_SHORT.maxlevel = (
    2  # a tuple that holds itself twice, twenty times over, has a million entries when written out
)
_SHORT.maxother = 80
NDARRAY = object()
"""Stands for numpy.ndarray, which a file names and never calls."""


class RefusedPickleError(ValueError):
    """The file asks for something other than arrays and builtin containers, is damaged, or is too large."""


def shown(value: Any) -> str:
    """A value of a file for an error's text: a few items of the outer two levels, whatever it holds."""
    return _SHORT.repr(value)


class Account:
    """What the makers of a file may still allocate, in bytes."""

    def __init__(self, size: int) -> None:
        self.size, self.left = size, max(FLOOR, TIMES * size)

    def take(self, count: int) -> None:
        """Book `count` bytes. Raises RefusedPickleError where the file has no more."""
        self.left -= count
        if self.left < 0:
            raise RefusedPickleError(
                f"the file of {self.size} bytes makes more than {max(FLOOR, TIMES * self.size)} bytes of arrays, bytes "
                "and sets, by giving the same data to many of them: it may be an attack. Save each array once."
            )


class DType:
    """Stands for numpy.dtype while a file is read; only plain numbers, strings and object references."""

    def __init__(self, code: Any, align: Any = False, copy: Any = True) -> None:
        text = code.decode("ascii", "replace") if isinstance(code, bytes) else code
        if not isinstance(text, str) or not _PLAIN.fullmatch(text):
            raise RefusedPickleError(
                f"the file describes an array of type {shown(code)}: only plain types are read"
            )
        self.real = np.dtype(text)

    def __setstate__(self, state: Any) -> None:
        """Take the byte order alone: sub-arrays, fields and flags are where a forged state does harm."""
        if not isinstance(state, tuple) or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise RefusedPickleError(
                "the file describes an array type with fields: only plain types are read"
            )
        if state[1] not in ("<", ">", "|", "="):
            raise RefusedPickleError(f"the file gives {shown(state[1])} for a byte order")
        self.real = self.real.newbyteorder(state[1]) if state[1] != "|" else self.real


class Array:
    """Stands for an array while a file is read, until its state (shape, type, data) arrives."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.value: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        """numpy's state: (version, shape, dtype, is_fortran, data)."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise RefusedPickleError("the file holds an array whose state is not numpy's")
        self.value = build(state[4], state[2], state[1], "F" if state[3] else "C", self.account)


def build(data: Any, dtype: Any, shape: Any, order: Any, account: Account) -> np.ndarray:
    """An array from its bytes (or, for objects, from the list of them), with every size checked first."""
    if not isinstance(dtype, DType):
        raise RefusedPickleError(f"the file gives {type(dtype).__name__} where an array's type belongs")
    if order not in ("C", "F"):
        raise RefusedPickleError(f"the file gives {shown(order)} for an array's memory order")
    count = _count(shape)
    if dtype.real.kind == "O":
        return _of_objects(data, shape, order, account)
    if not isinstance(data, str | bytes | bytearray) or len(data) != count * dtype.real.itemsize:
        raise RefusedPickleError(
            f"the file's array of shape {shape} does not hold {count} items of {dtype.real}"
        )
    account.take(max(len(data), *shape, 0))  # (10**12, 0) holds nothing, in as many rows
    if isinstance(data, str):
        account.take(len(data))
        data = data.encode("latin-1")
    if dtype.real.kind == "U":
        _check_text(data, dtype.real)
    return np.frombuffer(data, dtype.real, count=count).reshape(shape, order=order).copy()


def _count(shape: Any) -> int:
    """How many items an array of this shape has."""
    plain = isinstance(shape, tuple) and len(shape) <= MAX_AXES
    if not plain or not all(type(n) is int and 0 <= n < 2**63 for n in shape):
        raise RefusedPickleError(f"the file gives {shown(shape)} for an array's shape")
    return math.prod(shape)


def _of_objects(data: Any, shape: tuple[int, ...], order: Any, account: Account) -> np.ndarray:
    count = math.prod(shape)
    if not isinstance(data, list) or len(data) != count:
        raise RefusedPickleError(f"the file's array of shape {shape} does not hold {count} objects")
    account.take(max(8 * count, *shape, 0))
    flat = np.empty(count, object)
    for i, item in enumerate(data):  # one by one: numpy would take a list of lists for rows
        flat[i] = item
    return flat.reshape(shape, order=order)


def _check_text(data: Any, dtype: np.dtype) -> None:
    """numpy believes the code points of text, and Python stops with a SystemError at the first that is none."""
    points = np.frombuffer(data, np.dtype("u4").newbyteorder(dtype.byteorder))
    if points.size and points.max() > _LAST_CODE_POINT:
        raise RefusedPickleError(
            f"the file's text holds {points.max():#x} for a character: the last is {_LAST_CODE_POINT:#x}"
        )


def makers(size: int) -> dict[str, Any]:
    """{the name that a file of `size` bytes may ask for: what stands for it}, with one account for all of them."""
    account = Account(size)

    def reconstruct(kind: Any, shape: Any, code: Any) -> Array:
        """numpy's empty array, to be filled by its state; a shape other than (0,) would allocate memory on demand."""
        if kind is not NDARRAY or shape != (0,):
            raise RefusedPickleError(
                f"the file starts an array of shape {shown(shape)}: numpy's own pickles start at (0,)"
            )
        return Array(account)

    def from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> Array:
        array = Array(account)
        array.value = build(data, dtype, shape, order, account)
        return array

    def scalar(dtype: Any, data: Any = b"") -> Any:
        if isinstance(dtype, DType) and dtype.real.kind == "O":
            raise RefusedPickleError("the file holds a numpy scalar of type object: it has no plain value")
        return build(data, dtype, (), "C", account)[()]

    numpys = {
        "multiarray._reconstruct": reconstruct,
        "multiarray.scalar": scalar,
        "numeric._frombuffer": from_buffer,
    }
    encode, own = _builtins(account)
    return {
        "numpy.dtype": DType,
        "numpy.ndarray": NDARRAY,
        "_codecs.encode": encode,
        **{f"numpy.{core}.{name}": make for core in ("core", "_core") for name, make in numpys.items()},
        **{f"{home}.{name}": make for home in ("builtins", "__builtin__") for name, make in own.items()},
    }


def _builtins(account: Account) -> tuple[Callable[..., bytes], dict[str, Callable[..., Any]]]:
    """How old protocols ask for bytes, and for Python's own containers."""

    def encode(text: Any, encoding: Any = "latin1") -> bytes:
        """How protocols 0 to 2 write bytes."""
        if not isinstance(text, str) or encoding not in _LATIN:
            raise RefusedPickleError(
                f"the file writes bytes in the encoding {shown(encoding)}: pickles use latin1"
            )
        account.take(len(text))
        return text.encode("latin-1")

    def plain_bytes(data: Any = b"", encoding: Any = "latin1") -> bytes:
        """bytes and bytearray, but never from a number: bytes(10**12) would allocate that much."""
        if not isinstance(data, bytes | bytearray):
            return encode(data, encoding)
        account.take(2 * len(data))
        return bytes(data)

    def plain_set(items: Any = ()) -> set[Any]:
        if not isinstance(items, list | tuple | set):
            raise RefusedPickleError("the file makes a set of something other than a list")
        account.take(32 * len(items))
        return set(keys(items))

    return encode, {
        "set": plain_set,
        "frozenset": lambda items=(): frozenset(plain_set(items)),
        "bytes": plain_bytes,
        "bytearray": lambda *given: bytearray(plain_bytes(*given)),
    }


def keys(items: Iterable[Any]) -> Iterable[Any]:
    """The items, if each may be a key of a dict or a member of a set: plain values, and short tuples of them.

    Anything else that Python can hash either is no data (a type, a function), or can be made to take forever: tuples
    within tuples that share their parts are walked through from the start for every hash.
    """
    for item in items:
        if not _is_plain(item) and not (
            type(item) is tuple and len(item) <= MAX_KEY and all(map(_is_plain, item))
        ):
            raise RefusedPickleError(
                f"the file has {shown(item)} for a dict's key or a set's member: only text, bytes, numbers below "
                f"2**64, None and tuples of at most {MAX_KEY} of them are read"
            )
    return items


def _is_plain(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) < MAX_INTEGER
    return value is None or isinstance(
        value, str | bytes | float | np.bool_ | np.integer | np.floating | np.str_ | np.bytes_
    )
