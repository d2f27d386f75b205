"""Where pipeline modules are: names and paths turned into modules to import."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from djcli.errors import PipelineError
from djcli.names import did_you_mean
from djcli.settings import PROJECT_FILE, find_project


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """A module to import.

    Attributes
    ----------
    name
        Its dotted name, by which worker processes import it too.
    folder
        The folder that must be on `sys.path` for that.
    file
        Its file; None for a module given by name alone.
    """

    name: str
    folder: Path
    file: Path | None = None


def find_sources(given: Sequence[str] = (), start: Path | None = None) -> list[ModuleSource]:
    """List the pipeline modules to import.

    Parameters
    ----------
    given
        Modules and paths as the user named them: `tutorial`, `lab.ephys`, `path/to/file.py`, a
        package's folder, a folder of modules. With none, the project's pipelines folder.
    start
        The folder to look for the project from; by default the current one.

    Raises
    ------
    PipelineError
        If there is no such module, file or folder, or there are no modules in it.
    """
    project = find_project(start)
    base = (start or Path.cwd()).absolute()
    if given:
        places = [project.pipelines, project.root] if project else []
        return [source for name in given for source in _given_sources(name, base, places)]
    folder = project.pipelines if project else base / "pipelines"
    if not folder.is_dir():
        if project is None:
            raise PipelineError(
                f"no pipelines: there is no {PROJECT_FILE} in {base} or above, and no folder {folder}"
                " - djcli init makes a project, -p names a module or file"
            )
        raise PipelineError(
            f"no pipelines: the folder {folder}, which {project.path} calls for, is not there"
            " - put a module into it, or let djcli init NEW_FOLDER make a project to start from"
        )
    sources = list(folder_sources(folder))
    if not sources:
        raise PipelineError(
            f"no pipelines: there is no Python module in {folder}"
            " - put one there, name one with -p, or let djcli init NEW_FOLDER make a project to start from"
        )
    return sources


def folder_sources(folder: Path) -> Iterator[ModuleSource]:
    """Yield the modules of a folder: those of a package if it is one, else its modules and packages."""
    if (folder / "__init__.py").is_file():
        yield from _package(folder)
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(("_", ".")):
            continue
        if path.suffix == ".py" and path.is_file():
            yield ModuleSource(path.stem, folder, path)
        elif (path / "__init__.py").is_file():
            yield from _package(path)


def _package(folder: Path) -> Iterator[ModuleSource]:
    """Yield a package and, below it, every module whose name has no underscore in front."""
    name, top = _dotted(folder)
    yield ModuleSource(name, top, folder / "__init__.py")
    for path in sorted(folder.iterdir()):
        if path.name.startswith(("_", ".")):
            continue
        if path.suffix == ".py" and path.is_file():
            yield ModuleSource(f"{name}.{path.stem}", top, path)
        elif (path / "__init__.py").is_file():
            yield from _package(path)


def _dotted(path: Path) -> tuple[str, Path]:
    """Return the module name of a file or package folder, and the folder it is imported from."""
    parts = [path.stem if path.suffix == ".py" else path.name]
    top = path.parent
    while (top / "__init__.py").is_file():
        parts.insert(0, top.name)
        top = top.parent
    return ".".join(parts), top


def _given_sources(given: str, base: Path, places: list[Path]) -> Iterator[ModuleSource]:
    path = Path(os.path.normpath(base / Path(given).expanduser()))
    if path.is_dir():
        found = list(folder_sources(path))
        if not found:
            raise PipelineError(f"-p {given}: there is no Python module in the folder {path}")
        yield from found
    elif path.suffix == ".py" and path.is_file():
        name, top = _dotted(path.parent if path.stem == "__init__" else path)
        yield ModuleSource(name, top, path)
    elif os.sep in given or given.endswith(".py"):
        raise PipelineError(f"-p {given}: there is no file or folder {path}")
    elif not all(part.isidentifier() for part in given.split(".")):
        raise PipelineError(f"-p {given}: is neither a file or folder here nor the name of a module")
    else:
        yield from _named(given, [base, *places])


def _named(name: str, places: list[Path]) -> Iterator[ModuleSource]:
    """Find a module by its dotted name in one of the folders, or leave it to Python's own path."""
    for place in places:
        path = place.joinpath(*name.split("."))
        if (path / "__init__.py").is_file():
            yield from _package(path)
            return
        if path.with_name(f"{path.name}.py").is_file():
            yield ModuleSource(name, place, path.with_name(f"{path.name}.py"))
            return
    if find_spec(name.split(".")[0]) is None:
        known = [path.stem for place in places for path in place.glob("*.py")]
        known += [path.parent.name for place in places for path in place.glob("*/__init__.py")]
        raise PipelineError(
            f"-p {name}: there is no such module here, in the pipelines folder, or installed"
            f"{did_you_mean(name, known)}"
        )
    yield ModuleSource(name, places[0])


def put_on_path(folder: Path) -> None:
    """Make a folder the first that modules are imported from."""
    text = str(folder)
    if sys.path[:1] != [text]:
        if text in sys.path:
            sys.path.remove(text)
        sys.path.insert(0, text)
