"""A worker process of a populate: makes the keys that its parent hands out, until there are no more.

It was started afresh, not forked, in a process group of its own. It imports the table by name, has a
connection of its own, and leaves nothing behind when its parent is gone.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import select
import signal
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib import import_module
from multiprocessing.connection import Connection as Line
from runpy import run_module, run_path
from threading import Thread
from types import ModuleType
from typing import Any, cast

from psycopg import sql

from djcli.database.connection import Connection
from djcli.errors import DataJointError
from djcli.forking import ORDERLY, forget_handlers_in_forks
from djcli.log import logger
from djcli.populate import workers
from djcli.populate.engine import populate
from djcli.populate.messages import Assignment, Report, Told
from djcli.populate.options import Options
from djcli.populate.result import Key, PopulateResult
from djcli.settings import DatabaseTarget, config
from djcli.tables.instance import Instance, use_instance
from djcli.tables.table import Table

_BACKEND = sql.SQL("SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()")


class ParentFeed:
    """Asks the parent process for keys, and tells it what became of them: feed and observer in one.

    Parameters
    ----------
    line
        The way to the parent.
    connection
        This worker's connection to the database.
    """

    def __init__(self, line: Line, connection: Connection) -> None:
        self._line = line
        self._connection = connection
        self._report = Report()
        self._backend: tuple[int, str] | None = None

    def take(self, wanted: int) -> list[Key]:
        """Return up to so many keys; none when there are no more, or this process is to end."""
        if stop.signal:
            return []
        if self._backend is None:
            ((pid, start),) = self._connection.rows(_BACKEND)
            self._backend = (pid, start)
        self.tell(wanted=wanted)
        return self._line.recv()

    def tell(self, **more: Any) -> None:
        """Send what there is to report."""
        self._line.send(replace(self._report, backend=self._backend, **more))
        self._report = Report()

    def put_back(self, keys: Sequence[Key]) -> None:
        """Give keys back to the parent, who may have others for them."""
        self._report.back.extend(keys)

    def restart(self, without: Collection[tuple[object, ...]]) -> None:  # noqa: ARG002 - the feed's signature
        """Tell that the connection was lost; the parent knows what is settled."""
        self._backend = None
        self._report = replace(self._report, lost=True)

    def begin(self, table: str, pending: int) -> None:
        """Do nothing: the parent knows."""

    def done(self, table: str, key: Key) -> None:  # noqa: ARG002 - the observer's signature, as below
        """Report a key that was made."""
        self._report.done.append(key)

    def skipped(self, table: str, key: Key) -> None:  # noqa: ARG002
        """Report a key that somebody else has."""
        self._report.skipped.append(key)

    def failed(self, table: str, key: Key, error: BaseException) -> None:  # noqa: ARG002
        """Report a key that failed."""
        self._report.failed.append((key, Told.of(error)))

    def end(self, table: str) -> None:
        """Do nothing: the parent hears when this work has ended."""


class _Stop:
    """Whether a signal has told this process to end; it finishes the key at hand first."""

    def __init__(self) -> None:
        self.signal = 0

    def listen(self) -> None:
        """Take signals from now on; processes that make forks take them as if there were no djcli."""
        for number in ORDERLY:
            signal.signal(number, self._heard)
        forget_handlers_in_forks()

    def _heard(self, number: int, _frame: object) -> None:
        self.signal = number

    def end(self) -> None:
        """End as the signal would have ended it."""
        number = signal.SIGTERM if self.signal == signal.SIGINT else self.signal
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


stop = _Stop()


def main(handle: int, parent: int) -> None:
    """Work for the parent at the other end of a socket, one assignment after the other.

    Parameters
    ----------
    handle
        The file descriptor of the socket.
    parent
        The number of the parent's process.
    """
    line = Line(handle)
    Thread(target=_watch, args=(handle, parent), daemon=True).start()
    stop.listen()
    faulthandler.enable()
    for stream in cast("list[Any]", [sys.stdout, sys.stderr]):  # of which other workers have the same
        stream.reconfigure(line_buffering=True, write_through=False)  # whatever PYTHONUNBUFFERED says
    with suppress(EOFError, OSError):  # the parent is gone, and so is this process in a moment
        while (assignment := line.recv()) is not None:
            _work(assignment, line)
            if stop.signal:
                stop.end()


def _watch(handle: int, parent: int) -> None:
    """End this process, and whatever its makes have started, once the parent is gone."""
    poll = select.poll()
    poll.register(handle, 0)  # hears of nothing but the other end's being closed
    while not poll.poll(1_000) and os.getppid() == parent:
        pass
    # In a group of its own, unless somebody has put it elsewhere.
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _work(assignment: Assignment, line: Line) -> None:
    """Carry out an assignment, and tell how it ended."""
    feed = None
    result = PopulateResult()
    error: BaseException | None = None
    try:
        table = find_table(assignment)
        feed = ParentFeed(line, table.connection)
        options = replace(_options(assignment), max_calls=None, observer=feed)
        populate(table, (), options, feed, result)
    except BaseException as failure:  # noqa: BLE001 - the parent raises it, whatever it is
        error = failure
    told = None if error is None else Told.of(error)
    ended = error is not None or not stop.signal
    if feed is None:
        line.send(Report(ended=True, error=told))
    else:
        feed.tell(ended=ended, error=told, violations=result.violations)


def _options(assignment: Assignment) -> Options:
    try:
        return pickle.loads(assignment.options)  # noqa: S301 - our own parent's
    except Exception as error:
        raise DataJointError(
            f"make_kwargs cannot be rebuilt in a worker process: {type(error).__name__}: {error}; "
            "define what is in it in a module that can be imported"
        ) from error


def find_table(assignment: Assignment) -> Table:
    """Import a table's class, and see to it that it is in the right database.

    Raises
    ------
    DataJointError
        If there is no such class.
    """
    for name, (value, origin) in assignment.settings.items():
        config.set(name, value, origin)
    logger.setLevel(assignment.loglevel)
    _use(assignment.default, assignment.create_tables)
    found: Any = _module(assignment)
    for part in assignment.qualname.split("."):
        found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, Table)):
        raise DataJointError(
            f"a worker process found no table {assignment.qualname} in the module {assignment.module}: "
            "it must be there whenever the module is imported"
        )
    schema: Any = found.schema
    if not schema.is_activated():
        for name in assignment.modules:
            import_module(name)
    if not schema.is_activated() or schema.connection.target != assignment.target:
        own = None if assignment.target == assignment.default else Connection(assignment.target)
        schema.activate(assignment.schema, connection=own)
    return found()


@cache
def _use(target: DatabaseTarget, create_tables: bool) -> None:
    """Choose the default database, once: the tables that were imported stay with it."""
    use_instance(Instance(target, create_tables=create_tables))


def _module(assignment: Assignment) -> ModuleType:
    name, file = assignment.main
    return import_module(assignment.module) if name is None and file is None else _script(name, file)


@cache
def _script(name: str | None, file: str | None) -> ModuleType:
    """Import the script that the parent runs, once, under a name that tells it that it is imported."""
    # As multiprocessing does it, so that ``if __name__ == '__main__'`` keeps what only the parent does.
    module = sys.modules["__main__"] = sys.modules["__mp_main__"] = ModuleType("__mp_main__")
    workers.importing_script = True
    if name is not None:
        module.__dict__.update(run_module(name, run_name="__mp_main__", alter_sys=True))
    else:
        module.__dict__.update(run_path(str(file), run_name="__mp_main__"))
    workers.importing_script = False
    return module
