"""Which database to use, and which setting says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from djcli.errors import ConfigError
from djcli.names import did_you_mean
from djcli.settings.address import check_url, conninfo
from djcli.settings.config import ENVIRONMENT, PROGRAM, config
from djcli.settings.file import PROJECT_FILE, ProjectFile, find_project

DATA_FOLDER = ".djcli"


@dataclass(frozen=True, slots=True)
class DatabaseTarget:
    """Which database to use, and which setting says so.

    Attributes
    ----------
    url
        What libpq is told, a URL or `key=value` pairs; None for the embedded server.
    origin
        The setting that named it, for messages: `--db-url`, `profile 'lab' in /x/djcli.yaml`.
    folder
        The `.djcli` folder of the embedded server; None for any other.
    """

    url: str | None
    origin: str
    folder: Path | None = None


def database_target(url: str | None = None, start: Path | None = None) -> DatabaseTarget:
    """Find out which database to use.

    The first of these that is there: `url`; what the program or the command line set
    (`database.url`, `database.profile`, `database.host` with its kin); the same from the environment
    (`DJCLI_DATABASE_URL`, `DJCLI_PROFILE`, `DJCLI_DATABASE_HOST`); the file's `default_profile`; the
    embedded server of the project, or of the current folder.

    Parameters
    ----------
    url
        An address given outright.
    start
        The folder to look for the project from; by default the current one.

    Raises
    ------
    ConfigError
        If an address is none, or a profile is not there.
    """
    if url is not None:
        return DatabaseTarget(check_url(url, "the address given"), "the address given")
    for level in (PROGRAM, ENVIRONMENT):
        if target := _target_at(level, start):
            return target
    project = find_project(start)
    if project is not None and project.default_profile is not None:
        return _profile_target(project.default_profile, str(project.path), project)
    root = project.root if project is not None else (start or Path.cwd()).absolute()
    folder = root / DATA_FOLDER
    return DatabaseTarget(None, f"embedded server in {folder}", folder)


def _target_at(level: int, start: Path | None) -> DatabaseTarget | None:
    def given(name: str) -> tuple[str, str] | None:
        at, origin = config.origin(f"database.{name}")
        value = config[f"database.{name}"]
        return (str(value), origin) if at == level and value is not None else None

    if found := given("url"):
        return DatabaseTarget(check_url(*found), found[1])
    if found := given("profile"):
        return _profile_target(*found, find_project(start))
    if found := given("host"):
        return DatabaseTarget(conninfo(_server_keys()), found[1])
    return None


def _server_keys() -> dict[str, str]:
    names = {"host": "host", "port": "port", "user": "user", "password": "password", "dbname": "name"}
    values = {key: config[f"database.{name}"] for key, name in names.items()}
    if config["database.use_tls"] is not None:
        values["sslmode"] = "require" if config["database.use_tls"] else "disable"
    return {key: str(value) for key, value in values.items() if value is not None}


def _profile_target(name: str, origin: str, project: ProjectFile | None) -> DatabaseTarget:
    if project is None:
        raise ConfigError(
            f"profile {name!r} ({origin}): there is no {PROJECT_FILE} here or above to define it"
        )
    if name not in project.profiles:
        near = did_you_mean(name, project.profiles)
        near = near or f"; it has {', '.join(project.profiles) or 'no profiles'}"
        raise ConfigError(f"there is no profile {name!r} ({origin}) in {project.path}{near}")
    return DatabaseTarget(project.profiles[name].url, f"profile {name!r} in {project.path}")
