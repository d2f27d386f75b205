"""Renames: those that the user asks for, those that follow from them, and candidates, which are only offered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from djcli.definition.model import TableId, TableModel
from djcli.errors import SelectionError
from djcli.migration.attributes import AttributeAdded, AttributeRemoved, AttributeRenamed
from djcli.migration.changes import Change, TableExtra, TableMissing, TableRenamed, TierChanged
from djcli.migration.view import View, master_of
from djcli.names import Tier, did_you_mean, display_name, split_table_name

Models = Mapping[TableId, TableModel]


def apply_renames(view: View, declared: Models, wanted: Sequence[str]) -> tuple[View, list[Change]]:
    """Give tables and columns the names that they get.

    A table whose class moved to another tier is renamed by itself, for class and schema are the same; anything
    else only as told.

    Parameters
    ----------
    view
        The database under its present names.
    declared
        The declared tables.
    wanted
        ``Old=New`` for tables, ``Table.old=new`` for attributes, a schema in front where need be.

    Returns
    -------
    tuple
        The view under the new names, and the changes.

    Raises
    ------
    SelectionError
        If one of them names what is not there, or what the classes do not declare.
    """
    parsed = [_parse(text) for text in wanted]
    tables = _tier_changes(view, declared)
    changes: list[Change] = [
        TierChanged(new, old.name) for old, new in tables.items() if master_of(new) == new
    ]
    for text, old, new in parsed:
        if not _is_attribute(old):
            for before, after in _table_rename(view, declared, text, old, new).items():
                tables[before] = after
                changes.append(TableRenamed(after, before.name))
    view = view.renamed(tables, {})
    columns: dict[TableId, dict[str, str]] = {}
    for text, old, new in parsed:
        if _is_attribute(old):
            table, name = _attribute(view, declared, text, old, new)
            _rename_column(view, declared, columns, table, (name, new))
    changes += [
        AttributeRenamed(table, new, old) for table, names in columns.items() for old, new in names.items()
    ]
    if not columns:
        return view, changes
    plain = View.of(view.catalog)
    return plain.renamed(tables, columns), changes


def _parse(text: str) -> tuple[str, str, str]:
    old, equals, new = text.partition("=")
    old, new = old.strip(), new.strip()
    if not equals or not old or not new or (_is_attribute(old) and "." not in old):
        raise SelectionError(f"--rename {text}: write Table.old=new for an attribute, Old=New for a table")
    if _is_attribute(old) != _is_attribute(new):
        raise SelectionError(
            f"--rename {text}: one side is a table and the other an attribute; "
            "tables begin with a capital letter, attributes with a small one"
        )
    return text, old, new


def _is_attribute(text: str) -> bool:
    return not text.rpartition(".")[2][:1].isupper()


def _named(tables: Iterable[TableId], name: str) -> list[TableId]:
    """Return the tables of a name as one writes it, with its schema or without."""
    return [table for table in tables if name in (display_name(table.name), str(table))]


def _one(tables: Iterable[TableId], name: str, text: str, what: str) -> TableId:
    tables = list(tables)
    found = _named(tables, name)
    if len(found) > 1:
        raise SelectionError(f"--rename {text}: {name} is ambiguous: {' or '.join(map(str, found))}")
    if not found:
        near = did_you_mean(name, (display_name(table.name) for table in tables))
        raise SelectionError(f"--rename {text}: {what} {name}{near}")
    return found[0]


def _tier_changes(view: View, declared: Models) -> dict[TableId, TableId]:
    """Return tables that are there under the name of another tier, with the names they get."""
    extra: dict[str, list[TableId]] = {}
    for table in view.catalog.pipeline_tables:
        if table not in declared:
            extra.setdefault(str(table), []).append(table)
    missing = [table for table in declared if table not in view.tables]
    return {extra[str(table)][0]: table for table in missing if len(extra.get(str(table), ())) == 1}


def _table_rename(view: View, declared: Models, text: str, old: str, new: str) -> dict[TableId, TableId]:
    """Return what is renamed with a table: itself and its parts."""
    after = _one(
        (table for table in declared if table not in view.tables),
        new,
        text,
        "no class declares a missing table",
    )
    before = _one(
        (table for table in view.catalog.pipeline_tables if table not in declared),
        old,
        text,
        "the database has no undeclared table",
    )
    if before.schema != after.schema:
        raise SelectionError(f"--rename {text}: a table cannot move to another schema")
    found = {before: after}
    for part in view.catalog.pipeline_tables:
        if part != before and master_of(part) == before:
            follower = TableId(part.schema, after.name + part.name[len(before.name) :])
            if follower in declared and follower not in view.tables:
                found[part] = follower
    return found


def _attribute(view: View, declared: Models, text: str, old: str, new: str) -> tuple[TableId, str]:
    label, _, name = old.rpartition(".")
    table = _one((table for table in declared if table in view.tables), label, text, "there is no table")
    if name not in view.tables[table] or name in declared[table]:
        known = [a.name for a in view.tables[table] if a.name not in declared[table]]
        raise SelectionError(
            f"--rename {text}: {name} is no attribute that only the database has"
            f"{did_you_mean(name, known)} (of {label} these are: {', '.join(known) or 'none'})"
        )
    if new not in declared[table] or new in view.tables[table]:
        raise SelectionError(f"--rename {text}: {new} is no declared attribute of {label} that is missing")
    return table, name


def _rename_column(
    view: View,
    declared: Models,
    columns: dict[TableId, dict[str, str]],
    table: TableId,
    names: tuple[str, str],
) -> None:
    """Rename an attribute, and those of the tables below that inherit it and follow by their declaration."""
    old, new = names
    if columns.setdefault(table, {}).get(old) == new:
        return
    columns[table][old] = new
    for child, key in view.children(table):
        model = declared.get(child.id)
        follows = (
            (old, old) in key.columns
            and model is not None
            and old not in model
            and new not in child
            and any(k.parent == table and (new, new) in k.columns for k in model.foreign_keys)
        )
        if follows:
            _rename_column(view, declared, columns, child.id, names)


# ---- candidates -------------------------------------------------------------------------------------


def candidates(changes: Sequence[Change], view: View) -> dict[Change, str]:
    """Return for changes that may be two halves of a rename how to say so."""
    hints: dict[Change, list[str]] = {}

    def offer(gone: Change, new: Change, rename: str) -> None:
        for change in (gone, new):
            hints.setdefault(change, []).append(rename)

    added: dict[TableId, list[AttributeAdded]] = {}
    for change in changes:
        if isinstance(change, AttributeAdded) and not change.attribute.name.startswith("_"):
            added.setdefault(change.id, []).append(change)
    missing = [change for change in changes if isinstance(change, TableMissing)]
    pairs = {
        (gone.id, gone.attribute.name, new.attribute.name): (gone, new)
        for gone in changes
        if isinstance(gone, AttributeRemoved)
        for new in added.get(gone.id, ())
        if gone.attribute.type == new.attribute.type
    }
    for (table, before, after), (gone, new) in pairs.items():
        keys = view.tables[table].foreign_keys
        # what is inherited follows when it is renamed above
        if not any((key.parent, before, after) in pairs and (before, before) in key.columns for key in keys):
            offer(gone, new, f"{display_name(table.name)}.{before}={after}")
    for gone in changes:
        if isinstance(gone, TableExtra):
            for table in missing:
                if _alike(view.tables[gone.id], table.model):
                    offer(gone, table, f"{display_name(gone.id.name)}={display_name(table.model.id.name)}")
    return {
        change: "if it was renamed, keep the data with " + " or ".join(f"--rename {text}" for text in texts)
        for change, texts in hints.items()
    }


def _alike(before: TableModel, after: TableModel) -> bool:
    """Whether two tables of one schema have the same attributes, and neither follows a master by itself."""
    signatures = [[(a.name, a.type, a.in_key) for a in model] for model in (before, after)]
    parts = [split_table_name(model.id.name) for model in (before, after)]
    if before.id.schema != after.id.schema or any(p is None or p[0] is Tier.PART for p in parts):
        same_master = master_of(before.id) == master_of(after.id) and before.id.schema == after.id.schema
        if not same_master:
            return False
    return signatures[0] == signatures[1]
