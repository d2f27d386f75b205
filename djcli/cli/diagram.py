"""`djcli diagram`: a picture of the tables."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from djcli.catalog.graph import Graph
from djcli.cli import console
from djcli.cli.options import choice
from djcli.cli.workspace import ExcludeOption, TablesArgument, Workspace, open_workspace
from djcli.definition.model import TableId
from djcli.diagram.diagram import Diagram
from djcli.tables.table import Table

app = typer.Typer(rich_markup_mode=None)

FORMATS = ("svg", "png", "pdf", "dot", "mermaid", "text")


@dataclass(frozen=True)
class _Chosen:
    """Tables of the pipelines as what a diagram is made of."""

    work: Workspace
    tables: list[type[Table]]

    def diagram_graph(self) -> Graph:
        return self.work.graph

    def diagram_nodes(self) -> list[TableId]:
        return [table.class_id() for table in self.tables]

    def diagram_titles(self) -> dict[str, str]:
        return {}


@app.command("diagram")
def diagram(
    ctx: typer.Context,
    tables: TablesArgument = None,
    exclude: ExcludeOption = None,
    collapse: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SELECT", help="Draw these of the tables as one node for each schema. Can be repeated."
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            help="By default as the file's name says, else text on a terminal and svg elsewhere.",
        ),
    ] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Write it here.")
    ] = None,
) -> None:
    """Draw the tables and what they depend on."""
    if format_ is not None:
        choice("--format", format_, FORMATS)
    work = open_workspace(ctx)
    chosen = work.select(tables, exclude)
    together = set(work.select(collapse)) if collapse else set[type[Table]]()
    drawing = Diagram(_Chosen(work, [table for table in chosen if table not in together]))
    drawing += Diagram(_Chosen(work, [table for table in chosen if table in together])).collapse()
    if output is not None:
        drawing.save(Path(output).expanduser(), format_)
        console.note(f"wrote {output}")
        return
    on_terminal = sys.stdout.isatty()
    format_ = format_ or ("text" if on_terminal else "svg")
    if format_ in ("png", "pdf") and on_terminal:
        raise typer.BadParameter(
            f"{format_} is nothing for a terminal: name a file with -o", param_hint="--format"
        )
    console.raw(drawing.encode(format_))
