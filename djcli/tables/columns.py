"""Encoding whole columns at once, where that is quicker than value by value."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from math import isfinite
from struct import pack, unpack
from typing import Any
from uuid import UUID

from djcli.definition.attribute import Attribute, AttributeType

WIDTHS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_EXACT: dict[str, type] = {"float64": float, "bool": bool, "date": date, "uuid": UUID, "bytes": bytes}


def encode_column_at_once(attribute: Attribute, types: set[type], values: Any) -> Sequence[object] | None:
    """Encode a whole column, in which some values may be missing, where that is quicker; None where it is not.

    Looking at a whole column at once is several times as fast as encoding each of its values; what comes out
    is what its encoder makes of each.
    """
    if type(None) not in types:
        return _encode_at_once(attribute, types, values)
    present = [value for value in values if value is not None]
    encoded = _encode_at_once(attribute, types - {type(None)}, present)
    if encoded is None:
        return None
    remaining = iter(encoded)
    return [None if value is None else next(remaining) for value in values]


def _encode_at_once(attribute: Attribute, types: set[type], values: Any) -> Sequence[object] | None:
    """Encode a whole column where that is quicker than each of its values; None where it is not."""
    kind = attribute.type
    if types and fits(kind, types, values):
        return values
    if types == {float}:
        if kind.name == "float32":
            return _to_single(values)
        return list(map(Decimal, map(repr, values))) if _are_decimals(attribute, values) else None
    if types != {str}:
        return None
    if kind.name in ("float32", "float64") and _FLOATS.issuperset("".join(values)):
        floats = _read_floats(values)
        return floats if floats is None or kind.name == "float64" else _to_single(floats)
    if kind.name in WIDTHS:
        whole = _whole_numbers(values)
        return whole if whole is not None and fits(kind, {int}, whole) else None
    if kind.name == "decimal" and _DECIMALS.issuperset("".join(values)):
        decimals = _read_decimals(values)
        return decimals if decimals is not None and _are_decimals(attribute, decimals) else None
    return None


def fits(kind: AttributeType, types: set[type], values: Any) -> bool:
    """Whether all values of a column are already what their encoder would make of them.

    Looking at a whole column at once is several times as fast as encoding each of its values.

    Parameters
    ----------
    kind
        The type of the attribute.
    types
        The types of the values.
    values
        The values; not none.
    """
    if len(types) != 1:
        return False
    (only,) = types
    if kind.name in WIDTHS:
        bound = 1 << (WIDTHS[kind.name] - 1)
        return only is int and -bound <= min(values) and max(values) < bound
    if kind.name in _EXACT:
        return only is _EXACT[kind.name]
    if only is not str:
        return False
    if kind.name == "enum":
        return bool(kind.labels) and set(values) <= set(kind.labels)
    if kind.name == "varchar" and kind.args:
        return max(map(len, values)) <= kind.args[0] and _is_plain("".join(values))
    return False


_DECIMALS = frozenset("0123456789.-")


_FLOATS = frozenset("0123456789.-+eE")


def _read_floats(values: Sequence[Any]) -> list[float] | None:
    """Return the numbers of texts; None if one is none, or too large."""
    try:
        floats = list(map(float, values))
    except ValueError:
        return None
    return floats if isfinite(sum(floats)) else None


def _to_single(floats: Sequence[float]) -> Sequence[float] | None:
    """Return what single precision keeps of numbers; None if one is too large for it, or too small."""
    layout = f"<{len(floats)}f"
    try:
        singles = unpack(layout, pack(layout, *floats))
    except OverflowError:
        return None
    return singles if singles.count(0.0) == floats.count(0.0) else None


def _read_decimals(values: Sequence[Any]) -> list[Decimal] | None:
    try:
        return list(map(Decimal, values))
    except InvalidOperation:
        return None


def _are_decimals(attribute: Attribute, values: Any) -> bool:
    """Whether numbers are sure to be in the range of a decimal attribute, to whose scale PostgreSQL rounds.

    In a key they are rounded here, because keys are compared.
    """
    kind = attribute.type
    if kind.name != "decimal" or attribute.in_key or len(kind.args) != 2:
        return False
    most = 10 ** (kind.args[0] - kind.args[1]) - 1
    return isfinite(sum(values)) and -most <= min(values) and max(values) <= most


def _whole_numbers(values: Any) -> list[int] | None:
    """Return the numbers of texts that are nothing but digits; None if any is more."""
    text = "".join(values)
    return list(map(int, values)) if text.isascii() and text.isdigit() and all(values) else None


def _is_plain(text: str) -> bool:
    return text.isascii() and "\0" not in text
