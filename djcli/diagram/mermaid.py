"""Drawing as a Mermaid flowchart, for Markdown pages."""

from __future__ import annotations

import re
from collections.abc import Iterable

from djcli.diagram.picture import Node, Picture
from djcli.diagram.style import FRAME, LOOKS, Kind

_SHAPES = {"box": ("[", "]"), "ellipse": ("([", "])"), "plaintext": ("[", "]"), "box3d": ("[[", "]]")}
_LINES = {
    Kind.ONE_TO_ONE: "===",
    Kind.ONE_TO_MANY: "---",
    Kind.SECONDARY: "-.-",
    Kind.BUNDLE: "---",
}
_RESERVED = {
    "end",
    "graph",
    "subgraph",
    "flowchart",
    "default",
    "class",
    "classDef",
    "style",
    "click",
    "linkStyle",
}


def draw_mermaid(picture: Picture, direction: str) -> str:
    """Return a drawing as a Mermaid flowchart; see `draw_dot` for the parameters."""
    names = _identifiers(picture.nodes)
    lines = [f"flowchart {direction}"]
    for number, group in enumerate(picture.groups):
        nodes = [f"{names[node]}{_box(node)}" for node in group.nodes]
        if group.title:
            lines.append(f'    subgraph schema{number}["{_text(group.title)}"]')
            lines += [f"        {node}" for node in nodes]
            lines.append("    end")
        else:
            lines += [f"    {node}" for node in nodes]
    for link in picture.links:
        label = f'|"{_text(link.label)}"|' if link.label else ""
        lines.append(f"    {names[link.parent]} {_LINES[link.kind]}{label} {names[link.child]}")
    frames = [f"schema{number}" for number, group in enumerate(picture.groups) if group.title]
    lines += _classes(picture.nodes, names, frames)
    return "\n".join(lines) + "\n"


def _classes(nodes: tuple[Node, ...], names: dict[Node, str], frames: list[str]) -> Iterable[str]:
    for tier, look in LOOKS.items():
        members = [names[node] for node in nodes if node.tier is tier]
        if members:
            yield f"    classDef {look.name} fill:{look.fill},stroke:{look.stroke},color:{look.text}"
            yield f"    class {','.join(members)} {look.name}"
    if frames:
        yield f"    classDef frame fill:none,stroke:{FRAME}"
        yield f"    class {','.join(frames)} frame"
    own = [names[node] for node in nodes if node.underlined]
    if own:
        yield "    classDef own text-decoration:underline"
        yield f"    class {','.join(own)} own"


def _box(node: Node) -> str:
    look = LOOKS[node.tier]
    left, right = ("(", ")") if look.rounded else _SHAPES[look.shape]
    return f'{left}"{_text(node.label)}"{right}'


def _identifiers(nodes: tuple[Node, ...]) -> dict[Node, str]:
    """Return a name for each node that Mermaid can read, as near as can be to its label."""
    taken = set(_RESERVED)
    names: dict[Node, str] = {}
    for node in nodes:
        base = re.sub(r"[^A-Za-z0-9]+", "_", node.label.partition("\n")[0]).strip("_") or "table"
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        names[node] = name
    return names


def _text(text: str) -> str:
    """Return text for within quotes, with its punctuation as Mermaid's ``#code;``."""
    coded = re.sub(r"[^\w\n .,:=()+/-]", lambda match: f"#{ord(match[0])};", text)
    return coded.replace("\n", "<br>")
