"""The embedded PostgreSQL server: the project's own, started on first use, its data in ``.djcli/``."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from djcli.database.accounts import make_private_folder, server_account
from djcli.database.cluster import NAME, PORT, Cluster
from djcli.database.processes import (
    ServerProcesses,
    end_processes,
    find_processes,
    is_alive,
    listener_at,
    locked,
    peer_of,
    try_lock,
)
from djcli.errors import ServerError

SOCKETS = Path("/tmp")
START_TIMEOUT = 60.0
_ATTEMPTS = 10

logger = logging.getLogger("djcli")


class _NotOursError(psycopg.OperationalError):
    """The server that answers works on another data folder."""


@dataclass(frozen=True)
class ServerStatus:
    """What there is to say about the embedded server."""

    running: bool
    pid: int | None
    version: str | None
    """Of the server, or of its data where it does not run."""
    data: Path
    socket: Path
    log: Path
    size: int | None
    """Bytes in the data folder."""
    started: datetime | None


class EmbeddedServer:
    """The project's own PostgreSQL server.

    Parameters
    ----------
    folder
        Where its data is kept: the project's ``.djcli/``, made when first needed.

    Notes
    -----
    Whoever starts the server holds the lock of ``start.lock``; the server and all its children hold that of
    ``server.lock`` for as long as one of them lives, on whatever machine.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.realpath(folder))
        data = Path(os.path.realpath(self.folder / "data"))
        # Paths of Unix sockets end at about 100 bytes, projects' paths do not: hence a hash, elsewhere.
        digest = hashlib.blake2b(os.fsencode(data), digest_size=8).hexdigest()
        self._cluster = Cluster(data, self.folder / "server.log", SOCKETS / f"djcli-{digest}")

    def conninfo(self) -> str:
        """Return the libpq connection string of the project's database. Starts nothing."""
        # So complete that no PG* variable has a say: an empty hostaddr overrides PGHOSTADDR; encryption
        # means nothing on a Unix socket.
        return make_conninfo(
            host=str(self._cluster.socket),
            port=PORT,
            user=NAME,
            dbname=NAME,
            hostaddr="",
            sslmode="disable",
            gssencmode="disable",
            connect_timeout="10",
        )

    def url(self) -> str:
        """Return the same as an URL, for other programs. Starts nothing."""
        return f"postgresql://{NAME}@/{NAME}?host={quote(str(self._cluster.socket), safe='')}"

    def connect(self, **kwargs: Any) -> psycopg.Connection[Any]:
        """Connect to the project's database; start the server first if it does not run.

        Parameters
        ----------
        **kwargs
            For `psycopg.connect`.

        Raises
        ------
        ServerError
            If the server cannot be started, or refuses the connection.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._attach(**kwargs)
            except psycopg.OperationalError as error:
                reason = error
            # Someone may stop it again the moment it was started; a refusal is final.
            if not self.start() and (_is_refusal(reason) or attempt > _ATTEMPTS):
                raise self._error(f"refuses the connection: {_one_line(reason)}") from reason

    def start(self) -> bool:
        """Start the server unless it runs.

        Returns
        -------
        bool
            Whether this call started it.

        Raises
        ------
        ServerError
            If it cannot be started; the message has the last words of its log.
        """
        if self._answers():
            return False
        deadline = time.monotonic() + START_TIMEOUT
        with self._guarded():
            self._make_folder()
            with locked(self.folder / "start.lock", START_TIMEOUT + 30) as start_lock:
                return not self._answers() and self._start(deadline, start_lock)

    def stop(self, timeout: float = 30) -> bool:
        """Stop the server: open transactions are rolled back, what was committed is safe.

        Parameters
        ----------
        timeout
            How many seconds it is given for that before it is stopped the hard way.

        Returns
        -------
        bool
            Whether it was running.

        Raises
        ------
        ServerError
            If it does not stop, or belongs to someone else.
        """
        with self._guarded():
            if not self._cluster.data.exists():
                return self._stop(timeout)
            server_account(self._cluster.data)
            with locked(self.folder / "start.lock", START_TIMEOUT + 30):
                return self._stop(timeout)

    def status(self) -> ServerStatus:
        """Tell whether the server runs, and where its things are. Starts nothing.

        Raises
        ------
        ServerError
            If the data belongs to someone else.
        """
        cluster = self._cluster
        with self._guarded():
            server_account(cluster.data)
            pid_file = None
            version = cluster.version()
            with suppress(psycopg.OperationalError), self._attach() as connection:
                pid_file = cluster.pid_file()
                version = connection.info.parameter_status("server_version")
            return ServerStatus(
                running=pid_file is not None,
                pid=pid_file.pid if pid_file else None,
                version=version,
                data=cluster.data,
                socket=cluster.socket,
                log=cluster.log,
                size=cluster.size() if cluster.data.exists() else None,
                started=pid_file.started if pid_file else None,
            )

    # ---- attaching --------------------------------------------------------------------------------------

    def _attach(self, **kwargs: Any) -> psycopg.Connection[Any]:
        """Connect to the server if it runs, and make sure that it is the one of our data."""
        connection = psycopg.connect(self.conninfo(), **kwargs)
        pid_file = self._cluster.pid_file()
        peer = peer_of(connection.fileno())
        if (
            pid_file is None
            or peer.pid not in (None, pid_file.pid)
            or peer.uid not in (None, self._cluster.data.stat().st_uid)
        ):
            connection.close()
            raise _NotOursError(f"the server at {self._cluster.socket} works on another data folder")
        return connection

    def _answers(self) -> bool:
        """Tell whether the server runs and takes connections."""
        try:
            self._attach().close()
        except psycopg.OperationalError:
            return False
        return True

    # ---- starting ---------------------------------------------------------------------------------------

    def _make_folder(self) -> None:
        """Make the folder, and keep it out of the user's version control."""
        server_account(self._cluster.data)
        self.folder.mkdir(parents=True, exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", "utf-8")

    def _start(self, deadline: float, start_lock: int) -> bool:
        """Start the server, or wait for one that is starting; tell which."""
        account = server_account(self._cluster.data)
        make_private_folder(self._cluster.socket, account)
        while (alive_lock := self._clear_the_way(deadline)) is None:
            if self._becomes_ready(deadline, self._processes().postmaster):
                return False
            # It was not starting but ending.
        try:
            if not account.is_caller:
                logger.info("running PostgreSQL as user %s, since it does not run as root", account.name)
            binaries = self._cluster.prepare(account, start_lock)
            log_start = self._cluster.rotate_log()
            pid = self._cluster.launch(binaries, account, alive_lock)
        finally:
            os.close(alive_lock)
        if not self._becomes_ready(deadline, pid):
            raise self._error(f"could not be started: {self._cluster.last_words(log_start)}")
        return True

    def _clear_the_way(self, deadline: float) -> int | None:
        """End what is left of earlier servers.

        Returns
        -------
        int or None
            The descriptor of the lock that the new server is to hold for life, or None where the server is
            alive after all (starting, perhaps).
        """
        while True:
            found = self._processes()
            pid_file = self._cluster.pid_file()
            if found.postmaster:
                listener = listener_at(self._socket_file)
                if (pid_file.socket == self._cluster.socket) if pid_file else (listener != found.postmaster):
                    return None
            self._end_leftovers(found)
            alive_lock = try_lock(self.folder / "server.lock")
            if alive_lock is not None:
                break
            if time.monotonic() > deadline:
                raise self._error(
                    "is in use by a process not seen here (on another machine, in a container): stop it"
                )
            time.sleep(0.05)
        # The lock is ours, so whatever these say, nobody is there.
        (self._cluster.data / "postmaster.pid").unlink(missing_ok=True)
        self._remove_socket()
        return alive_lock

    @property
    def _socket_file(self) -> Path:
        """The socket itself."""
        return self._cluster.socket / f".s.PGSQL.{PORT}"

    def _remove_socket(self) -> None:
        """Remove what a killed server left in the socket's folder."""
        self._socket_file.unlink(missing_ok=True)
        self._socket_file.with_name(f"{self._socket_file.name}.lock").unlink(missing_ok=True)

    def _processes(self) -> ServerProcesses:
        """Find the processes of the server; without ``/proc``, by its lock and its pid file."""
        found = find_processes(self._cluster.data)
        lock_file = self.folder / "server.lock"
        if found is None:
            pid_file = self._cluster.pid_file()
            if pid_file is None or not lock_file.exists():
                return ServerProcesses()
            if (lock := try_lock(lock_file)) is None:
                return ServerProcesses(pid_file.pid)
            os.close(lock)
        return found or ServerProcesses()

    def _end_leftovers(self, found: ServerProcesses) -> bool:
        """End a server whose folder was deleted or moved away, and what a killed one left behind."""
        listener = listener_at(self._socket_file)
        astray = {pid for pid in (listener, found.postmaster, *found.ghosts) if pid}
        if astray:
            logger.warning("stopping a server whose data folder was deleted or moved: %s", self.folder)
            end_processes(astray, ((signal.SIGINT, 5), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)))
        if found.children and not found.postmaster:
            # Their postmaster was killed: all they still do is to hold its shared memory.
            end_processes(found.children, ((signal.SIGQUIT, 2), (signal.SIGKILL, 5)))
        return bool(astray or found.children)

    def _becomes_ready(self, deadline: float, pid: int | None) -> bool:
        """Wait until the server takes connections and our database is there; False if it ends instead."""
        while True:
            try:
                with self._attach(dbname="postgres", autocommit=True) as connection:
                    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
                    if known.fetchone() is None:
                        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))
                return True
            except psycopg.OperationalError as error:
                reason = error
            if _is_refusal(reason):
                raise self._error(f"refuses the connection: {_one_line(reason)}") from reason
            if pid is None or not is_alive(pid):
                return False
            if time.monotonic() > deadline:
                raise self._error(
                    f"is not ready yet (see {self._cluster.log}); try again in a while: {_one_line(reason)}"
                ) from reason
            time.sleep(0.01)

    # ---- stopping ---------------------------------------------------------------------------------------

    def _stop(self, timeout: float) -> bool:
        """End the server and whatever is left of earlier ones."""
        postmaster = self._processes().postmaster
        if postmaster:
            hard = min(timeout, 5)
            end_processes(
                [postmaster], ((signal.SIGINT, timeout), (signal.SIGQUIT, hard), (signal.SIGKILL, 5))
            )
        ended = self._end_leftovers(self._processes())
        with suppress(OSError):  # another user's, or gone already
            self._remove_socket()
            self._cluster.socket.rmdir()
        return postmaster is not None or ended

    # ---- errors -----------------------------------------------------------------------------------------

    @contextmanager
    def _guarded(self) -> Generator[None]:
        """Turn what the system refuses into an error that names the server."""
        try:
            yield
        except OSError as error:
            raise self._error(
                f"cannot be used: {error}; see to the folder's permissions and to free space, "
                "or name another server with --db-url"
            ) from error

    def _error(self, what: str) -> ServerError:
        """Return an error that names the server."""
        return ServerError(f"the database server of {self.folder} {what}")


def _is_refusal(error: psycopg.OperationalError) -> bool:
    """Tell whether the server said no for good: starting up, stopping and being away all pass."""
    said = str(error)
    return "FATAL" in said and "the database system is" not in said and "terminating connection" not in said


def _one_line(error: Exception) -> str:
    """Return an error's text without its line breaks."""
    return " ".join(str(error).split())
