"""What TAB offers where tables are selected: their names, tiers and schemas."""

from __future__ import annotations

import re
from contextlib import redirect_stderr
from io import StringIO

import typer

from djcli.cli.options import shared

_HEAD = re.compile(r"(?:.*,)?(?:[0-9]*\+)?")


def complete_selection(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the terms of a selection that begin with what is typed, after a comma or ``+`` too."""
    # lazy: start-up time
    from djcli.project.pipelines import load_pipelines
    from djcli.project.selection import TIERS, names_of

    try:
        with redirect_stderr(StringIO()):  # where what modules print goes, too
            tables = load_pipelines(shared(ctx).pipelines).tables
    except Exception:  # noqa: BLE001 - nobody asked for anything yet, and modules may raise what they like
        return []
    head = _HEAD.match(incomplete)
    assert head is not None  # it matches nothing, too
    typed = incomplete[head.end() :]
    names = [table.class_label for table in tables]
    if "." in typed:
        names += [name for table in tables for name in names_of(table)]
    if ":" in typed or typed == typed.lower():
        names += [f"tier:{tier}" for tier in TIERS]
        names += [f"schema:{table.class_id().schema}" for table in tables]
    return [head[0] + name for name in dict.fromkeys(names) if name.startswith(typed)]
