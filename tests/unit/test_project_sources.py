"""Where pipeline modules are found, and what is said when they are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from djcli.errors import PipelineError
from djcli.project.sources import find_sources


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def names(*given: str) -> list[tuple[str, str]]:
    """Return the name and folder of each source, the folder relative to the current one."""
    return [(source.name, os.path.relpath(source.folder)) for source in find_sources(given)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "djcli.yaml")
    os.chdir(tmp_path)
    return tmp_path


def test_modules_and_packages_of_the_folder_in_order(root: Path) -> None:
    write(root, "pipelines/b.py", "pipelines/a.py", "pipelines/lab/__init__.py", "pipelines/lab/x.py")
    write(root, "pipelines/lab/deep/__init__.py", "pipelines/lab/deep/y.py", "pipelines/lab/_hidden.py")
    write(root, "pipelines/_hidden.py", "pipelines/.hidden.py", "pipelines/notes.txt", "pipelines/data/z.csv")
    found = [name for name, _ in names()]
    assert found == ["a", "b", "lab", "lab.deep", "lab.deep.y", "lab.x"]
    assert {folder for _, folder in names()} == {"pipelines"}


def test_a_folder_that_is_a_package_is_imported_as_one(root: Path) -> None:
    write(root, "pipelines/__init__.py", "pipelines/a.py")
    assert names() == [("pipelines", "."), ("pipelines.a", ".")]


def test_the_folder_is_found_from_below(root: Path) -> None:
    write(root, "pipelines/a.py", "deep/er/x")
    os.chdir(root / "deep" / "er")
    assert names() == [("a", "../../pipelines")]


def test_a_folder_of_another_name(root: Path) -> None:
    (root / "djcli.yaml").write_text("pipelines: code")
    write(root, "code/a.py", "pipelines/b.py")
    assert names() == [("a", "code")]


def test_without_a_project_the_folder_here(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    write(tmp_path, "pipelines/a.py")
    assert names() == [("a", "pipelines")]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("pipelines/a.py", [("a", "pipelines")]),
        ("pipelines", [("a", "pipelines"), ("lab", "pipelines"), ("lab.x", "pipelines")]),
        ("a", [("a", "pipelines")]),
        ("lab", [("lab", "pipelines"), ("lab.x", "pipelines")]),
        ("lab.x", [("lab.x", "pipelines")]),
        ("pipelines/lab", [("lab", "pipelines"), ("lab.x", "pipelines")]),
        ("pipelines/lab/x.py", [("lab.x", "pipelines")]),
        ("pipelines/lab/__init__.py", [("lab", "pipelines")]),
        ("other/o.py", [("o", "other")]),
        ("./other", [("o", "other")]),
        ("json.tool", [("json.tool", ".")]),
    ],
)
def test_modules_files_and_folders_can_be_named(root: Path, given: str, found: list[tuple[str, str]]) -> None:
    write(root, "pipelines/a.py", "pipelines/lab/__init__.py", "pipelines/lab/x.py", "other/o.py")
    assert names(given) == found


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("missing.py", "there is no file or folder"),
        ("missing/", "there is no file or folder"),
        ("some-thing", "neither a file or folder here nor the name of a module"),
        ("empty", "no Python module in the folder"),
    ],
)
@pytest.mark.usefixtures("root")
def test_a_name_for_nothing(given: str, message: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(PipelineError, match=message) as raised:
        find_sources([given])
    assert f"-p {given}" in str(raised.value)


def test_a_missing_folder_is_named_with_what_to_do(root: Path) -> None:
    with pytest.raises(PipelineError, match="djcli init") as raised:
        find_sources()
    assert str(root / "pipelines") in str(raised.value)
    assert str(root / "djcli.yaml") in str(raised.value)


def test_an_empty_folder_is_named_with_what_to_do(root: Path) -> None:
    write(root, "pipelines/README.md")
    with pytest.raises(PipelineError, match=r"no Python module in .*djcli init") as raised:
        find_sources()
    assert str(root / "pipelines") in str(raised.value)


def test_no_project_at_all(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    with pytest.raises(PipelineError, match=r"there is no djcli\.yaml.*djcli init"):
        find_sources()
