"""The commands that put rows in and take them out: insert, export, update, delete."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

PIPELINE = '''
import djcli as dj

schema = dj.Schema("lab")


@schema
class Subject(dj.Manual):
    definition = """
    subject_id : varchar(16)
    ---
    species : varchar(50)
    weight = null : float32
    note = null : varchar(100)
    """


@schema
class Session(dj.Manual):
    definition = """
    -> Subject
    session_idx : int32
    ---
    session_date : date
    good = true : bool
    meta = null : json
    raw = null : bytes
    kind = 'a' : enum('a', 'b')
    trace = null : <blob>
    unique index (session_date)
    """

    class Trial(dj.Part):
        definition = """
        -> master
        trial_idx : int32
        """


@schema
class Summary(dj.Computed):
    definition = """
    -> Session
    ---
    n : int32
    """

    class Detail(dj.Part):
        definition = "-> master"

    def make(self, key):
        self.insert1({**key, "n": 1})
'''

SUBJECTS = 'subject_id,species,weight,note\nM1,Mus,1.5,\nM2,Mus,,""\n'
SESSIONS = r"""subject_id,session_idx,session_date,good,meta,raw
M1,1,2026-01-01,yes,"{""a"":
1}",\x00ff
M9,1,2026-01-02,no,,
M1,x,2026-01-03,no,,

