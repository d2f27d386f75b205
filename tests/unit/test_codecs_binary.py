"""Columns read at once: the same values as one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from djcli.codecs.binary import shortest_doubles
from djcli.codecs.numeric import shortest_float32

SINGLES = st.one_of(
    st.floats(width=32),
    st.decimals(-10_000, 10_000, places=3).map(float),
    st.integers(-40, 50).map(lambda power: 2.0**power),
    st.builds(lambda digits, power: digits * 10.0**power, st.integers(1, 999_999_999), st.integers(-20, 20)),
)


@given(st.lists(SINGLES, max_size=50))
def test_shortest_doubles(numbers: list[float]) -> None:
    """Every float of single precision becomes the double of fewest digits that reads back."""
    singles = np.array(numbers, dtype=np.float32)
    expected = [shortest_float32(float(single)) for single in singles]
    found = shortest_doubles(singles)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, np.array(expected, dtype=np.float64))
    assert np.signbit(found).tolist() == np.signbit(singles).tolist()
