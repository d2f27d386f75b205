"""The formats of files that hold rows, by their names and by the endings of files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any, BinaryIO

from djcli.algebra.heading import Heading
from djcli.errors import DataJointError, SelectionError

FORMATS = ("csv", "tsv", "json", "jsonl", "parquet", "arrow")
"""The names of the formats."""

BINARY = ("parquet", "arrow")
"""Those that are no text."""

_ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}


def format_of(path: PurePath) -> str:
    """Return the format that a file's ending names.

    Raises
    ------
    DataJointError
        If it names none.
    """
    found = _ENDINGS.get(path.suffix.lower())
    if found is None:
        raise DataJointError(f"{str(path)!r} does not say its format: it must end in .{', .'.join(FORMATS)}")
    return found


def check_writable(heading: Heading, format_: str, advice: str = "choose other attributes") -> None:
    """Refuse attributes that have no form in a format.

    Parameters
    ----------
    heading
        The attributes.
    format_
        One of `FORMATS`.
    advice
        What to do instead, for the message.

    Raises
    ------
    SelectionError
        Naming the first of them.
    """
    stored = next((attribute for attribute in heading if attribute.type.codec is not None), None)
    if stored is not None and format_ not in ("json", "jsonl"):
        raise SelectionError(
            f"attribute {stored.name!r} ({stored.type.text}) has no form in {format_}: {advice}"
        )


def write_rows(
    file: BinaryIO,
    format_: str,
    heading: Heading,
    rows: Iterable[Sequence[Any]],
    delimiter: str | None = None,
) -> int:
    """Write rows to a file, in flat memory.

    Parameters
    ----------
    file
        Where to; it need not be seekable.
    format_
        One of `FORMATS`.
    heading
        The attributes.
    rows
        The rows as they were fetched, values in the order of the attributes.
    delimiter
        What stands between two fields of CSV; by default a comma.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    SelectionError
        If an attribute has no form in that format.
    """
    check_writable(heading, format_)
    # lazy: most commands need one format or none
    if format_ in ("csv", "tsv"):
        from djcli.tables.files.delimited import write_delimited

        return write_delimited(file, heading, rows, delimiter or ("\t" if format_ == "tsv" else ","))
    if format_ in ("json", "jsonl"):
        from djcli.tables.files.jsons import write_json

        return write_json(file, heading, rows, is_lines=format_ == "jsonl")
    from djcli.tables.files.parquet import write_columnar

    return write_columnar(file, heading, rows, format_)
