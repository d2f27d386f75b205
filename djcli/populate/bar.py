"""A plain progress bar on standard error, for scripts and notebooks."""

from __future__ import annotations

import sys
import time

from djcli.populate.result import Key

_WIDTH = 30


class TextBar:
    """Shows how a populate comes along, on one line of standard error."""

    def __init__(self) -> None:
        self._total = 0
        self._count = 0
        self._shown = 0.0

    def tell(self, text: str) -> None:
        """Write a line."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def begin(self, table: str, pending: int) -> None:
        """Start at none of so many; with nothing to do there is nothing to show."""
        self._total, self._count, self._shown = pending, 0, 0.0
        self._draw(table, force=True)

    def done(self, table: str, key: Key) -> None:  # noqa: ARG002 - the observer's signature
        """Count one more."""
        self._count += 1
        self._draw(table)

    skipped = done

    def failed(self, table: str, key: Key, error: BaseException) -> None:  # noqa: ARG002 - the observer's signature
        """Count one more."""
        self._count += 1
        self._draw(table)

    def end(self, table: str) -> None:
        """Leave the last state standing."""
        self._draw(table, force=True)
        if self._total:
            self.tell("")

    def _draw(self, table: str, *, force: bool = False) -> None:
        now = time.monotonic()
        if not self._total or (not force and now - self._shown < 0.1):
            return
        self._shown = now
        share = self._count / self._total
        bar = ("#" * int(share * _WIDTH)).ljust(_WIDTH)
        sys.stderr.write(f"\r{table}: {share:4.0%} |{bar}| {self._count}/{self._total}")
        sys.stderr.flush()
