"""The embedded server survives what machines and people do to it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from djcli.database import processes
from djcli.database.processes import is_alive
from djcli.errors import ServerError

from .serving import Servers, answer, pid_of, starter, wait_for

BUSY = b"SELECT count(*) FROM pg_class a, pg_class b, pg_class c, pg_class d, pg_class e"


@pytest.fixture(scope="module")
def wanderer(prepared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the prepared folder once, to be moved from name to name."""
    return shutil.copytree(prepared_folder, tmp_path_factory.mktemp("wanderer") / ".djcli")


def test_first_use(servers: Servers, tmp_path: Path) -> None:
    """A fresh folder becomes a server; settings, files and permissions are as promised."""
    folder = tmp_path / "project" / ".djcli"
    above = {parent: parent.stat().st_mode for parent in folder.parent.parents}
    server = servers.fresh(folder)
    status = server.status()
    assert (status.running, status.pid, status.version, status.size) == (False, None, None, None)
    assert not folder.exists()
    with server.connect() as connection:
        assert connection.info.server_version // 10000 == 18
        names = ("fsync", "synchronous_commit", "timezone", "listen_addresses", "server_encoding")
        row = connection.execute(f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}")
        assert row.fetchone() == ("on", "on", "UTC", "", "UTF8")
        locale = (
            "SELECT datname, datlocprovider, datlocale FROM pg_database WHERE datname = current_database()"
        )
        assert connection.execute(locale).fetchone() == ("djcli", "b", "C.UTF-8")
        assert not server.start()
    status = server.status()
    assert status.running
    assert status.version is not None
    assert status.version.startswith("18.")
    assert status.size is not None
    assert status.size > 1_000_000
    assert status.started is not None
    assert folder.joinpath(".gitignore").read_text() == "*\n"
    assert status.data.stat().st_mode & 0o777 == 0o700
    assert status.socket.stat().st_mode & 0o777 == 0o700
    assert status.log.stat().st_mode & 0o777 == 0o600
    assert {parent: parent.stat().st_mode for parent in above} == above
    with psycopg.connect(server.url()) as connection:
        assert connection.info.user == "djcli"


@pytest.mark.parametrize(
    "name",
    [
        "with space and 'single' and \"double\" quotes",
        "$(touch pwned) `touch pwned` ; touch pwned",
        "back\\slash\\",
        "größe-数据-🐘",
        "line\rfeed\x0b\x85\u2028",
        "new\nline",
        "-D",
        "%41 100%s {}",
        "x" * 200,
    ],
    ids=["quotes", "shell", "backslash", "non-ascii", "line-breaks", "newline", "option", "percent", "long"],
)
def test_odd_paths(servers: Servers, tmp_path: Path, wanderer: Path, name: str) -> None:
    """The name of a project's folder is nobody's business."""
    folder = tmp_path / name / ".djcli"
    folder.parent.mkdir()
    wanderer.rename(folder)
    server = servers.fresh(folder)
    try:
        assert answer(server) == 42
        assert not server.start()
        assert server.stop()
        assert sorted(path.name for path in tmp_path.iterdir()) == [name]
        assert not Path("pwned").exists()
    finally:
        server.stop()
        folder.rename(wanderer)


def test_six_processes_start_one_server(servers: Servers, tmp_path: Path) -> None:
    """Six processes that come at once to a fresh folder get one server."""
    servers.fresh(tmp_path / ".djcli")
    starters = [starter(tmp_path / ".djcli") for _ in range(6)]
    outputs = [process.communicate(timeout=90) for process in starters]
    assert [process.returncode for process in starters] == [0] * 6, outputs
    words = [output.split() for output, _ in outputs]
    assert sorted(started for started, _, _ in words) == ["False"] * 5 + ["True"]
    assert len({pid for _, pid, _ in words}) == 1


