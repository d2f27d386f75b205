"""`djcli demo`: the tutorial pipeline from declaration to result, each command shown as it runs."""

from __future__ import annotations

import random
import shlex
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import typer

from djcli.cli import console
from djcli.cli.app import run
from djcli.cli.init import starter_text, write_files
from djcli.cli.options import Shared, shared
from djcli.cli.workspace import open_workspace
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
    """Insert the tutorial's subjects, sessions and trials, unless they are there."""
    work = open_workspace(ctx)
    subject, session, trial = work.select(["Subject", "Session", "Session.Trial"])
    sessions = [
        {"subject_id": name, "session_idx": index, "session_date": date}
        for name, index, date in (
            ("M001", 1, "2026-01-06"),
            ("M001", 2, "2026-01-07"),
            ("M002", 1, "2026-01-06"),
        )
    ]
    with work.instance.connection.transaction:
        subject.insert(
            [{"subject_id": name, "species": "Mus musculus"} for name in ("M001", "M002")],
            skip_duplicates=True,
        )
        session.insert(sessions, skip_duplicates=True)
        trial.insert(_trials(sessions), skip_duplicates=True)


def _trials(sessions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make up trials, the same ones each time."""
    dice = random.Random(42)
    return [
        {
            "subject_id": session["subject_id"],
            "session_idx": session["session_idx"],
            "trial_idx": index + 1,
            "stimulus": dice.choice(["left", "right"]),
            "response": dice.choice(["left", "right"]),
            "correct": dice.random() > 0.3,
            "reaction_time": dice.uniform(0.2, 0.8),
        }
        for session in sessions
        for index in range(15)
    ]
