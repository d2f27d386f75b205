"""Holding back Ctrl-C and SIGTERM where they would leave a transaction in the middle."""

from __future__ import annotations

import signal
from threading import current_thread, main_thread
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """A context in which an interrupt strikes inside make alone; elsewhere it waits, unless it comes twice.

    So the keys that are finished are kept, whenever the user wants to stop.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._waiting: int | None = None
        self._is_open = False

    def __enter__(self) -> Interrupts:
        if current_thread() is main_thread():  # others get no signals
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._before[number] = handler
                    signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._strike()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._is_open or self._waiting is not None:
            self._waiting = None
            self._before[number](number, frame)
        else:
            self._waiting = number

    def _strike(self) -> None:
        number, self._waiting = self._waiting, None
        if number is not None:
            self._before[number](number, None)

    def open(self) -> None:
        """Let interrupts strike from now on, the one that waits first."""
        self._is_open = True
        if self._waiting is not None:
            self._strike()

    def close(self) -> None:
        """Hold interrupts back from now on."""
        self._is_open = False
