"""Taking apart what holds values or rows: lists, numpy records, and the frames of pandas, polars and Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID


def records(given: Any) -> list[dict[str, object]] | None:
    """Return the rows of records and frames as dicts, missing values as None; None for anything else.

    A row of a pandas frame, whose index are names, is a row. Nothing is imported for it: whoever has a
    frame has its library.
    """
    names = getattr(getattr(given, "dtype", None), "names", None)
    if names is not None:
        return _of_records(given, cast(tuple[str, ...], names))
    if hasattr(given, "collect_schema"):  # polars
        return cast(list[dict[str, object]], given.lazy().collect().to_dicts())
    if not hasattr(given, "columns"):
        return _of_pandas_row(given)
    if hasattr(given, "to_pylist"):  # Arrow
        return cast(list[dict[str, object]], given.to_pylist())
    if hasattr(given, "to_dict") and hasattr(given, "index"):  # pandas
        return _of_pandas(given)
    return None


def _of_records(given: Any, names: tuple[str, ...]) -> list[dict[str, object]]:
    if given.shape == ():
        return [{name: given[name] for name in names}]
    rows = cast(Iterable[Sequence[object]], given.ravel())
    return [dict(zip(names, row, strict=True)) for row in rows]


def _of_pandas_row(given: Any) -> list[dict[str, object]] | None:
    if not (hasattr(given, "to_dict") and hasattr(given, "index")):
        return None
    names = list(given.index)
    if not names or not all(isinstance(name, str) for name in names):
        return None
    return [given.astype(object).where(given.notna(), None).to_dict()]


def _of_pandas(given: Any) -> list[dict[str, object]]:
    if any(name is not None for name in given.index.names):
        given = given.reset_index()
    # as objects, because a column of numbers would turn None into NaN again
    given = given.astype(object).where(given.notna(), None)
    return cast(list[dict[str, object]], given.to_dict("records"))


_NOTHING: dict[str, object] = {}
_SCALARS = frozenset((str, int, float, bool, date, datetime, UUID, Decimal))
_LISTS = (list, tuple, set, frozenset, range, *map(type, (_NOTHING.keys(), _NOTHING.values())))


def is_list(value: object) -> bool:
    """Whether the value of a dict restriction is a list, any item of which may match."""
    if type(value) in _SCALARS:  # by far the most frequent
        return False
    return isinstance(value, _LISTS) or bool(getattr(value, "shape", ()))
