"""`JobMetadata`: hidden columns that tell when a row was made, how long it took, and by which version of the code."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

from djcli.definition.model import TableModel
from djcli.definition.resolve import JOB_METADATA
from djcli.populate.columns import RealColumns
from djcli.populate.gather import Gathered, Row, shape_of
from djcli.settings import config
from djcli.sql.insert import update_row

_NAMES = tuple(attribute.name for attribute in JOB_METADATA)


class JobMetadata:
    """Fills the hidden columns of a table, whose rows are made key by key.

    Parameters
    ----------
    table
        The computed table, whose table in the database has the columns.
    """

    def __init__(self, table: Any) -> None:
        self._table = table.id
        self._model = replace(table.model, attributes=(*table.model.attributes, *JOB_METADATA), hidden=())
        self._version = code_version(cast("type[object]", type(table)))
        self._started, self._clock = datetime.now(UTC), time.perf_counter()

    @classmethod
    def of(cls, table: Any, columns: RealColumns) -> JobMetadata | None:
        """Return what fills the columns of a table; None if the database has none for it."""
        return cls(table) if columns.has(table.id, _NAMES) else None

    def begin(self) -> None:
        """Start the clock for a key."""
        self._started, self._clock = datetime.now(UTC), time.perf_counter()

    def _values(self) -> tuple[object, ...]:
        started = self._started.replace(tzinfo=None)
        return started, time.perf_counter() - self._clock, self._version

    def add_to(self, gathered: Gathered) -> None:
        """Add the columns to a key's rows that wait."""
        values = self._values()
        for shape in [shape for shape in gathered.groups if shape.model.id == self._table]:
            rows: list[Row] = [(*row, *values) for row in gathered.groups.pop(shape)]
            gathered.groups[shape_of(self._model, (*shape.names, *_NAMES))] = rows

    def update(self, connection: Any, encoded: Mapping[str, object]) -> None:
        """Fill the columns of rows that are in the database.

        Parameters
        ----------
        connection
            The connection, inside the transaction that made them.
        encoded
            The key, its values as they are stored.
        """
        model = _restricted_to(self._model, tuple(encoded))
        values = {f"c{i}": value for i, value in enumerate(self._values())}
        key = {f"k{i}": encoded[name] for i, name in enumerate(model.primary_key)}
        connection.execute(update_row(model, _NAMES, ()), {**values, **key})


def _restricted_to(model: TableModel, key: tuple[str, ...]) -> TableModel:
    kept = tuple(each for each in model.attributes if not each.in_key or each.name in key)
    return replace(model, attributes=kept)


@cache
def code_version(cls: type) -> str:
    """Return the version of the code that a class is in, as the setting ``jobs.version_method`` has it; or ''.

    With ``git`` it is the short hash of the commit that is checked out where the class's module lies.
    """
    if config["jobs.version_method"] != "git":
        return ""
    source = getattr(sys.modules.get(cls.__module__), "__file__", None)
    folder = Path(source).parent if source else Path.cwd()
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()[:64] if done.returncode == 0 else ""
