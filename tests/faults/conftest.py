"""Fixtures for tests that break things: servers of their own, and other users."""

from __future__ import annotations

import os
import pickle
import pwd
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from djcli.database.embedded import EmbeddedServer
from djcli.database.processes import end_processes, find_processes
from djcli.errors import ServerError


class Servers:
    """Makes servers, and ends them all."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self._made: list[EmbeddedServer] = []

    def fresh(self, folder: Path) -> EmbeddedServer:
        """Return a server that has no folder yet."""
        server = EmbeddedServer(folder)
        self._made.append(server)
        return server

    def ready(self, folder: Path) -> EmbeddedServer:
        """Return a server that has data but does not run: table ``kept`` with one row."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self._source, folder, symlinks=True)
        return self.fresh(folder)

    def end(self) -> None:
        """Stop all servers, whatever the test has left of them."""
        for server in self._made:
            try:
                server.stop(timeout=5)
            except ServerError:
                found = find_processes(server.status().data)
                pids = (found.postmaster, *found.children, *found.ghosts) if found else ()
                end_processes([pid for pid in pids if pid], [(signal.SIGKILL, 5)])


@pytest.fixture(scope="session")
def prepared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a stopped server's data, to be copied: quicker than making one each time."""
    folder = tmp_path_factory.mktemp("prepared") / ".djcli"
    server = EmbeddedServer(folder)
    try:
        with server.connect() as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    finally:
        server.stop()
    return folder


@pytest.fixture
def servers(prepared_folder: Path) -> Iterator[Servers]:
    """Make servers for this test."""
    made = Servers(prepared_folder)
    yield made
    made.end()


@pytest.fixture
def as_user() -> Callable[[str, Callable[[], Any]], Any]:
    """Call a function as another user, and return its result or raise its error; for root only."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    return _call_as


def _call_as(name: str, function: Callable[[], Any]) -> Any:
    """Call a function in a child process that gave up being root."""
    # Forked, not executed: the interpreter itself may be where that user cannot reach it.
    user = pwd.getpwnam(name)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            result = (True, function())
        except Exception as error:  # noqa: BLE001 - handed to the parent, which raises it
            result = (False, ServerError(f"{type(error).__name__}: {error}"))
        os.write(writing, pickle.dumps(result))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        succeeded, value = pickle.loads(pipe.read())  # noqa: S301 - our own child's
    os.waitpid(child, 0)
    if not succeeded:
        raise value
    return value