def test_killed_with_a_busy_connection(servers: Servers, tmp_path: Path) -> None:
    """After kill -9, a backend that still computes is ended, and what was committed is there."""
    server = servers.ready(tmp_path / ".djcli")
    connection = server.connect(autocommit=True)
    connection.execute("CREATE TABLE later AS SELECT 1")
    connection.execute("SET max_parallel_workers_per_gather = 0")
    connection.pgconn.send_query(BUSY)
    connection.pgconn.flush()
    orphan = connection.info.backend_pid
    with server.connect() as other:
        state = "SELECT state = 'active' AND query LIKE %s FROM pg_stat_activity WHERE pid = %s"
        wait_for(lambda: other.execute(state, ["SELECT count%", orphan]).fetchone() == (True,))
    postmaster = pid_of(server)
    os.kill(postmaster, signal.SIGKILL)
    wait_for(lambda: not is_alive(postmaster))
    assert is_alive(orphan)
    assert answer(server) == 42
    with server.connect() as again:
        assert again.execute("SELECT count(*) FROM later").fetchone() == (1,)
    assert not is_alive(orphan)
    connection.close()


@pytest.mark.soak
def test_killed_many_times(servers: Servers, tmp_path: Path, soak: Callable[[int, int], int]) -> None:
    """Every committed row survives every kill."""
    server = servers.ready(tmp_path / ".djcli")
    rounds = soak(4, 100)
    for number in range(rounds):
        with server.connect() as connection:
            connection.execute("INSERT INTO kept VALUES (%s)", [number])
        os.kill(pid_of(server), (signal.SIGKILL, signal.SIGQUIT)[number % 2])
    with server.connect() as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (rounds + 1,)


def test_stale_pid_file(servers: Servers, tmp_path: Path) -> None:
    """A pid file of a server that is gone does not matter, whoever has its number now."""
    server = servers.ready(tmp_path / ".djcli")
    status = server.status()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        for pid in (2**22 - 1, stranger.pid, os.getpid()):
            text = f"{pid}\n{status.data}\n1700000000\n5432\n{status.socket}\n\n  1234567   0\nready   \n"
            (status.data / "postmaster.pid").write_text(text)
            assert not server.status().running
            assert not server.stop()
            assert answer(server) == 42
            assert server.stop()
            assert stranger.poll() is None
        stranger.kill()


def test_without_proc(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system shows no processes, as on macOS, the lock and the pid file do."""
    monkeypatch.setattr(processes, "PROC", Path("/nonexistent"))
    server = servers.ready(tmp_path / ".djcli")
    (server.status().data / "postmaster.pid").write_text(f"{os.getpid()}\n/x\n1700000000\n5432\n/x\n\n")
    assert answer(server) == 42
    assert not server.start()
    os.kill(pid_of(server), signal.SIGKILL)
    assert answer(server) == 42
    shutil.rmtree(tmp_path / ".djcli")
    with server.connect() as connection:
        assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)
    assert server.stop()
    assert not server.stop()


def test_pid_file_removed_while_running(servers: Servers, tmp_path: Path) -> None:
    """A server whose pid file someone removed is replaced at once; it would end itself within a minute."""
    server = servers.ready(tmp_path / ".djcli")
    server.start()
    old = pid_of(server)
    (server.status().data / "postmaster.pid").unlink()
    assert answer(server) == 42
    assert not is_alive(old)


def test_used_and_stopped_by_many(servers: Servers, tmp_path: Path) -> None:
    """Those who come while others stop the server get a connection, and only the server is signalled."""
    server = servers.ready(tmp_path / ".djcli")
    server.start()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            answers = [pool.submit(answer, server) for _ in range(12)]
            stops = [pool.submit(server.stop) for _ in range(2)]
            broken = [future for future in answers if isinstance(future.exception(), ServerError)]
            assert broken == []
            assert {future.exception() for future in stops} == {None}
    assert answer(server) == 42


def test_folder_deleted_while_running(servers: Servers, tmp_path: Path) -> None:
    """A server whose folder is gone is ended and not mistaken for the new one's."""
    server = servers.ready(tmp_path / ".djcli")
    assert answer(server) == 42
    old = pid_of(server)
    shutil.rmtree(tmp_path / ".djcli")
    assert not server.status().running
    with server.connect() as connection:
        assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)
    assert not is_alive(old)
    assert pid_of(server) != old


