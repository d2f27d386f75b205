"""Apply as a whole: all or nothing, one at a time, never hanging, lookup contents, history."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from migrating import assert_settled, edition, emptied, fresh_database, labels, migrate, query, rows

from djcli.errors import DataJointError
from djcli.migration import apply as applying
from djcli.migration.apply import apply
from djcli.migration.history import read_history
from djcli.migration.plan import Options
from djcli.migration.planner import make_plan
from djcli.settings import DatabaseTarget
from djcli.tables.declare import DECLARATION_LOCK
from djcli.tables.instance import Instance


@pytest.fixture(scope="module")
def server(admin: psycopg.Connection, server_url: str, template_database: str) -> Iterator[str]:
    """Make one database for all tests of this module."""
    with fresh_database(admin, server_url, template_database) as url:
        yield url


@pytest.fixture
def instance(server: str) -> Iterator[Instance]:
    """Make the default instance one without schemas."""
    with emptied(server) as made:
        yield made


METHOD = "method : varchar(8)\n---\nlevel : int32\nnote = '' : varchar(9)\nunique index(level)"
METHODS = [{"method": "a", "level": 1}, {"method": "b", "level": 2, "note": "n"}]


# ---- lookup contents --------------------------------------------------------------------------------


def test_contents_are_inserted_updated_and_left_alone(instance: Instance) -> None:
    """What the database has beyond them is told; what they do not give is not compared."""
    migrate(instance, {"Method:lookup": (METHOD, METHODS)})
    query(instance, "UPDATE lab.\"#method\" SET note = 'mine'; INSERT INTO lab.\"#method\" VALUES ('z', 9)")
    more = [*METHODS, {"method": "c", "level": 3}, METHODS[0]]
    done = migrate(instance, {"Method:lookup": (METHOD, more)})
    assert labels(done) == [
        "+ lab.Method: 1 row of contents missing: c",
        "~ lab.Method: 1 row unlike the contents: b",
        "= lab.Method: 1 row not among the contents (left alone): z",
    ]
    assert done.changes[0].as_json()["keys"] == [["c"]]
    assert rows(instance, "#method") == [("a", 1, "mine"), ("b", 2, "n"), ("c", 3, ""), ("z", 9, "")]


def test_contents_of_every_type_are_compared_by_meaning(instance: Instance) -> None:
    """What was rounded, padded or packed on its way in is no difference."""
    definition = (
        "a : int16\n---\nb : float32\nc : decimal(5,2)\nd : char(5)\ne : json\nf : <blob>\ng : datetime(0)\n"
        "h = null : uuid\ni : enum('x','y')\nj : bool\nk : bytes"
    )
    row = (
        -32768,
        0.1,
        "1.50",
        "ab",
        {"k": [1]},
        {"z": (1, 2)},
        "2020-01-01 10:00:00",
        None,
        "y",
        True,
        b"\\%",
    )
    migrate(instance, {"All:lookup": (definition, [row])})
    changed = (-32768, 0.2, *row[2:])
    done = migrate(instance, {"All:lookup": (definition, [changed])})
    assert labels(done) == ["~ lab.All: 1 row unlike the contents: -32768"]


def test_contents_fill_a_new_attribute(instance: Instance) -> None:
    """Of the rows that they hold; where there are others it is blocked."""
    old = {"Method:lookup": ("method : varchar(8)", [("a",), ("b",)])}
    migrate(instance, old)
    query(instance, "INSERT INTO lab.\"#method\" VALUES ('z')")
    new = {"Method:lookup": (METHOD, METHODS)}
    assert make_plan(instance, edition(instance, new)).blocked
    query(instance, "DELETE FROM lab.\"#method\" WHERE method = 'z'")
    migrate(instance, new)
    assert rows(instance, "#method") == [("a", 1, ""), ("b", 2, "n")]


def test_an_attribute_becomes_a_lookup_table(instance: Instance) -> None:
    """Contents are there before the foreign key that needs them."""
    migrate(instance, {"T": "t : int32\n---\nmethod : varchar(8)"})
    query(instance, "INSERT INTO lab.t VALUES (1, 'a'), (2, 'b')")
    to_lookup = {"Method:lookup": (METHOD, METHODS), "T": "t : int32\n---\n-> Method"}
    migrate(instance, to_lookup)
    assert rows(instance, "t") == [(1, "a"), (2, "b")]
    migrate(instance, {"T": "t : int32\n---\nmethod : varchar(8)"}, allow_destructive=True)
    query(instance, "INSERT INTO lab.t VALUES (3, 'c')")
    plan = make_plan(instance, edition(instance, to_lookup))
    assert [each.verdict.reason for each in plan.blocked] == [
        "there is no lab.Method for the row with method=c"
    ]


def test_a_lookup_without_a_key_holds_one_row(instance: Instance) -> None:
    """It is inserted and updated like others."""
    migrate(instance, {"One:lookup": ("---\na : int32", [(1,)])})
    done = migrate(instance, {"One:lookup": ("---\na : int32", [(2,)])})
    assert labels(done) == ["~ lab.One: 1 row unlike the contents: the only row"]


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ([("a", 1, ""), ("b", "x", "")], r"Method do not fit: .*row 2: attribute 'level'"),
        ([("a", 1, ""), ("b", None, "")], r"row 2: attribute 'level' may not be null"),
        ([("a", 1, ""), ("a", 2, "")], r"rows 1 and 2 with one key \(method=a\)"),
        ([("a", 1, ""), ("b", 2, "x" * 10)], r"row 2: attribute 'note'"),
        (
            [("a", 1, ""), ("b", 2, ""), ("c", 1, "")],
            r"row 3 of the contents of lab.Method \(method=c\): .*level=1",
        ),
    ],
)
def test_contents_that_break_their_own_table_name_the_row(
    instance: Instance, contents: list[Any], reason: str
) -> None:
    """And nothing is declared."""
    classes = edition(instance, {"Method:lookup": (METHOD, contents), "T": "-> Method"})
    with pytest.raises(DataJointError, match=reason):
        apply(instance, classes)
    assert query(instance, "SELECT to_regnamespace('lab')") == [(None,)]


# ---- all or nothing, one at a time ------------------------------------------------------------------

WIDE = {f"T{n}": "t : int32\n---\na : int32\nb : varchar(9)" for n in range(5)}
WIDER = {f"T{n}": f"t : int64\n---\na : int32\nb : varchar(12)\nc = {n} : int32\nindex(a)" for n in range(5)}


def catalog_of(url: str) -> list[Any]:
    """Return what the database has of schema lab."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT c.relname, a.attname, format_type(atttypid, atttypmod), col_description(c.oid, attnum) "
            "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 "
            "WHERE relnamespace = 'lab'::regnamespace ORDER BY 1, attnum"
        ).fetchall()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, DataJointError])
