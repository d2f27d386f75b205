"""`djcli describe`: the definition of a table."""

from __future__ import annotations

import typer

from djcli.cli import console
from djcli.cli.workspace import TableArgument, open_workspace
from djcli.definition.render import render

app = typer.Typer(rich_markup_mode=None)


@app.command("describe")
def describe(ctx: typer.Context, table: TableArgument) -> None:
    """Print the definition of a table."""
    console.out(render(open_workspace(ctx).find(table).model).rstrip("\n"))
