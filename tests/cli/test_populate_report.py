"""`djcli populate`: how it ends, what it would do, and by several processes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from djcli.cli.tally import Failure, Tally

if TYPE_CHECKING:
    from tests.cli.conftest import Run

PIPELINE = """
import djcli as dj

schema = dj.Schema("mill")


@schema
class Grain(dj.Lookup):
    definition = "grain : int32"
    contents = [(i,) for i in range(12)]


@schema
class Flour(dj.Computed):
    definition = "-> Grain"

    def make(self, key):
        print("milling", key["grain"])
        if key["grain"] % 4 == 3:
            raise ValueError(f"no flour of 'grain {key['grain']}'")
        if key["grain"] != 6:
            self.insert1(key)


@schema
class Bread(dj.Computed):
    definition = "-> Flour"

    class Slice(dj.Part):
        definition = '''
        -> master
        slice : int32
        '''

    def make(self, key):
        self.insert1(key)
        self.Slice.insert1({**key, "slice": 1})


@schema
class Toast(dj.Computed):
    definition = "-> Bread.Slice"

    def make(self, key):
        self.insert1(key)
"""
RAISES = 1 + PIPELINE.splitlines().index(
    "            raise ValueError(f\"no flour of 'grain {key['grain']}'\")"
)
MAKE = 1 + PIPELINE.splitlines().index("    def make(self, key):")


@pytest.fixture
def mill(folder: Path, database_url: str, djcli: Run) -> Path:
    """Make a project and declare its tables."""
    (folder / "djcli.yaml").write_text("")
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "mill.py").write_text(PIPELINE)
    os.environ["DJCLI_DATABASE_URL"] = database_url
    assert djcli("apply").code == 0
    return folder


@pytest.mark.usefixtures("mill")
def test_a_dry_run_says_what_would_be_made_and_why(djcli: Run) -> None:
    assert djcli("progress", "--check").code == 4
    some = djcli("populate", "--dry-run", "--max-calls", "2", "-r", "grain<6", "-r", "grain>1")
    assert (some.code, some.err) == (0, "")
    nothing = (
        "0 of 0 keys with grain<6, grain>1 are not made; "
        "more may come, it depends on keys still to make: Flour (4)"
    )
    assert some.out.splitlines() == [
        "table  to make  why",
        "Flour        2  4 of 4 keys with grain<6, grain>1 are not made; at most 2 calls",
        f"Bread        0  {nothing}",
        f"Toast        0  {nothing}",
    ]
    assert djcli("populate", "Flour", "-r", "grain<3").code == 0
    facts = json.loads(djcli("populate", "Toast", "Bread", "--dry-run", "--format", "json").out)
    assert facts == [
        {
            "schema": "mill",
            "table": "Bread",
            "name": "__bread",
            "calls": 3,
            "pending": 3,
            "total": 3,
            "restrictions": [],
            "max_calls": None,
            "incomplete": [{"schema": "mill", "table": "Flour", "name": "__flour", "pending": 9}],
        },
        {
            "schema": "mill",
            "table": "Toast",
            "name": "__toast",
            "calls": 0,
            "pending": 0,
            "total": 0,
            "restrictions": [],
            "max_calls": None,
            "incomplete": [
                {"schema": "mill", "table": "Bread", "name": "__bread", "pending": 3},
                {"schema": "mill", "table": "Flour", "name": "__flour", "pending": 9},
            ],
        },
    ]
    assert djcli("populate", "--format", "xml").code == 2


@pytest.mark.parametrize("hands", ["1", "2"])
def test_what_the_guard_has_found_is_told_when_a_make_fails_too(mill: Path, djcli: Run, hands: str) -> None:
    text = (mill / "pipelines" / "mill.py").read_text()
    file = mill / f"straying_{hands}.py"
    file.write_text(text.replace('print("milling", key["grain"])', "len(Toast())"))
    result = djcli("populate", "Flour", "--guard", "warn", "-j", hands, "-p", file.name)
    assert result.code == 1
    assert "make of Flour reads the table Toast, which Flour does not depend on" in result.err
    assert result.err.count("breaks its contract in 1 place") == 1
    assert "ValueError: no flour of" in result.err


@pytest.mark.usefixtures("mill")
def test_progress_of_some_keys(djcli: Run) -> None:
    assert djcli("populate", "-r", "grain<3").code == 0
    shown = djcli("progress", "Flour", "Bread", "-r", "grain>1", "-r", "grain<6").out.splitlines()
    assert shown == [
        "table  rows  done  remaining  percent",
        "Flour     1     1          3      25%",
        "Bread     1     1          0     100%",
    ]
    whole = json.loads(djcli("progress", "Flour", "Grain", "-r", "grain<=3", "--format", "json").out)
    assert [(each["table"], each["rows"], each["remaining"]) for each in whole] == [
        ("Grain", 4, None),
        ("Flour", 3, 1),
    ]
    assert djcli("progress", "Flour", "-r", "grain<3", "--check").code == 0
    assert djcli("progress", "Flour", "-r", "grain<4", "--check").code == 4
    wrong = djcli("progress", "-r", "grian<3")
    assert (wrong.code, "did you mean grain?" in wrong.err) == (2, True)


@pytest.mark.usefixtures("mill")
def test_failures_are_told_by_kind_with_an_example_and_its_place(djcli: Run) -> None:
    result = djcli("populate", "--suppress-errors", "--format", "json")
    assert result.code == 1
    flour, bread, toast = json.loads(result.out)
    assert [toast[name] for name in ("schema", "table", "name")] == ["mill", "Toast", "__toast"]
    assert (flour["made"], flour["failed"], bread["made"], toast["made"]) == (8, 4, 8, 8)
    assert flour["keys_per_second"] == pytest.approx(8 / flour["seconds"], rel=0.1)
    assert flour["failures"] == [
        {
            "error": "ValueError: no flour of 'grain 3'",
            "count": 3,
            "key": {"grain": 3},
            "where": f"pipelines/mill.py:{RAISES}",
        },
        {
            "error": "make() of Flour inserted no row for its key; insert one, or leave such keys out of key_source",
            "count": 1,
            "key": {"grain": 6},
            "where": f"pipelines/mill.py:{MAKE}",
        },
    ]
    assert "failed:" not in result.err


def test_several_processes_report_as_one(djcli: Run, mill: Path) -> None:
    os.environ["PYTHONUNBUFFERED"] = "1"  # as containers often have it
    (mill / "pipelines" / "mill.py").rename(mill / "stones.py")
    assert djcli("populate", "-j", "two", "-p", "stones.py").code == 2
    result = djcli("populate", "-j", "2", "--suppress-errors", "-p", "stones.py")
    assert result.code == 1
    assert [line.split(" in ")[0] for line in result.out.splitlines()] == [
        "Flour: 8 made, 4 failed",
        "Bread: 8 made",
        "Toast: 8 made",
    ]
    assert result.out.count("keys a second)") == 3
    lines = result.err.splitlines()
    assert sorted(lines[:12]) == sorted(f"milling {i}" for i in range(12)), "what makes print is no data"
    assert lines[12:14] == [
        "4 failed:",
        lines[13],
    ]
    assert lines[13].startswith("  Flour grain=")
    assert lines[13].endswith(f" (stones.py:{RAISES})")
    assert " and 2 more: ValueError: no flour of" in lines[13]
    assert djcli("progress", "--check", "-p", "stones.py").code == 4
    assert djcli("progress", "Bread", "--check", "-p", "stones.py").code == 0
    again = djcli("populate", "-j", "2", "-v", "--suppress-errors", "-p", "stones.py")
    assert "in a worker process:" in again.err
    assert "Traceback" not in result.err


def test_kinds_differ_by_more_than_the_values_of_their_keys() -> None:
    tally = Tally("T")
    for name, text in (("ann", "ann is 3.5 old"), ("bob", "bob is 17 old"), ("cy", "cy is old")):
        tally.failures.append(Failure({"name": name}, ValueError(text)))
    tally.failures.append(Failure({"name": "dee"}, TypeError("dee is 4 old")))
    assert [(group.count, str(group.example.error)) for group in tally.groups()] == [
        (2, "ann is 3.5 old"),
        (1, "cy is old"),
        (1, "dee is 4 old"),
    ]
    assert tally.groups()[0].told(verbose=False) == "T name=ann and 1 more: ValueError: ann is 3.5 old"
