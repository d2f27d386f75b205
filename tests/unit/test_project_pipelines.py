"""Loading pipeline modules: what loads, what fails and how it is told."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from djcli.errors import PipelineError
from djcli.project.pipelines import load_pipelines
from djcli.tables.instance import Instance, use_instance

TABLE = """
import djcli as dj

schema = dj.Schema({schema!r})

@schema
class {name}(dj.Manual):
    definition = '''
    a : int32
    '''
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Make a project whose modules are forgotten afterwards."""
    (tmp_path / "djcli.yaml").write_text("")
    (tmp_path / "pipelines").mkdir()
    os.chdir(tmp_path)
    path, modules = list(sys.path), set(sys.modules)
    use_instance(Instance(create_tables=False))
    yield tmp_path
    use_instance(None)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def module(root: Path, name: str, text: str) -> Path:
    """Write a module into the pipelines folder."""
    path = root / "pipelines" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(dedent(text))
    return path


def labels() -> list[str]:
    """Return the names of the tables loaded."""
    return [table.class_label for table in load_pipelines().tables]


def test_tables_are_collected_in_the_order_of_declaration(root: Path) -> None:
    module(root, "b.py", TABLE.format(schema="b", name="Zebra"))
    module(
        root,
        "a.py",
        TABLE.format(schema="a", name="Master")
        + "    class Bit(dj.Part):\n        definition = '''\n        -> master\n        b : int32\n        '''\n",
    )
    assert labels() == ["Master", "Master.Bit", "Zebra"]


def test_modules_import_each_other_and_share_a_schema(root: Path) -> None:
    module(root, "base.py", TABLE.format(schema="one", name="Base"))
    module(
        root,
        "more.py",
        """
        import djcli as dj
        from base import Base, schema

        @schema
        class More(dj.Manual):
            definition = '''
            -> Base
            '''
        """,
    )
    loaded = load_pipelines()
    assert [table.class_label for table in loaded.tables] == ["Base", "More"]
    assert [table.__module__ for table in loaded.tables] == ["base", "more"]
    assert len(loaded.schemas) == 1


def test_importing_connects_to_nothing(root: Path) -> None:
    os.environ["DJCLI_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/nothing"
    module(root, "a.py", TABLE.format(schema="a", name="Thing"))
    assert labels() == ["Thing"]


def test_a_second_load_finds_the_same_tables_for_a_new_database(root: Path) -> None:
    module(root, "a.py", TABLE.format(schema="a", name="Thing"))
    (table,) = load_pipelines().tables
    other = Instance(create_tables=False)
    use_instance(other)
    assert load_pipelines().tables == (table,)
    assert other.classes == {table.class_id(): table}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("import djcli as dj\n\nx = 1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("x = (\n", 1, "SyntaxError"),
        ("import no_such_thing\n", 1, "No module named 'no_such_thing'"),
        ("raise SystemExit(3)\n", 1, "SystemExit: 3"),
        ("def f():\n    raise ValueError\n\nf()\n", 2, "ValueError"),
    ],
)
def test_a_module_that_fails_is_told_with_file_line_and_error(
    root: Path, text: str, line: int, said: str
) -> None:
    module(root, "good.py", TABLE.format(schema="a", name="Thing"))
    path = module(root, "bad.py", text)
    loaded = load_pipelines()
    assert [table.class_label for table in loaded.tables] == ["Thing"]
    (failure,) = loaded.failures
    assert (failure.module, failure.file, failure.line) == ("bad", str(path), line)
    assert f"{path}, line {line}: " in str(failure)
    assert said in str(failure)
    with pytest.raises(PipelineError, match="needs every pipeline module"):
        loaded.require_complete("this")


def test_the_innermost_line_of_the_users_own_is_named(root: Path) -> None:
    helper = module(root, "helper.py", "def check():\n    raise ValueError('deep')\n")
    module(root, "user.py", "import helper\nimport json\n\nhelper.check()\n")
    module(root, "lib.py", "import json\n\njson.loads('{')\n")
    failures = {failure.module: failure for failure in load_pipelines().failures}
    assert (failures["user"].file, failures["user"].line) == (str(helper), 2)
    assert (Path(failures["lib"].file).name, failures["lib"].line) == ("lib.py", 3)


def test_a_wrong_definition_is_told_with_its_line_and_column(root: Path) -> None:
    module(root, "good.py", TABLE.format(schema="a", name="Thing"))
    module(root, "bad.py", TABLE.format(schema="b", name="Other").replace("a : int32", "a ; int32"))
    (failure,) = load_pipelines().failures
    assert "DefinitionError: Other: line" in str(failure)
    assert "column" in str(failure)


def test_what_a_failed_module_left_in_a_shared_schema_does_not_count(root: Path) -> None:
    module(root, "base.py", TABLE.format(schema="one", name="Base"))
    half = TABLE.format(schema="-", name="Half").replace("schema = dj.Schema('-')", "from base import schema")
    module(root, "half.py", half + "\nraise ValueError\n")
    assert labels() == ["Base"]


REFERRING = (
    TABLE
    + """
