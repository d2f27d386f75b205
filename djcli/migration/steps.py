"""Steps: the statements that make the database what it is to be, in the order in which they work.

Steps follow from what tables are and are to be, not from the changes that tell of it, so that their outcome
is the target whatever the differences are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from djcli.definition.attribute import Attribute
from djcli.definition.model import TableId, TableModel
from djcli.definition.types import column_comment
from djcli.migration.alteration import Alteration
from djcli.migration.compare import squeezed
from djcli.migration.future import Row
from djcli.migration.lookups import Lookups, write_rows
from djcli.migration.target import Target, find_attribute
from djcli.migration.view import jobs_name
from djcli.names import Tier
from djcli.sql import alter, ddl
from djcli.sql.ddl import EnumId


@dataclass(frozen=True)
class Step:
    """One statement of a plan.

    Attributes
    ----------
    table
        The table it is about, if it is about one.
    statement
        The statement; it has no parameter.
    rows, model
        The rows of contents that it writes, with their numbers, and their table, so that a row that breaks a
        constraint can be named.
    """

    table: TableId | None
    statement: sql.Composed
    rows: tuple[tuple[int, Row], ...] = ()
    model: TableModel | None = None

    @property
    def sql(self) -> str:
        """The statement as text."""
        return ddl.statement_text(self.statement)


def make_steps(
    target: Target, changed: Sequence[Alteration], lookups: Lookups, stale_enums: Iterable[EnumId]
) -> list[Step]:
    """Return the steps that lead to the target.

    Parameters
    ----------
    target
        What the database is to be.
    changed
        What is to be done to the tables that stay.
    lookups
        The rows to write.
    stale_enums
        Enum types that nothing uses any more.
    """
    return [
        *_schemas_and_enums(target),
        *_renames(target),
        *_drops(target, changed),
        *_columns(changed),
        *_creations(target, changed),
        *_contents(target, lookups),
        *_late(changed),
        *_comments(target),
        *(Step(None, ddl.drop_enum(*enum)) for enum in sorted(stale_enums)),
        *_lineage(target),
    ]


def _schemas_and_enums(target: Target) -> Iterator[Step]:
    catalog = target.view.catalog
    for schema in dict.fromkeys(table.schema for table in target.declared):
        if schema not in catalog.schemas:
            yield Step(None, ddl.create_schema(schema))
    for enum, labels in target.new_enums.items():
        yield Step(None, ddl.create_enum(enum, labels))


def _renames(target: Target) -> Iterator[Step]:
    view = target.view
    for new, old in view.present_tables.items():
        yield Step(new, alter.rename_table(old, new.name))
        jobs = view.jobs_table(new)
        if jobs is not None:
            yield Step(new, alter.rename_table(jobs, jobs_name(new).name))
    for table, columns in view.present_columns.items():
        for new, old in columns.items():
            yield Step(table, alter.rename_column(table, old, new))


def _drops(target: Target, changed: Sequence[Alteration]) -> Iterator[Step]:
    """Drop foreign keys in the way, tables, job queues of another key, and indexes."""
    for each in changed:
        if each.dropped_keys:
            yield Step(each.id, alter.alter_table(each.id, [*map(alter.drop_constraint, each.dropped_keys)]))
    gone = [table for table in target.gone if table in target.view.tables]
    stale = [*gone, *(each.id for each in changed if each.key_changed)]
    queues = [queue for table in stale if (queue := _queue(target, table)) is not None]
    for statement in ddl.drop_tables(sorted({*gone, *queues})):
        yield Step(None, statement)
    for each in changed:
        for name in each.dropped_indexes:
            yield Step(each.id, alter.drop_index(each.id.schema, name))


def _queue(target: Target, table: TableId) -> TableId | None:
    """Return the name of a table's job queue after the renames, if there is one."""
    if target.view.jobs_table(table) is None:
        return None
    return jobs_name(table)


def _columns(changed: Sequence[Alteration]) -> Iterator[Step]:
    for each in changed:
        if each.first:
            yield Step(each.id, alter.alter_table(each.id, each.first))
    for each in changed:
        for statement in each.fills:
            yield Step(each.id, statement)
    for each in changed:
        if each.second:
            yield Step(each.id, alter.alter_table(each.id, each.second))
        for statement in each.numbering:
            yield Step(each.id, statement)


