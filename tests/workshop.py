"""A pipeline for the tests of worker processes: a module in a folder of its own, whose makes do as they are told."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

PIPELINE = '''
import multiprocessing
import os
import signal
import sys
import threading
import time

import djcli as dj

schema = dj.Schema("workshop")
os.write(2, b"imported in %d\\n" % os.getpid())  # at once: print writes in pieces, which mix with others'


class OddError(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")
        self.lock = threading.Lock()


class PlainError(Exception):
    pass


def square(x):
    return x * x


@schema
class Item(dj.Manual):
    definition = """
    item : int32
    """


@schema
class Work(dj.Computed):
    definition = """
    -> Item
    ---
    pid : int32
    """

    class Step(dj.Part):
        definition = """
        -> master
        step : int32
        """

    def make(self, key, seconds=0.0, do=None, at=(), give_up=None):
        time.sleep(float(os.environ.get("WORK_SECONDS", seconds)))
        self.insert1({**key, "pid": os.getpid()})
        self.Step.insert({**key, "step": i} for i in range(3))
        if do is not None and key["item"] in at:
            getattr(self, do)(key)

    def kill(self, key):
        os.kill(os.getpid(), signal.SIGKILL)

    def leave(self, key):
        os._exit(7)

    def fail(self, key):
        raise PlainError(f"no luck with {key['item']}")

    def fail_oddly(self, key):
        try:
            {}["absent"]
        except KeyError as error:
            raise OddError("one", key["item"]) from error

    def stop(self, key):
        sys.exit("enough")

    def lose(self, key):
        marker = __file__ + ".lost"
        if not os.path.exists(marker):
            open(marker, "w").close()
            Item.connection.query("SELECT pg_terminate_backend(pg_backend_pid())")

    def use_pools(self, key):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(square, [1, 2, 3]) == [1, 4, 9]
        for _ in range(20):
            child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
            child.start()
            child.terminate()
            child.join()
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.map(abs, [-1]) == [1]


@schema
class Endless(dj.Computed):
    definition = """
    -> Item
    """

    def make(self, key):
        self.insert1(key)
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
        child.start()
        os.write(2, b"making %d %d\\n" % (os.getpid(), child.pid))
        time.sleep(600)
'''


def write_pipeline(folder: Path, text: str = PIPELINE) -> None:
    """Write the module into a folder."""
    (folder / "workshop.py").write_text(text)


def import_pipeline(folder: Path, text: str = PIPELINE) -> Any:
    """Write the module into a folder and import it anew."""
    write_pipeline(folder, text)
    sys.modules.pop("workshop", None)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    return importlib.import_module("workshop")


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has asked for does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
