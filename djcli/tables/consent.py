"""Asking before something is lost."""

from __future__ import annotations

import sys

from djcli.errors import RefusedError
from djcli.settings import config


def must_ask(prompt: bool | None) -> bool:
    """Whether to ask: as told, or by the setting ``safemode``."""
    return bool(config["safemode"]) if prompt is None else prompt


def confirm(summary: str, question: str) -> bool:
    """Show what is about to happen and ask; everything goes to standard error.

    Raises
    ------
    RefusedError
        If there is nobody to answer.
    """
    sys.stderr.write(f"{summary}\n{question} [yes/no]: ")
    sys.stderr.flush()
    try:
        answer = input()
    except EOFError:
        raise RefusedError(
            "nobody is there to answer; pass prompt=False to go ahead without asking"
        ) from None
    return answer.strip().lower() in ("y", "yes")
