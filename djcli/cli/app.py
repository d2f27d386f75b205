"""The Typer application: the commands by name, each imported when it is run; errors and exit codes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from threading import current_thread, main_thread
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from djcli.cli import console
from djcli.cli.failures import EXIT_BROKEN_PIPE, EXIT_INTERRUPTED, EXIT_TERMINATED, exit_code, explain
from djcli.cli.options import (
    DbUrlOption,
    PipelineOption,
    ProfileOption,
    VerboseOption,
    add_shared,
    shared,
    spare_coercion,
)
from djcli.forking import forget_handlers_in_forks
from djcli.version import __version__

COMMANDS = {
    "demo": "Run the tutorial pipeline from end to end, showing each command.",
    "init": "Make a new project that runs.",
    "apply": "Declare and alter the tables and insert lookup contents.",
    "diff": "Compare the pipelines' tables with the database.",
    "history": "List what was applied to the pipelines' schemas.",
    "populate": "Compute what is missing in Computed and Imported tables.",
    "progress": "Show how much of each Computed and Imported table is done.",
    "ls": "List the pipelines' tables.",
    "describe": "Print the definition of a table.",
    "show": "Print rows of a table.",
    "insert": "Insert the rows of a file: all of them, or none.",
    "export": "Write rows of a table to a file.",
    "update": "Change attributes of one row.",
    "delete": "Delete rows, with all that depends on them.",
    "diagram": "Draw the tables and what they depend on.",
    "drop": "Drop tables, with all that depends on them.",
    "db": "Manage the embedded PostgreSQL server.",
}
"""Each command's name and help; its code is the module of that name beside this one."""


class LazyGroup(TyperGroup):
    """The root command: knows its commands by name, imports one to run it, catches what they raise."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for name, text in COMMANDS.items():
            self.add_command(TyperCommand(name, help=text))

    def get_params(self, ctx: Any) -> list[Any]:
        """List the options in front of the command."""
        return spare_coercion(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command by name and import the real one in place of its stub."""
        name, stub, rest = super().resolve_command(ctx, args)
        if name not in COMMANDS or stub is None:
            return name, stub, rest
        module = import_module(f"djcli.cli.{name}")
        return name, add_shared(typer.main.get_command(module.app), self), rest

    def invoke(self, ctx: Any) -> Any:
        """Run a command; turn what it raises into one line on stderr and an exit code."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            console.close_stdout()
            raise typer.Exit(EXIT_BROKEN_PIPE) from None
        except Terminated:
            console.note("terminated")
            raise typer.Exit(EXIT_TERMINATED) from None
        except KeyboardInterrupt:
            console.note("interrupted")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except Exception as error:
            code = exit_code(error)
            if code is None:  # Typer's own: usage errors, exits
                raise
            console.error(explain(error, verbose=shared(ctx).verbose))
            raise typer.Exit(code) from None
        return result


app = typer.Typer(
    name="djcli",
    cls=LazyGroup,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(value: bool) -> None:
    if value:
        console.out(f"djcli {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _pipeline: PipelineOption = None,
    _db_url: DbUrlOption = None,
    _profile: ProfileOption = None,
    _verbose: VerboseOption = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run computational data pipelines on PostgreSQL.

    Tables are Python classes in the pipelines folder beside djcli.yaml. With no database named, djcli
    runs its own PostgreSQL in the folder .djcli of the project.
    """


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: the work ends as orderly as at Ctrl-C."""


def _terminate(*_: object) -> None:
    raise Terminated


def run(args: Sequence[str]) -> int:
    """Run the command line with these arguments and return its exit code."""
    if current_thread() is main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _terminate)
        forget_handlers_in_forks()
    try:
        typer.main.get_command(app).main(list(args), prog_name="djcli")
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    return 0
