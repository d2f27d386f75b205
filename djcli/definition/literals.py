"""The literals of each type: whether a text is a value of it, and the one canonical text of that value.

Every function here raises ValueError, whose message continues the caller's sentence.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext

from djcli.definition.tokens import CLOCK, is_number

INTEGER_RANGES = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
"""The least and the greatest value of each integer type."""

_BOOLS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), "true"),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), "false"),
}
_JSON_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_SPECIAL_FLOATS = {"nan": "NaN", "inf": "Infinity", "infinity": "Infinity"}


def canonical_literal(kind: str, args: tuple[int, ...], value: str) -> str:
    """Return the canonical text of a literal, so that ``5`` and ``05`` are equal.

    Parameters
    ----------
    kind
        The name of a core type other than ``enum`` and ``codec``; any other text is left as it is.
    args
        Its length or precision.
    value
        The literal without quotes.

    Raises
    ------
    ValueError
        If it is no value of the type; the message says why, or is empty.
    """
    if kind in INTEGER_RANGES:
        return _integer(value, *INTEGER_RANGES[kind])
    if kind in _LITERALS:
        return _LITERALS[kind](value)
    if kind in _SIZED_LITERALS:
        return _SIZED_LITERALS[kind](value, args)
    return value


def _number(value: str) -> Decimal:
    text = value.strip()
    if not is_number(text):
        raise ValueError("")
    return Decimal(text)


def _integer(value: str, low: int, high: int) -> str:
    number = _number(value)
    if not low <= number <= high:
        raise ValueError(f": it holds {low} to {high}")
    if number != int(number):
        raise ValueError("")
    return str(int(number))


def _float(value: str, shortest: Callable[[float], str]) -> str:
    word = value.strip().lower()
    if word.lstrip("+-") in _SPECIAL_FLOATS:
        special = _SPECIAL_FLOATS[word.lstrip("+-")]
        return f"-{special}" if word.startswith("-") and special != "NaN" else special
    number = _number(value)
    text = shortest(float(number)).removesuffix(".0")
    if "inf" in text or (text in {"0", "-0"} and number):
        raise ValueError(": it is out of range")
    return text


def _shortest_float32(number: float) -> str:
    """Return the shortest text that reads back as the same ``real``."""
    try:
        packed = struct.pack("f", number)
    except OverflowError:
        return "inf"
    single = struct.unpack("f", packed)[0]
    for digits in range(1, 10):
        rounded = float(f"{single:.{digits}g}")
        try:
            if struct.pack("f", rounded) == packed:
                return repr(rounded)
        except OverflowError:  # the greatest value, rounded up
            continue
    return repr(single)


def _decimal(value: str, args: tuple[int, ...]) -> str:
    if value.strip().lower() == "nan":
        return "NaN"
    number = _number(value)
    with localcontext(prec=2200, rounding=ROUND_HALF_UP):
        if not args:
            return f"{number.normalize():f}"
        precision, scale = args
        try:
            rounded = number.quantize(Decimal(1).scaleb(-scale))
        except InvalidOperation:
            rounded = Decimal("Infinity")
        if abs(rounded) >= Decimal(1).scaleb(precision - scale):
            raise ValueError(f": it has more than {precision - scale} digits before the point")
        return f"{rounded or abs(rounded):f}"


def _bool(value: str) -> str:
    text = _BOOLS.get(value.strip().lower())
    if text is None:
        raise ValueError(": write true or false")
    return text


def _char(value: str, args: tuple[int, ...]) -> str:
    return _varchar(value.rstrip(" "), args)


def _varchar(value: str, args: tuple[int, ...]) -> str:
    if len(value) > args[0]:
        raise ValueError(f": it is {len(value)} characters long")
    return value


def _date(value: str) -> str:
    try:
        return date.fromisoformat(value.strip()).isoformat()
    except ValueError:
        hint = ": take the quotes off" if CLOCK.fullmatch(value.strip()) else ": write YYYY-MM-DD"
        raise ValueError(hint) from None


def _datetime(value: str, args: tuple[int, ...]) -> str:
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        clock = CLOCK.fullmatch(value.strip())
        hint = ": take the quotes off" if clock else ": write 'YYYY-MM-DD hh:mm:ss'"
        raise ValueError(hint) from None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    unit = 10 ** (6 - args[0]) if args else 1
    rest = moment.microsecond % unit
    moment += timedelta(microseconds=unit - rest if rest * 2 >= unit > 1 else -rest)
    text = moment.isoformat(sep=" ")
    return text.rstrip("0") if moment.microsecond else text


def _uuid(value: str) -> str:
    digits = value.strip().lower().strip("{}").replace("-", "")
    if not re.fullmatch("[0-9a-f]{32}", digits):
        raise ValueError("")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _json(value: str) -> str:
    import json  # slow to load, and few definitions have such a default

    try:
        text = json.dumps(json.loads(value), sort_keys=True, ensure_ascii=False, allow_nan=False)
        text.encode()
    except RecursionError:
        raise ValueError(": it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f": {error.msg}") from None
    except ValueError:  # NaN, an endless number, half of a surrogate pair
        raise ValueError(": JSON in the database cannot hold it") from None
    if _JSON_NUL.search(text):
        raise ValueError(": JSON in the database cannot hold the character NUL")
    return text


def _bytes(value: str) -> str:
    if value.startswith("\\x"):
        try:
            return "\\x" + bytes.fromhex(value[2:]).hex()
        except ValueError:
            raise ValueError(": hexadecimal digits come in pairs") from None
    if "\\" in value:
        raise ValueError(": write bytes as '\\x' and hexadecimal digits")
    return "\\x" + value.encode().hex()


_LITERALS: dict[str, Callable[[str], str]] = {
    "float32": lambda value: _float(value, _shortest_float32),
    "float64": lambda value: _float(value, repr),
    "bool": _bool,
    "date": _date,
    "uuid": _uuid,
    "json": _json,
    "bytes": _bytes,
}
_SIZED_LITERALS: dict[str, Callable[[str, tuple[int, ...]], str]] = {
    "decimal": _decimal,
    "char": _char,
    "varchar": _varchar,
    "datetime": _datetime,
}
