"""Errors in plain words, and the exit code of each."""

from __future__ import annotations

import traceback

from djcli.errors import DataJointError, RefusedError, SelectionError

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_PENDING = 4
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
EXIT_BROKEN_PIPE = 141
"""What a shell reports of a program that SIGPIPE ended."""


def exit_code(error: BaseException) -> int | None:
    """Return the exit code for an error; None for those that Typer itself reports."""
    if type(error).__module__.split(".")[0] in ("typer", "click"):  # their classes are private
        return None
    if isinstance(error, SelectionError):
        return EXIT_USAGE
    if isinstance(error, RefusedError):
        return EXIT_REFUSED
    return EXIT_ERROR


def explain(error: BaseException, *, verbose: bool = False) -> str:
    """Say what happened and why: the chain of causes on one line, with a traceback if `verbose`."""
    parts: list[str] = []
    link: BaseException | None = error
    while link is not None:
        text = _words(link)
        told = str(link).strip()
        is_known = any(text in part or (told and told in part) for part in parts)
        if not is_known and not (parts and _is_broken_constraint(link)):
            parts.append(text)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    line = ": ".join(parts)
    if verbose:
        line += "\n" + "".join(traceback.format_exception(error)).rstrip()
    return line


def _is_broken_constraint(error: BaseException) -> bool:
    """Whether PostgreSQL refused a row: what our own error says of it is more than PostgreSQL knows."""
    return (getattr(error, "sqlstate", None) or "").startswith("23")


def _words(error: BaseException) -> str:
    """Return an error's message; of others' errors the first line, with the kind where it says little."""
    text = str(error)
    if isinstance(error, DataJointError):
        return text
    first = text.strip().splitlines()[0] if text.strip() else ""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    kind = type(error).__name__
    known = type(error).__module__.split(".")[0] == "psycopg" and first
    return first if known else f"{kind}: {first}" if first else kind
