"""Progress: counts of a populate for its report, and bars where there is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, Self

from djcli.cli.console import is_plain
from djcli.cli.tally import Failure, Tally
from djcli.tables.table import Table


class Follower:
    """Observes the populate of one table after another.

    Attributes
    ----------
    tallies
        What became of each table so far.
    table
        The table that comes next.
    """

    def __init__(self) -> None:
        self.tallies: list[Tally] = []
        self.table: type[Table] | None = None
        self._bar = Bar()
        self._started = 0.0

    def begin(self, table: str, pending: int) -> None:
        """Start to count."""
        self.tallies.append(Tally.of(self.table) if self.table is not None else Tally(table))
        self._started = time.monotonic()
        self._bar.start(table, pending)

    def done(self, table: str, key: Mapping[str, Any]) -> None:  # noqa: ARG002 - the observer's signature
        """Count a key that was made."""
        self.tallies[-1].made += 1
        self._bar.step()

    def skipped(self, table: str, key: Mapping[str, Any]) -> None:  # noqa: ARG002 - the observer's signature
        """Count a key that somebody else made."""
        self.tallies[-1].skipped += 1
        self._bar.step()

    def failed(self, table: str, key: Mapping[str, Any], error: BaseException) -> None:  # noqa: ARG002 - the observer's signature
        """Keep a key that failed, and why."""
        self.tallies[-1].failures.append(Failure(key, error))
        self._bar.step()

    def end(self, table: str) -> None:
        """Stop the clock and take the bar away; also for a table that never began."""
        self._bar.stop()
        if self.tallies and self.tallies[-1].table == table:
            self.tallies[-1].seconds = time.monotonic() - self._started

    @property
    def failures(self) -> list[BaseException]:
        """The errors of all keys that failed."""
        return [failure.error for tally in self.tallies for failure in tally.failures]


class Bar:
    """A progress bar on stderr while a table is computed; nothing where there is no terminal."""

    def __init__(self) -> None:
        self._progress: Any = None

    def start(self, table: str, pending: int) -> None:
        """Show it."""
        if is_plain(sys.stderr) or not pending:
            return
        # lazy: start-up time
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        text, numbers = TextColumn("{task.description}"), MofNCompleteColumn()
        self._progress = Progress(
            text,
            BarColumn(),
            numbers,
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            transient=True,
        )
        self._progress.add_task(escape(table), total=pending)
        self._progress.start()

    def step(self) -> None:
        """Count one more."""
        if self._progress is not None:
            self._progress.advance(self._progress.task_ids[0])

    def stop(self) -> None:
        """Take it away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class RowBar:
    """A progress bar on stderr that counts rows, as a context; nothing where there is no terminal.

    Parameters
    ----------
    title
        What is going on.

    Attributes
    ----------
    rows
        How many rows there were so far.
    """

    def __init__(self, title: str) -> None:
        self.rows = 0
        self._title = title
        self._progress: Any = None

    def __enter__(self) -> Self:
        if is_plain(sys.stderr):
            return self
        # lazy: start-up time
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        numbers = TextColumn("{task.fields[rows]:,} rows")
        columns = (TextColumn("{task.description}"), BarColumn(), numbers, TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(file=sys.stderr), transient=True)
        self._progress.add_task(escape(self._title), total=None, rows=0)
        self._progress.start()
        return self

    def step(self, rows: int, part: float | None = None) -> None:
        """Count more rows; `part` tells how much of the whole is done, from 0 to 1, where that is known."""
        self.rows += rows
        if self._progress is not None:
            task = self._progress.task_ids[0]
            total = None if part is None else 1.0
            self._progress.update(task, rows=self.rows, total=total, completed=part or 0.0)

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
