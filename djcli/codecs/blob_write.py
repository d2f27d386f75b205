"""Writing blobs: any value the format has a code for, as bytes; everything else is refused by name."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, MutableSequence, Sequence, Set
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import numpy as np

from djcli.codecs.base import BlobError
from djcli.codecs.blob_format import (
    COMPRESSED,
    EXTENDED,
    MATLAB,
    MAX_DEPTH,
    OBJECT_TYPE,
    TYPE_OF,
    Array,
    Code,
)
from djcli.codecs.matlab import MatCell, MatStruct

_LARGE = 1 << 16
"""Bytes from which an array is kept as it is until the blob is put together."""

_COMPRESS_ABOVE = 1000
_SAMPLE, _SAMPLES = 1 << 13, 8
_WORTH = 0.9
"""Compressing everything pays when the samples shrink below this share (random floats: 0.94)."""

_LEVEL, _QUICK_LEVEL, _QUICK_ABOVE = 6, 1, 1 << 20
"""Above a megabyte the quick level saves three quarters of the time and costs a tenth of the gain."""

_ADVICE = {
    "float16": "convert it to float32",
    "longdouble": "convert it to float64",
    "clongdouble": "convert it to complex128",
    "timedelta64": "convert it to an integer of a fixed unit",
    "bytes_": "convert it to text (astype('U')) or to an array of objects",
    "void": "give it as an array with fields",
}

_u64 = struct.Struct("<Q").pack
_u32 = struct.Struct("<I").pack


def pack(value: Any, *, compress: bool = True) -> bytes:
    """Return the blob of a value.

    Parameters
    ----------
    value
        Arrays of any shape, numpy scalars, None, bool, int, float, complex, str, bytes, Decimal, date, time,
        datetime, UUID, `MatCell`, `MatStruct`, and any nesting of dict, list, tuple and set.
    compress
        Whether to compress what shrinks; a sample tells whether trying pays.

    Raises
    ------
    BlobError
        If the value, or one inside of it, has no code in the format.
    """
    writer = _Writer()
    try:
        writer.value(value)
    except RecursionError:
        raise BlobError(f"the value is nested more than {MAX_DEPTH} levels deep, or holds itself") from None
    except UnicodeEncodeError as error:
        raise BlobError(f"a text holds a lone surrogate at position {error.start}") from None
    magic = EXTENDED if writer.extended else MATLAB
    writer.parts[0] = magic
    size = writer.size
    if compress and size > _COMPRESS_ABOVE and _shrinks(writer.parts, size):
        packed = _compressed(writer.parts, size)
        if len(packed) < size:
            return packed
    return _joined(writer.parts, size)


class _Writer:
    """Collects the bytes of a value; large arrays stay arrays until all is joined."""

    def __init__(self) -> None:
        self.parts: list[bytes | Array] = [b""]  # the first is the magic, known last
        self.size = len(MATLAB)
        self.extended = False
        self.depth = 0

    def put(self, data: bytes) -> None:
        self.parts.append(data)
        self.size += len(data)

    def items(self, header: bytes, values: Iterable[Any]) -> None:
        """Write a container: its header, then each value with its length before it.

        Together with `value` and `_container` these are three frames a level, which Python's limit must hold.
        """
        self.put(header)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise RecursionError
        for value in values:
            slot = len(self.parts)
            self.put(b"\0\0\0\0\0\0\0\0")
            start = self.size
            self.value(value)
            self.parts[slot] = _u64(self.size - start)
        self.depth -= 1

    def value(self, value: Any) -> None:
        """Write a value: its code and its content."""
        if isinstance(value, np.ndarray):
            self._any_array(cast("Array", value))
            return
        self.extended = True
        if isinstance(value, np.generic) and not isinstance(value, (str, bytes)):
            self._array(np.asarray(cast("Any", value)))
        elif not self._scalar(value):
            self._container(value)

    def _scalar(self, value: Any) -> bool:
        if isinstance(value, str):
            self._sized(Code.STR, value.encode())
        elif value is None:
            self.put(bytes((Code.NONE,)))
        elif isinstance(value, bool):
            self.put(bytes((Code.BOOL, value)))
        elif isinstance(value, int):
            self._int(value)
        elif isinstance(value, float):
            self.put(struct.pack("<Bd", Code.FLOAT, value))
        elif isinstance(value, complex):
            self.put(struct.pack("<Bdd", Code.COMPLEX, value.real, value.imag))
        elif isinstance(value, (bytes, bytearray, memoryview)):
            self._sized(Code.BYTES, bytes(cast("bytes", value)))
        elif isinstance(value, Decimal):
            self._sized(Code.DECIMAL, str(value).encode())
        elif isinstance(value, (date, time)):
            self._moment(value)
        elif isinstance(value, UUID):
            self.put(bytes((Code.UUID,)) + value.bytes)
        else:
            return False
        return True

    def _container(self, value: Any) -> None:
        if isinstance(value, Mapping):
            pairs = cast("Mapping[Any, Any]", value)
            self.items(_counted(Code.DICT, pairs), (half for pair in pairs.items() for half in pair))
        elif isinstance(value, MutableSequence):
            self.items(_counted(Code.LIST, value), cast("Sequence[Any]", value))
        elif isinstance(value, Sequence):
            self.items(_counted(Code.TUPLE, value), cast("Sequence[Any]", value))
        elif isinstance(value, Set):
            self.items(_counted(Code.SET, value), cast("Set[Any]", value))
        else:
            kind = type(cast("object", value))
            name = (
                kind.__qualname__
                if kind.__module__ == "builtins"
                else f"{kind.__module__}.{kind.__qualname__}"
            )
            raise BlobError(
                f"the blob format has no code for a {name}: convert it to arrays and plain values"
            )

    def _sized(self, code: Code, data: bytes) -> None:
        self.put(bytes((code,)) + _u64(len(data)))
        self.put(data)

    def _int(self, value: int) -> None:
        width = value.bit_length() // 8 + 1
        if width > 0xFFFF:
            raise BlobError(f"an int of {width} bytes is too large for a blob: the limit is 65535")
        self.put(struct.pack("<BH", Code.INT, width) + value.to_bytes(width, "little", signed=True))

    def _moment(self, value: date | time) -> None:
        if value != value:  # pandas.NaT, a date that equals nothing
            raise BlobError("the blob format has no code for NaT: use None")
        if getattr(value, "tzinfo", None) is not None:
            raise BlobError(
                f"the blob format has no code for a {type(value).__name__} with a time zone: "
                "convert it to UTC and drop the zone (.astimezone(UTC).replace(tzinfo=None))"
            )
        if getattr(value, "nanosecond", 0):
            raise BlobError("the blob format has no code for a datetime with nanoseconds: give a datetime64")
        day, clock = -1, -1
        if isinstance(value, date):
            day = (value.year * 100 + value.month) * 100 + value.day
        if isinstance(value, (time, datetime)):
            clock = ((value.hour * 100 + value.minute) * 100 + value.second) * 1_000_000 + value.microsecond
        self.put(struct.pack("<Biq", Code.DATETIME, day, clock))

    def _any_array(self, array: Array) -> None:
        if isinstance(array, np.ma.MaskedArray):
            raise BlobError("the blob format has no code for a masked array: store its data and its mask")
        if isinstance(array, MatCell):
            self.items(bytes((Code.CELL,)) + _shape(array), array.flatten(order="F"))
        elif isinstance(array, MatStruct):
            names = array.dtype.names or ()
            fields = (field for record in array.flatten(order="F") for field in record)
            self.items(bytes((Code.STRUCT,)) + _shape(array) + _names(names), fields)
        elif array.dtype.names:
            self.extended = True
            self._records(array)
        else:
            self._array(array)

    def _records(self, array: Array) -> None:
        names = array.dtype.names or ()
        self.put(bytes((Code.RECORDS,)) + _names(names))
        for name in names:
            if array.dtype[name].subdtype is not None:
                raise BlobError(
                    f"the blob format has no code for field {name!r}: it holds an array per record"
                )
            column = array[name]
            if column.dtype.names:
                self._records(column)
            else:
                self._array(column)

    def _array(self, array: Array) -> None:
        dtype = array.dtype
        is_complex = dtype.kind == "c"
        if dtype.kind in "OU":
            number: int | None = OBJECT_TYPE
        else:
            real = np.dtype(f"f{dtype.itemsize // 2}") if is_complex else dtype
            number = TYPE_OF.get(real.newbyteorder("<").str)
        if number is None:
            raise BlobError(_no_code(dtype))
        header = bytes((Code.ARRAY,)) + _shape(array) + _u32(number) + _u32(is_complex)
        if dtype.kind in "OUM" or array.ndim == 0:
            self.extended = True
        if number == OBJECT_TYPE:
            self.items(header, array.flatten(order="F"))
            return
        self.put(header)
        if is_complex:
            self._data(array.real)
            self._data(array.imag)
        else:
            self._data(array)

    def _data(self, array: Array) -> None:
        if array.nbytes < _LARGE:
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            self.put(little.tobytes(order="F"))
        else:
            self.parts.append(array)
            self.size += array.nbytes


def _counted(code: Code, values: Any) -> bytes:
    return bytes((code,)) + _u64(len(values))


def _shape(array: Array) -> bytes:
    return struct.pack(f"<{array.ndim + 1}Q", array.ndim, *array.shape)


def _names(names: Sequence[str]) -> bytes:
    for name in names:
        if "\0" in name:
            raise BlobError(f"the field name {name!r} holds a NUL character")
    return _u32(len(names)) + b"".join(name.encode() + b"\0" for name in names)


def _no_code(dtype: np.dtype[Any]) -> str:
    name = dtype.type.__name__
    advice = _ADVICE.get(name, "convert it to another type")
    if dtype.kind == "M":
        unit = np.datetime_data(dtype)[0]
        advice = f"convert it to datetime64[{'us' if unit == 'generic' else unit}]"
    shown = name if name == str(dtype) else f"{name} ({dtype})"
    return f"the blob format has no code for {shown}: {advice}"


def _joined(parts: list[bytes | Array], size: int) -> bytes:
    if all(isinstance(part, bytes) for part in parts):
        return b"".join(cast("list[bytes]", parts))
    out = io.BytesIO()
    out.seek(size - 1)  # all room at once: growing would copy
    out.write(b"\0")
    out.seek(0)
    for chunk in _chunks(parts):
        out.write(chunk)
    return out.getvalue()


def _chunks(parts: list[bytes | Array]) -> Iterator[bytes | memoryview]:
    """Yield the bytes in pieces: little-endian, arrays in Fortran order, without whole copies."""
    for part in parts:
        if isinstance(part, bytes):
            yield part
            continue
        pieces: Any = cast("Any", np.nditer)(  # its stubs refuse flags per operand
            part,
            flags=["external_loop", "buffered"],
            op_flags=[["readonly", "contig"]],
            op_dtypes=[part.dtype.newbyteorder("<")],
            casting="equiv",
            order="F",
            buffersize=_LARGE,
        )
        for piece in pieces:
            yield np.asarray(piece).view(np.uint8).data


def _shrinks(parts: list[bytes | Array], size: int) -> bool:
    """Tell from samples whether compressing pays."""
    if size <= _SAMPLE * _SAMPLES * 2:
        return True
    small = b"".join(part for part in parts if isinstance(part, bytes) and len(part) < _LARGE)
    large = [part for part in parts if not (isinstance(part, bytes) and len(part) < _LARGE)]
    expected = sum(_ratio(part) * _size(part) for part in (small, *large))
    return expected < _WORTH * size


def _size(part: bytes | Array) -> int:
    return len(part) if isinstance(part, bytes) else part.nbytes


def _ratio(part: bytes | Array) -> float:
    """Return the share that samples of a part shrink to."""
    size = _size(part)
    if not size:
        return 1.0
    step = max(_SAMPLE, size // _SAMPLES)
    if isinstance(part, bytes):
        samples = [part[at : at + _SAMPLE] for at in range(0, size, step)]
    else:
        width = part.dtype.itemsize
        wanted = max(1, _SAMPLE // width)
        samples = [part.flat[at : at + wanted].tobytes() for at in range(0, part.size, max(1, step // width))]
    return sum(len(zlib.compress(sample, _QUICK_LEVEL)) for sample in samples) / sum(map(len, samples))


def _compressed(parts: list[bytes | Array], size: int) -> bytes:
    squeeze = zlib.compressobj(_LEVEL if size < _QUICK_ABOVE else _QUICK_LEVEL)
    out = [COMPRESSED, _u64(size)]
    out.extend(squeeze.compress(chunk) for chunk in _chunks(parts))
    out.append(squeeze.flush())
    return b"".join(out)
