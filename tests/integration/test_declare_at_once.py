"""Several processes that use missing tables for the first time at the same moment."""

import multiprocessing
from typing import Any

import djcli as dj
from djcli.settings import DatabaseTarget
from djcli.tables.instance import Instance, use_instance


def use_tables(url: str, barrier: Any, results: Any) -> None:
    use_instance(Instance(DatabaseTarget(url, "the test")))
    schema = dj.Schema("once")

    @schema
    class Side(dj.Lookup):
        definition = "side : enum('left','right')\n---\nuser = 'x' : varchar(8)"
        contents = (("left", "a"), ("right", "b"))

    @schema
    class Event(dj.Manual):
        definition = "-> Side\norder : int32\n---\nselect = null : int16\ngroup : bool"

    barrier.wait(30)
    try:
        results.put((len(Side()), len(Event & {"order": 1} & '"group"')))
    except Exception as error:  # noqa: BLE001 - told to the test
        results.put(repr(error))


def test_first_use_in_six_processes(instance: Instance, database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(6), context.Queue()
    workers = [context.Process(target=use_tables, args=(database_url, barrier, results)) for _ in range(6)]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(30)
    assert found == [(2, 0)] * 6
    assert [table.name for table in instance.catalog("once").pipeline_tables] == ["#side", "event"]
