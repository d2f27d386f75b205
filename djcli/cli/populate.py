"""`djcli populate`: compute what is missing, table after table in the order of dependency."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from typing import Annotated, Any, cast

import typer

from djcli.algebra.restriction import AndList
from djcli.cli import console
from djcli.cli.bars import Follower
from djcli.cli.conditions import Condition, RestrictOption, conditions_of_each
from djcli.cli.failures import EXIT_ERROR
from djcli.cli.forecast import forecast, show_forecast
from djcli.cli.options import FormatOption, choice, count, shared
from djcli.cli.restriction import parse_restrictions
from djcli.cli.tally import Tally
from djcli.cli.workspace import ExcludeOption, TablesArgument, Workspace, open_workspace
from djcli.errors import SelectionError
from djcli.populate.auto import AutoPopulate
from djcli.populate.crew import Crew
from djcli.populate.guard import MODES
from djcli.populate.keys import key_source
from djcli.tables.expression import QueryExpression

app = typer.Typer(rich_markup_mode=None)


@app.command("populate")
def populate(
    ctx: typer.Context,
    tables: TablesArgument = None,
    exclude: ExcludeOption = None,
    restrict: RestrictOption = None,
    max_calls: Annotated[
        str | None,
        typer.Option("--max-calls", metavar="N", help="At most so many calls of make for a table."),
    ] = None,
    processes: Annotated[
        str,
        typer.Option(
            "--processes", "-j", metavar="N", help="So many processes share the keys; 0: one for each core."
        ),
    ] = "1",
    suppress_errors: Annotated[
        bool,
        typer.Option("--suppress-errors", help="Go on when a make fails, and list the failures at the end."),
    ] = False,
    guard: Annotated[
        str | None,
        typer.Option(
            "--guard",
            metavar="warn|error",
            help="Tell which lines of a make read what its key does not depend on, or write rows not its own; "
            "with error, these keys fail.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many keys would be made, and why; make none.")
    ] = False,
    format_: FormatOption = "table",
) -> None:
    """Compute what is missing in Computed and Imported tables."""
    as_json = choice("--format", format_, ("table", "json")) == "json"
    mode = None if guard is None else choice("--guard", guard, MODES)
    most, hands = count("--max-calls", max_calls), count("--processes", processes)
    restrictions = parse_restrictions(restrict)
    work = open_workspace(ctx)
    chosen = _computed(work, tables, exclude)
    sources = {table: key_source(table()) for table in chosen}
    headings = {table: source.heading for table, source in sources.items()}
    typed = conditions_of_each(restrictions, headings, "key source")
    present = work.declared(chosen, named=work.named(tables))
    if dry_run:
        asked = {table: typed[table] for table in present}
        show_forecast(forecast(work, asked, restrictions, most), as_json=as_json)
        return
    follower = Follower()
    try:
        with nullcontext() if hands == 1 else Crew(hands or 0) as crew:
            for table in present:
                options = {"suppress_errors": suppress_errors, "max_calls": most, "guard": mode}
                _populate(table, typed[table], follower, crew, **options)
                _note_no_match(follower.tallies[-1], sources[table], typed[table])
    except (Exception, KeyboardInterrupt) as error:
        _report(follower, as_json=as_json, verbose=shared(ctx).verbose)
        if any(error is failure for failure in follower.failures):
            raise typer.Exit(EXIT_ERROR) from None
        raise
    _report(follower, as_json=as_json, verbose=shared(ctx).verbose)
    if follower.failures or (work.pipelines.failures and not tables):
        raise typer.Exit(EXIT_ERROR)


def _populate(
    table: type[AutoPopulate], typed: list[Condition], follower: Follower, crew: Crew | None, **options: Any
) -> None:
    follower.table = table
    # what users' code prints is talk: stdout is for the report
    with redirect_stdout(sys.stderr):
        result = table.populate(*typed, observer=follower, crew=crew, **options)
    follower.tallies[-1].workers_died = result.workers_died


def _computed(
    work: Workspace, selection: list[str] | None, exclude: list[str] | None
) -> list[type[AutoPopulate]]:
    """Return the tables to compute, parents first.

    Raises
    ------
    SelectionError
        If a table was named that nothing computes, or there is none but such.
    """
    chosen = work.select_computed(selection, exclude)
    other = next((table for table in chosen if not issubclass(table, AutoPopulate)), None)
    if other is not None:
        raise SelectionError(
            f"{other.class_label} is a {other.tier.name.capitalize()} table: there is nothing to compute;"
            " populate takes Computed and Imported tables"
        )
    return cast("list[type[AutoPopulate]]", chosen)


def _note_no_match(tally: Tally, source: QueryExpression, typed: list[Condition]) -> None:
    nothing_done = not (tally.made or tally.skipped or tally.failures)
    if typed and nothing_done and not source & AndList(typed):
        shown = ", ".join(f"{where.attribute}{where.operator}{where.value}" for where in typed)
        console.note(f"{tally.table}: no key has {shown}")


def _report(follower: Follower, *, as_json: bool, verbose: bool) -> None:
    """Write a line for each table to stdout and the failures by kind to stderr; or all of it as JSON."""
    if as_json:
        console.json([tally.facts() for tally in follower.tallies])
        return
    for tally in follower.tallies:
        console.out(str(tally))
    sys.stdout.flush()
    if follower.failures:
        console.note(f"{len(follower.failures)} failed:")
    for group in (group for tally in follower.tallies for group in tally.groups()):
        console.note(f"  {group.told(verbose=verbose)}")
