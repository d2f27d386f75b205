"""Ctrl-C and SIGTERM while worker processes run: heard at once, raised when these have ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from threading import current_thread, main_thread
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Keeps signals back; what they would have done is done at the end of the ``with`` block.

    A file to wait for (`fileno`) becomes readable when one has come. Outside the main thread none ever comes.

    Attributes
    ----------
    count
        How many have come.
    """

    def __init__(self) -> None:
        self.count = 0
        self._first = 0
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int] = {}
        self._reading, self._writing = os.pipe()

    def fileno(self) -> int:
        """Return the file that becomes readable."""
        return self._reading

    def clear(self) -> None:
        """Make the file unreadable again."""
        os.read(self._reading, 100)

    def __enter__(self) -> Self:
        os.set_blocking(self._writing, False)
        if current_thread() is main_thread():
            for number in _SIGNALS:
                before = signal.getsignal(number)
                if before not in (signal.SIG_IGN, None):  # nohup stays nohup
                    self._before[number] = before
                    signal.signal(number, self._heard)
        return self

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        self.count += 1
        self._first = self._first or number
        os.write(self._writing, b"!")

    def __exit__(self, kind: object, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        os.close(self._reading)
        os.close(self._writing)
        if self._first and kind is None:
            before = self._before[self._first]
            if callable(before):
                before(self._first, None)
            else:
                os.kill(os.getpid(), self._first)
