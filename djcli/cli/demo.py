"""`djcli demo`: the tutorial pipeline from declaration to result, each command shown as it runs."""

from __future__ import annotations

import shlex
import sys
from contextlib import chdir
from pathlib import Path

import typer

from djcli.cli import console
from djcli.cli.app import run
from djcli.cli.init import starter_text, write_files
from djcli.cli.options import Shared, shared
from djcli.cli.workspace import open_workspace
from djcli.errors import PipelineError
from djcli.project.sources import find_sources
from djcli.settings import find_project

app = typer.Typer(rich_markup_mode=None)

FOLDER = "djcli-demo"
"""The project that is made where the current one does not have the tutorial."""

COMMANDS = (
    ("populate",),
    ("show", "SessionSummary"),
    ("show", "TrialAnalysis.TrialResult", "-r", "subject_id=M001", "-r", "session_idx=1", "--limit", "5"),
    ("diagram", "-o", "pipeline.svg"),
    ("progress",),
)


@app.command("demo")
def demo(ctx: typer.Context) -> None:
    """Run the tutorial pipeline from end to end, showing each command."""
    options = shared(ctx)
    root = _project()
    with chdir(root):
        # other pipelines of the project are none of the demo's business
        options.pipelines = ["tutorial"] if len(find_sources()) > 1 else []
        _run(options, "apply")
        console.out("\n# 2 subjects, 3 sessions and 45 trials of made-up data are inserted")
        _fill(ctx)
        for command in COMMANDS:
            _run(options, *command)
    console.note(f"\nThe project is {root}; the drawing is {root / 'pipeline.svg'}.")


def _project() -> Path:
    """Return the folder to run in: this one if its project has the tutorial, else a new project."""
    project = find_project()
    if project is not None and (project.pipelines / "tutorial.py").is_file():
        return Path.cwd()
    root = Path.cwd() / FOLDER
    if not (root / "pipelines" / "tutorial.py").is_file():
        write_files(
            root,
            {
                "djcli.yaml": starter_text("djcli.yaml"),
                ".gitignore": starter_text("gitignore.txt"),
                "pipelines/tutorial.py": starter_text("tutorial.py.txt"),
            },
        )
    return root


def _run(options: Shared, *command: str) -> None:
    """Show a command and run it; leave with its exit code if it fails."""
    selection = [word for name in options.pipelines for word in ("-p", name)]
    words = [*command, *selection]
    console.out(f"\n$ djcli {shlex.join(words)}")
    sys.stdout.flush()
    if options.db_url:
        words += ["--db-url", options.db_url]
    if options.profile:
        words += ["--profile", options.profile]
    code = run(words + ["--verbose"] * options.verbose)
    if code:
        raise typer.Exit(code)


def _fill(ctx: typer.Context) -> None:
    """Insert the tutorial's subjects, sessions and trials, unless they are there.

    Raises
    ------
    PipelineError
        If the project's tutorial is one of the user's own.
    """
    modules = open_workspace(ctx).pipelines.modules
    fill = next((module.fill for module in modules if hasattr(module, "fill")), None)
    if fill is None:
        raise PipelineError("the tutorial of this project has no fill(): run the demo in another folder")
    fill()
