"""Semantic matching: which attributes of two relations are the same one.

Namesakes match only when they come from one origin through foreign keys (their lineage); anything else is
an accident of naming, refused with the projection that resolves it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from djcli.algebra.heading import COMPUTED, Heading, HeadingAttribute, Origin
from djcli.algebra.paths import Path
from djcli.algebra.relation import Node
from djcli.definition.model import TableId
from djcli.errors import DataJointError


def shared_attributes(
    first: Heading,
    second: Heading,
    *,
    operation: str,
    semantic_check: bool = True,
    itself: bool = False,
) -> tuple[str, ...]:
    """Return the names that both headings have, in the first one's order.

    Parameters
    ----------
    first, second
        The two headings.
    operation
        ``'join'``, ``'restrict'`` or ``'aggregate'``, for the message.
    semantic_check
        False takes every namesake for a match.
    itself
        Whether both are one and the same relation: then equal keys are equal rows, nulls included.

    Raises
    ------
    DataJointError
        If a namesake is not homologous.
    """
    if itself:
        return first.primary_key
    names = tuple(name for name in first.names if name in second)
    lineages = Counter(first[name].lineage for name in names)
    for name in names if semantic_check else ():
        if first is second and first[name].origin is not None:
            continue
        if not _are_homologous(first[name], second[name], lineages):
            ours, theirs = _origin(first[name]), _origin(second[name])
            kept = [n for n in second.secondary if n not in first]
            ways = [f"rename one with .proj(..., new_name={name!r})"]
            ways += [] if second[name].in_key else [f"leave it out with {_projection(kept)}"]
            ways += [] if operation == "aggregate" else [f"pass semantic_check=False to {operation}()"]
            raise DataJointError(
                f"cannot {operation} on {name!r}: it is {ours} on one side and {theirs} on the other; "
                f"{', or '.join(ways)}"
            )
    if not semantic_check:
        return names
    # One heading object means that one relation is a restriction of the other: its key tells rows apart.
    return first.primary_key if first is second else _telling(first, second, names)


def _telling(first: Heading, second: Heading, names: Sequence[str]) -> tuple[str, ...]:
    """Leave out attributes that are equal wherever the key of what they belong to is; they may be null."""
    lineages = Counter(first[name].lineage for name in names)
    return tuple(name for name in names if not _is_told(first[name], second[name], lineages))


def _are_homologous(ours: HeadingAttribute, theirs: HeadingAttribute, shared: Counter[str | None]) -> bool:
    """Whether two namesakes are one attribute.

    They have one lineage. Without any, they have one origin, and what it belongs to is matched as well, or
    at least one of them is a key: two trials do not match because their reaction times happen to be equal.
    """
    if ours.lineage is not None or theirs.lineage is not None:
        return ours.lineage == theirs.lineage
    if ours.origin is None or ours.origin != theirs.origin:
        return False
    return ours.in_key or theirs.in_key or _is_told(ours, theirs, shared)


def _is_told(ours: HeadingAttribute, theirs: HeadingAttribute, shared: Counter[str | None]) -> bool:
    """Whether the shared attributes with a lineage tell which row of its place an attribute is from."""
    if ours.lineage is not None or ours.in_key or theirs.in_key or ours.origin is None:
        return False
    return None not in ours.origin.key and Counter(ours.origin.key) <= shared


def _projection(names: Sequence[str]) -> str:
    """Return the projection that keeps these attributes besides the key."""
    return f".proj({', '.join(map(repr, names))})"


def _origin(attribute: HeadingAttribute) -> str:
    if attribute.lineage is not None:
        return attribute.lineage
    match attribute.origin:
        case Origin(TableId() as table, str() as column):
            return f"the secondary attribute {'.'.join((*table, column))}"
        case Origin(Node(), str() as text):
            return f"computed as {text}"
        case Origin(Node(), Path() as path):
            return f"read from {path.name}.{'.'.join(path.steps)}"
        case _:
            return "computed" if attribute.type is COMPUTED else "of unknown origin"
