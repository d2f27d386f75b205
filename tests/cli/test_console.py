"""What printing looks like where there is no terminal, and asking where there is nobody to ask."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from decimal import Decimal
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djcli.cli import console
from djcli.errors import RefusedError


def test_numbers_stand_to_the_right_and_all_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(["name", "rows", "done"], [["Session", 3, "50%"], ["X", 1200, "100%"]], ["all", 1203, ""])
    assert capsys.readouterr().out.splitlines() == [
        "name     rows  done",
        "Session     3   50%",
        "X        1200  100%",
        "all      1203",
    ]


def test_wide_characters_are_counted_as_wide(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(["a", "b"], [["日本", "x"], ["abcd", "y"]])
    assert capsys.readouterr().out.splitlines() == ["a     b", "日本  x", "abcd  y"]


@given(
    st.lists(
        st.tuples(st.text(), st.one_of(st.none(), st.integers(), st.booleans(), st.decimals())), max_size=5
    )
)
def test_a_row_is_a_line_whatever_is_in_it(rows: list[tuple[str, object]]) -> None:
    printed = printed_table(rows)
    assert len(printed) == len(rows) + 1
    assert all(line.isprintable() for line in printed)


def printed_table(rows: list[tuple[str, object]]) -> list[str]:
    """Return the lines that a table of these rows is printed as."""
    kept, sys.stdout = sys.stdout, StringIO()
    try:
        console.table(["a", "b"], rows)
        return sys.stdout.getvalue().split("\n")[:-1]
    finally:
        sys.stdout = kept


@given(
    st.lists(st.lists(st.text("ab ", max_size=30), min_size=3, max_size=3), min_size=1, max_size=4),
    st.integers(3, 100),
)
def test_columns_fit_and_no_word_is_broken_while_another_column_can_give(
    rows: list[list[str]], room: int
) -> None:
    widths = console.fit(rows, room)
    natural = [max(len(row[index]) for row in rows) for index in range(3)]
    words = [max(len(word) for row in rows for word in (*row[index].split(), "")) for index in range(3)]
    assert sum(widths) <= room
    assert all(width <= wanted for width, wanted in zip(widths, natural, strict=True))
    if sum(natural) <= room:
        assert widths == natural
    elif sum(words) <= room:
        assert sum(widths) == room
        assert all(width >= word for width, word in zip(widths, words, strict=True))


def test_a_narrow_terminal_keeps_names_whole() -> None:
    program = (
        "from djcli.cli import console; console.table(['table', 'comment'], "
        "[['TrialAnalysis.TrialResult', 'what each of the trials gave in the end'], ['Q', 'short']])"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=theirs,
        stdout=theirs,
        env={**os.environ, "COLUMNS": "48", "TERM": "xterm"},
    )
    process.wait(timeout=30)
    os.close(theirs)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", os.read(ours, 10_000).decode()).splitlines()
    os.close(ours)
    assert any("TrialAnalysis.TrialResult" in line for line in lines)
    assert max(map(len, lines)) <= 48


def test_json_keeps_unicode_and_turns_the_rest_into_text(capsys: pytest.CaptureFixture[str]) -> None:
    console.json([{"a": "é", "b": Decimal("1.50"), "c": None}])
    text = capsys.readouterr().out
    assert "é" in text
    assert json.loads(text) == [{"a": "é", "b": "1.50", "c": None}]


def test_talk_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for tell, head in ((console.note, ""), (console.warn, "warning: "), (console.error, "error: ")):
        tell("a\x1b]0;title\x07\tb\r\nc \u202eé")
        assert capsys.readouterr().err == f"{head}a\\x1b]0;title\\x07\tb\\r\nc \\u202eé\n"


def test_nobody_to_ask_is_a_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RefusedError, match="no terminal to ask on: repeat with --yes"):
        console.confirm("Drop 3 tables?", instead="repeat with --yes")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("answer", "done"), [("y", True), ("YES", True), ("n", False), ("", False)])
def test_asking_on_a_terminal(answer: str, done: bool) -> None:
    program = "from djcli.cli import console; console.confirm('Sure?', instead=''); console.out('done')"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    out, _ = process.communicate(timeout=30)
    os.close(ours)
    assert (out == b"done\n") is done
    assert (process.returncode == 0) is done
