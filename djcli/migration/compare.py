"""Compare: the changes between declared tables and the database, by what they mean, never by names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from djcli.catalog.snapshot import Catalog
from djcli.definition.attribute import Attribute, Default
from djcli.definition.model import ForeignKey, Index, TableId, TableModel
from djcli.migration.attributes import (
    AttributeAdded,
    AttributeRemoved,
    AttributeRetyped,
    CommentChanged,
    DefaultChanged,
    EnumLabelsChanged,
    NullabilityChanged,
)
from djcli.migration.changes import (
    Change,
    ForeignKeyAdded,
    ForeignKeyChanged,
    ForeignKeyRemoved,
    IndexAdded,
    IndexRemoved,
    OrderChanged,
    PrimaryKeyChanged,
    SchemaMissing,
    TableCommentChanged,
    TableExtra,
    TableMissing,
)
from djcli.sql.ddl import declared_indexes

_CAST = re.compile(r'::\s*("[^"]*"|[\w ]+)(\.("[^"]*"|\w+))?(\(\d+(,\s*\d+)?\))?')


def compare(declared: Mapping[TableId, TableModel], catalog: Catalog) -> tuple[Change, ...]:
    """Return all differences, as changes that would make the database what is declared.

    Parameters
    ----------
    declared
        The declared tables. Their schemas are among those that the catalog was asked for.
    catalog
        The tables of the database. Those of schemas it was not asked for are no extra tables.

    Returns
    -------
    tuple of Change
        Missing schemas first, then the declared tables in their order, then extra tables.
    """
    changes: list[Change] = [
        SchemaMissing(schema)
        for schema in dict.fromkeys(table.schema for table in declared)
        if schema in catalog.requested - catalog.schemas
    ]
    for table, model in declared.items():
        actual = catalog.tables.get(table)
        if actual is None:
            changes.append(TableMissing(model))
        else:
            changes += compare_tables(model, actual)
    changes += [TableExtra(table) for table in catalog.pipeline_tables if table not in declared]
    return tuple(changes)


def compare_tables(declared: TableModel, actual: TableModel) -> tuple[Change, ...]:
    """Return the differences between a declared table and the one the database has.

    Hidden columns (``_x``) that only the database has are no difference; nor is an index that merely
    serves a foreign key, nor how a unique foreign key and a unique index of its attributes share the work.
    """
    return (
        *_compare_keys(declared, actual),
        *_compare_attributes(declared, actual),
        *_compare_foreign_keys(declared, actual),
        *_compare_indexes(declared, actual),
        *_compare_comments(declared, actual),
    )


def _compare_keys(declared: TableModel, actual: TableModel) -> Iterator[Change]:
    if declared.primary_key != actual.primary_key:
        yield PrimaryKeyChanged(declared.id, actual.primary_key, declared.primary_key)
    orders: list[tuple[str, ...]] = []
    for mine, other in ((actual, declared), (declared, actual)):
        orders.append(
            tuple(
                each.name
                for each in mine
                if not each.in_key and each.name in other and not other[each.name].in_key
            )
        )
    before, after = orders
    if before != after:
        yield OrderChanged(declared.id, before, after)


def _compare_attributes(declared: TableModel, actual: TableModel) -> Iterator[Change]:
    table = declared.id
    for attribute in (*declared, *declared.hidden):
        before = _find(actual, attribute.name)
        if before is None:
            yield AttributeAdded(table, attribute)
        else:
            yield from _compare_attribute(table, before, attribute)
    for attribute in actual:
        if attribute.name not in declared:
            yield AttributeRemoved(table, attribute)


def _find(model: TableModel, name: str) -> Attribute | None:
    hidden = (attribute for attribute in model.hidden if attribute.name == name)
    return model.by_name.get(name) or next(hidden, None)


def _compare_attribute(table: TableId, before: Attribute, after: Attribute) -> Iterator[Change]:
    if before.type != after.type:
        enums = before.type.is_enum and after.type.is_enum
        kind = EnumLabelsChanged if enums else AttributeRetyped
        yield kind(table, after.name, before.type, after.type)
    if before.nullable != after.nullable:
        yield NullabilityChanged(table, after.name, after.nullable)
    if not same_default(before.default, after.default):
        yield DefaultChanged(table, after.name, before.default, after.default)
    has_own_comment = not (before.inherited and after.inherited)
    if has_own_comment and squeezed(before.comment) != squeezed(after.comment):
        yield CommentChanged(table, after.name, before.comment, after.comment)


def _compare_foreign_keys(declared: TableModel, actual: TableModel) -> Iterator[Change]:
    table = declared.id
    added, removed = list(declared.foreign_keys), list(actual.foreign_keys)
    moved_uniqueness = _unique_sets(declared) ^ _unique_sets(actual)
    for key in declared.foreign_keys:
        same = next((other for other in removed if _reference(other) == _reference(key)), None)
        if same is None:
            continue
        added.remove(key)
        removed.remove(same)
        if key.unique != same.unique and key.attributes in moved_uniqueness:
            yield ForeignKeyChanged(table, same, key)
    for key in tuple(added):
        attributes = set(key.attributes)
        same = next((other for other in removed if set(other.attributes) == attributes), None)
        if same is None and _only_one_of_parent(key, added) and _only_one_of_parent(key, removed):
            same = next(other for other in removed if other.parent == key.parent)
        if same is not None:
            added.remove(key)
            removed.remove(same)
            yield ForeignKeyChanged(table, same, key)
    yield from (ForeignKeyRemoved(table, key) for key in removed)
    yield from (ForeignKeyAdded(table, key) for key in added)


def _only_one_of_parent(key: ForeignKey, keys: list[ForeignKey]) -> bool:
    return [other.parent for other in keys].count(key.parent) == 1


def _reference(key: ForeignKey) -> tuple[TableId, frozenset[tuple[str, str]]]:
    """Return what a foreign key refers to, without its modifiers: null is a matter of the attributes."""
    return key.parent, frozenset(key.columns)


def _unique_sets(model: TableModel) -> set[tuple[str, ...]]:
    """Return the attributes of all unique indexes, of foreign keys or not."""
    keys = {key.attributes for key in model.foreign_keys if key.unique}
    return keys | {index.attributes for index in model.indexes if index.unique}


def _compare_indexes(declared: TableModel, actual: TableModel) -> Iterator[Change]:
    wanted, found = index_sets(declared), index_sets(actual)
    for index, of_key in found.items():
        if index not in wanted and not of_key:
            yield IndexRemoved(declared.id, index)
    for index, of_key in wanted.items():
        if index not in found and not of_key:
            yield IndexAdded(declared.id, index)


def index_sets(model: TableModel) -> dict[Index, bool]:
    """Return the indexes, each with whether it is a unique foreign key's, whose changes tell of it."""
    own = dict.fromkeys(declared_indexes(model), False)
    return own | {Index(key.attributes, unique=True): True for key in model.foreign_keys if key.unique}


def _compare_comments(declared: TableModel, actual: TableModel) -> Iterator[Change]:
    if squeezed(declared.comment) != squeezed(actual.comment):
        yield TableCommentChanged(declared.id, actual.comment, declared.comment)


def same_default(before: Default | None, after: Default | None) -> bool:
    """Whether two defaults mean the same."""
    if before is None or after is None:
        return before is after
    if before.is_expression and after.is_expression:
        return _expression(before.value) == _expression(after.value)
    return before == after


def _expression(text: str) -> str:
    """Return an expression without the casts, parentheses and spaces that the catalog may print."""
    return re.sub(r"[\s()]", "", _CAST.sub("", text)).casefold()


def squeezed(text: str) -> str:
    """Return a comment with its white space evened out, in which two do not differ."""
    return " ".join(text.split())
