"""Inserting rows: from what users hold to rows of a table, all or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import NoReturn, cast

from djcli.algebra.restriction import Expression
from djcli.database.connection import Connection
from djcli.database.failures import is_conflict
from djcli.definition.model import TableModel
from djcli.errors import (
    DataJointError,
    DuplicateError,
    MissingAttributeError,
    QueryError,
    UnknownAttributeError,
)
from djcli.sql import insert as statements
from djcli.sql.compile import compile_select
from djcli.sql.insert import OnDuplicate
from djcli.sql.statement import parameters
from djcli.tables.blocks import BLOCK, Block
from djcli.tables.chunks import CHUNK, Chunk, Chunks, merged
from djcli.tables.encode import Problem, encode_blocks, encode_dict, encode_dicts, encoders, unknown
from djcli.tables.files.rowfile import RowFile
from djcli.tables.instance import Instance
from djcli.tables.making import check_rows_of_query, making
from djcli.tables.refused import explain
from djcli.tables.rows import read_blocks

__all__ = ["EncodedRow", "encode_rows", "encoders", "insert", "send_rows"]

FEW = 500
"""Up to so many rows are sent as arrays, more by COPY."""

ATTEMPTS = 8
"""How often an insert is tried that others get in the way of."""

_PLAIN = {dict, list, tuple}
"""Rows whose reading runs no code of the user's."""

EncodedRow = tuple[tuple[str, ...], tuple[object, ...]]
"""The attributes that a row gives, and their encoded values."""


def insert(
    instance: Instance,
    model: TableModel,
    rows: object,
    *,
    on_duplicate: OnDuplicate = OnDuplicate.REFUSE,
    ignore_extra_fields: bool = False,
    chunk_size: int | None = None,
) -> int:
    """Insert rows into a table, all or none.

    Parameters
    ----------
    instance
        The database.
    model
        The table.
    rows
        Whatever `read_blocks` reads, or an expression, which is copied inside the database.
    on_duplicate
        What to do with a row whose key is there already.
    ignore_extra_fields
        Whether fields that are no attributes are passed over.
    chunk_size
        How many rows go in one statement.

    Returns
    -------
    int
        How many rows were inserted or replaced; those that a running populate takes count too.

    Raises
    ------
    DataJointError
        For a row that does not fit, naming its number, the attribute and the value; or what the
        database refuses.
    """
    if chunk_size is not None and chunk_size < 1:
        raise DataJointError(f"chunk_size={chunk_size}: it must be positive")
    if isinstance(rows, Expression):
        return _insert_expression(
            instance, model, rows, on_duplicate, ignore_extra_fields=ignore_extra_fields
        )
    if _hand_over(instance, model, rows, on_duplicate):
        return len(cast("Sized", rows))
    size = chunk_size or (sys.maxsize if model.refers_to_itself else CHUNK)
    encoded = _encoded(model, rows, ignore_extra_fields=ignore_extra_fields)
    chunks = Chunks(model, _of_own_key(model, encoded), size)
    first = chunks.take()
    if first is None:
        return 0
    if len(first) <= FEW or instance.interceptor is not None:
        second = chunks.take()
        if second is None:
            return _insert_one_chunk(instance, model, first, on_duplicate)
        chunks.ready.extendleft((second, first))
    else:
        chunks.ready.appendleft(first)
    # An iterator may ask this very connection for its rows, which it cannot while a COPY is open.
    is_calm = _is_at_hand(rows) and not any(a.type.codec for a in model)
    connection = instance.connection
    between = partial(_prepare, connection, chunks, on_duplicate) if is_calm else None
    number = 0
    with connection.transaction:
        while chunk := chunks.take():
            number += _insert_chunk(connection, model, chunk, on_duplicate, between)
    return number


def _hand_over(instance: Instance, model: TableModel, given: object, on_duplicate: OnDuplicate) -> bool:
    """Hand a few plain dicts with nothing wrong to a running populate; False leaves them to the long way."""
    taker = instance.interceptor
    if taker is None or on_duplicate is not OnDuplicate.REFUSE or not isinstance(given, (list, tuple)):
        return False
    rows = cast("list[object]", given)
    if not 0 < len(rows) <= BLOCK or type(rows[0]) is not dict:
        return False
    encoded = encode_dicts(model, rows)
    if encoded is None:
        return False
    names, columns = encoded
    made = making.get()
    if made is not None:
        made.check_columns(model, names, columns)
    return taker.write(model, names, list(zip(*columns, strict=False)))


