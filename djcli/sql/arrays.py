"""Array parameters as their own text, where that is faster than what the driver makes of a list."""

from __future__ import annotations

from collections.abc import Sequence

_SPECIAL = frozenset('"\\')


def array(values: Sequence[object]) -> object:
    """Return a parameter that stands for an array of values; the statement casts it to the array's type.

    Whole numbers and texts, which keys are made of, are written out at once; the driver would take several
    microseconds for each. It is a parameter still, never a part of a statement.

    Parameters
    ----------
    values
        Values of one type, or None.

    Returns
    -------
    object
        The text of an array, or the list itself for any other type.
    """
    types = set(map(type, values))
    if types == {int}:
        return "{" + ",".join(map(str, values)) + "}"
    if types == {str}:
        texts: Sequence[str] = values  # pyright: ignore[reportAssignmentType] - the types were looked at
        if not _SPECIAL.isdisjoint("".join(texts)):
            texts = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
        return '{"' + '","'.join(texts) + '"}'
    return list(values)
