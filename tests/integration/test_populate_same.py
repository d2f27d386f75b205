"""What makes may do to a batch: each act gives what it gives in one transaction a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql

import djcli as dj
from djcli.populate import outbox
from djcli.populate.result import Key
from djcli.settings import DatabaseTarget
from djcli.tables.instance import Instance, use_instance
from tests.conftest import database_in

KEYS = 11
NAME = "same"


class Lab:
    """Items, a log that refers to nothing, and a computed table whose make does what it is told."""

    def __init__(self) -> None:
        schema = dj.Schema(NAME)
        lab = self

        @schema
        class Item(dj.Manual):
            definition = """
            item : int32
            ---
            name : varchar(8)
            weight : float64
            extra : json
            """

        @schema
        class Log(dj.Manual):
            definition = """
            line : int32
            ---
            text = 'nothing' : varchar(2000)
            """

        @schema
        class Made(dj.Computed):
            definition = """
            -> Item
            ---
            seen : varchar(4000)
            """

            class Bit(dj.Part):
                definition = """
                -> master
                bit : int32
                ---
                value = 1.5 : float64
                """

            class Note(dj.Part):
                definition = """
                -> master
                ---
                note : bytes
                """

            class Sub(dj.Part):
                definition = """
                -> Made.Bit
                sub : int32
                ---
                text = 'x' : varchar(20)
                """

            def make(self, key: Key) -> None:
                lab.act(self, key)

        @schema
        class Later(dj.Manual):
            definition = """
            -> Made
            ---
            note : varchar(20)
            """

        self.Item, self.Log, self.Made, self.Later = Item, Log, Made, Later
        self.act: Callable[[Any, Key], object] = lambda *_: None
        self.tables = (Item, Log, Made, Made.Bit, Made.Note, Made.Sub, Later)
        for table in self.tables:
            len(table())  # declares it

    def query(self, text: str, *values: object) -> list[Any]:
        return dj.conn().query(text, values)

    def fill(self) -> None:
        self.query("TRUNCATE same.item, same.log, same.__made, same.later CASCADE")
        self.Item.insert(
            {"item": i, "name": f"n{i}", "weight": i / 7, "extra": {"list": [i]}} for i in range(KEYS)
        )
        self.Log.insert({"line": i} for i in range(3))

    def outcome(self, act: Callable[[Any, Key], object], batch: int, **options: Any) -> Any:
        self.fill()
        self.act = act
        kept: Any = None
        try:
            found = self.Made.populate(suppress_errors=True, batch=batch, **options)
            kept = found["success_count"], sorted(map(str, found["error_list"]))
        except BaseException as error:  # noqa: BLE001 - it is part of the outcome
            kept = repr(error)
        assert not dj.conn().in_transaction
        locks = self.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert locks == [(0,)]
        return kept, {table.class_label: table().to_dicts(order_by="KEY") for table in self.tables}


@pytest.fixture(scope="module")
def lab(admin: psycopg.Connection, server_url: str, template_database: str) -> Iterator[Lab]:
    name = f"{template_database}_same"
    admin.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, template_database)))
    )
    instance = Instance(DatabaseTarget(database_in(server_url, name), "the test"))
    use_instance(instance)
    yield Lab()
    instance.connection.close()
    use_instance(None)
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


class Acts:
    """What a make does; each notes in `seen` what it saw, which becomes part of its row."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def see(self, table: Any, key: Key, *seen: object) -> None:
        table.insert1({"item": key["item"], "seen": repr(seen)[:4000]})

    # ---- queries that give something else each time

    def volatile(self, table: Any, key: Key) -> None:
        numbers = [(self.lab.Item & key).proj(r="random()").fetch1("r") for _ in range(3)]
        self.see(table, key, len(set(numbers)))

    def volatile_constant(self, table: Any, key: Key) -> None:
        numbers = [
            (self.lab.Item & {"item": 1}).proj(r="extract(epoch from clock_timestamp())").fetch1("r")
            for _ in range(3)
        ]
        self.see(table, key, len(set(numbers)))

    def sequence(self, table: Any, key: Key) -> None:
        self.lab.query("CREATE SEQUENCE IF NOT EXISTS same.numbers")
        if key["item"] == 0:
            self.lab.query("SELECT setval('same.numbers', 1)")
        found = (self.lab.Item & key).proj(n="nextval('same.numbers')").fetch1("n")
        self.see(table, key, found, (self.lab.Item & key).proj(n="nextval('same.numbers')").fetch1("n"))

    def subquery_of_own(self, table: Any, key: Key) -> None:
        done = self.lab.Item & "item IN (SELECT item FROM same.__made)"
        mine = (self.lab.Item & key).proj(n="(SELECT count(*) FROM same.__made)")
        self.see(table, key, len(done), mine.fetch1("n"))

    def function_of_own(self, table: Any, key: Key) -> None:
        self.lab.query(
            "CREATE OR REPLACE FUNCTION pg_temp.done() RETURNS bigint STABLE LANGUAGE sql "
            "AS 'SELECT count(*) FROM same.__made'"
        )
        self.see(table, key, (self.lab.Item & key).proj(n="pg_temp.done()").fetch1("n"))

    # ---- raw SQL

    def temporary_table(self, table: Any, key: Key) -> None:
        self.lab.query("CREATE TEMP TABLE mine ON COMMIT DROP AS SELECT %s::int AS n", key["item"])
        self.see(table, key, self.lab.query("SELECT sum(n) FROM mine"))

    def set_local(self, table: Any, key: Key) -> None:
        before = self.lab.query("SHOW work_mem")
        if key["item"] % 3 == 0:
            self.lab.query("SET LOCAL work_mem = '1MB'")
        self.see(table, key, before)

    def set_config(self, table: Any, key: Key) -> None:
        before = self.lab.query("SELECT nullif(current_setting('my.number', true), '')")
        self.lab.query("SELECT set_config('my.number', %s, true)", str(key["item"]))
        self.see(table, key, before)

    def own_lock(self, table: Any, key: Key) -> None:
        self.see(table, key, self.lab.query("SELECT pg_try_advisory_xact_lock(7)"))

    def for_update(self, table: Any, key: Key) -> None:
        found = self.lab.query("SELECT name FROM same.item WHERE item = %s FOR UPDATE", key["item"])
        self.see(table, key, found)

    def raw_driver(self, table: Any, key: Key) -> None:
        raw = table.connection.raw
        before = len(self.lab.Log())
        raw.execute("INSERT INTO same.log (line) VALUES (%s)", (100 + key["item"],))
        self.see(table, key, before, len(self.lab.Log()))

    def raw_driver_failing(self, table: Any, key: Key) -> None:
        self.see(table, key)
        raw = table.connection.raw
        raw.execute("INSERT INTO same.log (line) VALUES (%s)", (key["item"] % 4,))

    def bad_raw_caught(self, table: Any, key: Key) -> None:
        try:
            self.lab.query("SELECT nonsense")
        except dj.DataJointError as error:
            self.see(table, key, type(error).__name__)

    def listen(self, table: Any, key: Key) -> None:
        self.lab.query("LISTEN bell")
        self.lab.query("NOTIFY bell")
        self.see(table, key)

    def raw_into_own(self, table: Any, key: Key) -> None:
        self.lab.query("INSERT INTO same.__made VALUES (%s, 'raw')", key["item"])
        table.Bit.insert1({**key, "bit": 1})

    def deferred(self, table: Any, key: Key) -> None:
        if key["item"] == 0:
            self.lab.query("DROP TABLE IF EXISTS deferred")
        self.lab.query(
            "CREATE TEMP TABLE IF NOT EXISTS deferred (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
        )
        self.lab.query("INSERT INTO deferred VALUES (%s)", key["item"] % 9)
        self.see(table, key)

    # ---- reading

    def half_iterated(self, table: Any, key: Key) -> None:
        first = next(iter(self.lab.Item & f"item >= {key['item']}"))
        second = next(self.lab.Item.cursor())
        self.see(table, key, first, second)

    def iterator_kept(self, table: Any, key: Key) -> None:
        if key["item"] == 0:
            self.kept = iter(self.lab.Item & True)
        try:
            self.see(table, key, next(self.kept))
        except dj.DataJointError as error:
            self.see(table, key, type(error).__name__)

    def changed_results(self, table: Any, key: Key) -> None:
        seen: list[object] = []
        for restriction in (key, {"item": 1}, True):
            for _ in range(2):
                rows = (self.lab.Item & restriction).to_dicts(order_by="KEY")
                seen.append(rows[0]["extra"]["list"][:])
                rows[0]["extra"]["list"].append("changed")
                weights = (self.lab.Item & restriction).to_arrays("weight", order_by="KEY")
                weights += 1
                seen.append(weights.tolist()[:2])
        self.see(table, key, seen)

    def questions(self, table: Any, key: Key) -> None:
        item = self.lab.Item
        self.see(
            table,
            key,
            item.head(2),
            item.tail(2),
            (item & dj.Top(2, "weight DESC")).to_arrays("item").tolist(),
            (item & key & dj.Top(1)).fetch1("name"),
            (item & dj.Top(key["item"] + 1)).to_arrays("item").tolist(),
            bool(item & key),
            key in item(),
            {"item": key["item"] + 5} in item(),
            (item & f"item < {key['item']}").to_arrays("item", order_by="item DESC", limit=2).tolist(),
            len(item - key),
            len(item & [key, {"item": 3}]),
            len(item & dj.Not(key)),
            len(dj.U("name") & (item & key)),
            dj.U().aggr(item & key, n="count(*)").fetch1("n"),
            (item & key).aggr(item * self.lab.Log, n="count(line)").fetch1("n"),
            (item & {"weight": key["item"] / 7}).keys(),
            (item & (self.lab.Item & key)).fetch1("item"),
            len((item & key).join(self.lab.Log)),
            len(item & {"extra.list[0]": key["item"]}),
        )

    def values_that_look_equal(self, table: Any, key: Key) -> None:
        seen: list[object] = []
        for value in (True, 1, 1.0, Decimal(1), "1", key["item"], float(key["item"]), str(key["item"])):
            seen.append((self.lab.Item & {"item": value}).to_arrays("item").tolist())
            seen.append((self.lab.Item.proj(x="item + 0") & {"x": value} & key).keys() if value != "1" else 0)
        self.see(table, key, seen)

    def fails_for_some(self, table: Any, key: Key) -> None:
        try:
            self.see(table, key, (self.lab.Item & key & "1 / (item - 5) < 9").keys())
        except dj.DataJointError as error:
            self.see(table, key, type(error).__name__)

    def own_neighbours(self, table: Any, key: Key) -> None:
        before = table & f"item < {key['item']}"
        self.see(table, key, len(before), len(table.Bit()), len(self.lab.Later()))
        table.Bit.insert1({**key, "bit": 1})

    def progress(self, table: Any, key: Key) -> None:
        self.see(table, key, table.progress(), len(table.key_source - table))

    # ---- writing

    def insert_expression(self, table: Any, key: Key) -> None:
        table.insert((self.lab.Item & key).proj(seen="name"))
        table.Bit.insert((self.lab.Log * (self.lab.Item & key)).proj(bit="line"), ignore_extra_fields=True)
        self.lab.Log.insert((self.lab.Item & key).proj(line="item + 50"), ignore_extra_fields=True)

    def parts_by_expression(self, table: Any, key: Key) -> None:
        self.see(table, key)
        table.Bit.insert(dj.U("item", "bit") & (self.lab.Log * self.lab.Item & key).proj(bit="line"))

    def insert_generator_that_asks(self, table: Any, key: Key) -> None:
        self.see(table, key)
        table.Bit.insert({**key, "bit": len(table.Bit & key) + i} for i in range(3))
        table.Bit.insert({**key, "bit": 10 + len(self.lab.Log()) + i} for i in range(3))

    def sequences_and_frames(self, table: Any, key: Key) -> None:
        import pandas as pd

        table.insert1((key["item"], "seen"))
        table.Bit.insert([(key["item"], 1, 0.25), [key["item"], 2, None]])
        table.Bit.insert(
            pd.DataFrame({"item": [key["item"]] * 2, "bit": [7, 8], "value": [1.5, float("nan")]})
        )
        table.Bit.insert1({**key, "bit": 9, "more": 1}, ignore_extra_fields=True)

    def defaults(self, table: Any, key: Key) -> None:
        self.see(table, key)
        table.Bit.insert1({**key, "bit": 1, "value": None})
        table.Bit.insert1({**key, "bit": 2})
        table.Sub.insert1({**key, "bit": 2, "sub": key["item"]})
        table.Bit.insert1({**key, "bit": 3, "value": 2})
        table.Sub.insert1({**key, "bit": 3, "sub": 1, "text": "t"})

    def mixed_attributes(self, table: Any, key: Key) -> None:
        self.see(table, key)
        if key["item"] % 2:
            table.Bit.insert1({**key, "bit": 1})
        else:
            table.Bit.insert1({**key, "bit": 1, "value": 3.0})
        table.Sub.insert1({**key, "bit": 1, "sub": 1})

    def part_before_master(self, table: Any, key: Key) -> None:
        table.Bit.insert1({**key, "bit": 1})
        self.see(table, key)

    def updates(self, table: Any, key: Key) -> None:
        self.see(table, key)
        table.update1({**key, "seen": "updated"})
        self.lab.Log.update1({"line": 1, "text": f"by {key['item']}"})
        table.Bit.insert1({**key, "bit": 1, "value": len(self.lab.Log & "text LIKE 'by%'")})

    def replaces(self, table: Any, key: Key) -> None:
        self.see(table, key)
        table.insert1({**key, "seen": "replaced"}, replace=True)
        table.Bit.insert([{**key, "bit": b} for b in (1, 2)], skip_duplicates=True)
        table.Bit.insert([{**key, "bit": b, "value": 9} for b in (2, 3)], skip_duplicates=True)
        self.lab.Log.insert1({"line": 1, "text": str(key)}, replace=True)

    def deletes(self, table: Any, key: Key) -> None:
        self.see(table, key, len(self.lab.Log()))
        (self.lab.Log & {"line": key["item"]}).delete(prompt=False)
        table.Bit.insert1({**key, "bit": len(self.lab.Log())})
        (self.lab.Log & {"line": key["item"] + 1}).delete_quick()
        if key["item"] % 3 == 1:
            (table & key).delete(prompt=False)

    def deletes_an_earlier_row(self, table: Any, key: Key) -> None:
        (table & {"item": key["item"] - 2}).delete(prompt=False)
        self.see(table, key, table.to_arrays("item", order_by="item").tolist())

    def deletes_its_key_source(self, table: Any, key: Key) -> None:
        if key["item"] % 4 == 0:
            (self.lab.Item & {"item": key["item"] + 1}).delete_quick()
        self.see(table, key, len(self.lab.Item()))

    def adds_to_its_key_source(self, table: Any, key: Key) -> None:
        if key["item"] < 50:
            self.lab.Item.insert1({"item": 50 + key["item"], "name": "n", "weight": 0, "extra": None})
        self.see(table, key, len(self.lab.Item()))

    def writes_dependents(self, table: Any, key: Key) -> None:
        self.see(table, key)
        self.lab.Later.insert1({**key, "note": "later"})
        if key["item"] % 3 == 0:
            raise ValueError("after all")

    def many_rows(self, table: Any, key: Key) -> None:
        self.see(table, key)
        table.Bit.insert({**key, "bit": i} for i in range(600))

    def chunks(self, table: Any, key: Key) -> None:
        self.see(table, key)
        table.Bit.insert([{**key, "bit": i} for i in range(9)], chunk_size=2)
        table.Sub.insert([{**key, "bit": i, "sub": 1} for i in range(9)])

    def array_for_text(self, table: Any, key: Key) -> None:
        import numpy as np

        table.insert1({**key, "seen": np.array(["a", "b"])})

    # ---- errors caught

    def duplicate_of_some_caught(self, table: Any, key: Key) -> None:
        before = len(self.lab.Log())
        self.see(table, key, before)
        if key["item"] in (2, 5):
            try:
                self.see(table, key)
            except dj.errors.DuplicateError:
                self.lab.Log.insert1({"line": 100 + key["item"]})

    def duplicate_in_own_caught(self, table: Any, key: Key) -> None:
        before = table.to_arrays("item", order_by="item").tolist()
        self.see(table, key, before)
        table.Bit.insert1({**key, "bit": 1})
        if key["item"] in (2, 5):
            try:
                table.Bit.insert1({**key, "bit": 1})
            except dj.errors.DuplicateError:
                table.Bit.insert1({**key, "bit": 2})
        table.Bit.insert1({**key, "bit": 10 + len(table.Bit())})

    def parent_missing_caught(self, table: Any, key: Key) -> None:
        self.see(table, key)
        try:
            table.Sub.insert1({**key, "bit": 77, "sub": 1})
        except dj.errors.IntegrityError:
            table.Bit.insert1({**key, "bit": 3})

    def parent_missing(self, table: Any, key: Key) -> None:
        self.see(table, key)
        if key["item"] % 3 == 1:
            table.Sub.insert1({**key, "bit": 77, "sub": 1})

    def unfit_values_caught(self, table: Any, key: Key) -> None:
        seen: list[object] = []
        for bad in ({"bit": 2**40}, {"bit": 1.5}, {"bit": "x"}, {}, {"bit": 1, "more": 1}, {"bit": None}):
            try:
                table.Bit.insert1({**key, **bad})
            except dj.DataJointError as error:
                seen.append((type(error).__name__, str(error)))
        self.see(table, key, seen)

    def caught_everything(self, table: Any, key: Key) -> None:
        self.see(table, key)
        try:
            self.see(table, key)
            self.lab.Log.insert1({"line": 0})
        except BaseException:  # noqa: BLE001 - what some users do
            self.lab.Log.insert1({"line": 200 + key["item"]})

    def nested_transactions(self, table: Any, key: Key) -> None:
        connection = table.connection
        self.see(table, key)
        try:
            with connection.transaction:
                table.Bit.insert1({**key, "bit": 1})
                with connection.transaction:
                    table.Bit.insert1({**key, "bit": 2})
                if key["item"] % 2:
                    raise KeyError
        except KeyError:
            table.Bit.insert1({**key, "bit": 3})
        table.Bit.insert1({**key, "bit": 10 + len(table.Bit & key)})

    def wrapped_errors(self, table: Any, key: Key) -> None:
        self.lab.Log.insert1({"line": 300 + key["item"]})
        self.see(table, key)
        if key["item"] % 4 == 1:
            lost = dj.errors.QueryError("conflict")
            lost.__cause__ = psycopg.errors.SerializationFailure()
            raise RuntimeError("wrapped") from lost

    # ---- exceptions

    def stop_iteration(self, table: Any, key: Key) -> None:
        self.lab.Log.insert1({"line": 300 + key["item"]})
        self.see(table, key)
        if key["item"] == 4:
            raise StopIteration

    def generator_exit(self, table: Any, key: Key) -> None:
        self.see(table, key)
        if key["item"] == 4:
            raise GeneratorExit

    def system_exit(self, table: Any, key: Key) -> None:
        self.lab.Log.insert1({"line": 300 + key["item"]})
        self.see(table, key)
        if key["item"] == 4:
            raise SystemExit(3)

    def keyboard(self, table: Any, key: Key) -> None:
        self.see(table, key)
        if key["item"] == 4:
            raise KeyboardInterrupt

    def duplicate_then_exit(self, table: Any, key: Key) -> None:
        self.see(table, key)
        if key["item"] == 4:
            self.see(table, key)
            raise SystemExit(3)

    def nested_populate(self, table: Any, key: Key) -> None:
        try:
            table.populate()
        except dj.DataJointError as error:
            self.see(table, key, str(error))

    def nothing(self, table: Any, key: Key) -> None:
        if key["item"] % 2:
            self.see(table, key)

    # ---- the key

    def keeps_the_key(self, table: Any, key: Key) -> None:
        own = dict(key)
        key["item"] = 1
        seen = (self.lab.Item & key).fetch1("name")
        key.clear()
        key.update(own)
        self.see(table, key, seen, (self.lab.Item & key).fetch1("name"), (self.lab.Item & {**own}).keys())
        key["item"] = -1


