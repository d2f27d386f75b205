"""The planner: compares classes with the database, asks what changes do to data, and finds the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import cast

from psycopg import sql

from djcli.catalog.graph import Graph
from djcli.catalog.introspect import load
from djcli.database.connection import Connection
from djcli.definition.model import TableId, TableModel
from djcli.errors import DataJointError
from djcli.migration.alteration import Alteration, alterations
from djcli.migration.changes import (
    Change,
    SchemaExtra,
    TableExtra,
    TableMissing,
    TableRecomputed,
)
from djcli.migration.compare import compare
from djcli.migration.future import Future
from djcli.migration.history import HISTORY_TABLE
from djcli.migration.lookups import Contents, Lookups, compare_lookups, read_contents
from djcli.migration.plan import Options, Plan, PlannedChange
from djcli.migration.questions import Count, Questions
from djcli.migration.renames import apply_renames, candidates
from djcli.migration.risk import SAFE, Assessor, Risk
from djcli.migration.steps import make_steps, unused_enums
from djcli.migration.target import Target, make_target
from djcli.migration.view import View, master_of, root_tier
from djcli.sql.ddl import EnumId
from djcli.tables.instance import Instance
from djcli.tables.table import Table

Classes = Mapping[TableId, type[Table]]

_ENUM_USERS = sql.SQL("""
SELECT n.nspname, t.typname, count(*)
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)
    AND d.deptype = 'n' AND d.classid <> 'pg_catalog.pg_attrdef'::regclass
