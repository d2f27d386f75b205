"""Lookup tables: the rows that their classes hold, against those in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from djcli.database.connection import Connection
from djcli.definition.model import TableId, TableModel
from djcli.errors import DataJointError
from djcli.migration.changes import TableChange
from djcli.migration.future import Row, comparable, literal
from djcli.migration.target import Target
from djcli.names import Tier, counted
from djcli.sql.alter import column_type, same_column
from djcli.sql.ddl import primary_key, statement
from djcli.tables.insert import encode_rows
from djcli.tables.table import Table

_SHOWN = 3

Key = tuple[object, ...]
Contents = Mapping[TableId, Sequence[Row]]


@dataclass(frozen=True)
class LookupChange(TableChange):
    """A difference between the contents of a lookup table and its rows."""

    keys: tuple[Key, ...]

    def details(self) -> Mapping[str, object]:
        """Return the keys, for JSON."""
        return {"keys": [list(key) for key in self.keys]}

    def shown(self) -> str:
        """Return the first few keys."""
        told = [", ".join(map(str, key)) or "the only row" for key in self.keys[:_SHOWN]]
        return "; ".join(told) + (" …" if len(self.keys) > _SHOWN else "")


@dataclass(frozen=True)
class LookupRowsMissing(LookupChange):
    """Contents of a lookup table that the database does not have."""

    mark = "+"

    def describe(self) -> str:
        """Return what it is in one line."""
        return f"{counted(len(self.keys), 'row')} of contents missing: {self.shown()}"

    def done(self) -> str:
        """Return what was done in one line."""
        return f"inserted {counted(len(self.keys), 'row')} into {self.title}"


@dataclass(frozen=True)
class LookupRowsChanged(LookupChange):
    """Rows whose secondary attributes are not those of the contents."""

    mark = "~"

    def describe(self) -> str:
        """Return what it is in one line."""
        return f"{counted(len(self.keys), 'row')} unlike the contents: {self.shown()}"

    def done(self) -> str:
        """Return what was done in one line."""
        return f"updated {counted(len(self.keys), 'row')} of {self.title}"


@dataclass(frozen=True)
class LookupRowsExtra(LookupChange):
    """Rows of a lookup table that are not among its contents; they are left alone."""

    mark = "="

    def describe(self) -> str:
        """Return what it is in one line."""
        return f"{counted(len(self.keys), 'row')} not among the contents (left alone): {self.shown()}"


@dataclass
class Lookups:
    """What is to be done about lookup tables.

    Attributes
    ----------
    changes
        The differences.
    writes
        The rows to insert or update, with their numbers in the contents.
    """

    changes: list[LookupChange] = field(default_factory=list[LookupChange])
    writes: dict[TableId, list[tuple[int, Row]]] = field(default_factory=dict[TableId, list[tuple[int, Row]]])


def read_contents(classes: Iterable[type[Table]]) -> dict[TableId, list[Row]]:
    """Return the encoded contents of lookup tables that have any.

    Raises
    ------
    DataJointError
        If contents do not fit their own table: which row, and why.
    """
    found: dict[TableId, list[Row]] = {}
    for cls in classes:
        if cls.tier is not Tier.LOOKUP:
            continue
        model = cls.class_model()
        try:
            encoded = list(encode_rows(model, cls.rows_to_hold(), ignore_extra_fields=False))
        except DataJointError as error:
            raise DataJointError(f"the contents of {cls.class_label} do not fit: {error}") from error
        rows = _distinct(model, [dict(zip(names, values, strict=True)) for names, values in encoded])
        if rows:
            found[model.id] = rows
    return found


def _distinct(model: TableModel, rows: Sequence[Row]) -> list[Row]:
    """Return the rows of contents, each once; two different ones may not have one key."""
    seen: dict[Key, tuple[int, Row]] = {}
    for number, row in enumerate(rows, start=1):
        first, same = seen.setdefault(key_of(model, row), (number, row))
        if same != row:
            told = ", ".join(f"{name}={row.get(name)}" for name in model.primary_key) or "no key"
            raise DataJointError(
                f"the contents of {model.id} have rows {first} and {number} with one key ({told}): drop one"
            )
    return [row for _, row in seen.values()]


def key_of(model: TableModel, row: Row) -> Key:
    """Return the primary key of a row of contents."""
    return tuple(row.get(name) for name in model.primary_key)


def compare_lookups(connection: Connection, target: Target, contents: Contents) -> Lookups:
    """Compare the contents of lookup tables with their rows, inside the database, all in one round trip.

    Where the key itself changes, nothing is said of rows, but all contents are written.
    """
    found = Lookups()
    present: list[_Comparison] = []
    for table, rows in contents.items():
        model = target.tables[table]
        kept = _kept_attributes(target, table)
        if target.before(table) is None:
            found.changes.append(LookupRowsMissing(table, tuple(key_of(model, row) for row in rows)))
            found.writes[table] = _numbered(rows)
        elif not kept.issuperset(model.primary_key):
            found.writes[table] = _numbered(rows)
        else:
            present.append(_Comparison(target, model, kept, rows))
    answers = iter(connection.rows_of_each([query for each in present for query in each.queries]))
    for each in present:
        each.conclude([next(answers) for _ in each.queries], found)
    return found


def _numbered(rows: Sequence[Row]) -> list[tuple[int, Row]]:
    return list(enumerate(rows, start=1))


def _kept_attributes(target: Target, table: TableId) -> set[str]:
    """Return the attributes that are there already, of the same column."""
    before, after = target.before(table), target.tables[table]
    if before is None:
        return set()
    return {
        each.name for each in after if each.name in before and same_column(before[each.name].type, each.type)
    }


class _Comparison:
    """The contents of a lookup table that is there, against its rows.

    Attributes
    ----------
    queries
        What to ask the database: which rows of contents are missing or differ; last, which rows are extra.
    """

    def __init__(self, target: Target, model: TableModel, kept: set[str], rows: Sequence[Row]) -> None:
        table = _Present(target, model)
        self.queries = [table.differing(names, kept, rows, numbers) for names, numbers in _uniform(rows)]
        self.queries.append(table.extra(rows))
        self._model = model
        self._kept = kept
        self._rows = rows

    def conclude(self, answers: Sequence[Sequence[tuple[Any, ...]]], found: Lookups) -> None:
        """Note the differences, and the rows to write."""
        model, rows = self._model, self._rows
        *differing, extra = answers
        unlike: list[tuple[int, bool]] = sorted((row[0], row[1]) for answer in differing for row in answer)
        for kind, is_absent in ((LookupRowsMissing, True), (LookupRowsChanged, False)):
            keys = tuple(key_of(model, rows[number - 1]) for number, absent in unlike if absent is is_absent)
            if keys:
                found.changes.append(kind(model.id, keys))
        if extra:
            found.changes.append(LookupRowsExtra(model.id, tuple(map(tuple, extra))))
        pending = any(name not in self._kept for row in rows for name in row)
        numbered = _numbered(rows)
        writes = numbered if pending else [numbered[number - 1] for number, _ in unlike]
        if writes:
            found.writes[model.id] = writes


def _uniform(rows: Sequence[Row]) -> Iterator[tuple[tuple[str, ...], list[int]]]:
    """Yield the attributes that rows give, with the numbers of those that give just these."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows, start=1):
        groups.setdefault(tuple(row), []).append(number)
    yield from groups.items()


