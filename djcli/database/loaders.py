"""Loaders for values that PostgreSQL has and Python's types have not."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.types.datetime import TimeLoader


class _TimeOrText(TimeLoader):
    """``time`` as a `datetime.time`; 24:00:00, which is none, stays text, and restricts as such."""

    def load(self, data: Buffer) -> Any:
        try:
            return super().load(data)
        except psycopg.DataError:
            return bytes(data).decode()


def register_loaders(raw: psycopg.Connection) -> None:
    """Make a session load what the driver's own loaders refuse."""
    raw.adapters.register_loader("time", _TimeOrText)