def test_folder_deleted_then_stopped(servers: Servers, tmp_path: Path) -> None:
    """Even a server whose folder is gone can be stopped."""
    server = servers.ready(tmp_path / ".djcli")
    server.start()
    old = pid_of(server)
    shutil.rmtree(tmp_path / ".djcli")
    assert server.stop()
    assert not is_alive(old)
    assert not server.stop()
    assert not (tmp_path / ".djcli").exists()


def test_folder_moved_while_running(servers: Servers, tmp_path: Path) -> None:
    """The data moves with its folder; the old place starts with nothing."""
    server = servers.ready(tmp_path / "old" / ".djcli")
    server.start()
    (tmp_path / "old").rename(tmp_path / "new")
    moved = servers.fresh(tmp_path / "new" / ".djcli")
    assert answer(moved) == 42
    (tmp_path / "new").rename(tmp_path / "newer")
    with servers.fresh(tmp_path / "new" / ".djcli").connect() as connection:
        assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)
    assert answer(servers.fresh(tmp_path / "newer" / ".djcli")) == 42


def test_folder_copied_while_running(servers: Servers, tmp_path: Path) -> None:
    """A copy, pid file and all, gets a server of its own."""
    server = servers.ready(tmp_path / "one" / ".djcli")
    with server.connect(autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    original = pid_of(server)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    copy = servers.fresh(tmp_path / "two" / ".djcli")
    with copy.connect() as connection:
        connection.execute("UPDATE kept SET answer = 43")
    assert answer(copy) == 43
    assert answer(server) == 42
    assert pid_of(server) == original != pid_of(copy)


def test_killed_while_the_data_is_made(servers: Servers, tmp_path: Path) -> None:
    """What a killed first start leaves behind is thrown away, once it is really dead."""
    server = servers.fresh(tmp_path / ".djcli")
    with starter(tmp_path / ".djcli") as process:
        wait_for((tmp_path / ".djcli" / "data.new" / "PG_VERSION").exists)
        process.kill()
    with server.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not (tmp_path / ".djcli" / "data.new").exists()


def test_killed_while_the_server_starts(servers: Servers, tmp_path: Path) -> None:
    """A server that lost its starter is used, not doubled."""
    server = servers.ready(tmp_path / ".djcli")
    with starter(tmp_path / ".djcli") as process:
        wait_for((tmp_path / ".djcli" / "data" / "postmaster.pid").exists)
        process.kill()
    pid = int((tmp_path / ".djcli" / "data" / "postmaster.pid").read_text().split()[0])
    assert answer(server) == 42
    assert pid_of(server) == pid


def test_stop(servers: Servers, tmp_path: Path) -> None:
    """Stopping breaks off open transactions, and is done once."""
    server = servers.ready(tmp_path / ".djcli")
    connection = server.connect()
    connection.execute("UPDATE kept SET answer = 43")
    assert server.stop()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    status = server.status()
    assert (status.running, status.pid, status.version) == (False, None, "18")
    assert not status.socket.exists()
    assert not server.stop()
    assert answer(server) == 42


def test_a_frozen_server_is_stopped_the_hard_way(servers: Servers, tmp_path: Path) -> None:
    """A server that does not react is killed, and nothing committed is lost."""
    server = servers.ready(tmp_path / ".djcli")
    server.start()
    pid = pid_of(server)
    os.kill(pid, signal.SIGSTOP)
    assert server.stop(timeout=0.1)
    assert not is_alive(pid)
    assert answer(server) == 42


def test_clients_environment_has_no_say(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables for another server change nothing."""
    for name, value in {
        "PGHOST": "db.example.org",
        "PGHOSTADDR": "192.0.2.1",
        "PGPORT": "1",
        "PGUSER": "someone",
        "PGDATABASE": "something",
        "PGDATA": "/nonexistent",
        "PGSSLMODE": "verify-full",
        "PGGSSENCMODE": "require",
        "LC_ALL": "xx_XX.UTF-8",
        "TZ": "Asia/Tokyo",
    }.items():
        monkeypatch.setenv(name, value)
    server = servers.fresh(tmp_path / ".djcli")
    with server.connect() as connection:
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)
