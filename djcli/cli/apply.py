"""`djcli apply`: declare tables and insert lookup contents, in one transaction."""

from __future__ import annotations

import typer

from djcli.cli import console
from djcli.cli.diff import table_name
from djcli.cli.failures import EXIT_ERROR
from djcli.cli.workspace import TablesArgument, open_workspace
from djcli.migration.apply import apply as apply_plan
from djcli.migration.changes import Change, SchemaMissing, TableMissing
from djcli.migration.lookups import LookupRowsMissing

app = typer.Typer(rich_markup_mode=None)


@app.command("apply")
def apply(ctx: typer.Context, tables: TablesArgument = None) -> None:
    """Declare the pipelines' tables and insert lookup contents."""
    work = open_workspace(ctx)
    if not tables:
        work.pipelines.require_complete("applying all pipelines")
    plan = apply_plan(work.instance, work.select(tables), whole_schemas=not tables)
    for change in plan.creations:
        console.out(_done(change))
    if not plan.creations:
        console.out("nothing to declare")
    if plan.alterations:
        for change in plan.alterations:
            console.warn(f"left as it is: {table_name(change)}: {change.describe()}")
        raise typer.Exit(EXIT_ERROR)


def _done(change: Change) -> str:
    match change:
        case SchemaMissing():
            return f"created schema {change.schema}"
        case TableMissing():
            return f"declared {table_name(change)}"
        case LookupRowsMissing():
            rows = "1 row" if len(change.keys) == 1 else f"{len(change.keys)} rows"
            return f"inserted {rows} into {table_name(change)}"
        case _:
            return str(change)
