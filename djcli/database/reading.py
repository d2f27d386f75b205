"""Reading alone: a transaction in which the server refuses whatever would change the database."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from djcli.database.connection import Connection


@contextmanager
def reading(connection: Connection) -> Generator[Connection]:
    """Open a READ ONLY transaction that sees the database as it is now; not inside another transaction."""
    raw = connection.reached()
    raw.read_only = True
    try:
        with connection.snapshot():
            yield connection
    finally:
        if not raw.closed:
            raw.read_only = None
