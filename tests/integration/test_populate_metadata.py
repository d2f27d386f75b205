"""Hidden columns that tell when a row was made, how long it took and by which code, when they are switched on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import djcli as dj
from djcli.populate import metadata
from djcli.populate.result import Key
from djcli.tables.instance import Instance

COLUMNS = "_job_start_time, _job_duration, _job_version"


@pytest.fixture(autouse=True)
def no_versions_known() -> Iterator[None]:
    metadata.code_version.cache_clear()
    yield
    metadata.code_version.cache_clear()


def make_schema(*, filled: bool) -> Any:
    schema = dj.Schema("lab")

    @schema
    class Session(dj.Manual):
        definition = "session : int32"

    @schema
    class Quick(dj.Computed):
        definition = "-> Session\n---\nvalue : int32"

        class Row(dj.Part):
            definition = "-> master\nrow : int32"

        def make(self, key: Key) -> None:
            self.insert1({**key, "value": 1})
            self.Row.insert({**key, "row": i} for i in range(2))
            if key["session"] % 2:
                len(self.Row & key)  # sends the rows

    @schema
    class Slow(dj.Imported):
        definition = "-> Session"

        def make_fetch(self, key: Key) -> Any:
            return (len(Session & key),)

        def make_compute(self, key: Key, count: int) -> Any:
            assert key
            return (count,)

        def make_insert(self, key: Key, count: int) -> None:
            assert count == 1
            self.insert1(key)

    for table in schema.tables:
        len(table())
    if filled:
        Session.insert((i,) for i in range(6))
    return schema


@pytest.mark.parametrize("batch", [1, 100])
def test_every_row_tells_when_it_was_made(instance: Instance, batch: int) -> None:
    with dj.config.override(jobs__add_job_metadata=True, jobs__version_method="git"):
        schema = make_schema(filled=True)
        quick, slow = schema.tables[1], schema.tables[3]
        assert "_job_start_time" not in quick.heading.names
        assert quick.populate(batch=batch)["success_count"] == 6
        assert slow.populate()["success_count"] == 6
    rows = instance.connection.query(
        f"SELECT {COLUMNS} FROM lab.__quick UNION ALL SELECT {COLUMNS} FROM lab._slow"
    )
    assert len(rows) == 12
    now = datetime.now(UTC).replace(tzinfo=None)
    for started, duration, version in rows:
        assert now - timedelta(minutes=5) < started <= now
        assert 0 <= duration < 60
        assert version == metadata.code_version(schema.tables[1])
    assert (quick & {"session": 3}).fetch1() == {"session": 3, "value": 1}


def test_columns_that_the_database_has_are_filled_whatever_the_setting(instance: Instance) -> None:
    with dj.config.override(jobs__add_job_metadata=True):
        make_schema(filled=True)
    instance.forget()
    instance.classes.clear()
    schema = make_schema(filled=False)
    quick = schema.tables[1]
    assert not quick.model.hidden
    assert not quick.alter(prompt=False).changes
    assert quick.populate(max_calls=2)["success_count"] == 2
    assert instance.connection.query("SELECT count(_job_duration), max(_job_version) FROM lab.__quick") == [
        (2, "")
    ]


def test_alter_adds_them(instance: Instance) -> None:
    schema = make_schema(filled=True)
    schema.tables[1].populate(max_calls=3)
    instance.forget()
    instance.classes.clear()
    with dj.config.override(jobs__add_job_metadata=True):
        schema = make_schema(filled=False)
        quick = schema.tables[1]
        quick.alter(prompt=False)
        assert quick.populate()["success_count"] == 3
        assert not quick.alter(prompt=False).changes
    assert instance.connection.query("SELECT count(*), count(_job_start_time) FROM lab.__quick") == [(6, 3)]
