"""`djcli ls`: the tables of the pipelines."""

from __future__ import annotations

import typer

from djcli.catalog.introspect import count_rows
from djcli.cli import console
from djcli.cli.options import FormatOption, is_json
from djcli.cli.workspace import ExcludeOption, TablesArgument, Workspace, open_workspace
from djcli.tables.table import Table

app = typer.Typer(rich_markup_mode=None)


@app.command("ls")
def ls(
    ctx: typer.Context,
    tables: TablesArgument = None,
    exclude: ExcludeOption = None,
    format_: FormatOption = "table",
) -> None:
    """List the pipelines' tables."""
    as_json = is_json(format_)
    work = open_workspace(ctx)
    facts = _facts(work, work.select(tables, exclude))
    if as_json:
        console.json(facts)
        return
    console.table(
        ["table", "tier", "schema", "rows", "comment"],
        [
            [
                fact["table"],
                fact["tier"],
                fact["schema"],
                fact["rows"] if fact["declared"] else "not declared",
                fact["comment"],
            ]
            for fact in facts
        ],
    )


def _facts(work: Workspace, tables: list[type[Table]]) -> list[dict[str, object]]:
    present = work.catalog(tables).tables
    counts = count_rows(
        work.instance.connection, [table.class_id() for table in tables if table.class_id() in present]
    )
    return [
        {
            "table": table.class_label,
            "module": table.__module__,
            "schema": table.class_id().schema,
            "name": table.class_id().name,
            "tier": table.tier.name.lower(),
            "declared": table.class_id() in present,
            "rows": counts.get(table.class_id()),
            "comment": table.model.comment,
        }
        for table in tables
    ]
