"""The project file: where it is found, what it may say, what is said when it is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from djcli.errors import ConfigError
from djcli.settings import find_project


def project(folder: Path, text: str, name: str = "djcli.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_no_project(tmp_path: Path) -> None:
    assert find_project(tmp_path) is None


def test_the_nearest_file_above_counts(tmp_path: Path) -> None:
    project(tmp_path, "default_profile: a\nprofiles: {a: {host: outer}}")
    inner = tmp_path / "inner"
    (inner / "deep" / "er").mkdir(parents=True)
    project(inner, "pipelines: code")
    found = find_project(inner / "deep" / "er")
    assert found is not None
    assert (found.root, found.pipelines, found.default_profile) == (inner, inner / "code", None)


def test_an_empty_file_makes_a_project(tmp_path: Path) -> None:
    path = project(tmp_path, "")
    found = find_project(tmp_path)
    assert found is not None
    assert (found.path, found.pipelines, dict(found.settings)) == (path, tmp_path / "pipelines", {})


def test_pyproject_serves_too(tmp_path: Path) -> None:
    project(
        tmp_path,
        '[tool.djcli]\npipelines = "code"\n[tool.djcli.settings]\ndisplay.limit = 9',
        "pyproject.toml",
    )
    found = find_project(tmp_path)
    assert found is not None
    assert found.pipelines == tmp_path / "code"
    assert dict(found.settings) == {"display.limit": 9}


@pytest.mark.parametrize("text", ['[project]\nname = "djcli"', "broken [", "[tool.other]\nx = 1"])
def test_a_pyproject_of_something_else_is_passed_by(tmp_path: Path, text: str) -> None:
    project(tmp_path, text, "pyproject.toml")
    assert find_project(tmp_path) is None


def test_yaml_goes_before_pyproject(tmp_path: Path) -> None:
    project(tmp_path, "pipelines: a")
    project(tmp_path, '[tool.djcli]\npipelines = "b"', "pyproject.toml")
    found = find_project(tmp_path)
    assert found is not None
    assert found.pipelines == tmp_path / "a"


@pytest.mark.parametrize("as_file", [True, False])
def test_a_variable_names_the_project(tmp_path: Path, as_file: bool) -> None:
    path = project(tmp_path, "")
    os.environ["DJCLI_PROJECT"] = str(path if as_file else tmp_path)
    found = find_project()
    assert found is not None
    assert found.root == tmp_path


@pytest.mark.parametrize("place", ["", "missing", "missing/djcli.yaml"])
def test_a_variable_that_names_no_project_is_an_error(tmp_path: Path, place: str) -> None:
    os.environ["DJCLI_PROJECT"] = str(tmp_path / place)
    with pytest.raises(ConfigError):
        find_project()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pipelines: [", r"djcli\.yaml, line 1, column 13: not valid YAML"),
        ("a: b\n c: d", r"djcli\.yaml, line 2"),
        ("\x07", "not valid YAML"),
        ("- a", "must be a mapping"),
        ("pipeline: x", r"unknown key 'pipeline' - did you mean pipelines"),
        ("zzz: x", r"unknown key 'zzz'; known are pipelines"),
        ("pipelines: 3", "pipelines must be text, not 3"),
        ("profiles: [a]", "profiles: must be a mapping"),
        ("profiles: {a: {}}", "profile 'a': is empty"),
        ("profiles: {a: null}", "profile 'a': must be a mapping"),
        ("profiles: {a: {hots: x}}", "profile 'a': unknown key 'hots' - did you mean host"),
        ("profiles: {a: {host: x, password: y}}", r"no password belongs in this file.*\.pgpass"),
        ("profiles: {a: {url: 'postgresql://me:y@h/d'}}", "no password belongs in this file"),
        ("profiles: {a: {url: 'postgresql://h/d?password=y'}}", "no password belongs in this file"),
        ("profiles: {a: 'host=h password=y'}", "no password belongs in this file"),
        ("profiles: {a: {url: 'mysql://h/d'}}", "is not a PostgreSQL address"),
        ("profiles: {a: {url: 'postgresql://h', host: h}}", "either url or"),
        ("profiles: {a: {host: 3}}", "host must be text"),
        (
            "default_profile: lap\nprofiles: {lab: {host: h}}",
            "'lap' is not among its profiles - did you mean lab",
        ),
        ("settings: {display.limt: 3}", "no setting 'display.limt'"),
        ("settings: {display.limit: no}", "must be a whole number, not False"),
        ("settings: {database.host: h}", "name the database as a profile"),
        ("settings: {database.password: h}", "name the database as a profile"),
    ],
)
def test_a_wrong_file_says_what_is_wrong_and_where(tmp_path: Path, text: str, message: str) -> None:
    project(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as raised:
        find_project(tmp_path)
    assert str(tmp_path / "djcli.yaml") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_secret_is_not_repeated(tmp_path: Path) -> None:
    project(tmp_path, "profiles: {a: {url: 'mysql://me:hunter2@h/d'}}")
    with pytest.raises(ConfigError) as raised:
        find_project(tmp_path)
    assert "hunter2" not in str(raised.value)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "djcli.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigError, match="cannot read"):
        find_project(tmp_path)


def test_broken_toml(tmp_path: Path) -> None:
    project(tmp_path, "[tool.djcli]\npipelines = = 3", "pyproject.toml")
    with pytest.raises(ConfigError, match=r"pyproject\.toml: not valid TOML.*line 2"):
        find_project(tmp_path)
