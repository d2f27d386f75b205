"""Which database: the order of the places that may name one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from djcli.errors import ConfigError
from djcli.settings import config, database_target, without_password
from djcli.settings.address import conninfo

FILE = """
default_profile: lab
profiles:
  lab: {host: db.example.org, port: 5433, user: "o'hara \\\\ x", dbname: science}
  service: {service: mine}
  url: {url: postgresql://alice@bench/science}
  short: postgresql://alice@short/science
"""


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    config.forget()
    yield
    os.environ.clear()
    config.forget()


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    (tmp_path / "djcli.yaml").write_text(FILE)
    os.chdir(tmp_path)
    return tmp_path


def test_without_anything_the_embedded_server_of_this_folder(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    target = database_target()
    assert (target.url, target.folder) == (None, tmp_path / ".djcli")
    assert target.origin == f"embedded server in {tmp_path / '.djcli'}"


def test_in_a_project_the_embedded_server_of_its_root(tmp_path: Path) -> None:
    (tmp_path / "djcli.yaml").write_text("")
    (tmp_path / "below").mkdir()
    assert database_target(start=tmp_path / "below").folder == tmp_path / ".djcli"


def test_the_default_profile(lab: Path) -> None:
    target = database_target()
    assert target.folder is None
    assert target.origin == f"profile 'lab' in {lab / 'djcli.yaml'}"
    assert target.url is not None
    assert conninfo_to_dict(target.url) == {
        "host": "db.example.org",
        "port": "5433",
        "user": "o'hara \\ x",
        "dbname": "science",
    }


@pytest.mark.usefixtures("lab")
def test_each_goes_before_the_next() -> None:
    os.environ["DJCLI_PROFILE"] = "service"
    config.forget()
    assert database_target().url == "service='mine'"
    os.environ["DJCLI_DATABASE_URL"] = "postgresql://env/d"
    config.forget()
    assert database_target().origin == "DJCLI_DATABASE_URL"
    config.set("database.profile", "url", "--profile")
    assert database_target().url == "postgresql://alice@bench/science"
    config.set("database.url", "postgresql://option/d", "--db-url")
    assert database_target().origin == "--db-url"
    assert database_target("postgresql://outright/d").url == "postgresql://outright/d"


@pytest.mark.usefixtures("lab")
def test_the_programs_own_host_user_and_password() -> None:
    with config.override(
        database__host="h", database__user="u", database__password="a b'c", database__use_tls=True
    ):
        target = database_target()
    assert target.url is not None
    assert conninfo_to_dict(target.url) == {
        "host": "h",
        "user": "u",
        "password": "a b'c",
        "sslmode": "require",
    }


@pytest.mark.usefixtures("lab")
def test_a_profile_that_is_not_there() -> None:
    with config.override(database__profile="labb"), pytest.raises(ConfigError, match="did you mean lab"):
        database_target()


def test_a_profile_without_a_project(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    with (
        config.override(database__profile="lab"),
        pytest.raises(ConfigError, match=r"no djcli\.yaml here or above"),
    ):
        database_target()


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "science", "", "http://x?a=b"])
def test_an_address_of_something_else(url: str) -> None:
    with pytest.raises(ConfigError, match="not a PostgreSQL address") as raised:
        database_target(url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:hunter2@h:1/d",
        "postgres://u:hunter2@/d?host=/tmp",
        "postgresql://h/d?user=u&password=hunter2&x=y",
        "host=h password=hunter2 user=u",
        "host=h password = 'hunter2 \\' hunter2' user=u",
    ],
)
def test_passwords_are_masked_and_the_rest_is_not(address: str) -> None:
    masked = without_password(address)
    assert "hunter2" not in masked
    assert "***" in masked
    assert "u" in masked


@given(
    st.dictionaries(
        st.sampled_from(["host", "user", "dbname"]),
        st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))),
    )
)
def test_what_is_quoted_reads_back(keys: dict[str, str]) -> None:
    assert conninfo_to_dict(conninfo(keys)) == keys
