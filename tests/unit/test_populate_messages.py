"""Exceptions on their way from a worker process to its parent: they arrive as they were, or as a stand-in."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from djcli.errors import DefinitionError, DuplicateError
from djcli.populate.messages import StandInError, Told
from djcli.populate.origin import place_of


class TwoArgumentsError(Exception):
    """Cannot be made from its message, which is what a pickle tries."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first}/{second}")


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as found:  # noqa: BLE001 - whatever it is
        return found


def sent(error: BaseException) -> BaseException:
    return pickle.loads(pickle.dumps(Told.of(error))).error()  # noqa: S301 - our own


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([ValueError, KeyError, OSError, DuplicateError, KeyboardInterrupt, SystemExit]),
    st.lists(st.one_of(st.text(), st.integers()), max_size=3),
    st.lists(st.text(), max_size=2),
)
def test_what_can_be_pickled_arrives_as_it_was(
    kind: type[BaseException], args: list[Any], notes: list[str]
) -> None:
    if kind is DuplicateError:
        args = [str(arg) for arg in args]
    error = raised(kind(*args))
    for note in notes:
        error.add_note(note)
    copy = sent(error)
    assert (type(copy), copy.args, str(copy)) == (type(error), error.args, str(error))
    assert copy.__notes__[: len(notes)] == notes
    assert place_of(error) is not None
    assert place_of(copy) == place_of(error)


def test_a_definition_error_keeps_what_it_knows() -> None:
    copy = sent(DefinitionError("odd", line=3, column=2, source="x", table="T"))
    assert isinstance(copy, (DefinitionError, StandInError))
    assert str(copy) == "T: line 3, column 2: odd\n  x\n   ^"


def test_a_stand_in_has_name_text_notes_and_traceback() -> None:
    error = raised(TwoArgumentsError("a", "b"))
    error.add_note("and more")
    copy = sent(error)
    assert isinstance(copy, StandInError)
    assert (type(copy).__name__, str(copy)) == ("TwoArgumentsError", "a/b")
    assert copy.__notes__[0] == "and more"
    assert "raise error" in copy.__notes__[1]
    shown = "".join(traceback.format_exception(copy))
    assert "TwoArgumentsError: a/b" in shown


@pytest.mark.parametrize("suppressed", [True, False])
def test_causes_and_contexts_come_along(suppressed: bool) -> None:
    def fail() -> None:
        try:
            raise KeyError("first")
        except KeyError:
            try:
                raise TwoArgumentsError("second", "x")
            except TwoArgumentsError as second:
                if suppressed:
                    raise ValueError("third") from second
                raise ValueError("third")  # noqa: B904 - that is the other case

    with pytest.raises(ValueError, match="third") as caught:
        fail()
    copy = sent(caught.value)
    assert copy.__suppress_context__ is suppressed
    assert (copy.__cause__ is not None) is suppressed
    second = copy.__context__
    assert isinstance(second, StandInError)
    assert isinstance(second.__context__, KeyError)
