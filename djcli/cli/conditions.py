"""`--restrict` against tables: whose attribute it is, and what the typed text is a value of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

import typer

from djcli.algebra.heading import Heading
from djcli.algebra.restriction import Where
from djcli.cli.restriction import Restriction
from djcli.codecs.plain import shown
from djcli.codecs.scalars import parse_text
from djcli.definition.types import AttributeType
from djcli.errors import DataJointError, SelectionError
from djcli.names import did_you_mean
from djcli.tables.inherited import Inheritance, InheritedWhere
from djcli.tables.table import Table

RestrictOption = Annotated[
    list[str] | None,
    typer.Option(
        "--restrict",
        "-r",
        metavar="ATTR=VALUE",
        help="Only rows for which this holds; = != < <= > >=. The attribute may be one of a table that this one "
        "depends on: species=mouse, or Subject.species=mouse. Can be repeated, all must hold.",
    ),
]

T = TypeVar("T", bound="type[Table]")

Condition = Where | InheritedWhere
"""One restriction as a table takes it; both kinds have an attribute, an operator and a value."""


def conditions_of(restrictions: Sequence[Restriction], table: type[Table]) -> list[Condition]:
    """Turn restrictions into conditions on the rows of a table.

    Raises
    ------
    SelectionError
        If neither the table nor one that it depends on has an attribute, or several have; with what to write.
    typer.BadParameter
        If a text is no value of its attribute's type.
    """
    return conditions_of_each(restrictions, {table: table.heading})[table]


def conditions_of_each(
    restrictions: Sequence[Restriction], headings: Mapping[T, Heading], what: str = "table"
) -> dict[T, list[Condition]]:
    """Turn restrictions into conditions on several tables, on each those that mean something there.

    Parameters
    ----------
    restrictions
        As they were typed.
    headings
        The tables, each with the attributes that are to be restricted: its own, or its key source's.
    what
        What has these attributes, for messages.

    Raises
    ------
    SelectionError
        If a restriction means something in no table, or several things in one.
    typer.BadParameter
        If a text is no value of its attribute's type.
    """
    found: dict[T, list[Condition]] = {table: [] for table in headings}
    for given in restrictions:
        resolvers = {table: _Resolver(table, heading) for table, heading in headings.items()}
        meanings = {table: resolver.resolve(given) for table, resolver in resolvers.items()}
        if all(meaning is None for meaning in meanings.values()):
            raise _unknown(given, list(resolvers.values()), what)
        for table, meaning in meanings.items():
            if meaning is not None:
                found[table].append(meaning)
    return found


class _Resolver:
    """What a restriction means for one table."""

    def __init__(self, table: type[Table], heading: Heading) -> None:
        self.table = table
        self.heading = heading
        self._inheritance: Inheritance | None = None

    @property
    def inheritance(self) -> Inheritance:
        if self._inheritance is None:
            self._inheritance = Inheritance(self.table(), self.heading.names)
        return self._inheritance

    def resolve(self, given: Restriction) -> Condition | None:
        name = given.attribute
        is_own = self.is_own(given.table)
        if name in self.heading and (is_own or not given.table):
            return Where(name, given.operator, _value(given, self.heading[name].type))
        if is_own:
            return None
        try:
            found = self.inheritance.find(name, given.table)
        except DataJointError as error:
            raise SelectionError(f"--restrict {str(given)!r}: {error}") from None
        if found is None:
            return None
        value = _value(given, found.attribute.type)
        return self.inheritance.restriction(found, Where(name, given.operator, value))

    def is_own(self, name: str) -> bool:
        """Whether the table is named."""
        label = self.table.class_label
        return name in (label, f"{self.table.class_id().schema}.{label}")


def _unknown(given: Restriction, resolvers: Sequence[_Resolver], what: str) -> SelectionError:
    """Return the error that a restriction means nothing, with what there is."""
    above = list(dict.fromkeys(str(table) for each in resolvers for table in each.inheritance.tables))
    if given.table and not any(each.is_own(given.table) for each in resolvers):
        known = above if "." in given.table else [name.partition(".")[2] for name in above]
        problem = f"depends on a table {given.table!r}{did_you_mean(given.table, known)}"
        there_is = f"they depend on {', '.join(above) if above else 'none'}"
    else:
        own = list(dict.fromkeys(name for each in resolvers for name in each.heading.names))
        other = list(dict.fromkeys(name for each in resolvers for name in each.inheritance.names))
        other = [name for name in other if name not in own]
        problem = f"has an attribute {given.attribute!r}{did_you_mean(given.attribute, own + other)}"
        there_is = f"they have {', '.join(own)}"
        there_is += f"; the tables that they depend on have {', '.join(other)}" if other else ""
    return SelectionError(f"--restrict {str(given)!r}: no {what} here {problem} ({there_is})")


def _value(given: Restriction, kind: AttributeType) -> object:
    try:
        return parse_text(kind.name, kind.column, kind.args, kind.labels, given.text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{shown(str(given))}: attribute {given.attribute!r} is {kind.text}: {error}",
            param_hint="--restrict",
        ) from error