def test_what_ends_half_way_changes_nothing(
    instance: Instance, server: str, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    """At whatever step it is."""
    migrate(instance, WIDE)
    before = catalog_of(server)
    classes = edition(instance, WIDER)
    steps = len(make_plan(instance, classes).steps)
    real = applying._run

    for stop_at in range(0, steps, 4):
        seen: list[object] = []

        def run(connection: Any, step: Any, stop_at: int = stop_at, seen: list[object] = seen) -> None:
            if len(seen) == stop_at:
                raise stop("stopped")
            seen.append(step)
            real(connection, step)

        monkeypatch.setattr(applying, "_run", run)
        with pytest.raises(stop):
            apply(instance, classes)
        assert catalog_of(server) == before
    monkeypatch.undo()
    apply(instance, classes)
    assert_settled(instance, classes)


def other(server: str) -> psycopg.Connection:
    """Open a session of somebody else."""
    return psycopg.connect(server, application_name="somebody else")


def test_a_second_apply_says_who_runs_the_first_and_gives_up(instance: Instance, server: str) -> None:
    """After the time it was told to wait."""
    classes = edition(instance, WIDE)
    told: list[str] = []
    with other(server) as first:
        first.execute("SELECT pg_advisory_xact_lock(%s)", [DECLARATION_LOCK])
        with pytest.raises(DataJointError, match=r"another apply is running \(process \d+.*--wait SECONDS"):
            apply(instance, classes, wait=0.05, tell=told.append)
        assert "somebody else" in told[0]
        assert f"process {first.info.backend_pid}," in told[0]
        assert "waiting up to 0.05 s" in told[0]
    apply(instance, classes)
    assert_settled(instance, classes)


def test_a_second_apply_waits_and_finds_nothing_left_to_do(instance: Instance, server: str) -> None:
    """The plan is made again when its turn comes."""
    classes = edition(instance, WIDE)
    second = Instance(DatabaseTarget(server, "the second"))
    second.classes = instance.classes
    outcome: list[int] = []
    waiting = threading.Event()
    real = instance.connection

    def late() -> None:
        done = apply(second, classes, tell=lambda _: waiting.set())
        outcome.append(len(done.work))
        second.connection.close()

    with real.transaction:
        real.rows(psycopg.sql.SQL("SELECT pg_advisory_xact_lock({})").format(DECLARATION_LOCK))
        thread = threading.Thread(target=late)
        thread.start()
        assert waiting.wait(30)
        apply(instance, classes)
    thread.join(30)
    assert outcome == [0]
    assert_settled(instance, classes)


def test_a_table_in_use_is_an_error_that_says_by_whom(instance: Instance, server: str) -> None:
    """Instead of a hang."""
    migrate(instance, WIDE)
    classes = edition(instance, WIDER)
    told: list[str] = []
    who = r"lab\.T3 is in use by process \d+, .*somebody else, idle in a"
    with other(server) as reader:
        reader.execute("SELECT * FROM lab.t3")
        with pytest.raises(DataJointError, match=who):
            apply(instance, classes, wait=0.05, tell=told.append)
        with pytest.raises(DataJointError, match=who):
            apply(instance, classes, wait=0, tell=told.append)
    assert len(told) == 1
    assert re.match(who + ".*; waiting up to 0.05 s", told[0])
    apply(instance, classes)
    assert_settled(instance, classes)


@pytest.mark.parametrize(
    "meanwhile",
    [
        "INSERT INTO lab.t VALUES (2, 1.5)",
        "DROP TABLE lab.other",
        "ALTER TABLE lab.t DROP COLUMN a",
        "ALTER TABLE lab.other ALTER o TYPE bigint; COMMENT ON COLUMN lab.other.o IS ':int64:'",
    ],
)
def test_what_happened_since_the_plan_was_shown_is_not_passed_over(
    instance: Instance, meanwhile: str
) -> None:
    """More than what was agreed to is never done, less is."""
    before = {"T": "t : int32\n---\na : float64", "Other": "o : int32"}
    after = {"T": "t : int32\n---\na : int32", "Other": "o : int64"}
    migrate(instance, before)
    query(instance, "INSERT INTO lab.t VALUES (1, 1)")
    classes = edition(instance, after)
    shown = make_plan(instance, classes)
    assert not shown.destructive
    query(instance, meanwhile)
    if "ALTER o" in meanwhile:
        apply(instance, classes, expected=shown)
        assert_settled(instance, classes)
        return
    left = make_plan(instance, classes).changes
    with pytest.raises(DataJointError, match=r"run it again|would lose data|blocked"):
        apply(instance, classes, expected=shown)
    assert make_plan(instance, classes).changes == left


# ---- history and measures ---------------------------------------------------------------------------


def test_history_tells_what_was_done(instance: Instance, statements: list[str]) -> None:
    """When, by whom, which changes and statements; the latest first, and nothing for an idle apply."""
    assert read_history(instance.connection, ["lab"]) == []
    migrate(instance, {"T": "t : int32  # 100% of {it}\n---\na = 'x''' : varchar(9)"})
    classes = edition(instance, {"T": "t : int32\n---\na = 'y' : varchar(9)"})
    expected = make_plan(instance, classes)
    apply(instance, classes)
    statements.clear()
    apply(instance, classes)
    assert not [text for text in statements if text.startswith(("LOCK", "INSERT"))]
    latest, first = read_history(instance.connection, ["lab", "nowhere"])
    assert [change["change"] for change in first.changes] == ["schema-missing", "table-missing"]
    assert tuple(latest.statements) == expected.statements
    assert [change["done"] for change in latest.changes] == [
        "altered lab.T: attribute t: comment '100% of {it}' becomes ''",
        "altered lab.T: attribute a: default \"x'\" becomes 'y'",
    ]
    assert read_history(instance.connection, ["lab"], limit=1) == [latest]
    assert latest.as_json()["schema"] == "lab"
    assert latest.applied >= first.applied
    assert latest.version


def test_statements_for_other_tools_do_what_apply_does(instance: Instance, server: str) -> None:
    """The text that `--sql` prints can be run by hand."""
    classes = edition(instance, {**WIDE, "L:lookup": ("l : varchar(9)", [("100%",), ("it's",)])})
    for changed in (classes, edition(instance, {**WIDER, "L:lookup": ("l : varchar(9)", [("50%",)])})):
        with psycopg.connect(server) as connection:
            for text in make_plan(instance, changed).statements:
                connection.execute(text.encode())
    assert make_plan(instance, changed).work == ()
    assert set(rows(instance, "#l")) == {("100%",), ("50%",), ("it's",)}


def test_questions_stop_at_the_first_row_and_large_tables_are_not_counted(
    instance: Instance, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless exact numbers are asked for."""
    migrate(instance, {"T": "t : int32\n---\na : int32"})
    query(instance, "INSERT INTO lab.t SELECT n, n FROM generate_series(1, 5000) n")
    monkeypatch.setattr("djcli.migration.questions.SMALL", 8192)
    classes = edition(instance, {"T": "t : int32"})
    statements.clear()
    plan = make_plan(instance, classes)
    rows_told = plan.changes[0].verdict.rows
    assert rows_told is not None
    assert rows_told.estimated
    assert 1000 < rows_told.number < 20000
    assert not [text for text in statements if "count(*)" in text and "pg_" not in text]
    exact = make_plan(instance, classes, Options(exact=True)).changes[0].verdict.rows
    assert exact is not None
    assert (exact.number, exact.estimated) == (5000, False)


def test_the_number_of_statements_does_not_grow_with_tables_that_stay(
    instance: Instance, statements: list[str]
) -> None:
    """A plan without differences asks a constant number of questions, of lookup tables' contents too."""

    def asked(number: int) -> int:
        tables = {f"T{n}": "t : int32\n---\na : enum('x')" for n in range(number)}
        lookups = {f"L{n}:lookup": ("l : int32", [(n,)]) for n in range(number)}
        classes = edition(instance, {**tables, **lookups})
        apply(instance, classes)
        statements.clear()
        assert not make_plan(instance, classes).work
        return len(statements)

    assert asked(3) == asked(30) <= 3
