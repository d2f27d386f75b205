"""How fast inserting is: ratios to DataJoint 2.3.5, to COPY by hand and to SQL, in one run on one server.

``python benchmarks/insert.py [rows [rounds]]`` inserts so many trials, which refer to sessions, in every way and
prints the median seconds of each way, and the median of its ratio to what it is measured against.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg

import djcli as dj
from djcli.database.embedded import EmbeddedServer
from djcli.settings import config

SUBJECTS, SESSIONS = 10, 100

DEFINITIONS = {
    "Session": "subject_id : varchar(8)\nsession_idx : int32\n---\nsession_date : date",
    "Trial": """
        -> Session
        trial_idx : int32
        ---
        stimulus : varchar(10)
        choice : varchar(10)
        correct : bool
        reaction_time : float32
    """,
}


def declare(module: Any, schema: Any) -> tuple[Any, Any]:
    """Declare the tables in one of the systems."""
    made: dict[str, Any] = {}
    for label, definition in DEFINITIONS.items():
        cls = type(label, (module.Manual,), {"definition": definition, "__module__": __name__})
        made[label] = schema(cls, context=made)
    return made["Session"], made["Trial"]


def sessions() -> list[dict[str, Any]]:
    """Return the sessions."""
    return [
        {"subject_id": f"M{subject:03}", "session_idx": number, "session_date": "2026-01-06"}
        for subject in range(SUBJECTS)
        for number in range(SESSIONS)
    ]


def trials(rows: int) -> Iterable[dict[str, Any]]:
    """Yield trials of those sessions."""
    each = rows // (SUBJECTS * SESSIONS)
    for subject in range(SUBJECTS):
        for number in range(SESSIONS):
            for trial in range(each):
                yield {
                    "subject_id": f"M{subject:03}",
                    "session_idx": number,
                    "trial_idx": trial,
                    "stimulus": ("left", "right")[trial & 1],
                    "choice": ("left", "right")[trial & 2 > 0],
                    "correct": trial % 3 == 0,
                    "reaction_time": 0.2 + trial % 977 / 1000,
                }


def timed(work: Callable[[], object]) -> float:
    """Return how long a piece of work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def theirs(told: dict[str, Any]) -> None:
    """Insert with the reference system, in a process of its own; prints the seconds as JSON."""
    warnings.simplefilter("ignore")
    os.environ["DJ_LOG_LEVEL"] = "ERROR"
    import datajoint

    datajoint.config["database.backend"] = "postgresql"
    for name, value in told["settings"].items():
        datajoint.config["database." + name] = value
    datajoint.config["safemode"] = False
    schema = datajoint.Schema("insert_theirs")
    schema.drop()
    session, trial = declare(datajoint, datajoint.Schema("insert_theirs"))
    session.insert(sessions())
    rows = list(trials(told["rows"]))
    trial.insert(rows[:10])
    trial.delete_quick()
    seconds = {"insert": timed(lambda: trial.insert(rows))}
    seconds["skip_duplicates"] = timed(lambda: trial.insert(rows, skip_duplicates=True))
    sys.stdout.write(json.dumps(seconds) + "\n")


def measure(url: str, rows: int, folder: Path) -> dict[str, float]:
    """Insert in every way of ours, and by hand; returns the seconds of each."""
    schema = dj.Schema("insert_ours")
    session, trial = declare(dj, schema)
    len(trial())
    session.insert(sessions(), skip_duplicates=True)
    given = list(trials(rows))
    names = list(given[0])
    file = folder / "trials.csv"
    with file.open("w", newline="") as opened:
        lines = csv.writer(opened, lineterminator="\n")
        lines.writerow(names)
        lines.writerows(row.values() for row in given)
    connection = psycopg.connect(url, autocommit=True)
    table = "insert_ours.trial"
    copy = f"COPY {table} ({', '.join(names)}) FROM STDIN"

    def by_copy() -> None:
        with connection.cursor().copy(copy) as target:
            for row in given:
                target.write_row(tuple(row.values()))

    def by_file() -> None:
        with file.open("rb") as source, connection.cursor().copy(copy + " (FORMAT csv, HEADER)") as target:
            while data := source.read(1 << 16):
                target.write(data)

    def by_sql() -> None:
        connection.execute(f"INSERT INTO {table} SELECT * FROM insert_ours.trial_copy")

    def empty() -> None:
        connection.execute(f"TRUNCATE {table}")

    connection.execute("DROP TABLE IF EXISTS insert_ours.trial_copy")
    seconds: dict[str, float] = {}

    def run(name: str, work: Callable[[], object]) -> None:
        empty()
        seconds[name] = timed(work)

    run("COPY of the dicts", by_copy)
    run("insert", lambda: trial.insert(given))
    connection.execute(f"CREATE TABLE insert_ours.trial_copy AS SELECT * FROM {table}")
    seconds["skip_duplicates"] = timed(lambda: trial.insert(given, skip_duplicates=True))
    seconds["replace"] = timed(lambda: trial.insert(given, replace=True))
    run("COPY of the file", by_file)
    run("insert of the file", lambda: trial.insert(file))
    run("INSERT SELECT by hand", by_sql)
    copied = dj.FreeTable(dj.conn(), "insert_ours.trial_copy")
    run("insert of an expression", lambda: trial.insert(copied))
    assert len(trial()) == len(given)
    connection.execute("DROP TABLE insert_ours.trial_copy")
    connection.close()
    return seconds


RATIOS = (
    ("insert", "reference: insert", "at least 4 times as fast"),
    ("skip_duplicates", "reference: skip_duplicates", "at least 4 times as fast"),
    ("replace", "reference: skip_duplicates", "at least 4 times as fast"),
    ("COPY of the dicts", "insert", "within 1.3"),
    ("COPY of the file", "insert of the file", "within 1.5"),
    ("INSERT SELECT by hand", "insert of an expression", "within 1.1"),
)


def main(rows: int = 300_000, rounds: int = 3) -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(Path(folder) / ".djcli")
        server.start()
        try:
            url = server.url()
            config["database.url"] = url
            with server.connect() as connection:
                info = connection.info
                settings = {
                    "host": info.host,
                    "port": info.port,
                    "user": info.user,
                    "password": "none",
                    "name": info.dbname,
                    "use_tls": False,
                }
            told = json.dumps({"settings": settings, "rows": rows})
            found: list[dict[str, float]] = []
            for _ in range(rounds):
                words = [sys.executable, __file__, "--theirs", told]
                done = subprocess.run(words, capture_output=True, text=True, check=False)
                if done.returncode:
                    sys.exit(done.stderr)
                reference = json.loads(done.stdout.splitlines()[-1])
                seconds = measure(url, rows, Path(folder))
                found.append(seconds | {f"reference: {name}": value for name, value in reference.items()})
            dj.conn().close()
        finally:
            server.stop()
    sys.stdout.write(f"{rows} rows, medians of {rounds} rounds\n")
    for name in found[0]:
        sys.stdout.write(f"{name:<28}{statistics.median(each[name] for each in found):>8.2f} s\n")
    for ours, other, wanted in RATIOS:
        ratio = statistics.median(each[other] / each[ours] for each in found)
        sys.stdout.write(f"{other + ' / ' + ours:<52}{ratio:>6.2f}   {wanted}\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--theirs"]:
        theirs(json.loads(sys.argv[2]))
    else:
        main(*map(int, sys.argv[1:]))
