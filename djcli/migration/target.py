"""The target: what every table is to be, those that merely follow their parents included."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from djcli.catalog.graph import Graph
from djcli.catalog.lineage import Lineage
from djcli.definition.attribute import Attribute, AttributeType
from djcli.definition.model import ForeignKey, TableId, TableModel
from djcli.definition.resolve import SINGLETON
from djcli.migration.view import View
from djcli.sql.ddl import EnumId, primary_key

Models = Mapping[TableId, TableModel]


@dataclass(frozen=True)
class Target:
    """What the database is to be.

    Attributes
    ----------
    view
        What it is.
    declared
        The tables that the classes declare.
    tables
        All tables as they are to be, parents first: declared ones and those that stay. Enum attributes
        know the type of their column.
    gone
        The tables that are dropped, by the names of the view; some of them are declared anew.
    new_enums
        The enum types to create, with their labels.
    """

    view: View
    declared: Models
    tables: Models
    gone: frozenset[TableId]
    new_enums: Mapping[EnumId, tuple[str, ...]]

    def before(self, table: TableId) -> TableModel | None:
        """Return a table as it is; None for one that is new or declared anew."""
        return None if table in self.gone else self.view.tables.get(table)

    def kept(self) -> list[tuple[TableModel, TableModel]]:
        """Return the tables that stay, each as it is and as it is to be, parents first."""
        pairs = ((self.before(table), model) for table, model in self.tables.items())
        return [(before, after) for before, after in pairs if before is not None]

    def created(self) -> list[TableModel]:
        """Return the declared tables that are to be created, parents first."""
        return [self.declared[table] for table in self.tables if self.before(table) is None]

    def replaced_key(self, table: TableId, attribute: str) -> tuple[ForeignKey, ForeignKey] | None:
        """Return the foreign key that brings a new attribute, and the one to the same parent it takes the place of.

        Rows then know their parent's row already, from which the new attribute is copied.
        """
        before, after = self.before(table), self.tables[table]
        if before is None or any(each.name == attribute for each in before):
            return None
        for new in after.foreign_keys:
            if attribute not in new.attributes or new.parent == table or self.before(new.parent) is None:
                continue
            staying = {reference(key) for key in after.foreign_keys}
            for old in before.foreign_keys:
                if old.parent == new.parent and reference(old) not in staying:
                    return new, old
        return None


def reference(key: ForeignKey) -> tuple[TableId, frozenset[tuple[str, str]]]:
    """Return what a foreign key refers to, without its modifiers."""
    return key.parent, frozenset(key.columns)


def find_attribute(model: TableModel, name: str) -> Attribute | None:
    """Return an attribute or a hidden column; None where there is none."""
    return next((each for each in (*model.attributes, *model.hidden) if each.name == name), None)


def make_target(view: View, declared: Models, gone: Collection[TableId]) -> Target:
    """Work out what all tables are to be.

    Parameters
    ----------
    view
        The database, renames done.
    declared
        The declared tables.
    gone
        Tables that are dropped, whether or not they are declared anew.
    """
    models = {table: model for table, model in view.tables.items() if table not in gone} | dict(declared)
    order = Graph(models.values()).topological_order(models, strict=False)
    enums = _Enums(view)
    tables: dict[TableId, TableModel] = {}
    for table in order:
        before = None if table in gone else view.tables.get(table)
        model = models[table]
        is_declared = table in declared
        model = _with_hidden(model, before) if is_declared else _following(model, view.tables, tables)
        tables[table] = enums.settle(model, before, tables)
    lineage = Lineage(
        {table: primary_key(model) for table, model in tables.items()},
        {table: model.foreign_keys for table, model in tables.items()},
    )
    tables = {table: _with_lineage(model, lineage) for table, model in tables.items()}
    return Target(view, declared, tables, frozenset(gone), enums.new)


def _with_hidden(model: TableModel, before: TableModel | None) -> TableModel:
    """Return a declared table with the hidden columns that the database has beyond its own."""
    if before is None:
        return model
    names = {attribute.name for attribute in model.hidden}
    if model.primary_key:
        names.add(SINGLETON.name)
    others = tuple(attribute for attribute in before.hidden if attribute.name not in names)
    return replace(model, hidden=(*model.hidden, *others))


def _following(model: TableModel, before: Models, after: Models) -> TableModel:
    """Return a table that no class declares, its inherited attributes of the types that the parents get."""
    types: dict[str, AttributeType] = {}
    for key in model.foreign_keys:
        old, new = before.get(key.parent), after.get(key.parent)
        for own, theirs in key.columns:
            if old is not None and new is not None and theirs in old and theirs in new:
                kind = new[theirs].type
                if old[theirs].type != kind:
                    types[own] = (
                        replace(kind, text=kind.column, is_identity=False) if kind.is_identity else kind
                    )
    keys = tuple(_in_order(key, after) for key in model.foreign_keys)
    if not types and keys == model.foreign_keys:
        return model
    attributes = (replace(each, type=types.get(each.name, each.type)) for each in model.attributes)
    return replace(model, attributes=tuple(attributes), foreign_keys=keys)


def _in_order(key: ForeignKey, parents: Models) -> ForeignKey:
    """Return a foreign key with its columns in the order that the parent's key gets."""
    parent = parents.get(key.parent)
    order = {name: place for place, name in enumerate(parent.primary_key)} if parent is not None else {}
    columns = tuple(sorted(key.columns, key=lambda pair: order.get(pair[1], len(order))))
    return replace(key, columns=columns)


def _with_lineage(model: TableModel, lineage: Lineage) -> TableModel:
    def told(attributes: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
        return tuple(replace(each, lineage=lineage.of(model.id, each.name)) for each in attributes)

    return replace(model, attributes=told(model.attributes), hidden=told(model.hidden))


class _Enums:
    """Which enum type each column gets: its own, its parent's, one that is there, or a new one."""

    def __init__(self, view: View) -> None:
        self.new: dict[EnumId, tuple[str, ...]] = {}
        self._known = dict(view.catalog.enums)

    def settle(self, model: TableModel, before: TableModel | None, parents: Models) -> TableModel:
        """Return a table whose enum attributes name the type of their column."""
        if not any(attribute.type.is_enum for attribute in model.attributes):
            return model
        return replace(
            model,
            attributes=tuple(
                replace(each, type=self._settled(model, each, before, parents)) if each.type.is_enum else each
                for each in model.attributes
            ),
        )

    def _settled(
        self, model: TableModel, attribute: Attribute, before: TableModel | None, parents: Models
    ) -> AttributeType:
        for key in model.foreign_keys:
            theirs = dict(key.columns).get(attribute.name)
            parent = parents.get(key.parent)
            if theirs is not None and parent is not None and theirs in parent:
                kind = parent[theirs].type
                return replace(attribute.type, column=kind.column, enum_schema=kind.enum_schema)
        if before is not None and attribute.name in before and before[attribute.name].type == attribute.type:
            return before[attribute.name].type
        enum = self._find(model.id.schema, attribute.type)
        return replace(attribute.type, column=enum.name, enum_schema=enum.schema)

    def _find(self, schema: str, kind: AttributeType) -> EnumId:
        wanted = EnumId(schema, kind.column)
        if self._known.get(wanted) == kind.labels:
            return wanted
        for known, labels in self._known.items():
            if known.schema == schema and labels == kind.labels:
                return known
        number = 2
        while wanted in self._known:
            wanted = EnumId(schema, f"{kind.column}_{number}")
            number += 1
        self._known[wanted] = self.new[wanted] = kind.labels
        return wanted
