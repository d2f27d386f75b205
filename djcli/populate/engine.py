"""The loop of populate: pending keys are streamed and made one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from djcli.database.failures import is_retriable
from djcli.errors import DataJointError, LostConnectionError
from djcli.populate.keys import Todo, todo
from djcli.populate.result import Key, Observer, PopulateResult, Silent
from djcli.populate.runner import Outcome, make_key
from djcli.tables.table import Table

ATTEMPTS = 3
"""How often a key is tried when the database, not make, is at fault."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to populate; the attributes are the parameters of `AutoPopulate.populate`."""

    suppress_errors: bool = False
    return_exception_objects: bool = False
    max_calls: int | None = None
    make_kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    observer: Observer = field(default_factory=Silent)


def populate(table: Table, restrictions: Sequence[object], options: Options) -> PopulateResult:
    """Make the pending keys of a table.

    Parameters
    ----------
    table
        A Computed or Imported table.
    restrictions
        Restrictions of its key source, all of which must hold.
    options
        How to go about it.

    Returns
    -------
    PopulateResult
        What was made and what failed.

    Raises
    ------
    Exception
        The first error of a make, unless errors are suppressed; with a note that names the key.
    """
    if table.connection.in_transaction:
        raise DataJointError("populate makes transactions of its own and cannot run inside another")
    if options.max_calls is not None and options.max_calls < 0:
        raise DataJointError(f"max_calls={options.max_calls}: it must not be negative")
    run = _Run(table, todo(table, restrictions), options)
    try:
        run.all_keys()
    finally:
        options.observer.end(table.class_label)
    return run.result


class _Run:
    """One populate of one table."""

    def __init__(self, table: Table, work: Todo, options: Options) -> None:
        self.table = table
        self.label: str = table.class_label
        self.work = work
        self.options = options
        self.result = PopulateResult()
        self.calls = 0
        self.tried: set[tuple[object, ...]] = set()

    def all_keys(self) -> None:
        pending = len(self.work.pending)
        if self.options.max_calls is not None:
            pending = min(pending, self.options.max_calls)
        self.options.observer.begin(self.label, pending)
        lost = 0
        while pending:
            try:
                for key in self.pending_keys():
                    if self.calls == self.options.max_calls:
                        return
                    self.one_key(key)
            except LostConnectionError:
                lost += 1
                if lost == ATTEMPTS:
                    raise
            else:
                return

    def pending_keys(self) -> Iterator[Key]:
        """Stream the pending keys in the order of the primary key, without those that failed before."""
        names = self.work.pending.heading.names
        for row in self.work.pending.query.stream(order_by="KEY"):
            if row not in self.tried:
                yield dict(zip(names, row, strict=True))

    def one_key(self, key: Key) -> None:
        """Make a key, trying again when the database is at fault."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                outcome = make_key(self.table, key, self.options.make_kwargs)
            except LostConnectionError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever make raises is this key's error
                if is_retriable(error) and attempt < ATTEMPTS:
                    continue
                self.calls += 1
                self.failed(key, error)
                return
            if outcome is Outcome.SKIPPED:
                self.options.observer.skipped(self.label, key)
                return
            self.calls += 1
            self.result["success_count"] += 1
            self.options.observer.done(self.label, key)
            return

    def failed(self, key: Key, error: Exception) -> None:
        self.tried.add(tuple(key.values()))
        self.options.observer.failed(self.label, key, error)
        if not self.options.suppress_errors:
            shown = ", ".join(f"{name}={value}" for name, value in key.items())
            error.add_note(f"in make() of {self.label} for {shown}")
            raise error
        told: object = error
        if not self.options.return_exception_objects:
            told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        self.result["error_list"].append((key, told))
