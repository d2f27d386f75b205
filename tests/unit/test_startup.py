"""What `djcli --version` and `djcli --help` may import: the price of every call of the command."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, sys
before = set(sys.modules)
sys.argv = ["djcli", *sys.argv[1:]]
from djcli.cli.main import main
try:
    main()
finally:
    sys.stdout.write("\\n" + json.dumps(sorted(set(sys.modules) - before)))
"""

FRAMEWORK = {"typer", "annotated_doc", "shellingham"}
LEAVES = {"djcli", "djcli.version", "djcli.errors", "djcli.names", "djcli.forking"}


def imported(*args: str) -> tuple[str, set[str]]:
    """Run the command line; return what it printed and the modules that it imported."""
    # coverage tools and site customisations must not add to the picture: -I
    run = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, *args], capture_output=True, text=True, check=True
    )
    text, _, modules = run.stdout.rpartition("\n")
    return text, set(json.loads(modules))


def foreign(modules: set[str]) -> set[str]:
    """Return the packages among the modules that are neither Python's nor ours."""
    packages = {name.partition(".")[0] for name in modules}
    return packages - set(sys.stdlib_module_names) - {"djcli", "__mp_main__"}


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "djcli"}


def test_version_imports_next_to_nothing() -> None:
    text, modules = imported("--version")
    assert text.startswith("djcli ")
    assert ours(modules) == {"djcli", "djcli.cli", "djcli.cli.main", "djcli.version"}
    assert foreign(modules) == set()
    assert not modules & {"typing", "inspect", "dataclasses", "pathlib", "logging"}


def test_help_imports_typer_and_no_more() -> None:
    text, modules = imported("--help")
    assert "populate" in text
    assert foreign(modules) <= FRAMEWORK
    assert ours(modules) <= LEAVES | {"djcli.cli"} | {
        f"djcli.cli.{name}" for name in ("main", "app", "console", "failures", "options")
    }


def test_a_command_that_needs_no_database_imports_no_driver() -> None:
    text, modules = imported("init", "--help")
    assert "DIR" in text
    assert "djcli.cli.init" in modules
    assert foreign(modules) <= FRAMEWORK


def test_settings_and_names_are_light() -> None:
    run = subprocess.run(
        [sys.executable, "-I", "-c", "import djcli.settings, djcli.names, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert foreign(set(run.stdout.split())) <= {"__main__", "sitecustomize", "usercustomize"} | site_hooks()


def site_hooks() -> set[str]:
    """Return what this installation's `site` imports before any program starts."""
    run = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return foreign(set(run.stdout.split()))
