"""Frames by binary COPY: the same as those made of Python values, for every type; and what ends a COPY early."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import numpy as np
import pytest

import djcli as dj
from djcli.database import copy_out
from djcli.errors import DataJointError
from djcli.tables import frames
from djcli.tables.instance import Instance

pytest.importorskip("pyarrow")
pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pytest.importorskip("polars.testing")

DEFINITION = """
a : int32
name : varchar(20)
---
tiny=null : int8
small=null : int16
large=null : int64
single=null : float32
double=null : float64
price=null : decimal(3,2)
amount=null : decimal(18,7)
whole=null : decimal(5,0)
flag=null : bool
code=null : char(4)
text=null : varchar(2000)
mood=null : enum('so so', 'it''s', 'gut')
day=null : date
stamp=null : datetime
exact=null : datetime(0)
octets=null : bytes
native=null : text
counted=null : bigint
zoned=null : timestamptz
"""
VALUES: dict[str, list[Any]] = {
    "tiny": [-128, 127, 0],
    "small": [-32768, 32767],
    "large": [-(2**63), 2**63 - 1, 5],
    "single": [0.1, 0.46933332, 3.4028235e38, 1e-45, -0.0, float("nan"), float("inf"), 16777216, 1e10, -2.5],
    "double": [0.1, 1e300, 5e-324, float("nan"), float("-inf")],
    "price": ["0.00", "9.99", "-0.01", "1.50"],
    "amount": ["99999999999.9999999", "-0.0000001", "10000", "12345.0010000"],
    "whole": ["99999", "-10000", "0"],
    "flag": [True, False],
    "code": ["ab", "", "abcd"],
    "text": ["", "it's", "100%", "päö€😀", "x" * 1500, 'a\\b\n"'],
    "mood": ["so so", "it's", "gut"],
    "day": ["0001-01-01", "9999-12-31", "1999-12-31", "2026-01-06"],
    "stamp": ["0001-01-01", "9999-12-31 23:59:59.999999", "2026-01-06 10:00:00.25"],
    "exact": ["2026-01-06 10:00:00"],
    "octets": [b"", b"\0\xff", b"x" * 300],
    "native": ["n", ""],
    "counted": [2**40],
    "zoned": ["2026-01-06 10:00:00+02", "2026-01-06 10:00:00.000001"],
}


def rows(count: int) -> list[dict[str, Any]]:
    random = Random(count)
    made: list[dict[str, Any]] = [{"a": 0, "name": "nothing"}]
    for number in range(1, count):
        row: dict[str, Any] = {"a": number, "name": random.choice(("x", "yy", "it's"))}
        row |= {k: random.choice(v) for k, v in VALUES.items() if random.random() < 0.8}
        made.append(row)
    return made


@pytest.fixture
def table(instance: Instance) -> Any:
    """Make a table with all types and many values."""
    schema = dj.Schema("columns", connection=instance.connection)
    cls = schema(type("Every", (dj.Manual,), {"definition": DEFINITION}))
    cls.insert(rows(300))
    return cls


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], Any]:
    """Run something without COPY."""

    def run(fetch: Callable[[], Any]) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(frames, "copied_table", lambda *_: None)
            return fetch()

    return run


@pytest.fixture
def copied(statements: list[str]) -> Iterator[list[str]]:
    """Collect statements, one of which must be a COPY."""
    yield statements
    assert any(text.startswith("COPY") for text in statements)


@pytest.mark.usefixtures("copied")
def test_both_roads_give_the_same(table: Any, slowly: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every type, nulls included, in one piece and in many, ordered and limited."""
    for size in (copy_out._CHUNK, 1_000):
        monkeypatch.setattr(copy_out, "_CHUNK", size)
        for query, options in (
            (table(), {"order_by": "KEY"}),
            (table & "text like '100%'" & {"flag": True}, {"order_by": "a DESC"}),
            (table(), {"order_by": "KEY", "limit": 7, "offset": 3}),
            (table & "a < 0", {}),
            (table & {"a": 0}, {}),
            (table & "flag is not null and tiny is not null", {"order_by": "KEY"}),
        ):
            fast, slow = query.to_arrow(**options), slowly(lambda q=query, o=options: q.to_arrow(**o))
            assert fast.schema == slow.schema
            assert fast.validate(full=True) is None
            # nan differs from itself in Arrow alone
            assert repr(fast.to_pylist()) == repr(slow.to_pylist())
            polars.testing.assert_frame_equal(
                query.to_polars(**options), slowly(lambda q=query, o=options: q.to_polars(**o))
            )
            pandas.testing.assert_frame_equal(
                query.to_pandas(**options), slowly(lambda q=query, o=options: q.to_pandas(**o))
            )


