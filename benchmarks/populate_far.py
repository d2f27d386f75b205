"""How fast populate is when the server is far: the ratios of ``populate.py`` with a millisecond of delay each way.

``python benchmarks/populate_far.py [sessions [rounds [milliseconds]]]``; both systems go through one proxy.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from populate import HERE, OURS, THEIRS, run
from psycopg.conninfo import conninfo_to_dict

from djcli.database.embedded import EmbeddedServer


def main(sessions: int = 500, rounds: int = 3, milliseconds: float = 1.0) -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(Path(folder) / ".djcli")
        server.start()
        try:
            info = conninfo_to_dict(server.conninfo())
            socket = f"{info['host']}/.s.PGSQL.{info['port']}"
            words = [sys.executable, str(HERE / "delaying.py"), socket, folder, str(milliseconds)]
            with subprocess.Popen(words, stdout=subprocess.PIPE) as proxy:
                assert proxy.stdout is not None
                proxy.stdout.readline()
                try:
                    told: dict[str, object] = {
                        "url": f"postgresql://{info['user']}@/{info['dbname']}?host={folder}&port={info['port']}",
                        "settings": {
                            "host": folder,
                            "port": int(info["port"]),
                            "user": info["user"],
                            "password": "none",
                            "name": info["dbname"],
                            "use_tls": False,
                        },
                        "sessions": sessions,
                    }
                    pairs = [(run(OURS, told), run(THEIRS, told)) for _ in range(rounds)]
                finally:
                    proxy.terminate()
        finally:
            server.stop()
    sys.stdout.write(f"{sessions} keys, {milliseconds} ms each way, medians of {rounds} rounds\n")
    for table in pairs[0][0]:
        ratio = statistics.median(theirs[table][0] / ours[table][0] for ours, theirs in pairs)
        sys.stdout.write(f"{table:<16}{ratio:>7.1f}x\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *map(float, sys.argv[3:4]))
