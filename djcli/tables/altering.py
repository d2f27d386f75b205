"""Where `Table.alter` finds the planner, which lives in a layer above and is handed in from there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from djcli.errors import DataJointError
from djcli.tables.instance import Instance

Alterer = Callable[[Instance, Sequence[Any], bool | None], object]

_loaders: list[Callable[[], Alterer]] = []


def provide(loader: Callable[[], Alterer]) -> None:
    """Hand in the function that loads the planner when it is first needed."""
    _loaders[:] = [loader]


def alter(instance: Instance, classes: Sequence[Any], prompt: bool | None) -> object:
    """Make tables in the database what their classes declare.

    Raises
    ------
    DataJointError
        If a change is blocked, or no planner was handed in.
    """
    if not _loaders:
        raise DataJointError("altering needs `import djcli`; in a shell use: djcli apply")
    return _loaders[0]()(instance, classes, prompt)
