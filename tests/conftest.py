"""Fixtures for all tests: a server for the run, a fresh database for a test, isolation from the developer."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from djcli.database.embedded import EmbeddedServer
from djcli.errors import DataJointError
from djcli.settings import DatabaseTarget
from djcli.tables.instance import Instance, use_instance

OURS = ("DJCLI_TEST_SERVER", "DJCLI_SOAK")
"""Variables that steer the tests; all other ``DJCLI_*``, ``DJ_*`` and ``PG*`` are the developer's own."""

_numbers = count(1)


def _strip_environment() -> None:
    """Forget whatever the developer has set for djcli or for PostgreSQL's clients."""
    for name in list(os.environ):
        if name.startswith(("DJCLI_", "DJ_", "PG")) and name not in OURS:
            del os.environ[name]


_strip_environment()

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # as under nohup: what tests start could not be interrupted
    signal.signal(signal.SIGINT, signal.default_int_handler)

# In CI the generated examples are the same each time: what it says depends on the code alone.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


def database_in(server_url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    options = {key: str(value) for key, value in conninfo_to_dict(server_url).items() if value is not None}
    options.pop("dbname", None)
    return f"postgresql:///{quote(name, safe='')}?{urlencode(options, quote_via=quote)}"


@pytest.fixture(scope="session")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty folder, in which no project is found."""
    return tmp_path_factory.mktemp("nowhere")


@pytest.fixture(autouse=True)
def isolation(nowhere: Path) -> Iterator[None]:
    """Run each test in an empty folder, and undo what it does to the environment."""
    # No monkeypatch or tmp_path: hypothesis objects to fixtures of a single test.
    before = dict(os.environ)
    os.chdir(nowhere)
    yield
    os.chdir(nowhere)
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of the run's server: an embedded one, or the one that DJCLI_TEST_SERVER names."""
    named = os.environ.get("DJCLI_TEST_SERVER")
    embedded = None if named else EmbeddedServer(tmp_path_factory.mktemp("server") / ".djcli")
    try:
        if embedded is None:
            url = database_in(str(named), str(conninfo_to_dict(str(named)).get("dbname") or "postgres"))
        else:
            embedded.start()
            url = embedded.url()
        psycopg.connect(url, connect_timeout=10).close()
    except (DataJointError, psycopg.Error) as error:
        pytest.exit(f"no server to test with: {' '.join(str(error).split())}", returncode=2)
    yield url
    if embedded is not None:
        embedded.stop()


@pytest.fixture(scope="session")
def admin(server_url: str) -> Iterator[psycopg.Connection]:
    """Connect as the one that makes and drops the tests' databases."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def template_database(admin: psycopg.Connection) -> Iterator[str]:
    """Make the database that every test's own is a copy of."""
    name = f"djcli_template_{os.getpid()}"
    admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    yield name
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database_url(admin: psycopg.Connection, server_url: str, template_database: str) -> Iterator[str]:
    """Make a fresh, empty database for this test and return its URL."""
    name = f"djcli_test_{os.getpid()}_{next(_numbers)}"
    identifier = sql.Identifier(name)
    admin.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(identifier, sql.Identifier(template_database))
    )
    yield database_in(server_url, name)
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))


@pytest.fixture(scope="session")
def soak() -> Callable[[int, int], int]:
    """Choose how often to do a thing: ``soak(short, long)`` is the long count only with DJCLI_SOAK=1."""
    return lambda short, long: long if os.environ.get("DJCLI_SOAK") == "1" else short


@pytest.fixture
def instance(database_url: str) -> Iterator[Instance]:
    """Make the default instance one whose database is this test's own."""
    made = Instance(DatabaseTarget(database_url, "the test"))
    use_instance(made)
    yield made
    made.connection.close()
    use_instance(None)


@pytest.fixture
def statements(instance: Instance) -> Iterator[list[str]]:
    """Record every statement that goes through the instance's connection."""
    seen: list[str] = []
    instance.connection.observers.append(seen.append)
    yield seen
    instance.connection.observers.remove(seen.append)
