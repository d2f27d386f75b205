"""Encoders of text, enum labels, UUIDs, JSON and bytes."""

from __future__ import annotations

import json
import os
import re
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from djcli.codecs.numeric import Encoder
from djcli.codecs.plain import UnfitValueError, misfit, shown, unwrap
from djcli.names import did_you_mean

_FLOAT_OR_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d(?:\.\d+)?e\+\d+')
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_LABELS_SHOWN = 12


def encode_text(value: object) -> str:
    """Encode for ``text``; numbers, dates, UUIDs and paths count as the text they print as.

    Raises
    ------
    ValueError
        If the value is no text, or has a character that PostgreSQL cannot store.
    """
    text = value if type(value) is str else _text(value)
    if "\0" in text:
        raise ValueError(f"{shown(text)} holds a NUL character, which PostgreSQL cannot store in text")
    if not text.isascii():
        _check_surrogates(text)
    return text


def _text(value: object) -> str:
    value = unwrap(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal, UUID, date, time)):
        return str(value)
    if type(value).__name__ == "datetime64":
        return str(value)
    if hasattr(value, "__fspath__"):
        path = os.fspath(cast("os.PathLike[Any]", value))
        if isinstance(path, str):
            return path
    raise ValueError(misfit(value, "text"))


def _check_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{shown(text)} holds a lone surrogate at position {error.start}, which UTF-8 cannot express"
        ) from None


def varchar_encoder(length: int) -> Encoder:
    """Return the encoder of ``varchar(length)``; a longer text is refused, never cut."""

    def encode(value: object) -> str:
        text = encode_text(value)
        if len(text) > length:
            raise UnfitValueError(
                f"{shown(text)} has {len(text)} characters, varchar({length}) allows {length}"
            )
        return text

    return encode


def char_encoder(length: int) -> Encoder:
    """Return the encoder of ``char(length)``, in which trailing blanks do not count."""

    def encode(value: object) -> str:
        text = encode_text(value).rstrip(" ")
        if len(text) > length:
            raise UnfitValueError(f"{shown(text)} has {len(text)} characters, char({length}) allows {length}")
        return text

    return encode


def enum_encoder(labels: tuple[str, ...]) -> Encoder:
    """Return the encoder of an enum with these labels; without any, every text passes."""
    known = frozenset(labels)

    def encode(value: object) -> str:
        text = encode_text(value)
        if known and text not in known:
            listed = ", ".join(repr(label) for label in labels[:_LABELS_SHOWN])
            more = f" and {len(labels) - _LABELS_SHOWN} more" if len(labels) > _LABELS_SHOWN else ""
            raise ValueError(f"{shown(text)} is not one of {listed}{more}{did_you_mean(text, labels)}")
        return text

    return encode


def encode_uuid(value: object) -> UUID:
    """Encode for ``uuid``: a UUID, its text, or its 16 bytes.

    Raises
    ------
    ValueError
        If the value is none of these.
    """
    if isinstance(value, UUID):
        return value
    value = unwrap(value)
    try:
        if isinstance(value, str):
            return UUID(value.strip())
        octets = _octets(value)
        if octets is not None:
            return UUID(bytes=octets)
    except ValueError:
        pass  # told below, with the value
    raise ValueError(misfit(value, "a UUID"))


def encode_json(value: object) -> str:
    """Encode for ``jsonb``: the JSON text of any nesting of dicts, lists and scalars, numpy's included.

    Raises
    ------
    ValueError
        If the value has no JSON form (nan, a set, a NUL character, …).
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_json_default)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{shown(value)} is not JSON: {error}") from None
    except RecursionError:
        raise ValueError("the value is nested too deeply for JSON") from None
    if _ESCAPED_NUL.search(text):
        raise ValueError(f"{shown(text)} holds a NUL character, which PostgreSQL cannot store in JSON")
    if not text.isascii():
        _check_surrogates(text)
    return _FLOAT_OR_TEXT.sub(_with_point, text) if "e+" in text else text


def _with_point(match: re.Match[str]) -> str:
    """Write 1e+22 with all digits and a point, because it comes back as it is written: else a whole number."""
    return match[0] if match[0].startswith('"') else f"{Decimal(match[0]):f}.0"


def _json_default(value: object) -> object:
    if type(value).__module__ == "numpy":
        to_list = getattr(value, "tolist", None)
        if to_list is not None and type(value).__name__ not in ("datetime64", "timedelta64", "void"):
            return to_list()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def parse_json(text: str) -> object:
    """Return the value of a JSON text.

    Raises
    ------
    ValueError
        If it is not JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{shown(text)} is not JSON: {error}") from None
    except RecursionError:
        raise ValueError("the value is nested too deeply for JSON") from None


def encode_bytes(value: object) -> bytes:
    """Encode for ``bytea``.

    Raises
    ------
    ValueError
        If the value is not bytes.
    """
    if type(value) is bytes:
        return value
    value = unwrap(value)
    octets = _octets(value)
    if octets is not None:
        return octets
    hint = "; <blob> stores arrays" if type(value).__name__ == "ndarray" else ""
    raise ValueError(misfit(value, "bytes") + hint)


def _octets(value: object) -> bytes | None:
    return bytes(cast("bytes", value)) if isinstance(value, (bytes, bytearray, memoryview)) else None


def parse_bytes(text: str) -> bytes:
    r"""Return the bytes that ``\x00ff`` or ``0x00ff`` spells.

    Raises
    ------
    ValueError
        If it spells none.
    """
    if text[:2] in ("\\x", "0x"):
        try:
            return bytes.fromhex(text[2:])
        except ValueError:
            pass  # told below
    raise ValueError(f"{shown(text)} does not spell bytes: write them in hexadecimal, as \\x00ff")


def encode_unjudged(value: object) -> object:
    """Pass a value on for PostgreSQL to judge; text must be storable.

    Raises
    ------
    ValueError
        If a text holds what PostgreSQL cannot store.
    """
    if isinstance(value, timedelta):
        return value
    value = unwrap(value)
    if isinstance(value, str):
        return encode_text(value)
    return str(value) if type(value).__name__ == "datetime64" else value