@pytest.mark.usefixtures("copied")
def test_values_travel_as_settings(table: Any, statements: list[str]) -> None:
    """Whatever a value looks like, it stays a value; the COPY itself has none."""
    for name, values in VALUES.items():
        for value in values:
            if name not in ("single", "double") or value == value:
                query = table & {name: value}
                assert query.to_arrow().num_rows == len(query), (name, value)
        keys = [{"a": n, name: v} for n in range(30) for v in values if v == v]
        assert (table & keys).to_arrow().num_rows == len(table & keys), name
        assert (table - keys).to_arrow().num_rows == len(table - keys), name
        some = table & {name: values[:2]}
        assert some.to_arrow().num_rows == len(some)
    first = (table & dj.Top(5, "a", offset=2)).proj()
    assert first.to_arrow()["a"].to_pylist() == [2, 3, 4, 5, 6]
    assert (table & dj.Top(None, "a")).to_arrow().num_rows == 300
    assert not any("it's" in text or "'so so'" in text for text in statements if text.startswith("COPY"))
    related = table * (table & {"text": "it's"}).proj() & (table & {"mood": "it's"})
    assert related.to_arrow().num_rows == len(related)


def test_other_values_come_by_rows(table: Any, statements: list[str]) -> None:
    """What the user's own SQL computes, or is compared with, has no type that we know."""
    computed = table.proj(twice="a * 2.5")
    assert computed.to_arrow(order_by="KEY")["twice"][1].as_py() == Decimal("2.5")
    assert (computed & {"twice": 5}).proj().to_arrow()["a"].to_pylist() == [2]
    assert not any(text.startswith("COPY") for text in statements)


def test_infinite_dates_are_told(table: Any) -> None:
    """A value that neither road can hold is an error, and the session goes on."""
    table.connection.query("INSERT INTO columns.every (a, name, day) VALUES (-1, 'x', 'infinity')")
    with pytest.raises(DataJointError, match="date"):
        table.to_arrow()
    with table.connection.transaction:
        with pytest.raises(DataJointError, match="date"):
            (table & "a < 10").to_polars()
        assert len(table & {"a": -1}) == 1


def test_an_error_in_the_middle(table: Any) -> None:
    """The server's error is ours, and the session, or the transaction, goes on."""
    broken = table & "10 / (a - 250) < 100"
    with pytest.raises(DataJointError, match="division by zero"):
        broken.to_arrow()
    assert table.to_arrow().num_rows == 300
    with table.connection.transaction:
        with pytest.raises(DataJointError, match="division by zero"):
            (broken & {"flag": True} & "flag or not flag").proj("flag").to_arrow()
        assert (table & {"a": 3}).to_arrow().num_rows == 1
        with pytest.raises(DataJointError, match="cannot read this SQL"):
            (table & "a = = 3").to_arrow()
        assert len(table()) == 300