M2,1,2026-01-01,,,
M2,2
M2,3,2026-01-04,,,
M2,3,2026-01-05,,,
"""
BAD = [
    "  line 4: there is no Subject with subject_id='M9': insert it first",
    "  line 5: attribute 'session_idx' (int32): 'x' is not a whole number",
    "  line 7: it has the same key as line 2: session_date=2026-01-01",
    "  line 8: has 2 values for 6 columns",
    "  line 10: it has the same key as line 9: subject_id='M2', session_idx=3",
]


@pytest.fixture
def lab(folder: Path, database_url: str, djcli: Run) -> Path:
    """Make a project whose tables are declared, with a file of two subjects inserted."""
    (folder / "djcli.yaml").write_text("")
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "rodents.py").write_text(PIPELINE)
    (folder / "subjects.csv").write_text(SUBJECTS)
    (folder / "sessions.csv").write_text(SESSIONS)
    os.environ["DJCLI_DATABASE_URL"] = database_url
    assert djcli("apply").code == 0
    told = djcli("insert", "Subject", "subjects.csv")
    assert (told.code, told.out, told.err) == (0, "", "inserted 2 rows into Subject\n")
    return folder


def rows(djcli: Run, table: str) -> list[dict[str, object]]:
    return json.loads(djcli("show", table, "--format", "json").out)


@pytest.mark.usefixtures("lab")
def test_a_dry_run_tells_missing_privileges(djcli: Run, admin: psycopg.Connection, database_url: str) -> None:
    admin.execute("CREATE ROLE djcli_test_guest")
    as_guest = f"{database_url}&options=-c%20role%3Ddjcli_test_guest"
    try:
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("GRANT USAGE ON SCHEMA lab TO djcli_test_guest")
            owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA lab TO djcli_test_guest")
            told = djcli("insert", "Subject", "subjects.csv", "--dry-run", "--db-url", as_guest)
            assert (told.code, told.err) == (
                1,
                "error: you may not insert rows of lab.Subject; ask the database's owner for INSERT\n",
            )
            owner.execute("GRANT INSERT ON lab.subject TO djcli_test_guest")
            how = ("insert", "Subject", "subjects.csv", "--dry-run", "--db-url", as_guest)
            assert djcli(*how, "--skip-duplicates").code == 0
            assert "for UPDATE" in djcli(*how, "--replace").err
            owner.execute("DROP OWNED BY djcli_test_guest")
    finally:
        admin.execute("DROP ROLE djcli_test_guest")


@pytest.mark.usefixtures("lab")
def test_a_quoted_empty_field_is_a_text_and_an_empty_one_is_none(djcli: Run) -> None:
    assert [row["note"] for row in rows(djcli, "Subject")] == [None, ""]
    assert djcli("export", "Subject", "-").out == SUBJECTS


def test_all_bad_rows_are_told_with_their_lines_and_nothing_is_inserted(djcli: Run, lab: Path) -> None:
    for options in ((), ("--dry-run",)):
        told = djcli("insert", "Session", "sessions.csv", *options)
        assert told.code == 1
        assert told.err.splitlines() == [
            "error: nothing was inserted into Session: 5 of 7 rows of sessions.csv are bad",
            *BAD,
        ]
    told = djcli("insert", "Session", "sessions.csv", "--max-errors", "2")
    assert told.err.splitlines()[1:] == [*BAD[:2], "  and 3 more bad rows (--max-errors shows more)"]
    assert rows(djcli, "Session") == []
    assert list(lab.glob("*.rejects.*")) == []


def test_bad_rows_go_to_a_file_that_can_be_mended_and_inserted(djcli: Run, lab: Path) -> None:
    told = djcli("insert", "Session", "sessions.csv", "--keep-going")
    assert told.code == 1
    assert told.err.splitlines() == [
        *BAD,
        "inserted 2 rows into Session",
        "5 bad rows written to sessions.rejects.csv: mend and insert that file",
    ]
    rejects = lab / "sessions.rejects.csv"
    lines = SESSIONS.splitlines(keepends=True)
    assert rejects.read_text() == "".join(lines[place] for place in (0, 3, 4, 6, 7, 9))
    assert [row["raw"] for row in rows(djcli, "Session")] == ["\\x00ff", None]
    again = djcli("insert", "Session", "sessions.csv", "--keep-going")
    assert again.code == 1
    assert "sessions.rejects.csv exists, of an earlier run" in again.err
    mended = (
        rejects.read_text()
        .replace("M9", "M1")
        .replace(",x,", ",4,")
        .replace("M2,2\n", "M2,2,2026-02-02,,,\n")
    )
    rejects.write_text(
        mended.replace("M2,3,", "M2,5,").replace("2026-01-01", "2026-03-01").replace("M1,1,", "M1,7,")
    )
    assert djcli("insert", "Session", "sessions.rejects.csv").err == "inserted 5 rows into Session\n"


@pytest.mark.parametrize("format_", ["json", "jsonl", "parquet"])
@pytest.mark.usefixtures("lab")
def test_rejects_have_the_format_of_the_file(djcli: Run, format_: str) -> None:
    assert djcli("export", "Subject", f"all.{format_}").code == 0
    assert djcli("delete", "Subject", "-r", "subject_id=M2", "--yes").code == 0
    told = djcli("insert", "Subject", f"all.{format_}", "--keep-going", "--rejects", f"bad.{format_}")
    assert told.code == 1
    unit = "line" if format_ == "jsonl" else "row"
    assert told.err.splitlines()[0] == f"  {unit} 1: a row with subject_id='M1' already exists"
    assert [row["subject_id"] for row in rows(djcli, "Subject")] == ["M1", "M2"]
    assert djcli("insert", "Subject", f"bad.{format_}", "--skip-duplicates").code == 0
    assert djcli("insert", "Subject", f"bad.{format_}").err.count("already exists") == 1


@pytest.mark.usefixtures("lab")
def test_rows_that_are_there_are_skipped_or_replaced(djcli: Run) -> None:
    Path("more.csv").write_text("subject_id,species\nM1,Rattus\nM3,Rattus\n")
    assert djcli("insert", "Subject", "more.csv", "--skip-duplicates", "--dry-run").code == 0
    told = djcli("insert", "Subject", "more.csv", "--skip-duplicates")
    assert told.err == "inserted 1 row into Subject, passed over 1 whose key is there already\n"
    assert [row["species"] for row in rows(djcli, "Subject")] == ["Mus", "Mus", "Rattus"]
    assert djcli("insert", "Subject", "more.csv", "--replace").err == "inserted 2 rows into Subject\n"
    assert [row["species"] for row in rows(djcli, "Subject")] == ["Rattus", "Mus", "Rattus"]
    assert djcli("insert", "Subject", "more.csv", "--replace", "--skip-duplicates").code == 2


@pytest.mark.usefixtures("lab")
def test_a_wrong_header_is_told_once_with_what_to_do(djcli: Run) -> None:
    Path("x.csv").write_text('Subject ID,speces,"n); DROP TABLE lab.subject; --"\nM3,Mus,1\nM4,Mus,2\n')
    told = djcli("insert", "Subject", "x.csv", "--keep-going")
    assert told.code == 1
    lines = told.err.splitlines()
    assert len(lines) == 5
    assert "there is no attribute 'speces' - did you mean species?" in lines[1]
    assert "--map 'speces=ATTR' says which it is, --ignore-extra passes over it" in lines[1]
    assert "error: x.csv: attribute 'subject_id' is missing, and it has no default" in lines
    mapped = ("--map", "Subject ID=subject_id", "--map", "speces=species")
    assert djcli("insert", "Subject", "x.csv", *mapped).code == 1
    assert (
        djcli("insert", "Subject", "x.csv", *mapped, "--ignore-extra").err == "inserted 2 rows into Subject\n"
    )
    assert len(rows(djcli, "Subject")) == 4
    assert "has no column 'Subject id' - did you mean Subject ID?" in (
        djcli("insert", "Subject", "x.csv", "--map", "Subject id=subject_id").err
    )
    assert djcli("insert", "Subject", "x.csv", "--map", "nonsense").code == 2
    both = djcli("insert", "Subject", "x.csv", "--map", "Subject ID=species", "--map", "speces=species")
    assert "the columns 'Subject ID' and 'speces' are both to be attribute 'species'" in both.err


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"", "x.csv is empty: its first line must name the columns"),
        (b"subject_id;species\nM3;Mus\n", "if ';' separates the columns, say so: --delimiter ';'"),
        (b"subject_id,species,species\n", "the first line names 'species' twice"),
        (b"subject_id,,species\n", "the first line must name every column"),
        (b"subject_id,species\nM3,M\xfcs\n", "x.csv line 2 is not UTF-8 (byte 0xfc): convert it first"),
        ("subject_id,species\n".encode("utf-16"), "x.csv is not UTF-8"),
        (
            b'subject_id,species\nM3,Mus\nM4,"Mus\nM5,Mus\n',
            "x.csv line 3: a quote is opened there and never closed",
        ),
        (b'subject_id,species\nM3,"Mus"x\n', "x.csv line 2: this is no CSV"),
        (b"subject_id,species\nM3,M\0us\n", "it has NUL characters"),
    ],
)
@pytest.mark.usefixtures("lab")
def test_what_is_no_csv_is_told(djcli: Run, octets: bytes, told: str) -> None:
    Path("x.csv").write_bytes(octets)
    result = djcli("insert", "Subject", "x.csv")
    assert result.code == 1
    assert told in result.err.replace("line 1 is", "is")
    assert len(rows(djcli, "Subject")) == 2


@pytest.mark.usefixtures("lab")
def test_other_delimiters_byte_order_marks_and_line_ends(djcli: Run) -> None:
    Path("a.csv").write_bytes(b'\xef\xbb\xbfsubject_id;species;note\r\nM3;Mus;""\r\n')
    Path("b.tsv").write_text("subject_id\tspecies\nM4\tMus, or not\n")
    assert djcli("insert", "Subject", "a.csv", "--delimiter", ";").code == 0
    assert djcli("insert", "Subject", "b.tsv").code == 0
    assert [(row["species"], row["note"]) for row in rows(djcli, "Subject")][2:] == [
        ("Mus", ""),
        ("Mus, or not", None),
    ]
    Path("c.csv").write_text("subject_id,species\n")
    assert djcli("insert", "Subject", "c.csv").err == "c.csv has no rows: nothing was inserted\n"


@pytest.mark.usefixtures("lab")
def test_standard_input_and_output(djcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{"subject_id": "M3", "species": "Mus"}\nnot json\n\n[1]\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    told = djcli("insert", "Subject", "-", "--format", "jsonl")
    assert told.code == 1
    assert told.err.splitlines()[0].endswith("2 of 3 rows of standard input are bad")
    assert told.err.splitlines()[2] == "  line 4: is an array, not an object"
    assert djcli("insert", "Subject", "-").code == 2
    assert djcli("export", "Subject", "-", "--format", "jsonl", "-r", "subject_id=M1").out == (
        '{"subject_id": "M1", "species": "Mus", "weight": 1.5, "note": null}\n'
    )
    assert djcli("export", "Subject", "-", "--format", "json").out.startswith("[\n{")


@pytest.mark.usefixtures("lab")
def test_a_pipe_with_a_name_is_read_like_standard_input(djcli: Run) -> None:
    """As the shell gives one for `<(zcat subjects.csv.gz)`."""
    os.mkfifo("pipe")
    for keep_going in ([], ["--keep-going"]):
        with subprocess.Popen(["/bin/sh", "-c", "printf 'subject_id,species\nM1,Mus\nM8,Mus\n' > pipe"]):
            told = djcli("insert", "Subject", "pipe", "--format", "csv", *keep_going)
        assert (told.code, "line 2: a row with subject_id='M1' already exists" in told.err) == (1, True)
    assert [row["subject_id"] for row in rows(djcli, "Subject")] == ["M1", "M2", "M8"]


@pytest.mark.usefixtures("lab")
def test_what_cannot_be_inserted_into(djcli: Run) -> None:
    Path("x.csv").write_text("subject_id,session_idx,n\nM1,1,3\n")
    told = djcli("insert", "Summary", "x.csv")
    assert told.code == 1
    assert (
        "run: djcli populate Summary; to insert them from a file all the same, add --allow-direct-insert"
        in told.err
    )
    assert "there is no Session with" in djcli("insert", "Summary", "x.csv", "--allow-direct-insert").err
    part = djcli("insert", "Summary.Detail", "x.csv")
    assert (part.code, "run: djcli populate Summary;" in part.err) == (1, True)
    Path("y.csv").write_text("subject_id,session_idx,session_date,trace\nM1,1,2026-01-01,abc\n")
    told = djcli("insert", "Session", "y.csv")
    assert told.err == "error: y.csv: attribute 'trace' holds <blob>, which a text file cannot give\n"
    for file, words in (
        ("no.csv", "there is no file no.csv"),
        (".", "is a folder"),
        ("x.txt", "add --format"),
    ):
        Path("x.txt").write_text("")
        told = djcli("insert", "Subject", file)
        assert told.code == 2
        assert words in told.err


@pytest.mark.usefixtures("lab")
def test_export_replaces_a_file_only_with_consent_and_only_as_a_whole(djcli: Run) -> None:
    told = djcli("export", "Subject", "subjects.csv")
    assert told.code == 3
    assert "subjects.csv exists. Replace it?" in told.err
    told = djcli("export", "Session", "subjects.csv", "--yes")
    assert told.code == 2
    assert "attribute 'trace' (<blob>) has no form in csv: leave it out with --omit" in told.err
    assert Path("subjects.csv").read_text() == SUBJECTS
    assert [path.name for path in Path().iterdir() if path.name.startswith(".djcli-")] == []
    assert djcli("export", "Session", "subjects.csv", "--yes", "--omit", "trace").code == 0
    assert Path("subjects.csv").read_text().count("\n") == 1
    assert djcli("export", "Session", "a.csv", "--omit", "trac").code == 2
    assert djcli("export", "Session", "a.csv", "--omit", "session_idx").code == 2
    assert djcli("export", "Session", "no/a.csv", "--omit", "trace").code == 2
    if Path("/proc").is_dir():  # where not even root may write
        told = djcli("export", "Subject", "/proc/a.csv")
        assert told.err.startswith("error: /proc/a.csv cannot be written: ")


@pytest.mark.usefixtures("lab")
def test_update_changes_one_row_by_its_whole_key(djcli: Run) -> None:
    told = djcli("update", "Subject", "subject_id=M1", "--set", "note=a=b", "--unset", "weight")
    assert told.code == 0
    assert told.err.splitlines() == [
        "note: null -> 'a=b'",
        "weight: 1.5 -> null",
        "updated 1 row of Subject",
    ]
    assert djcli("update", "Subject", "subject_id=M1", "--set", "note=").code == 0
    assert [row["note"] for row in rows(djcli, "Subject")] == ["", ""]
    for args, code, words in (
        (["subject_id=M1"], 2, "say what to change"),
        (["subject_id=M9", "--set", "note=x"], 2, "Subject has no row with subject_id=M9"),
        (["--set", "note=x"], 2, "missing: subject_id=VALUE"),
        (["subject_id=M1", "note=y", "--set", "note=x"], 2, "'note' is no attribute of the key (subject_id)"),
        (["subject_id=M1", "--set", "nte=x"], 2, "no attribute 'nte' - did you mean note?"),
        (
            ["subject_id=M1", "--set", "weight=heavy"],
            2,
            "attribute 'weight' is float32: 'heavy' is not a number",
        ),
        (["subject_id=M1", "--set", "subject_id=M2"], 2, "belongs to the key, which stays"),
        (["subject_id=M1", "--unset", "species"], 1, "'species' may not be null"),
        (["subject_id=M1", "--set", "note=x", "--unset", "note"], 2, "both set and unset"),
    ):
        told = djcli("update", "Subject", *args)
        assert (told.code, words in told.err) == (code, True), told.err
    assert [row["note"] for row in rows(djcli, "Subject")] == ["", ""]


@pytest.mark.usefixtures("full")
def test_json_is_shown_as_it_is_typed_and_a_broken_constraint_in_our_words_alone(djcli: Run) -> None:
    key = ["update", "Session", "subject_id=M2", "session_idx=1"]
    told = djcli(*key, "--set", 'meta={"a": [true, null]}')
    assert told.err.splitlines()[0].endswith(' -> {"a": [true, null]}')
    assert '{"a": [true, null]}' in djcli("show", "Session", "-r", 'meta={"a": [true, null]}').out
    told = djcli(*key, "--set", "session_date=2026-01-02")
    assert told.code == 1
    assert "violates" not in told.err
    assert "session_date" in told.err


@pytest.mark.parametrize(
    "args",
    [
        ["delete", "Subj*", "--all", "--yes"],
        ["delete", "Summary+", "--all", "--yes"],
        ["delete", "tier:computed", "--all", "--yes"],
        ["update", "Subj*", "subject_id=M1", "--set", "note=x"],
        ["insert", "Subj*", "subjects.csv", "--replace"],
    ],
)
@pytest.mark.usefixtures("full")
def test_where_rows_are_changed_a_table_is_named(djcli: Run, args: list[str]) -> None:
    before = [rows(djcli, table) for table in ("Subject", "Session", "Summary")]
    told = djcli(*args)
    assert told.code == 2
    assert f"{args[1]!r} is not a table's name" in told.err
    assert [rows(djcli, table) for table in ("Subject", "Session", "Summary")] == before


@pytest.fixture
def full(lab: Path, djcli: Run) -> Path:
    """Insert sessions, their trials and summaries."""
    lines = [f"M{1 + n % 2},{n},2026-01-{n:02}" for n in range(1, 9)]
    (lab / "s.csv").write_text("subject_id,session_idx,session_date\n" + "\n".join(lines))
    (lab / "t.csv").write_text("subject_id,session_idx,trial_idx\nM2,1,1\nM2,1,2\nM1,2,1\n")
    assert djcli("insert", "Session", "s.csv").code == 0
    assert djcli("insert", "Session.Trial", "t.csv").code == 0
    assert djcli("populate").code == 0
    return lab


@pytest.mark.usefixtures("full")
def test_delete_shows_what_goes_and_asks(djcli: Run, database_url: str) -> None:
    told = djcli("delete", "Session", "-r", "subject_id=M2", "--dry-run")
    assert told.code == 0
    assert told.out.splitlines() == [
        "table              rows",
        "lab.Session           4",
        "lab.Session.Trial     2",
        "lab.Summary           4",
    ]
    assert "such as subject_id=M2, session_idx=1; subject_id=M2, session_idx=3" in told.err
    assert "would delete 10 rows" in told.err
    found = json.loads(djcli("delete", "Session", "-r", "subject_id=M2", "--dry-run", "--format", "json").out)
    assert found["rows"] == 10
    assert found["tables"][0] == {"schema": "lab", "table": "Session", "name": "session", "rows": 4}
    assert found["keys"][0] == {"subject_id": "M2", "session_idx": 1}
    refused = djcli("delete", "Session", "-r", "subject_id=M2")
    assert refused.code == 3
    assert "repeat with --yes" in refused.err
    assert len(rows(djcli, "Session")) == 8
    done = djcli("delete", "Session", "-r", "subject_id=M2", "-r", "session_idx>1", "--yes")
    assert done.code == 0
    assert done.err.splitlines()[-1] == "deleted 6 rows"
    assert "of lab.Session" not in done.err, "the table has told"
    assert len(rows(djcli, "Session")) == 5
    assert len(rows(djcli, "Summary")) == 5
    none = djcli("delete", "Session", "-r", "subject_id=M7", "--yes")
    assert (none.code, none.out) == (0, "")
    assert none.err == "nothing to delete: Session has no such row\n"
    none = djcli("delete", "Session", "-r", "subject_id=M7", "--yes", "--format", "json")
    assert json.loads(none.out) == {"rows": 0, "tables": [], "keys": []}
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (
            0,
        )


@pytest.mark.usefixtures("full")
def test_an_attribute_of_an_ancestor_narrows_what_goes_and_what_is_exported(djcli: Run) -> None:
    assert djcli("update", "Subject", "subject_id=M1", "--set", "species=Rattus").code == 0
    told = djcli("export", "Summary", "-", "-r", "species=Rattus")
    assert told.out.splitlines()[1:] == [f"M1,{n},1" for n in (2, 4, 6, 8)]
    assert (
        djcli("delete", "Summary", "-r", "Subject.species=Rattus", "-r", "session_idx>2", "--yes").code == 0
    )
    assert [row["session_idx"] for row in rows(djcli, "Summary")] == [2, 1, 3, 5, 7]
    assert djcli("delete", "Session", "-r", "specie=Rattus", "--yes").code == 2
    assert len(rows(djcli, "Session")) == 8


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--all", "-r", "subject_id=M1"],
        ["-r", "subjct_id=M1"],
        ["-r", "subject_id"],
        ["-r", "session_idx=one"],
        ["-r", ""],
        ["--part-integrity", "none", "--all"],
    ],
)
@pytest.mark.usefixtures("full")
def test_a_slip_never_widens_what_is_deleted(djcli: Run, args: list[str]) -> None:
    assert djcli("delete", "Session", *args, "--yes").code == 2
    assert len(rows(djcli, "Session")) == 8


@pytest.mark.usefixtures("full")
def test_rows_of_a_part_go_with_their_master_or_by_leave(djcli: Run) -> None:
    trials = ["delete", "Session.Trial", "-r", "subject_id=M2", "--yes"]
    refused = djcli(*trials)
    assert refused.code == 1
    assert "choose the part integrity 'cascade' to delete it too, or 'ignore' to leave it" in refused.err
    assert len(rows(djcli, "Session.Trial")) == 3
    assert djcli(*trials, "--part-integrity", "ignore").code == 0
    assert (len(rows(djcli, "Session.Trial")), len(rows(djcli, "Session"))) == (1, 8)
    assert djcli("delete", "Session.Trial", "--all", "--yes", "--part-integrity", "cascade").code == 0
    assert (len(rows(djcli, "Session.Trial")), len(rows(djcli, "Session"))) == (0, 7)
