"""From what users write in ``proj`` and ``aggr`` to projected columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import EllipsisType

from djcli.algebra.heading import Heading
from djcli.algebra.nodes import Column, Computed
from djcli.errors import DataJointError
from djcli.names import ATTRIBUTE_NAME

_COPY = re.compile(r"\(\s*([a-z_][a-z0-9_]*)\s*\)")

Columns = tuple[Column | Computed, ...]


def read_projection(
    heading: Heading, attributes: Sequence[str | EllipsisType], named: Mapping[str, str]
) -> Columns:
    """Translate the arguments of ``proj``.

    Parameters
    ----------
    heading
        What is projected.
    attributes
        Names to keep besides the primary key; ``...`` for all, ``-name`` for all but that one.
    named
        New names: of an attribute (which is renamed), of ``(attribute)`` (which is copied), or of any SQL.

    Raises
    ------
    DataJointError
        For unknown attributes, an excluded key attribute, or a name given twice.
    """
    for name, source in named.items():
        _check_new_name(name, source)
    excluded = {a[1:].strip() for a in attributes if isinstance(a, str) and a.startswith("-")}
    wanted = [a for a in attributes if isinstance(a, str) and not a.startswith("-")]
    heading.check([*excluded, *wanted])
    for name in excluded & set(heading.primary_key):
        raise DataJointError(f"attribute {name!r} belongs to the primary key, which a projection keeps")
    keep = set(heading.primary_key) | set(wanted)
    if ... in attributes or (excluded and not wanted):
        keep |= set(heading.secondary)
    keep -= excluded
    renamed = {source: new for new, source in named.items() if source in heading}
    if len(renamed) < sum(source in heading for source in named.values()):
        raise DataJointError("one attribute cannot be renamed twice; copy it with new='(attribute)'")
    columns: list[Column | Computed] = []
    for name in heading.names:
        if name in renamed:
            columns.append(Column(renamed[name], name))
        elif name in keep:
            columns.append(Column(name, name))
    columns += [_new_column(heading, name, source) for name, source in named.items() if source not in heading]
    _check_distinct(columns)
    return tuple(columns)


def read_aggregation(
    heading: Heading, attributes: Sequence[str | EllipsisType], named: Mapping[str, str]
) -> Columns:
    """Translate the arguments of ``aggr``: attributes to keep of the grouping relation, and computed ones."""
    plain = read_projection(heading, attributes, {})
    for name, source in named.items():
        _check_new_name(name, source)
    columns = (*plain, *(Computed(name, text) for name, text in named.items()))
    _check_distinct(columns)
    return columns


def read_computed(named: Mapping[str, str]) -> tuple[Computed, ...]:
    """Translate named SQL alone, as ``dj.U(…).aggr`` takes it."""
    for name, source in named.items():
        _check_new_name(name, source)
    return tuple(Computed(name, text) for name, text in named.items())


def _new_column(heading: Heading, name: str, source: str) -> Column | Computed:
    copied = _COPY.fullmatch(source)
    if copied and copied[1] in heading:
        return Column(name, copied[1])
    return Computed(name, source)


def _check_new_name(name: str, source: object) -> None:
    if not isinstance(source, str):
        raise DataJointError(
            f"{name}={source!r}: write an attribute's name or SQL as text, such as {name}='{source}'"
        )
    if not ATTRIBUTE_NAME.fullmatch(name):
        raise DataJointError(f"attribute name {name!r} must be lower-case letters, digits and underscores")


def _check_distinct(columns: Sequence[Column | Computed]) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise DataJointError(f"the projection has two attributes named {column.name!r}")
        seen.add(column.name)