@schema
class Child(dj.Manual):
    definition = '''
    -> {name}
    -> {parent}
    '''
"""
)


def test_a_reference_that_leads_nowhere_is_a_failure_of_its_module(root: Path) -> None:
    module(root, "good.py", TABLE.format(schema="a", name="Thing"))
    path = module(root, "bad.py", REFERRING.format(schema="b", name="Other", parent="Nowhere"))
    below = REFERRING.format(schema="c", name="Below", parent="bad.Child")
    module(root, "below.py", "import bad\n" + below)
    loaded = load_pipelines()
    assert [table.class_label for table in loaded.tables] == ["Thing"]
    assert [found.__name__ for found in loaded.modules] == ["good"]
    first, second = loaded.failures
    assert (first.module, first.file, first.line) == ("bad", str(path), 12)
    assert "cannot use pipeline module bad: " in str(first)
    assert "Child: line 3, column 8: there is no table 'Nowhere'" in str(first)
    assert second.module == "below"
    with pytest.raises(PipelineError, match="but bad and below cannot be used: mend them"):
        loaded.require_complete("this")


def test_a_reference_that_leads_nowhere_in_a_schema_shared_with_others(root: Path) -> None:
    module(root, "base.py", TABLE.format(schema="one", name="Base"))
    half = REFERRING.format(schema="-", name="Half", parent="Nowhere")
    module(root, "half.py", half.replace("schema = dj.Schema('-')", "from base import schema"))
    assert labels() == ["Base"]


def test_when_nothing_can_be_used_it_is_an_error(root: Path) -> None:
    module(root, "bad.py", REFERRING.format(schema="b", name="Other", parent="Nowhere"))
    with pytest.raises(PipelineError, match="there is no table 'Nowhere'"):
        load_pipelines()


def test_when_nothing_loads_it_is_an_error(root: Path) -> None:
    module(root, "a.py", "1/0")
    module(root, "b.py", "1/0")
    with pytest.raises(PipelineError, match=r"a\.py, line 1: ZeroDivisionError.*and 1 more"):
        load_pipelines()


@pytest.mark.parametrize(
    ("name", "said"),
    [("my-pipe.py", "is no name for a module"), ("random.py", "is a module of Python itself")],
)
def test_a_file_that_cannot_be_imported_by_its_name(root: Path, name: str, said: str) -> None:
    module(root, "good.py", TABLE.format(schema="a", name="Thing"))
    module(root, name, "")
    (failure,) = load_pipelines().failures
    assert said in str(failure)


def test_a_file_named_like_a_module_that_is_there_already(root: Path) -> None:
    module(root, "good.py", TABLE.format(schema="a", name="Thing"))
    module(root, "numpy.py", "x = 1")
    module(root, "pytest.py", "x = 1")
    first, second = load_pipelines().failures
    assert "another module is called 'numpy'" in str(first)
    assert "another module is called 'pytest'" in str(second)


def test_two_classes_for_one_table_are_refused(root: Path) -> None:
    module(root, "a.py", TABLE.format(schema="same", name="Thing"))
    module(root, "b.py", TABLE.format(schema="same", name="Thing"))
    (failure,) = load_pipelines().failures
    assert "a.Thing" in str(failure)
    assert "b.Thing" in str(failure)


def test_what_modules_print_goes_to_stderr(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module(root, "a.py", "print('hello')\n" + TABLE.format(schema="a", name="Thing"))
    load_pipelines()
    out, err = capsys.readouterr()
    assert (out, err) == ("", "hello\n")


def test_a_module_that_is_not_there_is_suggested(root: Path) -> None:
    module(root, "tutorial.py", "")
    with pytest.raises(PipelineError, match=r"-p tutorail: there is no such module.*did you mean tutorial"):
        load_pipelines(["tutorail"])


def test_a_schema_without_a_name_has_no_tables_yet(root: Path) -> None:
    text = TABLE.format(schema="x", name="Thing")
    module(root, "a.py", text.replace("dj.Schema('x')", "dj.Schema()"))
    module(root, "b.py", text.replace("dj.Schema('x')", "dj.Schema()") + "\nschema.activate('late')\n")
    loaded = load_pipelines()
    assert [table.class_id().schema for table in loaded.tables] == ["late"]
