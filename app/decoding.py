"""From parsed JSON to frozen dataclasses by their type hints, with errors that name the place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class SchemaError(ValueError):
    """The data does not follow the schema; the message names the place, what was expected and what was seen."""


def decode(kind: type[T], data: Any) -> T:
    """`data` (dicts, lists, numbers, strings) as the dataclass `kind`.

    Knows bool, int, float, str, tuple[X, ...], Mapping[str, X] and dataclasses of these. Unknown keys are ignored,
    so that a later minor addition does not shut out earlier readers. Raises SchemaError.
    """
    return _decode(kind, data, "")


def _decode(kind: Any, data: Any, where: str) -> Any:
    if is_dataclass(kind):
        return _decode_record(kind, data, where)
    origin = get_origin(kind)
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
    for name, inner in _hints(kind).items():
        place = f"{where}.{name}" if where else name
        if name not in data:
            raise SchemaError(f"{place} is missing")
        values[name] = _decode(inner, data[name], place)
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _decode_plain(kind: type, data: Any, where: str) -> Any:
    if kind is float and isinstance(data, (int, float)) and not isinstance(data, bool):
        if not math.isfinite(data):
            raise _unexpected(where, "a finite number", data)
        return float(data)
    right = isinstance(data, kind) and (kind is bool or not isinstance(data, bool))
    if not right:
        names = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
        raise _unexpected(where, names[kind], data)
    return data


def _unexpected(where: str, expected: str, data: Any) -> SchemaError:
    return SchemaError(f"{where or 'the whole'}: expected {expected}, got {str(data)[:60]!r}")
