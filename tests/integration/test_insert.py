"""Inserting: every source, every conflict, every refusal, told by row and attribute."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

import djcli as dj
from djcli.tables.instance import Instance
from tests.memory import BY_ITSELF


class Lab:
    """Some tables with rows to refer to."""

    def __init__(self) -> None:
        schema = dj.Schema("lab")

        @schema
        class Subject(dj.Manual):
            definition = """
            subject_id : varchar(8)
            ---
            weight = 1.5 : float64
            """

        @schema
        class Session(dj.Manual):
            definition = """
            -> Subject
            session : int16
            ---
            day : date
            note = null : varchar(20)
            count = 7 : int32
            unique index (day, note)
            """

        @schema
        class Partner(dj.Manual):
            definition = """
            -> Session
            -> Session.proj(other_subject='subject_id', other_session='session')
            """

        @schema
        class Single(dj.Manual):
            definition = """
            ---
            value = 3 : int32
            """

        self.schema, self.Subject, self.Session, self.Partner = schema, Subject, Session, Partner
        self.Single = Single
        Subject.insert([{"subject_id": "a"}, {"subject_id": "b"}])

    def session(self, number: int, **changes: Any) -> dict[str, Any]:
        return {"subject_id": "a", "session": number, "day": "2026-01-01", "note": f"n{number}", **changes}


@pytest.fixture
def lab(instance: Instance) -> Lab:
    instance.connection.ping()
    return Lab()


@pytest.fixture(params=[3, 2_000], ids=["few", "many"])
def size(request: pytest.FixtureRequest) -> int:
    """How many rows: so few that they are one statement, or so many that they go by COPY."""
    return request.param


def rows_of(table: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table.to_dicts(order_by="KEY")]


# ---- sources --------------------------------------------------------------------------------------------

DAY = datetime.date(2026, 1, 1)


def expected(size: int) -> list[tuple[Any, ...]]:
    return [("a", i, DAY, None if i == 1 else f"n{i}", 7) for i in range(size)]


def dicts(size: int) -> list[dict[str, Any]]:
    return [
        {"subject_id": "a", "session": i, "day": "2026-01-01", "note": None if i == 1 else f"n{i}"}
        for i in range(size)
    ]


def test_dicts_generators_sequences_and_mixtures(lab: Lab, size: int) -> None:
    for source in (
        dicts(size),
        iter(dicts(size)),
        [(*row.values(), 7) for row in dicts(size)],
        [dict(reversed(row.items())) if i % 2 else row for i, row in enumerate(dicts(size))],
        [{k: v for k, v in row.items() if v is not None} for row in dicts(size)],
        [row if i % 3 else [*row.values(), None] for i, row in enumerate(dicts(size))],
    ):
        lab.Session.insert(source)
        assert rows_of(lab.Session) == expected(size)
        lab.Session.delete_quick()


def test_records_and_structured_arrays(lab: Lab, size: int) -> None:
    array = np.array(
        [("a", i, np.datetime64("2026-01-01"), f"n{i}", 7) for i in range(size)],
        dtype=[("subject_id", "U8"), ("session", "i8"), ("day", "M8[D]"), ("note", "O"), ("count", "f4")],
    )
    array["note"][1] = None
    for source in (array, list(array), (record for record in array)):
        lab.Session.insert(source)
        assert rows_of(lab.Session) == expected(size)
        lab.Session.delete_quick()
    lab.Session.insert1(array[0])
    assert lab.Session.fetch1("session") == 0


def test_pandas_frames(lab: Lab, size: int) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(dicts(size))
    frame["count"] = [None if i == 0 else 7 for i in range(size)]
    frame["day"] = pandas.to_datetime(frame["day"])
    lab.Session.insert(frame)
    assert rows_of(lab.Session) == expected(size)
    lab.Session.delete_quick()
    lab.Session.insert(frame.set_index(["subject_id", "session"]))
    assert rows_of(lab.Session) == expected(size)
    lab.Session.delete_quick()
    lab.Session.insert_dataframe(frame.set_index(["subject_id", "session"]))
    lab.Session.insert_dataframe(frame, index_as_pk=False, skip_duplicates=True)
    with pytest.raises(dj.DataJointError, match="not the primary key"):
        lab.Session.insert_dataframe(frame, index_as_pk=True)
    assert rows_of(lab.Session) == expected(size)


def test_missing_numbers_of_a_frame_are_null_where_they_may_be(instance: Instance) -> None:
    pandas = pytest.importorskip("pandas")
    schema = dj.Schema("missing")

    @schema
    class Number(dj.Manual):
        definition = """
        number : int32
        ---
        maybe = null : float64
        always : float64
        whole = null : int32
        """

    nan = float("nan")
    Number.insert(pandas.DataFrame({"number": [1], "maybe": [nan], "always": [nan], "whole": [nan]}))
    Number.insert1({"number": 2, "maybe": nan, "always": nan, "whole": nan})
    first, second = instance.connection.query(
        "SELECT maybe, always, whole FROM missing.number ORDER BY number"
    )
    assert first[0] is None
    assert np.isnan(first[1])
    assert first[2] is None
    assert np.isnan(second[0])
    assert second[2] is None


def test_polars_and_arrow(lab: Lab, size: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    polars = pytest.importorskip("polars")
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    frame = polars.DataFrame(dicts(size))
    table = arrow.Table.from_pylist(dicts(size))
    path = tmp_path_factory.mktemp("parquet") / "rows.parquet"
    parquet.write_table(table, path)
    for source in (frame, frame.lazy(), table, path):
        lab.Session.insert(source)
        assert rows_of(lab.Session) == expected(size)
        lab.Session.delete_quick()


def test_csv_files(lab: Lab, size: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    lines = ["subject_id,session,day,note"]
    lines += [f"a,{i},2026-01-01,{'' if i == 1 else f'n{i}'}" for i in range(size)]
    path.write_text("\ufeff" + "\r\n".join(lines) + "\r\n", encoding="utf-8")
    lab.Session.insert(path)
    assert rows_of(lab.Session) == expected(size)
    path.write_text("subject_id,session,day\na,1,2026-01-01\na,x,2026-01-01\n")
    with pytest.raises(
        dj.DataJointError, match=r"lab.Session: rows.csv line 3: attribute 'session' \(int16\): 'x' is not"
    ):
        lab.Session.insert(path)
    path.write_text('subject_id,"session); DROP TABLE lab.subject; --",day\na,1,2026-01-01\n')
    with pytest.raises(dj.errors.UnknownAttributeError, match=r"rows\.csv: there is no attribute 'session"):
        lab.Session.insert(path)
    path.write_text("subject_id,session,day\na,1\n")
    with pytest.raises(dj.DataJointError, match=r"rows.csv line 2: has 2 values for 3 columns"):
        lab.Session.insert(path)
    with pytest.raises(dj.DataJointError, match="there is no file"):
        lab.Session.insert(path.with_name("other.csv"))
    with pytest.raises(dj.DataJointError, match="it must end in"):
        lab.Session.insert(Path(__file__))


def test_expressions_are_copied_inside_the_database(lab: Lab, statements: list[str]) -> None:
    lab.Session.insert(dicts(3))
    query = lab.Session.proj("day", note="'copy' || session")
    statements.clear()
    lab.Session.insert(query, skip_duplicates=True)
    assert len(statements) == 1
    assert "INSERT INTO" in statements[0]
    assert rows_of(lab.Session) == expected(3)
    lab.Session.insert(query, replace=True)
    assert [row[3:] for row in rows_of(lab.Session)] == [("copy0", 7), ("copy1", 7), ("copy2", 7)]
    with pytest.raises(dj.errors.UnknownAttributeError, match="no attribute 'zzz'"):
        lab.Session.insert(lab.Session.proj(..., zzz="1"))
    with pytest.raises(dj.errors.MissingAttributeError, match="'day' is missing in the query"):
        lab.Session.insert(lab.Session.proj())
    lab.Partner.insert(
        lab.Session.proj() * lab.Session.proj(other_subject="subject_id", other_session="session"),
    )
    assert len(lab.Partner()) == 9


@pytest.mark.parametrize("source", ["abc", {"subject_id": "a"}, 7, dict])
def test_what_holds_no_rows_is_refused(lab: Lab, source: Any) -> None:
    with pytest.raises(dj.DataJointError, match=r"insert takes (many|an iterable of) rows"):
        lab.Session.insert(source)


def test_no_rows_are_no_rows(lab: Lab) -> None:
    lab.Session.insert([])
    lab.Session.insert(iter(()))
    assert len(lab.Session()) == 0


def test_a_long_generator_needs_little_memory(lab: Lab) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        for i in range(150_000):
            yield {"subject_id": f"{i}", "weight": 1.0}

    assert len(lab.Subject())  # what is loaded once does not count
    tracemalloc.start()
    lab.Subject.insert(rows())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(lab.Subject()) == 150_002
    assert peak < 25_000_000


# ---- statements -----------------------------------------------------------------------------------------


def test_few_rows_are_one_statement_and_many_are_copied(lab: Lab, statements: list[str]) -> None:
    assert not lab.Session()
    statements.clear()
    lab.Session.insert(dicts(100))
    assert len(statements) == 1
    statements.clear()
    lab.Session.insert({**row, "session": row["session"] + 100, "note": None} for row in dicts(2_000))
    assert len([text for text in statements if "COPY" in text]) == 1
    statements.clear()
    lab.Session.insert(
        ({**row, "session": row["session"] + 3000, "note": None} for row in dicts(70)), chunk_size=30
    )
    assert len([text for text in statements if "INSERT" in text]) == 3
    with pytest.raises(dj.DataJointError, match="chunk_size=0"):
        lab.Session.insert(dicts(1), chunk_size=0)


def test_defaults_alone(lab: Lab) -> None:
    lab.Single.insert([{}])
    assert lab.Single.fetch1("value") == 3
    lab.Single.insert1({"value": 5}, replace=True)
    assert lab.Single.fetch1("value") == 5
    lab.Single.insert1({}, skip_duplicates=True)
    with pytest.raises(dj.errors.DuplicateError):
        lab.Single.insert1({})
    lab.Single.insert1({}, replace=True)
    assert lab.Single.fetch1("value") == 3


# ---- conflicts ------------------------------------------------------------------------------------------


def test_duplicates_are_skipped_or_replace(lab: Lab, size: int) -> None:
    lab.Session.insert(dicts(size))
    lab.Partner.insert1(("a", 0, "a", 0))
    again = [{**row, "note": f"again{row['session']}", "count": 8} for row in dicts(size + 1)]
    lab.Session.insert(again, skip_duplicates=True)
    assert rows_of(lab.Session) == [*expected(size), ("a", size, DAY, f"again{size}", 8)]
    lab.Session.insert(
        [*again, {**again[0], "note": "last"}, {"subject_id": "a", "session": 1, "day": "2026-02-02"}],
        replace=True,
    )
    found = rows_of(lab.Session)
    assert found[0] == ("a", 0, DAY, "last", 8)
    assert found[1] == ("a", 1, datetime.date(2026, 2, 2), None, 7)
    assert found[2] == ("a", 2, DAY, "again2", 8)
    assert len(lab.Partner()) == 1
    with pytest.raises(dj.DataJointError, match="not both"):
        lab.Session.insert(again, skip_duplicates=True, replace=True)


def test_a_duplicate_is_told_by_row_and_key(lab: Lab, size: int) -> None:
    lab.Session.insert1(lab.session(2, note="first"))
    with pytest.raises(
        dj.errors.DuplicateError,
        match=r"^lab.Session: row 3: a row with subject_id='a', session=2 already exists; skip_duplicates=True",
    ):
        lab.Session.insert(dicts(size))
    assert len(lab.Session()) == 1
    with pytest.raises(
        dj.errors.DuplicateError, match=rf"rows 1 and {size + 1} have the same key: subject_id='b', session=0"
    ):
        lab.Session.insert([{**row, "subject_id": "b"} for row in [*dicts(size), dicts(1)[0]]])
    assert len(lab.Session()) == 1


def test_a_duplicate_far_from_its_twin_is_told(lab: Lab) -> None:
    with pytest.raises(
        dj.errors.DuplicateError, match=r"row 71: a row with subject_id='a', session=0 already"
    ):
        lab.Session.insert([*dicts(70), dicts(1)[0]], chunk_size=30)
    assert len(lab.Session()) == 0


@pytest.mark.parametrize("options", [{}, {"skip_duplicates": True}, {"replace": True}])
def test_another_unique_index_is_told_too(lab: Lab, size: int, options: Any) -> None:
    lab.Session.insert1(lab.session(5_000, note="n2"))
    with pytest.raises(
        dj.errors.DuplicateError, match=r"row 3: a row with day=2026-01-01, note='n2' already exists$"
    ):
        lab.Session.insert(dicts(size), **options)
    assert len(lab.Session()) == 1


def test_a_missing_parent_is_told_by_row_and_key(lab: Lab, size: int) -> None:
    rows = dicts(size)
    rows[-1]["subject_id"] = "nobody"
    with pytest.raises(
        dj.errors.IntegrityError,
        match=rf"^lab.Session: row {size}: there is no Subject with subject_id='nobody': insert it first$",
    ):
        lab.Session.insert(rows)
    assert len(lab.Session()) == 0
    lab.Session.insert(dicts(2))
    with pytest.raises(
        dj.errors.IntegrityError, match=r"row 1: there is no Session with subject_id='b', session=9"
    ):
        lab.Partner.insert1(("a", 0, "b", 9))


# ---- rows that do not fit -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (
            {"session": "x"},
            dj.DataJointError,
            r"row 2: attribute 'session' \(int16\): 'x' is not a whole number",
        ),
        (
            {"session": 70_000},
            dj.DataJointError,
            r"row 2: attribute 'session' \(int16\): 70000 is out of range",
        ),
        ({"day": None}, dj.errors.MissingAttributeError, "row 2: attribute 'day' may not be null"),
        (
            {"note": "x" * 21},
            dj.DataJointError,
            r"row 2: attribute 'note' \(varchar\(20\)\): .* has 21 characters",
        ),
        ({"note": "a\0"}, dj.DataJointError, "row 2: attribute 'note' .* NUL"),
        (
            {"notes": "a"},
            dj.errors.UnknownAttributeError,
            "row 2: there is no attribute 'notes' - did you mean note?",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_told(lab: Lab, size: int, change: Any, error: Any, text: str) -> None:
    rows = dicts(size)
    rows[1] = rows[1] | change
    with pytest.raises(error, match=f"^lab.Session: {text}"):
        lab.Session.insert(rows)
    assert len(lab.Session()) == 0


def test_a_missing_attribute_is_told(lab: Lab, size: int) -> None:
    rows = dicts(size)
    del rows[1]["day"]
    with pytest.raises(
        dj.errors.MissingAttributeError, match="row 2: attribute 'day' is missing, and it has no"
    ):
        lab.Session.insert(rows)
    with pytest.raises(
        dj.DataJointError, match=r"row 1: has 2 values for 5 attributes \(subject_id, session"
    ):
        lab.Session.insert1(("a", 1))
    with pytest.raises(dj.DataJointError, match="row 1: is int; give a dict or a sequence"):
        lab.Session.insert([5])
    assert len(lab.Session()) == 0


def test_extra_fields_are_passed_over_if_asked(lab: Lab) -> None:
    lab.Session.insert([{**row, "extra": object()} for row in dicts(3)], ignore_extra_fields=True)
    assert rows_of(lab.Session) == expected(3)


def test_none_stands_for_the_default(lab: Lab, size: int) -> None:
    lab.Session.insert({**row, "count": None if row["session"] % 2 else 8} for row in dicts(size))
    assert [row[-1] for row in rows_of(lab.Session)] == [7 if i % 2 else 8 for i in range(size)]


def test_rows_of_one_table_may_depend_on_one_another_in_any_order(lab: Lab, size: int) -> None:
    @lab.schema
    class Animal(dj.Manual):
        definition = """
        animal : int32
        ---
        sex = 'u' : enum('m', 'f', 'u')
        born = null : date
        since = CURRENT_TIMESTAMP : datetime
        marks = 3 : decimal(4,1)
        -> [nullable] Animal.proj(mother='animal')
        """

    def given(number: int) -> dict[str, Any]:
        row: dict[str, Any] = {"animal": number, "mother": number + 1 if number < size else None}
        choices: list[dict[str, Any]] = [
            {"sex": "m", "born": "2026-01-01"},
            {"sex": None, "marks": 2},
            {},
            {"marks": None},
        ]
        return row | choices[number % len(choices)]

    Animal.insert(given(number) for number in range(1, size + 1))
    sexes, marks = Animal.to_arrays("sex", "marks", order_by="KEY")
    assert list(sexes) == ["m" if number % 4 == 0 else "u" for number in range(1, size + 1)]
    assert list(map(str, marks)) == ["2.0" if number % 4 == 1 else "3.0" for number in range(1, size + 1)]
    with pytest.raises(dj.errors.IntegrityError, match="there is no Animal with animal=-1: insert it first"):
        Animal.insert([given(0), {"animal": -5, "sex": "m", "mother": -1}, {"animal": -6, "mother": -5}])
    assert len(Animal()) == size


def test_what_only_the_database_refuses_is_told_with_its_table(
    lab: Lab, instance: Instance, size: int
) -> None:
    assert not lab.Session()
    instance.connection.query("ALTER TABLE lab.session ADD CONSTRAINT odd CHECK (note <> 'n2')")
    with pytest.raises(dj.errors.IntegrityError, match=r"lab.Session: .*violates check constraint"):
        lab.Session.insert(dicts(size))
    assert len(lab.Session()) == 0


@pytest.mark.parametrize(
    ("lock", "how", "statement"),
    [
        ("SELECT 1 FROM lab.subject FOR UPDATE", {}, "COPY"),
        ("LOCK TABLE lab.session", {}, "COPY"),
        ("LOCK TABLE lab.session IN EXCLUSIVE MODE", {"replace": True}, "INSERT"),
    ],
)
def test_an_interrupt_while_the_server_works_leaves_a_session_that_goes_on(
    lab: Lab,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
    lock: str,
    how: dict[str, bool],
    statement: str,
) -> None:
    """Whether it takes the rows, or has them and checks their parents, or puts them in place of others."""
    assert not lab.Session()
    waiting = f"SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '{statement}%'"

    def interrupt() -> None:
        with psycopg.connect(database_url, autocommit=True) as watching:
            while watching.execute(waiting).fetchone() is None:
                time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    with psycopg.connect(database_url) as other:
        other.execute(lock.encode())
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            lab.Session.insert(list(dicts(2_000)), **how)
        thread.join()
    assert caplog.records == []
    assert len(lab.Session()) == 0
    lab.Session.insert(list(dicts(2_000)), **how)
    assert len(lab.Session()) == 2_000


@pytest.mark.parametrize("how", [{}, {"skip_duplicates": True}, {"replace": True}])
@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ({"subject_id": "z"}, "row 1801: there is no Subject with subject_id='z'"),
        ({"day": "2026-01-01", "note": "n5"}, "rows? .*1801.* note='n5'"),
        ({"count": "x"}, "row 1801: attribute 'count' .*: 'x' is not a whole number"),
    ],
)
def test_a_mistake_in_a_later_chunk_is_told_by_its_row(
    lab: Lab, how: dict[str, bool], mistake: dict[str, Any], told: str
) -> None:
    """A chunk is made ready while the server has the one before it."""
    rows: list[dict[str, Any]] = dicts(3_000)
    rows[1_800].update(mistake)
    with pytest.raises(dj.DataJointError, match=told):
        lab.Session.insert(rows, chunk_size=600, **how)
    assert len(lab.Session()) == 0
    lab.Session.insert(dicts(3_000), chunk_size=600, **how)
    assert len(lab.Session()) == 3_000


class Asking(dict[str, Any]):
    """A row that asks the database for one of its values."""

    def __getitem__(self, name: str) -> Any:
        return dj.conn().query("SELECT 7")[0][0] if name == "count" else super().__getitem__(name)


def test_rows_may_ask_the_database_while_they_are_read(lab: Lab) -> None:
    lab.Session.insert([Asking({**row, "count": 0}) for row in dicts(3_000)], chunk_size=600)
    assert len(lab.Session()) == 3_000


# ---- all roads ------------------------------------------------------------------------------------------

VALUES: dict[str, tuple[str, Any]] = {
    "small": ("int8", -5),
    "large": ("int64", 2**62),
    "single": ("float32", 0.46933332),
    "double": ("float64", 0.1),
    "odd": ("float64", float("inf")),
    "price": ("decimal(8,3)", Decimal("1.235")),
    "yes": ("bool", True),
    "code": ("char(4)", "ab"),
    "text": ("varchar(40)", "a\tb\\c\n'\"ü{}%s,\\N"),
    "empty": ("varchar(4)", ""),
    "day": ("date", datetime.date(1, 1, 1)),
    "moment": ("datetime(3)", datetime.datetime(2026, 1, 2, 3, 4, 5, 678000)),
    "who": ("uuid", uuid.UUID(int=7)),
    "info": ("json", {"a": [1, None, "\\N\t"], "ü": {"x": 1.5}}),
    "raw": ("bytes", b"\x00\\N\xff\t\n"),
    "hand": ("enum('left','ri,ght')", "ri,ght"),
    "thing": ("<blob>", {"x": [1, 2.5, "y"]}),
}


def test_a_value_is_the_same_on_every_road(instance: Instance) -> None:
    schema = dj.Schema("roads")

    @schema
    class Road(dj.Manual):
        definition = "\n".join(
            ["row : int32", "---", *(f"{name} = null : {kind}" for name, (kind, _) in VALUES.items())]
        )

    values = {name: value for name, (_, value) in VALUES.items()}
    nulls = dict.fromkeys(values)
    Road.insert1({"row": 0, **values})
    Road.insert([{"row": 1, **values}, {"row": 2, **nulls}], replace=True)
    for start, options in ((1_000, {}), (2_000, {"skip_duplicates": True}), (3_000, {"replace": True})):
        Road.insert(({"row": start + i, **(nulls if i == 1 else values)} for i in range(800)), **options)
    Road.insert1({"row": 5_000})
    Road.update1({"row": 5_000, **values})
    Road.insert((Road & "row = 0").proj(*values).proj(..., row="row"), skip_duplicates=True)
    for row in (0, 1, 1_000, 2_000, 3_000, 3_799, 5_000):
        found = (Road & {"row": row}).fetch1()
        del found["row"]
        assert found == values
    for row in (2, 1_001, 2_001, 3_001):
        assert set((Road & {"row": row}).proj(*values).fetch1().values()) == {None, row}
    distinct = "SELECT count(DISTINCT t) FROM (SELECT {} FROM roads.road WHERE small IS NOT NULL) AS t"
    names = ", ".join(f"{name}::text" for name in values)
    assert instance.connection.query(distinct.format(names)) == [(1,)]


# ---- validation -----------------------------------------------------------------------------------------


def test_validation_tells_all_problems_at_once(lab: Lab) -> None:
    lab.Session.insert1(lab.session(1))
    result = lab.Session.validate(
        [
            lab.session(1),
            lab.session(2, subject_id="x"),
            lab.session("y", day=None),
            lab.session(3),
            lab.session(3, colour="red"),
            {"subject_id": "a", "session": 9},
            [1],
        ]
    )
    assert not result
    assert result.rows_checked == 7
    assert [(index, name) for index, name, _ in result.errors] == [
        (0, None),
        (0, None),  # by the unique index too
        (1, "subject_id"),
        (2, "session"),
        (2, "day"),
        (4, "colour"),
        (4, None),
        (4, None),
        (5, "day"),
        (6, None),
    ]
    summary = result.summary()
    assert "10 problems in 6 of 7 rows:" in summary
    assert "  row 1: a row with subject_id='a', session=1 already exists" in summary
    assert "  row 5: it has the same key as row 4: subject_id='a', session=3" in summary
    with pytest.raises(dj.DataJointError, match="10 problems"):
        result.raise_if_invalid()
    assert len(lab.Session()) == 1
    assert lab.Session.validate(dicts(1)).is_valid
    assert lab.Session.validate(dicts(1)).summary() == "all 1 rows are valid"


@pytest.mark.soak
def test_a_generator_of_many_rows_is_inserted_in_little_memory(
    database_url: str, soak: Callable[[int, int], int]
) -> None:
    script = """
import resource, sys
from pathlib import Path
import djcli as dj
from djcli.settings import config
config["database.url"] = sys.argv[1]
schema = dj.Schema("many")

@schema
class Many(dj.Manual):
    definition = "n : int32\\n---\\nhalf : float64\\nword : varchar(20)"

number = int(sys.argv[2])
Many.insert({"n": n, "half": n / 2, "word": f"word {n}"} for n in range(number))
assert len(Many()) == number
status = Path("/proc/self/status")
if status.exists():  # elsewhere it may count the memory of the process that started this one
    peak = status.read_text().partition("VmHWM:")[2].split()[0]
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak)
"""
    words = [*BY_ITSELF, sys.executable, "-c", script, database_url, str(soak(100_000, 1_000_000))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 150_000 * (1024 if sys.platform == "darwin" else 1)  # which counts bytes
