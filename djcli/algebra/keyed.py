"""Restriction by a dict of plain values, the way of every key: its structure is worked out once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

from djcli.algebra import nodes
from djcli.algebra.conditions import Compare, all_of
from djcli.algebra.heading import COMPUTED
from djcli.algebra.paths import head_of
from djcli.algebra.relation import Node
from djcli.codecs.scalars import encoder

_PLAIN = frozenset((int, float, str, bool, Decimal, date, datetime, UUID))
"""Types of single values; anything else may be a list, or stand for no value."""

_Slot = tuple[str, Callable[[object], object]]


def restricted_by_dict(node: Node, given: dict[object, object]) -> tuple[Node, tuple[object, ...]] | None:
    """Restrict a relation by the equality of attributes and plain values.

    Parameters
    ----------
    node
        The relation.
    given
        The values by attribute; keys that are no attributes have no effect.

    Returns
    -------
    tuple or None
        The restricted relation and the values of its new slots; None for a dict that holds anything out of the
        ordinary, which `read_restriction` reads, or refuses.
    """
    plan = _plan(node, tuple(given))
    if plan is None:
        return None
    restricted, slots = plan
    values: list[object] = []
    try:
        for name, encode in slots:
            value = given[name]
            if type(value) not in _PLAIN:
                return None
            values.append(encode(value))
    except ValueError:
        return None
    return restricted, tuple(values)


@lru_cache(maxsize=4096)
def _plan(node: Node, names: tuple[object, ...]) -> tuple[Node, tuple[_Slot, ...]] | None:
    known = node.heading.by_name
    slots: list[_Slot] = []
    for name in names:
        attribute = known.get(name) if isinstance(name, str) else None
        if attribute is None:
            if isinstance(name, str) and head_of(name, known) is not None:
                return None  # a path
            continue
        kind = attribute.type
        if kind is COMPUTED or kind.codec is not None or kind.name == "json":
            return None
        slots.append((attribute.name, encoder(kind.name, kind.column, kind.args, kind.labels)))
    if not slots:
        return None
    condition = all_of(Compare(name) for name, _ in slots)
    return nodes.restrict(node, condition), tuple(slots)
