"""Rows of a populate go out in binary where they can: what arrives is what a make alone would have stored."""

import math
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

import djcli as dj
from djcli.populate.result import Key
from djcli.tables.instance import Instance

DEFINITION = """
-> Item
---
tiny : int8
small : int16
plain : int32
big : int64
single : float32
double : float64
flag : bool
text : varchar(12)
day : date
code : uuid
maybe = null : int32
"""

floats = st.floats(width=32, allow_subnormal=False)
ROWS = st.fixed_dictionaries(
    {
        "tiny": st.integers(-128, 127),
        "small": st.integers(-(2**15), 2**15 - 1),
        "plain": st.integers(-(2**31), 2**31 - 1) | st.integers(0, 99).map(np.int64),
        "big": st.integers(-(2**63), 2**63 - 1),
        "single": floats | floats.map(np.float32),
        "double": st.floats() | st.floats().map(np.float64),
        "flag": st.booleans() | st.booleans().map(np.bool_),
        "text": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
        "day": st.dates(date(1, 1, 1), date(9999, 12, 31)),
        "code": st.uuids(),
        "maybe": st.none() | st.integers(-5, 5),
    }
)


def make_tables(rows: list[dict[str, Any]]) -> Any:
    schema = dj.Schema("sent")

    @schema
    class Item(dj.Manual):
        definition = "item : int32"

    @schema
    class Made(dj.Computed):
        definition = DEFINITION

        def make(self, key: Key) -> None:
            self.insert1({**key, **rows[key["item"]]})

    Item.insert(({"item": i} for i in range(len(rows))), skip_duplicates=True)
    return Made


def stored(table: Any) -> list[str]:
    """Return the rows with no doubt about types and nan."""
    return [repr(row) for row in table.to_dicts(order_by="KEY")]


@given(rows=st.lists(ROWS, min_size=3, max_size=12))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_values_arrive_as_they_do_one_by_one(instance: Instance, rows: list[dict[str, Any]]) -> None:
    instance.connection.execute(sql.SQL("DROP SCHEMA IF EXISTS sent CASCADE"))
    instance.forget()
    instance.classes.clear()
    made = make_tables(rows)
    assert made.populate(batch=1)["success_count"] == len(rows)
    alone = stored(made)
    made().delete_quick()
    assert made.populate()["success_count"] == len(rows)
    assert stored(made) == alone


ROW = {
    "tiny": 1,
    "small": 2,
    "plain": 16_843_009,  # four printable bytes
    "big": 4,
    "single": 0.1,
    "double": math.pi,
    "flag": True,
    "text": "x",
    "day": date(2026, 1, 5),
    "code": UUID(int=7),
}


def test_rows_of_plain_types_go_in_binary(instance: Instance, statements: list[str]) -> None:  # noqa: ARG001
    made = make_tables([ROW] * 3)
    made.populate()
    assert [s for s in statements if "__made" in s and s.startswith("COPY") and s.endswith("(FORMAT BINARY)")]


@pytest.mark.parametrize("other", ["text", "bigint", "numeric"])
def test_columns_that_differ_from_the_definition_get_text(
    instance: Instance, statements: list[str], other: str
) -> None:
    made = make_tables([ROW] * 3)
    len(made())
    instance.connection.query(f"ALTER TABLE sent.__made ALTER plain TYPE {other}")
    statements.clear()
    assert made.populate()["success_count"] == 3
    assert not [s for s in statements if "BINARY" in s]
    ((found,),) = instance.connection.query("SELECT DISTINCT plain::text FROM sent.__made")
    assert found == "16843009"
