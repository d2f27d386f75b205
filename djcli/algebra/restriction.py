"""From what users write in a restriction to a condition and its values."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast, runtime_checkable

from djcli.algebra.conditions import (
    OPERATORS,
    All,
    Among,
    Any,
    Compare,
    Condition,
    Constant,
    IsNull,
    Matches,
    Not,
    Raw,
    all_of,
)
from djcli.algebra.heading import COMPUTED, Heading, HeadingAttribute
from djcli.algebra.relation import Node
from djcli.algebra.semantics import shared_attributes
from djcli.codecs.scalars import NO_MATCH, comparison_value
from djcli.errors import DataJointError

logger = logging.getLogger("djcli")

Values = tuple[object, ...]


@runtime_checkable
class Expression(Protocol):
    """Whatever stands for a relation: a query expression, or a table class."""

    @property
    def node(self) -> Node:
        """The structure."""
        ...

    @property
    def values(self) -> Values:
        """The values of the structure's slots."""
        ...


class Negation:
    """``dj.Not(condition)``: the rows for which the condition does not hold."""

    def __init__(self, restriction: object) -> None:
        self.restriction = restriction


class AndList(list[object]):
    """``dj.AndList([…])``: every condition of the list must hold."""


@dataclass(frozen=True)
class Where:
    """One comparison, ``attribute operator value``, with the value as a parameter.

    Parameters
    ----------
    attribute
        The name of an attribute; unlike a key of a dict, it must exist.
    operator
        One of ``= != < <= > >=``.
    value
        A value of the attribute's type.
    """

    attribute: str
    operator: str
    value: object

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise DataJointError(f"unknown comparison {self.operator!r}: use one of {' '.join(OPERATORS)}")


@dataclass(frozen=True)
class Restriction:
    """A condition, the values of its slots, and the dict keys that had no effect."""

    condition: Condition
    values: Values = ()
    unmatched: tuple[str, ...] = field(default=())


def read_restriction(heading: Heading, given: object, *, semantic_check: bool = True) -> Restriction:
    """Translate a restriction.

    Parameters
    ----------
    heading
        The heading of the relation to be restricted.
    given
        A string of SQL, a mapping, a sequence or set of conditions (any of which may hold), a frame, a
        record, a boolean, `AndList`, `Negation`, `Where`, or another relation.
    semantic_check
        Whether namesakes must have one lineage when `given` is a relation.

    Raises
    ------
    DataJointError
        If it is none of these, or a value cannot be compared with its attribute.
    """
    match given:
        case bool():
            return Restriction(Constant(given))
        case str():
            return Restriction(Raw(given))
        case Where():
            return _where(heading, given)
        case Negation():
            inner = read_restriction(heading, given.restriction, semantic_check=semantic_check)
            return Restriction(Not(inner.condition), inner.values, inner.unmatched)
        case AndList():
            return _combine(heading, given, semantic_check, conjunction=True)
        case Mapping():
            return _mapping(heading, cast(Mapping[str, object], given))
        case _:
            return _other(heading, given, semantic_check)


def _other(heading: Heading, given: object, semantic_check: bool) -> Restriction:
    if isinstance(given, Expression):
        shared = shared_attributes(
            heading, given.node.heading, operation="restrict", semantic_check=semantic_check
        )
        return Restriction(Matches(given.node, shared), given.values)
    rows = _records(given)
    if rows is not None:
        return _combine(heading, rows, semantic_check, conjunction=False)
    if type(given).__name__ == "bool":  # numpy's
        return Restriction(Constant(bool(given)))
    if isinstance(given, Iterable):
        return _combine(heading, cast(Iterable[object], given), semantic_check, conjunction=False)
    raise DataJointError(
        f"cannot restrict by {type(given).__name__} {given!r}: "
        "use a dict, a string of SQL, a list of these, or a table"
    )


def _records(given: object) -> list[object] | None:
    """Take apart numpy records, and the rows of frames; None for anything else."""
    dtype_names = getattr(getattr(given, "dtype", None), "names", None)
    if dtype_names is not None:
        names = cast(tuple[str, ...], dtype_names)
        if getattr(given, "shape", ()) == ():
            return [{name: given[name] for name in names}]  # pyright: ignore[reportIndexIssue, reportUnknownVariableType]
        return [dict(zip(names, row, strict=True)) for row in cast(Iterable[Sequence[object]], given)]
    if hasattr(given, "to_dicts") and hasattr(given, "columns"):  # polars
        return list(cast(Iterable[object], given.to_dicts()))  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    if hasattr(given, "to_dict") and hasattr(given, "columns"):  # pandas
        return list(cast(Iterable[object], given.to_dict("records")))  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    return None


