"""The options that commands share, before the command or after it, and what they come to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import typer


@dataclass(slots=True)
class Shared:
    """The values of the shared options, wherever on the line they stood."""

    pipelines: list[str] = field(default_factory=list[str])
    db_url: str | None = None
    profile: str | None = None
    verbose: bool = False


def shared(ctx: typer.Context) -> Shared:
    """Return the shared options of this run of the command line."""
    return ctx.ensure_object(Shared)


def _pipelines(ctx: typer.Context, value: list[str] | None) -> list[str] | None:
    shared(ctx).pipelines.extend(_given("--pipeline", text) for text in value or ())
    return value


def _db_url(ctx: typer.Context, value: str | None) -> str | None:
    if value is not None:
        shared(ctx).db_url = _given("--db-url", value)
    return value


def _profile(ctx: typer.Context, value: str | None) -> str | None:
    if value is not None:
        shared(ctx).profile = _given("--profile", value)
    return value


def _given(option: str, text: str) -> str:
    """Refuse an empty text: a variable that is not set must not come to mean another database."""
    if not text.strip():
        raise typer.BadParameter("it is empty", param_hint=option)
    return text


def _verbose(ctx: typer.Context, value: bool) -> bool:
    options = shared(ctx)
    options.verbose = value or options.verbose
    return value


PipelineOption = Annotated[
    list[str] | None,
    typer.Option(
        "--pipeline",
        "-p",
        metavar="MODULE_OR_PATH",
        callback=_pipelines,
        help="Use this pipeline module, file or folder instead of the project's. Can be repeated.",
    ),
]
DbUrlOption = Annotated[
    str | None,
    typer.Option("--db-url", metavar="URL", callback=_db_url, help="Use this PostgreSQL database."),
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME", callback=_profile, help="Use the database of this profile in djcli.yaml."
    ),
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", callback=_verbose, help="Show tracebacks of errors.")
]

FormatOption = Annotated[str, typer.Option("--format", metavar="table|json", help="How to print it.")]
"""For what is listed; `is_json` reads it."""

_COMPLETION = {"--install-completion", "--show-completion"}
"""Options that Typer gives to every application; they are the root command's alone."""

_SHARED = ("--pipeline", "--db-url", "--profile", "--verbose")


def add_shared(command: Any, root: Any) -> Any:
    """Give a command, and the commands below it, the shared options of the root command."""
    command.params = [param for param in command.params if not _COMPLETION.intersection(param.opts)]
    for param in command.params:
        if param.param_type_name == "argument":  # its name says what it is, `<list[str]>` does not
            param.display_type_rich = _no_type
    for option in _shared_of(root.params):
        own = copy(option)
        own.expose_value = False  # its callback keeps the value; the command's function need not take it
        command.params.append(own)
    command.get_params = partial(_spared_params, command.get_params)
    for below in getattr(command, "commands", {}).values():
        add_shared(below, root)
    return command


def _no_type(**_: object) -> str:
    return ""


def _shared_of(params: Iterable[Any]) -> list[Any]:
    return [param for param in params if any(name in _SHARED for name in param.opts)]


def _spared_params(params_of: Callable[[Any], list[Any]], ctx: Any) -> list[Any]:
    return spare_coercion(params_of(ctx))


def spare_coercion(params: list[Any]) -> list[Any]:
    """Let text, lists of text and flags pass as they are: Typer would import pydantic to say the same."""
    for param in params:
        descriptor = getattr(param, "type_descriptor", None)  # older versions of Typer have none
        spared = isinstance(param.process_value, partial)
        if not spared and descriptor is not None and descriptor.annotation in (str, list[str], bool):
            param.process_value = partial(_pass, param, param.process_value)
    return params


def _pass(param: Any, coerce: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    if param.required and param.value_is_missing(value):
        return coerce(ctx, value)  # which raises
    return value if param.callback is None else param.callback(ctx, param, value)


def count(option: str, text: str | None) -> int | None:
    """Read a whole number, zero or more, from an option's text.

    Raises
    ------
    typer.BadParameter
        If it is none.
    """
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text.strip()):  # as PostgreSQL counts
        raise typer.BadParameter(f"{text!r} is no whole number from zero up", param_hint=option)
    return int(text)


def is_json(text: str) -> bool:
    """Read the value of `FormatOption`.

    Raises
    ------
    typer.BadParameter
        If it is neither of the two.
    """
    return choice("--format", text, ("table", "json")) == "json"


def choice(option: str, text: str, choices: tuple[str, ...]) -> str:
    """Return the text if it is one of the choices.

    Raises
    ------
    typer.BadParameter
        If it is not.
    """
    if text not in choices:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(choices)}", param_hint=option)
    return text
