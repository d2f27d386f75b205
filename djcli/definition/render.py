"""Rendering a table's model as the text of a definition, which reads back as an equal model."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from djcli.definition.attribute import Attribute, Default
from djcli.definition.defaults import is_expression
from djcli.definition.model import ForeignKey, Index, TableId, TableModel
from djcli.definition.tokens import end_of_word, is_number, quote
from djcli.names import Tier, display_name, split_table_name

_MAX_PADDING = 32


def render(model: TableModel, name_parent: Callable[[TableId], str] | None = None) -> str:
    """Return the definition of a table.

    Parameters
    ----------
    model
        The table, from a class or from the database.
    name_parent
        Tells how a parent is written in a foreign key. By default ``Class`` in the same schema and
        ``schema.Class`` from another one, where what cannot stand in a Python name becomes ``_``;
        ``Master.Part`` for a part, and ``master`` in a part for its master.

    Returns
    -------
    str
        The text, each line ended; attributes that a foreign key brings are not printed as attributes.
    """
    name = name_parent or partial(parent_name, model.id)
    key = [attribute for attribute in model.attributes if attribute.in_key]
    rest = [attribute for attribute in model.attributes if not attribute.in_key]
    written: set[str] = set()
    primary = _section(key, [each for each in model.foreign_keys if each.in_key], written)
    secondary = _section(rest, [each for each in model.foreign_keys if not each.in_key], written)
    attributes = [item for item, _ in primary + secondary if isinstance(item, Attribute)]
    width = max((len(_left(each)) for each in attributes if len(_left(each)) <= _MAX_PADDING), default=0)
    lines = [f"# {_one_line(model.comment)}"] if model.comment.strip() else []
    lines += [_item(item, model, new, name, width) for item, new in primary]
    if secondary or not primary:
        lines.append("---")
    lines += [_item(item, model, new, name, width) for item, new in secondary]
    lines += [_index(index) for index in model.indexes]
    return "\n".join(lines) + "\n"


def parent_name(child: TableId, parent: TableId) -> str:
    """Return how `child` writes `parent` in a foreign key, see `render`."""
    parts = split_table_name(child.name)
    if parts is not None and parts[0] is Tier.PART and parent == TableId(child.schema, parts[2] or ""):
        return "master"
    name = display_name(parent.name)
    if parent.schema == child.schema:
        return name
    module = re.sub(r"\W", "_", parent.schema, flags=re.ASCII)
    return f"{'_' if module[:1].isdigit() else ''}{module}.{name}"


_Placed = list[tuple[Attribute | ForeignKey, tuple[str, ...]]]
"""Items in order, each with the attributes that it is the first to bring."""


def _section(attributes: list[Attribute], foreign_keys: list[ForeignKey], written: set[str]) -> _Placed:
    """Put the foreign keys of a section where the attributes that they bring stand."""
    placed: _Placed = []
    waiting = list(foreign_keys)

    def place(foreign_key: ForeignKey) -> None:
        waiting.remove(foreign_key)
        placed.append((foreign_key, tuple(own for own in foreign_key.attributes if own not in written)))
        written.update(foreign_key.attributes)

    def place_those_that_bring_nothing() -> None:
        while waiting and written.issuperset(waiting[0].attributes):
            place(waiting[0])

    for attribute in attributes:
        if attribute.name in written:
            continue
        place_those_that_bring_nothing()
        bringing = (each for each in waiting if attribute.name in each.attributes)
        foreign_key = next(bringing, None) if attribute.inherited else None
        if foreign_key is not None:
            place(foreign_key)
        else:
            placed.append((attribute, ()))
            written.add(attribute.name)
    for foreign_key in tuple(waiting):
        place(foreign_key)
    return placed


def _item(
    item: Attribute | ForeignKey,
    model: TableModel,
    new: tuple[str, ...],
    name: Callable[[TableId], str],
    width: int,
) -> str:
    if isinstance(item, Attribute):
        comment = _one_line(item.comment)
        line = f"{_left(item):{width}} : {item.type.text}"
        return f"{line}  # {comment}" if comment else line
    options = ["nullable"] if any(model[own].nullable for own in new) else []
    options += ["unique"] if item.unique else []
    renames = ", ".join(f"{own}='{theirs}'" for own, theirs in item.renamed.items())
    return (
        "-> "
        + (f"[{', '.join(options)}] " if options else "")
        + name(item.parent)
        + (f".proj({renames})" if renames else "")
    )


def _left(attribute: Attribute) -> str:
    if attribute.nullable:
        return f"{attribute.name} = null"
    return f"{attribute.name} = {_default(attribute.default)}" if attribute.default else attribute.name


def _default(default: Default) -> str:
    value = default.value
    if not default.is_expression:
        return value if is_number(value) or value in {"true", "false"} else quote(value)
    end, unclosed = end_of_word(value, 0, ":#")
    stands_alone = is_expression(value) and end == len(value) and unclosed < 0
    return value if stands_alone else f"({value})"


def _index(index: Index) -> str:
    return f"{'unique ' if index.unique else ''}index({', '.join(index.attributes)})"


def _one_line(comment: str) -> str:
    return " ".join(comment.split("\n")).strip()
