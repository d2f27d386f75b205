"""`djcli db`: the embedded server of a project, from any folder below it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from djcli.database.embedded import EmbeddedServer

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.fixture
def project(folder: Path) -> Iterator[Path]:
    (folder / "djcli.yaml").write_text("")
    (folder / "deep").mkdir()
    os.chdir(folder / "deep")
    yield folder
    EmbeddedServer(folder / ".djcli").stop()


def test_a_server_from_start_to_stop(djcli: Run, project: Path) -> None:
    before = json.loads(djcli("db", "status", "--format", "json").out)
    assert before["running"] is False
    assert not (project / ".djcli" / "data").exists(), "asking starts nothing"

    assert "started" in djcli("db", "start").out
    assert djcli("db", "start").out == "runs already\n"
    with psycopg.connect(djcli("db", "url").out.strip()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)

    status = json.loads(djcli("db", "status", "--format", "json").out)
    assert status["running"] is True
    assert status["data"].startswith(str(project / ".djcli"))
    assert status["version"].startswith("18")
    lines = djcli("db", "status").out.splitlines()
    assert lines[0].split() == ["running", "yes"]
    assert f"{status['pid']}" in " ".join(lines)

    assert djcli("db", "stop").out == "stopped\n"
    assert djcli("db", "stop").out == "was not running\n"


@pytest.mark.parametrize("verb", ["start", "stop"])
@pytest.mark.usefixtures("folder")
def test_another_server_is_not_ours_to_start_or_stop(djcli: Run, verb: str, database_url: str) -> None:
    result = djcli("db", verb, "--db-url", database_url)
    assert result.code == 1
    assert "--db-url" in result.err


@pytest.mark.usefixtures("folder")
def test_the_status_of_another_server(djcli: Run, database_url: str) -> None:
    status = json.loads(djcli("db", "status", "--format", "json", "--db-url", database_url).out)
    assert status["running"] is True
    assert status["setting"] == "--db-url"
