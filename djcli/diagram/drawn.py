"""`Drawn`: what can be drawn, in every format."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Self

from djcli.diagram.dot import draw_dot
from djcli.diagram.image import Png, Svg, render
from djcli.diagram.mermaid import draw_mermaid
from djcli.diagram.picture import Picture
from djcli.diagram.text import draw_text
from djcli.errors import DataJointError

FORMATS = {
    ".svg": "svg",
    ".png": "png",
    ".pdf": "pdf",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".txt": "text",
}
"""The formats that `Diagram.save` knows, by the suffix of the file's name."""


class Drawn:
    """The drawings of a picture, which a subclass composes."""

    def _picture(self) -> Picture:
        """Return what is to be drawn."""
        raise NotImplementedError

    def _flow(self) -> str:
        """Return the direction: ``'TB'`` or ``'LR'``."""
        raise NotImplementedError

    def make_dot(self) -> str:
        """Return the drawing as source for Graphviz."""
        return draw_dot(self._picture(), self._flow())

    def make_svg(self) -> Svg:
        """Return the drawing as an SVG document, which is a string."""
        return Svg(render(self.make_dot(), "svg").decode())

    def make_png(self) -> Png:
        """Return the drawing as a PNG image, which is bytes."""
        return Png(render(self.make_dot(), "png"))

    def make_mermaid(self) -> str:
        """Return the drawing as a Mermaid flowchart."""
        return draw_mermaid(self._picture(), self._flow())

    def make_text(self) -> str:
        """Return the drawing as a tree of plain text."""
        return draw_text(self._picture())

    def save(self, filename: str | PathLike[str], format: str | None = None) -> None:  # noqa: A002 - as in DataJoint
        """Write the drawing to a file.

        Parameters
        ----------
        filename
            The path of the file.
        format
            ``svg``, ``png``, ``pdf``, ``dot``, ``mermaid`` or ``text``; by default as the suffix says.

        Raises
        ------
        DataJointError
            If the format is unknown or cannot be made here, or the file cannot be written.
        """
        path = Path(filename)
        if not format and not path.suffix:
            raise DataJointError(
                f"the name {str(path)!r} tells no format: add a suffix such as .svg, or name one"
            )
        data = self.encode(format or path.suffix)
        try:
            path.write_bytes(data)
        except OSError as error:
            raise DataJointError(f"cannot write the diagram to {path}: {error.strerror}") from None

    def encode(self, format: str) -> bytes:  # noqa: A002 - as in `save`
        """Return the drawing as the bytes of a file; see `save`."""
        name = format.lower()
        match FORMATS.get(name if name.startswith(".") else f".{name}", name):
            case "svg" | "png" | "pdf" as image:
                return render(self.make_dot(), image)
            case "dot":
                return self.make_dot().encode()
            case "mermaid":
                return self.make_mermaid().encode()
            case "text":
                return self.make_text().encode()
            case _:
                known = ", ".join(dict.fromkeys(FORMATS.values()))
                raise DataJointError(f"unknown diagram format {format!r}: choose one of {known}")

    def draw(self) -> Self:
        """Return the diagram itself, which a notebook shows."""
        return self

    def _repr_svg_(self) -> str:
        return self.make_svg()

    def _repr_html_(self) -> str:
        svg = self.make_svg()
        return f'<div style="overflow-x: auto">{svg[svg.index("<svg") :]}</div>'

    def __repr__(self) -> str:
        """Return the drawing as text."""
        return self.make_text().rstrip("\n") or "(a diagram of no tables)"
