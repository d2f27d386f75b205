"""What the encoders share: plain Python values out of numpy's, values shown in messages, and the error."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

_SHOWN = 40
_NUMBERS = frozenset(
    ("bool", "bool_", "float64", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
)


class UnfitValueError(ValueError):
    """A value of a fitting kind that the column cannot hold: 1.5 or 70,000 for an ``int16``.

    Inserting it is an error like any other; comparing with it simply finds nothing.
    """


@lru_cache(maxsize=512)
def _numpy_role(kind: type[object]) -> str:
    """Return what numpy has this type for: ``array``, ``scalar``, ``kept``, or nothing."""
    if kind.__module__ != "numpy":
        return ""
    if kind.__name__ == "ndarray":
        return "array"
    return "kept" if kind.__name__ in ("datetime64", "timedelta64", "void") else "scalar"


@lru_cache(maxsize=512)
def numpy_kin(kind: type[object]) -> Callable[[Any], bool | int | float] | None:
    """Return the Python type of the same values as one of numpy's numbers; None for any other type."""
    if kind.__module__ != "numpy" or kind.__name__ not in _NUMBERS:
        return None
    if kind.__name__ == "float64":
        return float
    return bool if kind.__name__.startswith("bool") else int


def unwrap(value: object) -> object:
    """Return the Python kin of a numpy scalar or 0-d array; anything else as it is.

    Numpy is recognised by name, so that values of a program without numpy cost no import of it.
    A ``datetime64`` stays what it is, because its Python kin has no nanoseconds.
    """
    role = _numpy_role(type(value))
    if not role or role == "kept":
        return value
    scalar: Any = value
    if role == "array":
        return value if scalar.ndim else unwrap(scalar[()])
    plain = scalar.item()
    return float(plain) if type(plain).__name__ == "longdouble" else plain


def shown(value: object) -> str:
    """Return a value's ``repr`` cut to what fits in a message.

    Examples
    --------
    >>> shown("a" * 100)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…'"
    """
    if isinstance(value, (str, bytes, bytearray)) and len(value) > _SHOWN:
        text = repr(value[: _SHOWN - 1])
        return f"{text[:-1]}…{text[-1]}"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return f"a number of {value.bit_length()} bits"
    if type(value).__module__ == "numpy":
        return f"a numpy {_numpy_name(value)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 2 * _SHOWN else f"{text[: 2 * _SHOWN - 1]}…"


def _numpy_name(value: Any) -> str:
    if type(value).__name__ == "ndarray":
        return f"array of {value.dtype} and shape {value.shape}"
    return f"{type(value).__name__} {str(value)[:_SHOWN]}"


def misfit(value: object, what: str) -> str:
    """Return ``"'abc' is not a whole number"``, with the Python type where the value does not show it."""
    kind = type(value)
    if kind.__module__ == "numpy" or kind in (str, int, float, bool, bytes):
        return f"{shown(value)} is not {what}"
    return f"{shown(value)} ({kind.__name__}) is not {what}"
