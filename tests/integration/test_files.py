"""Files of rows: what is exported in any format is inserted again as the same rows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import djcli as dj
from djcli.tables.files.delimited import Delimited, raw_records, values_of
from djcli.tables.files.formats import FORMATS, write_rows
from djcli.tables.files.jsons import read_array
from djcli.tables.files.rowfile import RowFile
from djcli.tables.instance import Instance

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
ODD = st.text("a ,;\"'\r\n\t\\\ufeffé", max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats(-1, 1) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)

TYPES: dict[str, st.SearchStrategy[Any]] = {
    "int8": st.integers(-128, 127),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float32": st.floats(width=32, allow_subnormal=False),
    "float64": st.floats(allow_subnormal=False),
    "decimal(9,3)": st.decimals(-999_999, 999_999, places=3),
    "decimal(60,20)": st.decimals(-(10**30), 10**30, places=20),
    "bool": st.booleans(),
    "char(4)": st.text('ab,"é', max_size=4),
    "varchar(12)": TEXT | ODD,
    "date": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "datetime": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
    "uuid": st.uuids(),
    "bytes": st.binary(max_size=8),
    "json": JSON,
    "enum('left','a,b','it''s \"it\"')": st.sampled_from(["left", "a,b", 'it\'s "it"']),
    "text": TEXT | ODD,
    "bytea": st.binary(max_size=8),
    "jsonb": JSON,
}
NAMES = {f"v{place}": kind for place, kind in enumerate(TYPES)}
ROWS = st.lists(
    st.fixed_dictionaries(
        {"word": TEXT | ODD, **{name: st.none() | TYPES[kind] for name, kind in NAMES.items()}}
    ),
    max_size=4,
)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row that can be compared: nan equals itself."""
    return {name: "nan" if isinstance(v, float) and math.isnan(v) else v for name, v in row.items()}


@pytest.mark.filterwarnings("ignore:.*native type:UserWarning")
def test_what_is_exported_is_inserted_as_the_same_rows(
    instance: Instance, soak: Callable[[int, int], int], tmp_path: Path
) -> None:
    schema = dj.Schema("files")
    lines = "\n".join(f"{name} = null : {kind}" for name, kind in NAMES.items())
    made = {}
    for label in ("One", "Two"):
        definition = f"id : int32\n---\nword : varchar(12)\n{lines}\n"
        made[label] = schema(type(label, (dj.Manual,), {"definition": definition, "__module__": __name__}))
        len(made[label]())
    one, two = made["One"], made["Two"]

    @given(rows=ROWS, format_=st.sampled_from(FORMATS))
    @settings(max_examples=soak(50, 2_000), deadline=None, suppress_health_check=list(HealthCheck))
    def check(rows: list[dict[str, Any]], format_: str) -> None:
        instance.connection.query("TRUNCATE files.one, files.two")
        one.insert({"id": place, **row} for place, row in enumerate(rows))
        path = tmp_path / f"rows.{format_}"
        with path.open("wb") as file:
            query = one()
            assert write_rows(file, format_, query.heading, query.query.stream(order_by="id")) == len(rows)
        two.insert(path)
        before, after = one.to_dicts(order_by="id"), two.to_dicts(order_by="id")
        assert list(map(shown, after)) == list(map(shown, before))

    check()


@pytest.mark.parametrize("format_", FORMATS)
def test_many_rows_keep_their_order_and_number(instance: Instance, tmp_path: Path, format_: str) -> None:
    instance.connection.ping()
    schema = dj.Schema("files")

    @schema
    class Count(dj.Manual):
        definition = "n : int32\n---\nhalf = null : decimal(9,1)\nnote = null : varchar(9)"

    rows = [
        {"n": n, "half": None if n % 7 == 0 else Decimal(n) / 2, "note": "" if n % 5 else None}
        for n in range(3_100)
    ]
    Count.insert(rows)
    path = tmp_path / f"rows.{format_}"
    with path.open("wb") as file:
        write_rows(file, format_, Count.heading, Count().query.stream(order_by="n"))
    Count.delete_quick()
    told: list[tuple[int, float]] = []
    Count.insert(RowFile(path, without=[2, 3_000], follow=lambda rows, part: told.append((rows, part))))
    first = 2 if format_ in ("csv", "tsv") else 1  # the line of the first row
    gone = {2 - first, 3_000 - first}
    assert Count.to_dicts(order_by="n") == [row for row in rows if row["n"] not in gone]
    assert sum(count for count, _ in told) == len(rows)
    assert told[-1][1] > 0.9


def test_json_in_arrow_tables_and_polars_frames_is_text(instance: Instance) -> None:
    instance.connection.ping()
    schema = dj.Schema("files")

    @schema
    class Note(dj.Manual):
        definition = "id : int32\n---\nmeta = null : json"

    Note.insert([(1, {"a": [1, "x"]}), (2, "text"), (3, None)])
    before = Note.to_dicts(order_by="id")
    for frame in (Note.to_arrow(), Note.to_polars()):
        Note.delete_quick()
        Note.insert(frame)
        assert Note.to_dicts(order_by="id") == before


RECORDS = st.lists(st.lists(st.none() | ODD | TEXT, min_size=2, max_size=2), max_size=5)


@given(RECORDS, st.sampled_from(",;\t"))
@example([['a,"",b', ""], ['"",\n"",', None], ["\n", ""]], ",")
def test_csv_is_read_field_by_field_and_line_by_line(records: list[list[str | None]], delimiter: str) -> None:
    texts = [
        delimiter.join("" if field is None else '"' + field.replace('"', '""') + '"' for field in record)
        + "\r\n"
        for record in [["x", "y"], *records]
    ]
    octets = "".join(texts).encode()
    opened = Delimited(BytesIO(octets), "x.csv", delimiter)
    assert opened.header == ("x", "y")
    found: list[tuple[int, list[str | None]]] = []
    for numbers, rows in opened.records():
        columns = [values_of(column) for column in zip(*rows, strict=True)]
        found += zip(numbers, map(list, zip(*columns, strict=True)), strict=True)
    starts = [1 + octets[: len("".join(texts[:place]).encode())].count(b"\n") for place in range(len(texts))]
    assert found == list(zip(starts[1:], records, strict=True))
    raw = list(raw_records(BytesIO(octets)))
    assert [(number, text.decode()) for number, text in raw] == list(zip(starts, texts, strict=True))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not a JSON array of objects"),
        ("3", "is not a JSON array of objects: it starts with '3'"),
        ('[{"a": 1} {"a": 2}]', "row 1: a comma must follow it, not '{'"),
        ('[{"a": 1}', "ends after row 1 without the closing"),
        ('[{"a": 1}]x', "there is more after the array ends"),
        ('[{"a": 1}, {"a"]', "row 2 is not JSON"),
    ],
)
def test_json_that_is_none_is_told(text: str, told: str) -> None:
    with pytest.raises(dj.DataJointError, match=told):
        list(read_array(BytesIO(text.encode()), "x.json"))


def test_json_is_read_across_the_ends_of_what_is_read_at_a_time() -> None:
    rows = [{"n": n, "text": "é" * (n % 700)} for n in range(2_000)]
    for text in (json.dumps(rows, ensure_ascii=False), " ".join(json.dumps(row) for row in rows)):
        items = list(read_array(BytesIO(("\ufeff" + text).encode()), "x.json"))
        assert [value for _, value, _ in items] == rows
        assert [number for number, _, _ in items] == list(range(1, 2_001))
        assert json.loads(items[-1][2]) == rows[-1]
