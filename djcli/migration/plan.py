"""`Plan`: what has to change so that the database is as declared; making one changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from djcli.catalog.introspect import load
from djcli.migration.changes import Change, SchemaMissing, TableExtra, TableMissing
from djcli.migration.compare import compare
from djcli.migration.lookups import LookupRowsExtra, LookupRowsMissing, compare_lookups
from djcli.tables.instance import Instance
from djcli.tables.table import Table


@dataclass(frozen=True, slots=True)
class Plan:
    """The differences between classes and the database.

    Attributes
    ----------
    changes
        All of them, parents before children.
    """

    changes: tuple[Change, ...]

    @property
    def creations(self) -> tuple[Change, ...]:
        """Those that `apply` carries out: missing schemas, tables and lookup rows."""
        return tuple(
            c for c in self.changes if isinstance(c, (SchemaMissing, TableMissing, LookupRowsMissing))
        )

    @property
    def leftovers(self) -> tuple[Change, ...]:
        """Those that are reported and left alone: what only the database has."""
        return tuple(c for c in self.changes if isinstance(c, (TableExtra, LookupRowsExtra)))

    @property
    def alterations(self) -> tuple[Change, ...]:
        """Those of tables that are there but differ from their definitions."""
        settled = {*map(id, self.creations), *map(id, self.leftovers)}
        return tuple(change for change in self.changes if id(change) not in settled)


def make_plan(instance: Instance, classes: Sequence[type[Table]], *, whole_schemas: bool = True) -> Plan:
    """Compare classes with the database.

    Parameters
    ----------
    instance
        The database.
    classes
        The classes.
    whole_schemas
        Whether tables that only the database has count; not when a selection of tables is compared.
    """
    declared = {cls.model.id: cls.model for cls in classes}
    catalog = load(instance.connection, sorted({table.schema for table in declared}))
    changes: Iterable[Change] = compare(declared, catalog)
    if not whole_schemas:
        changes = (change for change in changes if not isinstance(change, TableExtra))
    return Plan((*changes, *compare_lookups(instance, classes, catalog)))
