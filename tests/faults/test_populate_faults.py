"""A populate that is killed, loses its server, finds the disk full, or meets another: rows are counted afterwards."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from djcli.database.embedded import EmbeddedServer

from .serving import Servers, pid_of, wait_for

PIPELINE = '''
import random
import sys
import time

import djcli as dj
from djcli.settings import config

schema = dj.Schema("faulty")


@schema
class Item(dj.Manual):
    definition = """
    item : int32
    ---
    weight : float64
    """


@schema
class Made(dj.Computed):
    definition = """
    -> Item
    ---
    twice : float64
    """

    class Bit(dj.Part):
        definition = """
        -> master
        bit : int32
        ---
        text = '' : varchar(8000)
        """

    length = 0
    seconds = 0.0

    def make(self, key):
        time.sleep(self.seconds)
        weight = (Item & key).fetch1("weight")
        self.insert1({**key, "twice": 2 * weight})
        text = random.Random(key["item"]).randbytes(self.length // 2).hex()
        self.Bit.insert({**key, "bit": bit, "text": text} for bit in range(3))
'''

MAIN = """
config["database.url"] = sys.argv[1]
Made.length, Made.seconds = int(sys.argv[2]), float(sys.argv[3])
print("ready", flush=True)
found = Made.populate(suppress_errors=True)
print(found["success_count"], found["error_list"], flush=True)
"""


def start(url: str, length: int = 5, seconds: float = 0.0) -> subprocess.Popen[str]:
    """Start a populate in a process of its own, and return when it is about to begin."""
    process = subprocess.Popen(
        [sys.executable, "-c", PIPELINE + MAIN, url, str(length), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end of a populate; returns its exit code, its last line, and what it said."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out.strip(), err


def fill(url: str, items: int) -> None:
    """Declare the tables and insert items."""
    text = f"{PIPELINE}\nconfig['database.url'] = sys.argv[1]\nlen(Made()), len(Made.Bit())\n"
    text += f"Item.insert((i, i / 2) for i in range({items}))\n"
    subprocess.run([sys.executable, "-c", text, url], check=True)


class Rows:
    """Looks at the tables from outside."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    def one(self, statement: str) -> int:
        row = self.connection.execute(statement.encode()).fetchone()
        assert row is not None
        return int(row[0])

    @property
    def made(self) -> int:
        """The rows of the master; before that, that every one of them has all of its parts."""
        row = self.connection.execute(
            "SELECT (SELECT count(*) FROM faulty.__made), (SELECT count(*) FROM faulty.__made__bit),"
            " (SELECT count(*) FROM (SELECT FROM faulty.__made m LEFT JOIN faulty.__made__bit b USING (item)"
            " GROUP BY item HAVING count(b.bit) <> 3) AS half)"  # all as one moment sees it
        ).fetchone()
        assert row is not None
        made, bits, half = row
        assert (bits, half) == (3 * made, 0)
        return made

    def wait_for_others(self) -> None:
        """Wait until the server has noticed that its client is gone."""
        wait_for(
            lambda: (
                not self.one(
                    "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    " AND datname = current_database() AND backend_type = 'client backend'"
                )
            )
        )


@contextmanager
def looking(url: str) -> Iterator[Rows]:
    rows = Rows(url)
    try:
        yield rows
    finally:
        rows.connection.close()


def test_a_killed_populate_leaves_whole_keys(database_url: str, soak: Callable[[int, int], int]) -> None:
    items = 3_000
    fill(database_url, items)
    dice = random.Random(7)
    began = time.monotonic()
    assert finish(start(database_url))[:2] == (0, f"{items} []")
    whole = time.monotonic() - began
    counts: list[int] = []
    with looking(database_url) as rows:
        for _ in range(soak(5, 200)):
            if not counts or counts[-1] == items:
                rows.connection.execute("TRUNCATE faulty.__made CASCADE")
            process = start(database_url)
            time.sleep(dice.random() * 0.4 * whole)  # no moment of it is to be told apart
            process.kill()
            process.communicate()
            rows.wait_for_others()
            counts.append(rows.made)
        assert any(0 < count < items for count in counts)
        left = items - counts[-1]
        assert finish(start(database_url))[:2] == (0, f"{left} []")
        assert rows.made == items


def test_two_populates_share_the_keys(database_url: str) -> None:
    items = 1_500
    fill(database_url, items)
    both = [start(database_url, seconds=0.0005), start(database_url, seconds=0.0005)]
    ends = [finish(process) for process in both]
    assert [code for code, _, _ in ends] == [0, 0]
    counts = [int(line.partition(" ")[0]) for _, line, _ in ends]
    assert sum(counts) == items
    assert min(counts) > 0
    assert all(line.endswith(" []") for _, line, _ in ends)
    with looking(database_url) as rows:
        assert rows.made == items


def test_a_server_that_crashes_meanwhile(servers: Servers, tmp_path: Path) -> None:
    """Whoever populates goes on by itself when the server is back."""
    server = servers.ready(tmp_path / ".djcli")
    server.start()
    items = 600
    fill(server.url(), items)
    process = start(server.url(), seconds=0.002)
    with looking(server.url()) as rows:
        wait_for(lambda: rows.made > 20)
    os.kill(pid_of(server), signal.SIGQUIT)  # stops as `pg_ctl stop -m immediate` does
    wait_for(lambda: not is_up(server))
    server.start()
    code, line, said = finish(process)
    assert code == 0, said
    assert line.endswith(" []")
    with looking(server.url()) as rows:
        assert rows.made == items
    # what was committed when the answer was lost counts for nobody
    assert items - 1_000 <= int(line.partition(" ")[0]) <= items


def is_up(server: EmbeddedServer) -> bool:
    return server.status().pid is not None


def test_a_full_disk_is_one_clear_error(servers: Servers, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a small disk")
    small = Path(tempfile.mkdtemp(prefix="djcli-small-"))  # not in tmp_path, which the server may not enter
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)], check=False).returncode:
        small.rmdir()
        pytest.skip("no small disk can be mounted here")
    try:
        fill_the_disk(servers.ready(tmp_path / ".djcli"), small)
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
        small.rmdir()


def fill_the_disk(server: EmbeddedServer, small: Path) -> None:
    """Populate until there is no room, then make room and populate again."""
    server.start()
    url, items = server.url(), 400
    fill(url, items)
    data = server.status().data
    os.chown(small, data.stat().st_uid, data.stat().st_gid)
    small.chmod(0o700)
    with looking(url) as rows:
        rows.connection.execute(f"CREATE TABLESPACE small LOCATION '{small}'".encode())
        rows.connection.execute("ALTER TABLE faulty.__made__bit SET TABLESPACE small")
        code, _, said = finish(start(url, length=4_000, seconds=0.001))
        assert code == 1
        assert (
            said.strip().splitlines()[-1].startswith("djcli.errors.ServerError: the database's disk is full")
        )
        made = rows.made
        assert 0 < made < items
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        assert finish(start(url, length=4_000))[:2] == (0, f"{items - made} []")
        assert rows.made == items
        rows.connection.execute("ALTER TABLE faulty.__made__bit SET TABLESPACE pg_default")
        rows.connection.execute("DROP TABLESPACE small")
    server.stop()