def _where(heading: Heading, given: Where) -> Restriction:
    heading.check((given.attribute,))
    attribute = heading[given.attribute]
    if given.value is None:
        if given.operator not in ("=", "!="):
            raise DataJointError(f"{given.attribute} {given.operator} null is never true; use = or !=")
        null = IsNull(given.attribute)
        return Restriction(null if given.operator == "=" else Not(null))
    value = _value(attribute, given.value)
    if value is NO_MATCH:
        if given.operator == "=":
            return Restriction(Constant(value=False))
        if given.operator == "!=":
            return Restriction(Not(IsNull(given.attribute)))
        raise DataJointError(f"{given.value!r} cannot be ordered against attribute {given.attribute!r}")
    return Restriction(Compare(given.attribute, given.operator), (value,))


def _mapping(heading: Heading, given: Mapping[str, object]) -> Restriction:
    parts: list[Condition] = []
    values: list[object] = []
    known = [name for name in given if name in heading]
    if given and not known:
        names = ", ".join(map(str, given))
        logger.warning(
            "the restriction by %s has no effect: the attributes are %s", names, ", ".join(heading.names)
        )
        return Restriction(Constant(value=True), unmatched=tuple(map(str, given)))
    for name in known:
        part = _equals(heading[name], given[name])
        parts.append(part.condition)
        values.extend(part.values)
    return Restriction(all_of(parts), tuple(values))


def _equals(attribute: HeadingAttribute, value: object) -> Restriction:
    if value is None:
        return Restriction(IsNull(attribute.name))
    if attribute.type.name != "json" and _is_list(value):
        items = [_value(attribute, item) for item in cast(Iterable[object], value) if item is not None]
        kept = [item for item in items if item is not NO_MATCH]
        return Restriction(Among((attribute.name,)), (kept,))
    encoded = _value(attribute, value)
    if encoded is NO_MATCH:
        return Restriction(Constant(value=False))
    return Restriction(Compare(attribute.name), (encoded,))


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple, set, frozenset)) or bool(getattr(value, "shape", ()))


def _value(attribute: HeadingAttribute, value: object) -> object:
    """Encode a value for comparison with an attribute."""
    kind = attribute.type
    if kind is COMPUTED:
        return value.item() if hasattr(value, "item") else value  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    if kind.codec is not None:
        raise DataJointError(f"attribute {attribute.name!r} holds {kind.text}, which cannot be compared")
    try:
        return comparison_value(kind.name, kind.column, kind.args, kind.labels, value)
    except ValueError as error:
        raise DataJointError(f"attribute {attribute.name!r} ({kind.text}): {error}") from error


def _combine(
    heading: Heading,
    items: Iterable[object],
    semantic_check: bool,
    *,
    conjunction: bool,
) -> Restriction:
    items = list(items)
    if not conjunction:
        rows = _uniform_rows(heading, items)
        if rows is not None:
            return rows
    parts = [read_restriction(heading, item, semantic_check=semantic_check) for item in items]
    values = tuple(value for part in parts for value in part.values)
    unmatched = tuple(name for part in parts for name in part.unmatched)
    conditions = [part.condition for part in parts]
    if conjunction:
        return Restriction(all_of(conditions), values, unmatched)
    if not conditions:
        return Restriction(Constant(value=False))
    return Restriction(conditions[0] if len(conditions) == 1 else Any(tuple(conditions)), values, unmatched)


def _uniform_rows(heading: Heading, items: list[object]) -> Restriction | None:
    """Turn many dicts with the same plain attributes into one condition, whose SQL has no length."""
    if len(items) < 2 or not all(isinstance(item, Mapping) for item in items):
        return None
    rows = cast(list[Mapping[str, object]], items)
    names = tuple(name for name in rows[0] if name in heading)
    if not names:
        return None
    wanted = set(names)
    columns: list[list[object]] = [[] for _ in names]
    for row in rows:
        if {name for name in row if name in heading} != wanted:
            return None
        encoded: list[object] = []
        for name in names:
            value = row[name]
            if value is None or _is_list(value) or heading[name].type.name in ("json", "computed"):
                return None
            encoded.append(_value(heading[name], value))
        if NO_MATCH not in encoded:
            for column, value in zip(columns, encoded, strict=True):
                column.append(value)
    return Restriction(Among(names), tuple(columns))


def conjunction(first: Condition, second: Condition) -> Condition:
    """Return ``first AND second``, flat."""
    return all_of(
        (
            *(first.items if isinstance(first, All) else (first,)),
            *(second.items if isinstance(second, All) else (second,)),
        )
    )
