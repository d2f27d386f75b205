"""Values for blobs: hypothesis strategies, and what it means that two values are the same."""

from __future__ import annotations

import math
from datetime import date, datetime, time
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "c8", "c16"]
DTYPES += [f"M8[{unit}]" for unit in ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as")]

texts = st.text(st.characters(codec="utf-8"), max_size=12)
integers = st.integers() | st.integers(-(2**200), 2**200)
hashables = st.one_of(
    st.none(),
    st.booleans(),
    integers,
    st.floats(allow_nan=False),
    texts,
    st.binary(max_size=8),
    st.dates(),
    st.uuids(),
)
keys = hashables | st.tuples(hashables, hashables)
plain = st.one_of(
    hashables,
    st.floats(),
    st.complex_numbers(),
    st.decimals(),
    st.times(),
    st.datetimes(),
)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def arrays_of(dtypes: list[str]) -> st.SearchStrategy[Any]:
    """Return the strategy of arrays of these types; those of no dimension are scalars of numpy."""
    return st.sampled_from(dtypes).flatmap(
        lambda dtype: hnp.arrays(np.dtype(dtype), shapes).map(lambda array: array[()])
    )


arrays = arrays_of(DTYPES)


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return the strategy of containers of such leaves, in any nesting."""
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=4).map(tuple),
            st.sets(hashables, max_size=4),
            st.dictionaries(keys, inner, max_size=4),
        ),
        max_leaves=12,
    )


values = nested(plain | arrays)
shared_values = nested(plain | arrays_of([dtype for dtype in DTYPES if not dtype.startswith("c")]))
"""Values that the reference reads as they were; it multiplies by 1j, which changes complex inf and nan."""


def object_array(items: list[Any]) -> np.ndarray:
    """Make a one-dimensional array of objects, whatever these are."""
    array = np.empty(len(items), object)
    for position, item in enumerate(items):
        array[position] = item
    return array


def same(left: Any, right: Any) -> bool:
    """Tell whether two values are of one type and equal to the last bit, nan being itself."""
    if isinstance(left, (np.ndarray, np.generic)):
        return _same_arrays(left, right)
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return len(left) == len(right) and all(
            same(mine, theirs)
            for pair, other in zip(left.items(), right.items(), strict=True)
            for mine, theirs in zip(pair, other, strict=True)
        )
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return (
            left == right and math.copysign(1, left) == math.copysign(1, right)
            if left == left
            else right != right
        )
    if isinstance(left, complex):
        return same(left.real, right.real) and same(left.imag, right.imag)
    if isinstance(left, (set, frozenset, date, time, datetime)):
        return left == right
    return str(left) == str(right)


def _same_arrays(left: Any, right: Any) -> bool:
    if type(left).__name__ != type(right).__name__ or left.shape != right.shape:
        return False
    if left.dtype != right.dtype:
        return False
    if left.dtype.names:
        return all(same(left[name], right[name]) for name in left.dtype.names)
    if left.dtype == object:
        return all(map(same, left.ravel().tolist(), right.ravel().tolist()))
    return left.tobytes() == right.tobytes()
