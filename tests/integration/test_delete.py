"""Deleting: what goes along, what is refused, what is asked, and what others do meanwhile."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

import djcli as dj
from djcli.tables.delete import delete, preview
from djcli.tables.instance import Instance


def make_lab() -> Any:
    schema = dj.Schema("lab")

    @schema
    class Subject(dj.Manual):
        definition = """
        subject_id : int32
        ---
        weight : float64
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int32
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int32
            ---
            outcome = null : varchar(8)
            """

    @schema
    class Comparison(dj.Manual):
        definition = """
        -> Session.proj(left_session='session')
        -> Session.proj(right_session='session')
        """

    @schema
    class Favourite(dj.Manual):
        definition = """
        person : varchar(8)
        ---
        -> [nullable] Session.Trial
        """

    return schema


@pytest.fixture
def lab(instance: Instance) -> Any:
    instance.connection.ping()
    schema = make_lab()
    subject, session, trial, comparison, favourite = schema.tables
    subject.insert((i, i / 2) for i in range(4))
    session.insert((i, j) for i in range(4) for j in range(3))
    trial.insert(
        {"subject_id": i, "session": j, "trial": k} for i in range(4) for j in range(3) for k in range(5)
    )
    comparison.insert([(0, 0, 1), (0, 1, 2), (1, 0, 2)])
    favourite.insert([("ann", 0, 0, 0), ("bob", 3, 2, 4), ("cid", None, None, None)])
    return schema


def sizes(lab: Any) -> list[int]:
    return [len(table()) for table in lab.tables]


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(builtins, "input", lambda: text)


def test_all_that_depends_on_a_row_goes_along(lab: Any) -> None:
    subject = lab.tables[0]
    assert (subject & {"subject_id": 0}).delete(prompt=False) == 1
    assert sizes(lab) == [3, 9, 45, 1, 2]


def test_renamed_references_are_followed_both_ways(lab: Any) -> None:
    session = lab.tables[1]
    assert (session & {"subject_id": 0, "session": 1}).delete(prompt=False) == 1
    assert sizes(lab) == [4, 11, 55, 1, 3]
    assert lab.tables[3].to_dicts() == [{"subject_id": 1, "left_session": 0, "right_session": 2}]


def test_a_restriction_may_read_tables_that_lose_rows_too(lab: Any) -> None:
    _, session, trial, _, favourite = lab.tables
    assert (session & (trial & favourite)).delete(prompt=False) == 2
    assert sizes(lab) == [4, 10, 50, 2, 1]
    assert (lab.tables[0] - session.proj()).delete(prompt=False) == 0
    assert (lab.tables[0] & (session & "session = 2")).delete(prompt=False) == 3


def test_nothing_is_fetched_but_numbers(lab: Any, instance: Instance, statements: list[str]) -> None:
    subject = lab.tables[0]
    statements.clear()
    (subject & "subject_id > 0").delete(prompt=False)
    assert len(statements) < 30
    selects = [text for text in statements if text.startswith('SELECT "t')]
    assert all("count(*) OVER ()" in text and "LIMIT 3" in text for text in selects)
    statements.clear()
    assert (lab.tables[4] & {"person": "cid"}).delete(prompt=False) == 1
    assert not [text for text in statements if "TEMPORARY" in text]
    assert not instance.connection.in_transaction


def test_a_limit_is_kept(lab: Any) -> None:
    subject = lab.tables[0]
    assert (subject & dj.Top(2, order_by="weight DESC")).delete(prompt=False) == 2
    assert subject.to_arrays("subject_id").tolist() == [0, 1]
    assert (lab.tables[4] & dj.Top(1)).delete(prompt=False) == 1


@pytest.mark.parametrize(
    "restriction",
    [{"subjectid": 1}, [{"typo": 1}, {"subject_id": 1}], dj.AndList([{"typo": 1}])],
)
@pytest.mark.parametrize("method", ["delete", "delete_quick"])
def test_a_restriction_that_matches_no_attribute_is_refused(lab: Any, restriction: Any, method: str) -> None:
    table = lab.tables[0] & restriction
    options = {"prompt": False} if method == "delete" else {}
    with pytest.raises(dj.DataJointError, match=r"nothing was deleted: the restriction by (subjectid|typo)"):
        getattr(table, method)(**options)
    assert sizes(lab)[0] == 4


def test_a_restriction_by_a_query_that_shares_nothing_is_refused(lab: Any) -> None:
    with pytest.raises(dj.DataJointError, match="shares no attribute with Subject"):
        (lab.tables[0] & lab.tables[4].proj()).delete(prompt=False)
    assert sizes(lab)[0] == 4


def test_an_empty_dict_is_no_restriction(lab: Any) -> None:
    assert (lab.tables[3] & {}).delete(prompt=False) == 3


def test_parts_are_kept_whole_unless_told_otherwise(lab: Any) -> None:
    _, _, trial, _, _ = lab.tables
    few = trial & {"subject_id": 3, "trial": 4}
    with pytest.raises(
        dj.DataJointError,
        match=r"3 rows of the part lab.Session.Trial .* Session stays \(such as subject_id=3, ",
    ):
        few.delete(prompt=False)
    assert sizes(lab) == [4, 12, 60, 3, 3]
    assert few.delete(prompt=False, part_integrity="ignore") == 3
    assert sizes(lab) == [4, 12, 57, 3, 2]
    assert (trial & {"subject_id": 0, "session": 0, "trial": 1}).delete(
        prompt=False, part_integrity="cascade"
    ) == 5
    assert sizes(lab) == [4, 11, 52, 2, 1]
    with pytest.raises(dj.DataJointError, match="part_integrity='strict': it must be one of 'enforce'"):
        few.delete(prompt=False, part_integrity="strict")


def test_a_part_reached_from_elsewhere_keeps_its_master_or_not(lab: Any) -> None:
    @lab
    class Recording(dj.Manual):
        definition = """
        recording : int32
        """

        class Channel(dj.Part):
            definition = """
            -> master
            -> Subject
            """

    Recording.insert([(1,), (2,)])
    Recording.Channel.insert([(1, 0), (1, 1), (2, 1)])
    subject = lab.tables[0] & {"subject_id": 0}
    with pytest.raises(dj.DataJointError, match=r"1 row of the part lab.Recording.Channel"):
        subject.delete(prompt=False)
    counts = preview(subject, part_integrity="cascade")
    assert {str(table): number for table, number in counts.items()} == {
        "lab.Subject": 1,
        "lab.Session": 3,
        "lab.Session.Trial": 15,
        "lab.Comparison": 2,
        "lab.Favourite": 1,
        "lab.Recording": 1,
        "lab.Recording.Channel": 2,
    }
    assert subject.delete(prompt=False, part_integrity="cascade") == 1
    assert Recording.to_dicts() == [{"recording": 2}]
    assert Recording.Channel.to_dicts() == [{"recording": 2, "subject_id": 1}]


def test_schemas_that_the_session_has_not_loaded_are_found(lab: Any, instance: Instance) -> None:
    instance.connection.query(
        "CREATE SCHEMA away; CREATE TABLE away.note (id int PRIMARY KEY, who int, "
        "FOREIGN KEY (who) REFERENCES lab.subject ON DELETE RESTRICT);"
        "CREATE TABLE away.line (id int REFERENCES away.note ON DELETE RESTRICT, text text);"
        "INSERT INTO away.note VALUES (1, 0), (2, 1), (3, NULL); INSERT INTO away.line VALUES (1, 'a'), (2, 'b')"
    )
    (lab.tables[0] & {"subject_id": 0}).delete(prompt=False)
    assert instance.connection.query("SELECT id FROM away.note ORDER BY 1") == [(2,), (3,)]
    assert instance.connection.query("SELECT id FROM away.line") == [(2,)]


def test_the_question_shows_what_goes_and_no_keeps_it(
    lab: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = lab.tables[0] & {"subject_id": 0}
    answer(monkeypatch, "no")
    assert subject.delete(prompt=True) == 0
    assert sizes(lab) == [4, 12, 60, 3, 3]
    told = capsys.readouterr()
    assert told.out == ""
    assert "      15 rows of lab.Session.Trial\n" in told.err
    answer(monkeypatch, "yes")
    assert subject.delete(prompt=True) == 1
    assert sizes(lab) == [3, 9, 45, 1, 2]
    assert subject.delete(prompt=True) == 0


def test_nobody_to_answer_is_a_refusal(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise EOFError

    monkeypatch.setattr(builtins, "input", nobody)
    with pytest.raises(dj.DataJointError, match="nobody is there to answer"):
        lab.tables[0].delete(prompt=True)
    assert sizes(lab)[0] == 4


def test_nothing_is_locked_while_the_question_is_open(lab: Any, instance: Instance) -> None:
    def consent(_: object) -> bool:
        assert not instance.connection.in_transaction
        with Instance(instance.connection.target).connection as other:
            locks = other.query(
                "SELECT relation::regclass FROM pg_locks WHERE pid = %s AND relation IS NOT NULL", [pid]
            )
            assert locks == []
        return True

    pid = instance.connection.raw.info.backend_pid
    assert delete(lab.tables[0] & {"subject_id": 0}, consent=consent) == 1


def test_rows_that_changed_while_the_question_was_open_are_kept(lab: Any, instance: Instance) -> None:
    def consent(_: object) -> bool:
        with Instance(instance.connection.target).connection as other:
            other.query("INSERT INTO lab.session VALUES (0, 9)")
        return True

    with pytest.raises(dj.DataJointError, match="the rows changed since they were counted"):
        delete(lab.tables[0] & {"subject_id": 0}, consent=consent)
    assert sizes(lab) == [4, 13, 60, 3, 3]


def test_deleting_inside_a_transaction_belongs_to_it(lab: Any, instance: Instance) -> None:
    subject = lab.tables[0]
    instance.connection.start_transaction()
    assert (subject & {"subject_id": 0}).delete(prompt=False) == 1
    assert (subject & {"subject_id": 1}).delete(prompt=False) == 1
    with pytest.raises(dj.DataJointError, match="nothing was deleted"):
        (lab.tables[2] & {"trial": 0}).delete(prompt=False)
    assert len(subject()) == 2
    instance.connection.cancel_transaction()
    assert sizes(lab) == [4, 12, 60, 3, 3]


def test_delete_quick_takes_nothing_along(lab: Any, instance: Instance) -> None:
    subject, _, _, comparison, _ = lab.tables
    assert (comparison & {"subject_id": 1}).delete_quick(get_count=True) == 1
    assert comparison.delete_quick() is None
    with instance.connection.transaction:
        with pytest.raises(dj.errors.IntegrityError, match="subject_id=0 is still referenced by Session"):
            (subject & {"subject_id": 0}).delete_quick()
        assert len(subject()) == 4


def test_missing_privileges_are_found_before_anything_is_deleted(lab: Any, instance: Instance) -> None:
    connection = instance.connection
    connection.query("CREATE ROLE djcli_test_reader; GRANT USAGE ON SCHEMA lab TO djcli_test_reader")
    try:
        connection.query("GRANT SELECT, DELETE ON ALL TABLES IN SCHEMA lab TO djcli_test_reader")
        connection.query("REVOKE DELETE ON lab.favourite FROM djcli_test_reader")
        connection.query("SET ROLE djcli_test_reader")
        with pytest.raises(dj.errors.AccessError, match=r"may not delete rows of lab.Favourite \(1 rows\)"):
            (lab.tables[0] & {"subject_id": 0}).delete(prompt=False)
        assert (lab.tables[0] & {"subject_id": 2}).delete(prompt=False) == 1
        connection.query("RESET ROLE; REVOKE SELECT ON lab.comparison FROM djcli_test_reader")
        connection.query("SET ROLE djcli_test_reader")
        with pytest.raises(dj.errors.AccessError, match=r"rows of lab.Comparison may depend .* may not read"):
            (lab.tables[0] & {"subject_id": 1}).delete(prompt=False)
    finally:
        connection.query("RESET ROLE; DROP OWNED BY djcli_test_reader; DROP ROLE djcli_test_reader")
    assert sizes(lab) == [3, 9, 45, 3, 3]


def test_a_table_that_is_not_declared_is_told(instance: Instance) -> None:
    instance.create_tables = False
    table = make_lab().tables[0]
    with pytest.raises(dj.errors.MissingTableError, match=r"lab.Subject is not declared in the database"):
        table.delete(prompt=False)