def test_interrupted(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops a COPY in the middle finds the session as it was."""
    monkeypatch.setattr(copy_out, "_CHUNK", 1_000)
    taken: list[int] = []

    def take(found: copy_out.Rows) -> None:
        taken.append(len(found.ends))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        table().query.copy(take)
    assert len(taken) == 1
    assert table.connection.is_connected
    assert len(table()) == 300
    with pytest.raises(KeyboardInterrupt), table.connection.transaction:
        (table & {"flag": True}).query.copy(take)
    assert not table.connection.in_transaction
    assert table.to_arrow().num_rows == 300


def test_inside_a_read_only_transaction(table: Any) -> None:
    """Settings are no writes; and what the transaction has done is seen."""
    connection = table.connection
    with connection.transaction:
        table.insert1({"a": 1_000, "name": "new"})
        assert (table & {"name": "new"}).to_arrow()["a"].to_pylist() == [1_000]
        connection.query("SET TRANSACTION READ ONLY")
        assert (table & {"name": "new"}).to_polars()["a"].to_list() == [1_000]


def test_without_pyarrow(table: Any, slowly: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pandas goes without; polars says what it needs."""
    expected = slowly(lambda: table.to_pandas(order_by="KEY"))
    real = frames.import_module

    def missing(name: str) -> Any:
        if name == "pyarrow":
            raise ImportError(name)
        return real(name)

    monkeypatch.setattr(frames, "import_module", missing)
    pandas.testing.assert_frame_equal(table.to_pandas(order_by="KEY"), expected)
    with pytest.raises(DataJointError, match=r"to_polars\(\) needs pyarrow: pip install 'djcli\[polars\]'"):
        table.to_polars()


@pytest.mark.usefixtures("instance")
def test_other_tables_keep_their_types() -> None:
    """UUIDs, JSON, blobs, wide decimals and native oddities."""
    schema = dj.Schema("odd")
    definition = """
    id : uuid
    ---
    wide=null : decimal(30,3)
    widest=null : decimal(50,2)
    meta=null : json
    data=null : <blob>
    span=null : interval
    """
    odd = schema(type("Odd", (dj.Manual,), {"definition": definition}))
    identity = UUID("01234567-89ab-cdef-0123-456789abcdef")
    odd.insert1(
        {"id": identity, "wide": "123456789012345678901234567.125", "widest": "1.25", "meta": {"a": 1}}
    )
    odd.insert1({"id": UUID(int=0), "data": [1, 2], "span": datetime.timedelta(hours=1)})
    key = odd.proj()
    assert set(key.to_arrow()["id"].to_pylist()) == {str(identity), str(UUID(int=0))}
    assert set(key.to_polars()["id"]) == {str(identity), str(UUID(int=0))}
    assert set(key.to_pandas().index) == {identity, UUID(int=0)}
    one = odd & {"id": identity}
    assert one.proj("wide", "widest").to_arrow()["wide"][0].as_py() == Decimal(
        "123456789012345678901234567.125"
    )
    assert one.proj("widest").to_polars()["widest"].to_list() == [Decimal("1.25")]
    assert one.proj("wide").to_polars().schema["wide"] == polars.Decimal(30, 3)
    assert one.proj("meta").to_arrow()["meta"].to_pylist() == ['{"a": 1}']
    assert one.proj("meta").to_pandas()["meta"].iloc[0] == {"a": 1}
    other = odd & {"id": UUID(int=0)}
    assert other.to_polars()["data"].to_list() == [[1, 2]]
    assert other.to_pandas()["span"].iloc[0] == datetime.timedelta(hours=1)
    odd.insert1({"id": UUID(int=1), "data": np.ones((1, 3))})
    assert (odd & "data IS NOT NULL").proj("data").to_polars()["data"].dtype == polars.Object
    computed = other.proj(listed="array[1, 2]", huge="repeat('9', 50)::numeric", at="date '2026-01-06'")
    assert computed.to_arrow()["listed"].to_pylist() == [[1, 2]]
    frame = computed.to_polars()
    assert frame["listed"].to_list() == [[1, 2]]
    assert frame["huge"].to_list() == [Decimal("9" * 50)]
    assert frame.schema["at"] == polars.Date