def _creations(target: Target, changed: Sequence[Alteration]) -> Iterator[Step]:
    """Create indexes of altered tables, then new tables."""
    taken = {*target.view.catalog.relations, *target.tables} - _freed(target, changed)
    for each in changed:
        for index in each.added_indexes:
            name = ddl.index_name(each.id, index, taken)
            taken.add(TableId(each.id.schema, name))
            yield Step(each.id, alter.create_index(each.id, index, name))
    models = target.created()
    existing = ddl.Existing(
        {model.id: model for _, model in target.kept()},
        {**target.view.catalog.enums, **target.new_enums},
        frozenset(taken - {model.id for model in models}),
    )
    for statement in ddl.create_tables(models, existing):
        yield Step(None, statement)


def _freed(target: Target, changed: Sequence[Alteration]) -> set[TableId]:
    """Return the names that are free again once tables and indexes are dropped."""
    freed = {
        TableId(table.schema, name)
        for table in target.gone
        if table in target.view.physical
        for name, _ in target.view.physical[table].indexes
    }
    freed |= {TableId(each.id.schema, name) for each in changed for name in each.dropped_indexes}
    return freed


def _contents(target: Target, lookups: Lookups) -> Iterator[Step]:
    for table in target.tables:
        rows = lookups.writes.get(table, ())
        groups: dict[tuple[str, ...], list[tuple[int, Row]]] = {}
        for number, row in rows:
            groups.setdefault(tuple(row), []).append((number, row))
        for group in groups.values():
            [statement] = write_rows(target.tables[table], [row for _, row in group])
            yield Step(table, statement, tuple(group), target.tables[table])


def _late(changed: Sequence[Alteration]) -> Iterator[Step]:
    """Do what had to wait for the contents of lookup tables."""
    for each in changed:
        if each.late:
            yield Step(each.id, alter.alter_table(each.id, each.late))
        for key in each.added_keys:
            yield Step(each.id, alter.alter_table(each.id, [alter.add_foreign_key(key)]))


def _comments(target: Target) -> Iterator[Step]:
    for before, after in target.kept():
        if squeezed(before.comment) != squeezed(after.comment):
            yield Step(after.id, alter.comment_on_table(after.id, after.comment))
        for attribute in (*after.attributes, *after.hidden):
            old = find_attribute(before, attribute.name)
            if _comment_differs(old, attribute):
                yield Step(after.id, alter.comment_on_column(after.id, attribute))


def _comment_differs(old: Attribute | None, new: Attribute) -> bool:
    before, after = column_comment(old) if old is not None else None, column_comment(new)
    if old is not None and old.type == new.type and squeezed(old.comment) == squeezed(new.comment):
        return old.inherited != new.inherited and after is not None
    return before != after


def unused_enums(target: Target) -> set[EnumId]:
    """Return the enum types that no table of the target uses, but some table does now."""
    return _enums_of(target.view.catalog.tables.values()) - _enums_of(target.tables.values())


def _enums_of(models: Iterable[TableModel]) -> set[EnumId]:
    return {
        EnumId(each.type.enum_schema or model.id.schema, each.type.column)
        for model in models
        for each in model
        if each.type.is_enum
    }


def _lineage(target: Target) -> Iterator[Step]:
    """Bring the lineage tables up to date, where rows of theirs change."""
    catalog = target.view.catalog
    stale: list[TableId] = []
    fresh: list[TableModel] = []
    for table, model in target.tables.items():
        if model.tier in (Tier.JOBS, Tier.HIDDEN):
            continue
        present = target.view.present(table)
        before = catalog.tables.get(present) if target.before(table) is not None else None
        old = set(ddl.lineage_rows(before)) if before is not None else set[tuple[str, str, str]]()
        if old != set(ddl.lineage_rows(model)) or before is None:
            fresh.append(model)
        if present != table:
            stale.append(present)
    stale += [table for table in target.gone if table not in target.declared]
    stale = [t for t in stale if TableId(t.schema, ddl.LINEAGE_TABLE) in catalog.relations]
    for statement in (*ddl.forget_lineage(sorted(stale)), *ddl.lineage_statements(fresh)):
        yield Step(None, statement)
