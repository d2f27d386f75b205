"""Blobs of DataJoint are read here, and ours there, with the same values; the bytes are the same, too."""

from __future__ import annotations

import decimal
import uuid
import warnings
from datetime import date, datetime, time
from typing import Any

import numpy as np
import pytest
from blob_values import DTYPES, object_array, same, shared_values
from hypothesis import given, settings

from djcli.codecs.base import BlobError
from djcli.codecs.blob_read import unpack
from djcli.codecs.blob_write import pack
from djcli.codecs.matlab import MatCell, MatStruct

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing the reference warns of its own plans
    from datajoint import blob as reference

FORTRAN = np.asfortranarray(np.arange(12.0).reshape(3, 4))
RECORDS = np.array([(1, 2.5, "a"), (2, np.nan, "bc")], [("n", "i4"), ("x", "f8"), ("o", object)])
NESTED_RECORDS = np.zeros((2, 3), [("a", "u1"), ("b", [("c", "f4"), ("d", "M8[ms]")])])

SAMPLES: list[Any] = [
    *(np.arange(3).astype(dtype) for dtype in DTYPES),
    np.arange(24).reshape(2, 3, 4),
    FORTRAN,
    FORTRAN[::2, ::-1],
    np.zeros((0, 3)),
    np.zeros((3, 0), "c8"),
    np.float64(1.5),
    np.int16(-3),
    np.complex64(1 + 2j),
    np.datetime64("2024-01-02T03:04:05.678", "ms"),
    np.bool_(True),  # noqa: FBT003 - the value itself
    np.array(["a", "été", ""]),
    np.array([["a", "b"], ["c", "d"]]),
    object_array([1, "a", None]).reshape(3, 1),
    np.array({"a": 1}),
    RECORDS,
    NESTED_RECORDS,
    RECORDS.view(np.recarray),
    datetime(2024, 1, 2, 3, 4, 5, 678),
    date(1, 1, 1),
    time(0, 0),
    datetime(9999, 12, 31),
    decimal.Decimal("-1.2300E+10"),
    decimal.Decimal("NaN"),
    uuid.UUID(int=5),
    2**4000,
    -(2**63),
    -128,
    range(3),
    frozenset({1, 2}),
    bytearray(b"abc"),
    {"rate": 30, "roi": [(1, 2), (3, 4)], "note": "é☃😀"},
]


@pytest.mark.parametrize("value", SAMPLES, ids=lambda value: f"{type(value).__name__}")
@pytest.mark.parametrize("compress", [False, True])
def test_samples_both_ways(value: Any, compress: bool) -> None:
    theirs = reference.pack(value, compress=compress)
    assert pack(value, compress=compress) == theirs
    assert same(unpack(theirs), reference.unpack(theirs))


@settings(max_examples=300, deadline=None)
@given(shared_values)
def test_nested_values_both_ways(value: Any) -> None:
    blob = reference.pack(value)
    assert pack(value) == blob
    assert same(unpack(blob), value)
    assert same(reference.unpack(blob), value)


def test_large_compressed_array_both_ways() -> None:
    array = np.tile(np.arange(1000, dtype="i4"), (100, 3))
    ours = pack(array)
    assert ours.startswith(b"ZL123\0")
    assert len(ours) < array.nbytes / 2
    assert np.array_equal(reference.unpack(ours), array)
    back = unpack(reference.pack(array))
    assert np.array_equal(back, array)
    assert back.flags.writeable
    assert back.flags.aligned


def test_large_random_array_is_left_uncompressed_and_read_there() -> None:
    array = np.random.default_rng(1).random((400, 500))
    ours = pack(array)
    assert ours.startswith(b"mYm\0")
    assert np.array_equal(reference.unpack(ours), array)


def test_big_endian_is_converted() -> None:
    array = np.arange(30_000, dtype=">f8").reshape(100, 300)
    assert np.array_equal(reference.unpack(pack(array)), array)
    assert unpack(pack(array[:2])).dtype == np.dtype("<f8")


def _matlab(module: Any) -> list[Any]:
    """Return arrays that MATLAB would have sent, in the classes of one of the two systems."""
    cell = object_array(
        [np.arange(3.0), object_array([np.ones((1, 1))]).view(module.MatCell), np.zeros((0, 0))]
    )
    struct = np.empty((1, 2), [("name", object), ("data", object)])
    for position in range(2):
        struct["name"][0, position] = np.arange(2.0) + position
        struct["data"][0, position] = cell.reshape(1, 3).view(module.MatCell)
    return [cell.view(module.MatCell), cell.reshape(1, 3).view(module.MatCell), struct.view(module.MatStruct)]


class _Ours:
    MatCell, MatStruct = MatCell, MatStruct


@pytest.mark.parametrize(("ours", "theirs"), list(zip(_matlab(_Ours), _matlab(reference), strict=True)))
def test_cells_and_structs_both_ways(ours: Any, theirs: Any) -> None:
    blob = reference.pack(theirs)
    assert blob.startswith(b"mYm\0")
    assert pack(ours) == blob
    assert same(unpack(blob), reference.unpack(blob))
    assert isinstance(unpack(blob), (MatCell, MatStruct))


@pytest.mark.parametrize("text", ["hello", "h", "", "a b"])
@pytest.mark.parametrize("row", [True, False])
def test_matlab_text(text: str, row: bool) -> None:
    letters = np.array(list(text.encode()), "u1").view("S1")
    blob = reference.pack(letters.reshape(1, -1) if row else letters)
    assert same(unpack(blob), reference.unpack(blob))
    assert unpack(blob)[0] == text


def test_matrix_of_matlab_characters() -> None:
    blob = reference.pack(np.full((2, 3), b"x"))
    assert same(unpack(blob), reference.unpack(blob))


def test_records_with_an_array_each() -> None:
    records = np.zeros(4, [("a", "f8"), ("b", "i2", (3,))])
    records["b"] = np.arange(12).reshape(4, 3)
    back = unpack(reference.pack(records))
    assert same(back["b"], records["b"])
    with pytest.raises(BlobError, match="field 'b'"):
        pack(records)


def test_keys_that_the_reference_writes_and_cannot_read() -> None:
    value = {np.int64(3): 1, (np.float32(0.5), frozenset({1})): 2, frozenset({(1, frozenset())}): 3}
    blob = reference.pack(value)
    with pytest.raises(TypeError):
        reference.unpack(blob)
    assert unpack(blob) == value


def test_arrays_of_objects_that_the_reference_writes_and_misreads() -> None:
    array = object_array([[1, 2], [3, 4]])
    blob = reference.pack(array)
    assert not same(reference.unpack(pack(object_array([[1], [2]]))), object_array([[1], [2]]))
    assert same(unpack(blob), array)


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(3, "f2"),
        np.zeros(3, "m8[s]"),
        np.zeros(3, "V4"),
        np.zeros(3, "M8[10ms]"),
        object(),
    ],
)
def test_what_the_reference_refuses_is_refused(value: Any) -> None:
    with pytest.raises(Exception, match=r"ambiguous|not supported|supported"):
        reference.pack(value)
    with pytest.raises(BlobError, match="no code"):
        pack(value)