class _Present:
    """A lookup table as it is, in SQL."""

    def __init__(self, target: Target, model: TableModel) -> None:
        self.model = model
        self.source = sql.Identifier(*target.view.present(model.id))
        self._columns = {each.name: target.view.column(model.id, each.name) for each in model}

    def differing(
        self, names: Sequence[str], kept: set[str], rows: Sequence[Row], numbers: Sequence[int]
    ) -> sql.Composed:
        """Return the SELECT of the numbers of rows that are missing, or have other values."""
        given = [name for name in names if name in kept]
        secondary = [name for name in given if not self.model[name].in_key]
        values = [(sql.Literal(n), *self._literals(rows[n - 1], given)) for n in numbers]
        unlike = [
            sql.SQL("{} IS DISTINCT FROM {}").format(self._stored(name), self._wanted(name))
            for name in secondary
        ]
        return statement(
            "SELECT w.n, t.ctid IS NULL FROM (VALUES {}) AS w ({}) LEFT JOIN {} AS t ON {} WHERE {}",
            _tuples(values),
            sql.SQL(", ").join(map(sql.Identifier, ("n", *given))),
            self.source,
            self._same_key(),
            sql.SQL(" OR ").join([sql.SQL("t.ctid IS NULL"), *unlike]),
        )

    def extra(self, rows: Sequence[Row]) -> sql.Composed:
        """Return the SELECT of the keys that are not among the contents."""
        key = self.model.primary_key
        if not key:
            return statement("SELECT 1 WHERE false")
        return statement(
            "SELECT {} FROM {} AS t WHERE NOT EXISTS (SELECT 1 FROM (VALUES {}) AS w ({}) WHERE {}) ORDER BY {}",
            sql.SQL(", ").join(map(self._stored, key)),
            self.source,
            _tuples([self._literals(row, key) for row in rows]),
            sql.SQL(", ").join(map(sql.Identifier, key)),
            self._same_key(),
            sql.SQL(", ").join(map(self._stored, key)),
        )

    def uncovered(self, rows: Sequence[Row]) -> sql.Composed:
        """Return the SELECT of one key that is not among the contents."""
        return self.extra(rows) + sql.SQL(" LIMIT 1")

    def _literals(self, row: Row, names: Iterable[str]) -> tuple[sql.Composable, ...]:
        return tuple(literal(row.get(name), self.model[name].type) for name in names)

    def _stored(self, name: str) -> sql.Composed:
        kind = self.model[name].type
        cast = sql.SQL("::text") if kind.is_enum else comparable(kind)
        return sql.SQL("t.{}{}").format(sql.Identifier(self._columns[name]), cast)

    def _wanted(self, name: str) -> sql.Composed:
        return sql.SQL("w.{}{}").format(sql.Identifier(name), comparable(self.model[name].type))

    def _same_key(self) -> sql.Composable:
        matching = [
            sql.SQL("{} = {}").format(self._stored(name), self._wanted(name))
            for name in self.model.primary_key
        ]
        return sql.SQL(" AND ").join(matching) if matching else sql.SQL("true")