WHERE t.typtype = 'e' AND t.typname = ANY(%(names)s)
GROUP BY 1, 2
""")

_OUR_SCHEMAS = sql.SQL("""
SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = {} ORDER BY 1
""").format(sql.Literal(HISTORY_TABLE))


def make_plan(instance: Instance, classes: Sequence[type[Table]], options: Options | None = None) -> Plan:
    """Compare classes with the database and find out how to make it what they declare.

    Nothing is changed. Of a selection of tables the plan holds those they need too: parents that are missing
    or whose key differs, and the tables below one whose key changes.

    Parameters
    ----------
    instance
        The database.
    classes
        The classes; those without a definition are passed over.
    options
        What is asked of the plan.

    Raises
    ------
    SelectionError
        If a rename names what is not there.
    DataJointError
        If contents of a lookup table do not fit it.
    """
    return _Planner(instance, classes, options or Options()).plan()


class _Planner:
    """One comparison."""

    def __init__(self, instance: Instance, classes: Sequence[type[Table]], options: Options) -> None:
        self.instance = instance
        self.connection: Connection = instance.connection
        self.options = options
        self.classes: dict[TableId, type[Table]] = {
            cls.class_id(): cls for cls in classes if cls.definition is not None
        }
        self.known = _with_definition(instance)
        self.asked = tuple(dict.fromkeys(table.schema for table in self.classes))

    def plan(self) -> Plan:
        known = self.known
        schemas = {table.schema for table in self.classes} | {
            table.schema for table in _ancestors(known, self.classes)
        }
        catalog = load(self.connection, sorted(schemas), downstream=True)
        view = View.of(catalog)
        _grow(self.classes, known, view)
        declared = {table: cls.class_model() for table, cls in self.classes.items()}
        view, renamed = apply_renames(view, declared, self.options.renames)
        contents = cast(Contents, read_contents(self.classes.values()))
        extra = self._extra(view, declared)
        gone = frozenset(extra)
        attempt = _Attempt(self, view, declared, contents, gone, extra, renamed)
        offer = attempt.offer()
        if offer and self.options.recompute:
            declared |= {table: known[table].class_model() for table in offer if table not in declared}
            attempt = _Attempt(self, view, declared, contents, gone | set(offer), extra, renamed)
            return attempt.plan({})
        return attempt.plan(offer)

    def _extra(self, view: View, declared: Mapping[TableId, TableModel]) -> list[TableId]:
        """Return the tables of the asked schemas that nothing declares."""
        if self.options.keep_extra or not self.options.whole_schemas:
            return []
        renamed = {old: new for new, old in view.present_tables.items()}
        names = (renamed.get(table, table) for table in view.catalog.pipeline_tables)
        return [table for table in names if table not in declared and table.schema in self.asked]


class _Attempt:
    """A plan in which certain tables are dropped."""

    def __init__(
        self,
        planner: _Planner,
        view: View,
        declared: Mapping[TableId, TableModel],
        contents: Contents,
        gone: frozenset[TableId],
        extra: Sequence[TableId],
        renamed: Sequence[Change],
    ) -> None:
        self.planner = planner
        self.view = view
        self.connection = planner.connection
        self.target: Target = make_target(view, declared, gone)
        self.lookups: Lookups = compare_lookups(self.connection, self.target, contents)
        future = Future(self.target, contents)
        self.questions = Questions(self.connection, future, exact=planner.options.exact)
        self.changes: list[Change] = [*renamed, *self._compared(declared, gone), *map(TableExtra, extra)]
        self.changes += self.lookups.changes
        self.changes += self._extra_schemas()
        self.verdicts = Assessor(self.questions, contents).assess(self.changes)

    def _compared(self, declared: Mapping[TableId, TableModel], gone: frozenset[TableId]) -> list[Change]:
        catalog = replace(self.view.catalog, tables=self.view.without(gone).tables)
        found: list[Change] = []
        for change in compare(declared, catalog):
            if isinstance(change, TableExtra):
                continue
            if isinstance(change, TableMissing) and change.model.id in gone:
                found.append(TableRecomputed(change.model.id, self.questions.rows(change.model.id).number))
            else:
                found.append(change)
        return found

    def _extra_schemas(self) -> list[Change]:
        """Return notes on schemas that were declared by djcli and that no class is in any more."""
        if not self.planner.options.whole_schemas or self.planner.known.keys() - self.planner.classes.keys():
            return []
        known = {table.schema for table in self.planner.instance.classes} | set(self.planner.asked)
        return [SchemaExtra(name) for (name,) in self.connection.rows(_OUR_SCHEMAS) if name not in known]

    # ---- computing again ----------------------------------------------------------------------------

    def offer(self) -> dict[TableId, Count]:
        """Return the computed tables to drop so that no change of theirs loses data, with what hangs on them.

        Raw data is never among them: where it hangs on such a table, there is no offer for it.
        """
        found: set[TableId] = set()
        for change, verdict in zip(self.changes, self.verdicts, strict=True):
            if verdict.risk is not Risk.SAFE and change.table is not None:
                found |= self._redone_with(change)
        order = Graph(self.view.tables.values()).topological_order(found, strict=False)
        return {table: self.questions.rows(table) for table in order}

    def _redone_with(self, change: Change) -> set[TableId]:
        """Return the tables that go when the table of a change is declared anew; none where that cannot be."""
        table = change.table
        if table is None or isinstance(change, TableExtra) or not root_tier(table).is_auto:
            return set()
        found: set[TableId] = set()
        waiting = [master_of(table)]
        while waiting:
            each = waiting.pop()
            if each in found or each not in self.view.tables or each in self.target.gone:
                continue
            if not root_tier(each).is_auto or each not in self.planner.known:
                return set()
            found.add(each)
            waiting += [model.id for model, _ in self.view.children(each)]
            waiting.append(master_of(each))
        return found

    # ---- the outcome --------------------------------------------------------------------------------

    def plan(self, offer: Mapping[TableId, Count]) -> Plan:
        """Return the plan."""
        hints = candidates(self.changes, self.view)
        planned = [
            PlannedChange(
                change,
                SAFE if change.is_note else verdict,
                hints.get(change, ""),
                verdict.risk is not Risk.SAFE and change.table in offer,
            )
            for change, verdict in zip(self.changes, self.verdicts, strict=True)
        ]
        changed = alterations(self.target)
        steps = make_steps(self.target, changed, self.lookups, self._stale_enums())
        return Plan(tuple(planned), tuple(steps), self._altered(changed), dict(offer))

    def _altered(self, changed: Sequence[Alteration]) -> tuple[TableId, ...]:
        """Return the present names of the tables that others must not use meanwhile."""
        tables = [each.id for each in changed]
        tables += [table for table in self.target.gone if table in self.view.tables]
        tables += self.view.present_tables
        return tuple(dict.fromkeys(self.view.present(table) for table in tables))

    def _stale_enums(self) -> list[EnumId]:
        """Return the enum types to drop: those that nothing in the whole database uses any more."""
        unused = unused_enums(self.target)
        if not unused:
            return []
        names = sorted({enum.name for enum in unused})
        users = {
            EnumId(schema, name): number
            for schema, name, number in self.connection.rows(_ENUM_USERS, {"names": names})
        }
        ours: dict[EnumId, int] = {}
        for model in self.view.catalog.tables.values():
            for each in (*model.attributes, *model.hidden):
                if each.type.is_enum:
                    enum = EnumId(each.type.enum_schema or model.id.schema, each.type.column)
                    ours[enum] = ours.get(enum, 0) + 1
        return [enum for enum in sorted(unused) if users.get(enum, 0) <= ours[enum]]


def _with_definition(instance: Instance) -> dict[TableId, type[Table]]:
    """Return the classes that the instance knows and that define a table."""
    return {
        table: cast(type[Table], cls)
        for table, cls in instance.classes.items()
        if getattr(cls, "definition", None) is not None
    }


def _ancestors(known: Classes, classes: Classes) -> set[TableId]:
    """Return the tables that classes refer to, however far."""
    found: set[TableId] = set()
    waiting = list(classes.values())
    while waiting:
        for key in waiting.pop().class_model().foreign_keys:
            if key.parent not in found:
                found.add(key.parent)
                if key.parent in known:
                    waiting.append(known[key.parent])
    return found


def _grow(classes: dict[TableId, type[Table]], known: Classes, view: View) -> None:
    """Add to a selection what has to change with it."""
    children: dict[TableId, list[TableId]] = {}
    for table, cls in known.items() if len(known) > len(classes) else ():
        with suppress(DataJointError):  # a wrong definition matters only where its table was asked for
            for key in cls.class_model().foreign_keys:
                children.setdefault(key.parent, []).append(table)
    waiting = list(classes)
    while waiting:
        table = waiting.pop()
        model = classes[table].class_model()
        near = [key.parent for key in model.foreign_keys if _key_differs(known, key.parent, view)]
        if table in view.tables and _key_differs(known, table, view):
            near += [child for child in children.get(table, ()) if child in view.tables]
        for other in near:
            if other in known and other not in classes:
                classes[other] = known[other]
                waiting.append(other)


def _key_differs(known: Classes, table: TableId, view: View) -> bool:
    """Whether a declared table is missing, or has another key in the database."""
    if table not in known:
        return False
    after, before = known[table].class_model(), view.tables.get(table)
    if before is None:
        return True
    return [(n, after[n].type) for n in after.primary_key] != [
        (n, before[n].type) for n in before.primary_key
    ]
