"""Where the keys to make come from: a stream of the pending ones, or whoever hands them to this worker."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from djcli.populate.keys import Todo
from djcli.populate.result import Key


class Feed(Protocol):
    """Gives out pending keys, and takes back those that there was no time for."""

    def take(self, wanted: int) -> list[Key]:
        """Return up to so many keys; none when there are no more."""
        ...

    def put_back(self, keys: Sequence[Key]) -> None:
        """Take keys back, to be given out again first."""
        ...

    def restart(self, without: Collection[tuple[object, ...]]) -> None:
        """Start anew after the connection was lost, leaving out keys that were made or failed before."""
        ...


class KeyStream:
    """Streams the pending keys in the order of the primary key, in flat memory.

    Parameters
    ----------
    work
        What the populate has before it.
    """

    def __init__(self, work: Todo) -> None:
        self._work = work
        self._waiting: deque[Key] = deque()
        self._keys = self._stream(())

    def _stream(self, without: Collection[tuple[object, ...]]) -> Iterator[Key]:
        names = self._work.pending.heading.names
        for row in self._work.pending.query.stream(order_by="KEY"):
            if row not in without:
                yield dict(zip(names, row, strict=True))

    def take(self, wanted: int) -> list[Key]:
        """Return up to so many keys; none when there are no more."""
        while len(self._waiting) < wanted:
            key = next(self._keys, None)
            if key is None:
                break
            self._waiting.append(key)
        return [self._waiting.popleft() for _ in range(min(wanted, len(self._waiting)))]

    def put_back(self, keys: Sequence[Key]) -> None:
        """Take keys back, to be given out again first."""
        self._waiting.extendleft(reversed(keys))

    def restart(self, without: Collection[tuple[object, ...]]) -> None:
        """Ask again for what is pending, leaving out keys that failed before."""
        self._waiting.clear()
        self._keys = self._stream(without)
