"""`--restrict` by attributes of the tables that a table depends on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

PIPELINE = '''
    import djcli as dj

    schema = dj.Schema("lab")


    @schema
    class Subject(dj.Lookup):
        definition = "subject_id : varchar(8)\\n---\\nspecies : varchar(50)\\nweight : float32"
        contents = [("M1", "Mus musculus", 20), ("M2", "Mus musculus", 25), ("R1", "Rattus", 300)]


    @schema
    class Rig(dj.Lookup):
        definition = "rig : int32\\n---\\nroom : varchar(8)\\nweight : float32"
        contents = [(1, "A", 7), (2, "B", 9)]


    @schema
    class Session(dj.Lookup):
        definition = """
        -> Subject
        session_idx : int32
        ---
        -> [nullable] Rig
        day : date
        """
        contents = [
            ("M1", 1, 1, "2026-01-06"), ("M1", 2, None, "2026-01-07"),
            ("M2", 1, 2, "2026-01-06"), ("R1", 1, 2, "2026-01-08"),
        ]


    @schema
    class Pair(dj.Lookup):
        definition = """
        -> Session.proj(first='session_idx')
        -> Session.proj(second='session_idx')
        """
        contents = [("M1", 1, 2)]


    @schema
    class Summary(dj.Computed):
        definition = "-> Session\\n---\\nn : int32"

        def make(self, key):
            self.insert1({**key, "n": 1})
'''


@pytest.fixture
def applied(folder: Path, djcli: Run, database_url: str) -> Path:
    """Declare the pipeline."""
    os.environ["DJCLI_DATABASE_URL"] = database_url
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "mice.py").write_text(dedent(PIPELINE))
    assert djcli("apply").code == 0
    return folder


def keys(djcli: Run, *args: str) -> list[tuple[object, ...]]:
    """Return the keys of the rows shown."""
    result = djcli("show", *args, "--format", "json")
    assert result.code == 0, result.err
    return [(row["subject_id"], row.get("session_idx", row.get("first"))) for row in json.loads(result.out)]


@pytest.mark.usefixtures("applied")
def test_show_by_an_attribute_of_an_ancestor(djcli: Run) -> None:
    assert keys(djcli, "Session", "-r", "species=Rattus") == [("R1", 1)]
    assert keys(djcli, "Session", "-r", "Subject.species=Mus musculus", "-r", "room=A") == [("M1", 1)]
    assert keys(djcli, "Session", "-r", "lab.Subject.weight>22", "-r", "day<2026-01-07") == [("M2", 1)]
    assert keys(djcli, "Session", "-r", "room!=A") == [("M2", 1), ("R1", 1)]
    assert keys(djcli, "Session", "-r", "Session.day=2026-01-07") == [("M1", 2)]
    assert keys(djcli, "Subject", "-r", "weight>100") == [("R1", None)]  # its own


@pytest.mark.usefixtures("applied")
def test_several_ways_to_one_ancestor(djcli: Run) -> None:
    several = djcli("show", "Pair", "-r", "day=2026-01-07")
    assert several.code == 2
    assert several.err == (
        "error: --restrict 'day=2026-01-07': Pair depends on Session in several ways, "
        "Pair(subject_id, first) -> Session and Pair(subject_id, second) -> Session: "
        "write Session.day if any of them will do\n"
    )
    assert keys(djcli, "Pair", "-r", "Session.day=2026-01-07") == [("M1", 1)]
    assert keys(djcli, "Pair", "-r", "Session.day=2026-01-08") == []
    assert keys(djcli, "Pair", "-r", "species=Mus musculus") == [("M1", 1)]  # one subject either way
    assert "in several ways" in djcli("show", "Pair", "-r", "room=A").err


@pytest.mark.usefixtures("applied")
def test_several_ancestors(djcli: Run) -> None:
    several = djcli("show", "Session", "-r", "weight>8")
    assert several.code == 2
    assert "several tables that Session depends on have an attribute 'weight': write " in several.err
    assert "Subject.weight" in several.err
    assert "Rig.weight" in several.err
    assert keys(djcli, "Session", "-r", "Rig.weight>8") == [("M2", 1), ("R1", 1)]
    # A session's rig is the rig's, whichever of the two is meant.
    assert keys(djcli, "Summary", "-r", "rig=1") == []


@pytest.mark.usefixtures("applied")
def test_populate_by_attributes_of_ancestors(djcli: Run) -> None:
    assert djcli("populate", "-r", "species=Mus musculus", "-r", "room=B").out.startswith("Summary: 1 made")
    assert djcli("populate", "Summary", "-r", "Session.day<2026-01-07").out.startswith("Summary: 1 made")
    assert keys(djcli, "Summary") == [("M1", 1), ("M2", 1)]
    nothing = djcli("populate", "-r", "species=Felis")
    assert nothing.code == 0
    assert "Summary: no key has Subject.species=Felis" in nothing.err


MISTAKES = [
    (
        "specis=Mus",
        (
            "no table here has an attribute 'specis' - did you mean species? (they have subject_id, session_idx, "
            "n; the tables that they depend on have rig, day, room, weight, species)"
        ),
    ),
    (
        "Subjct.species=Mus",
        (
            "no table here depends on a table 'Subjct' - did you mean Subject? "
            "(they depend on lab.Session, lab.Rig, lab.Subject)"
        ),
    ),
    (
        "Subject.speceis=Mus",
        "lab.Subject has no attribute 'speceis' - did you mean species? (they are subject_id, species, weight)",
    ),
    (
        "Summary.m=1",
        (
            "no table here has an attribute 'm' (they have subject_id, session_idx, n; the tables that they "
            "depend on have rig, day, room, weight, species)"
        ),
    ),
]


@pytest.mark.usefixtures("applied")
def test_mistakes(djcli: Run) -> None:
    for restriction, message in MISTAKES:
        result = djcli("show", "Summary", "-r", restriction)
        assert result.code == 2
        assert result.err == f"error: --restrict {restriction!r}: {message}\n"


@pytest.mark.usefixtures("applied")
def test_a_value_of_the_wrong_type(djcli: Run) -> None:
    result = djcli("show", "Summary", "-r", "Subject.weight=heavy")
    assert result.code == 2
    assert "attribute 'weight' is float32" in result.err
