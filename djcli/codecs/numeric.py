"""Encoders of whole numbers, floats, decimals and booleans."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

from djcli.codecs.plain import UnfitValueError, misfit, shown, unwrap

Encoder = Callable[[object], object]

_NUMBER = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE | re.ASCII
)
_WHOLE = re.compile(r"[+-]?\d{1,100}", re.ASCII)
_MOST_DIGITS = 100
"""A whole number of more digits fits no column, and writing it out could take for ever."""

_FULL_PRECISION = 2.0**-126
"""Smaller single-precision numbers have fewer than six digits."""

_WIDE = Context(prec=1100, rounding=ROUND_HALF_UP)
_TRUE = frozenset({"1", "on", *("true"[:n] for n in range(1, 5)), *("yes"[:n] for n in range(1, 4))})
_FALSE = frozenset({"0", "of", "off", "no", "n", *("false"[:n] for n in range(1, 6))})


def whole_encoder(kind: str, bits: int) -> Encoder:
    """Return the encoder of a whole-number type.

    Parameters
    ----------
    kind
        The type's name, for messages.
    bits
        Its width; the range is that of two's complement.
    """
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def encode(value: object) -> int:
        number = value if type(value) is int else _whole(value)
        if low <= number <= high:
            return number
        raise UnfitValueError(f"{shown(value)} is out of range for {kind} ({low} to {high})")

    return encode


def _whole(value: object) -> int:
    value = unwrap(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        if _WHOLE.fullmatch(text):
            return int(text)
        if not _NUMBER.fullmatch(text):
            raise ValueError(misfit(value, "a whole number"))
        number = Decimal(text)
    elif isinstance(value, (float, Decimal)):
        number = Decimal(value)
    else:
        raise ValueError(misfit(value, "a whole number"))
    if number.is_finite() and number.adjusted() > _MOST_DIGITS and isinstance(value, (str, Decimal)):
        raise UnfitValueError(f"{shown(value)} is out of range for a whole number")
    if not number.is_finite() or number != number.to_integral_value(context=_WIDE):
        raise UnfitValueError(f"{shown(value)} is not a whole number")
    return int(number)


def encode_float64(value: object) -> float:
    """Encode for ``double precision``; nan and the infinities are numbers.

    Raises
    ------
    ValueError
        If the value is no number, or beyond the range of a float.
    """
    if isinstance(value, float):
        return value if type(value) is float else float(value)
    value = unwrap(value)
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value.strip()):
            raise ValueError(misfit(value, "a number"))
        number = float(value)
        if number in (float("inf"), float("-inf")) and "i" not in value.lower():
            raise UnfitValueError(f"{shown(value)} is out of range for float64")
        return number
    if isinstance(value, Decimal):
        number = float("nan") if value.is_nan() else float(value)
        if value.is_finite() and number in (float("inf"), float("-inf")):
            raise UnfitValueError(f"{shown(value)} is out of range for float64")
        return number
    if not isinstance(value, (int, float)):
        raise ValueError(misfit(value, "a number"))
    try:
        return float(value)
    except OverflowError:
        raise UnfitValueError(f"{shown(value)} is out of range for float64") from None


def encode_float32(value: object) -> float:
    """Encode for ``real``: the float that single precision keeps, so that every road rounds alike.

    Raises
    ------
    ValueError
        If the value is no number, too large, or so small that PostgreSQL would refuse it as underflow.
    """
    number = encode_float64(value)
    try:
        single: float = struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        raise UnfitValueError(f"{shown(value)} is out of range for float32 (up to 3.4e38)") from None
    if single == 0 and number != 0:
        raise UnfitValueError(f"{shown(value)} is too small for float32 (down to 1.4e-45)")
    return single


def shortest_float32(single: float) -> float:
    """Return the float of fewest digits that single precision reads back as `single`.

    PostgreSQL prints ``real`` this way (0.46933332); values that come over the binary road pass through
    here (from 0.46933332085609436) so that both roads give the same float.
    """
    if single != single or single in (float("inf"), float("-inf")):  # nan alone differs from itself
        return single
    size = abs(single)
    for digits in range(6 if size >= _FULL_PRECISION else 1, 9):
        mantissa, exponent = f"{size:.{digits - 1}e}".split("e")
        whole, power = int(mantissa.replace(".", "")), int(exponent) - digits + 1
        for candidate in (whole, whole + 1):  # at powers of two the nearest may lie outside, the next inside
            short = float(f"{candidate}e{power}")
            if _is_single(short, size):
                return math.copysign(short, single)
    return float(f"{single:.9g}")


def _is_single(number: float, single: float) -> bool:
    try:
        return struct.unpack("<f", struct.pack("<f", number))[0] == single
    except OverflowError:  # the largest floats round up beyond the range
        return False


def decimal_encoder(args: tuple[int, ...]) -> Encoder:
    """Return the encoder of ``numeric``, ``numeric(p)`` or ``numeric(p,s)``.

    Digits beyond the scale are rounded half away from zero, as PostgreSQL does; a float counts as the
    decimal it prints as.
    """
    if not args:
        return _decimal
    precision, scale = args[0], args[1] if len(args) > 1 else 0
    unit = Decimal((0, (1,), -scale))
    limit = precision - scale
    kind = f"decimal({precision},{scale})"

    def encode(value: object) -> Decimal:
        number = _decimal(value)
        if number.is_nan():
            return number
        if number.is_finite() and (not number or number.adjusted() < limit):
            rounded = number.quantize(unit, context=_WIDE)
            if not rounded:
                return abs(rounded)
            if rounded.adjusted() < limit:
                return rounded
        raise UnfitValueError(
            f"{shown(value)} is out of range for {kind}: its absolute value must be below 1e{limit}"
        )

    return encode


def _decimal(value: object) -> Decimal:
    if type(value).__module__ == "numpy" and type(value).__name__ in ("float32", "float16"):
        value = str(value)
    value = unwrap(value)
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value.strip()):
            raise ValueError(misfit(value, "a decimal number"))
        value = value.strip()
    elif isinstance(value, float):
        value = repr(float(value))
    elif not isinstance(value, (int, Decimal)):
        raise ValueError(misfit(value, "a decimal number"))
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise UnfitValueError(f"{shown(value)} is out of range for a decimal number") from None
    return Decimal("NaN") if number.is_nan() else number


def encode_bool(value: object) -> bool:
    """Encode for ``boolean``: booleans, 0 and 1, and the words that PostgreSQL reads as booleans.

    Raises
    ------
    ValueError
        If the value is none of these.
    """
    if value is True or value is False:
        return value
    value = unwrap(value)
    if isinstance(value, (int, float, Decimal)):
        if value == 0 or value == 1:
            return value == 1
        raise UnfitValueError(f"{shown(value)} is not a boolean (true or false, 1 or 0)")
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise ValueError(misfit(value, "a boolean (true or false)"))
