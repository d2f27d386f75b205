"""The worker processes of a populate as its parent sees them: started, spoken to, ended."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from multiprocessing import Pipe
from subprocess import DEVNULL, Popen, TimeoutExpired
from typing import Self, TextIO

from djcli.populate.messages import Assignment, Report
from djcli.populate.result import Key
from djcli.populate.stopping import StopSignals

_START = """
import json, sys
told = json.loads(sys.argv[1])
sys.path[:], sys.argv[:] = told["path"], told["argv"]
from djcli.populate.worker import main
main(told["handle"], told["parent"])
"""

_KNOWN: dict[int, str] = {
    signal.SIGKILL: ", as when memory runs out",
    signal.SIGSEGV: ", a fault in compiled code",
    signal.SIGBUS: ", a fault in compiled code",
    signal.SIGABRT: ", an abort in compiled code",
}

_PATIENCE = 10
"""Seconds that a worker has to leave when there is nothing more to do."""


class Worker:
    """A worker process, in a process group of its own: it leaves together with whatever its makes started.

    Attributes
    ----------
    line
        The way to it.
    busy
        Whether it has work.
    held
        The keys that it was given and that are not settled, by their values.
    wanted
        How many keys it waits for; 0 when it waits for none.
    backend
        The server's process for it.
    """

    def __init__(self) -> None:
        self.line, theirs = Pipe()
        told = {
            "path": [str(folder) for folder in sys.path],
            "argv": sys.argv,
            "handle": theirs.fileno(),
            "parent": os.getpid(),
        }
        options = [f"-W{option}" for option in sys.warnoptions]
        with theirs:
            self.process = Popen(
                [sys.executable, *options, "-c", _START, json.dumps(told)],
                pass_fds=[theirs.fileno()],
                stdin=DEVNULL,
                stdout=_file(sys.stdout),  # where somebody has redirected it, as the command line does
                stderr=_file(sys.stderr),
                process_group=0,
            )
        self._killed = False
        self.busy = False
        self.held: dict[tuple[object, ...], Key] = {}
        self.wanted = 0
        self.backend: tuple[int, str] | None = None

    def assign(self, assignment: Assignment) -> None:
        """Give it work."""
        self.busy, self.wanted, self.held, self.backend = True, 0, {}, None
        self.send(assignment)

    def give(self, keys: list[Key]) -> None:
        """Answer its wish for keys; with none it ends its work."""
        self.wanted = 0
        self.held.update((tuple(key.values()), key) for key in keys)
        self.send(keys)

    def send(self, message: object) -> None:
        """Tell it something; a worker that is gone is noticed when it is listened to."""
        with suppress(OSError):
            self.line.send(message)

    def receive(self) -> Report | None:
        """Return what it has to say; None if it is gone."""
        try:
            return self.line.recv()
        except (EOFError, OSError):
            return None

    def is_gone(self) -> bool:
        """Whether the process has ended, with nothing more to say."""
        return self.process.poll() is not None and not self.line.poll()

    def leave(self) -> None:
        """See to it that it goes, after it was told to."""
        if not self.busy:
            with suppress(TimeoutExpired):
                self.process.wait(_PATIENCE)
        if self.process.returncode is None:
            self.kill()
        self.line.close()

    def kill(self) -> None:
        """Kill it, with all that its makes have started."""
        if not self._killed:  # once: the number may be another's later
            self._killed = True
            with suppress(ProcessLookupError, PermissionError):  # nobody is left
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def end(self) -> str:
        """Say how it ended, after it has."""
        code = self.process.returncode
        return f"signal {-code}{_KNOWN.get(-code, '')}" if code < 0 else f"exit code {code}"


class Crew:
    """Worker processes that may outlive one populate, so that the next need not start them again.

    Parameters
    ----------
    size
        How many there are to be at most; 0 for as many as there are cores.
    """

    def __init__(self, size: int = 0) -> None:
        self.size = size or cores()
        self.workers: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let all workers go."""
        with StopSignals():
            for worker in self.workers:
                if not worker.busy:
                    worker.send(None)
            while self.workers:
                self.workers.pop().leave()

    def assign(self, assignment: Assignment, hands: int) -> None:
        """Give work to so many workers at most, old ones before new ones."""
        while len(self.workers) < min(hands, self.size):
            self.workers.append(Worker())
        for worker in self.workers[:hands]:
            worker.assign(assignment)

    def replace(self, worker: Worker, assignment: Assignment | None) -> None:
        """Remove a worker that is gone; with an assignment, start another in its place."""
        worker.kill()
        worker.line.close()
        self.workers.remove(worker)
        if assignment is not None:
            self.workers.append(Worker())
            self.workers[-1].assign(assignment)

    @property
    def busy(self) -> list[Worker]:
        """The workers that have work."""
        return [worker for worker in self.workers if worker.busy]


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _file(stream: TextIO) -> int | None:
    """Return the file that a stream writes to; None, which inherits this process's, when it writes to none."""
    try:
        stream.flush()
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
