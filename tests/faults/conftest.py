"""Fixtures for tests that break things: servers of their own, and other users."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from djcli.database.embedded import EmbeddedServer

from .serving import Servers, call_as


@pytest.fixture(scope="session")
def prepared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a stopped server's data, to be copied: quicker than making one each time."""
    folder = tmp_path_factory.mktemp("prepared") / ".djcli"
    server = EmbeddedServer(folder)
    try:
        with server.connect() as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    finally:
        server.stop()
    return folder


@pytest.fixture
def servers(prepared_folder: Path) -> Iterator[Servers]:
    """Make servers for this test."""
    made = Servers(prepared_folder)
    yield made
    made.end()


@pytest.fixture
def as_user() -> Callable[[str, Callable[[], Any]], Any]:
    """Call a function as another user, and return its result or raise its error; for root only."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    return call_as
