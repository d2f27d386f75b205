"""Reading blobs: every value that DataJoint 2 and mYm write; nothing is ever executed or unpickled.

What is read may be truncated, corrupt or malicious: no size is believed before as many bytes are seen.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from math import prod
from typing import Any, cast
from uuid import UUID

import numpy as np

from djcli.codecs.base import BlobError
from djcli.codecs.blob_format import (
    CHAR_TYPE,
    COMPRESSED,
    DTYPE_OF,
    EXTENDED,
    MATLAB,
    MAX_DEPTH,
    OBJECT_TYPE,
    Array,
    Code,
)
from djcli.codecs.matlab import MatCell, MatStruct

_MOST_SHRUNK = 1032
"""Deflate never makes data smaller than this many times."""

_SLICE = 1 << 18
_ITEM = 9
"""The fewest bytes of an item: its length, and a code."""

_MAX_NDIM = 32
_LEAD = 3
"""Bytes before a decompressed blob, so that the numbers of an array on its own are aligned."""


def unpack(blob: bytes | bytearray | memoryview) -> Any:
    """Return the value of a blob.

    Arrays are the caller's own: writable, aligned, in Fortran order.

    Raises
    ------
    BlobError
        If the bytes are truncated, corrupt, or hold what cannot be read (a MATLAB sparse array).
    """
    view = memoryview(blob).cast("B")
    owned = False
    try:
        if bytes(view[: len(COMPRESSED)]) == COMPRESSED:
            view, owned = _decompressed(view), True
        if bytes(view[:4]) not in (MATLAB, EXTENDED):
            raise BlobError(f"the bytes are not a blob: they begin with {bytes(view[:8])!r}")
        reader = _Reader(view, owned)
        value = reader.value(hashed=False)
        if reader.pos != reader.size:
            raise BlobError(f"the blob is corrupt: {reader.size - reader.pos} bytes follow its value")
    except BlobError:
        raise
    except RecursionError:
        raise BlobError(f"the blob is corrupt: nested more than {MAX_DEPTH} levels deep") from None
    except struct.error:
        raise BlobError("the blob is truncated") from None
    except (ValueError, TypeError, OverflowError, zlib.error) as error:
        raise BlobError(f"the blob is corrupt: {error}") from error
    return value


def _decompressed(view: memoryview) -> memoryview:
    start = len(COMPRESSED) + 8
    (size,) = struct.unpack_from("<Q", view, len(COMPRESSED))
    if size > (len(view) - start) * _MOST_SHRUNK + 64:
        raise BlobError(f"the blob is corrupt: {len(view) - start} bytes cannot expand to {size}")
    out = memoryview(bytearray(_LEAD + size))[_LEAD:]
    squeezed, filled = zlib.decompressobj(), 0
    for at in range(start, len(view), _SLICE):
        chunk = squeezed.decompress(view[at : at + _SLICE], size - filled + 1)
        if filled + len(chunk) > size:
            raise BlobError(f"the blob is corrupt: it expands to more than the {size} bytes it declares")
        out[filled : filled + len(chunk)] = chunk
        filled += len(chunk)
        if squeezed.eof and (squeezed.unused_data or at + _SLICE < len(view)):
            raise BlobError("the blob is corrupt: bytes follow its compressed data")
    if not squeezed.eof or filled != size:
        raise BlobError(f"the blob is truncated: {filled} of {size} bytes")
    return out


class _Reader:
    """Walks over the bytes of a blob, forward only."""

    def __init__(self, view: memoryview, owned: bool) -> None:
        self.view = view
        self.owned = owned
        self.size = len(view)
        self.pos = 4
        self.depth = 0

    def value(self, hashed: bool) -> Any:
        """Read a value; one that is `hashed` (a dict's key, a set's member) in its hashable form."""
        code = self.take(1)[0]
        if hashed and code == Code.TUPLE:
            return tuple(self.items(self.u64(), hashed=True))
        read = _READERS.get(code)
        if read is None:
            raise BlobError(f"the blob is corrupt: there is no value code 0x{code:02x}")
        value = read(self)
        if hashed and isinstance(value, set):
            return frozenset(cast("set[Any]", value))
        return value

    def items(self, count: int, hashed: bool = False) -> list[Any]:
        """Read so many values with their lengths before them, one level deeper."""
        self.check(count * _ITEM)
        self.descend()
        values: list[Any] = []
        for _ in range(count):
            end = self.u64() + self.pos
            values.append(self.value(hashed))
            self.ended(end)
        self.depth -= 1
        return values

    def descend(self) -> None:
        """Go one level deeper, if that is not too deep."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise RecursionError

    def ended(self, end: int) -> None:
        """Check that a value ended where its length says."""
        if self.pos != end:
            raise BlobError(f"the blob is corrupt: a value ends at byte {self.pos} instead of {end}")

    def check(self, count: int) -> None:
        """Refuse to go on unless so many bytes are left."""
        if count > self.size - self.pos:
            raise BlobError("the blob is truncated")

    def take(self, count: int) -> memoryview:
        self.check(count)
        start = self.pos
        self.pos += count
        return self.view[start : self.pos]

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def text(self) -> str:
        return str(self.take(self.u64()), "utf-8")

    def shape(self) -> tuple[int, ...]:
        ndim = self.u64()
        if ndim > _MAX_NDIM:
            raise BlobError(f"the blob is corrupt: an array of {ndim} dimensions")
        return struct.unpack(f"<{ndim}Q", self.take(8 * ndim))

    def names(self) -> list[str]:
        count = self.u32()
        self.check(count)
        return [self._name() for _ in range(count)]

    def _name(self) -> str:
        name = bytearray()
        while True:
            piece = bytes(self.view[self.pos : self.pos + 64])
            self.check(1)
            head, zero, _ = piece.partition(b"\0")
            self.pos += len(head) + len(zero)
            name += head
            if zero:
                return name.decode()

    def numbers(self, dtype: np.dtype[Any], count: int) -> Array:
        """Return the next numbers as a view on the bytes."""
        data = self.take(count * dtype.itemsize)
        return np.frombuffer(data, dtype) if count else np.empty(0, dtype)

    def keep(self, data: Array) -> Array:
        """Return numbers that are the caller's to change, copied unless they are most of our own buffer."""
        if self.owned and data.flags.aligned and data.nbytes * 2 >= self.size:
            return data
        return data.copy()


