"""Finding table classes by the names that users type."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from djcli.errors import SelectionError
from djcli.names import near
from djcli.project.pipelines import LoadFailure
from djcli.tables.table import Table


def select_tables(
    names: Sequence[str], tables: Sequence[type[Table]], failures: Sequence[LoadFailure] = ()
) -> list[type[Table]]:
    """Find the tables named, each once, in the order of the names.

    Parameters
    ----------
    names
        `SessionSummary`, a part as `Session.Trial`, either with its module or schema in front:
        `tutorial.SessionSummary`. Letter case counts.
    tables
        The tables to look among.
    failures
        Modules that could not be imported, for the message when a name is not found.

    Raises
    ------
    SelectionError
        If a name is no table's, or that of several.
    """
    return list(dict.fromkeys(find_table(name, tables, failures) for name in names))


def find_table(name: str, tables: Sequence[type[Table]], failures: Sequence[LoadFailure] = ()) -> type[Table]:
    """Find the one table of a name; see `select_tables`."""
    found = [table for table in tables if name in names_of(table)]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(sorted(_distinct_names(found)))
        raise SelectionError(f"table name {name!r} is ambiguous: write one of {shown}")
    raise SelectionError(f"there is no table {name!r} in the pipelines{_advice(name, tables, failures)}")


def names_of(table: type[Table]) -> Iterable[str]:
    """Return every name that a table answers to, the shortest first."""
    label, module = table.class_label, table.__module__
    last = module.rpartition(".")[2]
    return dict.fromkeys((label, f"{last}.{label}", f"{table.schema.name}.{label}", f"{module}.{label}"))


def _distinct_names(tables: Sequence[type[Table]]) -> list[str]:
    """Return for each table the shortest name that none of the others has."""
    shown: list[str] = []
    for table in tables:
        others = {name for other in tables if other is not table for name in names_of(other)}
        own = [name for name in names_of(table) if name not in others]
        shown.append(own[0] if own else f"{table.__module__}.{table.class_label}")
    return shown


def _advice(name: str, tables: Sequence[type[Table]], failures: Sequence[LoadFailure]) -> str:
    labels = [table.class_label for table in tables]
    known = [other for table in tables for other in names_of(table)] if "." in name else labels
    last = name.rpartition(".")[2].casefold()
    same = [label for label in labels if label.rpartition(".")[2].casefold() == last]  # a part, no master
    matches = list(dict.fromkeys([*same, *near(name, known)]))[:3]
    advice = f" - did you mean {' or '.join(matches)}?" if matches else " - djcli ls lists them"
    if failures:
        advice += f" (it may be in one that could not be imported: {failures[0]})"
    return advice
