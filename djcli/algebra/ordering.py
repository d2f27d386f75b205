"""Orderings: ``order_by``, ``Top``, and the order that an expression hands on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

from djcli.algebra.heading import Heading
from djcli.algebra.nodes import Column, Limit, Order, Project
from djcli.algebra.relation import Node
from djcli.errors import DataJointError

OrderBy = str | Sequence[str] | None

_TERM = re.compile(r"\s*([A-Za-z_]\w*)(?:\s+(ASC|DESC))?\s*", re.IGNORECASE)


class Top:
    """``expression & dj.Top(limit, order_by, offset)``: the first rows in an order.

    Parameters
    ----------
    limit
        How many rows; None for all.
    order_by
        Names with an optional ``DESC``; ``KEY`` stands for the primary key. None keeps the order of a
        `Top` before, and is the primary key's otherwise.
    offset
        How many rows to pass over first.
    """

    def __init__(self, limit: int | None = 1, order_by: OrderBy = "KEY", offset: int = 0) -> None:
        self.limit, self.offset = check_limit(limit, offset)
        self.order_by = order_by

    def __repr__(self) -> str:
        return f"Top(limit={self.limit!r}, order_by={self.order_by!r}, offset={self.offset!r})"


def check_limit(limit: object, offset: object) -> tuple[int | None, int]:
    """Return limit and offset as whole numbers.

    Raises
    ------
    DataJointError
        If they are none, or negative.
    """
    checked: list[int | None] = []
    for name, given in (("limit", limit), ("offset", offset)):
        number = given
        if given is not None and not isinstance(given, int) and hasattr(given, "__index__"):
            number = cast(int, given).__index__()  # numpy's
        if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
            raise DataJointError(f"{name} must be a whole number, not {given!r}")
        if number is not None and number < 0:
            raise DataJointError(f"{name} must not be negative, and it is {number}")
        checked.append(number)
    return checked[0], checked[1] or 0


def read_order(heading: Heading, order_by: OrderBy) -> tuple[Order, ...]:
    """Translate ``order_by``: names with an optional ``DESC``; ``KEY`` stands for the primary key.

    Raises
    ------
    DataJointError
        For a term that is none of these.
    """
    if order_by is None:
        return ()
    terms = list(order_by) if isinstance(order_by, (list, tuple)) else [order_by]
    order: dict[str, Order] = {}
    for term in terms:
        if not isinstance(term, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise DataJointError(f"cannot order by {term!r}: write an attribute, or 'attribute DESC'")
        for text in term.split(","):
            for item in _term(heading, text):
                order.setdefault(item.name, item)
    return tuple(order.values())


def _term(heading: Heading, text: str) -> list[Order]:
    match = _TERM.fullmatch(text)
    if match is None:
        raise DataJointError(f"cannot order by {text.strip()!r}: write an attribute, or 'attribute DESC'")
    descending = (match[2] or "").upper() == "DESC"
    if match[1].upper() == "KEY" and match[1] not in heading:
        return [Order(name, descending) for name in heading.primary_key]
    heading.check((match[1],))
    return [Order(match[1], descending)]


def handed_on(node: Node) -> tuple[Order, ...]:
    """Return the order that a `Top` gave to the rows of an expression; nothing without one."""
    match node:
        case Limit():
            return node.order
        case Project():
            order = handed_on(node.source)
            new = {c.source: c.name for c in node.columns if isinstance(c, Column)}
            kept = [Order(new[term.name], term.descending) for term in order if term.name in new]
            return tuple(kept) if len(kept) == len(order) else ()
        case _:
            return ()