def hand_over_one(instance: Instance, model: TableModel, row: object) -> bool:
    """Hand one row of the table that is made, or of a part of it, to a running populate; False for anything else.

    It is what `insert` comes to, without a look at what does not matter then.
    """
    taker, made = instance.interceptor, making.get()
    if taker is None or made is None or type(row) is not dict or instance.connection.witnesses:
        return False
    if made.table is not model and not model.id.belongs_to(made.table.id):
        return False
    encoded = encode_dict(model, cast("dict[str, object]", row))
    if encoded is None:
        return False
    made.check_row(model, *encoded)
    return taker.write(model, encoded[0], [encoded[1]])


def _prepare(connection: Connection, chunks: Chunks, on_duplicate: OnDuplicate) -> bool:
    """Make something of the next chunk ready; tell whether there may be more to do."""
    if chunks.read_ahead():
        return True
    chunk = chunks.ready[0] if chunks.ready else None
    if chunk is not None and chunk.data is None and len(chunk) > FEW and chunk.names:
        with suppress(DataJointError):  # which is told when it is this chunk's turn
            chunk.data = connection.copy_data(_rows(chunk, on_duplicate))
    return False


def _is_at_hand(rows: object) -> bool:
    """Whether reading rows runs no code of the user's."""
    if isinstance(rows, (list, tuple)):
        return set(map(type, cast("list[object]", rows))) <= _PLAIN
    return isinstance(rows, (Path, RowFile)) or hasattr(rows, "shape")


def _encoded(model: TableModel, rows: object, *, ignore_extra_fields: bool) -> Iterator[Block]:
    def report(problem: Problem) -> NoReturn:
        raise problem.as_error(model) from problem.cause

    blocks = read_blocks(model, rows)
    return encode_blocks(model, blocks, ignore_extra_fields=ignore_extra_fields, report=report)


def _of_own_key(model: TableModel, blocks: Iterator[Block]) -> Iterator[Block]:
    """Pass blocks on; those of another key than that of the make that runs here are refused."""
    made = making.get()
    for block in blocks:
        if made is not None:
            made.check_columns(model, block.names, block.columns)
        yield block


def encode_rows(
    model: TableModel, rows: Iterable[object], *, ignore_extra_fields: bool
) -> Iterator[EncodedRow]:
    """Check and encode rows.

    Yields
    ------
    tuple
        The attributes given, and their encoded values.

    Raises
    ------
    DataJointError
        For a row that does not fit, with its number.
    """
    for block in _encoded(model, rows, ignore_extra_fields=ignore_extra_fields):
        for values in block.rows():
            yield block.names, values


# ---- chunks ---------------------------------------------------------------------------------------------


def _insert_one_chunk(instance: Instance, model: TableModel, chunk: Chunk, on_duplicate: OnDuplicate) -> int:
    """Insert all there is: handed to a running populate, or at once."""
    taker = instance.interceptor
    if taker is not None and on_duplicate is OnDuplicate.REFUSE:
        rows = [values for block in chunk.blocks for values in block.rows()]
        if taker.write(model, chunk.names, rows):
            return len(rows)
    connection = instance.connection
    attempts = 1 if connection.in_transaction else ATTEMPTS
    for attempt in range(1, attempts + 1):
        try:
            return _insert_chunk(connection, model, chunk, on_duplicate)
        except DataJointError as error:
            if attempt == attempts or not is_conflict(error):
                raise
    raise AssertionError("unreachable")


def _insert_chunk(
    connection: Connection,
    model: TableModel,
    chunk: Chunk,
    on_duplicate: OnDuplicate,
    between: Callable[[], bool] | None = None,
) -> int:
    """Insert rows; what the database refuses is told by row, and an open transaction survives it."""
    is_one_statement = len(chunk) <= FEW and bool(chunk.names)
    try:
        with nullcontext() if is_one_statement else connection.transaction:
            return _send(connection, model, chunk, on_duplicate, between)
    except QueryError as error:
        if is_conflict(error):
            raise
        told = explain(connection, model, merged(chunk.blocks), on_duplicate, error)
        made = making.get()
        if isinstance(told, DuplicateError) and made is not None and model.id == made.table.id:
            told = DuplicateError(f"{told}: make() of {made.label} has inserted it before")
        raise told from error.__cause__


