"""How a value looks on the terminal."""

from __future__ import annotations

import json
from decimal import Decimal

from djcli.algebra.heading import HeadingAttribute
from djcli.codecs.scalars import kind_of
from djcli.tables.preview import cell


def shown(attribute: HeadingAttribute, value: object) -> object:
    """Return what a table shows of a value: a number as it is, so that it stands to the right, or a short text."""
    if value is None or (isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)):
        return value
    if value is not ... and kind_of(attribute.type.name, attribute.type.column) == "json":
        return json.dumps(value, ensure_ascii=False)  # as it is typed
    return cell(attribute, value)


def told(attribute: HeadingAttribute, value: object) -> str:
    """Return what a sentence says of a value: text in quotes, null by that name."""
    if value is None:
        return "null"
    return repr(value) if isinstance(value, str) else str(shown(attribute, value))
