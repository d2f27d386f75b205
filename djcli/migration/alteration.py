"""`Alteration`: what is to be done to one table that stays, sorted by when it can be done."""

from __future__ import annotations

from dataclasses import dataclass, field

from psycopg import sql

from djcli.definition.attribute import Attribute
from djcli.definition.model import ForeignKey, Index, TableId, TableModel
from djcli.migration.compare import index_sets, same_default
from djcli.migration.target import Target, find_attribute, reference
from djcli.names import Tier
from djcli.sql import alter
from djcli.sql.ddl import physical_indexes, primary_key


@dataclass
class Alteration:
    """The pieces of work on one table, in the order of their attributes.

    Attributes
    ----------
    id
        The table, under the name that it gets.
    dropped_keys, dropped_indexes
        Names of constraints and indexes.
    first
        Actions of one ALTER TABLE: the old primary key goes, columns come, types change.
    fills
        Statements that fill columns.
    second
        Actions of another: null or not, defaults, columns that go, the new primary key.
    numbering
        Statements that let numbers go on where rows have some.
    added_indexes
        Indexes to create.
    late
        Actions that wait for the contents of lookup tables.
    added_keys
        Foreign keys to add when all else is in place.
    key_changed
        Whether the primary key gets other attributes or types.
    """

    id: TableId
    dropped_keys: list[str] = field(default_factory=list[str])
    dropped_indexes: list[str] = field(default_factory=list[str])
    first: list[sql.Composable] = field(default_factory=list[sql.Composable])
    fills: list[sql.Composed] = field(default_factory=list[sql.Composed])
    second: list[sql.Composable] = field(default_factory=list[sql.Composable])
    numbering: list[sql.Composed] = field(default_factory=list[sql.Composed])
    added_indexes: list[Index] = field(default_factory=list[Index])
    late: list[sql.Composable] = field(default_factory=list[sql.Composable])
    added_keys: list[ForeignKey] = field(default_factory=list[ForeignKey])
    key_changed: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done."""
        return not (
            self.dropped_keys
            or self.dropped_indexes
            or self.first
            or self.fills
            or self.second
            or self.added_indexes
            or self.late
            or self.added_keys
        )


def alterations(target: Target) -> list[Alteration]:
    """Return what is to be done to the tables that stay, parents first; nothing for those left as they are."""
    found = [_Table(target, before, after).alteration() for before, after in target.kept()]
    return [each for each in found if not each.is_empty]


def retyped(before: TableModel | None, after: TableModel) -> set[str]:
    """Return the attributes of a table whose columns get another type."""
    if before is None:
        return set()
    found: set[str] = set()
    for attribute in (*after.attributes, *after.hidden):
        old = find_attribute(before, attribute.name)
        if old is not None and not alter.same_column(old.type, attribute.type):
            found.add(attribute.name)
    return found


class _Table:
    """One table on its way."""

    def __init__(self, target: Target, before: TableModel, after: TableModel) -> None:
        self.target = target
        self.before = before
        self.after = after
        self.retyped = retyped(before, after)
        self.has_contents = after.tier is Tier.LOOKUP and after.id in target.declared

    def alteration(self) -> Alteration:
        work = Alteration(self.id)
        work.key_changed = primary_key(self.before) != primary_key(self.after) or not self.retyped.isdisjoint(
            primary_key(self.after)
        )
        self._foreign_keys(work)
        self._primary_key(work)
        for attribute in (*self.after.attributes, *self.after.hidden):
            old = find_attribute(self.before, attribute.name)
            if old is None:
                self._added(work, attribute)
            else:
                self._changed(work, old, attribute)
        self._fills(work)
        kept = {attribute.name for attribute in (*self.after.attributes, *self.after.hidden)}
        for attribute in (*self.before.attributes, *self.before.hidden):
            if attribute.name not in kept:
                work.second.append(alter.drop_column(attribute.name))
        if self._key_replaced:
            work.second.append(alter.add_primary_key(primary_key(self.after)))
        self._indexes(work)
        return work

    @property
    def id(self) -> TableId:
        return self.after.id

    @property
    def _key_replaced(self) -> bool:
        return primary_key(self.before) != primary_key(self.after)

    # ---- keys ---------------------------------------------------------------------------------------

    def _primary_key(self, work: Alteration) -> None:
        name = self.target.view.physical[self.id].primary_key
        if self._key_replaced and name is not None:
            work.first.append(alter.drop_constraint(name))

    def _foreign_keys(self, work: Alteration) -> None:
        names = self.target.view.physical[self.id].foreign_keys
        wanted = {reference(key): key for key in self.after.foreign_keys}
        for name, key in zip(names, self.before.foreign_keys, strict=True):
            if reference(key) in wanted and not self._is_disturbed(key):
                del wanted[reference(key)]
            else:
                work.dropped_keys.append(name)
        work.added_keys += wanted.values()

    def _is_disturbed(self, key: ForeignKey) -> bool:
        """Whether a foreign key has to go for a while: its columns, or what it refers to, change."""
        parent = self.target.before(key.parent)
        if parent is None:
            return True
        after = self.target.tables[key.parent]
        return (
            not self.retyped.isdisjoint(key.attributes)
            or not retyped(parent, after).isdisjoint(theirs for _, theirs in key.columns)
            or primary_key(parent) != primary_key(after)
        )

    # ---- columns ------------------------------------------------------------------------------------

    def _added(self, work: Alteration, attribute: Attribute) -> None:
        copied = self.target.replaced_key(self.id, attribute.name) is not None
        has_value = attribute.default is not None or attribute.type.is_identity
        if attribute.nullable or has_value or not (copied or self.has_contents):
            work.first.append(alter.add_column(attribute, required=not attribute.nullable))
            return
        work.first.append(alter.add_column(attribute, required=False))
        late = work.late if self.has_contents and not copied else work.second
        late.append(alter.set_required(attribute.name, required=True))

    def _changed(self, work: Alteration, old: Attribute, new: Attribute) -> None:
        name = new.name
        is_enum = old.type.is_enum or new.type.is_enum
        is_retyped = name in self.retyped and (is_enum or old.type.column != new.type.column)
        if old.type.is_identity and not new.type.is_identity:
            work.first.append(alter.set_identity(name, numbered=False))
        if is_retyped:
            if old.default is not None or old.nullable:  # DEFAULT NULL has the old type, too
                work.first.append(alter.set_default(name, None))
            work.first.append(alter.change_type(name, old.type, new.type))
        if old.nullable and not new.nullable:
            if new.default is not None:
                work.fills.append(alter.fill_nulls(self.id, name, new.default))
            work.second.append(alter.set_required(name, required=True))
        elif new.nullable and not old.nullable and name not in primary_key(self.after):
            work.second.append(alter.set_required(name, required=False))
        lost = is_retyped and old.default is not None
        if new.default is not None and (lost or not same_default(old.default, new.default)):
            work.second.append(alter.set_default(name, new.default))
        elif (
            new.default is None
            and (old.default is not None or old.nullable > new.nullable)
            and not is_retyped
        ):
            work.second.append(alter.set_default(name, None))
        if new.type.is_identity and not old.type.is_identity:
            work.second.append(alter.set_identity(name, numbered=True))
            work.numbering.append(alter.number_on(self.id, name))

    def _fills(self, work: Alteration) -> None:
        """Copy new attributes of a foreign key from the rows that the old one referred to."""
        done: set[tuple[str, ...]] = set()
        for attribute in self.after.attributes:
            keys = self.target.replaced_key(self.id, attribute.name)
            if keys is None or keys[0].attributes in done:
                continue
            new, old = keys
            done.add(new.attributes)
            taken = [(own, theirs) for own, theirs in new.columns if find_attribute(self.before, own) is None]
            work.fills.append(alter.fill_from_parent(self.id, new.parent, taken, old.columns))

    # ---- indexes ------------------------------------------------------------------------------------

    def _indexes(self, work: Alteration) -> None:
        present = self.target.view.physical[self.id].indexes
        reshaped = self._key_replaced or _ordered_keys(self.before) != _ordered_keys(self.after)
        if not reshaped and set(index_sets(self.before)) == set(index_sets(self.after)):
            return
        wanted = physical_indexes(self.after)
        work.dropped_indexes += [name for name, index in present if index not in wanted]
        there = {index for _, index in present}
        work.added_indexes += [index for index in wanted if index not in there]


def _ordered_keys(model: TableModel) -> set[object]:
    """Return what foreign keys refer to, in the order of the parents' keys, as their indexes have it."""
    return {(key.parent, key.columns) for key in model.foreign_keys}
