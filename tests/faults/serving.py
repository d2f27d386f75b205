"""Helpers for tests of the embedded server: servers by the dozen, other processes, other users."""

from __future__ import annotations

import os
import pickle
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from djcli.database.embedded import EmbeddedServer
from djcli.database.processes import end_processes, find_processes
from djcli.errors import ServerError

START = """
import sys
from pathlib import Path
from djcli.database.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
started = server.start()
with server.connect() as connection:
    (one,) = connection.execute("SELECT 1").fetchone()
print(started, server.status().pid, one)
"""

BUSY = b"SELECT count(*) FROM pg_class a, pg_class b, pg_class c, pg_class d, pg_class e"


def answer(server: EmbeddedServer) -> int:
    """Read the row that every prepared server has."""
    with server.connect() as connection:
        row = connection.execute("SELECT answer FROM kept").fetchone()
    assert row is not None
    return row[0]


def pid_of(server: EmbeddedServer) -> int:
    """Return the process of a server that runs."""
    pid = server.status().pid
    assert pid is not None
    return pid


def crash(server: EmbeddedServer) -> None:
    """Kill a server and all of its processes: one that lived on for a moment could still finish what is asked."""
    data = server.status().data
    os.kill(pid_of(server), signal.SIGKILL)
    found = find_processes(data)
    if found is not None:
        end_processes(list(found.children), [(signal.SIGKILL, 5)])


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something is so; nobody tells."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.002)


def starter(folder: Path) -> subprocess.Popen[str]:
    """Start the server from another process."""
    return subprocess.Popen(
        [sys.executable, "-c", START, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


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


def call_as(name: str, function: Callable[[], Any]) -> Any:
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
