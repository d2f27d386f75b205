"""Taking apart what holds rows: numpy records, and the frames of pandas, polars and Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast


def records(given: Any) -> list[dict[str, object]] | None:
    """Return the rows of records and frames as dicts, missing values as None; None for anything else.

    Nothing is imported for it: whoever has a frame has its library.
    """
    names = getattr(getattr(given, "dtype", None), "names", None)
    if names is not None:
        return _of_records(given, cast(tuple[str, ...], names))
    if not hasattr(given, "columns"):
        return None
    if hasattr(given, "to_dicts"):  # polars
        return cast(
            list[dict[str, object]], (given.collect() if hasattr(given, "collect") else given).to_dicts()
        )
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


def _of_pandas(given: Any) -> list[dict[str, object]]:
    if any(name is not None for name in given.index.names):
        given = given.reset_index()
    # as objects, because a column of numbers would turn None into NaN again
    given = given.astype(object).where(given.notna(), None)
    return cast(list[dict[str, object]], given.to_dict("records"))
