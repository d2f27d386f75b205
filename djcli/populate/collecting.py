"""Collecting garbage less often while the rows of many makes wait, none of which is garbage."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

_YOUNG = 100_000
"""Objects between two collections: what makes leave behind in circles is a few megabytes at most."""


@contextmanager
def few_collections() -> Generator[None]:
    """Raise the garbage collector's first threshold, which is 700 or so objects otherwise."""
    young, *old = gc.get_threshold()
    if young:  # else it rests anyway
        gc.set_threshold(max(young, _YOUNG), *old)
    try:
        yield
    finally:
        gc.set_threshold(young, *old)
