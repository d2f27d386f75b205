"""Drawing as DOT, the language of Graphviz."""

from __future__ import annotations

import re
from html import escape
from typing import Protocol, cast

from graphviz import Digraph, nohtml  # pyright: ignore[reportMissingTypeStubs] - it has none

from djcli.diagram.picture import Link, Node, Picture
from djcli.diagram.style import FONT, FRAME, LOOKS, RENAMED, STROKE, TITLE, Kind

_STROKES = {
    Kind.ONE_TO_ONE: {"penwidth": "2.6"},
    Kind.ONE_TO_MANY: {"penwidth": "1"},
    Kind.SECONDARY: {"penwidth": "1", "style": "dashed"},
    Kind.BUNDLE: {"penwidth": "1.8", "color": "#9AA3AF"},
}


class _Canvas(Protocol):
    """What we use of ``graphviz.Digraph``, with types."""

    source: str

    def attr(self, kw: str | None = None, **attributes: str) -> None: ...
    def node(self, name: str, label: str, **attributes: str) -> None: ...
    def edge(self, tail: str, head: str, /, **attributes: str) -> None: ...
    def subgraph(self, graph: _Canvas) -> object: ...


def draw_dot(picture: Picture, direction: str) -> str:
    """Return the source of a drawing in DOT.

    Parameters
    ----------
    picture
        What to draw.
    direction
        ``'TB'`` (parents above) or ``'LR'`` (parents to the left).
    """
    dot = cast("_Canvas", Digraph("pipeline"))
    dot.attr("graph", rankdir=direction, ranksep="0.45", nodesep="0.25", fontname=FONT, bgcolor="white")
    dot.attr("graph", tooltip=" ")
    dot.attr("node", fontname=FONT, height="0.35", width="0.5", margin="0.16,0.06", penwidth="1.2")
    dot.attr("edge", fontname=FONT, fontsize="9", arrowhead="none", color=STROKE, fontcolor=RENAMED)
    for number, group in enumerate(picture.groups):
        if not group.title:
            _add_nodes(dot, group.nodes)
            continue
        frame = cast("_Canvas", Digraph(f"cluster_{number}"))
        frame.attr(
            label=_text(group.title), tooltip=_tooltip(group.title), style="rounded", color=FRAME, margin="14"
        )
        frame.attr(fontname=FONT, fontsize="12", fontcolor=TITLE, labeljust="l")
        _add_nodes(frame, group.nodes)
        dot.subgraph(frame)
    for link in picture.links:
        _add_link(dot, link)
    return dot.source


def _add_nodes(dot: _Canvas, nodes: tuple[Node, ...]) -> None:
    for node in nodes:
        look = LOOKS[node.tier]
        attributes = {
            "shape": look.shape,
            "fontsize": str(look.size),
            "fontcolor": look.text,
            "tooltip": _tooltip(node.tooltip or node.label),
            "class": look.name,
        }
        if look.stroke != "none":
            attributes |= {
                "style": "rounded,filled" if look.rounded else "filled",
                "fillcolor": look.fill,
                "color": look.stroke,
            }
        if look.shape == "ellipse":
            attributes["margin"] = "0.05,0.02"
        if look.stroke == "none":
            attributes |= {"height": "0.2", "width": "0.2", "margin": "0.08,0.03"}
        dot.node(
            node.key, label=_underlined(node.label) if node.underlined else _text(node.label), **attributes
        )


def _add_link(dot: _Canvas, link: Link) -> None:
    attributes = dict(_STROKES[link.kind])
    attributes["tooltip"] = _tooltip(link.tooltip)
    if link.label:
        label = "\n".join(f" {line} " for line in link.label.splitlines())
        attributes |= {"label": _text(label), "labeltooltip": attributes["tooltip"], "color": RENAMED}
    dot.edge(link.parent.key, link.child.key, **attributes)


def _text(text: str) -> str:
    r"""Return plain text as an attribute's value: no ``\N``, no HTML, line ends as ``\n``.

    The layout program reads ``&amp;`` and its kin in plain text, too.
    """
    plain = _printable(text).replace("&", "&amp;").replace("\\", "\\\\").replace("\n", "\\n")
    return nohtml(plain)


def _tooltip(text: str) -> str:
    """Return plain text as the value of a tooltip, in which the layout program reads backslashes twice."""
    return _text(text.replace("\\", "\\\\"))


def _underlined(label: str) -> str:
    r"""Return HTML for an underlined label; ``\N`` has a meaning there as well."""
    markup = escape(_printable(label)).replace("\\", "\\\\").replace("\n", "<br/>")
    return f"<<u>{markup}</u>>"


def _printable(text: str) -> str:
    """Return the text with the control characters replaced that XML forbids."""
    return re.sub(r"[^\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", text)
