"""`djcli show`: rows of a table."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer

from djcli.algebra.heading import HeadingAttribute
from djcli.algebra.restriction import AndList
from djcli.cli import console
from djcli.cli.conditions import RestrictOption, conditions_of
from djcli.cli.options import choice, count
from djcli.cli.restriction import parse_restrictions
from djcli.cli.workspace import TableArgument, open_workspace
from djcli.names import counted
from djcli.settings import config
from djcli.tables.preview import cell

app = typer.Typer(rich_markup_mode=None)

FORMATS = ("table", "json", "csv")


@app.command("show")
def show(
    ctx: typer.Context,
    table: TableArgument,
    restrict: RestrictOption = None,
    limit: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="At most so many rows. A table shows 12 otherwise; json and csv, all."
        ),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", metavar="|".join(FORMATS), help="How to print.")
    ] = "table",
) -> None:
    """Print rows of a table."""
    choice("--format", format_, FORMATS)
    most = count("--limit", limit)
    restrictions = parse_restrictions(restrict)
    work = open_workspace(ctx)
    found = work.find(table)
    typed = conditions_of(restrictions, found)
    if most is None and format_ == "table":
        most = int(config["display.limit"])
    rows = found() & AndList(typed)
    names = rows.heading.names
    fetched = rows.to_dicts(order_by="KEY", limit=most)
    match format_:
        case "json":
            console.json(fetched)
        case "csv":
            console.csv(names, (list(row.values()) for row in fetched))
        case _:
            shown = [[_shown(rows.heading[name], row[name]) for name in names] for row in fetched]
            console.table(names, shown)
            total = len(rows) if len(fetched) == most else len(fetched)
            some = f"{len(fetched)} of " if total > len(fetched) else ""
            console.note(some + counted(total, "row"))


def _shown(attribute: HeadingAttribute, value: object) -> object:
    """Return a number as it is, so that it stands to the right, and of anything else a short text."""
    is_number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    return value if is_number or value is None else cell(attribute, value)
