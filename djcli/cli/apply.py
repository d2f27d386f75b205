"""`djcli apply`: make the database what the pipelines declare, in one transaction."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from djcli.cli import console
from djcli.cli.diff import ExactOption, KeepExtraOption, RecomputeOption, RenameOption, check_excluded, show
from djcli.cli.options import shared
from djcli.cli.workspace import ExcludeOption, TablesArgument, open_workspace
from djcli.errors import RefusedError
from djcli.migration.apply import WAIT, check
from djcli.migration.apply import apply as apply_plan
from djcli.migration.changes import SchemaMissing, TableExtra, TableMissing
from djcli.migration.lookups import LookupRowsMissing
from djcli.migration.plan import Options, Plan
from djcli.migration.planner import make_plan
from djcli.migration.report import summary
from djcli.names import counted
from djcli.settings import without_password

app = typer.Typer(rich_markup_mode=None)


@app.command("apply")
def apply(
    ctx: typer.Context,
    tables: TablesArgument = None,
    exclude: ExcludeOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and leave it at that.")] = False,
    allow_destructive: Annotated[
        bool, typer.Option("--allow-destructive", help="Also make changes that lose data.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before data is lost.")] = False,
    rename: RenameOption = None,
    recompute: RecomputeOption = False,
    keep_extra: KeepExtraOption = False,
    exact: ExactOption = False,
    wait: Annotated[
        str,
        typer.Option(
            "--wait", metavar="SECONDS", help="How long to wait for another apply, and for tables in use."
        ),
    ] = f"{WAIT:g}",
) -> None:
    """Declare and alter the tables and insert lookup contents.

    All is done in one transaction, or nothing. A plan of safe changes runs without a question; one that loses
    data needs --allow-destructive and a yes.
    """
    seconds = _seconds(wait)
    work = open_workspace(ctx)
    if not tables:
        work.pipelines.require_complete("applying all pipelines")
    classes = work.select(tables, exclude)
    options = Options(
        whole_schemas=work.selects_schemas(tables, exclude),
        keep_extra=keep_extra or not work.is_whole,
        renames=tuple(rename or ()),
        recompute=recompute,
        exact=exact,
    )
    plan = make_plan(work.instance, classes, options)
    check_excluded(work, plan, exclude)
    if dry_run or not _is_plain(plan):
        show(plan)
    if dry_run:
        return
    if not plan.work:
        console.note("nothing to apply")
        return
    command = _command(ctx, tables or (), exclude or (), options)
    _consent(plan, command, allow_destructive=allow_destructive, yes=yes)
    done = apply_plan(
        work.instance,
        classes,
        options,
        expected=plan,
        allow_destructive=allow_destructive,
        wait=seconds,
        tell=console.note,
    )
    for planned in done.work:
        console.out(planned.change.done())
    if not done.work:
        console.note("nothing to apply")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 1_000_000:
        raise typer.BadParameter(f"{text!r} is not a number of seconds", param_hint="--wait")
    return seconds


def _is_plain(plan: Plan) -> bool:
    """Whether a plan only makes what is missing, which is said when it is done."""
    plain = (SchemaMissing, TableMissing, LookupRowsMissing)
    return all(isinstance(each.change, plain) for each in plan.work)


def _consent(plan: Plan, command: Sequence[str], *, allow_destructive: bool, yes: bool) -> None:
    """Refuse what is blocked, or what loses data without leave; ask before data is lost."""
    hopeless = [each for each in plan.blocked if not each.recomputable]
    if plan.blocked and not hopeless:
        raise RefusedError(
            f"{counted(len(plan.blocked), 'change')} of computed tables cannot be made while they have rows; to drop "
            f"these rows and compute them again: {shlex.join([*command, '--recompute'])}"
        )
    check(plan, allow_destructive=True)
    if not plan.destructive:
        return
    if not allow_destructive:
        flags = ["--allow-destructive"]
        other = ""
        if all(each.recomputable for each in plan.destructive):
            other = f", or compute again: {shlex.join([*command, '--recompute'])}"
        elif any(isinstance(each.change, TableExtra) for each in plan.destructive):
            other = f"; to leave undeclared tables alone: {shlex.join([*command, '--keep-extra'])}"
        raise RefusedError(
            f"{summary(plan)}; nothing was changed; to lose that data: {shlex.join([*command, *flags])}{other}"
        )
    if not yes:
        repeat = shlex.join([*command, "--allow-destructive", "--yes"])
        console.confirm(
            f"{counted(len(plan.destructive), 'change')} will lose data. Go on?",
            instead=f"repeat with: {repeat}",
        )


def _command(
    ctx: typer.Context, tables: Sequence[str], exclude: Sequence[str], options: Options
) -> list[str]:
    """Return the words of this command, without the flags that consent."""
    given = shared(ctx)
    words = ["djcli", "apply", *tables]
    for option, values in (
        ("-p", given.pipelines),
        ("--profile", [given.profile] if given.profile else []),
        ("--db-url", [without_password(given.db_url)] if given.db_url else []),
        ("--exclude", exclude),
        ("--rename", options.renames),
    ):
        words += [word for value in values for word in (option, value)]
    return words + ["--recompute"] * options.recompute + ["--keep-extra"] * options.keep_extra
