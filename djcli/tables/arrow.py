"""Values as Arrow has them: the type of each attribute's column, and what has none there as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from djcli.algebra.heading import HeadingAttribute
from djcli.codecs.scalars import kind_of
from djcli.errors import DataJointError

_DECIMAL128 = 38


def arrow_column(arrow: Any, attribute: HeadingAttribute, values: Sequence[Any], kind: Any) -> Any:
    """Return the values of an attribute as an Arrow array of that type; None lets Arrow choose it."""
    try:
        return arrow.array(arrow_values(attribute, values), type=kind)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError, arrow.ArrowNotImplementedError) as error:
        raise DataJointError(
            f"attribute {attribute.name!r} ({attribute.type.text}) has values that Arrow has no type for: "
            f"{' '.join(str(error).split())}; leave it out with proj"
        ) from error


def arrow_type(arrow: Any, attribute: HeadingAttribute) -> Any:
    """Return the type of an attribute in Arrow; None where its values tell."""
    kind = attribute.type
    match kind_of(kind.name, kind.column):
        case _ if kind.codec is not None:
            return None
        case "int8":  # PostgreSQL has no smaller one
            return arrow.int16()
        case "int16" | "int32" | "int64" | "float32" | "float64" as name:
            return getattr(arrow, name)()
        case "bool":
            return arrow.bool_()
        case "decimal" if kind.args:
            return (
                arrow.decimal128(*kind.args) if kind.args[0] <= _DECIMAL128 else arrow.decimal256(*kind.args)
            )
        case "char" | "varchar" | "enum" | "uuid" | "json":
            return arrow.string()
        case "date":
            return arrow.date32()
        case "datetime":
            return arrow.timestamp("us")
        case "zoned":
            return arrow.timestamp("us", tz="UTC")
        case "bytes":
            return arrow.binary()
        case _:
            return None


def arrow_values(attribute: HeadingAttribute, values: Sequence[Any]) -> Sequence[Any]:
    """Return values that Arrow and polars take."""
    match kind_of(attribute.type.name, attribute.type.column):
        case "uuid":
            return [None if v is None else str(v) for v in values]
        case "json":
            return [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
        case "unjudged" | "computed" if any(type(v).__module__ == "uuid" for v in values):
            return [None if v is None else str(v) for v in values]
        case _:
            return values
