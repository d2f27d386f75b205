"""How fast populate is, as ratios to DataJoint 2.3.5 in the same run on the same embedded server.

``python benchmarks/populate.py [sessions [rounds]]`` prints, for each kind of make, the median of the ratios
of several rounds, each of which runs both systems one after the other, and the statements that each key took.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from systems import HERE, OURS, THEIRS, Told, run, server

RUN = """
import random, time
import numpy as np

dj.Schema(SCHEMA).drop()
schema = dj.Schema(SCHEMA)
seen = []
if told["observed"]:
    dj.conn().observers.append(seen.append)
exec(compile(open("populate_tables.py").read(), "populate_tables.py", "exec"))
fill(told["sessions"])
results = {}
for table in (SessionSummary, TrialAnalysis, TrialAnalysis.TrialResult, Trivial, TwoReads, Sleeping):
    len(table())  # so that both have it declared
np.median([1.0, 2.0]), np.mean([1.0])  # and numpy has loaded all that makes need
for table in (SessionSummary, TrialAnalysis, Trivial, TwoReads):
    seen.clear()
    started = time.perf_counter()
    done = table.populate()["success_count"]
    results[table.__name__] = ((time.perf_counter() - started) / done, len(seen) / done)
    assert done == told["sessions"], done
seen.clear()
started = time.perf_counter()
done = Sleeping.populate(f"session_idx < {told['sessions'] // 10}")["success_count"]
results["Sleeping"] = ((time.perf_counter() - started) / done, len(seen) / done)
print(json.dumps(results))
"""

SHARE = """
import time

sys.path.insert(0, told["module"])
import bench_module
started = time.perf_counter()
done = bench_module.Sleeping.populate(processes=4)["success_count"]
print(json.dumps({"Sleeping, -j 4": ((time.perf_counter() - started) / done, 0)}))
"""

MODULE = """
import random, time
import numpy as np
import djcli as dj

schema = dj.Schema("bench_ours")
"""

Numbers = dict[str, tuple[float, float]]


def round_of(told: Told) -> tuple[Numbers, Numbers]:
    """Run both systems; returns seconds and statements for a key of each kind of make, ours and theirs.

    Of the keys that sleep a tenth is made by one process, the rest by four workers, start-up included.
    """
    ours = run(OURS, RUN, {**told, "observed": True})
    with tempfile.TemporaryDirectory() as folder:
        tables = (HERE / "populate_tables.py").read_text()
        (Path(folder) / "bench_module.py").write_text(MODULE + tables)
        ours |= run(OURS, SHARE, {**told, "module": folder})
    theirs = run(THEIRS, RUN, {**told, "observed": False})
    return ours, theirs | {"Sleeping, -j 4": theirs["Sleeping"]}


def main(sessions: int = 2_000, rounds: int = 5) -> None:
    """Print the ratios."""
    with server() as told:
        told["sessions"] = sessions
        pairs = [round_of(told) for _ in range(rounds)]
    sys.stdout.write(f"{sessions} keys, medians of {rounds} rounds\n")
    sys.stdout.write(
        f"{'make':<16}{'ratio':>8}{'ours, keys/s':>16}{'theirs, keys/s':>16}{'statements/key':>16}\n"
    )
    for table in pairs[0][0]:
        ratio = statistics.median(theirs[table][0] / ours[table][0] for ours, theirs in pairs)
        ours = statistics.median(pair[0][table][0] for pair in pairs)
        theirs = statistics.median(pair[1][table][0] for pair in pairs)
        statements = statistics.median(pair[0][table][1] for pair in pairs)
        sys.stdout.write(
            f"{table:<16}{ratio:>7.1f}x{1 / ours:>16.0f}{1 / theirs:>16.0f}{statements:>16.3f}\n"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
