"""Every command of the README runs, in its order, and the Python in it too."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


COMMANDS = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for project in (tmp_path, tmp_path / "my-lab"):
        if project.is_dir():
            run("djcli db stop", project)


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    djcli = f"{shlex.quote(sys.executable)} -m djcli.cli.main"
    words = re.sub(r"^djcli\b", lambda _: djcli, command)
    return subprocess.run(["bash", "-c", words], cwd=folder, capture_output=True, text=True, check=False)


def test_the_tour_runs(folder: Path) -> None:
    assert len(COMMANDS) > 20
    told: dict[str, str] = {}
    here = folder
    for command in COMMANDS:
        if command.startswith("cd "):
            here = here / command[3:]
            continue
        done = run(command, here)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        told[command] = done.stdout
    assert "telomere" in told["djcli show Composition"]
    assert (
        told["djcli show Composition.Base -r name=telomere --format csv"].splitlines()[1] == "telomere,A,10"
    )
    assert (folder / "my-lab" / "pipeline.svg").read_text().startswith("<?xml")


def test_the_python_runs(folder: Path) -> None:
    (script,) = blocks("python")
    (folder / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "M001" in done.stdout
    assert "(Total: 1)" in done.stdout


def test_the_profile_is_yaml_that_djcli_reads(folder: Path) -> None:
    (text,) = blocks("yaml")
    (folder / "djcli.yaml").write_text(text)
    assert yaml.safe_load(text)["default_profile"] == "lab"
    done = run("djcli db url", folder)
    assert "db.example.org" in done.stdout + done.stderr


def test_ci_runs_the_two_commands() -> None:
    (block,) = blocks("sh")
    script = (ROOT / ".ci" / "run").read_text()
    for line in block.splitlines():
        command = line.partition("  ")[0].strip()
        assert command in script


def test_every_command_is_in_the_readme_or_its_help(folder: Path) -> None:
    listed = run("djcli --help", folder).stdout.partition("Commands:")[2]
    names = re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE)
    assert len(names) >= 11
    assert [name for name in names if f"djcli {name}" not in README and f"`{name}`" not in README] == []
