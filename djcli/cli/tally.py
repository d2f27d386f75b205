"""What became of the keys of one table, in one line, as JSON, and with its failures by kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from djcli.cli.failures import explain
from djcli.names import key_text
from djcli.populate.origin import place_of
from djcli.tables.table import Table

_QUOTED_OR_NUMBER = re.compile(r"'[^']*'|\"[^\"]*\"|\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Failure:
    """A key whose make failed."""

    key: Mapping[str, Any]
    error: BaseException


@dataclass(slots=True)
class Tally:
    """What became of the keys of one table.

    Attributes
    ----------
    table
        Its name as one writes it.
    names
        Its names for JSON.
    source
        Where its make is, as ``file:line``; for errors that come from no line of it.
    """

    table: str
    names: Mapping[str, object] = field(default_factory=dict[str, object])
    source: str | None = None
    made: int = 0
    skipped: int = 0
    failures: list[Failure] = field(default_factory=list[Failure])
    seconds: float = 0.0
    workers_died: int = 0

    @classmethod
    def of(cls, table: type[Table]) -> Tally:
        """Return the tally of a table of which nothing is made yet."""
        code: Any = getattr(getattr(table, "make", None), "__code__", None)
        source = None if code is None else f"{code.co_filename}:{code.co_firstlineno}"
        return cls(table.class_label, table.class_id().as_json(), source)

    @property
    def keys_per_second(self) -> float:
        """How many keys were made in a second."""
        return self.made / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        """Say it in one line."""
        words = [f"{self.made} made"]
        words += [f"{self.skipped} made by others"] if self.skipped else []
        words += [f"{len(self.failures)} failed"] if self.failures else []
        line = f"{self.table}: {', '.join(words)} in {self.seconds:.1f} s"
        line += f" ({_rate(self.keys_per_second)} keys a second)" if self.made else ""
        deaths = f"{self.workers_died} worker process{'es' * (self.workers_died > 1)} died"
        return f"{line}; {deaths}" if self.workers_died else line

    def groups(self) -> list[Group]:
        """Return the failures by kind, the most frequent first."""
        found: dict[object, Group] = {}
        for failure in self.failures:
            where = _short(place_of(failure.error) or self.source)
            kind = (type(failure.error).__name__, where, _without_values(failure))
            found.setdefault(kind, Group(self.table, failure, where)).count += 1
        return sorted(found.values(), key=lambda group: -group.count)

    def facts(self) -> dict[str, object]:
        """Return it all for JSON."""
        return {
            **self.names,
            "made": self.made,
            "skipped": self.skipped,
            "failed": len(self.failures),
            "seconds": round(self.seconds, 3),
            "keys_per_second": round(self.keys_per_second, 3),
            "workers_died": self.workers_died,
            "failures": [group.facts() for group in self.groups()],
        }


@dataclass(slots=True)
class Group:
    """Failures of one kind: the first of them, how many there are, and the line that raised them."""

    table: str
    example: Failure
    where: str | None
    count: int = 0

    def told(self, *, verbose: bool) -> str:
        """Say it in a line; with the example's traceback below it if `verbose`."""
        key = key_text(self.example.key)
        more = f" and {self.count - 1} more" if self.count > 1 else ""
        text = explain(self.example.error)
        place = f" ({self.where})" if self.where else ""
        trace = explain(self.example.error, verbose=True)[len(text) :] if verbose else ""
        return f"{self.table} {key}{more}: {text}{place}{trace}"

    def facts(self) -> dict[str, object]:
        """Return it for JSON."""
        error = explain(self.example.error)
        return {"error": error, "count": self.count, "key": self.example.key, "where": self.where}


def _rate(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"


def _short(place: str | None) -> str | None:
    """Return a place with its file as seen from the current folder, where it is below that."""
    if place is None:
        return None
    file, _, line = place.rpartition(":")
    path = Path(file)
    return f"{path.relative_to(Path.cwd())}:{line}" if path.is_relative_to(Path.cwd()) else place


def _without_values(failure: Failure) -> str:
    """Return the message of a failure without what differs from key to key."""
    text = explain(failure.error)
    for value in failure.key.values():
        text = re.sub(rf"(?<!\w){re.escape(str(value))}(?!\w)", "…", text)
    return _QUOTED_OR_NUMBER.sub("…", text)
