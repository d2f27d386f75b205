"""`djcli delete`: rows and all that depends on them, after showing what goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from djcli.algebra.restriction import AndList
from djcli.cli import console
from djcli.cli.conditions import RestrictOption, conditions_of
from djcli.cli.options import FormatOption, choice
from djcli.cli.restriction import parse_restrictions
from djcli.cli.workspace import TableArgument, open_workspace
from djcli.definition.model import TableId
from djcli.names import counted, display_name
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
    choice("--format", format_, ("table", "json"))
    choice("--part-integrity", part_integrity, deleting.PART_INTEGRITY)
    restrictions = parse_restrictions(restrict)
    if bool(restrictions) == everything:
        raise typer.BadParameter(
            "give --restrict or --all, not both"
            if everything
            else "say which rows: --restrict ATTR=VALUE, or --all"
        )
    work = open_workspace(ctx)
    found = work.find(table)
    typed = conditions_of(restrictions, found)
    work.declared([found], named=[found])
    rows = found() & AndList(typed) if restrictions else found()

    def consent(counts: Mapping[TableId, int]) -> bool:
        _show(counts, _keys(rows), format_)
        if not yes:
            console.confirm(f"Delete {counted(sum(counts.values()), 'row')}?", instead="repeat with --yes")
        return True

    if dry_run:
        counts = deleting.preview(rows, part_integrity=part_integrity)
        _show({name: number for name, number in counts.items() if number}, _keys(rows), format_)
        number = sum(counts.values())
        console.note(f"would delete {counted(number, 'row')}" if number else _nothing(found))
        return
    gone = deleting.delete(rows, part_integrity=part_integrity, consent=consent)
    console.note(f"deleted {counted(gone, 'row')} of {found.class_label}" if gone else _nothing(found))


def _nothing(table: Any) -> str:
    return f"nothing to delete: no such row in {table.class_label}"


def _keys(rows: Any) -> list[dict[str, Any]]:
    """Return the first keys of the rows that were asked for."""
    return rows.proj().to_dicts(order_by="KEY", limit=_KEYS)


def _show(counts: Mapping[TableId, int], keys: list[dict[str, Any]], format_: str) -> None:
    shown = {
        f"{table.schema}.{display_name(table.name)}": number for table, number in counts.items() if number
    }
    if format_ == "json":
        tables = [{"table": table, "rows": number} for table, number in shown.items()]
        console.json({"rows": sum(shown.values()), "tables": tables, "keys": keys})
        return
    if not shown:
        return
    console.table(["table", "rows"], shown.items())
    more = "" if len(keys) < _KEYS else ", …"
    told = [", ".join(f"{name}={value}" for name, value in key.items()) for key in keys if key]
    if told:
        console.note(f"such as {'; '.join(told)}{more}")
