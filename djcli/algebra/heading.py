"""Headings: the attributes of a relation, its primary key, and where each attribute comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from djcli.definition.model import Attribute, TableModel
from djcli.definition.types import AttributeType
from djcli.errors import UnknownAttributeError
from djcli.names import did_you_mean

COMPUTED = AttributeType(name="computed", text="computed", column="")
"""The type of an attribute that is the user's own SQL: only the database knows it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the values of an attribute come from: equal origins, equal attributes.

    Attributes
    ----------
    place
        The table whose column it is, or the node that computes it.
    what
        The name of the column, or how it is computed.
    key
        The lineages of the key that tells rows of the place apart; None for a key attribute without any.
    """

    place: object
    what: object
    key: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class HeadingAttribute:
    """An attribute of a relation.

    Attributes
    ----------
    name
        Its name in this relation.
    type
        Its type; `COMPUTED` for the user's own SQL.
    in_key
        Whether it belongs to the relation's primary key.
    nullable
        Whether it may be NULL.
    comment
        The text after ``#`` in the definition.
    lineage
        ``schema.table.attribute`` of its origin through foreign keys; None for secondary attributes.
    origin
        Where its values come from; None if that cannot be told, as for an aggregate of a query with values.
    """

    name: str
    type: AttributeType
    in_key: bool = False
    nullable: bool = False
    comment: str = ""
    lineage: str | None = None
    origin: Origin | None = None

    def evolve(self, **changes: object) -> HeadingAttribute:
        """Return a copy with some fields replaced."""
        return replace(self, **changes)  # pyright: ignore[reportArgumentType] - fields checked at run time


@dataclass(frozen=True, eq=False)
class Heading:
    """The attributes of a relation, in order; those of the primary key come first.

    Headings are compared as objects, which is fast; compare `attributes` to know whether two say the same.
    """

    attributes: tuple[HeadingAttribute, ...]

    @classmethod
    def of_table(cls, model: TableModel) -> Heading:
        """Return the heading of a table."""
        key = tuple(model[name].lineage for name in model.primary_key)
        return cls(tuple(_of_column(model, attribute, key) for attribute in model.attributes))

    @cached_property
    def by_name(self) -> dict[str, HeadingAttribute]:
        """The attributes by name."""
        return {attribute.name: attribute for attribute in self.attributes}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all attributes."""
        return tuple(self.by_name)

    @cached_property
    def primary_key(self) -> tuple[str, ...]:
        """The names of the primary key's attributes."""
        return tuple(attribute.name for attribute in self.attributes if attribute.in_key)

    @cached_property
    def key_lineages(self) -> tuple[str | None, ...]:
        """The lineages of the primary key's attributes."""
        return tuple(attribute.lineage for attribute in self.attributes if attribute.in_key)

    @cached_property
    def secondary(self) -> tuple[str, ...]:
        """The names of the attributes outside the primary key."""
        return tuple(attribute.name for attribute in self.attributes if not attribute.in_key)

    def __iter__(self) -> Iterator[HeadingAttribute]:
        return iter(self.attributes)

    def __len__(self) -> int:
        return len(self.attributes)

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def __getitem__(self, name: str) -> HeadingAttribute:
        return self.by_name[name]

    def check(self, names: Iterable[str]) -> None:
        """Refuse names that are no attributes.

        Raises
        ------
        UnknownAttributeError
            Naming the attribute, the near ones, and those there are.
        """
        for name in names:
            if name not in self.by_name:
                raise UnknownAttributeError(
                    f"there is no attribute {name!r}{did_you_mean(name, self.names)} "
                    f"(the attributes are {', '.join(self.names)})"
                )

    def __str__(self) -> str:
        lines: list[str] = []
        for attribute in self.attributes:
            if lines and not attribute.in_key and "---" not in lines:
                lines.append("---")
            text = f"{attribute.name:<20} : {attribute.type.text:<28}"
            lines.append((text + f" # {attribute.comment}").rstrip() if attribute.comment else text.rstrip())
        return "\n".join(lines)

    __repr__ = __str__


def _of_column(model: TableModel, attribute: Attribute, key: tuple[str | None, ...]) -> HeadingAttribute:
    return HeadingAttribute(
        name=attribute.name,
        type=attribute.type,
        in_key=attribute.in_key,
        nullable=attribute.nullable,
        comment=attribute.comment,
        lineage=attribute.lineage,
        origin=Origin(model.id, attribute.name, key),
    )
