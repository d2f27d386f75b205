"""`Answer`: the rows of the user's own SQL, a list that also answers as a cursor does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Answer(list[Any]):
    """All rows of a statement.

    Code that was written for a cursor finds its methods here; they read on from where the last one stopped.

    Parameters
    ----------
    rows
        The rows.
    rowcount
        How many rows the statement returned or touched.
    description
        The columns as the driver describes them; None for a statement that returns no rows.
    """

    def __init__(self, rows: Iterable[Any], rowcount: int, description: Any = None) -> None:
        super().__init__(rows)
        self.rowcount = rowcount
        self.description = description
        self._read = 0

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int = 1) -> list[Any]:
        """Return the next rows."""
        rows = self[self._read : self._read + size]
        self._read += len(rows)
        return rows

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        return self.fetchmany(len(self))
