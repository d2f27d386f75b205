"""What a command works with: the settings with the options on top, the database, the pipelines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer

from djcli.catalog.graph import Graph
from djcli.catalog.introspect import load
from djcli.catalog.snapshot import Catalog
from djcli.cli import console
from djcli.cli.logs import show_logs
from djcli.cli.options import shared
from djcli.errors import MissingTableError
from djcli.project.pipelines import Pipelines, load_pipelines
from djcli.project.selection import select_tables
from djcli.settings import DatabaseTarget, config, database_target
from djcli.tables.instance import Instance, use_instance
from djcli.tables.table import Table

T = TypeVar("T", bound="type[Table]")

TablesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TABLE...",
        help="Tables: SessionSummary, Session.Trial, tutorial.Session.",
        show_default=False,
    ),
]
TableArgument = Annotated[
    str,
    typer.Argument(metavar="TABLE", help="A table: SessionSummary, Session.Trial, tutorial.Session."),
]


def choose_database(ctx: typer.Context) -> DatabaseTarget:
    """Read the settings anew, put the shared options on top, and return the database they name.

    Raises
    ------
    typer.BadParameter
        If both an address and a profile are given.
    ConfigError
        If a setting is wrong.
    """
    options = shared(ctx)
    if options.db_url and options.profile:
        raise typer.BadParameter("give either --db-url or --profile, not both")
    config.forget()
    if options.db_url:
        config.set("database.url", options.db_url, "--db-url")
    if options.profile:
        config.set("database.profile", options.profile, "--profile")
    show_logs()
    return database_target()


@dataclass(frozen=True, slots=True)
class Workspace:
    """The database and the pipelines of one run of the command line."""

    instance: Instance
    pipelines: Pipelines
    is_whole: bool = True
    """Whether these are all pipelines of the project; else tables that none of them declares may be others'."""

    def select(self, names: Sequence[str] | None) -> list[type[Table]]:
        """Return the tables named; with no name, all of them.

        Raises
        ------
        SelectionError
            If a name is no table's, or that of several.
        """
        if not names:
            return list(self.pipelines.tables)
        return select_tables(names, self.pipelines.tables, self.pipelines.failures)

    def in_order(self, tables: Iterable[type[Table]]) -> list[type[Table]]:
        """Return tables in the order of dependency, parents first."""
        chosen = {table.class_id(): table for table in tables}
        graph = Graph(table.model for table in self.pipelines.tables)
        return [chosen[name] for name in graph.topological_order(chosen)]

    def catalog(self, tables: Iterable[type[Table]]) -> Catalog:
        """Return what the database says now of the schemas of tables, in one round trip."""
        return load(self.instance.connection, sorted({table.class_id().schema for table in tables}))

    def declared(self, tables: Sequence[T], *, named: bool) -> list[T]:
        """Return those tables that the database has.

        Parameters
        ----------
        tables
            The tables to look for.
        named
            Whether the user asked for these very tables, so that none may be missing.

        Raises
        ------
        MissingTableError
            If one may not be missing, or if all of them are.
        """
        if not tables:
            return []
        present = self.catalog(tables).tables
        missing = [table for table in tables if table.class_id() not in present]
        if missing and (named or len(missing) == len(tables)):
            first = missing[0].class_label
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise MissingTableError(f"table {first}{more} is not declared in the database; run: djcli apply")
        if missing:
            names = ", ".join(table.class_label for table in missing)
            console.note(f"not declared yet, left out: {names} (djcli apply declares them)")
        return [table for table in tables if table.class_id() in present]


def open_workspace(ctx: typer.Context) -> Workspace:
    """Choose the database and load the pipelines; say on stderr which modules could not be loaded."""
    instance = Instance(choose_database(ctx), create_tables=False)
    use_instance(instance)
    ctx.call_on_close(lambda: instance.connection.close())
    pipelines = load_pipelines(shared(ctx).pipelines)
    for failure in pipelines.failures:
        console.warn(f"{failure}")
    return Workspace(instance, pipelines, not (shared(ctx).pipelines or pipelines.failures))
