"""Encoded values in real columns: every road stores the same, and a value finds its row again."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from djcli.codecs.scalars import NO_MATCH, comparison_column, comparison_value, decoder, encoder
from djcli.codecs.scalars import shortest_float32 as shortest

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
MOMENTS = st.datetimes(timezones=st.none() | st.just(datetime.timezone(datetime.timedelta(hours=-5))))

Case = tuple[str, str, tuple[int, ...], st.SearchStrategy[Any]]
CASES: list[Case] = [
    ("int8", "smallint", (), st.integers(-200, 200)),
    ("int16", "smallint", (), st.integers(-40000, 40000)),
    ("int32", "integer", (), st.integers(-(2**31), 2**31) | st.floats()),
    ("int64", "bigint", (), st.integers(-(2**63) - 1, 2**63)),
    ("float32", "real", (), st.floats() | st.floats(width=32)),
    ("float64", "double precision", (), st.floats() | st.integers()),
    (
        "decimal",
        "numeric(9,3)",
        (9, 3),
        st.decimals(allow_infinity=False) | st.decimals(-(10**6), 10**6, places=5),
    ),
    ("decimal", "numeric(9,3)", (9, 3), st.floats(-1e6, 1e6)),
    ("bool", "boolean", (), st.booleans() | st.sampled_from([0, 1, "yes", "off"])),
    ("char", "character(4)", (4,), TEXT),
    ("varchar", "character varying(4)", (4,), TEXT),
    ("native", "text", (), TEXT),
    ("date", "date", (), st.dates()),
    ("datetime", "timestamp without time zone", (), MOMENTS),
    ("datetime", "timestamp(3) without time zone", (3,), MOMENTS),
    ("datetime", "timestamp(0) without time zone", (0,), MOMENTS),
    ("uuid", "uuid", (), st.uuids()),
    ("json", "jsonb", (), JSON),
    ("bytes", "bytea", (), st.binary(max_size=20)),
]


def _ids(case: Case) -> str:
    return f"{case[0]}-{case[1]}"


@pytest.mark.parametrize("case", CASES, ids=_ids)
def test_every_road_stores_the_same_and_finds_it(case: Case, database_url: str) -> None:
    name, column, args, strategy = case
    encode, decode = encoder(name, column, args), decoder(name, column, args)
    cast = sql.SQL(comparison_column(name, column))  # type: ignore[arg-type]
    find = sql.SQL("SELECT id FROM t WHERE x = %s::{} ORDER BY id").format(cast)
    # psycopg has no binary dumper for bpchar; text has the same form
    kind = "text" if name == "char" else column.partition("(")[0] + column.partition(")")[2]

    with psycopg.connect(database_url, autocommit=True, options="-c TimeZone=UTC") as connection:
        connection.execute(sql.SQL("CREATE TABLE t (id int, x {})").format(sql.SQL(column)))  # type: ignore[arg-type]

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(strategy)
        def check(value: Any) -> None:
            try:
                stored = encode(value)
            except ValueError:
                assert comparison_value(name, column, args, (), value) is NO_MATCH
                return
            connection.execute("TRUNCATE t")
            connection.execute("INSERT INTO t VALUES (1, %s)", [stored])
            with connection.cursor() as cursor:
                with cursor.copy("COPY t FROM STDIN") as copy:
                    copy.write_row((2, stored))
                if name != "json":  # psycopg's binary dumper would encode the text once more
                    with cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
                        copy.set_types(["int4", kind])
                        copy.write_row((3, stored))
                rows = cursor.execute("SELECT id, x FROM t").fetchall()
                binary = connection.cursor(binary=True).execute("SELECT x FROM t").fetchone()
            assert len({repr(fetched) for _, fetched in rows}) == 1
            fetched = decode(rows[0][1]) if decode else rows[0][1]
            assert binary is not None
            again = shortest(binary[0]) if name == "float32" else decode(binary[0]) if decode else binary[0]
            assert repr(again) == repr(fetched)
            expected = [key for key, _ in rows]
            for wanted in (value, fetched):
                parameter = comparison_value(name, column, args, (), wanted)
                assert [key for (key,) in connection.execute(find, [parameter])] == expected
            _check_canonical(name, stored, fetched)

        check()


def _check_canonical(name: str, stored: Any, fetched: Any) -> None:
    """Check that PostgreSQL changed nothing: what was sent is what is there."""
    if name == "json":
        wanted = json.loads(stored)
        if isinstance(wanted, float):
            fetched = float(
                fetched
            )  # jsonb keeps numbers, not Python's types: a large float comes back as int
        assert fetched == wanted or isinstance(fetched, (dict, list))
    elif name == "float32":
        assert repr(encoder("float32", "real")(fetched)) == repr(stored)
    elif isinstance(stored, Decimal):
        assert str(fetched) == str(stored)
    else:
        assert repr(fetched) == repr(stored)
        assert type(fetched) is type(stored)
