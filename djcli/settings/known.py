"""Which settings there are: their types, their defaults, and what they may be."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import cast

from djcli.errors import ConfigError
from djcli.names import did_you_mean


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its type, its default, and what it may be."""

    kind: type
    default: object = None
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    connects: bool = False
    """Whether it names a database; such settings have no place in the project file's `settings`."""

    def check(self, name: str, value: object, origin: str) -> object:
        """Return the value as it is kept, or raise `ConfigError` naming where it came from."""
        if value is None and self.default is None:
            return None
        if self.kind is str and isinstance(value, os.PathLike):
            value = os.fspath(cast("os.PathLike[str]", value))
        if not isinstance(value, self.kind) or (self.kind is int and isinstance(value, bool)):
            raise ConfigError(f"setting {name!r} ({origin}) must be {_KINDS[self.kind]}, not {value!r}")
        if self.choices and value not in self.choices:
            raise ConfigError(
                f"setting {name!r} ({origin}) must be one of {', '.join(self.choices)}, not {value!r}"
            )
        if self.minimum is not None and isinstance(value, int) and value < self.minimum:
            raise ConfigError(f"setting {name!r} ({origin}) must be at least {self.minimum}, not {value}")
        return value

    def parse(self, name: str, text: str, origin: str) -> object:
        """Read the value from the text of an environment variable."""
        if self.kind is bool:
            word = text.strip().lower()
            if word in ("1", "true", "yes", "on"):
                return True
            if word in ("0", "false", "no", "off"):
                return False
            return self.check(name, text, origin)
        if self.kind is int and re.fullmatch(r"\s*[+-]?\d+\s*", text):
            return self.check(name, int(text), origin)
        return self.check(name, text, origin)


_KINDS = {bool: "true or false", int: "a whole number", str: "text", dict: "a mapping"}

SETTINGS: dict[str, Setting] = {
    "database.url": Setting(str, connects=True),
    "database.profile": Setting(str, connects=True),
    "database.backend": Setting(str, default="postgresql", choices=("postgresql",)),
    "database.host": Setting(str, connects=True),
    "database.port": Setting(int, minimum=1, connects=True),
    "database.user": Setting(str, connects=True),
    "database.password": Setting(str, connects=True),
    "database.name": Setting(str, connects=True),
    "database.use_tls": Setting(bool, connects=True),
    "database.reconnect": Setting(bool, default=True),
    "database.reconnect_timeout": Setting(int, default=60, minimum=0),
    "database.create_tables": Setting(bool, default=True),
    "display.limit": Setting(int, default=12, minimum=1),
    "display.width": Setting(int, default=14, minimum=1),
    "display.show_tuple_count": Setting(bool, default=True),
    "display.diagram_direction": Setting(str, default="LR", choices=("LR", "TB")),
    "jobs.auto_refresh": Setting(bool, default=True),
    "jobs.keep_completed": Setting(bool, default=False),
    "jobs.stale_timeout": Setting(int, default=3600, minimum=0),
    "jobs.default_priority": Setting(int, default=5, minimum=0),
    "jobs.version_method": Setting(str, choices=("git", "none")),
    "jobs.allow_new_pk_fields_in_computed_tables": Setting(bool, default=False),
    "jobs.add_job_metadata": Setting(bool, default=False),
    "stores": Setting(dict, default={}),
    "loglevel": Setting(str, default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    "safemode": Setting(bool, default=True),
    "download_path": Setting(str, default="."),
}


class UnknownSettingError(ConfigError, AttributeError, KeyError):
    """There is no such setting (an attribute and key error too, so that `hasattr` works)."""


def find_setting(name: str, origin: str = "") -> Setting:
    """Return the description of a setting, or raise `UnknownSettingError` with near names."""
    try:
        return SETTINGS[name]
    except KeyError:
        where = f" ({origin})" if origin else ""
        raise UnknownSettingError(
            f"there is no setting {name!r}{where}{did_you_mean(name, SETTINGS)}"
        ) from None


def environment_name(setting: str) -> str:
    """Return the environment variable of a setting: `DJCLI_DISPLAY_LIMIT` for `display.limit`."""
    if setting == "database.profile":
        return "DJCLI_PROFILE"
    return "DJCLI_" + setting.replace(".", "_").upper()
