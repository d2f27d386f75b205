"""Where a command writes rows, and in which format: standard output, or a file that is whole when it is there."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, cast

import typer

from djcli.cli import console
from djcli.cli.options import choice
from djcli.errors import DataJointError, RefusedError, SelectionError
from djcli.tables.files.formats import BINARY, format_of


def choose_format(
    named: str | None, file: str | None, formats: tuple[str, ...], *, default: str, hint: str
) -> str:
    """Return the format to write: the one named, or what the file's name says.

    Parameters
    ----------
    named
        What was given with ``--format``.
    file
        The path; None and ``-`` are standard output.
    formats
        Those there are.
    default
        The format for standard output.
    hint
        The option or argument that names the file, for messages.

    Raises
    ------
    typer.BadParameter
        If there is no such format, or the file's name says none.
    RefusedError
        If it is no text, and standard output is a terminal.
    """
    if named is None:
        if file in (None, "-"):
            return default
        try:
            return format_of(Path(file))
        except DataJointError as error:
            raise typer.BadParameter(f"{error}, or add --format", param_hint=hint) from None
    kind = choice("--format", named, formats)
    if kind in BINARY and file in (None, "-") and sys.stdout.isatty():
        raise RefusedError(f"{kind} is nothing to look at: name a file, or pipe it on")
    return kind


@contextmanager
def open_target(file: str | None, *, yes: bool = False) -> Generator[BinaryIO]:
    """Yield the file to write, or standard output.

    Parameters
    ----------
    file
        The path; None and ``-`` are standard output.
    yes
        Whether a file that exists is replaced without asking.

    Raises
    ------
    RefusedError
        If the file exists, and the answer is no or nobody can be asked.
    SelectionError
        If there is no such folder.
    DataJointError
        If nothing can be written there.
    """
    if file in (None, "-"):
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(file)
    if path.exists() and not path.is_file():  # a pipe or a device
        with path.open("wb") as opened:
            yield opened
        return
    if not path.parent.is_dir():
        raise SelectionError(f"there is no folder {path.parent}")
    if path.exists() and not yes:
        console.confirm(f"{file} exists. Replace it?", instead="repeat with --yes")
    try:
        beside = NamedTemporaryFile(dir=path.parent, prefix=".djcli-", delete=False)  # noqa: SIM115 - entered below
    except OSError as error:
        raise DataJointError(f"{file} cannot be written: {error.strerror}") from None
    with beside as kept:
        try:
            yield cast("BinaryIO", kept)
            kept.flush()
            mask = os.umask(0)
            os.umask(mask)
            Path(kept.name).chmod(0o666 & ~mask)
            Path(kept.name).replace(path)
        except BaseException:
            Path(kept.name).unlink(missing_ok=True)
            raise
