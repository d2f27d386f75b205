"""The SQL of some eighty expressions, held in a golden file; run this file as a script to write it anew."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from uuid import UUID

import pytest
from lab import make_lab

import djcli as dj
from djcli.sql.compile import compile_copy, compile_select

GOLDEN = Path(__file__).parent / "golden" / "expressions.sql"

NAMES = vars(make_lab()) | {"dj": dj, "date": datetime.date, "UUID": UUID}

EXPRESSIONS = """
Subject()
Subject & 'weight > 20'
Subject & "species LIKE 'Mus%'"
Subject & "species = '100%' OR weight IS NULL"
Subject & {'subject_id': 'M1'}
Subject & {'subject_id': 'M1', 'species': 'Mus', 'other': 1}
Subject & {'weight': 20.5}
Subject & {'weight': None}
Subject & {'subject_id': ['M1', 'M2']}
Subject & {'subject_id': ['M1', None]}
Subject & [{'subject_id': 'M1'}, {'subject_id': 'M2'}]
Session & [{'subject_id': 'M1', 'session_idx': 1}, {'subject_id': 'M1', 'session_idx': 2}]
Session & [{'subject_id': 'M1'}, {'session_idx': 2}]
Session - [{'subject_id': 'M1', 'session_idx': 1}, {'subject_id': 'M1', 'session_idx': 2}]
Session - {'subject_id': ['M1', 'M2']}
Session - {'rig': [1, 2]}
Subject & [{'subject_id': 'M1'}, 'weight > 20']
Subject & dj.AndList([{'subject_id': 'M1'}, 'weight > 20'])
Subject & dj.Not({'subject_id': 'M1'})
Subject - {'subject_id': 'M1', 'species': 'Mus'}
Subject - ['weight > 20', {'species': 'Mus'}]
Subject & True
Subject & False
Subject - []
Subject & []
Session & date(2026, 1, 6).__format__("session_date = '%Y-%m-%d'")
Session & {'session_date': '2026-01-06'}
Trial & {'reaction_time': 0.25, 'correct': True}
Surgery & {'outcome': 'good'}
Note & {'note_id': UUID(int=7), 'code': 'ab'}
Note & {'stamp': '2026-01-06 10:00:00'}
Rig & {'meta.probe.depth': 3}
Rig & {'meta.probe.name': 'A'}
Rig & {'meta.list[2]:decimal(5,2)': 1.5}
Rig & {'meta.flag': True, 'meta.gone': None}
Rig.proj(depth='meta.probe.depth:float', name='meta.probe.name')
Rig.proj(depth='meta.depth:int32') & 'depth > 3'
Rig.proj(depth='meta.depth:int32') & {'depth': 3}
Session & Subject
Session - Subject
Session & (Subject & {'species': 'Mus'})
Session & [Subject & {'species': 'Mus'}, 'session_idx = 1']
Session & Rig
Subject & Rig
Subject - (Session & (Rig & {'room': 'A'}))
Subject & (Session & 'weight > 3')
Session & Session
Session & (Session & 'session_idx = 1')
Session & dj.U('subject_id')
Session & (dj.U('session_date') & Session)
Session.proj()
Session.proj('note')
Session.proj(...)
Session.proj(..., '-note')
Session.proj(day='session_date')
Session.proj(..., idx='session_idx')
Session.proj('note', copy='(note)')
Session.proj(next='session_idx + 1', percent='session_idx % 2')
Session.proj(next='session_idx + 1').proj('next', after='next + 1')
Session.proj(next='session_idx + 1') & 'next = 2'
Session.proj(next='session_idx + 1') & {'session_idx': 1}
Session.proj(idx='session_idx') & 'idx = 1'
Session.proj(idx='session_idx') & {'idx': 1}
Session.proj() & 'note = 1'
Session * Subject
Subject * Session
Subject * Session * Trial & {'species': 'Mus'}
Subject * Session * Trial * Rig & {'species': 'Mus'} & 'reaction_time < 0.5' & {'room': 'A'}
Subject * Session * Trial * Rig * Surgery.proj('outcome') & {'outcome': 'bad', 'session_idx': 1}
Rig * Subject
Session * (Trial & 'correct')
(Subject & 'weight > 20') * Surgery.proj()
(Subject & 'weight > 20') * Surgery.proj(w='weight')
Pair * Session.proj('note', first_idx='session_idx')
Session.join(Rig, left=True)
Session.extend(Rig & {'room': 'A'})
Trial.extend(Session)
Session * Session
Subject.aggr(Session, n='count(session_idx)')
Subject.aggr(Session, 'species', n='count(session_idx)', last='max(session_date)')
Subject.aggr(Session, n='count(*)', exclude_nonmatching=True)
Subject.aggr(Session & 'session_idx > 1', n='count(session_idx)') & 'n > 1'
Session.aggr(Trial & 'correct', ..., mean='avg(reaction_time)')
Subject.aggr(Subject * Session, w='max(weight)')
Subject.aggr(Surgery.proj('surgery_rig'), kind='species', w='max(surgery_rig)')
dj.U('species') & Subject
dj.U('species').aggr(Subject, n='count(*)')
dj.U().aggr(Trial, n='count(*)', fastest='min(reaction_time)')
dj.U('subject_id', 'session_idx').aggr(Trial, n='count(*)') & 'n >= 10'
Session & (dj.U('subject_id', 'session_idx').aggr(Trial, n='count(*)') & 'n >= 10')
Subject.proj() + Surgery.proj()
Subject.proj('species') + Surgery.proj('outcome')
(Subject.proj('species') + Surgery.proj('outcome')) & {'outcome': 'bad'}
Trial & dj.Top(3, 'reaction_time DESC')
Trial & dj.Top(3, ['correct', 'KEY'], offset=2)
(Trial & dj.Top(3, 'reaction_time')) & 'correct'
Trial & dj.Top(10, 'reaction_time') & dj.Top(2, None)
(Trial & dj.Top(3)).proj('stimulus')
(Trial & dj.Top(3)) * Session
"""


def lines() -> list[str]:
    """Return the expressions."""
    return [line for line in EXPRESSIONS.splitlines() if line.strip()]


def written(line: str) -> str:
    """Return the golden text of an expression: its SQL, broken before the main clauses, and its values."""
    query = eval(line, dict(NAMES))  # noqa: S307 - the lines above
    text = re.sub(r" (FROM|WHERE|GROUP BY|ORDER BY|UNION|FULL JOIN) ", r"\n  \1 ", query.make_sql())
    values = f"\n-- {query.parameters}" if query.parameters else ""
    return f"-- {line}\n{text}{values}\n"


@pytest.fixture(scope="module")
def golden() -> dict[str, str]:
    """Read the golden file: the text of each expression by its first line."""
    return {text.splitlines()[0]: text for text in GOLDEN.read_text().split("\n\n")}


@pytest.mark.parametrize("line", lines())
def test_golden(line: str, golden: dict[str, str]) -> None:
    """The statement is the golden one, however often it is compiled."""
    assert written(line).strip() == golden[f"-- {line}"].strip()
    assert written(line) == written(line)


def test_five_restricted_tables_are_one_flat_select() -> None:
    """Joins and conditions go into one statement, subqueries only where they must."""
    five = "Subject * Session * Trial * Rig * Surgery.proj('outcome') & {'outcome': 'bad', 'session_idx': 1}"
    text = eval(five, dict(NAMES)).make_sql()  # noqa: S307 - the line above
    assert text.count("SELECT") == 1
    assert text.count(" JOIN ") == 4
    assert "DISTINCT" not in text


@pytest.mark.parametrize("line", lines())
def test_copies_have_no_parameters(line: str) -> None:
    """Each value of the SELECT is a setting of the COPY, made by a statement that has it as a parameter."""
    query = eval(line, dict(NAMES))  # noqa: S307 - the lines above
    select, copy = compile_select(query.node), compile_copy(query.node)
    if copy is None:
        assert re.search(r"%\(p\d+\)s(?!::)", select.text), "a value without a type is why"
        return
    wanted = set(re.findall(r"%\(\w+\)s", select.text))
    assert "%(" not in copy.text.replace("%%(", "")
    assert set(re.findall(r"%\(\w+\)s", copy.settings or "")) == wanted
    assert copy.text.count("current_setting") == select.text.count("%(p")
    assert copy.columns == select.columns


def test_golden_file_holds_nothing_else(golden: dict[str, str]) -> None:
    """Every text of the golden file belongs to an expression."""
    assert list(golden) == [f"-- {line}" for line in lines()]
    assert len(golden) >= 80


if __name__ == "__main__":
    GOLDEN.write_text("\n".join(map(written, lines())))
