"""The frozen model of a table: what a definition says and what the catalog tells, in one form.

Two models compare equal when the tables are the same; the migration layer turns differences into changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from djcli.definition.types import AttributeType
from djcli.names import Tier, display_name, split_table_name


class TableId(NamedTuple):
    """The full name of a table in the database."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{display_name(self.name)}"


@dataclass(frozen=True, slots=True)
class Default:
    """A default value.

    Attributes
    ----------
    value
        The literal's text without quotes (``'5'``, ``'true'``, ``'left'``), or the expression's text.
    is_expression
        True for ``CURRENT_TIMESTAMP`` and its kin, which go into SQL unquoted.
    """

    value: str
    is_expression: bool = False


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a table.

    Attributes
    ----------
    name
        The name of the column.
    type
        What it holds.
    in_key
        Whether it belongs to the primary key.
    nullable
        Whether it may be NULL, which is so exactly when its default is null.
    default
        The default, or None when there is none (a nullable attribute has none).
    comment
        The text after ``#``.
    lineage
        ``schema.table.attribute`` of its origin; None for a secondary attribute of no foreign key.
    inherited
        Whether a foreign key brought it, so that its type and comment are the parent's.
    """

    name: str
    type: AttributeType
    in_key: bool = False
    nullable: bool = False
    default: Default | None = None
    comment: str = ""
    lineage: str | None = None
    inherited: bool = False

    @property
    def has_default(self) -> bool:
        """Whether an insert may leave it out."""
        return self.nullable or self.default is not None or self.type.is_identity


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
    nullable, unique
        The modifiers ``[nullable]`` and ``[unique]``.
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
        In declared order. `indexes` holds those the definition declares, not those that serve foreign keys.
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
        return hash(self.id)

    def __iter__(self) -> Iterator[Attribute]:
        return iter(self.attributes)

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def __getitem__(self, name: str) -> Attribute:
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