# ---- sending --------------------------------------------------------------------------------------------


def send_rows(
    connection: Connection,
    model: TableModel,
    names: tuple[str, ...],
    rows: Sequence[tuple[object, ...]],
    on_duplicate: OnDuplicate,
) -> None:
    """Insert encoded rows of the named attributes; the caller has opened a transaction."""
    columns: list[Sequence[object]] = list(zip(*rows, strict=True))
    _send(connection, model, Chunk([Block(names, columns, range(1, len(rows) + 1))]), on_duplicate)


def _send(
    connection: Connection,
    model: TableModel,
    chunk: Chunk,
    on_duplicate: OnDuplicate,
    between: Callable[[], bool] | None = None,
) -> int:
    names, number = chunk.names, len(chunk)
    if not names:
        statement = statements.insert_rows(model, (), on_duplicate)
        return sum(connection.execute(statement) for _ in range(number))
    if number <= FEW:
        return _send_arrays(connection, model, merged(chunk.blocks), on_duplicate)
    if on_duplicate is OnDuplicate.REFUSE:
        _copy(connection, statements.copy_rows(model, names), chunk, on_duplicate, between)
        return number
    # An INSERT from a temporary table resolves the conflicts.
    connection.execute(statements.create_stage(model, names))
    _copy(connection, statements.copy_to_stage(names), chunk, on_duplicate, between)
    flight = connection.begin(statements.insert_stage(model, names, on_duplicate))
    inserted = connection.finish(flight, between)
    connection.execute(statements.drop_stage())
    return inserted


def _rows(chunk: Chunk, on_duplicate: OnDuplicate) -> Iterator[tuple[object, ...]]:
    """Yield the rows, with their numbers where they go into a temporary table first."""
    for block in chunk.blocks:
        if on_duplicate is OnDuplicate.REFUSE:
            yield from block.rows()
        else:
            yield from zip(*block.columns, block.numbers, strict=True)


def _copy(
    connection: Connection,
    statement: str,
    chunk: Chunk,
    on_duplicate: OnDuplicate,
    between: Callable[[], bool] | None,
) -> None:
    """Send rows by COPY; while the server is busy with them, make those to come ready."""
    if between is None:
        connection.copy_in(statement, _rows(chunk, on_duplicate), ())
        return
    data = chunk.data if chunk.data is not None else connection.copy_data(_rows(chunk, on_duplicate))
    connection.finish(connection.begin_copy(statement, data), between)


def _send_arrays(connection: Connection, model: TableModel, block: Block, on_duplicate: OnDuplicate) -> int:
    columns: Sequence[Sequence[object]] = block.columns
    if on_duplicate is OnDuplicate.REPLACE:
        # ON CONFLICT cannot touch a row twice: of rows with one key the last one counts.
        places = [block.names.index(name) for name in model.primary_key if name in block.names]
        rows = {tuple(row[place] for place in places): row for row in block.rows()}
        columns = list(zip(*rows.values(), strict=True))
    statement = statements.insert_rows(model, block.names, on_duplicate)
    return connection.execute(statement, {f"c{i}": list(column) for i, column in enumerate(columns)})


# ---- copying inside the database ------------------------------------------------------------------------


def _insert_expression(
    instance: Instance,
    model: TableModel,
    rows: Expression,
    on_duplicate: OnDuplicate,
    *,
    ignore_extra_fields: bool,
) -> int:
    heading = rows.node.heading
    names = tuple(name for name in heading.names if name in model)
    extra = [name for name in heading.names if name not in model]
    if extra and not ignore_extra_fields:
        raise UnknownAttributeError(f"{model.id}: {unknown(model, extra[0])}")
    for attribute in model.attributes:
        if attribute.name not in names and not attribute.has_default:
            raise MissingAttributeError(
                f"{model.id}: attribute {attribute.name!r} is missing in the query, and it has no default"
            )
    connection = instance.connection
    for witness in connection.witnesses:
        witness.reads(rows.node, compile_select(rows.node).text, parameters(rows.values))
    check_rows_of_query(model, rows)
    query = compile_select(rows.node, names).text
    statement = statements.insert_query(model, names, query, on_duplicate)
    try:
        return connection.execute(statement, parameters(rows.values))
    except DuplicateError as error:
        advice = "; skip_duplicates=True passes over it" if on_duplicate is OnDuplicate.REFUSE else ""
        raise DuplicateError(f"{error}{advice}") from error.__cause__
