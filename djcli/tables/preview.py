"""How a relation looks when it is printed, as text and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from djcli.algebra.heading import Heading, HeadingAttribute

_PADDING = 4


def preview_text(
    heading: Heading,
    rows: Sequence[Sequence[Any]],
    more: bool,
    total: int | None,
    width: int,
) -> str:
    """Return rows as a text table: key attributes starred, long values cut.

    Parameters
    ----------
    heading
        The attributes.
    rows
        The rows to show.
    more
        Whether there are rows that are not shown.
    total
        The number of all rows, to be told at the end; None to leave it out.
    width
        How wide a column may be, in characters.
    """
    columns = [[cell(attribute, row[i]) for row in rows] for i, attribute in enumerate(heading)]
    widths = [
        min(max([len(attribute.name), *map(len, texts)]) + _PADDING, width)
        for attribute, texts in zip(heading, columns, strict=True)
    ]
    titles = [("*" if attribute.in_key else "") + attribute.name for attribute in heading]
    lines = [
        " ".join(
            title.ljust(w)[: max(w, len(title))] for title, w in zip(titles, widths, strict=True)
        ).rstrip(),
        " ".join("+" + "-" * (w - 2) + "+" for w in widths),
    ]
    lines += [
        " ".join(cut(text, w - 1).ljust(w) for text, w in zip(row, widths, strict=True)).rstrip()
        for row in zip(*columns, strict=True)
    ]
    if more:
        lines.append("   ...")
    if total is not None:
        lines.append(f" (Total: {total})")
    return "\n".join(lines) + "\n"


def cell(attribute: HeadingAttribute, value: Any) -> str:
    """Return one value as text on one line; what a codec made is told by its name."""
    if attribute.type.codec is not None and value is not None:
        return f"<{attribute.type.codec}>"
    if value is None:
        return "None"
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    return str(value).replace("\n", "\\n").replace("\t", "\\t")


def cut(text: str, width: int) -> str:
    """Return text cut to a width, with an ellipsis in place of what is missing."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


_STYLE = """<style>
.djcli {border-collapse: collapse; font-size: 80%}
.djcli th {background: #607d8b; color: #fff; font-weight: normal; padding: 2px 6px; text-align: center}
.djcli th.key {font-weight: bold}
.djcli td {padding: 2px 6px; border: 1px solid #ccc; text-align: left}
@media (prefers-color-scheme: dark) {.djcli td {border-color: #555} .djcli th {background: #37474f}}
</style>"""


def preview_html(
    heading: Heading,
    rows: Sequence[Sequence[Any]],
    more: bool,
    total: int | None,
    title: str = "",
) -> str:
    """Return rows as an HTML table; the parameters are those of `preview_text`, with a title above."""
    head = "".join(
        f'<th{" class=key" if a.in_key else ""} title="{escape(a.comment)}">{escape(a.name)}</th>'
        for a in heading
    )
    body = "\n".join(
        "<tr>"
        + "".join(f"<td>{escape(cell(a, v))}</td>" for a, v in zip(heading, row, strict=True))
        + "</tr>"
        for row in rows
    )
    parts = [_STYLE, f"<b>{escape(title)}</b>" if title else ""]
    parts.append(f'<table class="djcli"><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>')
    parts.append(("<p>…</p>" if more else "") + (f"<p>Total: {total}</p>" if total is not None else ""))
    return "\n".join(part for part in parts if part)
