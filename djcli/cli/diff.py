"""`djcli diff`: what differs between the pipelines' tables and the database."""

from __future__ import annotations

from typing import Annotated

import typer

from djcli.cli import console
from djcli.cli.failures import EXIT_PENDING
from djcli.cli.options import FormatOption, choice
from djcli.cli.workspace import TablesArgument, open_workspace
from djcli.migration.changes import Change
from djcli.migration.lookups import LookupRowsExtra
from djcli.migration.plan import make_plan
from djcli.names import display_name

app = typer.Typer(rich_markup_mode=None)


@app.command("diff")
def diff(
    ctx: typer.Context,
    tables: TablesArgument = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with code 4 if anything differs.")] = False,
    format_: FormatOption = "table",
) -> None:
    """Compare the pipelines' tables with the database."""
    choice("--format", format_, ("table", "json"))
    work = open_workspace(ctx)
    if check and not tables:
        work.pipelines.require_complete("checking all pipelines")
    plan = make_plan(work.instance, work.select(tables), whole_schemas=not tables)
    if format_ == "json":
        console.json([change.as_json() for change in plan.changes])
    else:
        for change in plan.changes:
            console.out(f"{change.mark} {table_name(change)}: {change.describe()}")
        if not plan.changes:
            console.note("no difference")
    # rows of a lookup table beyond its contents are told, but nothing is to be done about them
    if check and any(not isinstance(change, LookupRowsExtra) for change in plan.changes):
        raise typer.Exit(EXIT_PENDING)


def table_name(change: Change) -> str:
    """Return the name, as one writes it, of the table or schema that a change is about."""
    if change.table is None:
        return f"schema {change.schema}"
    return f"{change.schema}.{display_name(change.table.name)}"
