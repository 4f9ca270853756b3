"""Read a stranger's pickle: numpy arrays and Python's own containers come out, and nothing else is ever called.

`load(path)` runs the pickle machine of the standard library with every door shut that does not lead to data: the
only names a file may ask for are those in `_ADMITTED`, and each stands for a constructor of this module that looks
at its arguments. Arrays are rebuilt here from their bytes, so a forged dtype never reaches numpy (numpy trusts the
flags in a dtype's pickled state, and would read numbers as pointers to objects). It is the machine written in
Python, because the one written in C allocates whatever a forged memo index asks for; a data file has few opcodes
and large arrays, so that costs little.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

MAX_BYTES = 32 * 2**30
"""Larger files are refused unless the caller says otherwise. MOSEI's largest file holds about 8 GB of float32."""
MAX_DEPTH = 64
_PLAIN = re.compile(r"[|<>=]?([?biufcSU][0-9]{0,6}|bool|O8?)")
_LATIN = ("latin1", "latin-1", "iso-8859-1")


class RefusedPickleError(ValueError):
    """The file asks for something other than arrays and builtin containers, is damaged, or is too large."""


class _DType:
    """Stands for numpy.dtype while a file is read; only plain numbers, strings and object references."""

    def __init__(self, code: Any, align: Any = False, copy: Any = True) -> None:
        text = code.decode("ascii", "replace") if isinstance(code, bytes) else code
        if not isinstance(text, str) or not _PLAIN.fullmatch(text):
            raise RefusedPickleError(
                f"the file describes an array of type {code!r}: only plain types are read"
            )
        self.real = np.dtype(text)

    def __setstate__(self, state: Any) -> None:
        """Take the byte order alone: sub-arrays, fields and flags are where a forged state does harm."""
        if not isinstance(state, tuple) or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise RefusedPickleError(
                "the file describes an array type with fields: only plain types are read"
            )
        if state[1] not in ("<", ">", "|", "="):
            raise RefusedPickleError(f"the file gives {state[1]!r} for a byte order")
        self.real = self.real.newbyteorder(state[1]) if state[1] != "|" else self.real


class _Array:
    """Stands for an array while a file is read, until its state (shape, type, data) arrives."""

    def __init__(self) -> None:
        self.value: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        """numpy's state: (version, shape, dtype, is_fortran, data)."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise RefusedPickleError("the file holds an array whose state is not numpy's")
        self.value = _build(state[4], state[2], state[1], "F" if state[3] else "C")


def _build(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    """An array from its bytes (or, for objects, from the list of them), with every size checked first."""
    if not isinstance(dtype, _DType):
        raise RefusedPickleError(f"the file gives {type(dtype).__name__} where an array's type belongs")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise RefusedPickleError(f"the file gives {shape!r} for an array's shape")
    if order not in ("C", "F"):
        raise RefusedPickleError(f"the file gives {order!r} for an array's memory order")
    count = math.prod(shape)
    if dtype.real.kind == "O":
        if not isinstance(data, list) or len(data) != count:
            raise RefusedPickleError(f"the file's array of shape {shape} does not hold {count} objects")
        flat = np.empty(count, object)
        for i, item in enumerate(data):  # one by one: numpy would take a list of lists for rows
            flat[i] = item
        return flat.reshape(shape, order=order)
    raw = data.encode("latin-1") if isinstance(data, str) else data
    if not isinstance(raw, bytes | bytearray) or len(raw) != count * dtype.real.itemsize:
        raise RefusedPickleError(
            f"the file's array of shape {shape} does not hold {count} items of {dtype.real}"
        )
    return np.frombuffer(raw, dtype.real, count=count).reshape(shape, order=order).copy()


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    """numpy's empty array, to be filled by its state; a shape other than (0,) would allocate memory on demand."""
    if kind is not _Array or shape != (0,):
        raise RefusedPickleError(
            f"the file starts an array of shape {shape!r}: numpy's own pickles start at (0,)"
        )
    return _Array()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.value = _build(data, dtype, shape, order)
    return array


def _scalar(dtype: Any, data: Any = b"") -> Any:
    if isinstance(dtype, _DType) and dtype.real.kind == "O":
        raise RefusedPickleError("the file holds a numpy scalar of type object: it has no plain value")
    return _build(data, dtype, (), "C")[()]


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """How protocols 0 to 2 write bytes."""
    if not isinstance(text, str) or encoding not in _LATIN:
        raise RefusedPickleError(f"the file writes bytes in the encoding {encoding!r}: pickles use latin1")
    return text.encode("latin-1")


def _bytes(data: Any = b"", encoding: Any = "latin1") -> bytes:
    """bytes and bytearray, but never from a number: bytes(10**12) would allocate that much."""
    return bytes(data) if isinstance(data, bytes | bytearray) else _encode(data, encoding)


def _set(items: Any = ()) -> set[Any]:
    if not isinstance(items, list | tuple | set):
        raise RefusedPickleError("the file makes a set of something other than a list")
    return set(items)


_NUMPY: dict[str, Callable[..., Any]] = {
    "multiarray._reconstruct": _reconstruct,
    "multiarray.scalar": _scalar,
    "numeric._frombuffer": _from_buffer,
}
_BUILTINS: dict[str, Callable[..., Any]] = {
    "set": _set,
    "frozenset": lambda items=(): frozenset(_set(items)),
    "bytes": _bytes,
    "bytearray": lambda *given: bytearray(_bytes(*given)),
}
_ADMITTED: dict[str, Callable[..., Any]] = {
    "numpy.dtype": _DType,
    "numpy.ndarray": _Array,
    "_codecs.encode": _encode,
    **{f"numpy.{core}.{name}": make for core in ("core", "_core") for name, make in _NUMPY.items()},
    **{f"{home}.{name}": make for home in ("builtins", "__builtin__") for name, make in _BUILTINS.items()},
}


