"""From what users write in a restriction to a condition and its values."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any as Anything
from typing import cast
from uuid import UUID

from djcli.algebra.conditions import (
    FALSE,
    OPERATORS,
    TRUE,
    Among,
    Any,
    Compare,
    ComparePath,
    Condition,
    Constant,
    IsNull,
    IsNullPath,
    Matches,
    Not,
    Raw,
    all_of,
)
from djcli.algebra.heading import COMPUTED, Heading, HeadingAttribute
from djcli.algebra.ordering import Top
from djcli.algebra.paths import Path, head_of, read_path
from djcli.algebra.records import is_list, records
from djcli.algebra.relation import Node
from djcli.algebra.semantics import shared_attributes
from djcli.algebra.words import check_fragment
from djcli.codecs.scalars import NO_MATCH, comparison_value
from djcli.definition.types import AttributeType
from djcli.errors import DataJointError

logger = logging.getLogger("djcli")

Values = tuple[object, ...]


class Expression:
    """Whatever stands for a relation: a query expression, or a table class.

    A base class and no protocol, because asking for it is on the way of every restriction.
    """

    @property
    def node(self) -> Node:
        """The structure."""
        raise NotImplementedError

    @property
    def values(self) -> Values:
        """The values of the structure's slots."""
        raise NotImplementedError

    @property
    def instance(self) -> Anything:
        """The database it is asked of."""
        raise NotImplementedError

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Keys of dict restrictions, at any depth, that had no effect because none was an attribute."""
        return ()


def same_database(one: Anything, other: Anything) -> bool:
    """Whether two instances speak through one connection; asking opens none."""
    return one is other or one.connection is other.connection


class UniversalSet:
    """``dj.U``: every row is in it, so a restriction by it holds for all."""

    def __init__(self, *names: str) -> None:
        self.names = names


class Negation:
    """``dj.Not(condition)``: the rows for which the condition does not hold."""

    def __init__(self, restriction: object) -> None:
        self.restriction = restriction

    def __repr__(self) -> str:
        return f"Not({self.restriction!r})"


class AndList(list[object]):
    """``dj.AndList([…])``: every condition of the list must hold."""

    def append(self, restriction: object, /) -> None:
        """Add a condition; those of another `AndList` one by one."""
        if isinstance(restriction, AndList):
            self.extend(restriction)
        else:
            super().append(restriction)


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
    """A condition, the values of its slots, and the dict keys that had no effect; read already."""

    condition: Condition
    values: Values = ()
    unmatched: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class _Reader:
    """What all parts of one restriction are read for."""

    heading: Heading
    semantic_check: bool
    restricted: Expression | None

    def read(self, given: object) -> Restriction:
        """Translate one condition."""
        if type(given) is dict:  # by far the most frequent
            return _mapping(self.heading, cast(Mapping[object, object], given))
        match given:
            case bool():
                return Restriction(Constant(given))
            case str():
                return Restriction(_raw(given))
            case Where():
                return _where(self.heading, given)
            case Restriction():
                return given
            case Negation():
                inner = self.read(given.restriction)
                return Restriction(_negated(inner.condition), inner.values, inner.unmatched)
            case AndList():
                return _conjunction([self.read(item) for item in given])
            case Mapping():
                return _mapping(self.heading, cast(Mapping[object, object], given))
            case UniversalSet():
                strange = not any(name in self.heading for name in given.names)
                return Restriction(TRUE, unmatched=given.names if strange else ())
            case _:
                return self._other(given)

    def _other(self, given: object) -> Restriction:
        if isinstance(given, Expression):
            return self._relation(given)
        rows = records(given)
        if rows is not None:
            return self._any_of(rows)
        if type(given).__name__ == "bool":  # numpy's
            return Restriction(Constant(bool(given)))
        if isinstance(given, Iterable) and not isinstance(given, (bytes, type)):
            return self._any_of(list(cast(Iterable[object], given)))
        if isinstance(given, Top):
            raise DataJointError(f"{given!r} goes with no other condition; restrict by it alone: & dj.Top(…)")
        shown = getattr(given, "__qualname__", None) or repr(given)
        raise DataJointError(
            f"cannot restrict by {type(given).__name__} {shown}: "
            "use a dict, a string of SQL, a list of these, or a table"
        )

    def _relation(self, given: Expression) -> Restriction:
        if self.restricted is not None and not same_database(self.restricted.instance, given.instance):
            raise DataJointError("cannot restrict by a table of another database; fetch its keys first")
        itself = (
            self.restricted is not None
            and self.restricted.node is given.node
            and self.restricted.values == given.values
        )
        shared = shared_attributes(
            self.heading,
            given.node.heading,
            operation="restrict",
            semantic_check=self.semantic_check,
            itself=itself,
        )
        return Restriction(Matches(given.node, shared), given.values, given.unmatched)

    def _any_of(self, items: Sequence[object]) -> Restriction:
        rows = _uniform_rows(self.heading, items)
        return _disjunction([self.read(item) for item in items]) if rows is None else rows


def read_restriction(
    heading: Heading,
    given: object,
    *,
    semantic_check: bool = True,
    restricted: Expression | None = None,
) -> Restriction:
    """Translate a restriction.

    Parameters
    ----------
    heading
        The heading of the relation to be restricted.
    given
        A string of SQL, a mapping, a sequence or set of conditions (any of which may hold), a frame, a
        record, a boolean, `AndList`, `Negation`, `Where`, `Restriction`, or another relation.
    semantic_check
        Whether namesakes must have one lineage when `given` is a relation.
    restricted
        The relation itself, where there is one; it is homologous with itself.

    Raises
    ------
    DataJointError
        If it is none of these, or a value cannot be compared with its attribute.
    """
    return _Reader(heading, semantic_check, restricted).read(given)


def _raw(text: str) -> Condition:
    if not text.strip():
        raise DataJointError("the restriction is an empty string: write a condition in SQL")
    check_fragment(text)
    return Raw(text)


def _negated(condition: Condition) -> Condition:
    return Constant(not condition.value) if isinstance(condition, Constant) else Not(condition)


def _conjunction(parts: Sequence[Restriction]) -> Restriction:
    unmatched = tuple(name for part in parts for name in part.unmatched)
    if any(part.condition == FALSE for part in parts):
        return Restriction(FALSE, unmatched=unmatched)
    values = tuple(value for part in parts for value in part.values)
    return Restriction(all_of(part.condition for part in parts), values, unmatched)


def _disjunction(parts: Sequence[Restriction]) -> Restriction:
    unmatched = tuple(name for part in parts for name in part.unmatched)
    if any(part.condition == TRUE for part in parts):
        return Restriction(TRUE, unmatched=unmatched)
    kept = [part for part in parts if part.condition != FALSE]
    if not kept:
        return Restriction(FALSE, unmatched=unmatched)
    if len(kept) == 1:
        return Restriction(kept[0].condition, kept[0].values, unmatched)
    values = tuple(value for part in kept for value in part.values)
    return Restriction(Any(tuple(part.condition for part in kept)), values, unmatched)


def _where(heading: Heading, given: Where) -> Restriction:
    path = read_path(heading, given.attribute)
    if path is not None:
        return _inside(path, given.operator, given.value)
    heading.check((given.attribute,))
    attribute = heading[given.attribute]
    if given.value is None:
        return Restriction(_null(IsNull(given.attribute), given))
    value = _value(attribute, given.value)
    if value is NO_MATCH:
        if given.operator == "=":
            return Restriction(FALSE)
        if given.operator == "!=":
            return Restriction(Not(IsNull(given.attribute)))
        raise DataJointError(f"{given.value!r} cannot be ordered against attribute {given.attribute!r}")
    return Restriction(Compare(given.attribute, given.operator), (value,))


def _null(is_null: Condition, given: Where) -> Condition:
    if given.operator not in ("=", "!="):
        raise DataJointError(f"{given.attribute} {given.operator} null is never true; use = or !=")
    return is_null if given.operator == "=" else Not(is_null)


def _mapping(heading: Heading, given: Mapping[object, object]) -> Restriction:
    parts: list[Restriction] = []
    for key, value in given.items():
        name = key if isinstance(key, str) else None
        if name is None or head_of(name, heading.by_name) is None:
            continue
        if name in heading.by_name:
            parts.append(_equals(heading[name], value))
        else:
            path = read_path(heading, name)
            if path is None:
                raise DataJointError(
                    f"cannot restrict by {name!r}: a path starts at a JSON attribute, such as meta.probe[0].depth"
                )
            parts.append(_inside(path, "=", value))
    if given and not parts:
        names = tuple(map(str, given))
        logger.warning(
            "the restriction by %s has no effect: the attributes are %s",
            ", ".join(names),
            ", ".join(heading.names),
        )
        return Restriction(TRUE, unmatched=names)
    return _conjunction(parts)


def _equals(attribute: HeadingAttribute, value: object) -> Restriction:
    if value is None:
        return Restriction(IsNull(attribute.name))
    if attribute.type.name != "json" and is_list(value):
        return _among(attribute, list(cast(Iterable[object], value)))
    encoded = _value(attribute, value)
    if encoded is NO_MATCH:
        return Restriction(FALSE)
    return Restriction(Compare(attribute.name), (encoded,))


def _among(attribute: HeadingAttribute, items: Sequence[object]) -> Restriction:
    if attribute.type is COMPUTED:  # the type of a list of parameters has to be known
        return _disjunction([_equals(attribute, item) for item in items])
    kept = [_value(attribute, item) for item in items if item is not None]
    among = Restriction(Among((attribute.name,)), ([item for item in kept if item is not NO_MATCH],))
    if len(kept) == len(items):
        return among
    return _disjunction([among, Restriction(IsNull(attribute.name))])


def _inside(path: Path, operator: str, value: object) -> Restriction:
    """Compare a value inside a JSON attribute: as its cast's type, a text as text, anything else as JSON."""
    if value is None:
        return Restriction(_null(IsNullPath(path), Where(path.name, operator, None)))
    kind = path.cast
    if kind is None and isinstance(value, (date, UUID)):
        value = str(value) if isinstance(value, UUID) else value.isoformat()  # as JSON holds them
    as_json = kind is None and not isinstance(value, str)
    try:
        if kind is not None:
            encoded = _encode(kind, value)
        elif isinstance(value, Decimal):
            encoded = str(value)
        else:
            encoded = comparison_value(*_JSON_OR_TEXT[as_json], (), (), value)
    except ValueError as error:
        raise DataJointError(f"JSON path {'.'.join((path.name, *path.steps))!r}: {error}") from error
    if encoded is NO_MATCH:
        return Restriction(FALSE)
    return Restriction(ComparePath(path, operator, as_json), (encoded,))


