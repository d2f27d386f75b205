"""Where the time of one make goes.

``python benchmarks/populate_profile.py [sessions]`` populates the tables of ``populate.py``, once by the clock and
once under a profiler, and prints for each the microseconds a key takes by the clock, shared out by what the profiler
saw. ``README.md`` beside this file says what the shares mean.
"""

from __future__ import annotations

import cProfile
import pstats
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from systems import HERE, server

import djcli as dj
from djcli.settings import config

PLACES = (
    ("populate_tables.py", "make itself"),
    ("numpy", "make itself"),
    ("djcli/algebra", "expressions"),
    ("djcli/sql", "expressions"),
    ("djcli/tables/expression", "expressions"),
    ("djcli/tables/meta", "expressions"),
    ("djcli/tables/defined", "expressions"),
    ("djcli/tables/fetch", "rows to arrays and dicts"),
    ("djcli/tables/results", "rows to arrays and dicts"),
    ("djcli/tables", "checking and encoding"),
    ("djcli/codecs", "checking and encoding"),
    ("djcli/definition", "checking and encoding"),
    ("djcli/populate", "the engine"),
    ("djcli/database", "talking to the server"),
    ("psycopg", "talking to the server"),
    ("select", "talking to the server"),
)
"""Parts of a path, and what the time spent there counts as; the first that fits."""


def place_of(function: tuple[str, int, str]) -> str:
    """Return what the time in a function counts as."""
    path, _, name = function
    text = name if path == "~" else path
    return next((place for part, place in PLACES if part in text), "everything else")


def main(sessions: int = 2_000) -> None:
    """Print the profiles."""
    with server() as told:
        config["database.url"] = told["url"]
        dj.config["safemode"] = False
        space: dict[str, Any] = {"dj": dj, "np": np, "random": random, "schema": dj.Schema("bench_ours")}
        path = Path(HERE / "populate_tables.py")
        exec(compile(path.read_text(), str(path), "exec"), space)  # noqa: S102 - the tables of both systems
        space["fill"](sessions)
        for name in ("SessionSummary", "TrialAnalysis", "Trivial", "TwoReads"):
            profile(space[name], sessions)


def profile(table: Any, sessions: int) -> None:
    """Populate twice, and print where the time went."""
    len(table())
    started = time.perf_counter()
    table.populate()
    whole = (time.perf_counter() - started) / sessions * 1e6
    table().delete(prompt=False)
    profiler = cProfile.Profile()
    profiler.runcall(table.populate)
    shares: dict[str, float] = {}
    for function, (_, _, own, _, _) in pstats.Stats(profiler).stats.items():  # pyright: ignore[reportAttributeAccessIssue]
        place = place_of(function)
        shares[place] = shares.get(place, 0.0) + own
    total = sum(shares.values())
    sys.stdout.write(f"{table.__name__}: {whole:.0f} us a key\n")
    for place, seconds in sorted(shares.items(), key=lambda item: -item[1]):
        sys.stdout.write(f"  {place:<26}{whole * seconds / total:>6.0f} us {seconds / total:>5.0%}\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