class _Bounded:
    """A file that refuses to read more than it has left: a forged length allocates nothing."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def read(self, count: int) -> bytes:
        if count > self._left:
            raise RefusedPickleError(
                f"the file ends early: {count} more bytes are announced and {self._left} are left"
            )
        self._left -= count
        return self._file.read(count)

    def readline(self) -> bytes:
        line = self._file.readline()
        self._left -= len(line)
        return line


class _Machine(pickle._Unpickler):
    """The standard library's machine in Python, without the opcodes that reach beyond the file."""

    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        """The constructor of this module that stands for a name; nothing is ever imported."""
        made = _ADMITTED.get(f"{module}.{name}")
        if made is None:
            raise RefusedPickleError(
                f"the file asks for {module}.{name}, which is neither a numpy array nor a builtin container: "
                "it may be an attack. Save the data again as arrays, lists and dicts."
            )
        return made

    def persistent_load(self, pid: Any) -> Any:
        """References to objects kept outside the file are refused."""
        raise RefusedPickleError(f"the file refers to an object outside itself ({pid!r})")

    def load_build(self) -> None:
        """A state may be given to arrays and their types alone, never to a class or function."""
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Array | _DType):
            raise RefusedPickleError(f"the file sets the state of a {type(self.stack[-1]).__name__}")
        self.stack[-1].__setstate__(state)

    def load_bytearray8(self) -> None:
        """A bytearray in place, read before it is allocated."""
        self.append(bytearray(self.read(int.from_bytes(self.read(8), "little"))))

    def refuse(self) -> None:
        """Opcodes that name registered extensions, make instances of classes, or want buffers from outside."""
        raise RefusedPickleError("the file uses an opcode that no file of arrays and containers needs")


_Machine.dispatch[pickle.BUILD[0]] = _Machine.load_build
_Machine.dispatch[pickle.BYTEARRAY8[0]] = _Machine.load_bytearray8
for _code in ("EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "NEXT_BUFFER", "READONLY_BUFFER"):
    _Machine.dispatch[getattr(pickle, _code)[0]] = _Machine.refuse


def load(path: Path | str, max_bytes: int = MAX_BYTES) -> Any:
    """The object in a pickle file: arrays, numpy scalars and builtin values and containers, protocols 0 to 5.

    Raises RefusedPickleError (a ValueError), with the name asked for, where the file wants anything else, is damaged or
    cut short, or is larger than `max_bytes`.
    """
    size = Path(path).stat().st_size
    if size > max_bytes:
        raise RefusedPickleError(
            f"{path} has {size} bytes, more than the {max_bytes} allowed: raise max_bytes"
        )
    with Path(path).open("rb") as file:
        return _read(file, size)


def loads(data: bytes) -> Any:
    """The same from bytes."""
    return _read(io.BytesIO(data), len(data))


def _read(file: BinaryIO, size: int) -> Any:
    try:
        value = _Machine(_Bounded(file, size), encoding="latin-1").load()
        return _plain(value, {}, 0)
    except RefusedPickleError:
        raise
    except Exception as error:  # a damaged pickle fails in as many ways as it has opcodes
        raise RefusedPickleError(
            f"the file is damaged or no pickle ({type(error).__name__}: {error}): fetch it again"
        ) from error


def _plain(value: Any, done: dict[int, tuple[Any, Any]], depth: int) -> Any:
    """Arrays for their stand-ins, throughout.

    `done` maps the id of each container met to (it, what replaces it): shared objects are walked once, so sharing
    cannot be made to explode, and are kept alive, so that no id is used twice.
    """
    if id(value) in done:
        return done[id(value)][1]
    if depth > MAX_DEPTH:
        raise RefusedPickleError(f"the file nests containers deeper than {MAX_DEPTH}")
    if isinstance(value, list):
        done[id(value)] = value, value
        value[:] = [_plain(v, done, depth + 1) for v in value]
    elif isinstance(value, dict):
        done[id(value)] = value, value
        _refuse_machinery(value)
        value.update({k: _plain(v, done, depth + 1) for k, v in value.items()})
    elif isinstance(value, set | frozenset):
        _refuse_machinery(value)
    elif isinstance(value, tuple):
        done[id(value)] = value, tuple(_plain(v, done, depth + 1) for v in value)
    elif isinstance(value, _Array):
        done[id(value)] = value, _fill(value, done, depth)
    else:
        _refuse_machinery((value,))
    return done[id(value)][1] if id(value) in done else value


def _fill(array: _Array, done: dict[int, tuple[Any, Any]], depth: int) -> np.ndarray:
    if array.value is None:
        raise RefusedPickleError("the file holds an array without data")
    done[id(array)] = array, array.value
    if array.value.dtype.kind == "O":
        for place in np.ndindex(array.value.shape):
            array.value[place] = _plain(array.value[place], done, depth + 1)
    return array.value


def _refuse_machinery(values: Iterable[Any]) -> None:
    """Dict keys, members of sets and single values have to be data."""
    for value in values:
        if isinstance(value, _DType | _Array) or callable(value):
            raise RefusedPickleError("the file holds a type or function as a value: only data is read")
