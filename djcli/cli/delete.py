"""`djcli delete`: rows and all that depends on them, after showing what goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from djcli.algebra.restriction import AndList
from djcli.cli import console
from djcli.cli.conditions import RestrictOption, conditions_of
from djcli.cli.options import FormatOption, choice, is_json
from djcli.cli.restriction import parse_restrictions
from djcli.cli.workspace import TableArgument, open_workspace
from djcli.definition.model import TableId
from djcli.names import counted, key_text
from djcli.tables import delete as deleting

app = typer.Typer(rich_markup_mode=None)

_KEYS = 5
"""Keys that are shown."""


@app.command("delete")
def delete(
    ctx: typer.Context,
    table: TableArgument,
    restrict: RestrictOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All rows of the table.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and leave it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    part_integrity: Annotated[
        str,
        typer.Option(
            metavar="|".join(deleting.PART_INTEGRITY),
            help="Rows of a part whose master stays: refuse, leave the master, or delete it too.",
        ),
    ] = "enforce",
    format_: FormatOption = "table",
) -> None:
    """Delete rows, with all that depends on them."""
    as_json = is_json(format_)
    choice("--part-integrity", part_integrity, deleting.PART_INTEGRITY)
    restrictions = parse_restrictions(restrict)
    if bool(restrictions) == everything:
        raise typer.BadParameter(
            "give --restrict or --all, not both"
            if everything
            else "say which rows: --restrict ATTR=VALUE, or --all"
        )
    work = open_workspace(ctx)
    found = work.find(table, to_change=True)
    typed = conditions_of(restrictions, found)
    work.declared([found], named=[found])
    rows = found() & AndList(typed) if restrictions else found()

    shown: dict[TableId, int] = {}

    def consent(counts: Mapping[TableId, int]) -> bool:
        shown.update((each, number) for each, number in counts.items() if number)
        _show(shown, _keys(rows) if shown else [], as_json=as_json)
        if shown and not yes and not dry_run:
            console.confirm(f"Delete {counted(sum(shown.values()), 'row')}?", instead="repeat with --yes")
        return True

    if dry_run:
        consent(deleting.preview(rows, part_integrity=part_integrity))
    else:
        deleting.delete(rows, part_integrity=part_integrity, consent=consent)
    if shown:
        console.note(f"{'would delete' if dry_run else 'deleted'} {counted(sum(shown.values()), 'row')}")
    else:
        console.note(f"nothing to delete: {found.class_label} has no such row")


def _keys(rows: Any) -> list[dict[str, Any]]:
    """Return the first keys of the rows that were asked for."""
    return rows.proj().to_dicts(order_by="KEY", limit=_KEYS)


def _show(counts: Mapping[TableId, int], keys: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        tables = [{**table.as_json(), "rows": number} for table, number in counts.items()]
        console.json({"rows": sum(counts.values()), "tables": tables, "keys": keys})
        return
    if not counts:
        return
    console.table(["table", "rows"], counts.items())
    more = "" if len(keys) < _KEYS else ", …"
    told = [key_text(key) for key in keys if key]
    if told:
        console.note(f"such as {'; '.join(told)}{more}")
