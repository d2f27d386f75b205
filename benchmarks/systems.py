"""Running a script in either system, each in a process of its own, on one embedded server."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from djcli.database.embedded import EmbeddedServer

HERE = Path(__file__).parent

OURS = """
import djcli as dj
from djcli.settings import config

config["database.url"] = told["url"]
dj.config["safemode"] = False
SCHEMA = "bench_ours"
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
SCHEMA = "bench_theirs"
"""

_START = """
import json, sys

told = json.loads(sys.argv[1])
exec(told["system"])
exec(told["script"])
"""

Told = dict[str, Any]


@contextmanager
def server() -> Iterator[Told]:
    """Start a server; yields what the systems must know of it."""
    with tempfile.TemporaryDirectory() as folder:
        embedded = EmbeddedServer(Path(folder) / ".djcli")
        embedded.start()
        try:
            with embedded.connect() as connection:
                info = connection.info
                settings = {
                    "host": info.host,
                    "port": info.port,
                    "user": info.user,
                    "password": "none",
                    "name": info.dbname,
                    "use_tls": False,
                }
            yield {"url": embedded.url(), "settings": settings}
        finally:
            embedded.stop()


def run(system: str, script: str, told: Told) -> Any:
    """Run a script after a system's own lines, which provide ``dj`` and ``SCHEMA``.

    Returns what it prints last, read as JSON.
    """
    words = json.dumps({**told, "system": system, "script": script})
    done = subprocess.run(
        [sys.executable, "-c", _START, words], capture_output=True, text=True, check=False, cwd=HERE
    )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])
