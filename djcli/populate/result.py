"""What a populate did, and how it tells of its progress while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol

from djcli.names import key_text

Key = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Violation:
    """One line of a make that does not keep to the contract of makes.

    Attributes
    ----------
    where
        File and line: ``pipelines/tutorial.py:12``.
    table
        The table that it reads or writes; empty for SQL of the user's own.
    message
        What is wrong, and what to do.
    """

    where: str
    table: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class PopulateResult(dict[str, Any]):
    """``{'success_count': int, 'error_list': [(key, error)]}``.

    `get` also answers ``'success'`` and ``'error'`` with the two counts, as older code asks for them.

    Attributes
    ----------
    violations
        What the guard has found, if there was one.
    skipped
        How many keys were passed over: somebody else made them, or their parents went meanwhile.
    seconds
        How long it all took.
    workers_died
        How many worker processes died and left their keys to others.
    """

    def __init__(self) -> None:
        super().__init__(success_count=0, error_list=[])
        self.violations: list[Violation] = []
        self.skipped = 0
        self.seconds = 0.0
        self.workers_died = 0

    @property
    def made(self) -> int:
        """How many keys were made."""
        return self["success_count"]

    @property
    def failed(self) -> int:
        """How many keys failed."""
        return len(self.errors)

    @property
    def errors(self) -> list[tuple[Key, Any]]:
        """The keys whose make failed, each with its error."""
        return self["error_list"]

    @property
    def keys_per_second(self) -> float:
        """How many keys were made in a second, start-up included."""
        return self.made / self.seconds if self.seconds else 0.0

    def add_error(self, key: Key, error: BaseException, *, as_object: bool) -> None:
        """List the error of a key, as an exception or as text."""
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        self.errors.append((key, error if as_object else text))

    def get(self, name: str, default: Any = None) -> Any:
        """Return an item, or one of the counts."""
        if name == "success":
            return self.made
        if name == "error":
            return self.failed
        return super().get(name, default)


def noted(error: BaseException, table: str, key: Key) -> BaseException:
    """Return the error of a key with a note that says which make it was."""
    error.add_note(f"in make() of {table} for {key_text(key)}")
    return error


class Observer(Protocol):
    """Whoever wants to hear how a populate comes along."""

    def begin(self, table: str, pending: int) -> None:
        """Hear that a table is about to be computed, with so many keys to make."""
        ...

    def done(self, table: str, key: Key) -> None:
        """Hear that a key was made and committed."""
        ...

    def skipped(self, table: str, key: Key) -> None:
        """Hear that a key was made by somebody else meanwhile."""
        ...

    def failed(self, table: str, key: Key, error: BaseException) -> None:
        """Hear that the make of a key failed; nothing of it is left."""
        ...

    def end(self, table: str) -> None:
        """Hear that the table has come to its end, or was interrupted."""
        ...


class Silent:
    """An observer that does nothing."""

    def begin(self, table: str, pending: int) -> None:
        """Do nothing."""

    def done(self, table: str, key: Key) -> None:
        """Do nothing."""

    def skipped(self, table: str, key: Key) -> None:
        """Do nothing."""

    def failed(self, table: str, key: Key, error: BaseException) -> None:
        """Do nothing."""

    def end(self, table: str) -> None:
        """Do nothing."""


class Timed:
    """An observer that passes on what it hears, counts the keys that were skipped, and looks at the clock."""

    def __init__(self, observer: Observer) -> None:
        self.begin, self.done, self.failed, self.end = (
            observer.begin,
            observer.done,
            observer.failed,
            observer.end,
        )
        self._observer = observer
        self._skipped = 0
        self._started = time.monotonic()

    def skipped(self, table: str, key: Key) -> None:
        """Count one and pass it on."""
        self._skipped += 1
        self._observer.skipped(table, key)

    def complete(self, result: PopulateResult) -> PopulateResult:
        """Put the count and the time into the result."""
        result.skipped, result.seconds = self._skipped, time.monotonic() - self._started
        return result
