"""Read a stranger's pickle: numpy arrays and Python's own containers come out, and nothing else is ever called.

`load(path)` runs the pickle machine of the standard library with every door shut that does not lead to data: the
only names a file may ask for are those of `model.data.pickled`, and each stands for a maker there that looks at its
arguments. Arrays are rebuilt from their bytes, so a forged dtype never reaches numpy (numpy trusts the flags in a
dtype's pickled state, and would read numbers as pointers to objects). What is made takes memory and time in proportion
to the file: what a file shares is made once, copied within an account, and hashed only where that is short. It is the
machine written in Python, because the one written in C allocates whatever a forged memo index asks for; a data file has
few opcodes and large arrays, so that costs little.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from model.data.pickled import Array, DType, RefusedPickleError, keys, makers, shown

__all__ = ["MAX_BYTES", "RefusedPickleError", "load", "loads"]

MAX_BYTES = 32 * 2**30
"""Larger files are refused unless the caller says otherwise. MOSEI's largest file holds about 8 GB of float32."""
MAX_DEPTH = 64
DATA = (str, bytes, bytearray, int, float, type(None), np.generic, set, frozenset)
"""What holds nothing else, or, of sets, nothing but what was plain when it was put in."""


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

    def __init__(self, file: _Bounded, size: int) -> None:
        super().__init__(file, encoding="latin-1")
        self._makers = makers(size)

    stack: list[Any]
    pop_mark: Callable[[], list[Any]]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name; nothing is ever imported."""
        made = self._makers.get(f"{module}.{name}")
        if made is None:
            raise RefusedPickleError(
                f"the file asks for {module[:80]}.{name[:80]}, which is neither a numpy array nor a builtin container: "
                "it may be an attack. Save the data again as arrays, lists and dicts."
            )
        return made

    def persistent_load(self, pid: Any) -> Any:
        """References to objects kept outside the file are refused."""
        raise RefusedPickleError(f"the file refers to an object outside itself ({shown(pid)})")

    def load_build(self) -> None:
        """A state may be given to arrays and their types alone, never to a class or function."""
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Array | DType):
            raise RefusedPickleError(f"the file sets the state of a {type(self.stack[-1]).__name__}")
        self.stack[-1].__setstate__(state)

    def load_bytearray8(self) -> None:
        """A bytearray in place, read before it is allocated."""
        self.append(bytearray(self.read(int.from_bytes(self.read(8), "little"))))

    def load_dict(self) -> None:
        """A dict from all that follows a mark."""
        items = self.pop_mark()
        self.append(dict(zip(keys(items[::2]), items[1::2], strict=True)))

    def load_setitem(self) -> None:
        """One more key; into a dict alone, where the library's own would take whatever can be indexed."""
        value, key = self.stack.pop(), self.stack.pop()
        self._top(dict).update(zip(keys([key]), [value], strict=True))

    def load_setitems(self) -> None:
        """The same for all that follows a mark."""
        items = self.pop_mark()
        self._top(dict).update(zip(keys(items[::2]), items[1::2], strict=True))

    def load_additems(self) -> None:
        """More members of a set."""
        items = self.pop_mark()
        self._top(set).update(keys(items))

    def load_frozenset(self) -> None:
        """A frozenset from all that follows a mark."""
        items = self.pop_mark()
        self.append(frozenset(keys(items)))

    def load_append(self) -> None:
        """One more item of a list."""
        value = self.stack.pop()
        self._top(list).append(value)

    def load_appends(self) -> None:
        """The same for all that follows a mark."""
        items = self.pop_mark()
        self._top(list).extend(items)

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise RefusedPickleError(
                f"the file puts items into a {type(self.stack[-1]).__name__} as into a {kind.__name__}"
            )
        return self.stack[-1]

    def refuse(self) -> None:
        """Opcodes that name registered extensions, make instances of classes, or want buffers from outside."""
        raise RefusedPickleError("the file uses an opcode that no file of arrays and containers needs")


_OWN = ("BUILD", "BYTEARRAY8", "DICT", "SETITEM", "SETITEMS", "ADDITEMS", "FROZENSET", "APPEND", "APPENDS")
for _code in _OWN:
    _Machine.dispatch[getattr(pickle, _code)[0]] = getattr(_Machine, f"load_{_code.lower()}")
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
        value = _Machine(_Bounded(file, size), size).load()
        return _plain(value, {}, 0)
    except RefusedPickleError:
        raise
    except Exception as error:  # a damaged pickle fails in as many ways as it has opcodes
        raise RefusedPickleError(
            f"the file is damaged or no pickle ({type(error).__name__}: {str(error)[:200]}): fetch it again"
        ) from error


def _plain(value: Any, done: dict[int, tuple[Any, Any]], depth: int) -> Any:
    """Arrays for their stand-ins, throughout; what is left of the machinery is refused.

    `done` maps the id of each container met to (it, what replaces it): shared objects are walked once, so sharing
    cannot be made to explode, and are kept alive, so that no id is used twice. Keys of dicts and members of sets were
    plain when they were put in.
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
        value.update({k: _plain(v, done, depth + 1) for k, v in value.items()})
    elif isinstance(value, tuple):
        done[id(value)] = value, tuple(_plain(v, done, depth + 1) for v in value)
    elif isinstance(value, Array):
        done[id(value)] = value, _fill(value, done, depth)
    elif not isinstance(value, DATA):
        raise RefusedPickleError("the file holds a type or function as a value: only data is read")
    return done[id(value)][1] if id(value) in done else value


def _fill(array: Array, done: dict[int, tuple[Any, Any]], depth: int) -> np.ndarray:
    if array.value is None:
        raise RefusedPickleError("the file holds an array without data")
    done[id(array)] = array, array.value
    if array.value.dtype.kind == "O":
        for place in np.ndindex(array.value.shape):
            array.value[place] = _plain(array.value[place], done, depth + 1)
    return array.value
