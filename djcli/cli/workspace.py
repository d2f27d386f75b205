"""What a command works with: the settings with the options on top, the database, the pipelines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, TypeVar

import typer

from djcli.catalog.graph import Graph
from djcli.catalog.introspect import load
from djcli.catalog.snapshot import Catalog
from djcli.cli import console
from djcli.cli.completion import complete_selection
from djcli.cli.logs import show_logs
from djcli.cli.options import shared
from djcli.errors import MissingTableError, SelectionError
from djcli.project.pipelines import Pipelines, load_pipelines
from djcli.project.selection import find_table, graph_of, named_tables, select_tables
from djcli.project.terms import parse_terms
from djcli.settings import DatabaseTarget, config, database_target
from djcli.tables.instance import Instance, use_instance
from djcli.tables.table import Table

T = TypeVar("T", bound="type[Table]")

TablesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SELECT",
        help="Tables, by default all: Session, Session.Trial, tutorial.Session; 'Session*' and 'tutorial.*' with "
        "any text for * (in quotes, for the shell); +Session with all it depends on, Session+ with all that "
        "depends on it (parts too), 2+Session and Session+1 with so many generations; tier:computed; "
        "schema:tutorial. Several are united: with blanks or commas between.",
        show_default=False,
        autocompletion=complete_selection,
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="SELECT",
        help="Leave out these of the tables selected. Can be repeated.",
        autocompletion=complete_selection,
    ),
]
TableArgument = Annotated[
    str,
    typer.Argument(
        metavar="TABLE",
        help="A table: SessionSummary, Session.Trial, tutorial.Session.",
        autocompletion=complete_selection,
    ),
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


@dataclass(frozen=True)
class Workspace:
    """The database and the pipelines of one run of the command line."""

    instance: Instance
    pipelines: Pipelines
    is_whole: bool = True
    """Whether these are all pipelines of the project; else tables that none of them declares may be others'."""

    def select(
        self, selection: Sequence[str] | None, exclude: Sequence[str] | None = None
    ) -> list[type[Table]]:
        """Return the tables selected, all by default, but for those excluded.

        Raises
        ------
        SelectionError
            If a part of either selection matches nothing, a name is that of several tables, or nothing is left.
        """
        found = self.pipelines
        return select_tables(selection or (), found.tables, found.failures, exclude or ())

    def selects_schemas(self, selection: Sequence[str] | None, exclude: Sequence[str] | None) -> bool:
        """Tell whether all tables of certain schemas are selected, whatever these may be."""
        return not exclude and all(term.is_schema for term in parse_terms(selection or ()))

    def named(self, selection: Sequence[str] | None) -> set[type[Table]]:
        """Return the tables that a selection names themselves, and so must not pass over in silence."""
        return named_tables(selection or (), self.pipelines.tables)

    def select_computed(
        self, selection: Sequence[str] | None, exclude: Sequence[str] | None
    ) -> list[type[Table]]:
        """Return the Computed and Imported tables of a selection, and any that it names itself, parents first.

        Raises
        ------
        SelectionError
            As for `select`, or if there is none among those selected.
        """
        named = self.named(selection)
        chosen = [each for each in self.select(selection, exclude) if each.tier.is_auto or each in named]
        if not chosen and (selection or exclude):
            raise SelectionError("none of the tables selected is a Computed or Imported table")
        return self.in_order(chosen)

    def find(self, text: str, *, to_change: bool = False) -> type[Table]:
        """Return the one table that a text selects; one whose rows are to be changed must be named.

        Raises
        ------
        SelectionError
            If it selects none, or several, or is no name where it must be one.
        """
        return find_table(text, self.pipelines.tables, self.pipelines.failures, only_by_name=to_change)

    @cached_property
    def graph(self) -> Graph:
        """The foreign keys of all tables of the pipelines."""
        return graph_of(self.pipelines.tables)

    def in_order(self, tables: Iterable[type[Table]]) -> list[type[Table]]:
        """Return tables in the order of dependency, parents first."""
        chosen = {table.class_id(): table for table in tables}
        return [chosen[name] for name in self.graph.topological_order(chosen)]

    def catalog(self, tables: Iterable[type[Table]]) -> Catalog:
        """Return what the database says now of the schemas of tables, in one round trip."""
        return load(self.instance.connection, sorted({table.class_id().schema for table in tables}))

    def declared(self, tables: Sequence[T], *, named: Collection[type[Table]]) -> list[T]:
        """Return those tables that the database has.

        Parameters
        ----------
        tables
            The tables to look for.
        named
            Those that the user asked for by name, so that none may be missing.

        Raises
        ------
        MissingTableError
            If one may not be missing, or if all of them are.
        """
        if not tables:
            return []
        present = self.catalog(tables).tables
        missing = [table for table in tables if table.class_id() not in present]
        asked = [table for table in missing if table in named]
        if missing and (asked or len(missing) == len(tables)):
            first = (asked or missing)[0].class_label
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
    instance.modules = tuple(module.__name__ for module in pipelines.modules)
    for failure in pipelines.failures:
        console.warn(f"{failure}")
    return Workspace(instance, pipelines, not (shared(ctx).pipelines or pipelines.failures))
