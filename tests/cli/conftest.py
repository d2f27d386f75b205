"""Fixtures for tests of the command line: run it in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from djcli.cli.app import run
from djcli.settings import config


@dataclass(frozen=True)
class Result:
    """What a run of the command came to."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def djcli(capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run the command line in this process."""
    path, modules = list(sys.path), set(sys.modules)

    def call(*args: str) -> Result:
        capfd.readouterr()
        code = run(args)
        sys.stdout.flush()
        out, err = capfd.readouterr()
        return Result(code, out, err)

    yield call
    config.forget()
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        # pipelines of other tests have the same names
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and "pipelines" in Path(file).parts:
            del sys.modules[name]


@pytest.fixture
def command() -> Run:
    """Run the command line in a process of its own."""

    def call(*args: str, **options: object) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "djcli.cli.main", *args],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **options.pop("env", {})},  # type: ignore[dict-item]
            **options,  # type: ignore[call-overload]
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make an empty folder the current one."""
    os.chdir(tmp_path)
    return tmp_path
