"""`djcli drop`: tables and all that depends on them, after saying what goes."""

from __future__ import annotations

from typing import Annotated

import typer

from djcli.cli import console
from djcli.cli.options import FormatOption, is_json
from djcli.cli.workspace import ExcludeOption, TablesArgument, Workspace, open_workspace
from djcli.definition.model import TableId
from djcli.errors import SelectionError
from djcli.names import Tier, counted
from djcli.tables.drop import DropPlan, drop_tables, plan_drop

app = typer.Typer(rich_markup_mode=None)


@app.command("drop")
def drop(
    ctx: typer.Context,
    tables: TablesArgument = None,
    exclude: ExcludeOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and leave it.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the tables of the pipelines' schemas that no class declares.")
    ] = False,
    format_: FormatOption = "table",
) -> None:
    """Drop tables, with all that depends on them."""
    if everything and (tables or exclude):
        raise typer.BadParameter("select tables or give --all, not both")
    as_json = is_json(format_)
    work = open_workspace(ctx)
    plan = plan_drop(work.instance, _asked(work, tables, exclude, everything=everything))
    _check_excluded(work, plan, exclude)
    _show(plan, as_json=as_json)
    if not plan.rows:
        console.note("nothing to drop: none of the tables is in the database")
        return
    if dry_run:
        console.note(f"would drop {counted(len(plan.rows), 'table')}")
        return
    if not yes:
        rows = sum(plan.rows.values())
        console.confirm(
            f"Drop {counted(len(plan.rows), 'table')} with {counted(rows, 'row')}?",
            instead="repeat with --yes",
        )
    drop_tables(work.instance, list(plan.rows))
    console.note(f"dropped {counted(len(plan.rows), 'table')}")


def _asked(
    work: Workspace, selection: list[str] | None, exclude: list[str] | None, *, everything: bool
) -> list[TableId]:
    if not selection:
        work.pipelines.require_complete("dropping all tables")
        if everything:
            return list(work.catalog(work.pipelines.tables).pipeline_tables)
    chosen = work.select(selection, exclude)
    alone = [table for table in chosen if table.tier is Tier.PART and table.master not in chosen]
    named = work.named(selection)
    refused = [table for table in alone if table in named or len(alone) == len(chosen)]
    if refused:
        raise SelectionError(
            f"{refused[0].class_label} is a part and goes only with its master:"
            f" djcli drop {refused[0].master.class_label}"
        )
    return [table.class_id() for table in chosen if table not in alone]


def _check_excluded(work: Workspace, plan: DropPlan, exclude: list[str] | None) -> None:
    """Refuse to drop what was excluded, and would go because it depends on what was not."""
    kept = [table for table in work.select(exclude) if table.class_id() in plan.rows] if exclude else []
    if kept:
        raise SelectionError(
            f"nothing was dropped: {kept[0].class_label} is excluded, but depends on what is to be dropped;"
            f" exclude that too: --exclude +{kept[0].class_label}"
        )


def _show(plan: DropPlan, *, as_json: bool) -> None:
    if as_json:
        tables = [
            {**table.as_json(), "rows": number, "asked": table in plan.asked}
            for table, number in plan.rows.items()
        ]
        console.json({"rows": sum(plan.rows.values()), "tables": tables})
        return
    if not plan.rows:
        return
    rows = [
        [table, number, "" if table in plan.asked else "depends on what was asked for"]
        for table, number in plan.rows.items()
    ]
    console.table(
        ["table", "rows", "why"] if plan.dependent else ["table", "rows"],
        [row if plan.dependent else row[:2] for row in rows],
    )
