"""A cluster, in PostgreSQL's sense: one data folder, how it is made, and how a server is started on it."""

from __future__ import annotations

import logging
import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from djcli.database.accounts import Account, give_tree, make_private_folder, open_owned
from djcli.database.binaries import Binaries, find_binaries
from djcli.errors import ServerError

NAME = "djcli"
"""The name of the database and of its one role."""
PORT = "5432"
"""Only part of the socket's name: the server listens on no network."""
LOG_LIMIT = 4 * 1024 * 1024

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_locks_per_transaction": "256",
    "max_wal_size": "1GB",
    # The log is for what befalls the server; errors of statements go to those who sent them.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
}
"""What a new data folder's ``postgresql.conf`` says; its owner may change it."""

# The builtin provider needs no locale of the machine, so the data sorts alike everywhere.
_LOCALE = ("--encoding=UTF8", "--locale-provider=builtin", "--locale=C", "--builtin-locale=C.UTF-8")
# Our own knocking while it starts is logged, too, and tells nothing.
_TELLING = re.compile(
    r"FATAL(?!:  the database system is)|PANIC|ERROR|error:|DETAIL|HINT"
    r"|LOG:  (?:invalid value|parameter|syntax error|unrecognized|could not)"
)
_LOG_PREFIX = re.compile(r"^\d{4}-\S+ \S+ UTC \[\d+\] ")

logger = logging.getLogger("djcli")


@dataclass(frozen=True)
class PidFile:
    """What the server's ``postmaster.pid`` says."""

    pid: int
    started: datetime
    socket: Path


