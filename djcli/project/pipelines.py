"""Importing pipeline modules and collecting their tables; what fails is told, the rest goes on."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from djcli.errors import DataJointError, DefinitionError, PipelineError
from djcli.project.sources import ModuleSource, find_sources, put_on_path
from djcli.tables.schema import Schema
from djcli.tables.table import Table


@dataclass(frozen=True, slots=True)
class LoadFailure:
    """A pipeline module that could not be imported, or a definition of which refers to what is not there."""

    module: str
    file: str
    line: int | None
    error: BaseException
    is_imported: bool = False

    def __str__(self) -> str:
        """Say it in one line: module, file, line, error."""
        where = self.file + (f", line {self.line}" if self.line else "")
        kind = type(self.error).__name__
        reason = self.error.msg if isinstance(self.error, SyntaxError) else str(self.error)
        if not isinstance(self.error, DefinitionError):  # which shows the line with a caret below it
            reason = " ".join(reason.split())
        verb = "use" if self.is_imported else "import"
        return f"cannot {verb} pipeline module {self.module}: {where}: {kind}" + (
            f": {reason}" if reason else ""
        )


@dataclass(frozen=True, slots=True)
class Pipelines:
    """The pipeline modules of a project, their schemas and tables, and the modules that failed."""

    modules: tuple[ModuleType, ...]
    schemas: tuple[Schema, ...]
    tables: tuple[type[Table], ...]
    failures: tuple[LoadFailure, ...]

    def require_complete(self, purpose: str) -> None:
        """Raise `PipelineError` if a module failed; `purpose` says what needs all of them."""
        if self.failures:
            names = " and ".join(failure.module for failure in self.failures)
            raise PipelineError(
                f"{purpose} needs every pipeline module, but {names} cannot be used: mend"
                f" {'them' if len(self.failures) > 1 else 'it'}, or name the others with -p"
            )


def load_pipelines(given: Sequence[str] = (), start: Path | None = None) -> Pipelines:
    """Import the project's pipeline modules, or those given, and collect their tables.

    What modules print while they are imported goes to stderr. The database is touched only where a definition
    refers to a table of a virtual module.

    Parameters
    ----------
    given
        Modules, files or folders, as after `-p`.
    start
        The folder to look for the project from; by default the current one.

    Raises
    ------
    PipelineError
        If there is nothing to import, or no module at all can be used.
    """
    modules: dict[str, ModuleType] = {}
    failures: list[LoadFailure] = []
    for source in find_sources(given, start):
        loaded = _import(source)
        if isinstance(loaded, LoadFailure):
            failures.append(loaded)
        else:
            modules[source.name] = loaded
    schemas = _schemas(modules.values())
    for schema in schemas:  # a module imported before knows the database of that time
        schema.activate(schema.name)
    failures += _unresolved(_tables(schemas, failures))
    for failure in failures:
        modules.pop(failure.module, None)
    if not modules:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise PipelineError(f"{failures[0]}{more}") from failures[0].error
    schemas = _schemas(modules.values())
    return Pipelines(
        tuple(modules.values()), tuple(schemas), tuple(_tables(schemas, failures)), tuple(failures)
    )


def _import(source: ModuleSource) -> ModuleType | LoadFailure:
    refusal = _refusal(source)
    if refusal is not None:
        return LoadFailure(source.name, str(source.file), None, PipelineError(refusal))
    put_on_path(source.folder)
    importlib.invalidate_caches()
    try:
        with redirect_stdout(sys.stderr):
            return importlib.import_module(source.name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's module may raise anything
        return _failure(source, error)


def _refusal(source: ModuleSource) -> str | None:
    """Say why a file cannot be imported under its name."""
    if source.file is None:
        return None
    if not all(part.isidentifier() for part in source.name.split(".")):
        return f"{source.name!r} is no name for a module: use letters, digits and underscores"
    first = source.name.split(".")[0]
    if first in sys.stdlib_module_names:
        return f"{first!r} is a module of Python itself: give the file another name"
    other = _origin(first, source.folder)
    if other is not None and not other.is_relative_to(source.folder.resolve()):
        return f"another module is called {first!r} ({other}): give the file another name"
    return None


def _origin(name: str, folder: Path) -> Path | None:
    """Return the file of the module that has this name, or would have it but for the folder."""
    present = sys.modules.get(name)
    if present is not None:
        origin = present.__file__
    else:
        spec = PathFinder.find_spec(name, [place for place in sys.path if place != str(folder)])
        origin = spec.origin if spec is not None else None
    return Path(origin).resolve() if origin else None


def _failure(source: ModuleSource, error: BaseException) -> LoadFailure:
    """Point at the innermost line that is the user's own."""
    file, line = str(source.file or source.name), None
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            path = Path(frame.filename)
            if path.is_relative_to(source.folder) and "site-packages" not in path.parts:
                file, line = frame.filename, frame.lineno
    return LoadFailure(source.name, file, line, error)


def _tables(schemas: Iterable[Schema], failures: Iterable[LoadFailure]) -> list[type[Table]]:
    """List the tables of schemas, without those of modules that failed: half-way, or in a schema shared."""
    failed = {failure.module for failure in failures}
    return [table for schema in schemas for table in schema.tables if table.__module__ not in failed]


def _unresolved(tables: Iterable[type[Table]]) -> list[LoadFailure]:
    """Find what definitions refer to; return a failure for each module where this fails."""
    found: dict[str, LoadFailure] = {}
    for table in tables:
        try:
            table.class_model()
        except DataJointError as error:
            table.bound_schema().instance.classes.pop(table.class_id(), None)
            file = getattr(sys.modules.get(table.__module__), "__file__", None) or table.__module__
            failure = LoadFailure(table.__module__, file, _line(table), error, is_imported=True)
            found.setdefault(table.__module__, failure)
    return list(found.values())


def _line(table: type[Table]) -> int | None:
    try:
        return inspect.getsourcelines(table)[1]
    except (OSError, TypeError):  # made without source
        return None


def _schemas(modules: Iterable[ModuleType]) -> list[Schema]:
    """List the Schema objects that the modules have and named, each once, in order."""
    found: dict[int, Schema] = {}
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, Schema) and value.is_activated():
                found.setdefault(id(value), value)
    return list(found.values())
