"""Inserting rows: from what users hold to encoded values, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import lru_cache
from itertools import islice
from typing import Any, cast

from djcli.algebra.restriction import Expression
from djcli.codecs.registry import encode_chain
from djcli.codecs.scalars import encoder
from djcli.database.connection import Connection
from djcli.definition.model import TableId, TableModel
from djcli.errors import DataJointError, MissingAttributeError, UnknownAttributeError
from djcli.names import did_you_mean
from djcli.sql.compile import compile_select
from djcli.sql.insert import OnDuplicate, insert_query, insert_rows
from djcli.sql.statement import parameters
from djcli.tables.instance import Instance

CHUNK = 10_000
"""Rows in one statement; more go in several, within one transaction."""

making: ContextVar[TableId | None] = ContextVar("making", default=None)
"""The table whose make is running here, which may therefore be inserted into."""

Encoder = Callable[[object], object]


def insert(
    instance: Instance,
    model: TableModel,
    rows: object,
    *,
    on_duplicate: OnDuplicate = OnDuplicate.REFUSE,
    ignore_extra_fields: bool = False,
    chunk_size: int | None = None,
) -> None:
    """Insert rows into a table, all or none.

    Parameters
    ----------
    instance
        The database.
    model
        The table.
    rows
        Mappings, sequences in the order of the attributes, numpy records, a frame, or an expression
        (copied inside the database).
    on_duplicate
        What to do with a row whose key is there already.
    ignore_extra_fields
        Whether fields that are no attributes are passed over.
    chunk_size
        How many rows go in one statement.

    Raises
    ------
    DataJointError
        For a row that does not fit, naming its number, the attribute and the value; or what the
        database refuses.
    """
    if isinstance(rows, Expression):
        _insert_expression(instance, model, rows, on_duplicate, ignore_extra_fields=ignore_extra_fields)
        return
    source = encode_rows(model, _rows(rows), ignore_extra_fields=ignore_extra_fields)
    size = chunk_size or CHUNK
    first = list(islice(source, size))
    if not first:
        return
    connection = instance.connection
    if len(first) < size:
        held = instance.interceptor is not None and on_duplicate is OnDuplicate.REFUSE
        if held and instance.interceptor is not None and instance.interceptor.write(model, first):
            return
        if len({names for names, _ in first}) == 1:
            send(connection, model, first, on_duplicate)
            return
    with connection.transaction:
        chunk = first
        while chunk:
            for group in _uniform(chunk):
                send(connection, model, group, on_duplicate)
            chunk = list(islice(source, size))


EncodedRow = tuple[tuple[str, ...], tuple[object, ...]]


def send(
    connection: Connection, model: TableModel, rows: list[EncodedRow], on_duplicate: OnDuplicate
) -> None:
    """Insert encoded rows that all give the same attributes, in one statement."""
    connection.execute(*_statement(model, rows, on_duplicate))


def _statement(
    model: TableModel, rows: list[EncodedRow], on_duplicate: OnDuplicate
) -> tuple[str, dict[str, object]]:
    names = rows[0][0]
    values: Iterable[tuple[object, ...]] = (row for _, row in rows)
    if on_duplicate is OnDuplicate.REPLACE:
        # ON CONFLICT cannot touch a row twice: of rows with one key the last one counts.
        places = [names.index(name) for name in model.primary_key if name in names]
        values = {tuple(row[place] for place in places): row for row in values}.values()
    columns = [list(column) for column in zip(*values, strict=True)]
    return insert_rows(model, names, on_duplicate), {f"c{i}": column for i, column in enumerate(columns)}


def _uniform(rows: list[EncodedRow]) -> Iterator[list[EncodedRow]]:
    """Part rows by the attributes they give, keeping runs together."""
    groups: dict[tuple[str, ...], list[EncodedRow]] = {}
    for row in rows:
        groups.setdefault(row[0], []).append(row)
    yield from groups.values()


def _insert_expression(
    instance: Instance,
    model: TableModel,
    rows: Expression,
    on_duplicate: OnDuplicate,
    *,
    ignore_extra_fields: bool,
) -> None:
    heading = rows.node.heading
    names = tuple(name for name in heading.names if name in model)
    extra = [name for name in heading.names if name not in model]
    if extra and not ignore_extra_fields:
        raise UnknownAttributeError(_unknown(model, extra[0]))
    _check_complete(model, names, "")
    statement = compile_select(rows.node, names)
    instance.connection.execute(
        insert_query(model, names, statement.text, on_duplicate), parameters(rows.values)
    )


def _rows(rows: object) -> Iterable[object]:
    """Return an iterator over rows of whatever kind."""
    if isinstance(rows, (str, bytes, Mapping)):
        kind = type(cast(object, rows)).__name__
        raise DataJointError(f"insert takes many rows, not one {kind}; insert one row with insert1")
    if hasattr(rows, "columns") and hasattr(rows, "to_dict"):  # pandas
        frame = cast(Any, rows)
        indexed = frame.index.names != [None]
        return cast(Iterable[object], (frame.reset_index() if indexed else frame).to_dict("records"))
    if hasattr(rows, "columns") and hasattr(rows, "to_dicts"):  # polars
        return cast(Iterable[object], cast(Any, rows).to_dicts())
    if not isinstance(rows, Iterable):
        raise DataJointError(f"insert takes an iterable of rows, not {type(rows).__name__}")
    return cast(Iterable[object], rows)


def encode_rows(
    model: TableModel, rows: Iterable[object], *, ignore_extra_fields: bool
) -> Iterator[EncodedRow]:
    """Check and encode rows one by one.

    Yields
    ------
    tuple
        The attributes given, and their encoded values.

    Raises
    ------
    DataJointError
        For a row that does not fit, with its number.
    """
    known = encoders(model)
    complete: set[tuple[str, ...]] = set()
    for number, row in enumerate(rows, start=1):
        fields = _fields(model, row, number)
        names: list[str] = []
        values: list[object] = []
        for name, value in fields.items():
            encode = known.get(name)
            if encode is None:
                if ignore_extra_fields:
                    continue
                raise UnknownAttributeError(f"{model.id}: row {number}: {_unknown(model, name)}")
            names.append(name)
            if value is None:
                values.append(_null(model, name, number))
                continue
            try:
                values.append(encode(value))
            except (ValueError, DataJointError) as error:
                kind = model[name].type.text
                raise DataJointError(
                    f"{model.id}: row {number}: attribute {name!r} ({kind}): {error}"
                ) from error
        given = tuple(names)
        if given not in complete:
            _check_complete(model, given, f"row {number}: ")
            complete.add(given)
        yield given, tuple(values)


def _null(model: TableModel, name: str, number: int) -> None:
    if not model[name].nullable:
        raise MissingAttributeError(f"{model.id}: row {number}: attribute {name!r} may not be null")


def _fields(model: TableModel, row: object, number: int) -> Mapping[str, object]:
    if isinstance(row, Mapping):
        return cast(Mapping[str, object], row)
    dtype_names = getattr(getattr(row, "dtype", None), "names", None)
    if dtype_names:
        return {name: cast(Any, row)[name] for name in dtype_names}
    if isinstance(row, Sequence) and not isinstance(row, (str, bytes)):
        items = cast(Sequence[object], row)
        if len(items) != len(model.names):
            raise DataJointError(
                f"{model.id}: row {number} has {len(items)} values for {len(model.names)} attributes "
                f"({', '.join(model.names)})"
            )
        return dict(zip(model.names, items, strict=True))
    raise DataJointError(f"{model.id}: row {number} is a {type(row).__name__}; give a dict or a sequence")


def _check_complete(model: TableModel, names: Sequence[str], where: str) -> None:
    for attribute in model.attributes:
        if attribute.name not in names and not attribute.has_default:
            raise MissingAttributeError(
                f"{model.id}: {where}attribute {attribute.name!r} is missing, and it has no default"
            )


def _unknown(model: TableModel, name: str) -> str:
    return (
        f"there is no attribute {name!r}{did_you_mean(name, model.names)} (they are {', '.join(model.names)})"
    )


@lru_cache(maxsize=1024)
def encoders(model: TableModel) -> dict[str, Encoder]:
    """Return the encoder of each attribute of a table."""
    found: dict[str, Encoder] = {}
    for attribute in model.attributes:
        kind = attribute.type
        column = encoder(kind.name, kind.column, kind.args, kind.labels)
        found[attribute.name] = column if kind.codec is None else _chained(encode_chain(kind.codec), column)
    return found


def _chained(first: Callable[..., object], then: Encoder) -> Encoder:
    return lambda value: then(first(value))
