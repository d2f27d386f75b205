"""Values of every type through insert, fetch and restriction: what is fetched finds its row again."""

import math
import uuid
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import djcli as dj
from djcli.tables.instance import Instance

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
PLAIN = st.text("abc xyz'\"\\%{}é", max_size=8)
JSON_LEAVES = (
    st.none() | st.booleans() | st.integers() | PLAIN | st.floats(allow_nan=False, allow_infinity=False)
)
FINITE32 = st.floats(width=32, allow_nan=False, allow_subnormal=False)

STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "int8": st.integers(-128, 127),
    "int16": st.integers(-(2**15), 2**15 - 1) | st.integers(0, 99).map(np.int16),
    "int32": st.integers(-(2**31), 2**31 - 1) | st.booleans(),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float32": FINITE32 | st.floats(1e-30, 1e30),
    "float64": st.floats(allow_nan=False, allow_subnormal=False) | st.integers(-1000, 1000),
    "decimal(9,3)": st.decimals(-999_999, 999_999, places=3) | st.floats(-1000, 1000),
    "bool": st.booleans() | st.sampled_from([np.True_, 0, 1]),
    "char(4)": st.text("abcdé", max_size=4),
    "varchar(12)": TEXT,
    "date": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "datetime": st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),
    "datetime(3)": st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),
    "uuid": st.uuids() | st.uuids().map(str),
    "bytes": st.binary(max_size=20),
    "enum('left','right','it''s, \"both\"')": st.sampled_from(["left", "right", 'it\'s, "both"']),
}
NAMES = {f"v{place}": kind for place, kind in enumerate(STRATEGIES)}
ROWS = st.fixed_dictionaries({name: st.none() | STRATEGIES[kind] for name, kind in NAMES.items()})


def same(a: object, b: object) -> bool:
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def test_every_type_comes_back_and_is_found(instance: Instance, soak: Callable[[int, int], int]) -> None:
    schema = dj.Schema("values")
    lines = "\n".join(f"{name} = null : {kind}" for name, kind in NAMES.items())

    @schema
    class Value(dj.Manual):
        definition = f"id : int32\n---\n{lines}\njs = null : json\nblob = null : <blob>"

    len(Value())

    @given(row=ROWS, js=st.recursive(JSON_LEAVES, st.lists, max_leaves=5))
    @settings(max_examples=soak(40, 2_000), deadline=None, suppress_health_check=list(HealthCheck))
    def check(row: dict[str, Any], js: Any) -> None:
        instance.connection.query('TRUNCATE "values"."value"')
        blob = {"row": [str(value) for value in row.values()], "js": js}
        Value.insert1({"id": 1, **row, "js": js, "blob": blob})
        Value.insert([{"id": 2, **row, "js": js}] * 1)
        Value.insert(({"id": i, **row} for i in range(3, 6)), chunk_size=2)
        first, *others = Value.to_dicts(order_by="id")
        assert repr(first["js"]).replace("-0.0", "0.0") == repr(js).replace("-0.0", "0.0")
        assert first["blob"] == blob
        for name in NAMES:
            fetched = first[name]
            assert (fetched is None) == (row[name] is None)
            assert all(same(other[name], fetched) for other in others), name
            assert len(Value & {name: fetched}) == 5, (name, fetched)
            assert len(Value & [{name: fetched, "id": 1}, {name: fetched, "id": 2}]) == 2, (name, fetched)
        # a row as fetched is a row to insert
        Value.insert1({**first, "id": 9})
        again = (Value & "id = 9").fetch1()
        assert all(same(again[name], first[name]) for name in NAMES)

    check()


def test_fetched_types_are_pythons_own(instance: Instance) -> None:  # noqa: ARG001
    schema = dj.Schema("values")

    @schema
    class Value(dj.Manual):
        definition = """
        id : int64
        ---
        d : decimal(5,2)
        u : uuid
        w : datetime(3)
        c : char(3)
        f : float32
        """

    moment = datetime(2026, 1, 2, 3, 4, 5, 678_900)
    Value.insert1(
        {"id": np.int64(1), "d": 1.5, "u": str(uuid.UUID(int=7)), "w": moment, "c": "a", "f": np.float64(0.1)}
    )
    row = Value.fetch1()
    assert row == {
        "id": 1,
        "d": Decimal("1.50"),
        "u": uuid.UUID(int=7),
        "w": datetime(2026, 1, 2, 3, 4, 5, 679_000),
        "c": "a",
        "f": 0.1,
    }
    assert [type(value) for value in row.values()] == [int, Decimal, uuid.UUID, datetime, str, float]


def test_times_that_python_has_not(instance: Instance) -> None:  # noqa: ARG001
    """PostgreSQL's 24:00:00 comes back as text, and finds its row again."""
    schema = dj.Schema("values")
    value = schema(type("Value", (dj.Manual,), {"definition": "id : int32\n---\nat : time"}))
    value.insert([(1, "24:00:00"), (3, "10:00")])
    value.insert1((2, time(23, 59, 59, 5)))
    times = value.to_arrays("at", order_by="id").tolist()
    assert times == ["24:00:00", time(23, 59, 59, 5), time(10)]
    assert [(value & {"at": at}).fetch1("id") for at in times] == [1, 2, 3]