@dataclass(frozen=True)
class Cluster:
    """A data folder and the places that belong to it.

    Parameters
    ----------
    data
        The data folder.
    log
        The file that the server writes its log to.
    socket
        The folder of the server's socket.
    """

    data: Path
    log: Path
    socket: Path

    def version(self) -> str | None:
        """Return the major version that made the data folder, or None where there is none."""
        try:
            return (self.data / "PG_VERSION").read_text("ascii").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def pid_file(self) -> PidFile | None:
        """Read ``postmaster.pid``, which a server writes; None without one that is complete."""
        try:
            lines = (self.data / "postmaster.pid").read_bytes().split(b"\n")
            if not lines[4]:  # written once it listens
                return None
            started = datetime.fromtimestamp(int(lines[2]), UTC)
            return PidFile(int(lines[0]), started, Path(os.fsdecode(lines[4])))
        except (OSError, ValueError, IndexError):
            return None

    def size(self) -> int:
        """Return how many bytes the files of the data folder have."""
        total = 0
        for parent, _, files in os.walk(self.data):
            for name in files:
                try:
                    total += Path(parent, name).lstat().st_size
                except FileNotFoundError:  # the server removes files as it pleases
                    continue
        return total

    def prepare(self, account: Account, lock: int) -> Binaries:
        """Make the data folder if there is none, or see to it that the account can use what is there.

        Parameters
        ----------
        account
            Who runs the server.
        lock
            A descriptor that ``initdb`` inherits: its lock then lasts even if this process is killed.

        Raises
        ------
        ServerError
            If ``initdb`` fails, or the data is of another major version.
        """
        version = self.version()
        binaries = find_binaries(account, int(version) if version and version.isdecimal() else None)
        if version is None:
            self._init(binaries, account, lock)
        else:
            self._check_version(binaries, version)
            status = self.data.stat()
            if status.st_uid != account.uid:  # copied by root
                give_tree(self.data, account)
            if stat.S_IMODE(status.st_mode) & 0o077:
                self.data.chmod(0o700)
        self._write("pg_hba.conf", [f"local all {NAME} peer map={NAME}"], account)
        # The owner of the data and root may log in, as the one role there is, and nobody else.
        names = dict.fromkeys((account.name, "root"))
        self._write("pg_ident.conf", [f'{NAME} "{name}" {NAME}' for name in names], account)
        return binaries

    def _init(self, binaries: Binaries, account: Account, lock: int) -> None:
        """Make the data folder: under another name first, so that it is complete or not there."""
        if self.data.exists():
            raise ServerError(f"{self.data} is there but holds no PostgreSQL data: move it away")
        draft = self.data.with_name("data.new")
        shutil.rmtree(draft, ignore_errors=True)
        make_private_folder(draft, account)
        settings = [f"--set={name}={value}" for name, value in SETTINGS.items()]
        where = _reachable(draft, account)
        try:
            done = subprocess.run(
                [binaries.initdb, "-D", where, "-U", NAME, "--auth=peer", *_LOCALE, *settings],
                cwd=draft,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[lock],
                umask=0o077,
                check=False,
                **account.spawn_options(),
            )
            if done.returncode != 0:
                raise ServerError(
                    f"the database in {self.data} could not be made: {_last_words(done.stdout)}"
                )
            draft.rename(self.data)
            _sync(self.data.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _check_version(self, binaries: Binaries, version: str) -> None:
        """Refuse a data folder of another major version."""
        said = subprocess.run(
            [binaries.postgres, "--version"], env=_environment(), capture_output=True, check=True
        ).stdout.decode()
        ours = said.split()[-1].partition(".")[0]
        if ours != version:
            raise ServerError(
                f"{self.data} was made by PostgreSQL {version}, and this is {ours}: save it with pg_dump of "
                f"version {version}, move the folder away, and load it into the new one"
            )

    def launch(self, binaries: Binaries, account: Account, lock: int) -> int:
        """Start a server in a session of its own.

        Parameters
        ----------
        binaries
            The programs.
        account
            Who runs them.
        lock
            A descriptor that the server and all its children keep: its lock tells that one of them lives.

        Returns
        -------
        int
            The number of its process.
        """
        make_private_folder(self.socket, account)
        log = open_owned(self.log, os.O_WRONLY | os.O_APPEND)
        try:
            process = subprocess.Popen(
                [binaries.postgres, "-D", _reachable(self.data, account), "-k", self.socket, "-p", PORT],
                cwd=self.data,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock],
                umask=0o077,
                **account.spawn_options(),
            )
        finally:
            os.close(log)
        # It outlives us on purpose; Popen would warn of that.
        process.returncode = 0
        return process.pid

    def rotate_log(self) -> int:
        """Put a log aside that has grown too long, and return how long the one to write to is."""
        try:
            size = self.log.stat().st_size
        except FileNotFoundError:
            return 0
        if size <= LOG_LIMIT:
            return size
        self.log.replace(self.log.with_name(f"{self.log.name}.old"))
        return 0

    def last_words(self, since: int) -> str:
        """Return in one line what the server's log says best of its end, read from an offset."""
        try:
            with self.log.open("rb") as file:
                file.seek(since)
                return f"{_last_words(file.read(100_000))} (see {self.log})"
        except OSError as error:
            return f"its log cannot be read: {error}"

    def _write(self, name: str, lines: list[str], account: Account) -> None:
        """Write a file of the data folder, as the account's own, never through a link."""
        descriptor = open_owned(self.data / name, os.O_WRONLY | os.O_TRUNC, account.uid)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


def _environment() -> dict[str, str]:
    """Return the whole environment of the server's programs: none of the user's ``PG*`` leaks in."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _reachable(folder: Path, account: Account) -> str:
    """Return a name of a folder under which the account can enter it when started there.

    Where a folder above is closed to the account (a project in /root), its working directory is open to it
    still; so no folder's permissions are widened.
    """
    if "\n" not in str(folder) and (account.is_caller or account.reaches(folder)):
        return str(folder)
    if not Path("/proc/self/cwd").exists():
        raise ServerError(
            f"user {account.name}, which runs PostgreSQL for root, cannot reach {folder}: run djcli as an "
            "ordinary user, move the project, or let others enter the folders above (chmod o+x)"
        )
    return "/proc/self/cwd"


def _sync(folder: Path) -> None:
    """Make sure that the names in a folder outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _last_words(output: bytes) -> str:
    """Return those lines of a program's output that say best why it ended."""
    text = output.decode("utf-8", "replace")
    lines = [_LOG_PREFIX.sub("", line).strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line)]
    return "; ".join(telling[-3:]) or (lines[-1] if lines else "it said nothing")
