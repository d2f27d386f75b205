"""Populate by several processes: this one hands out the keys and hears what becomes of them."""

from __future__ import annotations

import logging
import pickle
import sys
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from psycopg import sql

from djcli.errors import DataJointError, LostConnectionError, WorkerDiedError
from djcli.populate.claims import CLAIMS_TOGETHER
from djcli.populate.crew import Crew, Worker
from djcli.populate.engine import ATTEMPTS, count_calls, populate, prepare
from djcli.populate.feed import KeyStream
from djcli.populate.guard import Guard
from djcli.populate.keys import Todo
from djcli.populate.messages import Assignment, Report
from djcli.populate.options import Options
from djcli.populate.reach import reach_again
from djcli.populate.result import Key, PopulateResult, Silent, noted
from djcli.populate.stopping import StopSignals
from djcli.settings import config
from djcli.tables.instance import default_instance
from djcli.tables.table import Table

logger = logging.getLogger("djcli")

importing_script = False
"""Whether this is a worker process that is just importing the script which its parent runs."""

_DEATHS = 3
"""How many workers a key may cost before it is taken to be the cause."""

_GLANCE = 0.2
"""Seconds between looks at workers whose end nobody tells, because processes of theirs hold the line open."""

_END_BACKEND = sql.SQL(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
    "WHERE pid = %(pid)s AND backend_start::text = %(start)s"
)


