"""Semantic matching: which attributes of two relations are the same one.

Namesakes match only when they come from one origin through foreign keys (their lineage); anything else is
an accident of naming, refused with the projection that resolves it.
"""

from __future__ import annotations

from collections.abc import Sequence

from djcli.algebra.heading import COMPUTED, Heading, HeadingAttribute
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
        ``'join'`` or ``'restrict'``, for the message.
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
    for name in names if semantic_check else ():
        if not first[name].is_homologous(second[name]):
            ours, theirs = _origin(first[name]), _origin(second[name])
            kept = [n for n in second.secondary if n not in first]
            without = f", leave it out with {_projection(kept)}" if not second[name].in_key else ""
            raise DataJointError(
                f"cannot {operation} on {name!r}: it is {ours} on one side and {theirs} on the other; "
                f"rename one with .proj(..., new_name={name!r}){without}, or pass semantic_check=False"
            )
    # One heading object means that one relation is a restriction of the other: its key tells rows apart.
    return first.primary_key if first is second and semantic_check else names


def _projection(names: Sequence[str]) -> str:
    """Return the projection that keeps these attributes besides the key."""
    return f".proj({', '.join(map(repr, names))})"


def _origin(attribute: HeadingAttribute) -> str:
    if attribute.lineage is not None:
        return attribute.lineage
    match attribute.origin:
        case (TableId() as table, str() as column):
            return f"the secondary attribute {'.'.join((*table, column))}"
        case (Node(), str() as text):
            return f"computed as {text}"
        case (Node(), Path() as path):
            return f"read from {path.name}.{'.'.join(path.steps)}"
        case _:
            return "computed" if attribute.type is COMPUTED else "of unknown origin"
