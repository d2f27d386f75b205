"""A restriction without effect, at any depth, deletes nothing."""

from collections.abc import Callable
from typing import Any

import pytest

import djcli as dj
from djcli.errors import DataJointError
from djcli.tables.instance import Instance


@pytest.fixture
def lab(instance: Instance) -> Any:  # noqa: ARG001 - the default instance is this test's
    schema = dj.Schema("typos")

    @schema
    class Subject(dj.Manual):
        definition = "sid : int32"

    @schema
    class Session(dj.Manual):
        definition = "-> Subject\nses : int32"

    @schema
    class Trial(dj.Manual):
        definition = "-> Session\ntr : int32"

    Subject.insert((i,) for i in range(2))
    Session.insert((i, j) for i in range(2) for j in range(2))
    Trial.insert((i, j, k) for i in range(2) for j in range(2) for k in range(2))
    return schema.tables


CASES: list[Callable[[Any, Any, Any], Any]] = [
    lambda _, session, trial: trial & (session & {"typo": 1}),
    lambda _, session, trial: trial & (session & {"typo": 1}).proj(),
    lambda subject, session, trial: trial & (session & (subject & {"typo": 1})),
    lambda subject, session, trial: trial & session * (subject & {"typo": 1}),
    lambda _, session, trial: trial & (dj.U("sid") & (session & {"typo": 1})),
    lambda _, session, trial: trial & (session & {"typo": 1}).aggr(trial, n="count(*)"),
    lambda _, session, trial: trial & [session & {"typo": 1}],
    lambda _, session, trial: trial & [session & {"typo": 1}, {"tr": 0}],
    lambda _, __, trial: trial & dj.U("typo"),
    lambda _, __, trial: trial & {"typo": 1},
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_nothing_is_deleted(lab: Any, case: int) -> None:
    doomed = CASES[case](*lab)
    with pytest.raises(DataJointError, match="nothing was deleted"):
        doomed.delete(prompt=False)
    with pytest.raises(DataJointError, match="nothing was deleted"):
        doomed.delete_quick()
    assert len(lab[2]()) == 8


def test_a_text_cannot_undo_the_restriction_before_it(lab: Any) -> None:
    with pytest.raises(DataJointError, match="bracket"):
        ((lab[2] & {"tr": 999}) & "tr=2) or (1=1").delete(prompt=False)
    with pytest.raises(DataJointError, match="several values"):
        lab[2].proj(x="1, 2")
    assert len(lab[2]()) == 8
