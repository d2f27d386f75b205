"""The words of the user's own SQL, which tell where a bare name could mean the wrong column.

What a word means is PostgreSQL's to say. We only have to make sure that no more columns are in its sight
than the attributes of the relation that the user wrote it for.
"""

from __future__ import annotations

import re
from functools import lru_cache

from djcli.errors import DataJointError

_TOKEN = re.compile(
    r"""\$(\w*)\$.*?\$\1\$|\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|[][(),]|;""",
    re.DOTALL,
)
"""What matters for where a piece of SQL ends: quoted text and comments, which hide the rest, and brackets."""

_CLOSING = {"(": ")", "[": "]"}

_WORD = re.compile(r"[^\W\d]\w*")


@lru_cache(maxsize=4096)
def words(text: str) -> frozenset[str]:
    """Return every word of a text, in lower case: the names of attributes it mentions are among them."""
    return frozenset(_WORD.findall(text.lower()))


@lru_cache(maxsize=4096)
def check_fragment(text: str, *, one_value: bool = False) -> None:
    """Refuse SQL that does not stay within its own brackets, because it would change what stands around it.

    Parameters
    ----------
    text
        The user's own SQL.
    one_value
        Whether it must be a single value, without a comma outside brackets.

    Raises
    ------
    DataJointError
        Saying what is wrong.
    """
    awaited: list[str] = []
    for token in (match[0] for match in _TOKEN.finditer(text)):
        if token in _CLOSING:
            awaited.append(_CLOSING[token])
        elif token in (")", "]"):
            if not awaited or awaited.pop() != token:
                raise DataJointError(f"the SQL {text!r} closes a bracket that it did not open")
        elif token == "," and one_value and not awaited:
            raise DataJointError(f"the SQL {text!r} is several values; give each its own name")
    if awaited:
        raise DataJointError(f"the SQL {text!r} leaves a bracket open")
