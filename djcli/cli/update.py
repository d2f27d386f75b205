"""`djcli update`: attributes of one row, by its whole key."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from djcli.cli import console
from djcli.cli.assignments import check_name, parse_assignments, typed
from djcli.cli.cells import told
from djcli.cli.workspace import TableArgument, open_workspace
from djcli.errors import SelectionError
from djcli.names import key_text
from djcli.tables.table import Table

app = typer.Typer(rich_markup_mode=None)


@app.command("update")
def update(
    ctx: typer.Context,
    table: TableArgument,
    key: Annotated[
        list[str] | None,
        typer.Argument(metavar="ATTR=VALUE...", help="The whole key of the row.", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="ATTR=VALUE", help="The new value of an attribute. Can be repeated."),
    ] = None,
    unset: Annotated[
        list[str] | None,
        typer.Option(metavar="ATTR", help="Set this attribute to its default, or to null. Can be repeated."),
    ] = None,
) -> None:
    """Change attributes of one row.

    --set note= gives an empty text; --unset note gives the default.
    """
    keys = parse_assignments(key, "ATTR=VALUE")
    changes = parse_assignments(set_, "--set")
    resets = list(dict.fromkeys(unset or ()))
    if not changes and not resets:
        raise typer.BadParameter("say what to change: --set ATTR=VALUE or --unset ATTR")
    both = next((name for name in resets if name in changes), None)
    if both is not None:
        raise typer.BadParameter(f"attribute {both!r} is both set and unset", param_hint="--unset")
    work = open_workspace(ctx)
    found = work.find(table, to_change=True)
    values = {name: typed(found, name, text, "ATTR=VALUE") for name, text in keys.items()}
    _check_key(found, values)
    new: dict[str, Any] = {name: typed(found, name, text, "--set") for name, text in changes.items()}
    for name in resets:
        check_name(found, name)
        new[name] = None
    for name in new:
        if found.heading[name].in_key:
            raise SelectionError(
                f"attribute {name!r} belongs to the key, which stays: insert a new row and delete this one"
            )
    work.declared([found], named=[found])
    row = found() & values
    before = _values(row, list(new))
    if before is None:
        raise SelectionError(f"{found.class_label} has no row with {key_text(values)}")
    found().update1({**values, **new})
    after = _values(row, list(new)) or before
    for name, value in after.items():
        attribute = found.heading[name]
        console.note(f"{name}: {told(attribute, before[name])} -> {told(attribute, value)}")
    console.note(f"updated 1 row of {found.class_label}")


def _check_key(table: type[Table], values: dict[str, object]) -> None:
    names = table.heading.primary_key
    other = next((name for name in values if name not in names), None)
    if other is not None:
        raise typer.BadParameter(
            f"{other!r} is no attribute of the key ({', '.join(names)}); new values go with --set",
            param_hint="ATTR=VALUE",
        )
    missing = [name for name in names if name not in values]
    if missing:
        raise typer.BadParameter(
            f"the key of one row is needed; missing: {', '.join(f'{name}=VALUE' for name in missing)}",
            param_hint="ATTR=VALUE",
        )


def _values(row: Any, names: list[str]) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = row.proj(*names).to_dicts(limit=1)
    return {name: found[0][name] for name in names} if found else None
