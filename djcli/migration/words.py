"""Words: how changes speak of attributes, keys and numbers, to people and in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from djcli.definition.attribute import Attribute, AttributeType, Default
from djcli.definition.model import ForeignKey, Index


def name_list(names: Iterable[str]) -> str:
    """Return names in parentheses."""
    return f"({', '.join(names)})"


def attribute_text(attribute: Attribute) -> str:
    """Return an attribute as a definition has it, without comment."""
    null = " = null" if attribute.nullable else ""
    default = f" = {default_text(attribute.default)}" if attribute.default is not None else null
    return f"{attribute.name}{default} : {attribute.type.text}"


def default_text(default: Default | None) -> str:
    """Return a default as a message shows it."""
    if default is None:
        return "none"
    return default.value if default.is_expression else repr(default.value)


def foreign_key_text(key: ForeignKey) -> str:
    """Return a foreign key as a definition has it, the parent in full."""
    renamed = ", ".join(f"{own}={theirs!r}" for own, theirs in key.renamed.items())
    modifiers = ", ".join(
        word for word, is_set in (("nullable", key.nullable), ("unique", key.unique)) if is_set
    )
    projection = f".proj({renamed})" if renamed else ""
    return f"-> {f'[{modifiers}] ' if modifiers else ''}{key.parent}{projection}"


def json_value(value: object) -> object:
    """Return a field of a change as a value of JSON."""
    match value:
        case AttributeType():
            return value.text
        case Default():
            return value.value
        case Attribute():
            return {"name": value.name, "type": value.type.text, "nullable": value.nullable}
        case Index():
            return {"attributes": list(value.attributes), "unique": value.unique}
        case ForeignKey():
            return {
                "parent": {"schema": value.parent.schema, "table": value.parent.name},
                "attributes": dict(value.columns),
                "nullable": value.nullable,
                "unique": value.unique,
            }
        case tuple():
            return list(cast("tuple[str, ...]", value))
        case _:
            return value


def index_text(index: Index) -> str:
    """Return an index in words."""
    return f"{'unique index' if index.unique else 'index'} {name_list(index.attributes)}"
