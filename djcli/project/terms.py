"""The grammar of selections: how users name several tables at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from djcli.errors import SelectionError
from djcli.names import did_you_mean

_TERM = re.compile(
    r"(?:(?P<above>[0-9]{1,9})?(?P<up>\+))?(?P<base>.*?)(?:(?P<down>\+)(?P<below>[0-9]{1,9})?)?", re.DOTALL
)
_KIND = re.compile(r"(?P<kind>\w*):(?P<pattern>.*)", re.DOTALL)


class By(Enum):
    """What of a table a term matches; the value stands in front of the pattern, but for a name."""

    NAME = "name"
    TIER = "tier"
    SCHEMA = "schema"


_KINDS = {by.value: by for by in (By.TIER, By.SCHEMA)}


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a selection, such as ``2+Session*`` or ``tier:computed``.

    Attributes
    ----------
    pattern
        What to match; ``*`` stands for any text.
    by
        What is matched: a name of the table, its tier or its schema.
    above, below
        How many generations of ancestors and of descendants come with the tables matched; None for all.
    """

    pattern: str
    by: By = By.NAME
    above: int | None = 0
    below: int | None = 0

    @property
    def is_plain(self) -> bool:
        """Whether it is the name of one table, and nothing else."""
        return self.by is By.NAME and not self.has_wildcard and self.above == self.below == 0

    @property
    def is_schema(self) -> bool:
        """Whether it is all tables of schemas, and no others."""
        return self.by is By.SCHEMA and self.above == self.below == 0

    @property
    def has_wildcard(self) -> bool:
        """Whether the pattern may match more than one text."""
        return "*" in self.pattern

    def matches(self, text: str) -> bool:
        """Tell whether a text fits the pattern; letter case counts."""
        if not self.has_wildcard:
            return text == self.pattern
        return re.fullmatch(".*".join(map(re.escape, self.pattern.split("*"))), text, re.DOTALL) is not None

    def __str__(self) -> str:
        """Return the term as one writes it."""
        base = self.pattern if self.by is By.NAME else f"{self.by.value}:{self.pattern}"
        above = "" if self.above == 0 else f"{'' if self.above is None else self.above}+"
        below = "" if self.below == 0 else f"+{'' if self.below is None else self.below}"
        return f"{above}{base}{below}"


def parse_terms(texts: Iterable[str]) -> tuple[Term, ...]:
    """Read a selection: terms with blanks or commas between them, all united.

    Parameters
    ----------
    texts
        ``Session``, ``Session.Trial``, ``tutorial.Session``; ``tier:computed``, ``schema:tutorial``; ``*`` for any
        text in each of these; ``+`` in front adds all ancestors, behind all descendants, and with a number,
        as in ``2+Session`` and ``Session+1``, so many generations of them.

    Raises
    ------
    SelectionError
        If a text cannot be read.
    """
    # a text without any term is a name that no table has: it must not come to mean all tables
    return tuple(
        _parse(word, text)
        for text in texts
        for word in [word for word in re.split(r"[,\s]+", text) if word] or [""]
    )


def _parse(word: str, text: str) -> Term:
    match = _TERM.fullmatch(word)
    assert match is not None  # the base takes whatever is there
    base = match["base"]
    above = _generations(match["up"], match["above"])
    below = _generations(match["down"], match["below"])
    named = _KIND.fullmatch(base)
    if named is None:
        if not base and word:
            raise SelectionError(f"{word!r} names no table: write +Table for a table with its ancestors")
        return Term(base, By.NAME, above, below)
    kind, pattern = named["kind"], named["pattern"]
    if not pattern:
        raise SelectionError(f"{word!r} says no {kind or 'table'}: write tier:computed or schema:tutorial")
    by = _KINDS.get(kind)
    if by is None:
        hint = did_you_mean(f"{kind}:", [f"{known}:" for known in _KINDS]) or ": there are tier: and schema:"
        raise SelectionError(f"cannot select by {kind + ':'!r} in {text!r}{hint}")
    return Term(pattern, by, above, below)


def _generations(sign: str | None, number: str | None) -> int | None:
    if sign is None:
        return 0
    return None if number is None else int(number)