_JSON_OR_TEXT = {True: ("json", "jsonb"), False: ("varchar", "text")}


def _value(attribute: HeadingAttribute, value: object) -> object:
    """Encode a value for comparison with an attribute."""
    kind = attribute.type
    if kind is COMPUTED:
        return value.item() if hasattr(value, "item") else value  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    if kind.codec is not None:
        raise DataJointError(f"attribute {attribute.name!r} holds {kind.text}, which cannot be compared")
    try:
        return _encode(kind, value)
    except ValueError as error:
        raise DataJointError(f"attribute {attribute.name!r} ({kind.text}): {error}") from error


def _encode(kind: AttributeType, value: object) -> object:
    return comparison_value(kind.name, kind.column, kind.args, kind.labels, value)


def _uniform_rows(heading: Heading, items: Sequence[object]) -> Restriction | None:
    """Turn many dicts with the same plain attributes into one condition, whose SQL has no length."""
    if len(items) < 2 or not all(isinstance(item, Mapping) for item in items):
        return None
    rows = cast(Sequence[Mapping[str, object]], items)
    first = rows[0].keys()
    wanted = _meant(heading, first)
    names = tuple(name for name in first if name in wanted)
    if not names or any(name not in heading or heading[name].type.name in _APART for name in names):
        return None
    columns: list[list[object]] = [[] for _ in names]
    for row in rows:
        if row.keys() != first and _meant(heading, row.keys()) != wanted:
            return None
        encoded: list[object] = []
        for name in names:
            value = row[name]
            if value is None or is_list(value):
                return None
            encoded.append(_value(heading[name], value))
        if not any(value is NO_MATCH for value in encoded):
            for column, value in zip(columns, encoded, strict=True):
                column.append(value)
    return Restriction(Among(names), tuple(columns))


_APART = ("json", "computed")
"""Types whose values are compared one by one."""


def _meant(heading: Heading, keys: Iterable[object]) -> set[str]:
    """Return those keys of a dict that are about attributes."""
    return {key for key in keys if isinstance(key, str) and head_of(key, heading.by_name) is not None}
