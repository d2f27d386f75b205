"""The native types: what each becomes on PostgreSQL, and which core type to use instead."""

from __future__ import annotations

from djcli.definition.attribute import core_of_column

_INTEGERS = {
    "tinyint": ("smallint", "smallint"),
    "smallint": ("smallint", "integer"),
    "mediumint": ("integer", "integer"),
    "int": ("integer", "bigint"),
    "integer": ("integer", "bigint"),
    "bigint": ("bigint", "numeric(20,0)"),
    "int2": ("smallint", "integer"),
    "int4": ("integer", "bigint"),
    "year": ("smallint", "smallint"),
}
"""The column of an integer type, and of the same type unsigned."""

_FLOATS = {
    "float": "real",
    "real": "real",
    "float4": "real",
    "double": "double precision",
    "double precision": "double precision",
    "float8": "double precision",
}

_SERIALS = {"smallserial": "smallint", "serial": "integer", "bigserial": "bigint"}

_PLAIN = {
    "boolean": "boolean",
    "jsonb": "jsonb",
    "bytea": "bytea",
    "tinytext": "text",
    "text": "text",
    "mediumtext": "text",
    "longtext": "text",
    "tinyblob": "bytea",
    "blob": "bytea",
    "mediumblob": "bytea",
    "longblob": "bytea",
    "binary": "bytea",
    "varbinary": "bytea",
    "interval": "interval",
    "inet": "inet",
    "cidr": "cidr",
    "macaddr": "macaddr",
    "xml": "xml",
    "tsvector": "tsvector",
}

_TIMES = {
    "timestamp": "timestamp{} without time zone",
    "timestamp without time zone": "timestamp{} without time zone",
    "timestamptz": "timestamp{} with time zone",
    "timestamp with time zone": "timestamp{} with time zone",
    "time": "time{} without time zone",
    "time without time zone": "time{} without time zone",
    "timetz": "time{} with time zone",
    "time with time zone": "time{} with time zone",
}

_SIZED = {"character": "character", "character varying": "character varying", "bpchar": "character"}

_WIDTH_DROPPED = {"blob", "binary", "varbinary", "text"}

NATIVE_NAMES = (*_INTEGERS, *_FLOATS, *_SERIALS, *_PLAIN, *_TIMES, *_SIZED, "numeric")
"""Every native name that a definition may use."""


def native_column(words: str, args: tuple[int, ...]) -> tuple[str, bool] | None:
    """Return the column of a native type.

    Parameters
    ----------
    words
        The type's words in lower case with single spaces: ``int unsigned auto_increment``.
    args
        The numbers in its parentheses.

    Returns
    -------
    tuple or None
        The PostgreSQL type and whether the database numbers the rows; None when there is no such type.
    """
    if words in _SERIALS:
        return (_SERIALS[words], True) if not args else None
    base = words.removesuffix(" auto_increment")
    identity = base != words
    base = base.removesuffix(" zerofill")
    plain = base.removesuffix(" unsigned")
    column = _integer(plain, args, unsigned=plain != base)
    if column is not None:
        return column, identity
    column = None if identity else _other(base, plain, args)
    return (column, False) if column is not None else None


def _integer(name: str, args: tuple[int, ...], *, unsigned: bool) -> str | None:
    if name not in _INTEGERS or len(args) > 1:
        return None
    return _INTEGERS[name][unsigned]


def _other(base: str, plain: str, args: tuple[int, ...]) -> str | None:
    if plain in _FLOATS:
        return _FLOATS[plain]
    if plain in {"decimal", "numeric"}:
        return _numeric(args)
    if base in _TIMES:
        return _time(_TIMES[base], args)
    if base in _SIZED and len(args) <= 1:
        size = args[0] if args else 1 if _SIZED[base] == "character" else None
        return _SIZED[base] if size is None else f"{_SIZED[base]}({size})" if size > 0 else None
    if base in _PLAIN and (not args or base in _WIDTH_DROPPED):
        return _PLAIN[base]
    return None


def _numeric(args: tuple[int, ...]) -> str | None:
    if not args:
        return "numeric"
    precision, scale = (*args, 0)[:2]
    return f"numeric({precision},{scale})" if len(args) <= 2 and 1 <= precision <= 1000 >= scale else None


def _time(template: str, args: tuple[int, ...]) -> str | None:
    if not args:
        return template.format("")
    return template.format(f"({args[0]})") if len(args) == 1 and args[0] <= 6 else None


_ADVICE = {
    "text": "varchar(n)",
    "character varying": "varchar(n)",
    "numeric": "decimal(p,s)",
    "timestamp with time zone": "datetime, which is UTC",
}


def core_advice(column: str) -> str | None:
    """Return the core type to use instead of a native one with this column, or None."""
    if column.startswith("timestamp") and column.endswith(" with time zone"):
        return _ADVICE["timestamp with time zone"]
    return core_of_column(column) or _ADVICE.get(column)
