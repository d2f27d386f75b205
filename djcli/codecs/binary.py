"""From the rows of a binary COPY to columns, a whole column at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from djcli.codecs.numeric import shortest_float32

Array = np.ndarray[Any, np.dtype[Any]]

_DAYS_TO_2000 = 10_957
_MICROSECONDS_TO_2000 = 946_684_800_000_000
_FEW_BYTES = 64
_PADDING = 64  # what is read in vain, at the place of a null, may lie behind the last row


class UnpackedError(Exception):
    """A column has a value that no array of its kind can hold, such as an infinite date."""


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one attribute.

    Attributes
    ----------
    values
        One value for each row, anything where it is null; of texts and bytes all octets, one after the other.
    is_null
        Which rows are null; None if none is.
    offsets
        Where each text begins, and at last where the last one ends; None for other kinds.
    """

    values: Array
    is_null: Array | None = None
    offsets: Array | None = None


def read_columns(data: bytearray, ends: Sequence[int], kinds: Sequence[str]) -> list[Column]:
    """Read the columns of some rows.

    Parameters
    ----------
    data, ends
        The rows as `djcli.database.copy_out.Rows` has them; `data` is lengthened by a few bytes.
    kinds
        What each column holds: one of `KINDS`, or ``decimalN`` for a decimal with N digits after the point,
        which is read as a whole number of the last digit.

    Raises
    ------
    UnpackedError
        For a value that does not fit.
    """
    places = np.zeros(len(ends), dtype=np.int64)
    places[1:] = ends[:-1]
    places += 2
    data += bytes(_PADDING)
    reader = _Reader(np.frombuffer(data, dtype=np.uint8))
    columns: list[Column] = []
    for kind in kinds:
        sizes = reader.gather(">i4", places).astype(np.int64)
        places += 4
        nulls = sizes < 0
        is_null = nulls if nulls.any() else None
        if is_null is not None:
            sizes[is_null] = 0
        columns.append(_column(reader, kind, places, sizes, is_null))
        places += sizes
    return columns


@dataclass(frozen=True, slots=True)
class _Reader:
    octets: Array

    def gather(self, dtype: str, places: Array) -> Array:
        """Return the values that begin at these places."""
        wanted = np.dtype(dtype)
        number = len(self.octets) - wanted.itemsize + 1
        view = np.ndarray((number,), wanted, self.octets.data, strides=(1,))
        return view[places]


def _column(reader: _Reader, kind: str, places: Array, sizes: Array, is_null: Array | None) -> Column:
    if kind.startswith("decimal"):
        return Column(_decimals(reader, int(kind[7:]), places, sizes), is_null)
    if kind in ("text", "bytes"):
        return _texts(reader, places, sizes, is_null)
    if kind == "uuid":
        return _uuids(reader.gather("V16", places), is_null)
    dtype, shift = _FIXED[kind]
    values = reader.gather(dtype, places)
    values = values.astype(values.dtype.newbyteorder("="))
    if shift:
        known = values if is_null is None else values[~is_null]
        ends = np.iinfo(values.dtype)
        if ((known == ends.min) | (known == ends.max)).any():
            raise UnpackedError(f"an infinite {kind}")
        values += values.dtype.type(shift)
    return Column(values, is_null)


_FIXED = {
    "int16": (">i2", 0),
    "int32": (">i4", 0),
    "int64": (">i8", 0),
    "float32": (">f4", 0),
    "float64": (">f8", 0),
    "bool": ("?", 0),
    "date": (">i4", _DAYS_TO_2000),
    "datetime": (">i8", _MICROSECONDS_TO_2000),
    "zoned": (">i8", _MICROSECONDS_TO_2000),
}

KINDS = frozenset((*_FIXED, "text", "bytes", "uuid"))
"""What a column can hold besides decimals. Dates become days, datetimes microseconds since 1970, UUIDs text."""


