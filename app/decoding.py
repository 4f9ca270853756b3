"""From parsed JSON to frozen dataclasses by their type hints, with errors that name the place."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class SchemaError(ValueError):
    """The data does not follow the schema; the message names the place, what was expected and what was seen."""


def decode(kind: type[T], data: Any) -> T:
    """`data` (dicts, lists, numbers, strings) as the dataclass `kind`.

    Knows bool, int, float, str, tuple[X, ...], Mapping[str, X], X | None and dataclasses of these. Unknown keys are
    ignored, and a field with a default may be missing, so that a later addition shuts out neither earlier readers nor
    earlier files. Raises SchemaError.
    """
    return _decode(kind, data, "")


def _decode(kind: Any, data: Any, where: str) -> Any:
    if is_dataclass(kind):
        return _decode_record(kind, data, where)
    origin = get_origin(kind)
    if origin is UnionType:
        (inner,) = (k for k in get_args(kind) if k is not NoneType)
        return None if data is None else _decode(inner, data, where)
    if origin is tuple:
        if not isinstance(data, (list, tuple)):
            raise _unexpected(where, "a list", data)
        (inner, _) = get_args(kind)
        return tuple(_decode(inner, item, f"{where}[{i}]") for i, item in enumerate(data))
    if origin is Mapping:
        if not isinstance(data, Mapping):
            raise _unexpected(where, "an object", data)
        return {str(k): _decode(get_args(kind)[1], v, f"{where}.{k}") for k, v in data.items()}
    return _decode_plain(kind, data, where)


def _decode_record(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, Mapping):
        raise _unexpected(where, "an object", data)
    values = {}
    for name, (inner, needed) in _hints(kind).items():
        place = f"{where}.{name}" if where else name
        if name in data:
            values[name] = _decode(inner, data[name], place)
        elif needed:
            raise SchemaError(f"{place} is missing")
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, tuple[Any, bool]]:
    """{field: (type, whether it has no default)}."""
    hints = get_type_hints(kind)
    return {field.name: (hints[field.name], field.default is MISSING) for field in fields(kind)}


def _decode_plain(kind: type, data: Any, where: str) -> Any:
    if kind is float and isinstance(data, (int, float)) and not isinstance(data, bool):
        # A whole number past the largest float is none either, and math.isfinite would not take it.
        if not abs(data) <= sys.float_info.max:
            raise _unexpected(where, "a finite number", data)
        return float(data)
    right = isinstance(data, kind) and (kind is bool or not isinstance(data, bool))
    if not right:
        names = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
        raise _unexpected(where, names[kind], data)
    return data


def _unexpected(where: str, expected: str, data: Any) -> SchemaError:
    # Lists within lists within lists could not even be told.
    seen = reprlib.repr(data) if isinstance(data, (list, dict)) else str(data)
    return SchemaError(f"{where or 'the whole'}: expected {expected}, got {seen[:60]!r}")
