"""Resolving a parsed definition: foreign keys become attributes, and every attribute gets its lineage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from djcli.definition.attribute import Attribute, AttributeType, Default
from djcli.definition.grammar import AttributeSpec, ForeignKeySpec, IndexSpec, Item, ParsedTable
from djcli.definition.model import ForeignKey, Index, TableId, TableModel
from djcli.definition.types import own_enum, parse_type
from djcli.errors import DataJointError, DefinitionError
from djcli.names import did_you_mean, split_table_name

FindParent = Callable[[str], TableModel]

SINGLETON = Attribute(
    "_singleton", parse_type("bool"), in_key=True, default=Default("true"), comment="singleton primary key"
)
"""The hidden primary key of a table that declares none."""

JOB_METADATA = (
    Attribute("_job_start_time", parse_type("datetime(3)"), nullable=True, comment="when computation began"),
    Attribute(
        "_job_duration", parse_type("float32"), nullable=True, comment="computation duration in seconds"
    ),
    Attribute("_job_version", parse_type("varchar(64)"), default=Default(""), comment="code version"),
)
"""The hidden columns of computed and imported tables, when ``jobs.add_job_metadata`` is on."""


def resolve(parsed: ParsedTable, id: TableId, find_parent: FindParent) -> TableModel:  # noqa: A002 - the word for it
    """Resolve the foreign keys of a definition.

    Parameters
    ----------
    parsed
        The definition, read.
    id
        Schema and name of the table in the database.
    find_parent
        Returns the model of a parent from its text in the definition. It is not asked for the table itself.

    Raises
    ------
    DefinitionError
        With line and column, if a parent is not found, an attribute would have two origins, or an index
        names an attribute that is not there.
    """
    return _Resolution(parsed, id, find_parent).model()


class _Resolution:
    """The attributes and keys of one table, as they come together."""

    def __init__(self, parsed: ParsedTable, table: TableId, find_parent: FindParent) -> None:
        self.parsed = parsed
        self.table = table
        self.find_parent = find_parent
        self.attributes: dict[str, Attribute] = {}
        self.foreign_keys: list[ForeignKey] = []
        self.own_key: TableModel | None = None

    def model(self) -> TableModel:
        self.add(self.parsed.primary, in_key=True)
        self.own_key = TableModel(self.table, tuple(self.attributes.values()))
        self.add(self.parsed.secondary, in_key=False)
        return TableModel(
            self.table,
            tuple(self.attributes.values()),
            # a key whose attributes all belong to the primary key counts as one of it, wherever it stands
            tuple(sorted(self.foreign_keys, key=lambda foreign_key: not foreign_key.in_key)),
            self.indexes(),
            self.parsed.comment,
            () if self.own_key.primary_key else (SINGLETON,),
        )

    def add(self, items: tuple[Item, ...], *, in_key: bool) -> None:
        for item in items:
            if isinstance(item, AttributeSpec):
                self.add_attribute(item, in_key=in_key)
            elif isinstance(item, ForeignKeySpec):
                self.add_foreign_key(item, in_key=in_key)

    def add_attribute(self, spec: AttributeSpec, *, in_key: bool) -> None:
        present = self.attributes.get(spec.name)
        if present is not None:
            raise self.parsed.error(
                f"attribute {spec.name} is there already, from the foreign key to {present.lineage}", spec
            )
        self.attributes[spec.name] = Attribute(
            spec.name,
            own_enum(spec.type, self.table.schema),
            in_key=in_key,
            nullable=spec.nullable,
            default=spec.default,
            comment=spec.comment,
            lineage=_lineage(self.table, spec.name) if in_key else None,
        )

    def add_foreign_key(self, spec: ForeignKeySpec, *, in_key: bool) -> None:
        parent = self.parent(spec)
        if not parent.primary_key:
            raise self.parsed.error(
                f"{parent.id} holds one row at most and has no primary-key attribute to refer to", spec
            )
        columns = self.columns(spec, parent)
        if any(known.parent == parent.id and known.columns == columns for known in self.foreign_keys):
            raise self.parsed.error(f"the foreign key to {parent.id} is declared twice", spec)
        for own, theirs in columns:
            self.inherit(spec, parent, own, parent[theirs], in_key=in_key)
        attributes = [self.attributes[own] for own, _ in columns]
        self.foreign_keys.append(
            ForeignKey(
                parent.id,
                columns,
                in_key=all(attribute.in_key for attribute in attributes),
                nullable=any(attribute.nullable for attribute in attributes),
                unique=spec.unique,
            )
        )

    def parent(self, spec: ForeignKeySpec) -> TableModel:
        if self.is_self(spec.parent):
            if self.own_key is None:
                raise self.parsed.error(
                    f"{self.table} cannot refer to itself in its primary key: put this after ---"
                    " and rename, or name another table in full",
                    spec,
                )
            return self.own_key
        try:
            return self.find_parent(spec.parent)
        except DefinitionError as error:
            if error.table:  # the parent's own mistake, which knows its place
                raise
            raise self.parsed.error(error.message, spec) from error
        except DataJointError as error:
            raise self.parsed.error(str(error), spec) from error

    def is_self(self, text: str) -> bool:
        parts = split_table_name(self.table.name)
        if parts is None or parts[1] is None:
            return False
        _, class_name, master = parts
        if text == class_name:
            return True
        master_parts = split_table_name(master) if master else None
        return master_parts is not None and text == f"{master_parts[1]}.{class_name}"

    def columns(self, spec: ForeignKeySpec, parent: TableModel) -> tuple[tuple[str, str], ...]:
        """Pair own names with the parent's, in the order of the parent's key."""
        own_names = {theirs: theirs for theirs in parent.primary_key}
        for new, old in spec.renames:
            if new == old and old in parent and old not in own_names:
                continue  # no attribute of the key, so it does not come along anyhow
            if old not in own_names:
                raise self.parsed.error(
                    f"{old} is no primary-key attribute of {parent.id}"
                    + (
                        did_you_mean(old, parent.primary_key)
                        or f", which has {', '.join(parent.primary_key)}"
                    ),
                    spec,
                )
            own_names[old] = new
        seen: set[str] = set()
        for name in own_names.values():
            if name in seen:
                raise self.parsed.error(f"two attributes of {parent.id} would be called {name}", spec)
            seen.add(name)
        return tuple((own, theirs) for theirs, own in own_names.items())

    def inherit(
        self, spec: ForeignKeySpec, parent: TableModel, name: str, origin: Attribute, *, in_key: bool
    ) -> None:
        lineage = origin.lineage or _lineage(parent.id, origin.name)
        present = self.attributes.get(name)
        if present is None:
            self.attributes[name] = Attribute(
                name,
                _plain(origin.type),
                in_key=in_key,
                nullable=spec.nullable,
                comment=origin.comment,
                lineage=lineage,
                inherited=True,
            )
        elif present.lineage != lineage:
            if present.inherited:
                what = f"{name} comes from {present.lineage} here and from {lineage} in {parent.id}"
            else:
                what = f"{name} is declared here, but the foreign key brings it from {lineage}: drop its line"
            raise self.parsed.error(f"{what}; or rename it with .proj(other='{origin.name}')", spec)

    def indexes(self) -> tuple[Index, ...]:
        found: list[Index] = []
        for item in (*self.parsed.primary, *self.parsed.secondary):
            if not isinstance(item, IndexSpec):
                continue
            for name in item.attributes:
                if name not in self.attributes:
                    raise self.parsed.error(
                        f"the index names {name}, which is no attribute"
                        + did_you_mean(name, self.attributes),
                        item,
                    )
            index = Index(item.attributes, item.unique)
            if index in found:
                raise self.parsed.error(f"the index ({', '.join(index.attributes)}) is declared twice", item)
            found.append(index)
        return tuple(found)


def _lineage(table: TableId, attribute: str) -> str:
    return f"{table.schema}.{table.name}.{attribute}"


def _plain(type_: AttributeType) -> AttributeType:
    """Return the type for a child's column: the parent's, but the database does not number it."""
    return replace(type_, text=type_.column, is_identity=False) if type_.is_identity else type_
