"""`djcli progress`: how much is computed."""

from __future__ import annotations

from typing import Annotated

import typer

from djcli.algebra.heading import Heading
from djcli.cli import console
from djcli.cli.conditions import RestrictOption, conditions_of_each
from djcli.cli.failures import EXIT_PENDING
from djcli.cli.options import FormatOption, is_json
from djcli.cli.restriction import parse_restrictions
from djcli.cli.workspace import ExcludeOption, TablesArgument, open_workspace
from djcli.populate.keys import Progress, key_source, progress_of
from djcli.tables.table import Table

app = typer.Typer(rich_markup_mode=None)

_COUNTS = ("table", "rows", "done", "remaining")


@app.command("progress")
def progress(
    ctx: typer.Context,
    tables: TablesArgument = None,
    exclude: ExcludeOption = None,
    restrict: RestrictOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with code 4 if anything remains to compute.")
    ] = False,
    format_: FormatOption = "table",
) -> None:
    """Show how much of each Computed and Imported table is done."""
    as_json = is_json(format_)
    restrictions = parse_restrictions(restrict)
    work = open_workspace(ctx)
    chosen = work.select_computed(tables, exclude)
    if not chosen:
        console.note("the pipelines have no Computed or Imported table")
    chosen = work.declared(chosen, named=work.named(tables))
    headings = {table: _restrictable(table) for table in chosen}
    conditions = conditions_of_each(restrictions, headings) if chosen else {}
    found = progress_of(work.instance, [(table(), conditions[table]) for table in chosen])
    facts = [_facts(table, state) for table, state in zip(chosen, found, strict=True)]
    if as_json:
        console.json(facts)
    else:
        console.table(
            [*_COUNTS, "percent"],
            [[*(fact[name] for name in _COUNTS), _percent(fact["percent"])] for fact in facts],
        )
    if check and any(state.remaining for state in found):
        raise typer.Exit(EXIT_PENDING)


def _restrictable(table: type[Table]) -> Heading:
    """Return what may be restricted: the key source, or the rows of a table that is not computed."""
    return key_source(table()).heading if table.tier.is_auto else table.heading


def _facts(table: type[Table], state: Progress) -> dict[str, object]:
    percent = None
    if state.total is not None and state.done is not None:
        percent = 100.0 * state.done / state.total if state.total else 100.0
    return {
        **table.class_id().as_json(),
        "rows": state.rows,
        "done": state.done,
        "remaining": state.remaining,
        "percent": percent,
    }


def _percent(value: object) -> str:
    """Return whole percents, of which there are 100 only when nothing remains."""
    return f"{int(value)}%" if isinstance(value, float) else ""
