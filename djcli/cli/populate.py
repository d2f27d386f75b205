"""`djcli populate`: compute what is missing, table after table in the order of dependency."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Annotated, Any

import sys

import typer

from djcli.algebra.heading import Heading
from djcli.cli import console
from djcli.cli.bars import Follower, Tally
from djcli.cli.conditions import RestrictOption, check_attributes, conditions
from djcli.cli.failures import EXIT_ERROR, explain
from djcli.cli.options import count, shared
from djcli.cli.restriction import Restriction, parse_restrictions
from djcli.cli.workspace import TablesArgument, Workspace, open_workspace
from djcli.errors import SelectionError
from djcli.populate.auto import AutoPopulate
from djcli.populate.keys import todo
from djcli.tables.table import Table

app = typer.Typer(rich_markup_mode=None)


@app.command("populate")
def populate(
    ctx: typer.Context,
    tables: TablesArgument = None,
    restrict: RestrictOption = None,
    max_calls: Annotated[
        str | None, typer.Option("--max-calls", metavar="N", help="At most so many calls of make for a table.")
    ] = None,
    suppress_errors: Annotated[
        bool, typer.Option("--suppress-errors", help="Go on when a make fails, and list the failures at the end.")
    ] = False,
) -> None:
    """Compute what is missing in Computed and Imported tables."""
    most = count("--max-calls", max_calls)
    restrictions = parse_restrictions(restrict)
    work = open_workspace(ctx)
    chosen = _computed(work, tables)
    headings = {table: _key_heading(table) for table in chosen}
    check_attributes(restrictions, list(headings.values()))
    typed = {table: conditions(restrictions, heading) for table, heading in headings.items()}
    chosen = work.declared(chosen, named=bool(tables))
    follower = Follower()
    crash: Exception | None = None
    try:
        for table in chosen:
            with redirect_stdout(sys.stderr):
                table.populate(
                    *typed[table], suppress_errors=suppress_errors, max_calls=most, observer=follower
                )
            _report(follower.tallies[-1])
    except Exception as error:  # noqa: BLE001 - a user's make may raise anything; told below
        crash = error
    ...
