"""The root command: help, names, shared options, errors and their exit codes."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from djcli.cli.app import COMMANDS
from djcli.cli.failures import exit_code, explain
from djcli.errors import DefinitionError, PipelineError, RefusedError, SelectionError
from djcli.version import __version__

if TYPE_CHECKING:
    from tests.cli.conftest import Run

PRESENT = [name for name in COMMANDS if find_spec(f"djcli.cli.{name}")]


def test_the_version_however_asked(command: Run, djcli: Run) -> None:
    assert command("--version").out == f"djcli {__version__}\n"
    assert djcli("-v", "--version").out == f"djcli {__version__}\n"


def test_help_lists_every_command(djcli: Run) -> None:
    result = djcli("--help")
    assert result.code == 0
    for name, text in COMMANDS.items():
        assert f"  {name} " in result.out
        assert text in result.out, "the help of a command must fit its line"


@pytest.mark.parametrize("name", PRESENT)
def test_a_stub_says_what_its_command_says(name: str) -> None:
    real = typer.main.get_command(import_module(f"djcli.cli.{name}").app)
    assert real.name == name or name == "db"
    assert (real.help or "").strip().splitlines()[0] == COMMANDS[name]


@pytest.mark.parametrize("name", PRESENT)
def test_every_command_takes_the_shared_options(djcli: Run, name: str) -> None:
    below = ["status"] if name == "db" else []
    result = djcli(name, *below, "--help")
    assert result.code == 0
    for option in ("--pipeline", "--db-url", "--profile", "--verbose", "--help"):
        assert option in result.out


def test_a_misspelt_command_suggests(djcli: Run) -> None:
    result = djcli("inti")
    assert (result.code, result.out) == (2, "")
    assert "Did you mean 'init'" in result.err


def test_no_command_is_usage(djcli: Run) -> None:
    assert djcli().code == 2


@pytest.mark.parametrize(
    "args", [("--nope",), ("init", "--nope"), ("db", "status", "--format", "xml"), ("db", "nope")]
)
def test_wrong_usage(djcli: Run, args: tuple[str, ...]) -> None:
    result = djcli(*args)
    assert (result.code, result.out) == (2, "")
    assert "Error:" in result.err


URL = "postgresql://me@127.0.0.1:1/d"


@pytest.mark.parametrize(
    "args", [("--db-url", URL, "db", "url"), ("db", "--db-url", URL, "url"), ("db", "url", "--db-url", URL)]
)
@pytest.mark.usefixtures("folder")
def test_shared_options_may_stand_anywhere(djcli: Run, args: tuple[str, ...]) -> None:
    result = djcli(*args)
    assert (result.code, result.out) == (0, f"{URL}\n")


@pytest.mark.usefixtures("folder")
def test_the_last_of_a_shared_option_counts_and_is_forgotten_afterwards(djcli: Run) -> None:
    assert djcli("--db-url", "postgresql://other/d", "db", "url", "--db-url", URL).out == f"{URL}\n"
    assert djcli("db", "url").out != f"{URL}\n"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("option", ["--db-url", "--profile", "-p"])
def test_an_empty_text_does_not_mean_the_default(djcli: Run, option: str) -> None:
    for args in ([option, "", "drop", "--yes"], ["drop", "--yes", option, " "]):
        told = djcli(*args)
        assert (told.code, "it is empty" in told.err) == (2, True)


def test_an_address_and_a_profile_together_are_usage(djcli: Run) -> None:
    assert djcli("db", "url", "--db-url", URL, "--profile", "lab").code == 2


def test_an_error_is_one_line_and_a_traceback_only_if_asked(djcli: Run, folder: Path) -> None:
    (folder / "djcli.yaml").write_text("pipelines: [")
    plain = djcli("db", "status")
    assert plain.code == 1
    assert plain.err.startswith("error: ")
    assert plain.err.count("\n") == 1
    assert "Traceback" not in plain.err
    assert "Traceback" in djcli("db", "status", "-v").err
    assert "Traceback" in djcli("-v", "db", "status").err


@pytest.mark.usefixtures("folder")
def test_a_server_that_is_not_there_is_named_with_its_setting_and_without_its_password(djcli: Run) -> None:
    os.environ["DJCLI_DATABASE_URL"] = "postgresql://me:hunter2@127.0.0.1:1/d"
    result = djcli("db", "status")
    assert result.code == 1
    assert "127.0.0.1:1" in result.err
    assert "DJCLI_DATABASE_URL" in result.err
    assert "hunter2" not in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("x"), 1),
        (PipelineError("x"), 1),
        (SelectionError("x"), 2),
        (RefusedError("x"), 3),
        (typer.BadParameter("x"), None),
        (typer.Exit(4), None),
    ],
)
def test_exit_codes(error: Exception, code: int | None) -> None:
    assert exit_code(error) == code


def chained() -> Exception:
    """Return an error with two causes, the outer of which repeats the inner."""
    try:
        try:
            try:
                raise OSError(2, "No such file", "/x")
            except OSError as error:
                raise ValueError("bad\nthing") from error
        except ValueError as error:
            raise PipelineError("cannot load: ValueError: bad") from error
    except PipelineError as error:
        return error


def test_the_causes_are_told_once_each_on_one_line() -> None:
    assert explain(chained()) == "cannot load: ValueError: bad: No such file: /x"


def test_a_definition_shows_its_line_and_column() -> None:
    error = DefinitionError("unknown type", line=2, column=5, source="a : itn", table="T")
    assert explain(error) == "T: line 2, column 5: unknown type\n  a : itn\n      ^"


def test_a_reader_that_leaves_is_no_error() -> None:
    program = "from djcli.cli import console, app\nimport sys\nsys.exit(app.run(['--help']))"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.stderr == b""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_nowhere(folder: Path, database_url: str, closed: str) -> None:
    """Else its number goes to the next file opened, which may be the connection to the database."""
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "one.py").write_text("import djcli as dj\nschema = dj.Schema('one')\n")
    for args in (["--version"], ["ls", "--db-url", database_url]):
        line = shlex.join([sys.executable, "-m", "djcli.cli.main", *args])
        done = subprocess.run(
            ["/bin/sh", "-c", f"{line} {closed}"], capture_output=True, text=True, check=False, cwd=folder
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_colour_only_on_a_terminal_and_never_under_no_color() -> None:
    def shown(env: dict[str, str]) -> bytes:
        """Let stderr be a terminal and return what came out there."""
        ours, theirs = pty.openpty()
        clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
        args = [sys.executable, "-m", "djcli.cli.main", "db", "stop", "--db-url", URL]
        subprocess.run(args, stderr=theirs, env={**clean, "TERM": "xterm", **env}, check=False)
        os.close(theirs)
        text = os.read(ours, 10_000)
        os.close(ours)
        return text

    assert b"\x1b[" in shown({})
    assert b"\x1b[" not in shown({"NO_COLOR": "1"})


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_their_options(shell: str) -> None:
    def complete(line: str) -> str:
        env = {**os.environ, "_DJCLI_COMPLETE": f"complete_{shell}"}
        env |= {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        env |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        done = subprocess.run(
            [sys.executable, "-m", "djcli.cli.main"], env=env, capture_output=True, text=True, check=False
        )
        return done.stdout

    assert "populate" in complete("djcli popul")
    assert "--db-url" in complete("djcli init --db")


FORKS = """
import multiprocessing, time
from djcli.cli.app import run

run(["--version"])
fork = multiprocessing.get_context("fork")
for _ in range(40):
    child = fork.Process(target=time.sleep, args=(20,))
    child.start()
    child.terminate()
    child.join(10)
    assert child.exitcode == -15, child.exitcode
"""


def test_processes_that_users_code_forks_can_be_terminated_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
