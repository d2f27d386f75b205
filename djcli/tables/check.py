"""Checking rows without inserting them: the values here, the keys inside the database, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from djcli.database.connection import Connection
from djcli.definition.model import TableModel
from djcli.errors import AccessError
from djcli.sql import check as statements
from djcli.sql.insert import OnDuplicate
from djcli.tables.blocks import Block, RowError
from djcli.tables.encode import Problem, Report, encode_blocks
from djcli.tables.refused import missing_parent, shown
from djcli.tables.rows import read_blocks


def check_privileges(connection: Connection, model: TableModel, on_duplicate: OnDuplicate) -> None:
    """Refuse a table that the role may not insert into.

    Raises
    ------
    AccessError
        Naming the privilege.
    """
    table = {"schema": model.id.schema, "name": model.id.name}
    for may_insert, may_update in connection.rows(statements.PRIVILEGES, table):
        missing = "" if may_insert else "INSERT"
        if on_duplicate is OnDuplicate.REPLACE and not may_update:
            missing = missing or "UPDATE"
        if missing:
            raise AccessError(
                f"you may not {missing.lower()} rows of {model.id}; ask the database's owner for {missing}"
            )


def check_rows(
    connection: Connection,
    model: TableModel,
    rows: object,
    report: Report,
    *,
    ignore_extra_fields: bool = False,
    on_duplicate: OnDuplicate = OnDuplicate.REFUSE,
) -> int:
    """Report whatever an insert would refuse of rows, in flat memory; nothing is left in the database.

    Parameters
    ----------
    connection
        The connection.
    model
        The table.
    rows
        Whatever `read_blocks` reads.
    report
        Is told of each problem: first of those with values, in the order of the rows, then of those with keys.
    ignore_extra_fields
        Whether fields that are no attributes are passed over.
    on_duplicate
        What the insert would do with a row whose key is there already.

    Returns
    -------
    int
        How many rows there were.
    """
    counted = _Counter()
    blocks = encode_blocks(
        model,
        counted.watch(read_blocks(model, rows)),
        ignore_extra_fields=ignore_extra_fields,
        report=report,
    )
    stage = _Stage(connection, model)
    with connection.transaction:
        stage.create()
        for block in blocks:
            stage.add(block)
        for problem in stage.problems(on_duplicate):
            report(problem)
        raise psycopg.Rollback
    return counted.rows


class _Counter:
    def __init__(self) -> None:
        self.rows = 0

    def watch(self, blocks: Iterator[Block | RowError]) -> Iterator[Block | RowError]:
        for block in blocks:
            self.rows += 1 if isinstance(block, RowError) else len(block)
            yield block


class _Stage:
    """The keys of rows in a temporary table.

    Parameters
    ----------
    connection
        The connection, in a transaction that will be rolled back.
    model
        The table that the rows are for.
    """

    def __init__(self, connection: Connection, model: TableModel) -> None:
        self._connection = connection
        self._model = model
        self._uniques = [index.attributes for index in model.indexes if index.unique]
        self._uniques += [key.attributes for key in model.foreign_keys if key.unique]
        keys = (model.primary_key, *self._uniques, *(key.attributes for key in model.foreign_keys))
        self._names = tuple(dict.fromkeys(name for key in keys for name in key))
        self._unit = "row"

    def create(self) -> None:
        """Create it."""
        if self._names:
            self._connection.execute(statements.create_stage(self._model, self._names))

    def add(self, block: Block) -> None:
        """Add the keys of a block."""
        self._unit = block.source.unit
        names = [name for name in self._names if name in block.names]
        if names:
            columns = [block.columns[block.names.index(name)] for name in names]
            rows = zip(*columns, block.numbers, strict=True)
            self._connection.copy_in(statements.copy_to_stage(names), rows, ())

    def problems(self, on_duplicate: OnDuplicate) -> Iterator[Problem]:
        """Yield what the database would refuse."""
        if not self._names:
            return
        self._connection.execute(statements.analyze_stage())
        key = self._model.primary_key
        if key and on_duplicate is OnDuplicate.REFUSE:
            yield from self._repeated(key)
            yield from self._taken(key)
        spared = key if on_duplicate is OnDuplicate.SKIP else ()
        replaced = key if on_duplicate is OnDuplicate.REPLACE else ()
        for names in self._uniques:
            yield from self._repeated(names, spared or replaced)
            yield from self._taken(names, spared, replaced)
        for foreign in self._model.foreign_keys:
            statement = statements.find_parentless(self._model, foreign, spared=spared)
            for number, *values in self._connection.stream(statement):
                yield self._problem(number, missing_parent(foreign, values), foreign.attributes[0])

    def _repeated(self, names: tuple[str, ...], key: tuple[str, ...] = ()) -> Iterator[Problem]:
        for number, first, *values in self._connection.stream(statements.find_repeated(names, key)):
            yield self._problem(
                number, f"it has the same key as {self._word} {first}: {shown(names, values)}"
            )

    def _taken(
        self, names: tuple[str, ...], spared: tuple[str, ...] = (), replaced: tuple[str, ...] = ()
    ) -> Iterator[Problem]:
        statement = statements.find_taken(self._model, names, spared=spared, replaced=replaced)
        for number, *values in self._connection.stream(statement):
            yield self._problem(number, f"a row with {shown(names, values)} already exists")

    def _problem(self, number: int, message: str, attribute: str | None = None) -> Problem:
        return Problem(number, attribute, message, where=f"{self._unit} {number}")

    @property
    def _word(self) -> str:
        """What the numbers count, without the file's name."""
        return self._unit.rpartition(" ")[2]
