r"""Tokens of definitions: quoted strings, numbers, and where a piece of text ends.

A string stands in single or double quotes, a doubled quote is one quote, and a backslash is itself.
``E'…'`` reads ``\n``, ``\t``, ``\r``, ``\'`` and ``\\``, for what cannot stand on one line otherwise.
"""

from __future__ import annotations

import re

QUOTES = frozenset("'\"")
CLOCK = re.compile(
    r"(?:CURRENT_(?:TIMESTAMP|TIME)|LOCALTIME(?:STAMP)?)\s*(?:\(\s*\d\s*\))?|CURRENT_DATE", re.IGNORECASE
)
"""What SQL reads as the present moment."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


def is_number(text: str) -> bool:
    """Whether the text is a decimal number."""
    return _NUMBER.fullmatch(text) is not None


def end_of_quoted(text: str, start: int) -> int:
    """Return the position after the string whose opening quote is at `start`; -1 if it is never closed.

    A letter E right before the quote makes a backslash escape the character after it.
    """
    quote = text[start]
    escaping = is_escape_string(text, start)
    position = start + 1
    while position < len(text):
        char = text[position]
        if char == "\\" and escaping:
            position += 2
        elif char != quote:
            position += 1
        elif text[position + 1 : position + 2] == quote:
            position += 2
        else:
            return position + 1
    return -1


def is_escape_string(text: str, start: int) -> bool:
    """Whether the quote at `start` follows a letter E that stands alone."""
    if text[start] != "'" or start == 0 or text[start - 1] not in "Ee":
        return False
    before = text[start - 2 : start - 1] if start > 1 else ""
    return not (before.isalnum() or before == "_")


def unquote(text: str) -> str:
    r"""Return the value of a whole quoted string: ``'it''s'``, ``"it's"``, ``E'a\nb'``."""
    if text[0] not in QUOTES:  # E'…'
        return _unescape(text[2:-1])
    return text[1:-1].replace(text[0] * 2, text[0])


def _unescape(body: str) -> str:
    parts: list[str] = []
    position = 0
    while position < len(body):
        char = body[position]
        if char == "\\":
            following = body[position + 1]
            parts.append(_ESCAPES.get(following, following))
            position += 2
        else:
            parts.append(char)
            position += 2 if char == "'" else 1
    return "".join(parts)


def quote(value: str, *, prefer: str = "'") -> str:
    """Return `value` as a quoted string that reads back, on one line."""
    if "\n" in value or "\r" in value:
        body = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
        return f"E'{body}'"
    return prefer + value.replace(prefer, prefer * 2) + prefer


def end_of_word(text: str, start: int, stops: str) -> tuple[int, int]:
    """Find where text ends that may hold quoted strings and parentheses.

    Parameters
    ----------
    text, start
        Where to begin.
    stops
        The characters that end it, outside of quotes and parentheses.

    Returns
    -------
    tuple
        The position of the stop, or of the end; and the position of what is never closed, or -1.
    """
    open_at: list[int] = []
    position = start
    while position < len(text):
        char = text[position]
        if char in QUOTES:
            end = end_of_quoted(text, position)
            if end < 0:
                return len(text), position
            position = end
            continue
        if char == "(":
            open_at.append(position)
        elif char == ")" and open_at:
            open_at.pop()
        elif char in stops and not open_at:
            return position, -1
        position += 1
    return position, open_at[-1] if open_at else -1
