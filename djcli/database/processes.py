"""Processes of an embedded server: finding them by their working directory, ending them, and file locks."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from djcli.database.accounts import open_owned
from djcli.errors import ServerError

PROC = Path("/proc")
_POLL = 0.01


@dataclass(frozen=True)
class ServerProcesses:
    """The PostgreSQL processes that work in one data folder."""

    postmaster: int | None = None
    children: tuple[int, ...] = ()
    """Of a live postmaster, or left behind by a dead one."""
    ghosts: tuple[int, ...] = ()
    """Processes of a server whose data folder was deleted; its path is now free or another's."""


def find_processes(data: Path) -> ServerProcesses | None:
    """Find the PostgreSQL processes that work in a data folder, or None where there is no ``/proc``."""
    if not (PROC / "self" / "cwd").exists():
        return None
    titled: list[int] = []
    parents: dict[int, int] = {}
    ghosts: list[int] = []
    for entry in os.scandir(PROC):
        if not entry.name.isdecimal():
            continue
        pid = int(entry.name)
        # A process that ended meanwhile or is another user's is none of ours.
        with suppress(OSError):
            folder = str(Path(entry.path, "cwd").readlink())
            if not folder.startswith(str(data)) or Path(entry.path, "comm").read_bytes() != b"postgres\n":
                continue
            if folder == f"{data} (deleted)":
                ghosts.append(pid)
            elif folder == str(data):
                parents[pid] = int(_stat_fields(pid)[1])
                # Children call themselves "postgres: what they do", though not from their first moment.
                if Path(entry.path, "cmdline").read_bytes().startswith(b"postgres: "):
                    titled.append(pid)
    masters = [pid for pid, parent in parents.items() if pid not in titled and parent not in parents]
    children = tuple(pid for pid in parents if pid not in masters)
    return ServerProcesses(masters[0] if masters else None, children, tuple(ghosts))


def _stat_fields(pid: int) -> list[bytes]:
    """Return what ``/proc`` says of a process: its state, its parent, and more."""
    # They follow the name, which is in parentheses and may hold any character.
    return Path(PROC, str(pid), "stat").read_bytes().rpartition(b")")[2].split()


def is_alive(pid: int) -> bool:
    """Tell whether a process is there and has not ended; one of our own that has is reaped."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return _stat_fields(pid)[0] not in (b"Z", b"X")
    except OSError:
        return not PROC.joinpath("self", "stat").exists()


def end_processes(pids: Iterable[int], steps: Iterable[tuple[signal.Signals, float]]) -> None:
    """Send signals, one after the other, until all of the processes have ended.

    Parameters
    ----------
    pids
        The processes.
    steps
        The signals, the gentlest first, and how many seconds each is given.

    Raises
    ------
    ServerError
        If one of them outlives even the last signal, or may not be signalled.
    """
    left = list(pids)
    for number, patience in steps:
        for pid in left:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
            except PermissionError as error:
                raise ServerError(
                    f"server process {pid} is another user's and you may not stop it: ask its owner"
                ) from error
        deadline = time.monotonic() + patience
        while left := [pid for pid in left if is_alive(pid)]:
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL)
        else:
            return
    raise ServerError(f"server process {', '.join(map(str, left))} does not end: stop it by hand")


@dataclass(frozen=True)
class Peer:
    """The process that listens at the other end of a Unix socket, as far as the system tells."""

    pid: int | None
    uid: int | None


def peer_of(descriptor: int) -> Peer:
    """Return which process listens at the other end of a connected Unix socket."""
    with socket.socket(fileno=os.dup(descriptor)) as peer:
        if sys.platform == "linux":
            credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            pid, uid, _ = struct.unpack("3i", credentials)
            return Peer(pid, uid)
        if sys.platform == "darwin":
            return Peer(peer.getsockopt(0, 2), None)  # SOL_LOCAL, LOCAL_PEERPID
        return Peer(None, None)


def listener_at(path: Path) -> int | None:
    """Return which PostgreSQL server listens at a Unix socket, or None where none does.

    It counts only if it runs as the owner of the socket's folder, and the socket is no link: no other program
    must be made to look like a server, and be ended.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            if not stat.S_ISSOCK(path.lstat().st_mode):
                return None
            client.settimeout(1)
            client.connect(str(path))
            peer = peer_of(client.fileno())
            if peer.pid and PROC.joinpath(str(peer.pid)).exists():
                owner = path.parent.lstat().st_uid
                if peer.uid != owner or PROC.joinpath(str(peer.pid), "comm").read_bytes() != b"postgres\n":
                    return None
        except OSError:
            return None
    return peer.pid


def try_lock(path: Path) -> int | None:
    """Take the lock of a file and return its open descriptor, or None where someone has it.

    The lock lasts as long as the descriptor is open in any process that inherited it.

    Raises
    ------
    ServerError
        If the file system knows no locks.
    """
    descriptor = open_owned(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        os.close(descriptor)
        raise ServerError(
            f"the file system of {path.parent} cannot lock files ({error.strerror}), so no database is safe "
            "there: move the project to a local disk, or name another server with --db-url"
        ) from error
    return descriptor


@contextmanager
def locked(path: Path, timeout: float) -> Generator[int]:
    """Hold the lock of a file; the value is its descriptor.

    Raises
    ------
    ServerError
        If someone else keeps the lock for `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while (descriptor := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise ServerError(
                f"another djcli has been starting or stopping the server for {timeout:.0f} s "
                f"(it holds {path}): end that process, then try again"
            )
        time.sleep(_POLL)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
