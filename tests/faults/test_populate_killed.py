"""Populate by several processes whose parent is killed or interrupted: nobody stays, what is finished is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from workshop import import_pipeline, is_alive

from djcli.tables.instance import Instance

from .serving import wait_for


@pytest.fixture
def shop(instance: Instance, tmp_path: Path) -> Iterator[Any]:  # noqa: ARG001 - the default instance is this test's
    path = list(sys.path)
    module = import_pipeline(tmp_path)
    len(module.Work()), len(module.Work.Step()), len(module.Endless())
    module.Item.insert([(item,) for item in range(8)])
    yield module
    sys.path[:] = path
    del sys.modules["workshop"]


@contextmanager
def populate(url: str, folder: Path, *args: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command in a folder that is not the pipeline's, which it is told of by path."""
    words = ["populate", "--db-url", url, "-p", str(folder / "workshop.py"), *args]
    with subprocess.Popen(
        [sys.executable, "-m", "djcli.cli.main", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | env,
    ) as process:
        watchdog = Timer(60, process.kill)  # a test that waits in vain tells so, and soon
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def started(process: subprocess.Popen[str], makes: int) -> list[int]:
    """Wait until so many makes are under way; returns the workers and the processes that they have started."""
    assert process.stderr is not None
    pids: list[int] = []
    said: list[str] = []
    while len(pids) < 2 * makes:
        line = process.stderr.readline()
        assert line, f"it ended after {said}"
        said.append(line)
        if line.startswith("making"):
            pids += map(int, line.split()[1:])
    assert all(map(is_alive, pids))
    return pids


def nobody_is_left(shop: Any, pids: list[int]) -> None:
    wait_for(lambda: not any(map(is_alive, pids)))
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    wait_for(lambda: shop.Item.connection.query(locks) == [(0,)])


def test_killing_the_parent_leaves_no_worker_behind(shop: Any, database_url: str, tmp_path: Path) -> None:
    with populate(database_url, tmp_path, "Endless", "-j", "2") as process:
        pids = started(process, 2)
        process.kill()
    nobody_is_left(shop, pids)
    assert len(shop.Endless()) == 0


def test_a_second_interrupt_drops_what_runs(shop: Any, database_url: str, tmp_path: Path) -> None:
    with populate(database_url, tmp_path, "Endless", "-j", "2") as process:
        pids = started(process, 2)
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        told = process.stderr.readline()
        assert told == "warning: interrupted: waiting for 2 running makes of Endless; Ctrl-C drops them\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out.split(" in ")[0], err) == (130, "Endless: 0 made", "interrupted\n")
    nobody_is_left(shop, pids)
    assert len(shop.Endless()) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_lets_the_running_makes_finish(
    shop: Any, database_url: str, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with populate(database_url, tmp_path, "Work", "-j", "2", WORK_SECONDS="0.8") as process:
        # both are in a make once somebody has claimed two keys, or is in the transaction of one
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        wait_for(lambda: shop.Item.connection.query(locks) == [(2,)])
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    made = len(shop.Work())
    assert out.startswith(f"Work: {made} made in")
    assert 2 <= made <= 4
    assert len(shop.Work.Step()) == 3 * made
    assert "waiting for" in err


def test_two_populates_by_several_processes_share_the_keys(
    shop: Any, database_url: str, tmp_path: Path
) -> None:
    shop.Item.insert([(item,) for item in range(8, 80)])
    args = (database_url, tmp_path, "Work", "-j", "2")
    with populate(*args, WORK_SECONDS="0.02") as one, populate(*args, WORK_SECONDS="0.02") as other:
        told = [process.communicate(timeout=60) for process in (one, other)]
    assert [process.returncode for process in (one, other)] == [0, 0], told
    assert sum(int(out.split()[1]) for out, _ in told) == 80
    assert len(shop.Work()) == 80