def covers(connection: Connection, target: Target, table: TableId, contents: Contents) -> bool:
    """Whether every row of a lookup table is among its contents, which then fill its new attributes."""
    model = target.tables[table]
    if table not in contents or not _kept_attributes(target, table).issuperset(model.primary_key):
        return False
    return not connection.rows(_Present(target, model).uncovered(contents[table]))


def write_rows(model: TableModel, rows: Sequence[Row]) -> list[sql.Composed]:
    """Return the statements that insert rows of contents, or update those whose key is there."""
    return [
        _upsert(model, names, [rows[number - 1] for number in numbers]) for names, numbers in _uniform(rows)
    ]


def _upsert(model: TableModel, names: Sequence[str], rows: Sequence[Row]) -> sql.Composed:
    key = sql.SQL(", ").join(map(sql.Identifier, primary_key(model)))
    secondary = [name for name in names if not model[name].in_key]
    action: sql.Composable = sql.SQL("DO NOTHING")
    if secondary:
        action = sql.SQL("DO UPDATE SET {} WHERE {}").format(
            sql.SQL(", ").join(
                sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in secondary
            ),
            sql.SQL(" OR ").join(
                sql.SQL("held.{0}{1} IS DISTINCT FROM EXCLUDED.{0}{1}").format(
                    sql.Identifier(name), comparable(model[name].type)
                )
                for name in secondary
            ),
        )
    if not names:
        return statement("INSERT INTO {} DEFAULT VALUES ON CONFLICT DO NOTHING", sql.Identifier(*model.id))
    values = [
        tuple(
            sql.SQL("({})::{}").format(sql.Literal(row[name]), column_type(model[name].type))
            for name in names
        )
        for row in rows
    ]
    return statement(
        "INSERT INTO {} AS held ({}) VALUES {} ON CONFLICT ({}) {}",
        sql.Identifier(*model.id),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        _tuples(values),
        key,
        action,
    )


def _tuples(rows: Iterable[Iterable[Any]]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("({})").format(sql.SQL(", ").join(row)) for row in rows)