def _texts(reader: _Reader, places: Array, sizes: Array, is_null: Array | None) -> Column:
    offsets = np.zeros(len(places) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    total = int(offsets[-1])
    if total > _FEW_BYTES * len(places):
        parts = [
            reader.octets[at : at + size] for at, size in zip(places.tolist(), sizes.tolist(), strict=True)
        ]
        octets = np.concatenate(parts)
    else:
        octets = reader.octets[np.repeat(places - offsets[:-1], sizes) + np.arange(total)]
    return Column(octets, is_null, offsets)


def _uuids(values: Array, is_null: Array | None) -> Column:
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    octets = values.view(np.uint8).reshape(-1, 16)
    hexadecimal = np.empty((len(octets), 32), dtype=np.uint8)
    hexadecimal[:, 0::2] = digits[octets >> 4]
    hexadecimal[:, 1::2] = digits[octets & 15]
    text = np.full((len(octets), 36), ord("-"), dtype=np.uint8)
    for start, at, size in ((0, 0, 8), (8, 9, 4), (12, 14, 4), (16, 19, 4), (20, 24, 12)):
        text[:, at : at + size] = hexadecimal[:, start : start + size]
    return Column(text.ravel(), is_null, np.arange(len(octets) + 1, dtype=np.int64) * 36)


def _decimals(reader: _Reader, scale: int, places: Array, sizes: Array) -> Array:
    """Return decimals as whole numbers of their last digit, from digits to the base of 10,000."""
    present = sizes > 0
    signs = np.where(present, reader.gather(">u2", places + 4), 0)
    if (signs & 0x8000).any():
        raise UnpackedError("a decimal that is no number")
    counts = np.where(present, reader.gather(">i2", places), 0)
    powers = 4 * reader.gather(">i2", places + 2).astype(np.int64) + scale
    totals = np.zeros(len(places), dtype=np.int64)
    for number in range(int(counts.max(initial=0))):
        digit = np.where(counts > number, reader.gather(">i2", places + 8 + 2 * number), 0).astype(np.int64)
        digit *= _TENS[np.clip(powers, 0, 18)]
        digit //= _TENS[np.clip(-powers, 0, 18)]
        totals += digit
        powers -= 4
    return np.where(signs == _NEGATIVE, -totals, totals)


_TENS = 10 ** np.arange(19, dtype=np.int64)
_NEGATIVE = 0x4000

MOST_DIGITS = 18
"""Decimals of up to so many digits are read."""


def shortest_doubles(singles: Array) -> Array:
    """Return for each float of single precision what `shortest_float32` does.

    Parameters
    ----------
    singles
        Of dtype ``float32``.
    """
    with np.errstate(invalid="ignore"):  # some kinds of nan
        exact = singles.astype(np.float64)
    result = exact.copy()
    # Powers of ten are exact there; at powers of two the digits are not simply the nearest ones.
    sizes = np.abs(exact)
    is_open = (sizes > _SMALL) & (sizes < _LARGE) & (singles.view(np.uint32) & _MANTISSA != 0)
    alone = ~is_open & np.isfinite(sizes) & (sizes != 0)
    sizes[~is_open] = 1
    exponents = np.floor(np.log10(sizes)).astype(np.int64)
    exponents += sizes >= _power(exponents + 1)
    exponents -= sizes < _power(exponents)
    for digits in (6, 7, 8, 9):
        up, down = (
            _power(np.maximum(digits - 1 - exponents, 0)),
            _power(np.maximum(exponents - digits + 1, 0)),
        )
        scaled = sizes * up / down
        wholes = np.rint(scaled)
        is_rounded = (up > _EXACT) | (down > 1)
        alone |= is_open & is_rounded & (np.abs(np.abs(scaled - wholes) - 0.5) < _TIE)
        short = wholes * down / up
        fits = is_open & (short.astype(np.float32) == sizes)
        result[fits] = np.copysign(short, exact)[fits]
        is_open &= ~fits
    for place in np.flatnonzero(alone | is_open):
        result[place] = shortest_float32(float(exact[place]))
    return result


def _power(exponents: Array) -> Array:
    return _POWERS[np.clip(exponents, -_MOST_POWER, _MOST_POWER) + _MOST_POWER]


_MOST_POWER = 22
_POWERS = np.array([float(f"1e{power}") for power in range(-_MOST_POWER, _MOST_POWER + 1)])
_MANTISSA = 0x7FFFFF
_SMALL, _LARGE = 1e-12, 1e15
_TIE = 1e-6
_EXACT = 1e8  # up to here the product with 24 bits is exact
