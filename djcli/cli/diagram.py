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
from djcli.cli.target import open_target
from djcli.cli.workspace import ExcludeOption, TablesArgument, Workspace, open_workspace
from djcli.definition.model import TableId
from djcli.diagram.diagram import Diagram
from djcli.diagram.drawn import FORMATS as ENDINGS
from djcli.tables.table import Table

app = typer.Typer(rich_markup_mode=None)

FORMATS = tuple(dict.fromkeys(ENDINGS.values()))


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
    elif output not in (None, "-"):
        format_ = _format_of(output)
    work = open_workspace(ctx)
    chosen = work.select(tables, exclude)
    together = set(work.select(collapse)) if collapse else set[type[Table]]()
    drawing = Diagram(_Chosen(work, [table for table in chosen if table not in together]))
    drawing += Diagram(_Chosen(work, [table for table in chosen if table in together])).collapse()
    if output not in (None, "-"):
        assert format_ is not None  # or the file's name would have been refused
        data = drawing.encode(format_)
        with open_target(output, yes=True) as target:
            target.write(data)
        console.note(f"wrote {output}")
        return
    on_terminal = sys.stdout.isatty()
    format_ = format_ or ("text" if on_terminal else "svg")
    if format_ in ("png", "pdf") and on_terminal:
        raise typer.BadParameter(
            f"{format_} is nothing for a terminal: name a file with -o", param_hint="--format"
        )
    console.raw(drawing.encode(format_))


def _format_of(file: str) -> str:
    found = ENDINGS.get(Path(file).suffix.lower())
    if found is None:
        raise typer.BadParameter(
            f"{file!r} does not say its format: it must end in {', '.join(ENDINGS)}, or add --format",
            param_hint="--output",
        )
    return found
