"""The computation tutorial, run as the script it is: every table and every number of it."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from declaring import connected

import djcli as dj
from djcli.settings import DatabaseTarget
from djcli.tables.instance import Instance, use_instance

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "test_tutorial_golden"
SCRIPT = (GOLDEN / "script.txt").read_text()
"""The tutorial's own code, cell after cell; `display` is what a notebook calls for a cell's last value."""

DISPLAY = """
import json

def display(value):
    print(value)
    pages.append(value._repr_html_() if hasattr(value, '_repr_html_') else None)

pages = []
"""

PAGES = "\nprint(json.dumps(pages))\n"

BARS = [
    ("SessionSummary", 3),
    ("SessionAnalysis", 6),
    ("TrialAnalysis", 3),
    ("SubjectSummary", 2),
    ("SessionSummary", 1),
    ("TrialAnalysis", 1),
    ("SubjectSummary", 1),
    ("QualityCheck", 4),
]
"""The progress bars that the tutorial shows, and how many keys each has."""

PRINTED_ONLY = ("n_analyzed", "is_fast")
"""The last attributes of the tables that the tutorial shows by `print` alone."""


class Cells(HTMLParser):
    """Collects the cells of a page's table, row by row."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a row or a cell; the key's names get a star, as in the text."""
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.inside = True
            self.rows[-1].append("*" if ("class", "key") in attrs else "")

    def handle_data(self, data: str) -> None:
        """Add to the cell."""
        if self.inside:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        """End a cell."""
        self.inside = self.inside and tag not in ("td", "th")


def run_script(text: str, folder: Path, database_url: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a project folder of its own, with warnings as errors."""
    (folder / "djcli.yaml").write_text("")
    script = folder / "script.py"
    script.write_text(text)
    done = subprocess.run(
        # a script need not close its connection: the end of the process does
        [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", str(script)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "DJCLI_DATABASE_URL": database_url},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done


def tables_in_text(printed: str) -> list[list[list[str]]]:
    """Return the previews in what was printed: rows of cells, the names first."""
    found: list[list[list[str]]] = []
    lines = printed.splitlines()
    for place, line in enumerate(lines):
        if line.startswith("+--"):
            ends = next(i for i in range(place, len(lines)) if lines[i].startswith((" (Total", "   ...")))
            found.append([text.split() for text in (lines[place - 1], *lines[place + 1 : ends])])
    return found


def test_the_whole_tutorial_prints_what_it_shall(tmp_path: Path, database_url: str) -> None:
    done = run_script(DISPLAY + SCRIPT + PAGES, tmp_path, database_url)
    *lines, pages = done.stdout.splitlines()
    assert lines == (GOLDEN / "printed.txt").read_text().splitlines()

    finals = re.findall(r"([A-Za-z]+): 100% \|#+\| (\d+)/(\d+)\n", done.stderr)
    assert finals == [(name, str(count), str(count)) for name, count in BARS]

    printed = [table for table in tables_in_text("\n".join(lines)) if table[0][-1] not in PRINTED_ONLY]
    shown = [page for page in json.loads(pages) if page]
    drawings = [page for page in shown if "<svg" in page]
    assert [Cells(page).rows for page in shown if page not in drawings] == printed
    (drawing,) = drawings
    for name in ("Subject", "Session", "SessionSummary", "SessionAnalysis", "AnalysisMethod"):
        assert f">{name}<" in drawing

    with connected(database_url) as connection:
        assert connection.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tutorial%%'") == []


def test_the_pipeline_has_the_tutorials_classes_unchanged() -> None:
    assert classes((ROOT / "pipelines" / "tutorial.py").read_text()) == classes(SCRIPT)


def test_what_a_demo_elsewhere_starts_with_is_the_same_pipeline() -> None:
    starter = ROOT / "djcli" / "cli" / "starter" / "tutorial.py.txt"
    assert starter.read_text() == (ROOT / "pipelines" / "tutorial.py").read_text()


def classes(text: str) -> dict[str, str]:
    """Return the syntax of the classes of a module; runs of blanks in texts count as one."""
    found = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    for node in (node for top in found for node in ast.walk(top)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = re.sub(r"[ \t]+", " ", node.value)
    return {node.name: ast.dump(node) for node in found}


FILLED = f"""
import sys
sys.path.insert(0, {str(ROOT / "pipelines")!r})
import tutorial as t

t.fill()
t.fill()
for table in (t.SessionSummary, t.SessionAnalysis, t.TrialAnalysis, t.SubjectSummary, t.QualityCheck):
    print(table.populate(), table.progress())
print(len(t.Subject()), len(t.Session()), len(t.Session.Trial()))
print(t.SessionSummary().to_arrays("mean_rt", order_by="KEY").tolist())
print(t.SessionAnalysis().to_arrays("score", order_by="KEY").tolist())
"""


def test_the_pipelines_sample_data_give_the_tutorials_numbers(tmp_path: Path, database_url: str) -> None:
    done = run_script(FILLED, tmp_path, database_url)
    made = [(3, 3), (6, 6), (3, 3), (2, 2), (3, 3)]
    expected = [f"{{'success_count': {n}, 'error_list': []}} (0, {total})" for n, total in made]
    *printed, mean_rt, scores = done.stdout.splitlines()
    assert printed == [*expected, "2 3 45"]
    single = np.float32([0.482, 0.46933332, 0.49266666])
    assert np.array_equal(np.float32(ast.literal_eval(mean_rt)), single)
    single = np.float32([0.8, 0.80586994, 0.8, 0.7651669, 0.6, 0.5117927])
    assert np.array_equal(np.float32(ast.literal_eval(scores)), single)


@pytest.fixture
def schema(database_url: str) -> Iterator[dj.Schema]:
    """Make a schema in a database of its own the default one."""
    instance = Instance(DatabaseTarget(database_url, "the test"))
    use_instance(instance)
    yield dj.Schema("tutorial_scalars")
    instance.connection.close()
    use_instance(None)


NUMBERS: list[dict[str, tuple[Any, Any]]] = [
    {
        "small": (np.int8(-7), -7),
        "whole": (np.int64(7), 7),
        "single": (np.float32(0.1), 0.1),
        "double": (np.float64(0.1), 0.1),
        "price": (np.float64(0.3), 0.3),
        "yes": (np.True_, True),
        "words": (np.str_("a"), "a"),
    },
    {
        "small": (sum(np.array([True, False, True])), 2),
        "whole": (np.uint16(65535), 65535),
        "single": (np.mean([0.25, 0.5]), 0.375),
        "double": (np.float32(0.5), 0.5),
        "price": (np.float32(0.25), 0.25),
        "yes": (np.array([1.0, 2.0])[0] < np.median([1.0, 2.0]), True),
        "words": (np.array(["left", "right"])[1], "right"),
    },
    {
        "small": (np.array([3, 5]).sum(), 8),
        "whole": (len(np.array([3, 5])), 2),
        "single": (np.float64(1) / np.int64(3), 1 / 3),
        "double": (np.array([1.0, 2.0]).max(), 2.0),
        "price": (np.int32(2), 2),
        "yes": (np.all([True, False]), False),
        "words": (np.str_(""), ""),
    },
]


def test_numpy_scalars_are_kept_like_their_python_kin(schema: dj.Schema) -> None:
    @schema
    class Scalar(dj.Manual):
        definition = """
        row : int32
        of_numpy : bool
        ---
        small : int16
        whole : int64
        single : float32
        double : float64
        price : decimal(5,2)
        yes : bool
        words : varchar(8)
        """

    for row, values in enumerate(NUMBERS):
        for place, of_numpy in enumerate((True, False)):
            # the key's values are numpy's too, as when a key comes out of an array
            given = {name: pair[place] for name, pair in values.items()}
            Scalar.insert1({"row": np.int64(row), "of_numpy": np.bool_(of_numpy), **given})
    assert len(Scalar()) == 2 * len(NUMBERS)
    for row in range(len(NUMBERS)):
        one = (Scalar & {"row": np.int32(row), "of_numpy": np.True_}).fetch1()
        other = (Scalar & {"row": row, "of_numpy": False}).fetch1()
        assert one.pop("of_numpy") != other.pop("of_numpy")
        assert one == other
        assert {name: type(value) for name, value in one.items()} == {
            name: type(value) for name, value in other.items()
        }


def test_the_counts_of_a_result_go_by_two_names(schema: dj.Schema) -> None:
    @schema
    class Number(dj.Lookup):
        definition = "number : int32"
        contents = ((0,), (1,), (2,))

    @schema
    class Inverse(dj.Computed):
        definition = """
        -> Number
        ---
        inverse : float64
        """

        def make(self, key: dict[str, int]) -> None:
            self.insert1({**key, "inverse": 1 / key["number"]})

    result = Inverse.populate(suppress_errors=True)
    assert (result.get("success", 0), result.get("error", 0)) == (2, 1)
    assert result == {
        "success_count": 2,
        "error_list": [({"number": 0}, "ZeroDivisionError: division by zero")],
    }
    assert Inverse.progress() == (1, 3)
    assert Number().to_dicts(order_by="KEY") == [{"number": 0}, {"number": 1}, {"number": 2}]
