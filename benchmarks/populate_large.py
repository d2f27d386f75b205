"""How populate fares with a million keys of which half are done.

``python benchmarks/populate_large.py [keys]`` prints the seconds to the first make, those of `progress`, keys a
second over the pending half, and the peak of memory. The reference system's query for the pending keys did not
end in 18 minutes, so there is nothing to compare with.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import djcli as dj
from djcli.database.embedded import EmbeddedServer
from djcli.settings import config


def main(keys: int = 1_000_000) -> None:
    """Print the measures."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(Path(folder) / ".djcli")
        server.start()
        try:
            config["database.url"] = server.url()
            measure(keys)
        finally:
            server.stop()


def measure(keys: int) -> None:
    """Declare, fill and populate."""
    schema = dj.Schema("bench_large")
    first: list[float] = []

    @schema
    class Item(dj.Manual):
        definition = """
        item : int32
        """

    @schema
    class Double(dj.Computed):
        definition = """
        -> Item
        ---
        double : int32
        """

        def make(self, key: dict[str, int]) -> None:
            if not first:
                first.append(time.perf_counter())
            self.insert1({**key, "double": 2 * key["item"]})

    len(Item()), len(Double())  # declares them
    connection = dj.conn()
    connection.query(f"INSERT INTO bench_large.item SELECT generate_series(1, {int(keys)})")
    connection.query(
        "INSERT INTO bench_large.__double SELECT item, 2 * item FROM bench_large.item WHERE item % 2 = 0"
    )
    started = time.perf_counter()
    remaining, total = Double.progress()
    asked = time.perf_counter() - started
    started = time.perf_counter()
    done = Double.populate()["success_count"]
    seconds = time.perf_counter() - started
    assert done == remaining
    assert Double.progress()[0] == 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"{total:,} keys, {remaining:,} of them pending\n"
        f"progress()          {asked:8.2f} s\n"
        f"to the first make   {first[0] - started:8.2f} s\n"
        f"populate            {seconds:8.1f} s, {done / seconds:,.0f} keys/s\n"
        f"peak of memory      {peak:8.0f} MB\n"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
