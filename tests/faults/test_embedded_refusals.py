"""What the embedded server refuses, and that it says why in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from djcli.database import embedded
from djcli.database.cluster import LOG_LIMIT
from djcli.database.processes import try_lock
from djcli.errors import ServerError

from .serving import START, Servers, answer, starter


def test_log_is_bounded(servers: Servers, tmp_path: Path) -> None:
    """A log that has grown is put aside at the next start; errors of statements do not fill it."""
    server = servers.ready(tmp_path / ".djcli")
    log = server.status().log
    log.write_bytes(b"x" * (LOG_LIMIT + 1))
    with server.connect(autocommit=True) as connection:
        for _ in range(3):
            with pytest.raises(psycopg.errors.UndefinedTable):
                connection.execute("SELECT * FROM missing_table")
    assert log.stat().st_size < 10_000
    assert log.with_name("server.log.old").stat().st_size == LOG_LIMIT + 1
    assert "missing_table" not in log.read_text()


def test_other_version(servers: Servers, tmp_path: Path) -> None:
    """Data of another major version is left alone, with advice."""
    server = servers.ready(tmp_path / ".djcli")
    version = server.status().data / "PG_VERSION"
    version.write_text("13\n")
    with pytest.raises(ServerError, match=r"made by PostgreSQL 13, and this is 18: save it with pg_dump"):
        server.connect()
    version.write_text("18\n")
    assert answer(server) == 42


def test_folder_with_something_else(servers: Servers, tmp_path: Path) -> None:
    """A data folder that is none is not touched."""
    data = tmp_path / ".djcli" / "data"
    data.mkdir(parents=True)
    (data / "thesis.txt").write_text("years of work")
    with pytest.raises(ServerError, match="holds no PostgreSQL data: move it away"):
        servers.fresh(tmp_path / ".djcli").connect()
    assert (data / "thesis.txt").read_text() == "years of work"


def test_broken_settings(servers: Servers, tmp_path: Path) -> None:
    """A server that ends at once says why, at once."""
    server = servers.ready(tmp_path / ".djcli")
    conf = server.status().data / "postgresql.conf"
    good = conf.read_text()
    conf.write_text(f"{good}\nshared_buffers = 'plenty'\n")
    begin = time.monotonic()
    with pytest.raises(
        ServerError, match=r"could not be started: LOG:  invalid value for .*shared_buffers.*plenty"
    ) as caught:
        server.connect()
    assert time.monotonic() - begin < 20
    assert "\n" not in str(caught.value)
    conf.write_text(good)
    assert answer(server) == 42


def test_disk_full(servers: Servers, tmp_path: Path) -> None:
    """Where there is no room for the data, the error says so and nothing half-made stays."""
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n" + START
    server = servers.fresh(tmp_path / ".djcli")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / ".djcli")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "could not be made" in done.stderr.splitlines()[-1]
    assert sorted(path.name for path in (tmp_path / ".djcli").iterdir()) == [
        ".gitignore",
        "server.lock",
        "start.lock",
    ]
    server.start()


def test_used_from_elsewhere(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data that a server on another machine has open (it holds the lock) is not opened twice."""
    monkeypatch.setattr(embedded, "START_TIMEOUT", 0.2)
    server = servers.ready(tmp_path / ".djcli")
    lock = try_lock(tmp_path / ".djcli" / "server.lock")
    assert lock is not None
    with pytest.raises(ServerError, match="on another machine, in a container"):
        server.connect()
    os.close(lock)
    monkeypatch.undo()
    assert answer(server) == 42


def test_the_servers_lock_lasts_as_long_as_the_server(servers: Servers, tmp_path: Path) -> None:
    """The lock that tells other machines of the server is the server's, not its starter's."""
    server = servers.ready(tmp_path / ".djcli")
    with starter(tmp_path / ".djcli") as process:
        process.communicate(timeout=60)
    assert try_lock(tmp_path / ".djcli" / "server.lock") is None
    server.stop()
    lock = try_lock(tmp_path / ".djcli" / "server.lock")
    assert lock is not None
    os.close(lock)


def test_refused_connection(servers: Servers, tmp_path: Path) -> None:
    """A refusal of the server's is passed on at once."""
    server = servers.ready(tmp_path / ".djcli")
    begin = time.monotonic()
    for _ in range(2):
        with pytest.raises(ServerError, match=r'refuses the connection: .*database "none" does not exist'):
            server.connect(dbname="none")
    assert time.monotonic() - begin < 20
    assert server.status().running


def test_no_space_left(servers: Servers, tmp_path: Path) -> None:
    """A full disk is called by its name."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", tmp_path], check=False)
    if mounted.returncode != 0:
        pytest.skip("cannot mount a small disk here")
    try:
        with pytest.raises(ServerError, match=r"could not be made: .*No space left on device"):
            servers.fresh(tmp_path / ".djcli").start()
        assert not (tmp_path / ".djcli" / "data.new").exists()
    finally:
        subprocess.run(["umount", tmp_path], check=True)
