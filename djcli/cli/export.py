"""`djcli export`: rows of a table into a file that `djcli insert` reads back the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from djcli.algebra.restriction import AndList
from djcli.cli import console
from djcli.cli.bars import RowBar
from djcli.cli.conditions import RestrictOption, conditions_of
from djcli.cli.restriction import parse_restrictions
from djcli.cli.target import choose_format, open_target
from djcli.cli.workspace import TableArgument, open_workspace
from djcli.errors import SelectionError
from djcli.names import counted, did_you_mean
from djcli.tables.expression import QueryExpression
from djcli.tables.files.formats import FORMATS, check_writable, write_rows
from djcli.tables.table import Table

app = typer.Typer(rich_markup_mode=None)

_STEP = 1_000
"""Rows between two steps of the bar."""


@app.command("export")
def export(
    ctx: typer.Context,
    table: TableArgument,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - is standard output.")],
    restrict: RestrictOption = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="|".join(FORMATS), help="What to write, if the file's ending does not say."
        ),
    ] = None,
    omit: Annotated[
        list[str] | None, typer.Option(metavar="ATTR", help="Leave this attribute out. Can be repeated.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Replace the file without asking.")] = False,
) -> None:
    """Write rows of a table to a file."""
    kind = choose_format(format_, file, FORMATS, default="csv", hint="FILE")
    restrictions = parse_restrictions(restrict)
    work = open_workspace(ctx)
    found = work.find(table)
    typed = conditions_of(restrictions, found)
    work.declared([found], named=[found])
    rows = found() & AndList(typed)
    kept = _without(found, rows, omit or ())
    check_writable(kept.heading, kind, "leave it out with --omit")
    with open_target(file, yes=yes) as target, RowBar(found.class_label) as bar:
        number = write_rows(target, kind, kept.heading, _watched(kept, bar))
    if file != "-":
        console.note(f"wrote {counted(number, 'row')} of {found.class_label} to {file}")


def _without(table: type[Table], rows: QueryExpression, omitted: Iterable[str]) -> QueryExpression:
    """Return the rows without some attributes."""
    gone = list(omitted)
    for name in gone:
        if name not in rows.heading:
            raise SelectionError(
                f"--omit {name}: {table.class_label} has no attribute {name!r}"
                f"{did_you_mean(name, rows.heading.names)} (they are {', '.join(rows.heading.names)})"
            )
        if rows.heading[name].in_key:
            raise SelectionError(
                f"--omit {name}: it belongs to the key, without which rows cannot be told apart"
            )
    return rows.proj(*(name for name in rows.heading.secondary if name not in gone)) if gone else rows


def _watched(rows: QueryExpression, bar: RowBar) -> Iterator[tuple[Any, ...]]:
    total = len(rows)
    done = 0
    for done, row in enumerate(rows.query.stream(order_by="KEY"), start=1):
        if done % _STEP == 0:
            bar.step(_STEP, min(1.0, done / max(total, 1)))
        yield row
    bar.step(done % _STEP, 1.0)
