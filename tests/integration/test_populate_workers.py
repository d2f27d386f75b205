"""Populate by several processes: keys are shared, errors arrive, dead workers are replaced."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from workshop import PIPELINE, import_pipeline, is_alive, write_pipeline

import djcli as dj
from djcli.errors import WorkerDiedError
from djcli.populate.crew import Crew
from djcli.populate.messages import StandInError
from djcli.populate.origin import place_of
from djcli.populate.result import Key
from djcli.settings import DatabaseTarget
from djcli.tables.instance import Instance

LINE = 1 + PIPELINE[: PIPELINE.index("raise PlainError")].count("\n")


@pytest.fixture
def shop(instance: Instance, tmp_path: Path) -> Iterator[Any]:  # noqa: ARG001 - the default instance is this test's
    path = list(sys.path)
    module = import_pipeline(tmp_path)
    len(module.Work())
    yield module
    sys.path[:] = path
    del sys.modules["workshop"]


@pytest.fixture
def crew() -> Iterator[Crew]:
    with Crew(3) as hands:
        yield hands
        workers = [worker.process.pid for worker in hands.workers]
    assert not any(map(is_alive, workers)), "none is left"


def fill(shop: Any, count: int) -> None:
    shop.Item.insert([(item,) for item in range(count)])


def items(shop: Any) -> list[int]:
    """Return the keys that are made, each of which must have all of its parts."""
    made = sorted(shop.Work.to_arrays("item").tolist())
    parts = Counter(shop.Work.Step.to_arrays("item").tolist())
    assert parts == Counter(dict.fromkeys(made, 3))
    return made


class Recorder:
    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def begin(self, table: str, pending: int) -> None:
        self.told.append((f"begin {table}", pending))

    def done(self, table: str, key: Key) -> None:  # noqa: ARG002 - the observer's signature, as below
        self.told.append(("done", key["item"]))

    def skipped(self, table: str, key: Key) -> None:  # noqa: ARG002
        self.told.append(("skipped", key["item"]))

    def failed(self, table: str, key: Key, error: BaseException) -> None:  # noqa: ARG002
        self.told.append(("failed", key["item"]))

    def end(self, table: str) -> None:
        self.told.append((f"end {table}", None))


def test_keys_are_shared_and_errors_arrive(shop: Any, crew: Crew) -> None:
    """One crew for several populates: starting it takes longest."""
    fill(shop, 60)
    failing = {"do": "fail", "at": (3, 7, 11)}

    # max_calls is exact, failures included
    result = shop.Work.populate(
        crew=crew, max_calls=10, suppress_errors=True, make_kwargs=failing | {"seconds": 0.02}
    )
    assert (result.made, result.failed) == (10 - len(result.errors), len(result.errors))
    assert len(items(shop)) == result.made

    # the first error stops all, and is raised with its key, its place and the worker's traceback
    with pytest.raises(shop.PlainError, match="no luck with 3") as caught:
        shop.Work.populate("item in (3, 40, 41, 42)", crew=crew, make_kwargs=failing)
    assert place_of(caught.value) == f"{shop.__file__}:{LINE}"
    notes = "\n".join(caught.value.__notes__)
    assert "in make() of Work for item=3" in notes
    assert "in fail" in notes

    # what cannot be pickled is stood in for
    odd = shop.Work.populate(
        "item = 3 or item = 7",
        crew=crew,
        make_kwargs={"do": "fail_oddly", "at": (3, 7)},
        suppress_errors=True,
        return_exception_objects=True,
    )
    assert sorted(key["item"] for key, _ in odd.errors) == [3, 7]
    error = odd.errors[0][1]
    assert isinstance(error, StandInError)
    assert type(error).__name__ == "OddError"
    assert str(error).startswith("one and ")
    assert isinstance(error.__cause__, KeyError)
    assert any("fail_oddly" in note for note in error.__notes__)

    # SystemExit is never suppressed
    with pytest.raises(SystemExit, match="enough"):
        shop.Work.populate(
            "item in (3, 7)", crew=crew, make_kwargs={"do": "stop", "at": (3,)}, suppress_errors=True
        )

    # make may start processes of its own
    before = set(items(shop))
    shop.Work.populate("item > 57", crew=crew, make_kwargs={"do": "use_pools", "at": range(60)})
    assert {58, 59} <= set(items(shop))

    # everybody works, each key is told once, and the result prints as ever
    recorder = Recorder()
    rest = sorted(set(range(60)) - set(items(shop)))
    result = shop.Work.populate(crew=crew, observer=recorder, make_kwargs={"seconds": 0.02})
    assert str(result) == f"{{'success_count': {len(rest)}, 'error_list': []}}"
    assert recorder.told[0] == ("begin Work", len(rest))
    assert recorder.told[-1] == ("end Work", None)
    assert sorted(recorder.told[1:-1]) == [("done", item) for item in rest]
    assert (result.made, result.skipped, result.failed, result.workers_died) == (len(rest), 0, 0, 0)
    assert result.keys_per_second == pytest.approx(len(rest) / result.seconds)
    assert items(shop) == list(range(60))
    pids = set((shop.Work & [{"item": item} for item in rest]).to_arrays("pid").tolist())
    assert pids == {worker.process.pid for worker in crew.workers}
    assert os.getpid() not in pids
    assert before < set(items(shop))


def test_a_key_that_kills_its_workers_is_charged_and_the_rest_is_made(
    shop: Any, crew: Crew, caplog: pytest.LogCaptureFixture
) -> None:
    fill(shop, 20)
    deadly = {"do": "kill", "at": (4,), "seconds": 0.01}
    result = shop.Work.populate(crew=crew, suppress_errors=True, make_kwargs=deadly, batch=8)
    assert items(shop) == [item for item in range(20) if item != 4]
    ((key, error),) = result.errors
    assert key == {"item": 4}
    assert "WorkerDiedError: the process making this key died (signal 9" in error
    assert 3 <= result.workers_died <= 4
    assert "another takes its place" in caplog.text
    assert result.made + result.skipped == 19
    shop.Item.insert([(item,) for item in range(20, 24)])
    with pytest.raises(WorkerDiedError, match=r"died \(exit code 7\)") as caught:
        shop.Work.populate("item >= 20", crew=crew, make_kwargs={"do": "leave", "at": (21,)})
    assert "in make() of Work for item=21" in caught.value.__notes__


def test_workers_killed_at_random_lose_no_key(shop: Any, soak: Any) -> None:
    kills, count = soak(4, 60), soak(90, 1_200)
    fill(shop, count)
    dice = random.Random(5)
    finished = threading.Event()
    with Crew(3) as crew:

        def murder() -> None:
            killed = 0
            while killed < kills and not finished.is_set():
                time.sleep(dice.uniform(0.1, 0.4))
                busy = [worker for worker in crew.busy if worker.held]
                if busy:
                    dice.choice(busy).process.kill()
                    killed += 1

        murderer = threading.Thread(target=murder)
        murderer.start()
        try:
            result = shop.Work.populate(crew=crew, make_kwargs={"seconds": 0.03})
        finally:
            finished.set()
            murderer.join()
    assert items(shop) == list(range(count))
    assert result.workers_died >= 2
    assert result.made + result.skipped == count
    assert result.failed == 0
    # nothing of the dead is left in the server
    assert shop.Item.connection.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_a_lost_connection_of_a_worker_is_made_anew(shop: Any, crew: Crew) -> None:
    fill(shop, 12)
    result = shop.Work.populate(crew=crew, make_kwargs={"do": "lose", "at": (5,), "seconds": 0.01})
    assert items(shop) == list(range(12))
    assert (result.made, result.failed, result.workers_died) == (12, 0, 0)


def test_what_workers_cannot_be_given_is_refused_at_once(shop: Any) -> None:
    fill(shop, 3)
    with pytest.raises(dj.DataJointError, match="make_kwargs cannot be sent to worker processes"):
        shop.Work.populate(processes=2, make_kwargs={"give_up": threading.Lock()})
    with pytest.raises(dj.DataJointError, match="processes=-1"):
        shop.Work.populate(processes=-1)

    class Local(dj.Computed):
        definition = "-> Item"

        def make(self, key: Key) -> None:
            self.insert1(key)

    shop.schema(Local, context={"Item": shop.Item})
    with pytest.raises(dj.DataJointError, match=r"Local, but it is not to be found .* define it at the top"):
        Local.populate(processes=2)
    assert items(shop) == []
    assert shop.Work.populate("item = 1", processes=8).made == 1
    assert shop.Work.to_arrays("pid").tolist() == [os.getpid()], "one key needs nobody else"


def test_a_schema_may_get_its_name_and_its_connection_later(database_url: str, tmp_path: Path) -> None:
    path = list(sys.path)
    shop = import_pipeline(tmp_path, PIPELINE.replace('dj.Schema("workshop")', "dj.Schema()"))
    try:
        with dj.Connection(DatabaseTarget(database_url, "the test")) as connection:
            shop.schema.activate("annex", connection=connection)
            fill(shop, 4)
            assert shop.Work.populate(processes=2).made == 4
            assert os.getpid() not in shop.Work.to_arrays("pid").tolist()
    finally:
        sys.path[:] = path
        del sys.modules["workshop"]


SCRIPT = """
import os
import djcli as dj
from djcli.settings import config

