"""Which line of the user's code is at work."""

from __future__ import annotations

import inspect
import os
from pathlib import Path

_OURS = str(Path(__file__).parents[1]) + os.sep


def users_line() -> str:
    """Return file and line of the user's code that called djcli: ``pipelines/tutorial.py:12``.

    A call that comes out of a library, such as a frame made of a query, is told by the line that called the
    library, in the file of the make itself.
    """
    frame = inspect.currentframe()  # traceback.extract_stack would read every file
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    first = make = frame
    while frame is not None and not frame.f_code.co_filename.startswith(_OURS):
        make, frame = frame, frame.f_back
    if first is None or make is None:
        return "?"
    name = make.f_code.co_filename
    while first.f_code.co_filename != name and first.f_back is not None:
        first = first.f_back
    return f"{_shown(name)}:{first.f_lineno}"


def _shown(name: str) -> str:
    path = Path(name)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else name
