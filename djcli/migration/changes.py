"""Changes: the typed differences between what is declared and what the database has.

`before` is always what the database has and `after` what is declared, so a change tells what to do to the
database. The mark is ``+`` for what it lacks, ``-`` for what only it has, ``~`` for what differs, ``=`` for
what is told and left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from djcli.definition.model import ForeignKey, Index, TableId, TableModel
from djcli.migration.words import foreign_key_text, index_text, json_value, name_list
from djcli.names import Tier, counted, display_name

_HEAD = ("id", "name", "model")
"""Fields that tell which schema or table it is."""


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes
    ----------
    mark
        ``+``, ``-``, ``~``, or ``=`` for a note, which is no work to be done.
    """

    mark: ClassVar[str] = "~"

    @property
    def is_note(self) -> bool:
        """Whether it is told and left as it is."""
        return self.mark == "="

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

    @property
    def title(self) -> str:
        """The name, as one writes it, of the table or schema it is about."""
        if self.table is None:
            return f"schema {self.schema}"
        return f"{self.table.schema}.{display_name(self.table.name)}"

    def done(self) -> str:
        """Return one line on what was done to remove the difference."""
        verb = {"+": "added to", "-": "removed from"}.get(self.mark, "altered")
        return f"{verb} {self.title}: {self.describe()}"

    def details(self) -> Mapping[str, object]:
        """Return what `as_json` tells besides kind, mark and table: the fields of the change."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: json_value(value) for name, value in values.items() if name not in _HEAD}

    def as_json(self) -> dict[str, object]:
        """Return the change as a value of JSON: change, mark, schema, table, name, text and its details."""
        where = self.table.as_json() if self.table else {"schema": self.schema, "table": None, "name": None}
        return {
            "change": self.kind,
            "mark": self.mark,
            **where,
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

    def done(self) -> str:
        """Return one line on what was done."""
        return f"created {self.title}"


@dataclass(frozen=True)
class SchemaExtra(SchemaMissing):
    """A schema that was declared with this tool belongs to no pipeline; it is left alone."""

    mark: ClassVar[str] = "="

    def describe(self) -> str:
        """Return one line for people."""
        return "no pipeline declares this schema (left alone)"


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

    def done(self) -> str:
        """Return one line on what was done."""
        return f"declared {self.title}"


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

    def done(self) -> str:
        """Return one line on what was done."""
        return f"dropped {self.title}"


@dataclass(frozen=True)
class TableRenamed(TableChange):
    """A table has another name in the database, as the user said, or because its master is renamed."""

    before: str

    def describe(self) -> str:
        """Return one line for people."""
        return f"{display_name(self.before)} is renamed to {display_name(self.id.name)}"


@dataclass(frozen=True)
class TierChanged(TableRenamed):
    """The class moved to another tier, so that the table has another name."""

    def describe(self) -> str:
        """Return one line for people."""
        tiers = [TableModel(TableId(self.schema, name), ()).tier for name in (self.before, self.id.name)]
        return f"tier {_tier(tiers[0])} becomes {_tier(tiers[1])}"


@dataclass(frozen=True)
class TableRecomputed(TableChange):
    """A computed table is dropped and declared anew; its rows are to be computed again."""

    rows: int

    def describe(self) -> str:
        """Return one line for people."""
        return f"dropped and declared anew: {counted(self.rows, 'row')} to compute again"

    def done(self) -> str:
        """Return one line on what was done."""
        return f"dropped and declared {self.title}: {counted(self.rows, 'row')} to compute again"


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
        told = f"{self.what} {name_list(self.before)} becomes {name_list(self.after)}"
        return f"{self.what} is {name_list(self.before)} in the database" if self.is_note else told


@dataclass(frozen=True)
class PrimaryKeyChanged(SequenceChange):
    """The primary key has other attributes, or has them in another order."""

    what: ClassVar[str] = "primary key"


@dataclass(frozen=True)
class OrderChanged(SequenceChange):
    """The attributes outside the primary key stand in another order; PostgreSQL cannot reorder columns.

    Nothing depends on it: rows given as sequences follow the definition, whatever the columns' order.
    """

    mark: ClassVar[str] = "="
    what: ClassVar[str] = "order of attributes"


@dataclass(frozen=True)
class OneSidedForeignKey(TableChange):
    """A foreign key that only one side has."""

    key: ForeignKey

    def describe(self) -> str:
        """Return one line for people."""
        return f"foreign key {foreign_key_text(self.key)}"


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
    """A foreign key goes elsewhere, takes other attributes to the same table, or is unique where it was not."""

    before: ForeignKey
    after: ForeignKey

    def describe(self) -> str:
        """Return one line for people."""
        before, after = foreign_key_text(self.before), foreign_key_text(self.after)
        if before == after:
            before, after = (
                f"{before} by {name_list(self.before.attributes)}",
                name_list(self.after.attributes),
            )
        return f"foreign key {before} becomes {after}"


@dataclass(frozen=True)
class OneSidedIndex(TableChange):
    """An index that only one side has."""

    index: Index

    def describe(self) -> str:
        """Return one line for people."""
        return index_text(self.index)


@dataclass(frozen=True)
class IndexAdded(OneSidedIndex):
    """The database lacks a declared index."""

    mark: ClassVar[str] = "+"


@dataclass(frozen=True)
class IndexRemoved(OneSidedIndex):
    """Only the database has an index."""

    mark: ClassVar[str] = "-"


def _tier(tier: Tier) -> str:
    return tier.name.lower()
