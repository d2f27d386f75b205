"""Names of classes, tables and attributes: conversion, checking, near misses; and counted nouns.

The rules are those of the physical schema: a table's name is its class name in snake_case with a prefix
for its tier; a part's name is its master's full name, two underscores, and its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from enum import Enum

from djcli.errors import DataJointError

MAX_IDENTIFIER_BYTES = 63
"""PostgreSQL cuts longer identifiers without a word (NAMEDATALEN - 1)."""

_CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
ATTRIBUTE_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Tier(Enum):
    """The tier of a table; the value is the prefix of its name in the database."""

    MANUAL = ""
    LOOKUP = "#"
    IMPORTED = "_"
    COMPUTED = "__"
    PART = "part"
    JOBS = "~~"
    HIDDEN = "~"

    @property
    def is_auto(self) -> bool:
        """Whether rows of this tier are made by ``make``."""
        return self in (Tier.IMPORTED, Tier.COMPUTED)


def snake_case(class_name: str) -> str:
    """Convert ``SessionSummary`` to ``session_summary`` and ``ProcessedEMG`` to ``processed_e_m_g``.

    Every capital starts a word, as DataJoint 2.3.5 has it (measured): a table that it declared for
    a class with an acronym is found again, and `camel_case` is the exact inverse.

    Raises
    ------
    DataJointError
        If the name is not CamelCase of ASCII letters and digits.
    """
    if not _CLASS_NAME.fullmatch(class_name):
        raise DataJointError(
            f"class name {class_name!r} must be CamelCase: a capital letter, then letters and digits"
        )
    return re.sub(r"(?<!^)(?=[A-Z])", "_", class_name).lower()


def camel_case(table_name: str) -> str:
    """Convert a table's name without its prefix (``session_summary``) to ``SessionSummary``."""
    return "".join(word[:1].upper() + word[1:] for word in table_name.split("_"))


def table_name(tier: Tier, class_name: str, master: str | None = None) -> str:
    """Return the name in the database of a class of the given tier.

    Parameters
    ----------
    tier
        The tier; for a part, `master` is the table name of its master.
    class_name
        The CamelCase name of the class.
    """
    own = snake_case(class_name)
    if tier is Tier.PART:
        return f"{master}__{own}"
    return tier.value + own


_TABLE_NAME = re.compile(
    r"(?P<jobs>~~[a-z0-9_]+)|(?P<hidden>~[a-z0-9_]+)"
    r"|(?P<master>(?P<prefix>\#|__|_)?[a-z][a-z0-9]*(?:_[a-z0-9]+)*)(?:__(?P<part>[a-z][a-z0-9]*(?:_[a-z0-9]+)*))?"
)


def split_table_name(name: str) -> tuple[Tier, str | None, str | None] | None:
    """Take a table's name apart.

    Returns
    -------
    tuple or None
        The tier, the class name (``Trial`` for a part), and for a part its master's table name;
        None when no declared class could have this name.
    """
    match = _TABLE_NAME.fullmatch(name)
    if match is None:
        return None
    if match["jobs"]:
        return Tier.JOBS, None, None
    if match["hidden"]:
        return Tier.HIDDEN, None, None
    prefix = match["prefix"] or ""
    if match["part"]:
        return Tier.PART, camel_case(match["part"]), match["master"]
    return Tier(prefix), camel_case(match["master"][len(prefix) :]), None


def display_name(name: str) -> str:
    """Return the class-like name of a table: ``Session.Trial`` for ``session__trial``.

    A name that no class could have is returned as it is.
    """
    parts = split_table_name(name)
    if parts is None or parts[1] is None:
        return name
    _, class_name, master = parts
    return f"{display_name(master)}.{class_name}" if master else class_name or name


def check_identifier(kind: str, name: str) -> None:
    """Refuse a name that PostgreSQL would cut short.

    Parameters
    ----------
    kind
        What it is the name of, for the message: ``'table'``, ``'schema'``, ``'attribute'``.
    """
    size = len(name.encode())
    if size > MAX_IDENTIFIER_BYTES:
        raise DataJointError(
            f"{kind} name {name!r} is {size} bytes long, but PostgreSQL allows {MAX_IDENTIFIER_BYTES}: "
            "choose a shorter one"
        )
    if not name or "\0" in name:
        raise DataJointError(f"{kind} name {name!r} is not a valid identifier")


def counted(number: int, noun: str) -> str:
    """Return ``1 row``, ``1,200 rows``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def near(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """Return the known names most like `name`, best first, letter case aside."""
    by_fold: dict[str, str] = {}
    for item in known:
        by_fold.setdefault(item.casefold(), item)
    return [by_fold[m] for m in get_close_matches(name.casefold(), by_fold, n=limit, cutoff=0.6)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``' - did you mean A or B?'``, or an empty string when nothing is near."""
    matches = near(name, known)
    return f" - did you mean {' or '.join(matches)}?" if matches else ""


def key_text(key: Mapping[str, object]) -> str:
    """Return a key as one types it on the command line: ``subject_id=M1, session=2``."""
    return ", ".join(f"{name}={value}" for name, value in key.items())
