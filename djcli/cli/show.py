"""`djcli show`: rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from djcli.algebra.heading import Heading
from djcli.algebra.ordering import Top, read_order
from djcli.algebra.restriction import AndList
from djcli.cli import console
from djcli.cli.cells import shown
from djcli.cli.conditions import RestrictOption, conditions_of
from djcli.cli.options import count
from djcli.cli.restriction import parse_restrictions
from djcli.cli.target import choose_format, open_target
from djcli.cli.workspace import TableArgument, open_workspace
from djcli.database.reading import reading
from djcli.errors import DataJointError
from djcli.names import counted
from djcli.settings import config
from djcli.tables.expression import QueryExpression
from djcli.tables.fetch import ALL, Page
from djcli.tables.files.formats import FORMATS, check_writable, write_rows

app = typer.Typer(rich_markup_mode=None)

_FORMATS = ("table", *FORMATS)


_ColumnsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="ATTR,...",
        help="These attributes alone, in this order; KEY for the primary key.",
    ),
]
_OrderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--order-by",
        metavar="ATTR",
        help="ATTR, 'ATTR DESC', or KEY, which is the default. Can be repeated.",
    ),
]
_FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="|".join(_FORMATS), help="By default table, or what the file's name says."
    ),
]


@app.command("show")
def show(
    ctx: typer.Context,
    table: TableArgument,
    restrict: RestrictOption = None,
    columns: _ColumnsOption = None,
    order_by: _OrderOption = None,
    limit: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="At most so many rows. A table shows 12 otherwise, the other formats all."
        ),
    ] = None,
    offset: Annotated[str | None, typer.Option(metavar="N", help="Pass over so many rows first.")] = None,
    format_: _FormatOption = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Write it here.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Replace the file without asking.")] = False,
    only_count: Annotated[bool, typer.Option("--count", help="Print only how many rows there are.")] = False,
    only_sql: Annotated[
        bool, typer.Option("--sql", help="Print only the SQL that asks for the rows, and its values.")
    ] = False,
) -> None:
    """Print rows of a table."""
    kind = choose_format(format_, output, _FORMATS, default="table", hint="--output")
    if kind == "table" and output is not None:
        raise typer.BadParameter("a file needs another format than table", param_hint="--format")
    most, skipped = count("--limit", limit), count("--offset", offset) or 0
    if only_count and (limit or offset or order_by or columns or output or only_sql):
        raise typer.BadParameter("it takes --restrict, and no other option", param_hint="--count")
    if only_sql and output:
        raise typer.BadParameter("it is printed: leave out --output", param_hint="--sql")
    restrictions = parse_restrictions(restrict)
    work = open_workspace(ctx)
    found = work.find(table)
    rows = found() & AndList(conditions_of(restrictions, found))
    if most is None and kind == "table" and not only_sql:
        most = int(config["display.limit"])
    wanted = _Wanted(rows, _names(rows.heading, columns), _order(rows.heading, order_by), most, skipped)
    if only_sql:
        _show_sql(wanted, kind)
        return
    work.declared([found], named={found})
    connection = work.instance.connection
    if only_count or kind == "table":
        with reading(connection):
            if only_count:
                console.out(str(len(rows)))
            else:
                _show_table(wanted)
        return
    check_writable(wanted.heading, kind, "choose others with --columns")
    with open_target(output, yes=yes) as target, reading(connection):
        number = write_rows(target, kind, wanted.heading, wanted.stream())
    if output is not None:
        console.note(f"wrote {counted(number, 'row')} to {output}")


@dataclass(frozen=True)
class _Wanted:
    """The rows to show, the attributes of them, and their order."""

    rows: QueryExpression
    names: tuple[str, ...]
    order: tuple[str, ...]
    limit: int | None
    offset: int

    @property
    def heading(self) -> Heading:
        """The attributes to show, in order."""
        return Heading(tuple(self.rows.heading[name] for name in self.names))

    @property
    def limited(self) -> QueryExpression:
        """The rows that limit and offset leave, in order."""
        if self.limit is None and not self.offset:
            return self.rows
        return self.rows & Top(self.limit, self.order, self.offset)

    def statement(self) -> tuple[str, dict[str, object]]:
        """Return the SQL that asks for them, and its values."""
        limited = self.limited
        page = ALL if limited is not self.rows else Page(self.order)
        statement, _ = limited.query.statement(self.names, page)
        return statement.text, limited.parameters

    def stream(self, names: tuple[str, ...] | None = None) -> Iterator[tuple[Any, ...]]:
        """Yield the rows in flat memory; of some attributes, if these are named."""
        limited = self.limited
        order = None if limited is not self.rows else self.order
        return limited.query.stream(self.names if names is None else names, order)


def _names(heading: Heading, columns: Sequence[str] | None) -> tuple[str, ...]:
    """Read the names of attributes, in the order in which they were given."""
    if not columns:
        return heading.names
    given = [name.strip() for text in columns for name in text.split(",") if name.strip()]
    names = [name for text in given for name in (heading.primary_key if text.upper() == "KEY" else (text,))]
    try:
        heading.check(names)
    except DataJointError as error:
        raise typer.BadParameter(str(error), param_hint="--columns") from None
    if not names:
        raise typer.BadParameter("it names no attribute", param_hint="--columns")
    return tuple(dict.fromkeys(names))


def _order(heading: Heading, order_by: Sequence[str] | None) -> tuple[str, ...]:
    """Read an ordering; the primary key decides what it leaves open."""
    terms = tuple(order_by or ())
    try:
        read_order(heading, terms)
    except DataJointError as error:
        raise typer.BadParameter(str(error), param_hint="--order-by") from None
    return (*terms, "KEY")


def _show_sql(wanted: _Wanted, kind: str) -> None:
    text, values = wanted.statement()
    if kind in ("json", "jsonl"):
        console.json({"sql": text, "parameters": values})
        return
    console.out(text)
    for name, value in values.items():
        console.out(f"-- {name} = {value!r}")


def _show_table(wanted: _Wanted) -> None:
    """Print rows on the terminal; what codecs store stays where it is."""
    fetched_names = tuple(a.name for a in wanted.heading if a.type.codec is None)
    fetched = [dict(zip(fetched_names, row, strict=True)) for row in wanted.stream(fetched_names)]
    console.table(
        wanted.names,
        [[shown(attribute, row.get(attribute.name, ...)) for attribute in wanted.heading] for row in fetched],
    )
    is_all = not wanted.offset and (wanted.limit is None or len(fetched) < wanted.limit)
    total = len(fetched) if is_all else len(wanted.rows)
    some = f"{len(fetched)} of " if total > len(fetched) else ""
    console.note(some + counted(total, "row"))
