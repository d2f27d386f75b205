"""What a populate did, and how it tells of its progress while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

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
    """

    def __init__(self) -> None:
        super().__init__(success_count=0, error_list=[])
        self.violations: list[Violation] = []

    @property
    def success_count(self) -> int:
        """How many keys were made."""
        return self["success_count"]

    @property
    def errors(self) -> list[tuple[Key, Any]]:
        """The keys whose make failed, each with its error."""
        return self["error_list"]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an item, or one of the counts."""
        if name == "success":
            return self.success_count
        if name == "error":
            return len(self.errors)
        return super().get(name, default)


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
