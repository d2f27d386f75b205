"""From what users write in ``proj`` and ``aggr`` to projected columns."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import EllipsisType

from djcli.algebra.heading import Heading
from djcli.algebra.nodes import AnyColumn, Column, Computed, Reached
from djcli.algebra.paths import read_path
from djcli.algebra.words import check_fragment
from djcli.errors import DataJointError
from djcli.names import ATTRIBUTE_NAME

logger = logging.getLogger("djcli")

Columns = tuple[AnyColumn, ...]
Named = tuple[tuple[str, str], ...]
"""New names with what they stand for, in the order given."""

_NAME = re.compile(r"[A-Za-z_]\w*")
_COPY = re.compile(r"\(\s*([A-Za-z_]\w*)\s*\)")
_CONSTANTS = frozenset(
    [
        "null",
        "true",
        "false",
        "default",
        "current_date",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
        "current_user",
        "session_user",
        "user",
        "current_role",
        "current_catalog",
        "current_schema",
    ]
)
"""Words that are values in SQL without being attributes."""


def read_projection(
    heading: Heading, attributes: Sequence[str | EllipsisType], named: Mapping[str, str]
) -> Columns:
    """Translate the arguments of ``proj``.

    Parameters
    ----------
    heading
        What is projected.
    attributes
        Names to keep besides the primary key; ``...`` for all, ``-name`` to take one out again.
    named
        New names: of an attribute (which is renamed), of ``(attribute)`` (which is copied), of a path into a
        JSON attribute, or of any SQL.

    Raises
    ------
    DataJointError
        For unknown attributes, an excluded key attribute, or a name given twice.
    """
    for attribute in attributes:
        if not isinstance(attribute, (str, EllipsisType)):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise DataJointError(f"proj takes names of attributes and ..., not {attribute!r}")
    for name, source in named.items():
        check_new_name(name, source)
    return _projection(heading, tuple(attributes), tuple(named.items()))


@lru_cache(maxsize=2048)
def _projection(heading: Heading, attributes: tuple[str | EllipsisType, ...], named: Named) -> Columns:
    renamed, copied, new = _sorted_out(heading, named)
    keep = _kept(heading, attributes, set(renamed.values()))
    columns: list[AnyColumn] = []
    for name in heading.names:
        if name in keep:
            columns.append(Column(name, name))
        columns += [
            Column(to, name) for source in (renamed, copied) for to, of in source.items() if of == name
        ]
    columns += new
    _check_distinct(columns)
    return tuple(columns)


def _sorted_out(
    heading: Heading, named: Named
) -> tuple[dict[str, str], dict[str, str], list[Computed | Reached]]:
    """Tell renamed attributes from copied ones and from new ones."""
    renamed: dict[str, str] = {}
    copied: dict[str, str] = {}
    new: list[Computed | Reached] = []
    for name, source in named:
        text = source.strip()
        copy = _COPY.fullmatch(text)
        path = read_path(heading, text)
        if text in heading:
            renamed[name] = text
        elif copy and copy[1] in heading:
            copied[name] = copy[1]
        elif path is not None:
            new.append(Reached(name, path))
        else:
            if _NAME.fullmatch(text) and text.lower() not in _CONSTANTS:
                heading.check((text,))
            check_fragment(source, one_value=True)
            new.append(Computed(name, source))
    return renamed, copied, new


def _kept(heading: Heading, attributes: Sequence[str | EllipsisType], renamed: set[str]) -> set[str]:
    """Return the attributes that keep their names."""
    wanted = [a.strip() for a in attributes if isinstance(a, str)]
    excluded = {a[1:].strip() for a in wanted if a.startswith("-")}
    wanted = [a for a in wanted if not a.startswith("-") and a not in excluded]
    heading.check(wanted)
    for name in excluded & set(heading.primary_key):
        raise DataJointError(f"attribute {name!r} belongs to the primary key, which a projection keeps")
    for name in excluded.difference(heading.by_name):
        logger.warning("proj('-%s') has no effect: the attributes are %s", name, ", ".join(heading.names))
    keep = set(heading.primary_key) - renamed
    if ... in attributes:
        keep |= set(heading.secondary) - renamed
    return (keep | set(wanted)) - excluded


def read_aggregation(
    heading: Heading, attributes: Sequence[str | EllipsisType], named: Mapping[str, str]
) -> tuple[Column | Computed, ...]:
    """Translate the arguments of ``aggr``: attributes to keep of the grouping relation, and computed ones."""
    renamed = {name: source for name, source in named.items() if str(source).strip() in heading}
    plain = [c for c in read_projection(heading, attributes, renamed) if isinstance(c, Column)]
    columns = (*plain, *read_computed({n: s for n, s in named.items() if n not in renamed}))
    _check_distinct(columns)
    return columns


def read_computed(named: Mapping[str, str]) -> tuple[Computed, ...]:
    """Translate named SQL alone, as ``dj.U(…).aggr`` takes it."""
    for name, source in named.items():
        check_new_name(name, source)
        check_fragment(source, one_value=True)
    return tuple(Computed(name, text) for name, text in named.items())


def check_new_name(name: str, source: object) -> None:
    """Refuse what cannot be a new attribute.

    Raises
    ------
    DataJointError
        If `source` is no text or the name is not one of an attribute.
    """
    if not isinstance(source, str):
        raise DataJointError(
            f"{name}={source!r}: write an attribute's name or SQL as text, such as {name}='{source}'"
        )
    if not source.strip():
        raise DataJointError(f"{name}='': write an attribute's name or SQL")
    if not ATTRIBUTE_NAME.fullmatch(name):
        raise DataJointError(f"attribute name {name!r} must be lower-case letters, digits and underscores")


def _check_distinct(columns: Sequence[AnyColumn]) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise DataJointError(f"the projection has two attributes named {column.name!r}")
        seen.add(column.name)
