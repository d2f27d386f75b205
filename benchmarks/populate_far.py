"""How fast populate is when the server is far: the ratios of ``populate.py`` with a millisecond of delay each way.

``python benchmarks/populate_far.py [sessions [rounds [milliseconds]]]``; both systems go through one proxy.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from populate import RUN
from systems import HERE, OURS, THEIRS, Told, run, server


@contextmanager
def far(told: Told, milliseconds: float) -> Iterator[Told]:
    """Start the proxy; yields what the systems must know to go through it."""
    near = told["settings"]
    socket = f"{near['host']}/.s.PGSQL.{near['port']}"
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, str(HERE / "delaying.py"), socket, folder, str(milliseconds)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as proxy:
            assert proxy.stdout is not None
            proxy.stdout.readline()
            url = f"postgresql://{near['user']}@/{near['name']}?host={folder}&port={near['port']}"
            try:
                yield {**told, "url": url, "settings": {**near, "host": folder}}
            finally:
                proxy.terminate()


def main(sessions: int = 2_000, rounds: int = 1, milliseconds: float = 1.0) -> None:
    """Print the ratios."""
    with server() as near, far({**near, "sessions": sessions, "observed": False}, milliseconds) as told:
        pairs = [(run(OURS, RUN, told), run(THEIRS, RUN, told)) for _ in range(rounds)]
    sys.stdout.write(f"{sessions} keys, {milliseconds} ms each way, medians of {rounds} rounds\n")
    for table in pairs[0][0]:
        ratio = statistics.median(theirs[table][0] / ours[table][0] for ours, theirs in pairs)
        sys.stdout.write(f"{table:<16}{ratio:>7.1f}x\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *map(float, sys.argv[3:4]))
