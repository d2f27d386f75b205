"""`djcli init` writes a project that is found and can be read, and overwrites nothing."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from djcli.cli.init import FILES, schema_name
from djcli.project.sources import find_sources
from djcli.settings import find_project

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_a_new_project_is_complete(djcli: Run, folder: Path) -> None:
    result = djcli("init", "my project")
    assert result.code == 0
    root = folder / "my project"
    assert "cd 'my project'" in result.err
    assert all((root / name).is_file() for name in FILES)
    found = find_project(root / "pipelines")
    assert found is not None
    assert found.root == root
    assert [source.name for source in find_sources(start=root)] == ["sequences"]
    text = (root / "pipelines" / "sequences.py").read_text()
    ast.parse(text)
    assert 'dj.Schema("my_project")' in text
    assert ".djcli/" in (root / ".gitignore").read_text()


def test_here_by_default(djcli: Run, folder: Path) -> None:
    assert djcli("init").code == 0
    assert (folder / "djcli.yaml").is_file()


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_overwritten_and_nothing_begun(djcli: Run, folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    result = djcli("init")
    assert result.code == 1
    assert name in result.err
    assert path.read_text() == "mine"
    assert [found for found in FILES if (folder / found).exists()] == [name]


@pytest.mark.parametrize(
    ("project", "schema"),
    [
        ("my-Lab 2", "my_lab_2"),
        ("2photon", "starter"),
        ("pg_x", "starter"),
        ("public", "starter"),
        ("日本", "starter"),
    ],
)
def test_the_schema_is_named_after_the_folder(project: str, schema: str) -> None:
    assert schema_name(project) == schema
