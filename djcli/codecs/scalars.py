"""The encoder and decoder of each type, used on every road a value takes to and from PostgreSQL.

An attribute is told here by the name of its type, its column as ``format_type`` prints it, and the type's
lengths and labels. Native types, and the columns that codecs end in, go by their column.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from typing import Final

from djcli.codecs.numeric import (
    decimal_encoder,
    encode_bool,
    encode_float32,
    encode_float64,
    shortest_float32,
    whole_encoder,
)
from djcli.codecs.plain import UnfitValueError
from djcli.codecs.texts import (
    char_encoder,
    encode_bytes,
    encode_json,
    encode_text,
    encode_unjudged,
    encode_uuid,
    enum_encoder,
    parse_bytes,
    parse_json,
    varchar_encoder,
)
from djcli.codecs.times import datetime_encoder, encode_date, encode_zoned

__all__ = [
    "NO_MATCH",
    "comparison_column",
    "comparison_value",
    "decoder",
    "encoder",
    "kind_of",
    "parse_text",
    "shortest_float32",
]

Encoder = Callable[[object], object]


class _NoMatch(Enum):
    NO_MATCH = "no row can have this value"


NO_MATCH: Final = _NoMatch.NO_MATCH
"""What `comparison_value` returns for a value that no row of the column can have."""

_KIND_OF_COLUMN = {
    "smallint": "int16",
    "integer": "int32",
    "bigint": "int64",
    "real": "float32",
    "double precision": "float64",
    "numeric": "decimal",
    "boolean": "bool",
    "character": "char",
    "bpchar": "char",
    "character varying": "varchar",
    "text": "varchar",
    "date": "date",
    "timestamp": "datetime",
    "timestamp without time zone": "datetime",
    "timestamp with time zone": "zoned",
    "uuid": "uuid",
    "json": "json",
    "jsonb": "json",
    "bytea": "bytes",
}
_COMPARED_AS = {
    "int8": "smallint",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "float32": "real",
    "float64": "double precision",
    "decimal": "numeric",
    "bool": "boolean",
    "char": "bpchar",
    "varchar": "text",
    "date": "date",
    "datetime": "timestamp",
    "zoned": "timestamptz",
    "uuid": "uuid",
    "json": "jsonb",
    "bytes": "bytea",
}
_SIMPLE: dict[str, Encoder] = {
    "int8": whole_encoder("int8", 8),
    "int16": whole_encoder("int16", 16),
    "int32": whole_encoder("int32", 32),
    "int64": whole_encoder("int64", 64),
    "float32": encode_float32,
    "float64": encode_float64,
    "bool": encode_bool,
    "date": encode_date,
    "zoned": encode_zoned,
    "uuid": encode_uuid,
    "json": encode_json,
    "bytes": encode_bytes,
    "unjudged": encode_unjudged,
}
_MODIFIER = re.compile(r"\((\d+(?:,-?\d+)*)\)")


def kind_of(name: str, column: str) -> str:
    """Return what an attribute holds: the name of its type, or what its column tells.

    Besides the names of the core types there is ``zoned``, and ``unjudged`` for all native types that have
    no kin among them.
    """
    if name in ("native", "codec"):
        return _KIND_OF_COLUMN.get(_MODIFIER.sub("", column), "unjudged")
    return name


def _modifiers(column: str, args: tuple[int, ...]) -> tuple[int, ...]:
    """Return the column's own modifiers; it knows best, `args` may be of the definition's text."""
    match = _MODIFIER.search(column)
    return tuple(int(part) for part in match[1].split(",")) if match else args


@lru_cache(maxsize=4096)
def encoder(name: str, column: str, args: tuple[int, ...] = (), labels: tuple[str, ...] = ()) -> Encoder:
    """Return the function that turns a user's value into the one value sent to PostgreSQL.

    Parameters
    ----------
    name
        The type: ``int8 int16 int32 int64 float32 float64 decimal bool char varchar date datetime uuid json
        bytes enum``, or ``native`` and ``codec``, which go by their column.
    column
        The PostgreSQL type, as ``format_type`` prints it.
    args, labels
        Lengths and precisions; the labels of an enum.

    Returns
    -------
    Callable
        Takes any value but None and returns an int, float, Decimal, bool, str, bytes, date, datetime or
        UUID (for JSON, the JSON text). It raises a ValueError whose text reads well after
        ``"attribute 'x': "``.
    """
    kind = kind_of(name, column)
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if kind == "enum":
        return enum_encoder(labels)
    sizes = _modifiers(column, args)
    if kind == "decimal":
        return decimal_encoder(sizes)
    if kind == "datetime":
        return datetime_encoder(sizes[0] if sizes else 6)
    if kind == "char" and sizes:
        return char_encoder(sizes[0])
    if kind == "varchar" and sizes:
        return varchar_encoder(sizes[0])
    if kind in ("char", "varchar"):
        return encode_text
    raise ValueError(f"there is no encoder for the type {name!r}")


@lru_cache(maxsize=4096)
def decoder(name: str, column: str, args: tuple[int, ...] = ()) -> Callable[[object], object] | None:  # noqa: ARG001 - one signature for all types
    """Return the function that turns a fetched value into the user's, or None where psycopg's is right.

    Only ``char(n)`` has one: PostgreSQL pads it with blanks.
    """
    return _strip_blanks if kind_of(name, column) == "char" else None


def _strip_blanks(value: object) -> object:
    return value.rstrip(" ") if isinstance(value, str) else value


def is_unjudged(name: str, column: str) -> bool:
    """Whether values of a type are passed on as they are, for PostgreSQL to judge."""
    return kind_of(name, column) == "unjudged"


def comparison_column(name: str, column: str) -> str:
    """Return the SQL type that the parameter of a comparison is cast to.

    It has no length: a text that is too long must not be cut, it just equals nothing. For an enum it is
    `column`, which the caller qualifies with its schema.
    """
    kind = kind_of(name, column)
    return _COMPARED_AS.get(kind, column)


def comparison_value(
    name: str, column: str, args: tuple[int, ...], labels: tuple[str, ...], value: object
) -> object:
    """Return the value to compare the column with: what an insert of `value` would have stored.

    Returns
    -------
    object
        The encoded value, or `NO_MATCH` for a value of a fitting kind that no row can have, such as 1.5 for
        a whole number or a text that is too long.

    Raises
    ------
    ValueError
        If the value is not of the column's kind, or is an unknown label of an enum.
    """
    try:
        return encoder(name, column, args, labels)(value)
    except UnfitValueError:
        return NO_MATCH


def parse_text(name: str, column: str, args: tuple[int, ...], labels: tuple[str, ...], text: str) -> object:
    r"""Return the value that a text of a command line or a CSV file stands for, as the attribute has it.

    JSON is read as JSON, bytes as hexadecimal (``\x00ff``), everything else as the encoder reads text.

    Raises
    ------
    ValueError
        If the text stands for no value of the type.
    """
    kind = kind_of(name, column)
    if kind == "bytes":
        return parse_bytes(text)
    encode = encoder(name, column, args, labels)
    if kind == "json":
        value = parse_json(text)
        encode(value)
        return value
    return encode(text)
