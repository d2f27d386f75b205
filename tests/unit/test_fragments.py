"""SQL of the user's own must stay within its own brackets."""

import pytest

from djcli.algebra.words import check_fragment
from djcli.errors import DataJointError


@pytest.mark.parametrize(
    "text",
    [
        "a=2) or (1=1",
        ")",
        "f(",
        "((a)",
        "'(' || ')' || (",
        'a = "x) (" )',
        "$q$(((($q$ )",
        "/* ( */ )",
        "-- (\n)",
        "(]",
        "a[1) or (2]",
        "array[1",
    ],
)
def test_unbalanced_brackets_are_refused(text: str) -> None:
    with pytest.raises(DataJointError, match="bracket"):
        check_fragment(text)


@pytest.mark.parametrize(
    "text",
    [
        "a=2",
        "f(a, (b))",
        "')' = a",
        "a = E'\\')'",
        '"(" > 1',
        "$x$)$x$",
        "a /* ) */",
        "a -- )",
        "a in (1, 2)",
        "(array[1, f(2)])[1]",
        "'[' = ']]'",
    ],
)
def test_balanced_ones_are_let_through(text: str) -> None:
    check_fragment(text)


@pytest.mark.parametrize("text", ["1, i", "1) , (2", "5, 6"])
def test_several_values_are_refused_where_one_is_meant(text: str) -> None:
    with pytest.raises(DataJointError):
        check_fragment(text, one_value=True)
    check_fragment("coalesce(a, b)", one_value=True)
    check_fragment("array[1, 2]", one_value=True)