config["database.url"] = os.environ["TEST_URL"]
schema = dj.Schema("scripted")

@schema
class Item(dj.Manual):
    definition = "item : int32"

@schema
class Work(dj.Computed):
    definition = '''
    -> Item
    ---
    pid : int32
    '''

    def make(self, key):
        self.insert1({**key, "pid": os.getpid()})

if WHEN:
    Item.insert([(i,) for i in range(4)], skip_duplicates=True)
    print(Work.populate(processes=2))
    print(os.getpid() in Work.to_arrays("pid").tolist())
"""


def run_script(folder: Path, url: str, when: str, *, from_stdin: bool = False) -> tuple[str, str]:
    text = SCRIPT.replace("WHEN", when)
    (folder / "script.py").write_text(text)
    done = subprocess.run(
        [sys.executable, *([] if from_stdin else ["script.py"])],
        input=text if from_stdin else None,
        cwd=folder,
        env={**os.environ, "TEST_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, done.stderr


def test_a_script_may_hold_the_tables(tmp_path: Path, database_url: str) -> None:
    out, err = run_script(tmp_path, database_url, "True", from_stdin=True)
    assert (
        "worker processes import Work, but it is defined in a notebook or at the prompt: put it into a module"
        in err
    )
    out, err = run_script(tmp_path, database_url, "True")
    assert "put what only the script itself is to do under  if __name__ == '__main__':" in err
    out, err = run_script(tmp_path, database_url, "__name__ == '__main__'")
    assert (out.splitlines(), err) == (["{'success_count': 4, 'error_list': []}", "False"], "")


def test_a_script_may_import_the_tables_and_need_no_guard(tmp_path: Path, database_url: str) -> None:
    write_pipeline(tmp_path)
    (tmp_path / "script.py").write_text(
        dedent("""
        import os
        from djcli.settings import config
        config["database.url"] = os.environ["TEST_URL"]
        print("once")
        import workshop
        workshop.Item.insert([(i,) for i in range(4)])
        print(workshop.Work.populate(processes=2).made)
        """)
    )
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "TEST_URL": database_url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["once", "4"]
    assert done.stderr.count("imported in") == 3