def _read_array(reader: _Reader) -> Any:
    shape = reader.shape()
    count = prod(shape)
    number, is_complex = reader.u32(), reader.u32()
    if number == OBJECT_TYPE:
        return _objects(reader.items(count)).reshape(shape, order="F")
    if number == CHAR_TYPE:
        return _chars(reader, shape, count)
    dtype = DTYPE_OF.get(number)
    if dtype is None:
        raise BlobError(f"the blob holds an array of type {number}, which cannot be read")
    if is_complex:
        if dtype.kind not in "fiub":
            raise BlobError(f"the blob is corrupt: complex numbers of type {dtype}")
        reader.check(2 * count * dtype.itemsize)
        data: Array = np.empty(count, "<c8" if dtype.str == "<f4" else "<c16")
        data.real = reader.numbers(dtype, count)
        data.imag = reader.numbers(dtype, count)
    elif dtype.kind == "b":
        data = reader.numbers(np.dtype("u1"), count) != 0
    else:
        data = reader.keep(reader.numbers(dtype, count))
    return data.reshape(shape, order="F") if shape else data[0]


def _chars(reader: _Reader, shape: tuple[int, ...], count: int) -> Array:
    """Read 16-bit characters: a row of them as one text, any other shape one by one."""
    codes = reader.numbers(np.dtype("<u2"), count)
    if len(shape) == 1 or (len(shape) == 2 and shape[0] == 1):
        return np.array([codes.tobytes().decode("utf-16-le", "surrogatepass")])
    return codes.astype("<u4").view("<U1").reshape(shape, order="F")


def _objects(values: list[Any]) -> Array:
    array = np.empty(len(values), object)
    for position, value in enumerate(values):
        array[position] = value
    return array


def _read_cell(reader: _Reader) -> MatCell:
    shape = reader.shape()
    values = _objects(reader.items(prod(shape)))
    return (values.reshape(shape, order="F") if values.size else values).view(MatCell)


