"""Changes: the typed differences between what is declared and what the database has.

`before` is always what the database has and `after` what is declared, so a change tells what to do to the
database. The mark is ``+`` for what it lacks, ``-`` for what only it has, ``~`` for what differs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from djcli.definition.attribute import Attribute, AttributeType, Default
from djcli.definition.model import ForeignKey, Index, TableId, TableModel


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
        """Return what `as_json` tells besides kind, mark and table."""
        return {}

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

    def details(self) -> Mapping[str, object]:
        """Return both comments."""
        return {"before": self.before, "after": self.after}


@dataclass(frozen=True)
class PrimaryKeyChanged(TableChange):
    """The primary key has other attributes, or has them in another order."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    def describe(self) -> str:
        """Return one line for people."""
        return f"primary key {_names(self.before)} becomes {_names(self.after)}"

    def details(self) -> Mapping[str, object]:
        """Return both keys."""
        return {"before": list(self.before), "after": list(self.after)}


@dataclass(frozen=True)
class OrderChanged(TableChange):
    """The attributes outside the primary key stand in another order."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    def describe(self) -> str:
        """Return one line for people."""
        return f"order of attributes {_names(self.before)} becomes {_names(self.after)}"

    def details(self) -> Mapping[str, object]:
        """Return both orders."""
        return {"before": list(self.before), "after": list(self.after)}


@dataclass(frozen=True)
class AttributeAdded(TableChange):
    """The database lacks an attribute."""

    mark: ClassVar[str] = "+"
    attribute: Attribute

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {_attribute(self.attribute)}"

    def details(self) -> Mapping[str, object]:
        """Return the attribute's name and type."""
        return {"attribute": self.attribute.name, "type": self.attribute.type.text}


@dataclass(frozen=True)
class AttributeRemoved(TableChange):
    """Only the database has an attribute."""

    mark: ClassVar[str] = "-"
    attribute: Attribute

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {_attribute(self.attribute)}"

    def details(self) -> Mapping[str, object]:
        """Return the attribute's name and type."""
        return {"attribute": self.attribute.name, "type": self.attribute.type.text}


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

    def details(self) -> Mapping[str, object]:
        """Return both types."""
        return {"attribute": self.attribute, "before": self.before.text, "after": self.after.text}


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

    def details(self) -> Mapping[str, object]:
        """Return both defaults; null where there is none."""
        return {
            "attribute": self.attribute,
            "before": self.before.value if self.before else None,
            "after": self.after.value if self.after else None,
        }


@dataclass(frozen=True)
class NullabilityChanged(AttributeChange):
    """An attribute may be null where it might not, or the other way."""

    nullable: bool

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {self.attribute}: {'may be null' if self.nullable else 'may no longer be null'}"

    def details(self) -> Mapping[str, object]:
        """Return whether it is declared so that it may be null."""
        return {"attribute": self.attribute, "before": not self.nullable, "after": self.nullable}


@dataclass(frozen=True)
class CommentChanged(AttributeChange):
    """The comment of an attribute differs."""

    before: str
    after: str

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {self.attribute}: comment {self.before!r} becomes {self.after!r}"

    def details(self) -> Mapping[str, object]:
        """Return both comments."""
        return {"attribute": self.attribute, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class ForeignKeyAdded(TableChange):
    """The database lacks a foreign key."""

    mark: ClassVar[str] = "+"
    key: ForeignKey

    def describe(self) -> str:
        """Return one line for people."""
        return f"foreign key {_foreign_key(self.key)}"

    def details(self) -> Mapping[str, object]:
        """Return the foreign key."""
        return {"foreign_key": _foreign_key_json(self.key)}


@dataclass(frozen=True)
class ForeignKeyRemoved(TableChange):
    """Only the database has a foreign key."""

    mark: ClassVar[str] = "-"
    key: ForeignKey

    def describe(self) -> str:
        """Return one line for people."""
        return f"foreign key {_foreign_key(self.key)}"

    def details(self) -> Mapping[str, object]:
        """Return the foreign key."""
        return {"foreign_key": _foreign_key_json(self.key)}


@dataclass(frozen=True)
class ForeignKeyChanged(TableChange):
    """A foreign key of the same attributes goes elsewhere, or is unique where it was not."""

    before: ForeignKey
    after: ForeignKey

    def describe(self) -> str:
        """Return one line for people."""
        return f"foreign key {_foreign_key(self.before)} becomes {_foreign_key(self.after)}"

    def details(self) -> Mapping[str, object]:
        """Return both foreign keys."""
        return {"before": _foreign_key_json(self.before), "after": _foreign_key_json(self.after)}


@dataclass(frozen=True)
class IndexAdded(TableChange):
    """The database lacks a declared index."""

    mark: ClassVar[str] = "+"
    index: Index

    def describe(self) -> str:
        """Return one line for people."""
        return _index(self.index)

    def details(self) -> Mapping[str, object]:
        """Return the index."""
        return {"attributes": list(self.index.attributes), "unique": self.index.unique}


@dataclass(frozen=True)
class IndexRemoved(TableChange):
    """Only the database has an index."""

    mark: ClassVar[str] = "-"
    index: Index

    def describe(self) -> str:
        """Return one line for people."""
        return _index(self.index)

    def details(self) -> Mapping[str, object]:
        """Return the index."""
        return {"attributes": list(self.index.attributes), "unique": self.index.unique}


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


def _foreign_key_json(key: ForeignKey) -> dict[str, object]:
    return {
        "parent": {"schema": key.parent.schema, "table": key.parent.name},
        "attributes": dict(key.columns),
        "nullable": key.nullable,
        "unique": key.unique,
    }


def _index(index: Index) -> str:
    return f"{'unique index' if index.unique else 'index'} {_names(index.attributes)}"
