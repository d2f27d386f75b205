"""`djcli init`: write a project that runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from djcli.cli import console
from djcli.errors import DataJointError

app = typer.Typer(rich_markup_mode=None)

FILES = {
    "djcli.yaml": "djcli.yaml",
    "README.md": "README.md",
    ".gitignore": "gitignore.txt",
    "pipelines/sequences.py": "sequences.py.txt",
}
"""The files of a new project, and their sources in the folder `starter` beside this module."""


@app.command("init")
def init(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The folder, made if need be.")] = ".",
) -> None:
    """Make a new project that runs."""
    root = Path(folder).expanduser().absolute()
    present = [name for name in FILES if (root / name).exists()]
    if present:
        raise DataJointError(
            f"{root} has {', '.join(present)} already, and nothing is overwritten: name another DIR"
        )
    write_files(root, starter_files(root.name))
    enter = "" if root == Path.cwd() else f"cd {quote(folder)} && "
    console.note(f"next: {enter}djcli apply && djcli populate && djcli show Composition")


def starter_files(project: str) -> dict[str, str]:
    """Return the texts of a new project's files by their path.

    Parameters
    ----------
    project
        The project's name, from which the name of the schema is made.
    """
    schema = schema_name(project)
    texts = {name: starter_text(file) for name, file in FILES.items()}
    return {name: text.replace("SCHEMA", schema).replace("PROJECT", project) for name, text in texts.items()}


def starter_text(name: str) -> str:
    """Return the text of a file in the folder `starter`."""
    return (files("djcli.cli") / "starter" / name).read_text(encoding="utf-8")


def write_files(root: Path, texts: Mapping[str, str]) -> None:
    """Write the files of a new project, none of which is there, and say so."""
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        console.out(f"wrote {path}")


def schema_name(project: str) -> str:
    """Make the name of a schema of a project's name: lower-case letters, digits, underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", project.lower()).strip("_")[:40].strip("_")
    reserved = name.startswith("pg_") or name in ("public", "information_schema")
    return "starter" if not re.match(r"[a-z]", name) or reserved else name