def populate_shared(
    table: Table, restrictions: Sequence[object], options: Options, crew: Crew
) -> PopulateResult:
    """Make the pending keys of a table by worker processes; as `engine.populate`.

    Raises
    ------
    DataJointError
        If workers cannot import the table or what its makes are given, or die one after the other.
    Exception
        The first error of a make, unless errors are suppressed; with a note that names the key.
    """
    if importing_script:
        raise DataJointError(
            "this script starts worker processes, which import it to find its tables, and would populate too: "
            "put what only the script itself is to do under  if __name__ == '__main__':"
        )
    options = replace(options, batch=max(1, min(options.batch, CLAIMS_TOGETHER // crew.size)))
    assignment = assign(table, options)
    work = prepare(table, restrictions, options)
    label: str = table.class_label
    result = PopulateResult()
    guard = None if options.guard is None else Guard(table, options.guard)
    try:
        pending = count_calls(work, options)
        options.observer.begin(label, pending)
        if pending == 1:  # quicker than starting anybody
            populate(table, restrictions, options, KeyStream(work, options.order), result)
        elif pending:
            _Sharing(table, work, options, crew, assignment, pending, result).run()
    finally:
        options.observer.end(label)
        if guard is not None:
            guard.violations.extend(result.violations)
            guard.report()
    return result


def assign(table: Table, options: Options) -> Assignment:
    """Describe the work on a table so that another process can do it.

    Raises
    ------
    DataJointError
        If the class cannot be imported, or ``make_kwargs`` cannot be pickled.
    """
    cls = type(table)
    try:
        pickle.dumps(dict(options.make_kwargs))
    except Exception as error:
        raise DataJointError(
            f"make_kwargs cannot be sent to worker processes: {type(error).__name__}: {error}; "
            "use what can be pickled, or processes=1"
        ) from error
    default = default_instance()
    return Assignment(
        module=cls.__module__,
        qualname=cls.__qualname__,
        main=_script_of(cls),
        modules=default.modules,
        schema=table.id.schema,
        target=table.connection.target,
        default=default.connection.target,
        create_tables=default.create_tables,
        settings=config.set_by_program(),
        loglevel=logger.level,
        options=pickle.dumps(replace(options, observer=Silent(), make_kwargs=dict(options.make_kwargs))),
    )


def _script_of(cls: type[Table]) -> tuple[str | None, str | None]:
    """Return the script that a class is in, as a module or a file; neither when its module can be imported."""
    where = f"worker processes import {cls.__qualname__}, but it is"
    module = sys.modules.get(cls.__module__)
    found: Any = module
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    in_script = cls.__module__ in ("__main__", "__mp_main__")
    spec: Any = getattr(module, "__spec__", None)
    file = getattr(module, "__file__", None)
    if in_script and spec is None and (file is None or not Path(file).is_file()):
        raise DataJointError(
            f"{where} defined in a notebook or at the prompt: put it into a module (a .py file) and import it, "
            "or use processes=1"
        )
    if found is not cls:
        raise DataJointError(
            f"{where} not to be found as {cls.__qualname__} in {cls.__module__}: define it at the top of a module, "
            "or use processes=1"
        )
    if not in_script:
        return None, None
    return (None, str(Path(str(file)).absolute())) if spec is None else (spec.name, None)


class _Sharing:
    """One populate of one table by a crew."""

    def __init__(
        self,
        table: Table,
        work: Todo,
        options: Options,
        crew: Crew,
        assignment: Assignment,
        pending: int,
        result: PopulateResult,
    ) -> None:
        self.connection = table.connection
        self.label: str = table.class_label
        self.options = options
        self.crew = crew
        self.assignment = assignment
        self.pending = pending
        self.result = result
        self.stream = KeyStream(work, options.order)
        self.waiting: deque[Key] = deque()
        self.suspects: deque[Key] = deque()
        self.deaths: Counter[tuple[object, ...]] = Counter()
        self.in_vain = 0
        self.settled = self.calls = 0
        self.failed_keys: set[tuple[object, ...]] = set()
        self.stopping = False
        self.error: BaseException | None = None

    def run(self) -> None:
        """Share the keys among the workers until there are no more, or one fails, or somebody interrupts."""
        self.waiting.extend(self.more(1))  # what takes long comes before signals are held back
        with StopSignals() as signals:
            self.crew.assign(self.assignment, min(self.crew.size, self.pending))
            try:
                self.serve(signals)
            except BaseException:
                self.stopping = True
                self.serve(signals)  # what is finished is kept
                raise
            if self.error is not None:
                raise self.error

    def serve(self, signals: StopSignals) -> None:
        """Hand out keys and listen, until no worker has work any more."""
        heard = 0
        while busy := self.crew.busy:
            while signals.count > heard:
                heard += 1
                self.interrupted()
            self.hand_out()
            lines: dict[object, Worker] = {worker.line: worker for worker in busy}
            for line in wait([*(worker.line for worker in busy), signals.fileno()], _GLANCE):
                if line in lines:
                    self.hear(lines[line])
                else:
                    signals.clear()
            for worker in self.crew.busy:
                if worker.is_gone():
                    self.bury(worker)

    def interrupted(self) -> None:
        """Let workers finish their keys at the first interrupt, and kill them at the next."""
        if self.stopping:
            for worker in self.crew.busy:
                worker.kill()
        self.stop("interrupted")

    def stop(self, why: str) -> None:
        """Give out nothing more."""
        running = sum(bool(worker.held) for worker in self.crew.busy)
        if running and not self.stopping:
            logger.warning(
                "%s: waiting for %d running make%s of %s; Ctrl-C drops %s",
                why,
                running,
                "s" * (running > 1),
                self.label,
                "them" if running > 1 else "it",
            )
        self.stopping = True

    # ---- handing out --------------------------------------------------------------------------------

    def hand_out(self) -> None:
        """Give keys to those that wait for some; none when there will never be any more."""
        for worker in self.crew.busy:
            if worker.wanted:
                keys = [] if self.stopping else self.keys_for(worker.wanted)
                if keys or self.stopping or not any(other.held for other in self.crew.busy):
                    worker.give(keys)

    def keys_for(self, wanted: int) -> list[Key]:
        """Take up to so many keys; fewer towards the end, so that all workers end together."""
        held = sum(len(worker.held) for worker in self.crew.busy)
        left = self.pending - self.settled - held
        wanted = min(wanted, max(1, left // (2 * self.crew.size)))
        if self.options.max_calls is not None:
            wanted = min(wanted, self.options.max_calls - self.calls - held)
        if wanted <= 0:
            return []
        keys = [self.waiting.popleft() for _ in range(min(wanted, len(self.waiting)))]
        if len(keys) < wanted:
            keys += self.more(wanted - len(keys))
        # Suspects come last: whatever they do then, the others are made.
        return keys or ([self.suspects.popleft()] if self.suspects else [])

    def more(self, wanted: int) -> list[Key]:
        """Take keys from the stream of those pending; a connection that was lost is made anew."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self.stream.take(wanted)
            except LostConnectionError:
                if attempt == ATTEMPTS:
                    raise
                known = [*self.waiting, *self.suspects]
                known += [key for worker in self.crew.busy for key in worker.held.values()]
                reach_again(self.connection)
                self.stream.restart({tuple(key.values()) for key in known} | self.failed_keys)
        return []

    # ---- listening ----------------------------------------------------------------------------------

    def hear(self, worker: Worker) -> None:
        """Take a worker's report."""
        report = worker.receive()
        if report is None:
            self.bury(worker)
            return
        self.account(worker, report)
        known = self.result.violations
        known.extend(found for found in report.violations if found not in known)
        self.waiting.extendleft(reversed([self.drop(worker, key) for key in report.back]))
        worker.backend = report.backend
        if report.lost or report.ended:
            self.waiting.extendleft(reversed(worker.held.values()))
            worker.held.clear()
        if report.ended:
            worker.busy = False
            if report.error is not None and not self.stopping:
                self.error = report.error.error()
                self.stop("a worker process failed")
        worker.wanted = report.wanted or 0

    def account(self, worker: Worker, report: Report) -> None:
        """Note what became of keys, and tell it."""
        observer = self.options.observer
        for key in report.done:
            self.calls += 1
            self.result["success_count"] += 1
            observer.done(self.label, self.settle(worker, key))
        for key in report.skipped:
            observer.skipped(self.label, self.settle(worker, key))
        for key, told in report.failed:
            self.failed(self.settle(worker, key), told.error())

    def settle(self, worker: Worker, key: Key) -> Key:
        """Note that a key is dealt with."""
        self.settled += 1
        self.in_vain = 0
        return self.drop(worker, key)

    def drop(self, worker: Worker, key: Key) -> Key:
        """Take a key from a worker's list."""
        return worker.held.pop(tuple(key.values()), key)

    def failed(self, key: Key, error: BaseException) -> None:
        """Note a failed key; the first one stops everything, unless errors are suppressed."""
        self.calls += 1
        self.failed_keys.add(tuple(key.values()))
        self.options.observer.failed(self.label, key, error)
        if self.options.suppress_errors:
            self.result.add_error(key, error, as_object=self.options.return_exception_objects)
        elif not self.stopping:
            self.error = noted(error, self.label, key)
            self.stop("a make failed")

    # ---- deaths -------------------------------------------------------------------------------------

    def bury(self, worker: Worker) -> None:
        """Put another in the place of a worker that died; its keys go to others, one by one."""
        worker.kill()
        self.end_backend(worker)
        held, worker.held = list(worker.held.values()), {}
        worker.busy = False
        if self.stopping:
            self.crew.replace(worker, None)
            return
        self.result.workers_died += 1
        self.in_vain += 1
        logger.warning(
            "a worker process died (%s); another takes its place%s",
            worker.end,
            "" if not held else f", and its {len(held)} keys are made again" if held[1:] else " and its key",
        )
        for key in held:
            self.suspect(key, worker.end, alone=len(held) == 1)
        if self.in_vain > _DEATHS * self.crew.size:
            raise WorkerDiedError(
                f"{self.in_vain} worker processes died one after the other, the last with {worker.end}, "
                "without making a key; what they wrote to stderr may say why"
            )
        self.crew.replace(worker, None if self.stopping else self.assignment)

    def suspect(self, key: Key, end: str, *, alone: bool) -> None:
        """Have a key that a worker died over made by itself; or charge it with the deaths."""
        values = tuple(key.values())
        self.deaths[values] += 1
        if alone and self.deaths[values] >= _DEATHS:
            self.settled += 1
            self.in_vain = 0
            error = WorkerDiedError(f"the process making this key died ({end}), {self.deaths[values]} times")
            self.failed(key, error)
        else:
            self.suspects.append(key)

    def end_backend(self, worker: Worker) -> None:
        """Make the server let go of what a dead worker has locked; it may not have noticed yet."""
        if worker.backend is not None:
            pid, start = worker.backend
            with suppress(DataJointError):
                self.connection.rows(_END_BACKEND, {"pid": pid, "start": start})
