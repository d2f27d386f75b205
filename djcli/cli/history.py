"""`djcli history`: what each apply did to the pipelines' schemas."""

from __future__ import annotations

from typing import Annotated

import typer

from djcli.cli import console
from djcli.cli.options import FormatOption, count, is_json
from djcli.cli.workspace import ExcludeOption, TablesArgument, open_workspace
from djcli.migration.history import read_history

app = typer.Typer(rich_markup_mode=None)


@app.command("history")
def history(
    ctx: typer.Context,
    tables: TablesArgument = None,
    exclude: ExcludeOption = None,
    limit: Annotated[
        str | None, typer.Option("--limit", metavar="N", help="Show at most N entries, the latest.")
    ] = None,
    format_: FormatOption = "table",
) -> None:
    """List what was applied to the pipelines' schemas.

    With tables selected, only what was done to these. The latest comes first: when, by whom, what was done. The
    JSON is a list of entries with "schema", "number", "applied" (UTC), "role", "user", "host", "version",
    "changes" (as in djcli diff --format json, with "done") and "statements".
    """
    as_json = is_json(format_)
    number = count("--limit", limit)
    work = open_workspace(ctx)
    schemas = {schema.name for schema in work.pipelines.schemas}
    if tables or exclude:
        chosen = [table.class_id() for table in work.select(tables, exclude)]
        told = (entry.about(chosen) for entry in read_history(work.instance.connection, schemas))
        entries = [entry for entry in told if entry.changes][:number]
    else:
        entries = read_history(work.instance.connection, schemas, number)
    if as_json:
        console.json([entry.as_json() for entry in entries])
        return
    if not entries:
        console.note("nothing was applied yet" + (" to these tables" if tables or exclude else ""))
        return
    rows: list[list[object]] = []
    for entry in entries:
        who = f"{entry.user}@{entry.host}" if entry.user else entry.host
        head = [f"{entry.applied:%Y-%m-%d %H:%M:%S}", who, entry.version]
        for place, change in enumerate(entry.changes):
            rows.append([*(head if place == 0 else ["", "", ""]), change["done"]])
    console.table(["applied (UTC)", "by", "version", "what was done"], rows)
