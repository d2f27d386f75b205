"""How fast populate is, as ratios to DataJoint 2.3.5 in the same run on the same embedded server.

``python benchmarks/populate.py [sessions [rounds]]`` prints, for each kind of make, the median of the ratios
of several rounds, each of which runs both systems one after the other, and the statements that each key took.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from djcli.database.embedded import EmbeddedServer

HERE = Path(__file__).parent

OURS = """
import djcli as dj
from djcli.settings import config

config["database.url"] = told["url"]
dj.config["safemode"] = False
seen = []
schema = dj.Schema("bench_ours")
schema.drop()
dj.conn().observers.append(seen.append)
"""

THEIRS = """
import warnings
warnings.simplefilter("ignore")
import os
os.environ["DJ_LOG_LEVEL"] = "ERROR"
import datajoint as dj

dj.config["database.backend"] = "postgresql"
for name, value in told["settings"].items():
    dj.config["database." + name] = value
dj.config["safemode"] = False
seen = []
schema = dj.Schema("bench_theirs")
schema.drop()
schema = dj.Schema("bench_theirs")
"""

RUN = """
import json, random, sys, time
import numpy as np

told = json.loads(sys.argv[1])
exec(told["system"])
exec(compile(open(told["tables"]).read(), told["tables"], "exec"))
fill(told["sessions"])
results = {}
for table in (SessionSummary, TrialAnalysis, Trivial, TwoReads):
    len(table())
    seen.clear()
    started = time.perf_counter()
    done = table.populate()["success_count"]
    results[table.__name__] = (time.perf_counter() - started, len(seen) / done)
    assert done == told["sessions"], done
print(json.dumps(results))
"""


def run(system: str, told: dict[str, object]) -> dict[str, tuple[float, float]]:
    """Run one system in a process of its own; returns seconds and statements a key for each table."""
    words = json.dumps({**told, "system": system, "tables": str(HERE / "populate_tables.py")})
    done = subprocess.run([sys.executable, "-c", RUN, words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main(sessions: int = 2_000, rounds: int = 5) -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(Path(folder) / ".djcli")
        server.start()
        try:
            url = server.url()
            with server.connect() as connection:
                info = connection.info
                settings = {
                    "host": info.host,
                    "port": info.port,
                    "user": info.user,
                    "password": "none",
                    "name": info.dbname,
                    "use_tls": False,
                }
            told: dict[str, object] = {"url": url, "settings": settings, "sessions": sessions}
            pairs = [(run(OURS, told), run(THEIRS, told)) for _ in range(rounds)]
        finally:
            server.stop()
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
            f"{table:<16}{ratio:>7.1f}x{sessions / ours:>16.0f}{sessions / theirs:>16.0f}{statements:>16.3f}\n"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
