"""The settings object: values, types, where they come from, overriding."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from djcli.errors import ConfigError
from djcli.settings import Config


@pytest.fixture
def config() -> Config:
    return Config()


def test_the_three_ways_to_a_value_agree(config: Config) -> None:
    assert config["display.limit"] == config.display.limit == config.get("display.limit") == 12
    config.display.limit = 3
    assert config["display.limit"] == 3
    config["display.limit"] = 4
    assert config.display.limit == 4
    config.safemode = False
    assert config["safemode"] is False


@pytest.mark.parametrize("name", ["displai.limit", "display.limt", "nope"])
def test_an_unknown_name_is_an_error_in_every_way(config: Config, name: str) -> None:
    with pytest.raises(ConfigError, match="there is no setting"):
        config[name]
    with pytest.raises(ConfigError, match="there is no setting"):
        config[name] = 1
    assert name not in config
    assert config.get(name, 7) == 7


def test_an_unknown_name_suggests_the_near_one(config: Config) -> None:
    with pytest.raises(ConfigError, match=r"display\.limit"):
        config["display.limt"]
    with pytest.raises(ConfigError, match=r"did you mean safemode"):
        config.safemod = True
    assert not hasattr(config, "safemod")
    assert not hasattr(config.display, "limt")


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("display.limit", "12", "a whole number"),
        ("display.limit", True, "a whole number"),
        ("display.limit", 0, "at least 1"),
        ("display.limit", None, "a whole number"),
        ("safemode", 1, "true or false"),
        ("loglevel", "LOUD", "one of DEBUG"),
        ("stores", [], "a mapping"),
        ("database.backend", "mysql", "one of postgresql"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(config: Config, name: str, value: object, what: str) -> None:
    before = config[name]
    with pytest.raises(ConfigError, match=what):
        config[name] = value
    assert config[name] == before


def test_a_setting_without_default_may_be_unset(config: Config) -> None:
    config["database.host"] = "db"
    config["database.host"] = None
    assert config["database.host"] is None


def test_override_ends_with_its_block(config: Config) -> None:
    with config.override(safemode=False, display__limit=2), config.override({"display.width": 5}):
        assert (config.safemode, config.display.limit, config.display.width) == (False, 2, 5)
    assert (config.safemode, config.display.limit, config.display.width) == (True, 12, 14)


def test_override_ends_when_a_later_name_is_wrong(config: Config) -> None:
    with pytest.raises(ConfigError), config.override(safemode=False, nope=1):
        pytest.fail("the block must not run")
    assert config.safemode is True


def test_paths_become_text(config: Config) -> None:
    config.download_path = Path("downloads")
    assert config.download_path == "downloads"


def test_a_store_added_in_place_stays_and_touches_no_default(config: Config) -> None:
    config.stores["raw"] = {"protocol": "file"}
    assert config["stores"] == {"raw": {"protocol": "file"}}
    assert Config().stores == {}


@pytest.mark.parametrize(("text", "value"), [("0", False), ("Yes", True), ("off", False), ("TRUE", True)])
def test_the_environment_is_read(config: Config, text: str, value: bool) -> None:
    os.environ["DJCLI_SAFEMODE"] = text
    os.environ["DJCLI_DISPLAY_LIMIT"] = "33"
    assert config.safemode is value
    assert config.display.limit == 33
    assert config.origin("safemode")[1] == "DJCLI_SAFEMODE"


@pytest.mark.parametrize(("name", "text"), [("DJCLI_SAFEMODE", "perhaps"), ("DJCLI_DISPLAY_LIMIT", "ten")])
def test_a_wrong_variable_is_named(config: Config, name: str, text: str) -> None:
    os.environ[name] = text
    with pytest.raises(ConfigError, match=name):
        _ = config.loglevel


def test_the_file_gives_way_to_the_environment_and_that_to_the_program(
    config: Config, tmp_path: Path
) -> None:
    (tmp_path / "djcli.yaml").write_text(
        "settings: {display.limit: 1, display: {width: 20}, loglevel: DEBUG}"
    )
    os.chdir(tmp_path)
    os.environ["DJCLI_DISPLAY_WIDTH"] = "30"
    os.environ["DJCLI_LOGLEVEL"] = "ERROR"
    config.loglevel = "INFO"
    assert (config.display.limit, config.display.width, config.loglevel) == (1, 30, "INFO")


def test_nothing_is_read_before_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "djcli.yaml").write_text("settings: {display.limit: wrong}")
    os.chdir(tmp_path)
    config = Config()
    with pytest.raises(ConfigError, match=r"djcli\.yaml"):
        _ = config.safemode


def test_the_printed_form_lists_all_and_hides_the_password(config: Config) -> None:
    config.database.password = "open sesame"
    text = repr(config)
    assert "display.limit: 12" in text
    assert "sesame" not in text
    assert "sesame" not in repr(config.database)
