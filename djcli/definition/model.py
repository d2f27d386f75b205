"""The frozen model of a table: what a definition says and what the catalog tells, in one form.

Two models compare equal when the tables are the same; the migration layer turns differences into changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from djcli.definition.attribute import Attribute, AttributeType, Default
from djcli.names import Tier, display_name, split_table_name

__all__ = ["Attribute", "AttributeType", "Default", "ForeignKey", "Index", "TableId", "TableModel"]


class TableId(NamedTuple):
    """The full name of a table in the database."""

    schema: str
    name: str

    def __str__(self) -> str:
        """Return ``schema.Class``."""
        return f"{self.schema}.{display_name(self.name)}"

    def as_json(self) -> dict[str, object]:
        """Return what every JSON says of a table: schema, table (as a class is named), name (in the database)."""
        return {"schema": self.schema, "table": display_name(self.name), "name": self.name}

    def is_part_of(self, master: TableId) -> bool:
        """Whether a table of this name is a part of another."""
        if self.schema != master.schema or not self.name.startswith(master.name):
            return False
        parts = split_table_name(self.name)
        return parts is not None and parts[2] == master.name

    def belongs_to(self, table: TableId) -> bool:
        """Whether this is a table or a part of it."""
        return self == table or self.is_part_of(table)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference to another table.

    Attributes
    ----------
    parent
        The table it points to.
    columns
        Pairs (own attribute, the parent's attribute), in the order of the parent's primary key.
    in_key
        Whether all of its attributes belong to the child's primary key.
    nullable
        Whether any of its attributes may be NULL, as ``[nullable]`` makes those that it brings.
    unique
        Whether it has the modifier ``[unique]``.
    """

    parent: TableId
    columns: tuple[tuple[str, str], ...]
    in_key: bool = False
    nullable: bool = False
    unique: bool = False

    @property
    def attributes(self) -> tuple[str, ...]:
        """The child's own attributes."""
        return tuple(own for own, _ in self.columns)

    @property
    def renamed(self) -> dict[str, str]:
        """Own names of the attributes whose name differs from the parent's, with the parent's."""
        return {own: theirs for own, theirs in self.columns if own != theirs}


@dataclass(frozen=True, slots=True)
class Index:
    """A declared index."""

    attributes: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True)
class TableModel:
    """A table: name, attributes, keys, indexes and comment.

    Attributes
    ----------
    id
        Schema and name in the database.
    attributes
        All attributes in column order, the primary key first; hidden columns (``_x``) are not among them.
    foreign_keys, indexes
        In declared order, foreign keys within the primary key first. `indexes` holds those the definition
        declares, not those that serve foreign keys.
    comment
        The first ``#`` line of the definition.
    hidden
        The hidden columns, by name order of the database: ``_singleton``, job metadata.
    """

    id: TableId
    attributes: tuple[Attribute, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[Index, ...] = ()
    comment: str = ""
    hidden: tuple[Attribute, ...] = field(default=(), compare=False)

    def __hash__(self) -> int:
        """Go by the name, which is enough to tell tables apart."""
        return hash(self.id)

    def __iter__(self) -> Iterator[Attribute]:
        """Go through the attributes in order."""
        return iter(self.attributes)

    def __contains__(self, name: object) -> bool:
        """Whether there is an attribute of this name."""
        return name in self.by_name

    def __getitem__(self, name: str) -> Attribute:
        """Return the attribute of this name."""
        return self.by_name[name]

    @cached_property
    def by_name(self) -> dict[str, Attribute]:
        """The attributes by name, in column order."""
        return {attribute.name: attribute for attribute in self.attributes}

    @cached_property
    def primary_key(self) -> tuple[str, ...]:
        """The names of the primary key's attributes; empty for a singleton table."""
        return tuple(attribute.name for attribute in self.attributes if attribute.in_key)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all attributes."""
        return tuple(self.by_name)

    @cached_property
    def tier(self) -> Tier:
        """The tier, read off the name."""
        parts = split_table_name(self.id.name)
        return parts[0] if parts else Tier.MANUAL

    @property
    def is_singleton(self) -> bool:
        """Whether the table holds one row at most: it has no primary-key attribute."""
        return not self.primary_key

    @property
    def refers_to_itself(self) -> bool:
        """Whether a row may depend on another of the same table."""
        return any(key.parent == self.id for key in self.foreign_keys)
