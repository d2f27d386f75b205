"""Blobs: round trips, what is refused by name, and what corrupt or malicious bytes can do (nothing)."""

from __future__ import annotations

import datetime
import pickle
import struct
import tracemalloc
import zlib
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from blob_values import arrays, object_array, same, values
from hypothesis import given, settings
from hypothesis import strategies as st

from djcli.codecs.base import BlobError
from djcli.codecs.blob_format import MAX_DEPTH
from djcli.codecs.blob_read import unpack
from djcli.codecs.blob_write import pack
from djcli.codecs.matlab import MatCell, MatStruct


@settings(max_examples=200, deadline=None)
@given(values)
def test_values_come_back_as_they_were(value: Any) -> None:
    assert same(unpack(pack(value)), value)


@settings(max_examples=100, deadline=None)
@given(arrays)
def test_arrays_are_the_callers_own(array: Any) -> None:
    back = unpack(pack(array, compress=False))
    assert same(back, array)
    if isinstance(back, np.ndarray):
        assert back.flags.writeable
        assert back.flags.aligned


@pytest.mark.parametrize(
    "value",
    [
        object_array([[1], [2]]),
        object_array([np.arange(2), np.arange(2)]),
        np.array(object()).astype("U"),
        np.zeros((2, 2), [("a", "f4"), ("b", [("c", "?"), ("d", object)])]),
        np.array((1, 2.0), [("a", "i8"), ("b", "f8")]),
        object_array([1, None]).view(MatCell),
        object_array([]).view(MatCell),
        np.array([([1, 2], "x")], [("a", object), ("b", object)]).view(MatStruct),
    ],
    ids=["lists", "arrays", "text", "records", "record", "cell", "empty cell", "struct"],
)
def test_arrays_with_structure(value: np.ndarray) -> None:
    back = unpack(pack(value))
    assert back.shape == value.shape
    if value.dtype.names and not isinstance(value, MatStruct):
        assert same(back.view(np.ndarray), value)
    elif value.dtype.kind == "U":
        assert back[()] == value[()]
    else:
        assert same(back, value)


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "c8", "c16", "i2", "M8[us]"])
def test_large_arrays_of_any_layout(dtype: str, big_endian: bool) -> None:
    bits = np.random.default_rng(0).integers(0, 256, 120 * 130 * 16, dtype="u1")
    array = bits.view("i2").astype(dtype)[: 120 * 130 * 4].reshape(120, 130, 4)
    stored = array.astype(array.dtype.newbyteorder(">")) if big_endian else array
    for layout in (stored, np.asfortranarray(stored), stored[::-1, ::2], stored.transpose(2, 0, 1)):
        expected = layout.astype(array.dtype)
        for compress in (False, True):
            assert same(unpack(pack(layout, compress=compress)), expected)


def test_compression_is_tried_on_samples_first() -> None:
    noise = np.random.default_rng(0).random(100_000)
    assert len(pack(noise)) == noise.nbytes + 29
    steps = np.arange(100_000) // 1000
    assert len(pack(steps)) < steps.nbytes / 50
    mixed = {"noise": noise, "steps": np.tile(steps, 10)}
    assert len(pack(mixed)) < noise.nbytes * 1.1
    text = "word " * 100_000
    assert len(pack(text)) < len(text) / 100
    assert unpack(pack(text)) == text


