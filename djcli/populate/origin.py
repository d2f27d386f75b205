"""Where an error of make comes from: the file and line of the user's own code."""

from __future__ import annotations

import traceback
from pathlib import Path

_TOLD = "djcli_place"
"""The attribute of an exception that came from another process, where there are no frames to look at."""

_PACKAGE = str(Path(__file__).parents[1])


def place_of(error: BaseException) -> str | None:
    """Return where make raised an error, as ``file:line``.

    That is the innermost line in the file that make is in: what it called elsewhere says less. None where
    no line of the user's had a part in it.
    """
    told: str | None = getattr(error, _TOLD, None)
    if told is not None:
        return told
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_PACKAGE)]
    if not own:
        return None
    inner = [frame for frame in own if frame.filename == own[0].filename][-1]
    return f"{inner.filename}:{inner.lineno}"


def tell_place(error: BaseException, place: str | None) -> None:
    """Note where an error was raised that came from another process."""
    setattr(error, _TOLD, place)
