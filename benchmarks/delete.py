"""How fast deleting is, as the ratio to SQL written by hand, in one run on one embedded server.

``python benchmarks/delete.py [sessions [rounds]]`` deletes half of so many sessions with all that depends on them
(ten trials and three events each, and two results of each third session's summary), and the other half by hand.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

import djcli as dj
from djcli.database.embedded import EmbeddedServer
from djcli.settings import config

DEFINITIONS = {
    "Subject": "subject_id : int32",
    "Session": "-> Subject\nsession_idx : int32\n---\nsession_date : date",
    "Trial": "-> Session\ntrial_idx : int32\n---\nrt : float32",
    "Event": "-> Session\nevent_idx : int32\n---\nname : varchar(8)",
    "Summary": "-> Session\n---\nn : int32",
    "Result": "-> Summary\nresult_idx : int32\n---\nvalue : float64",
}

FILL = """
INSERT INTO deleting.subject SELECT generate_series(0, 9);
INSERT INTO deleting.session SELECT s % 10, s / 10, '2026-01-01' FROM generate_series(0, {last}) s;
INSERT INTO deleting.trial SELECT subject_id, session_idx, t, 0.5 FROM deleting.session, generate_series(1, 10) t;
INSERT INTO deleting.event SELECT subject_id, session_idx, t, 'x' FROM deleting.session, generate_series(1, 3) t;
INSERT INTO deleting.summary SELECT subject_id, session_idx, 1 FROM deleting.session;
INSERT INTO deleting.result SELECT subject_id, session_idx, r, 1 FROM deleting.summary, generate_series(1, 2) r
WHERE session_idx % 2 = 0;
"""

BY_HAND = ("result", "summary", "event", "trial", "session")


def timed(work: Callable[[], object]) -> float:
    """Return how long a piece of work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(connection: psycopg.Connection, tables: dict[str, Any], sessions: int) -> tuple[float, float]:
    """Return the seconds of deleting by us and by hand, each from tables that were filled anew."""
    names = ", ".join(f"deleting.{label.lower()}" for label in tables)

    def fill() -> None:
        connection.execute(f"TRUNCATE {names}")
        connection.execute(FILL.format(last=2 * sessions - 1))
        for label in tables:
            connection.execute(f"VACUUM ANALYZE deleting.{label.lower()}")

    def by_hand() -> None:
        with connection.transaction():
            for name in BY_HAND:
                connection.execute(f"DELETE FROM deleting.{name} WHERE subject_id < 5")

    fill()
    hand = timed(by_hand)
    left = connection.execute("SELECT count(*) FROM deleting.trial").fetchone()
    fill()
    ours = timed(lambda: (tables["Session"] & "subject_id < 5").delete(prompt=False))
    assert connection.execute("SELECT count(*) FROM deleting.trial").fetchone() == left
    return ours, hand


def main(sessions: int = 100_000, rounds: int = 3) -> None:
    """Print the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(Path(folder) / ".djcli")
        server.start()
        try:
            config["database.url"] = server.url()
            schema = dj.Schema("deleting")
            tables: dict[str, Any] = {}
            for label, definition in DEFINITIONS.items():
                cls = type(label, (dj.Manual,), {"definition": definition, "__module__": __name__})
                tables[label] = schema(cls, context=tables)
                len(tables[label]())
            with psycopg.connect(server.url(), autocommit=True) as connection:
                found = [measure(connection, tables, sessions) for _ in range(rounds)]
            dj.conn().close()
        finally:
            server.stop()
    ours, hand = (statistics.median(column) for column in zip(*found, strict=True))
    ratio = statistics.median(a / b for a, b in found)
    sys.stdout.write(f"{sessions} sessions with {15 * sessions} dependents, medians of {rounds} rounds\n")
    sys.stdout.write(f"ours {ours:.2f} s, by hand {hand:.2f} s, ratio {ratio:.2f} (within 1.3)\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