def test_memory_stays_near_one_array() -> None:
    array = np.random.default_rng(0).random((1000, 1000))
    blob = pack(array)
    for action in (lambda: pack(array), lambda: unpack(blob)):
        tracemalloc.start()
        kept = action()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1.2 * array.nbytes
        del kept


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (np.zeros(3, "f2"), "float16.*float32"),
        (np.float16(1), "float16"),
        (np.zeros(3, "g"), "longdouble.*float64"),
        (np.zeros(3, "G"), "clongdouble.*complex128"),
        (np.zeros(3, "m8[s]"), "timedelta64"),
        (np.timedelta64(1, "s"), "timedelta64"),
        (np.zeros(3, "S4"), "bytes_.*astype"),
        (np.zeros(3, "S1"), "bytes_"),
        (np.zeros(3, "V4"), "void"),
        (np.zeros(3, "M8[10ms]"), r"10ms.*datetime64\[ms\]"),
        (np.array(["NaT"], "M8"), r"datetime64\[us\]"),
        (np.ma.masked_array([1, 2], [True, False]), "masked"),
        (np.zeros(2, [("a", "f2")]), "float16"),
        (np.zeros(2, [("a", "f4", (2,))]), "'a'"),
        (np.zeros(2, "f4,f4")[0], "void"),
        (datetime.timedelta(1), "timedelta"),
        (datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC), "time zone"),
        (datetime.time(1, tzinfo=datetime.UTC), "time zone"),
        ({"deep": [Fraction(1, 3)]}, "Fraction"),
        (object(), "object"),
        (len, "builtin_function"),
        ("\ud800", "surrogate"),
    ],
)
def test_what_has_no_code_is_refused_by_name(value: Any, named: str) -> None:
    with pytest.raises(BlobError, match=named):
        pack(value)


def test_an_int_has_a_limit() -> None:
    assert unpack(pack(1 << 8 * 65534)) == 1 << 8 * 65534
    with pytest.raises(BlobError, match="65535"):
        pack(1 << 8 * 65535)


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(BlobError, match="holds itself"):
        pack(loop)


def test_depth_has_a_limit_that_both_sides_share() -> None:
    deepest: Any = None
    for _ in range(MAX_DEPTH):
        deepest = [deepest]
    assert same(unpack(pack(deepest)), deepest)
    with pytest.raises(BlobError, match="nested"):
        pack([deepest])
    blob = b"\xff"
    for _ in range(MAX_DEPTH + 1):
        blob = b"\x02" + struct.pack("<QQ", 1, len(blob)) + blob
    with pytest.raises(BlobError, match="nested"):
        unpack(b"dj0\0" + blob)


def test_depth_fits_the_recursion_limit_of_a_deep_caller() -> None:
    deepest: Any = 1
    for _ in range(MAX_DEPTH):
        deepest = (deepest,)

    def call(levels: int) -> Any:
        return call(levels - 1) if levels else unpack(pack(deepest))

    assert call(150) == deepest


def u64(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}Q", *numbers)


