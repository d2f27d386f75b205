"""`djcli diff`: what differs between the pipelines' tables and the database, and what changing it would do."""

from __future__ import annotations

from typing import Annotated

import typer

from djcli.cli import console
from djcli.cli.failures import EXIT_PENDING
from djcli.cli.options import FormatOption, is_json
from djcli.cli.workspace import ExcludeOption, TablesArgument, Workspace, open_workspace
from djcli.errors import SelectionError
from djcli.migration.plan import Options, Plan
from djcli.migration.planner import make_plan
from djcli.migration.report import lines, script_text

app = typer.Typer(rich_markup_mode=None)

RenameOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rename",
        metavar="OLD=NEW",
        help="Take a missing attribute or table for one the database has: Session.old=new, Old=New. "
        "Can be repeated.",
    ),
]
KeepExtraOption = Annotated[
    bool, typer.Option("--keep-extra", help="Leave tables that only the database has out of it.")
]
RecomputeOption = Annotated[
    bool,
    typer.Option(
        "--recompute",
        help="Drop computed tables and declare them anew where changing them is blocked or loses data.",
    ),
]
ExactOption = Annotated[
    bool, typer.Option("--exact", help="Count the rows of large tables instead of estimating them.")
]


@app.command("diff")
def diff(
    ctx: typer.Context,
    tables: TablesArgument = None,
    exclude: ExcludeOption = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with code 4 if anything differs.")] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements that apply would run.")] = False,
    format_: FormatOption = "table",
    rename: RenameOption = None,
    recompute: RecomputeOption = False,
    keep_extra: KeepExtraOption = False,
    exact: ExactOption = False,
) -> None:
    """Compare the pipelines' tables with the database.

    Each change has a mark: + the database lacks it, - only the database has it, ~ it differs, = a note.
    Changes are safe unless they say DESTRUCTIVE (data is lost) or BLOCKED (cannot be done as things are).

    The JSON has "version" (1), "differs", "changes", "recompute" and "statements". Each change has "change"
    (its kind), "mark", "schema", "table", "name" (in the database), "text", "risk" (safe, destructive,
    blocked; null for a note), "reason", "rows" (that it touches), "estimated", "hint", "recomputable", and
    the details of its kind. "recompute" lists "schema", "table", "name" and "rows" of the computed tables
    that --recompute would declare anew.
    """
    as_json = is_json(format_)
    if sql and as_json:
        raise typer.BadParameter("give --sql or --format json, not both: the JSON has the statements too")
    work = open_workspace(ctx)
    if check and not tables:
        work.pipelines.require_complete("checking all pipelines")
    options = Options(
        whole_schemas=work.selects_schemas(tables, exclude),
        keep_extra=keep_extra or not work.is_whole,
        renames=tuple(rename or ()),
        recompute=recompute,
        exact=exact,
    )
    plan = make_plan(work.instance, work.select(tables, exclude), options)
    check_excluded(work, plan, exclude)
    if as_json:
        console.json(plan.as_json())
    elif sql:
        for line in script_text(plan):
            console.out(line)
        if not plan.work:
            console.note("no difference that a statement removes" if plan.changes else "no difference")
    else:
        show(plan)
    if check and plan.work:
        raise typer.Exit(EXIT_PENDING)


def check_excluded(work: Workspace, plan: Plan, exclude: list[str] | None) -> None:
    """Refuse a plan that has to change what was excluded, because others need it or follow it."""
    changed = {each.change.table for each in plan.work}
    kept = [table for table in work.select(exclude) if table.class_id() in changed] if exclude else []
    if kept:
        raise SelectionError(
            f"{kept[0].class_label} is excluded, but what is selected cannot change without it:"
            " select it too, or exclude what needs it"
        )


def show(plan: Plan) -> None:
    """Write a plan to stdout."""
    for line in lines(plan):
        console.out(line)
    if not plan.changes:
        console.note("no difference")
