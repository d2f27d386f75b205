"""The project file: finding it, reading it, saying what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from djcli.errors import ConfigError
from djcli.names import did_you_mean
from djcli.settings.address import check_url, conninfo, holds_password
from djcli.settings.known import SETTINGS, find_setting

PROJECT_FILE = "djcli.yaml"


@dataclass(frozen=True, slots=True)
class Profile:
    """A database named in the project file: what libpq is to be told, never a password."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """What a project's file says, with its paths made absolute."""

    root: Path
    path: Path
    pipelines: Path
    profiles: Mapping[str, Profile]
    default_profile: str | None
    settings: Mapping[str, object]


def find_project(start: Path | None = None) -> ProjectFile | None:
    """Read the project that a folder lies in.

    Parameters
    ----------
    start
        Where to look from, upwards; by default `$DJCLI_PROJECT` (a folder or a file), or else the
        current folder.

    Returns
    -------
    ProjectFile or None
        None where no folder from there up to the root has a project file.

    Raises
    ------
    ConfigError
        If the file is wrong, or `DJCLI_PROJECT` names nothing.
    """
    named = os.environ.get("DJCLI_PROJECT") if start is None else None
    if named:
        place = Path(named).expanduser().absolute()
        project = _project_at(place) if place.is_dir() else read_project(place)
        if project is None:
            raise ConfigError(f"DJCLI_PROJECT: no {PROJECT_FILE} in {place} - djcli init makes one")
        return project
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if project := _project_at(folder):
            return project
    return None


def _project_at(folder: Path) -> ProjectFile | None:
    for name in (PROJECT_FILE, "pyproject.toml"):
        path = folder / name
        if path.is_file() and (project := read_project(path)):
            return project
    return None


def read_project(path: Path) -> ProjectFile | None:
    """Read a project file; None for a `pyproject.toml` without `[tool.djcli]`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if path.suffix == ".toml":
        content = _toml_table(path, text) if "djcli" in text else None
        if content is None:
            return None
    else:
        content = _yaml_content(path, text)
    return _project(path, _mapping(content, str(path)))


def _toml_table(path: Path, text: str) -> object:
    import tomllib  # lazy: start-up time

    try:
        return tomllib.loads(text).get("tool", {}).get("djcli")
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def _yaml_content(path: Path, text: str) -> object:
    import yaml  # lazy: start-up time

    try:
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    return {} if content is None else content


def _mapping(content: object, where: str) -> dict[str, object]:
    if not isinstance(content, dict):
        raise ConfigError(f"{where}: must be a mapping of names to values, not {content!r}")
    return {str(key): value for key, value in cast("dict[object, object]", content).items()}


def _known(content: dict[str, object], keys: tuple[str, ...], where: str) -> dict[str, object]:
    for key in content:
        if key not in keys:
            near = did_you_mean(key, keys) or f"; known are {', '.join(keys)}"
            raise ConfigError(f"{where}: unknown key {key!r}{near}")
    return content


def _text(content: dict[str, object], key: str, where: str) -> str | None:
    value = content.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise ConfigError(f"{where}: {key} must be text, not {value!r}")
    return value


def _project(path: Path, content: dict[str, object]) -> ProjectFile:
    _known(content, ("pipelines", "profiles", "default_profile", "settings"), str(path))
    given = _mapping(content.get("profiles") or {}, f"{path}, profiles")
    profiles = {name: _profile(name, value, f"{path}, profile {name!r}") for name, value in given.items()}
    default = _text(content, "default_profile", str(path))
    if default is not None and default not in profiles:
        raise ConfigError(
            f"{path}: default_profile {default!r} is not among its profiles{did_you_mean(default, profiles)}"
        )
    settings = dict(_flat(_mapping(content.get("settings") or {}, f"{path}, settings")))
    for name, value in settings.items():
        if find_setting(name, str(path)).connects:
            raise ConfigError(f"{path}: {name} has no place under settings: name the database as a profile")
        settings[name] = SETTINGS[name].check(name, value, str(path))
    pipelines = path.parent / Path(_text(content, "pipelines", str(path)) or "pipelines").expanduser()
    return ProjectFile(path.parent, path, pipelines, profiles, default, settings)


def _flat(settings: dict[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield dotted names for nested mappings, which is how TOML reads `display.limit = 20`."""
    for key, value in settings.items():
        name = prefix + key
        if isinstance(value, dict) and name not in SETTINGS:
            yield from _flat(_mapping(cast("object", value), name), f"{name}.")
        else:
            yield name, value


_PROFILE_KEYS = ("url", "service", "host", "port", "user", "dbname", "sslmode")


def _profile(name: str, content: object, where: str) -> Profile:
    given: dict[str, object] = {"url": content} if isinstance(content, str) else _mapping(content, where)
    advice = f"{where}: no password belongs in this file: put it into ~/.pgpass or a libpq service file"
    if "password" in given:
        raise ConfigError(advice)
    _known(given, _PROFILE_KEYS, where)
    url = _text(given, "url", where)
    if url is not None:
        if len(given) > 1:
            raise ConfigError(f"{where}: give either url or {', '.join(_PROFILE_KEYS[1:])}, not both")
        check_url(url, where)
        if holds_password(url):
            raise ConfigError(advice)
        return Profile(name, url)
    if not given:
        raise ConfigError(f"{where}: is empty: give it a url, a service, or host, user and dbname")
    for key, value in given.items():
        if not isinstance(value, str) and not (key == "port" and type(value) is int):
            raise ConfigError(f"{where}: {key} must be text, not {value!r}")
    return Profile(name, conninfo({key: str(value) for key, value in given.items()}))
