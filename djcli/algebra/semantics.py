"""Semantic matching: which attributes of two relations are the same one.

Namesakes match only when they come from one origin through foreign keys (their lineage); anything else is
an accident of naming, refused with the projection that resolves it.
"""

from __future__ import annotations

from djcli.algebra.heading import Heading, HeadingAttribute
from djcli.algebra.relation import Node
from djcli.definition.model import TableId
from djcli.errors import DataJointError


def shared_attributes(
    first: Heading, second: Heading, *, operation: str, semantic_check: bool = True
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

    Raises
    ------
    DataJointError
        If a namesake is not homologous.
    """
    names = tuple(name for name in first.names if name in second)
    if semantic_check:
        for name in names:
            if not first[name].is_homologous(second[name]):
                raise DataJointError(
                    f"cannot {operation} on {name!r}: it is {_origin(first[name])} on one side and "
                    f"{_origin(second[name])} on the other; rename one with .proj(new_name='{name}'), "
                    f"leave it out with .proj(...), or pass semantic_check=False"
                )
    return names


def _origin(attribute: HeadingAttribute) -> str:
    if attribute.lineage is not None:
        return attribute.lineage
    match attribute.origin:
        case (TableId() as table, str() as column):
            return f"the secondary attribute {'.'.join((*table, column))}"
        case (Node(), str() as text):
            return f"computed as {text}"
        case _:
            return "of unknown origin"
