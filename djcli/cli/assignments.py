"""Reading `ATTR=VALUE` as a value of an attribute of a table."""

from __future__ import annotations

import typer

from djcli.codecs.scalars import parse_text
from djcli.errors import SelectionError
from djcli.names import did_you_mean
from djcli.tables.table import Table


def parse_assignments(texts: list[str] | None, hint: str) -> dict[str, str]:
    """Split each `ATTR=VALUE`; what it means is for the attribute's type to say.

    Raises
    ------
    typer.BadParameter
        If one is not of that form, or an attribute is given twice.
    """
    found: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise typer.BadParameter(f"{text!r} is not ATTR=VALUE", param_hint=hint)
        if name in found:
            raise typer.BadParameter(f"attribute {name!r} is given twice", param_hint=hint)
        found[name] = value
    return found


def check_name(table: type[Table], name: str) -> None:
    """Refuse the name of no attribute.

    Raises
    ------
    SelectionError
        Listing the attributes there are.
    """
    names = table.heading.names
    if name not in names:
        raise SelectionError(
            f"{table.class_label} has no attribute {name!r}{did_you_mean(name, names)} (they are {', '.join(names)})"
        )


def typed(table: type[Table], name: str, text: str, hint: str) -> object:
    """Return the value that a text stands for.

    Raises
    ------
    SelectionError
        If the table has no such attribute.
    typer.BadParameter
        If the text is no value of its type.
    """
    check_name(table, name)
    kind = table.heading[name].type
    if kind.codec is not None:
        raise typer.BadParameter(
            f"attribute {name!r} holds {kind.text}, which no text can give: update it in Python, with update1",
            param_hint=hint,
        )
    try:
        return parse_text(kind.name, kind.column, kind.args, kind.labels, text)
    except ValueError as error:
        raise typer.BadParameter(f"attribute {name!r} is {kind.text}: {error}", param_hint=hint) from error