BOMBS = {
    "array": b"A" + u64(1, 1 << 40) + struct.pack("<II", 6, 0),
    "product": b"A" + u64(3, 1 << 40, 1 << 40, 1 << 40) + struct.pack("<II", 6, 0),
    "empty product": b"A" + u64(2, 0, 1 << 63) + struct.pack("<II", 6, 0),
    "objects": b"A" + u64(1, 1 << 30) + struct.pack("<II", 5, 0),
    "characters": b"A" + u64(1, 1 << 40) + struct.pack("<II", 4, 0),
    "complex": b"A" + u64(1, 1 << 40) + struct.pack("<II", 7, 1),
    "complex dates": b"A" + u64(1, 1) + struct.pack("<II", 65536, 1) + bytes(16),
    "type": b"A" + u64(1, 1) + struct.pack("<II", 99, 0) + bytes(16),
    "dimensions": b"A" + u64(1 << 40),
    "list": b"\x02" + u64(1 << 40),
    "tuple": b"\x01" + u64(1 << 62),
    "set": b"\x03" + u64(1 << 40),
    "dict": b"\x04" + u64(1 << 40),
    "text": b"\x05" + u64(1 << 40) + b"abc",
    "bytes": b"\x06" + u64(1 << 40) + b"abc",
    "int": b"\x0a\xff\xff1",
    "decimal": b"d" + u64(30) + b"1e" + b"9" * 28,
    "no decimal": b"d" + u64(3) + b"abc",
    "date": b"t" + struct.pack("<iq", 20241301, -1),
    "utf-8": b"\x05" + u64(1) + b"\xff",
    "cell": b"C" + u64(1, 1 << 40),
    "struct": b"S" + u64(1, 1 << 40) + struct.pack("<I", 1) + b"a\0",
    "struct fields": b"S" + u64(1, 1) + struct.pack("<I", 1 << 31),
    "field names": b"F" + struct.pack("<I", 2) + b"a\0a\0" + b"\xff\xff",
    "endless name": b"F" + struct.pack("<I", 2) + b"a" * 1000,
    "fields of two shapes": b"F" + struct.pack("<I", 1) + b"a\0" + b"P",
    "sparse": b"P" + bytes(64),
    "unhashable key": b"\x04" + u64(1, 9) + b"\x02" + u64(0) + u64(1) + b"\xff",
    "unhashable member": b"\x03" + u64(1, 25) + b"A" + u64(1, 0) + struct.pack("<II", 6, 0),
    "code": b"\x99",
    "nothing": b"",
    "item's end": b"\x02" + u64(1, 5) + b"\xff" + bytes(8),
    "rest": b"\xff\xff",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_defused(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BlobError, match=r"corrupt|truncated|cannot be read"):
            unpack(b"dj0\0" + BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def frame(size: int, content: bytes) -> bytes:
    return b"ZL123\0" + u64(size) + content


@pytest.mark.parametrize(
    "blob",
    [
        frame(1 << 40, zlib.compress(b"dj0\0\xff")),
        frame(4, zlib.compress(b"dj0\0\xff")),
        frame(6, zlib.compress(b"dj0\0\xff")),
        frame(5, zlib.compress(b"dj0\0\xff")[:-1]),
        frame(5, zlib.compress(b"dj0\0\xff") + b"x"),
        frame(5, b"not deflated at all"),
        frame(100, zlib.compress(bytes(10_000_000))),
        b"ZL123\0",
        b"",
        b"dj0",
        b"mYm\0",
        b"\x80\x04K\x01.",
        pickle.dumps({"a": 1}),
    ],
)
def test_frames_that_lie(blob: bytes) -> None:
    with pytest.raises(BlobError):
        unpack(blob)
    assert unpack(frame(5, zlib.compress(b"dj0\0\xff"))) is None


SEEDS = [
    pack(value, compress=False)
    for value in (
        {"a": [1, 2.5, (None, True)], 3: {"x", b"y"}, (1, "k"): datetime.datetime(2024, 1, 2)},
        np.arange(6.0).reshape(2, 3),
        np.array([1j, 2], "c8"),
        object_array([np.arange(3), "text", {1}]),
        np.zeros(2, [("a", "i4"), ("b", [("c", "?")])]),
        object_array([1, np.zeros(2)]).view(MatCell),
        np.array([(1, "x")], [("a", object), ("b", object)]).view(MatStruct),
        np.array(["2024-01-02"], "M8[D]"),
    )
]
SEEDS += [pack("x" * 2000 + "y" * 50), b"mYm\0A" + u64(2, 1, 3) + struct.pack("<II", 4, 0) + b"a\0b\0c\0"]


def test_every_truncation_is_an_error() -> None:
    for seed in SEEDS:
        unpack(seed)
        for length in range(len(seed)):
            with pytest.raises(BlobError):
                unpack(seed[:length])


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_mutations_read_or_raise_our_error(seed: bytes, changes: list[tuple[int, int]]) -> None:
    mutated = bytearray(seed)
    for position, byte in changes:
        mutated[position % len(mutated)] = byte
    assert _read_or_refused(bytes(mutated))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_noise_reads_or_raises_our_error(noise: bytes) -> None:
    assert _read_or_refused(b"dj0\0" + noise)


def _read_or_refused(blob: bytes) -> bool:
    """Read a blob; any error but ours escapes."""
    try:
        unpack(blob)
    except BlobError as error:
        return "\n" not in str(error)
    return True
