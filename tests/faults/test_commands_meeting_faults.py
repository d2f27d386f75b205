"""Commands that meet each other, or lose their server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from djcli.database.embedded import EmbeddedServer

from .serving import Servers, crash, wait_for

PIPELINE = '''
import os
from pathlib import Path

import djcli as dj

schema = dj.Schema("slow")


@schema
class Item(dj.Lookup):
    definition = """
    item : int32
    """
    contents = [(i,) for i in range(6)]


@schema
class Slow(dj.Imported):
    definition = """
    -> Item
    ---
    twice : int32
    """

    def make(self, key):
        with open("calls", "a") as calls:
            calls.write(f"{key['item']}\\n")
        if key["item"] == 2:
            with open("gate") as gate:  # until somebody opens the other end
                gate.read()
        self.insert1({**key, "twice": 2 * key["item"]})
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "djcli.yaml").write_text("")
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "slow.py").write_text(PIPELINE)
    os.mkfifo(tmp_path / "gate")
    return tmp_path


STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Generator[None]:
    """End the commands that a failed test leaves behind: their warnings would fail the next one."""
    yield
    for process in STARTED:
        process.kill()
        process.communicate()
    STARTED.clear()


def start(project: Path, *words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "djcli.cli.main", *words],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    STARTED.append(process)
    return process


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def calls(project: Path) -> list[str]:
    path = project / "calls"
    return path.read_text().split() if path.exists() else []


def test_two_applies_at_once_declare_once(project: Path, database_url: str) -> None:
    both = [start(project, "apply", "--db-url", database_url) for _ in range(2)]
    results = [finish(process) for process in both]
    assert [code for code, _, _ in results] == [0, 0], results
    outs = sorted(out for _, out, _ in results)
    assert "declared slow.Slow" in outs[1] or "declared slow.Slow" in outs[0]
    assert sum("declared slow.Slow" in out for out in outs) == 1
    assert finish(start(project, "diff", "--check", "--db-url", database_url))[0] == 0


def test_a_killed_embedded_server_does_not_stop_populate(project: Path) -> None:
    server = EmbeddedServer(project / ".djcli")
    try:
        assert finish(start(project, "apply"))[0] == 0
        populate = start(project, "populate")
        wait_for(lambda: calls(project) == ["0", "1", "2"])
        crash(server)
        (project / "gate").write_text("go on")
        wait_for(lambda: calls(project)[-1:] == ["2"] and len(calls(project)) == 4)
        (project / "gate").write_text("go on")
        code, out, err = finish(populate)
        assert (code, "6 made" in out) == (0, True), (out, err)
        assert calls(project) == ["0", "1", "2", "2", "3", "4", "5"]
        shown = finish(start(project, "show", "Slow", "--format", "csv"))[1]
        assert shown.split() == ["item,twice", *(f"{i},{2 * i}" for i in range(6))]
    finally:
        server.stop()


def test_a_server_that_stays_away_is_one_clear_line(project: Path, servers: Servers) -> None:
    server = servers.fresh(project / "elsewhere")
    server.start()
    url = server.url()
    assert finish(start(project, "apply", "--db-url", url))[0] == 0
    os.environ["DJCLI_DATABASE_RECONNECT_TIMEOUT"] = "1"
    populate = start(project, "populate", "--db-url", url)
    wait_for(lambda: calls(project) == ["0", "1", "2"])
    server.stop()
    (project / "gate").write_text("go on")
    code, out, err = finish(populate)
    assert code == 1
    assert "2 made" in out
    assert "Traceback" not in err
    assert "cannot reach the database" in err
    assert "--db-url" in err


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_is_done_and_says_so(
    project: Path, database_url: str, number: signal.Signals, exit_code: int
) -> None:
    assert finish(start(project, "apply", "--db-url", database_url))[0] == 0
    populate = start(project, "populate", "--db-url", database_url)
    wait_for(lambda: calls(project) == ["0", "1", "2"])
    populate.send_signal(number)
    code, out, err = finish(populate)
    assert code == exit_code
    assert "2 made" in out
    assert "Traceback" not in err
    progress = finish(start(project, "progress", "--format", "json", "--db-url", database_url))[1]
    assert '"done": 2' in progress
