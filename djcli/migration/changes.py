"""Changes: the typed differences between what is declared and what the database has.

`before` is always what the database has and `after` what is declared, so a change tells what to do to the
database. The mark is ``+`` for what it lacks, ``-`` for what only it has, ``~`` for what differs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, cast

from djcli.definition.attribute import Attribute, AttributeType, Default
from djcli.definition.model import ForeignKey, Index, TableId, TableModel

_HEAD = ("id", "name", "model")
"""Fields that tell which schema or table it is."""


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes
    ----------
    mark
        ``+``, ``-`` or ``~``.
    """

    mark: ClassVar[str] = "~"

    @property
    def schema(self) -> str:
        """The schema it is about."""
        raise NotImplementedError

    @property
    def table(self) -> TableId | None:
        """The table it is about; None for a change of a whole schema."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """The name of the kind of change, such as ``attribute-added``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", type(self).__name__).lower()

    def describe(self) -> str:
        """Return one line for people, without mark and table."""
        raise NotImplementedError

    def details(self) -> Mapping[str, object]:
        """Return what `as_json` tells besides kind, mark and table: the fields of the change."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _json(value) for name, value in values.items() if name not in _HEAD}

    def as_json(self) -> dict[str, object]:
        """Return the change as a value of JSON: change, mark, schema, table, text and its details."""
        return {
            "change": self.kind,
            "mark": self.mark,
            "schema": self.schema,
            "table": self.table.name if self.table else None,
            "text": self.describe(),
            **self.details(),
        }

    def __str__(self) -> str:
        """Return mark, table and description."""
        return f"{self.mark} {self.table or self.schema}: {self.describe()}"


@dataclass(frozen=True)
class SchemaMissing(Change):
    """A schema of declared tables does not exist."""

    mark: ClassVar[str] = "+"
    name: str

    @property
    def schema(self) -> str:
        """The schema itself."""
        return self.name

    @property
    def table(self) -> None:
        """No table."""
        return

    def describe(self) -> str:
        """Return one line for people."""
        return "the schema does not exist yet"


@dataclass(frozen=True)
class TableMissing(Change):
    """A declared table does not exist."""

    mark: ClassVar[str] = "+"
    model: TableModel

    @property
    def schema(self) -> str:
        """The schema of the table."""
        return self.model.id.schema

    @property
    def table(self) -> TableId:
        """The declared table."""
        return self.model.id

    def describe(self) -> str:
        """Return one line for people."""
        return "the table does not exist yet"


@dataclass(frozen=True)
class TableChange(Change):
    """A difference within one table, or a table that only the database has."""

    id: TableId

    @property
    def schema(self) -> str:
        """The schema of the table."""
        return self.id.schema

    @property
    def table(self) -> TableId:
        """The table."""
        return self.id


@dataclass(frozen=True)
class TableExtra(TableChange):
    """The database has a table that nothing declares."""

    mark: ClassVar[str] = "-"

    def describe(self) -> str:
        """Return one line for people."""
        return "the table is only in the database"


@dataclass(frozen=True)
class TableCommentChanged(TableChange):
    """The comment of the table differs."""

    before: str
    after: str

    def describe(self) -> str:
        """Return one line for people."""
        return f"table comment {self.before!r} becomes {self.after!r}"


@dataclass(frozen=True)
class SequenceChange(TableChange):
    """A sequence of attributes differs."""

    what: ClassVar[str] = "attributes"
    before: tuple[str, ...]
    after: tuple[str, ...]

    def describe(self) -> str:
        """Return one line for people."""
        return f"{self.what} {_names(self.before)} becomes {_names(self.after)}"


@dataclass(frozen=True)
class PrimaryKeyChanged(SequenceChange):
    """The primary key has other attributes, or has them in another order."""

    what: ClassVar[str] = "primary key"


@dataclass(frozen=True)
class OrderChanged(SequenceChange):
    """The attributes outside the primary key stand in another order."""

    what: ClassVar[str] = "order of attributes"


@dataclass(frozen=True)
class OneSidedAttribute(TableChange):
    """An attribute that only one side has."""

    attribute: Attribute

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {_attribute(self.attribute)}"


@dataclass(frozen=True)
class AttributeAdded(OneSidedAttribute):
    """The database lacks an attribute."""

    mark: ClassVar[str] = "+"


@dataclass(frozen=True)
class AttributeRemoved(OneSidedAttribute):
    """Only the database has an attribute."""

    mark: ClassVar[str] = "-"


@dataclass(frozen=True)
class AttributeChange(TableChange):
    """Something about one attribute differs."""

    attribute: str


@dataclass(frozen=True)
class AttributeRetyped(AttributeChange):
    """The type of an attribute differs."""

    before: AttributeType
    after: AttributeType

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {self.attribute}: type {self.before.text} becomes {self.after.text}"


@dataclass(frozen=True)
class EnumLabelsChanged(AttributeChange):
    """The labels of an enum differ, or their order does."""

    before: AttributeType
    after: AttributeType

    @property
    def added(self) -> tuple[str, ...]:
        """The labels that the database lacks."""
        return tuple(label for label in self.after.labels if label not in self.before.labels)

    @property
    def removed(self) -> tuple[str, ...]:
        """The labels that only the database has."""
        return tuple(label for label in self.before.labels if label not in self.after.labels)

    def describe(self) -> str:
        """Return one line for people."""
        words = [f"{label!r} added" for label in self.added]
        words += [f"{label!r} removed" for label in self.removed]
        if not words:
            words = [f"reordered to {self.after.text}"]
        return f"attribute {self.attribute}: enum labels {', '.join(words)}"

    def details(self) -> Mapping[str, object]:
        """Return both lists of labels."""
        return {
            "attribute": self.attribute,
            "before": list(self.before.labels),
            "after": list(self.after.labels),
        }


@dataclass(frozen=True)
class DefaultChanged(AttributeChange):
    """The default of an attribute differs."""

    before: Default | None
    after: Default | None

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {self.attribute}: default {_default(self.before)} becomes {_default(self.after)}"


@dataclass(frozen=True)
class NullabilityChanged(AttributeChange):
    """An attribute may be null where it might not, or the other way."""

    nullable: bool

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {self.attribute}: {'may be null' if self.nullable else 'may no longer be null'}"


@dataclass(frozen=True)
class CommentChanged(AttributeChange):
    """The comment of an attribute differs."""

    before: str
    after: str

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {self.attribute}: comment {self.before!r} becomes {self.after!r}"


@dataclass(frozen=True)
class OneSidedForeignKey(TableChange):
    """A foreign key that only one side has."""

    key: ForeignKey

    def describe(self) -> str:
        """Return one line for people."""
        return f"foreign key {_foreign_key(self.key)}"


@dataclass(frozen=True)
class ForeignKeyAdded(OneSidedForeignKey):
    """The database lacks a foreign key."""

    mark: ClassVar[str] = "+"


@dataclass(frozen=True)
class ForeignKeyRemoved(OneSidedForeignKey):
    """Only the database has a foreign key."""

    mark: ClassVar[str] = "-"


@dataclass(frozen=True)
class ForeignKeyChanged(TableChange):
    """A foreign key of the same attributes goes elsewhere, or is unique where it was not."""

    before: ForeignKey
    after: ForeignKey

    def describe(self) -> str:
        """Return one line for people."""
        return f"foreign key {_foreign_key(self.before)} becomes {_foreign_key(self.after)}"


@dataclass(frozen=True)
class OneSidedIndex(TableChange):
    """An index that only one side has."""

    index: Index

    def describe(self) -> str:
        """Return one line for people."""
        return _index(self.index)


@dataclass(frozen=True)
class IndexAdded(OneSidedIndex):
    """The database lacks a declared index."""

    mark: ClassVar[str] = "+"


@dataclass(frozen=True)
class IndexRemoved(OneSidedIndex):
    """Only the database has an index."""

    mark: ClassVar[str] = "-"


def _names(names: tuple[str, ...]) -> str:
    return f"({', '.join(names)})"


def _attribute(attribute: Attribute) -> str:
    null = " = null" if attribute.nullable else ""
    default = f" = {_default(attribute.default)}" if attribute.default is not None else null
    return f"{attribute.name}{default} : {attribute.type.text}"


def _default(default: Default | None) -> str:
    if default is None:
        return "none"
    return default.value if default.is_expression else repr(default.value)


def _foreign_key(key: ForeignKey) -> str:
    renamed = ", ".join(f"{own}={theirs!r}" for own, theirs in key.renamed.items())
    modifiers = ", ".join(
        word for word, is_set in (("nullable", key.nullable), ("unique", key.unique)) if is_set
    )
    projection = f".proj({renamed})" if renamed else ""
    return f"-> {f'[{modifiers}] ' if modifiers else ''}{key.parent}{projection}"


def _json(value: object) -> object:
    """Return a field as a value of JSON."""
    match value:
        case AttributeType():
            return value.text
        case Default():
            return value.value
        case Attribute():
            return {"name": value.name, "type": value.type.text, "nullable": value.nullable}
        case Index():
            return {"attributes": list(value.attributes), "unique": value.unique}
        case ForeignKey():
            return {
                "parent": {"schema": value.parent.schema, "table": value.parent.name},
                "attributes": dict(value.columns),
                "nullable": value.nullable,
                "unique": value.unique,
            }
        case tuple():
            return list(cast("tuple[str, ...]", value))
        case _:
            return value


def _index(index: Index) -> str:
    return f"{'unique index' if index.unique else 'index'} {_names(index.attributes)}"
