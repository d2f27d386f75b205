"""Where the keys to make come from: a stream of the pending ones, or whoever hands them to this worker."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from typing import Literal, Protocol, get_args

from djcli.errors import DataJointError
from djcli.populate.keys import Todo
from djcli.populate.result import Key

Order = Literal["original", "reverse", "random"]
"""By primary key, by primary key from its end, or shuffled."""


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
    """Streams the pending keys, in flat memory.

    Parameters
    ----------
    work
        What the populate has before it.
    order
        The order in which they come.

    Raises
    ------
    DataJointError
        If there is no such order.
    """

    def __init__(self, work: Todo, order: Order = "original") -> None:
        if order not in get_args(Order):
            raise DataJointError(f"order={order!r}: it must be one of {', '.join(get_args(Order))}")
        self._work = work
        self._order = order
        self._waiting: deque[Key] = deque()
        self._keys = self._stream(())

    def _stream(self, without: Collection[tuple[object, ...]]) -> Iterator[Key]:
        names = self._work.pending.heading.names
        pending, by = self._work.pending, "KEY DESC" if self._order == "reverse" else "KEY"
        if self._order == "random":
            pending, by = pending.proj(shuffled="random()"), "shuffled"
        for row in pending.query.stream(names, order_by=by):
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