ACTS = [
    name for name, act in vars(Acts).items() if callable(act) and not name.startswith("_") and name != "see"
]


@pytest.mark.parametrize("portion", [2_000, 2], ids=["", "portions"])
@pytest.mark.parametrize("name", ACTS)
def test_an_act_gives_what_it_gives_alone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, name: str, portion: int
) -> None:
    monkeypatch.setattr(outbox, "PORTION", portion)
    acts = Acts(lab)
    alone = lab.outcome(getattr(acts, name), 1)
    assert lab.outcome(getattr(acts, name), 1_000) == alone


@pytest.mark.parametrize("batch", [1, 1_000])
def test_a_conflict_that_make_catches_is_not_its_error(lab: Lab, batch: int) -> None:
    """What others commit meanwhile is no conflict for a transaction of its own, so it is none in a batch."""
    with psycopg.connect(dj.conn().reached().info.dsn, autocommit=True) as other:

        def act(table: Any, key: Key) -> None:
            seen = ""
            if key["item"] == 4:
                if not done:
                    other.execute("UPDATE same.log SET text = 'other' WHERE line = 1")
                    done.append(key)
                try:
                    lab.Log.update1({"line": 1, "text": "ours"})
                except dj.DataJointError as error:
                    seen = str(error)
            table.insert1({**key, "seen": seen})

        done: list[Key] = []
        kept, tables = lab.outcome(act, batch)
    assert kept == (KEYS, [])
    assert {row["seen"] for row in tables["Made"]} == {""}


def test_long_values_do_not_wait_until_the_batch_ends(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[int] = []

    def act(table: Any, key: Key) -> None:
        interceptor: Any = table.instance.interceptor
        waiting.append(interceptor.outbox.rows)
        table.insert1({**key, "seen": ""})
        table.Note.insert1({**key, "note": bytes(20)})

    monkeypatch.setattr("djcli.populate.batch.MAX_BYTES", 50)
    kept, tables = lab.outcome(act, 1_000)
    assert kept == (KEYS, [])
    assert max(waiting) <= 4
    assert len(tables["Made.Note"]) == KEYS
