"""Images of diagrams: running the layout program, and image data that notebooks show."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from djcli.errors import DataJointError

WHEEL = "graphviz-pure"
"""The distribution that carries the layout program; it draws everything but PDF."""

_OPTIONS = {"png": ("-Gdpi=144",)}
_TIMEOUT = 300.0


class Svg(str):
    """An SVG document; a notebook shows it as a picture."""

    __slots__ = ()

    @property
    def data(self) -> str:
        """The document."""
        return str(self)

    def _repr_svg_(self) -> str:
        return str(self)


class Png(bytes):
    """A PNG image; a notebook shows it as a picture."""

    __slots__ = ()

    def _repr_png_(self) -> bytes:
        return bytes(self)


def render(dot: str, image_format: str) -> bytes:
    """Lay out a drawing.

    Parameters
    ----------
    dot
        The source in DOT.
    image_format
        ``'svg'``, ``'png'`` or ``'pdf'``.

    Raises
    ------
    DataJointError
        If there is no program for the format, or it fails.
    """
    program = find_program(image_format)
    command = [program, f"-T{image_format}", *_OPTIONS.get(image_format, ())]
    try:
        done = subprocess.run(command, input=dot.encode(), capture_output=True, check=False, timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise DataJointError(
            f"laying out the diagram took over {_TIMEOUT:.0f} s: draw fewer tables, or collapse schemas"
        ) from None
    except OSError as error:
        raise DataJointError(f"cannot run the layout program {program}: {error.strerror}") from error
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise DataJointError(
            f"the layout program {program} failed on the diagram"
            f" ({said[-1] if said else f'exit code {done.returncode}'})"
        )
    return done.stdout


def find_program(image_format: str) -> str:
    """Return the path of the layout program for a format.

    Raises
    ------
    DataJointError
        If there is none.
    """
    program = (None if image_format == "pdf" else _bundled()) or shutil.which("dot")
    if program is None:
        raise DataJointError(
            "PDF needs the system's Graphviz, but no program `dot` is on the path: install it or save as SVG"
            if image_format == "pdf"
            else f"no layout program for diagrams: install the package {WHEEL} or the system's Graphviz"
        )
    return program


@cache
def _bundled() -> str | None:
    """Find the program among the files that the wheel has installed."""
    try:
        installed = files(WHEEL) or ()
    except PackageNotFoundError:
        return None
    for file in installed:
        if file.stem == WHEEL and file.suffix in ("", ".exe"):
            found = shutil.which(str(Path(file.locate()).resolve()))
            if found:
                return found
    return None
