"""Drawing as plain text: a tree in which each table stands once."""

from __future__ import annotations

from djcli.diagram.picture import Link, Node, Picture
from djcli.diagram.style import LOOKS, Kind


def draw_text(picture: Picture) -> str:
    """Return a drawing as lines of text.

    A table stands below that parent in its primary key which itself stands deepest. After its tier
    follow its other parents, in parentheses where the foreign key lies outside the primary key.
    """
    links: dict[Node, list[Link]] = {node: [] for node in picture.nodes}
    for link in picture.links:
        if link.parent != link.child:
            links[link.child].append(link)
    stems = _stems(picture.nodes, links)
    below: dict[Node | None, list[Node]] = {}
    for node, stem in stems.items():
        below.setdefault(stem.parent if stem else None, []).append(node)
    titles = {node: group.title for group in picture.groups for node in group.nodes}
    rows: list[tuple[str, str]] = []
    pending = [(node, "", "") for node in reversed(below.get(None, []))]
    while pending:
        node, lead, indent = pending.pop()
        stem = stems[node]
        outer = titles[stem.parent] if stem else ""
        prefix = f"{_one_line(titles[node])}." if titles[node] != outer else ""
        rest = [_reference(link) for link in links[node] if link is not stem or link.label]
        rows.append((lead + prefix + _one_line(node.label), "  ".join([LOOKS[node.tier].name, *rest])))
        for child in reversed(below.get(node, [])):
            last = child is below[node][-1]
            pending.append((child, indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  ")))
    width = max((len(name) for name, _ in rows), default=0)
    return "".join(f"{name:{width}}  {notes}\n" for name, notes in rows)


def _stems(nodes: tuple[Node, ...], links: dict[Node, list[Link]]) -> dict[Node, Link | None]:
    """Choose for each node the link that it hangs from, if any; every parent comes before its children."""
    stems: dict[Node, Link | None] = {}
    depth: dict[Node, int] = {}
    for node in nodes:
        candidates = [
            link for link in links[node] if link.kind is not Kind.SECONDARY and link.parent in depth
        ]
        stem = max(candidates, key=lambda link: depth[link.parent], default=None)
        stems[node] = stem
        depth[node] = depth[stem.parent] + 1 if stem else 0
    return stems


def _reference(link: Link) -> str:
    text = f"-> {_one_line(link.parent.label)}" + (f" {_one_line(link.label)}" if link.label else "")
    return f"({text})" if link.kind is Kind.SECONDARY else text


def _one_line(text: str) -> str:
    """Return a label without line ends, and without what a terminal might take for a command."""
    return "".join(
        each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in " ".join(text.split())
    )
