"""`Path`: the way into a JSON attribute, ``meta.probe.depth`` or ``meta.list[2]:decimal(5,2)``."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

from djcli.algebra.heading import Heading
from djcli.definition.types import AttributeType, parse_type
from djcli.errors import DataJointError, DefinitionError

_PATH = re.compile(
    r"\s*(?P<name>[a-z_]\w*)(?P<steps>(?:\.\w+|\[\d+\])+)(?:\s*:\s*(?P<cast>[a-z][\w ]*(?:\([\d, ]*\))?))?\s*",
    re.IGNORECASE,
)
_STEP = re.compile(r"\w+")
_OTHER_NAMES = {
    "signed": "int64",
    "unsigned": "int64",
    "int": "int32",
    "integer": "int32",
    "float": "float64",
    "double": "float64",
    "char": "text",
    "string": "text",
}
"""Names of types that the reference system takes in a path, by ours."""


@dataclass(frozen=True, slots=True)
class Path:
    """The way to a value inside a JSON attribute.

    Attributes
    ----------
    name
        The attribute.
    steps
        Keys of objects and places in lists, as texts.
    cast
        The type that the value is read as; None for text.
    """

    name: str
    steps: tuple[str, ...]
    cast: AttributeType | None = None


def read_path(heading: Heading, text: str) -> Path | None:
    """Return the path that a text is; None for anything else, such as ``other_attribute.x``.

    Raises
    ------
    DataJointError
        If the type after the colon is none.
    """
    match = _PATH.fullmatch(text)
    if match is None or not _is_json(heading, match["name"]):
        return None
    return Path(match["name"], tuple(_STEP.findall(match["steps"])), _cast(text, match["cast"]))


def head_of(text: str, names: Container[str]) -> str | None:
    """Return the attribute that a key of a dict restriction is about; None when it is about none."""
    if text in names:
        return text
    head = re.split(r"[.\[:]", text, maxsplit=1)[0].strip()
    return head if head in names else None


def _is_json(heading: Heading, name: str) -> bool:
    # What the user's own SQL computes may be JSON too, but only the database knows.
    return name in heading and heading[name].type.column in ("json", "jsonb")


def _cast(text: str, cast: str | None) -> AttributeType | None:
    if cast is None:
        return None
    try:
        return parse_type(_OTHER_NAMES.get(cast.strip().lower(), cast.strip()))
    except DefinitionError as error:
        raise DataJointError(f"JSON path {text!r}: {error}") from error
