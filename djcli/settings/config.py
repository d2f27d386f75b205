"""The settings object: values, and where each came from."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from djcli.settings.file import find_project
from djcli.settings.known import SETTINGS, environment_name, find_setting

DEFAULT, FILE, ENVIRONMENT, PROGRAM = range(4)
"""Where a value came from; the higher wins."""


class Config:
    """The settings, by dotted name (`config['display.limit']`) or attribute (`config.display.limit`)."""

    def __init__(self) -> None:
        self._values: dict[str, object] = {}
        self._origins: dict[str, tuple[int, str]] = {}

    def forget(self) -> None:
        """Forget what was set; file and environment are read anew when a value is next asked for."""
        self._values, self._origins = {}, {}

    def _load(self) -> None:
        if self._values:
            return
        values = {name: deepcopy(setting.default) for name, setting in SETTINGS.items()}
        origins: dict[str, tuple[int, str]] = dict.fromkeys(SETTINGS, (DEFAULT, "default"))
        project = find_project()
        if project is not None:
            values.update(deepcopy(dict(project.settings)))
            origins.update(dict.fromkeys(project.settings, (FILE, str(project.path))))
        for name, setting in SETTINGS.items():
            variable = environment_name(name)
            if text := os.environ.get(variable):
                values[name] = setting.parse(name, text, variable)
                origins[name] = (ENVIRONMENT, variable)
        self._values, self._origins = values, origins

    def set(self, name: str, value: object, origin: str = "set by the program") -> None:
        """Set one setting and remember where the value came from, for messages."""
        setting = find_setting(name)
        self._load()
        self._values[name] = setting.check(name, value, origin)
        self._origins[name] = (PROGRAM, origin)

    def origin(self, name: str) -> tuple[int, str]:
        """Return the level and the place that a setting's value came from."""
        find_setting(name)
        self._load()
        return self._origins[name]

    def set_by_program(self) -> dict[str, tuple[object, str]]:
        """Return the settings that neither file nor environment tells, each with its value and its origin."""
        self._load()
        origins = self._origins.items()
        return {name: (self._values[name], text) for name, (level, text) in origins if level == PROGRAM}

    def get(self, name: str, default: object = None) -> Any:
        """Return a setting's value, or `default` where there is no such setting or it is None."""
        return default if name not in self or self[name] is None else self[name]

    @contextmanager
    def override(self, names: Mapping[str, object] | None = None, /, **values: object) -> Generator[Config]:
        """Set settings for the duration of a `with` block.

        Parameters
        ----------
        names
            Values by dotted name.
        **values
            Values by name, with two underscores for each dot: `display__limit=3`.
        """
        given = dict(names or {}) | {name.replace("__", "."): value for name, value in values.items()}
        self._load()
        before = dict(self._values), dict(self._origins)
        try:
            for name, value in given.items():
                self.set(name, value)
            yield self
        finally:
            self._values, self._origins = before

    def __getitem__(self, name: str) -> Any:
        """Return the value of a setting by its dotted name."""
        find_setting(name)
        self._load()
        return self._values[name]

    def __setitem__(self, name: str, value: object) -> None:
        """Set a setting by its dotted name."""
        self.set(name, value)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a setting."""
        return name in SETTINGS

    def __iter__(self) -> Iterator[str]:
        """Go over the names of all settings."""
        return iter(SETTINGS)

    def __getattr__(self, name: str) -> Any:
        """Return a value, or the section of settings, by its name."""
        return _attribute(self, "", name)

    def __setattr__(self, name: str, value: object) -> None:
        """Set a setting by its name."""
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self.set(name, value)

    def __repr__(self) -> str:
        """List the settings, their values and where they come from."""
        return "\n".join(f"{name}: {self._shown(name)}  # {self.origin(name)[1]}" for name in self)

    def _shown(self, name: str) -> str:
        return "'***'" if name == "database.password" and self[name] else repr(self[name])


class Section:
    """The settings that share the first part of their name, such as `config.display`."""

    def __init__(self, owner: Config, prefix: str) -> None:
        object.__setattr__(self, "_owner", owner)
        object.__setattr__(self, "_prefix", prefix)

    def __getattr__(self, name: str) -> Any:
        """Return a value, or the section of settings, by its name."""
        return _attribute(self._owner, self._prefix, name)

    def __setattr__(self, name: str, value: object) -> None:
        """Set a setting by its name."""
        self._owner.set(f"{self._prefix}.{name}", value)

    def __repr__(self) -> str:
        """List the settings, their values and where they come from."""
        lines = repr(self._owner).splitlines()
        return "\n".join(line for line in lines if line.startswith(f"{self._prefix}."))


def _attribute(owner: Config, prefix: str, name: str) -> Any:
    if name.startswith("_"):  # what Python and notebooks ask any object for
        raise AttributeError(name)
    full = f"{prefix}.{name}" if prefix else name
    if any(known.startswith(f"{full}.") for known in SETTINGS):
        return Section(owner, full)
    return owner[full]


config = Config()
"""The settings of this process."""
