"""The embedded server lets in whom it should and nobody else, as root and as an ordinary user."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from djcli.database import binaries, cluster
from djcli.database.accounts import account_of, server_account
from djcli.database.binaries import WHEEL, Binaries, find_binaries
from djcli.database.embedded import EmbeddedServer
from djcli.errors import ServerError

from .serving import Servers

ROOT = os.geteuid() == 0
AsUser = Callable[[str, Callable[[], Any]], Any]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that every user can reach, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="djcli-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_root_runs_it_unprivileged(
    servers: Servers, open_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Root's server runs as another user, which is said; an ordinary user's as that user."""
    server = servers.ready(open_folder / "project" / ".djcli")
    with caplog.at_level(logging.INFO, logger="djcli"):
        server.start()
    status = server.status()
    owner = status.data.stat().st_uid
    assert owner != 0
    assert Path("/proc", str(status.pid)).stat().st_uid == owner
    assert ("running PostgreSQL as user" in caplog.text) is ROOT
    assert server_account(status.data).uid == owner


@pytest.mark.skipif(not ROOT, reason="only root runs the server as someone else")
def test_closed_folders_above_stay_closed(servers: Servers, tmp_path: Path) -> None:
    """A project that the server's user cannot reach (in /root) works, and no permission is widened."""
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    folder = closed / "project" / ".djcli"
    folder.parent.mkdir(0o700)
    server = servers.fresh(folder)
    with server.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT 1")
    assert not server_account(server.status().data).reaches(server.status().data)
    assert closed.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700


def test_ordinary_user(servers: Servers, as_user: AsUser, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user's server is that user's; root may use it, and does not take it over."""
    user = "nobody"
    account = account_of(pwd.getpwnam(user).pw_uid)
    # Found as root, since the wheel itself may be in a folder that is closed to the user.
    found = find_binaries(account)

    def find(*_: object) -> Binaries:
        return found

    monkeypatch.setattr(cluster, "find_binaries", find)
    project = Path(tempfile.mkdtemp(prefix="djcli-test-"))
    project.chmod(0o755)
    os.chown(project, account.uid, account.gid)

    def use() -> str:
        with EmbeddedServer(project / ".djcli").connect() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS t (x int)")
        return "fine"

    server = servers.fresh(project / ".djcli")
    try:
        assert as_user(user, use) == "fine"
        assert not server.start()
        assert server.stop()
        with server.connect() as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
        assert {path.lstat().st_uid for path in project.rglob("*")} == {account.uid}
        assert as_user(user, use) == "fine"
        with pytest.raises(
            ServerError, match="belongs to user nobody, not to you: run djcli as nobody or root"
        ):
            as_user("daemon", server.start)
        with pytest.raises(ServerError, match=r"nobody"):
            as_user("daemon", server.stop)
        assert as_user(user, server.stop)
    finally:
        server.stop()
        shutil.rmtree(project)


def test_others_cannot_log_in(servers: Servers, tmp_path: Path, as_user: AsUser) -> None:
    """Another user is kept from the socket, and would be refused at it."""
    server = servers.ready(tmp_path / ".djcli")
    server.start()
    folder = server.status().socket

    def log_in() -> None:
        psycopg.connect(server.url()).close()

    with pytest.raises(ServerError, match="Permission denied"):
        as_user("daemon", log_in)
    folder.chmod(0o755)
    (folder / ".s.PGSQL.5432").chmod(0o777)
    with pytest.raises(ServerError, match="Peer authentication failed"):
        as_user("daemon", log_in)
    log_in()


def test_socket_folder_of_someone_else(servers: Servers, tmp_path: Path) -> None:
    """What someone has laid where the socket belongs is not used: root takes the place, others are told."""
    server = servers.ready(tmp_path / ".djcli")
    socket = server.status().socket
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "bait").touch()
    socket.symlink_to(trap)
    try:
        if ROOT:
            server.start()
            assert stat_of(socket) == (server.status().data.stat().st_uid, 0o700)
        else:
            with pytest.raises(ServerError, match="is not a folder of user"):
                server.start()
        assert [path.name for path in trap.iterdir()] == ["bait"]
    finally:
        if socket.is_symlink():
            socket.unlink()


def test_ordinary_user_is_told_of_a_foreign_socket_folder(as_user: AsUser) -> None:
    """A folder of another user where the socket belongs is an error that names it."""
    project = Path(tempfile.mkdtemp(prefix="djcli-test-"))
    os.chown(project, pwd.getpwnam("nobody").pw_uid, -1)
    server = EmbeddedServer(project / ".djcli")
    socket = server.status().socket
    socket.mkdir(0o777)
    try:
        with pytest.raises(ServerError, match=f"{socket}.* is not a folder of user nobody"):
            as_user("nobody", server.start)
    finally:
        socket.rmdir()
        shutil.rmtree(project)


def stat_of(folder: Path) -> tuple[int, int]:
    """Return a folder's owner and permissions."""
    status = folder.lstat()
    return status.st_uid, status.st_mode & 0o777


def test_programs_that_cannot_be_run_where_they_are(
    servers: Servers, open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation closed to the server's user, or in a folder with a name for the shell, is copied."""
    distribution = importlib.metadata.distribution(WHEEL)
    site = tmp_path / "$(touch pwned)" / "site-packages"
    for file in distribution.files or []:
        if "/pginstall/" in str(file) or "/include/" in str(file):
            continue
        copy = site / str(file)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(str(file.locate()), copy)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    monkeypatch.setattr(binaries, "SHARED_CACHE", open_folder / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(open_folder / "cache"))
    server = servers.fresh(open_folder / ".djcli")
    with server.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    program = Path("/proc", str(server.status().pid), "exe").readlink()
    assert program.is_relative_to(open_folder / "cache")
    server.stop()
    before = program.stat().st_mtime_ns
    server.start()
    assert program.stat().st_mtime_ns == before
    server.stop()
    assert not list(tmp_path.rglob("pwned"))


def test_wheel_missing(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel, the error says what to install."""
    monkeypatch.setattr(binaries, "WHEEL", "no-such-wheel")
    with pytest.raises(ServerError, match="pip install no-such-wheel"):
        servers.fresh(tmp_path / ".djcli").start()


def test_read_only_project(as_user: AsUser) -> None:
    """A project that the user cannot write gives one line."""
    project = Path(tempfile.mkdtemp(prefix="djcli-test-"))
    project.chmod(0o755)
    try:
        with pytest.raises(ServerError, match=r"cannot be used: .*Permission denied.*permissions") as caught:
            as_user("nobody", EmbeddedServer(project / ".djcli").start)
        assert "\n" not in str(caught.value)
    finally:
        shutil.rmtree(project)
