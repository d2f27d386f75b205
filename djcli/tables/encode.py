"""Checking and encoding blocks of rows: every value becomes the one that is sent to PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

from djcli.codecs.plain import numpy_kin
from djcli.codecs.registry import encode_chain
from djcli.codecs.scalars import encoder, kind_of, parse_text
from djcli.definition.attribute import Attribute
from djcli.definition.model import TableModel
from djcli.errors import DataJointError, MissingAttributeError, UnknownAttributeError
from djcli.names import did_you_mean
from djcli.tables.blocks import Block, RowError, uniform_columns
from djcli.tables.columns import WIDTHS, Quick, encode_at_once, quick_encoder

Encoder = Callable[[object], object]

_TEXTS = frozenset(("char", "varchar", "unjudged"))
"""The kinds of types whose values are text."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row.

    Attributes
    ----------
    number
        The number of the row; 0 for the header of a file.
    attribute
        The attribute; None where the row as a whole is wrong.
    message
        What is wrong, in words that read well after row and attribute.
    error
        The class of error that an insert raises for it.
    cause
        The error that told so, if any.
    where
        Where, for messages: ``row 3``, ``trials.csv line 7``.
    """

    number: int
    attribute: str | None
    message: str
    error: type[DataJointError] = DataJointError
    cause: Exception | None = None
    where: str = ""

    def as_error(self, model: TableModel) -> DataJointError:
        """Return the error that an insert into a table raises."""
        return self.error(f"{model.id}: {self.where or f'row {self.number}'}: {self.message}")

    @property
    def is_of_header(self) -> bool:
        """Whether it is the header of a file that is wrong, and so all of its rows."""
        return self.number == 0


Report = Callable[[Problem], None]
"""Is told of a problem; an insert raises, a validation takes note."""


def encode_blocks(
    model: TableModel, blocks: Iterable[Block | RowError], *, ignore_extra_fields: bool, report: Report
) -> Iterator[Block]:
    """Check and encode blocks of rows.

    Parameters
    ----------
    model
        The table.
    blocks
        What was read.
    ignore_extra_fields
        Whether fields that are no attributes are passed over.
    report
        Is told of each problem; if it returns, the block goes on with None for the value.

    Yields
    ------
    Block
        Encoded rows that give the same attributes.
    """
    headers: set[str] = set()
    for block in blocks:
        if isinstance(block, RowError):
            report(Problem(block.number, None, block.problem, where=f"{block.unit} {block.number}"))
            continue
        tell = _telling(block, report, headers)
        known = _known(model, block, ignore_extra_fields, tell)
        for name in _missing(model, known):
            message = f"attribute {name!r} is missing, and it has no default"
            for number in _header_or_rows(block):
                tell(Problem(number, name, message, MissingAttributeError))
        encoded = _encode(model, known, tell)
        headers.add(block.source.header)
        yield from _left_out(model, _with_defaults(model, encoded))


def _telling(block: Block, report: Report, headers: set[str]) -> Report:
    """Return a report that says where a row is."""

    def tell(problem: Problem) -> None:
        source = block.source
        if problem.is_of_header and source.header in headers:
            return  # told with the first block
        where = source.header if problem.is_of_header else f"{source.unit} {problem.number}"
        report(replace(problem, where=where))

    return tell


def _known(model: TableModel, block: Block, ignore_extra_fields: bool, report: Report) -> Block:
    extra = [name for name in block.names if name not in model]
    if not extra:
        return block
    if not ignore_extra_fields:
        for name in extra:
            for number in _header_or_rows(block):
                report(Problem(number, name, unknown(model, name), UnknownAttributeError))
    kept = [place for place, name in enumerate(block.names) if name in model]
    names = tuple(block.names[place] for place in kept)
    return replace(block, names=names, columns=[block.columns[place] for place in kept])


def _header_or_rows(block: Block) -> Sequence[int]:
    """Return the numbers of those that name the attributes: the header, or else each row."""
    return (0,) if block.source.header else block.numbers


def _missing(model: TableModel, block: Block) -> list[str]:
    given = set(block.names)
    return [a.name for a in model.attributes if a.name not in given and not a.has_default]


def unknown(model: TableModel, name: str) -> str:
    """Return the message for a field that is no attribute."""
    return (
        f"there is no attribute {name!r}{did_you_mean(name, model.names)} (they are {', '.join(model.names)})"
    )


def _encode(model: TableModel, block: Block, report: Report) -> Block:
    columns: list[Sequence[object]] = []
    for name, values in zip(block.names, block.columns, strict=True):
        attribute = model[name]
        if block.source.spelled:
            values = _read_text(attribute, values, block, report)
        columns.append(_encode_column(model, attribute, values, block, report))
    return replace(block, columns=columns)


def _encode_column(
    model: TableModel, attribute: Attribute, values: Sequence[object], block: Block, report: Report
) -> Sequence[object]:
    if attribute.type.codec is not None:
        return _encode_with_codec(model, attribute, values, block, report)
    types = set(map(type, values))
    if attribute.type.name in WIDTHS and any(kind.__name__.startswith("float") for kind in types):
        # Where a whole number is missing, numpy's users write nan.
        values = [None if value != value else value for value in values]
        types = set(map(type, values))
    kin = numpy_kin(next(iter(types))) if len(types) == 1 else None
    if kin is not None:
        values = list(map(kin, values))
        types = set(map(type, values))
    encode = encoders(model)[attribute.name]
    if type(None) in types:
        if not attribute.has_default:
            _report_nulls(attribute, values, block.numbers, report)
        encode = _sparing_none(encode)
    at_once = encode_at_once(attribute, types, values)
    if at_once is not None:
        return at_once

    try:
        if types == {str}:
            # Text of a file repeats itself; each is read once.
            read = {value: encode(value) for value in set(values)}
            return [read[value] for value in values]
        return list(map(encode, values))
    except (ValueError, DataJointError):
        return _encode_each(attribute, encode, values, block.numbers, report)


def _sparing_none(encode: Encoder) -> Encoder:
    return lambda value: None if value is None else encode(value)


def _encode_each(
    attribute: Attribute,
    encode: Encoder,
    values: Iterable[object],
    numbers: Sequence[int],
    report: Report,
) -> list[object]:
    encoded: list[object] = []
    for number, value in zip(numbers, values, strict=True):
        try:
            encoded.append(encode(value))
        except (ValueError, TypeError, DataJointError) as error:
            report(_misfit(attribute, number, error))
            encoded.append(None)
    return encoded


def _misfit(attribute: Attribute, number: int, error: Exception) -> Problem:
    message = f"attribute {attribute.name!r} ({attribute.type.text}): {error}"
    return Problem(number, attribute.name, message, DataJointError, error)


def _report_nulls(
    attribute: Attribute, values: Sequence[object], numbers: Sequence[int], report: Report
) -> None:
    for number, value in zip(numbers, values, strict=True):
        if value is None:
            message = f"attribute {attribute.name!r} may not be null"
            report(Problem(number, attribute.name, message, MissingAttributeError))


def _encode_with_codec(
    model: TableModel, attribute: Attribute, values: Sequence[object], block: Block, report: Report
) -> list[object]:
    """Encode values one by one, telling the codec the key of each row."""
    if None in [value if value is None else 0 for value in values] and not attribute.has_default:
        _report_nulls(attribute, values, block.numbers, report)
    kind = attribute.type
    chain = encode_chain(kind.codec or "")
    column = encoder(kind.name, kind.column, kind.args, kind.labels)
    places = [(name, place) for place, name in enumerate(block.names) if model[name].in_key]
    encoded: list[object] = []
    for place, (number, value) in enumerate(zip(block.numbers, values, strict=True)):
        if value is None:
            encoded.append(None)
            continue
        try:
            key: Mapping[str, Any] = {name: block.columns[at][place] for name, at in places}
            encoded.append(column(chain(value, key=key)))
        except (ValueError, TypeError, DataJointError) as error:
            report(_misfit(attribute, number, error))
            encoded.append(None)
    return encoded


def _read_text(
    attribute: Attribute, values: Sequence[object], block: Block, report: Report
) -> Sequence[object]:
    """Read values that are text in a file; an empty field of CSV is missing, or an empty text where none may be."""
    kind = attribute.type
    stored = "codec" if kind.codec is not None else kind_of(kind.name, kind.column)
    if block.source.is_text:
        if kind.codec is not None:
            message = f"attribute {attribute.name!r} holds {kind.text}, which a text file cannot give"
            report(Problem(0, attribute.name, message))
            return [None] * len(values)
        is_text = stored in _TEXTS
        if None in values and is_text and not attribute.has_default:
            values = ["" if value is None else value for value in values]
        elif not is_text and "" in values:
            values = [value or None for value in values]
    if stored not in block.source.spelled:
        return values  # their encoders read text

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        return parse_text(kind.name, kind.column, kind.args, kind.labels, value)

    return _encode_each(attribute, read, values, block.numbers, report)


def _with_defaults(model: TableModel, block: Block) -> Block:
    """Put defaults in the place of None where they are literals, so that rows need not be told apart.

    Where rows may depend on others of the same table, attributes that are not given are put in too: all rows
    then go in together, in whatever order they stand.
    """
    known = _defaults(model)
    columns = {
        name: [known[name] if value is None else value for value in values]
        if name in known and None in values
        else values
        for name, values in zip(block.names, block.columns, strict=True)
    }
    if model.refers_to_itself:
        given = columns
        default = {attribute.name: None for attribute in model if attribute.nullable} | known
        columns = {
            name: given[name] if name in given else [default[name]] * len(block)
            for name in model.names
            if name in given or name in default
        }
    return replace(block, names=tuple(columns), columns=list(columns.values()))


@lru_cache(maxsize=1024)
def _defaults(model: TableModel) -> dict[str, object]:
    """Return the encoded defaults, but for null and those that only the database can tell."""
    found: dict[str, object] = {}
    for attribute in model.attributes:
        kind, default = attribute.type, attribute.default
        if default is not None and not default.is_expression and not attribute.nullable:
            value = parse_text(kind.name, kind.column, kind.args, kind.labels, default.value)
            found[attribute.name] = encoders(model)[attribute.name](value)
    return found


def _left_out(model: TableModel, block: Block) -> Iterator[Block]:
    """Leave out, row by row, attributes given as None whose default only the database can tell."""
    places = [
        place
        for place, name in enumerate(block.names)
        if not model[name].nullable and model[name].has_default and None in block.columns[place]
    ]
    if not places:
        yield block
        return
    groups: dict[tuple[bool, ...], list[int]] = {}
    for row in range(len(block)):
        groups.setdefault(tuple(block.columns[place][row] is None for place in places), []).append(row)
    for absent, rows in groups.items():
        dropped = {place for place, is_absent in zip(places, absent, strict=True) if is_absent}
        kept = [place for place in range(len(block.names)) if place not in dropped]
        yield Block(
            tuple(block.names[place] for place in kept),
            [[block.columns[place][row] for row in rows] for place in kept],
            [block.numbers[row] for row in rows],
            block.source,
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


def encode_dict(
    model: TableModel, row: dict[str, object]
) -> tuple[tuple[str, ...], tuple[object, ...]] | None:
    """Encode a row that has nothing wrong and nothing missing; None leaves it, and its errors, to `encode_blocks`."""
    names = tuple(row)
    plan = _plan(model, names)
    if plan is None:
        return None
    values: list[object] = []
    try:
        for (encode, _), value in zip(plan, row.values(), strict=True):
            if value is None:
                return None
            values.append(encode(value))
    except (ValueError, TypeError, DataJointError):
        return None
    return names, tuple(values)


def encode_dicts(
    model: TableModel, rows: list[object]
) -> tuple[tuple[str, ...], list[Sequence[object]]] | None:
    """Encode rows as `encode_dict` does, by columns, if all give the same attributes and have nothing wrong."""
    given = uniform_columns(rows)
    plan = None if given is None else _plan(model, given[0])
    if given is None or plan is None:
        return None
    columns: list[Sequence[object]] = []
    try:
        for (encode, quick), values in zip(plan, cast("list[list[Any]]", given[1]), strict=True):
            found = quick(values)
            if found is None:
                found = _column_of_plain(encode, quick, values)
            if found is None:
                return None
            columns.append(found)
    except (ValueError, TypeError, DataJointError):
        return None
    return given[0], columns


def _column_of_plain(encode: Encoder, quick: Quick, values: list[Any]) -> Sequence[object] | None:
    """Encode values one by one, or at once when they are numpy's; None where some are missing."""
    types = set(map(type, values))
    kin = numpy_kin(types.pop()) if len(types) == 1 else None
    if kin is not None:
        values = list(map(kin, values))
        found = quick(values)
        if found is not None:
            return found
    return None if type(None) in set(map(type, values)) else [encode(value) for value in values]


@lru_cache(maxsize=1024)
def _plan(model: TableModel, names: tuple[str, ...]) -> tuple[tuple[Encoder, Quick], ...] | None:
    """Return what encodes one value and a column of each of these attributes.

    None if some are wrong or missing, or have codecs.
    """
    given = set(names)
    if any(name not in model or model[name].type.codec is not None for name in names):
        return None
    if any(attribute.name not in given and not attribute.has_default for attribute in model.attributes):
        return None
    known = encoders(model)
    return tuple((known[name], quick_encoder(model[name].type)) for name in names)


def _chained(first: Callable[..., object], then: Encoder) -> Encoder:
    return lambda value: then(first(value))
