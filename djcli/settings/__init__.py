"""The settings (`config`), the project file, and which database they name.

A project is a folder with `djcli.yaml`, or with a `pyproject.toml` that has a table `[tool.djcli]`::

    pipelines: pipelines            # the folder of pipeline modules, beside this file
    default_profile: lab            # which of the profiles holds when none is named
    profiles:                       # databases; with none, djcli runs its own in .djcli/
      lab: {host: db.example.org, user: alice, dbname: science}
      cloud: {service: my_pg_service}
      bench: {url: postgresql://alice@bench/science}
    settings: {display.limit: 20, safemode: true}

Every key may be left out. Settings come from their defaults, then this file, then the environment
(`DJCLI_DISPLAY_LIMIT` for `display.limit`), then the program. Nothing is read before it is needed.
"""

from djcli.settings.address import check_url, without_password
from djcli.settings.config import Config, config
from djcli.settings.file import PROJECT_FILE, Profile, ProjectFile, find_project, read_project
from djcli.settings.target import DATA_FOLDER, DatabaseTarget, database_target

__all__ = [
    "DATA_FOLDER",
    "PROJECT_FILE",
    "Config",
    "DatabaseTarget",
    "Profile",
    "ProjectFile",
    "check_url",
    "config",
    "database_target",
    "find_project",
    "read_project",
    "without_password",
]