def _read_struct(reader: _Reader) -> Array:
    shape = reader.shape()
    count, names = prod(shape), reader.names()
    if not names:
        return np.array(None)
    values = reader.items(count * len(names))
    records = np.empty(count, [(name, object) for name in names])
    for offset, name in enumerate(names):
        records[name] = _objects(values[offset :: len(names)])
    return records.reshape(shape, order="F").view(MatStruct)


def _read_records(reader: _Reader) -> Array:
    names = reader.names()
    if not names:
        return np.array(None)
    reader.descend()
    columns = [np.asarray(reader.value(hashed=False)) for _ in names]
    reader.depth -= 1
    shape = _common_prefix([column.shape for column in columns])
    fields = [
        (name, column.dtype, column.shape[len(shape) :]) for name, column in zip(names, columns, strict=True)
    ]
    records: Array = np.empty(shape, np.dtype(fields))
    for name, column in zip(names, columns, strict=True):
        records[name] = column
    return records.view(np.recarray)


def _common_prefix(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the shape of the records: what the shapes of the fields begin with alike.

    DataJoint also writes fields that hold an array per record, whose shapes are longer.
    """
    prefix: list[int] = []
    for sizes in zip(*shapes, strict=False):
        if len(set(sizes)) > 1:
            break
        prefix.append(sizes[0])
    return tuple(prefix)


def _read_dict(reader: _Reader) -> dict[Any, Any]:
    count = reader.u64()
    reader.check(2 * count * _ITEM)
    reader.descend()
    pairs: dict[Any, Any] = {}
    for _ in range(count):
        end = reader.u64() + reader.pos
        key = reader.value(hashed=True)
        reader.ended(end)
        end = reader.u64() + reader.pos
        pairs[key] = reader.value(hashed=False)
        reader.ended(end)
    reader.depth -= 1
    return pairs


def _read_decimal(reader: _Reader) -> Decimal:
    text = reader.text()
    try:
        return Decimal(text)
    except InvalidOperation:
        raise BlobError(f"the blob is corrupt: {text[:40]!r} is not a decimal number") from None


def _read_int(reader: _Reader) -> int:
    width = int.from_bytes(reader.take(2), "little")
    return int.from_bytes(reader.take(width), "little", signed=True)


def _read_moment(reader: _Reader) -> date | time | datetime | None:
    day, clock = struct.unpack("<iq", reader.take(12))
    on = date(day // 10_000, day // 100 % 100, day % 100) if day >= 0 else None
    if clock < 0:
        return on
    hms, microsecond = divmod(clock, 1_000_000)
    at = time(hms // 10_000, hms // 100 % 100, hms % 100, microsecond)
    return at if on is None else datetime.combine(on, at)


def _read_sparse(reader: _Reader) -> Any:
    raise BlobError(f"the blob holds a MATLAB sparse array (at byte {reader.pos}), which cannot be read")


_READERS: dict[int, Callable[[_Reader], Any]] = {
    Code.ARRAY: _read_array,
    Code.CELL: _read_cell,
    Code.STRUCT: _read_struct,
    Code.RECORDS: _read_records,
    Code.SPARSE: _read_sparse,
    Code.NONE: lambda _: None,
    Code.TUPLE: lambda reader: tuple(reader.items(reader.u64())),
    Code.LIST: lambda reader: reader.items(reader.u64()),
    Code.SET: lambda reader: set(reader.items(reader.u64(), hashed=True)),
    Code.DICT: _read_dict,
    Code.STR: _Reader.text,
    Code.BYTES: lambda reader: bytes(reader.take(reader.u64())),
    Code.INT: _read_int,
    Code.BOOL: lambda reader: bool(reader.take(1)[0]),
    Code.COMPLEX: lambda reader: complex(*struct.unpack("<dd", reader.take(16))),
    Code.FLOAT: lambda reader: struct.unpack("<d", reader.take(8))[0],
    Code.DECIMAL: _read_decimal,
    Code.DATETIME: _read_moment,
    Code.UUID: lambda reader: UUID(bytes=bytes(reader.take(16))),
}
