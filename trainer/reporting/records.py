"""Dataclasses to JSON and back, strictly: a field too many or too few is an error."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any, TypeVar

from trainer.errors import DataError

Record = TypeVar("Record")


def encode(value: Any) -> Any:
    """Return ``value`` as JSON types: dataclasses as objects, tuples as lists, NaN as null.

    >>> encode((1.0, float("nan")))
    [1.0, None]
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise DataError(f"a {type(value).__name__} has no place in a report: {value!r:.80}")


def decode(kind: type[Record], data: Any, where: str = "report") -> Record:
    """Return the dataclass ``kind`` that ``data`` (from ``encode``) describes.

    Args:
        kind: a dataclass whose fields are JSON types, tuples, dicts, optionals or dataclasses.
        data: what ``json.load`` gave.
        where: name for messages.

    Raises:
        DataError: a field is unknown or missing, or a value has another type.
    """
    decoded: Record = _decode(kind, data, where)
    return decoded


def _decode(kind: Any, data: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, data, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return data
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        (inner,) = (a for a in arguments if a is not type(None))
        return _decode(inner, data, where)
    if origin is tuple and isinstance(data, list):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_decode(arguments[0], item, where) for item in data)
        if len(arguments) == len(data):
            return tuple(_decode(a, i, where) for a, i in zip(arguments, data, strict=True))
    if origin is dict and isinstance(data, dict):
        return {key: _decode(arguments[1], item, f"{where}.{key}") for key, item in data.items()}
    if kind is float and isinstance(data, (int, float)) and not isinstance(data, bool):
        return float(data)
    if kind is float and data is None:
        return math.nan
    if isinstance(kind, type) and isinstance(data, kind):
        return data
    raise DataError(f"{where} holds {data!r:.60}, but {kind} was expected")


def _decode_dataclass(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise DataError(f"{where} holds {data!r:.60}, but an object was expected")
    hints = typing.get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]
    strange = sorted(set(data) - set(names))
    missing = sorted(set(names) - set(data))
    if strange or missing:
        parts = [f"unknown {', '.join(strange)}"] if strange else []
        parts += [f"missing {', '.join(missing)}"] if missing else []
        raise DataError(f"{where} was written by another version: {'; '.join(parts)}")
    return kind(**{n: _decode(hints[n], data[n], f"{where}.{n}") for n in names})
