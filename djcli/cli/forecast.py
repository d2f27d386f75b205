"""What a populate would compute, and why: for `djcli populate --dry-run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from djcli.cli import console
from djcli.cli.conditions import Condition, conditions_of_each
from djcli.cli.restriction import Restriction
from djcli.cli.workspace import Workspace
from djcli.errors import SelectionError
from djcli.populate.auto import AutoPopulate
from djcli.populate.keys import key_source, progress_of, todo

Computed = type[AutoPopulate]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a populate would compute of one table.

    Attributes
    ----------
    table
        The table.
    calls
        How many calls of make there would be.
    pending, total
        The keys still to make, and all keys, under the restrictions.
    restrictions
        What restricts them.
    max_calls
        What limits the calls.
    incomplete
        The computed tables that it depends on and that have keys to make themselves, nearest first, each with
        how many.
    """

    table: Computed
    calls: int
    pending: int
    total: int
    restrictions: tuple[str, ...]
    max_calls: int | None
    incomplete: dict[Computed, int]

    @property
    def why(self) -> str:
        """Say it in words."""
        restricted = f" with {', '.join(self.restrictions)}" if self.restrictions else ""
        words = [f"{self.pending} of {self.total} keys{restricted} are not made"]
        if self.calls < self.pending:
            words.append(f"at most {self.max_calls} calls")
        if self.incomplete:
            names = ", ".join(f"{table.class_label} ({count})" for table, count in self.incomplete.items())
            words.append(f"more may come, it depends on keys still to make: {names}")
        return "; ".join(words)

    def facts(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            **self.table.class_id().as_json(),
            "calls": self.calls,
            "pending": self.pending,
            "total": self.total,
            "restrictions": self.restrictions,
            "max_calls": self.max_calls,
            "incomplete": [
                {**table.class_id().as_json(), "pending": count} for table, count in self.incomplete.items()
            ],
        }


def forecast(
    work: Workspace,
    typed: Mapping[Computed, Sequence[Condition]],
    restrictions: Sequence[Restriction],
    max_calls: int | None,
) -> list[Forecast]:
    """Count what a populate would compute, in one statement.

    Parameters
    ----------
    work
        The database and the pipelines.
    typed
        The tables, each with the restrictions of its key source.
    restrictions
        The restrictions as they were given, for the tables that these depend on.
    max_calls
        How many calls of make a table may have.
    """
    above = {table: _computed_above(work, table) for table in typed}
    asked = dict(typed)
    for table in (parent for parents in above.values() for parent in parents):
        if table not in asked:
            asked[table] = _as_far_as_known(restrictions, table)
    found = progress_of(work.instance, [(table(), list(each)) for table, each in asked.items()])
    states = dict(zip(asked, found, strict=True))
    made: list[Forecast] = []
    for table, conditions in typed.items():
        pending, total = states[table].remaining or 0, states[table].total or 0
        missing = {parent: states[parent].remaining or 0 for parent in above[table]}
        made.append(
            Forecast(
                table=table,
                calls=pending if max_calls is None else min(pending, max_calls),
                pending=pending,
                total=total,
                restrictions=tuple(f"{each.attribute}{each.operator}{each.value}" for each in conditions),
                max_calls=max_calls,
                incomplete={parent: count for parent, count in missing.items() if count},
            )
        )
    return made


def _as_far_as_known(restrictions: Sequence[Restriction], table: Computed) -> list[Condition]:
    """Return those restrictions that mean one thing for a table's key source."""
    heading = key_source(table()).heading
    found: list[Condition] = []
    for given in restrictions:
        with suppress(SelectionError):
            found += conditions_of_each([given], {table: heading})[table]
    return found


def _computed_above(work: Workspace, table: Computed) -> list[Computed]:
    """Return the computed tables that a table depends on, by foreign keys or its key source, nearest first."""
    classes = {other.class_id(): other for other in work.pipelines.tables}
    graph = work.graph
    reached = set(graph.ancestors(table.class_id()))
    for name in todo(table()).source.node.tables:
        if name in graph:
            reached |= {name, *graph.ancestors(name)}
    reached.discard(table.class_id())
    masters = {graph.master(name) or name for name in reached}
    order = reversed(graph.topological_order(masters - {table.class_id()}))
    found = [classes[name] for name in order if name in classes]
    return [other for other in found if issubclass(other, AutoPopulate)]


def show_forecast(forecasts: Sequence[Forecast], *, as_json: bool) -> None:
    """Write forecasts to stdout, as a table or as JSON."""
    if as_json:
        console.json([item.facts() for item in forecasts])
    else:
        console.table(
            ["table", "to make", "why"],
            [[item.table.class_label, item.calls, item.why] for item in forecasts],
        )
