"""Risk: what each change does to data, found by asking the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from djcli.codecs.plain import shown
from djcli.definition.model import ForeignKey, TableId
from djcli.migration.attributes import (
    AttributeAdded,
    AttributeRemoved,
    AttributeRetyped,
    EnumLabelsChanged,
    NullabilityChanged,
)
from djcli.migration.changes import (
    Change,
    ForeignKeyAdded,
    ForeignKeyChanged,
    IndexAdded,
    PrimaryKeyChanged,
    TableExtra,
    TableRecomputed,
)
from djcli.migration.lookups import Contents, covers
from djcli.migration.questions import Count, Questions
from djcli.migration.target import find_attribute, reference
from djcli.migration.words import default_text
from djcli.sql.alter import always_fits, base_type, cast_route
from djcli.sql.ddl import primary_key


class Risk(Enum):
    """What a change does to data."""

    SAFE = "safe"
    """Nothing that is there is lost."""
    DESTRUCTIVE = "destructive"
    """Data is lost."""
    BLOCKED = "blocked"
    """It cannot be done as things are."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about a change.

    Attributes
    ----------
    risk
        What it does to data.
    reason
        Why it is blocked or destructive, or what is done to rows; may be empty.
    rows
        How many rows it fills, casts or loses; None where it leaves rows alone, or nobody counted.
    """

    risk: Risk
    reason: str = ""
    rows: Count | None = None


SAFE = Verdict(Risk.SAFE)


def _blocked(reason: str) -> Verdict:
    return Verdict(Risk.BLOCKED, reason)


class Assessor:
    """Finds out what changes do to data.

    Parameters
    ----------
    questions
        The database.
    contents
        The contents of lookup tables, which may fill new attributes.
    """

    def __init__(self, questions: Questions, contents: Contents) -> None:
        self.ask = questions
        self.target = questions.target
        self.contents = contents
        self._known: Mapping[type[Change], Callable[[Any], Verdict]] = {
            TableExtra: self._table_extra,
            TableRecomputed: self._table_recomputed,
            AttributeAdded: self._attribute_added,
            AttributeRemoved: self._attribute_removed,
            AttributeRetyped: self._retyped,
            EnumLabelsChanged: self._retyped,
            NullabilityChanged: self._nullability,
            PrimaryKeyChanged: self._primary_key,
            ForeignKeyAdded: self._foreign_key_added,
            ForeignKeyChanged: self._foreign_key_changed,
            IndexAdded: self._index_added,
        }

    def assess(self, changes: list[Change]) -> list[Verdict]:
        """Return the verdict on each change.

        Casts are asked for first: nothing can be asked of values that do not cast.
        """
        found: dict[int, Verdict] = {}
        for is_cast in (True, False):
            for place, change in enumerate(changes):
                if isinstance(change, (AttributeRetyped, EnumLabelsChanged)) is is_cast:
                    judge = self._known.get(type(change))
                    found[place] = SAFE if judge is None else judge(change)
        for place, change in enumerate(changes):
            if isinstance(change, AttributeRetyped) and found[place].risk is not Risk.BLOCKED:
                found[place] = self._still_unique(change, found[place])
        return [found[place] for place in range(len(changes))]

    # ---- tables -------------------------------------------------------------------------------------

    def _table_extra(self, change: TableExtra) -> Verdict:
        users = [
            str(m.id)
            for m in self.target.tables.values()
            if any(k.parent == change.id for k in m.foreign_keys)
        ]
        if users:
            return _blocked(f"{', '.join(users)} refer to it")
        views = self.ask.views_of(change.id)
        if views:
            return _blocked(f"the view {views[0]} shows it; drop the view first")
        rows = self.ask.rows(change.id)
        return Verdict(Risk.DESTRUCTIVE, "the table is dropped", rows)

    def _table_recomputed(self, change: TableRecomputed) -> Verdict:
        views = self.ask.views_of(change.id)
        if views:
            return _blocked(f"the view {views[0]} shows it; drop the view first")
        return Verdict(Risk.SAFE, "computed rows are dropped, to be computed again", self.ask.rows(change.id))

    # ---- attributes ---------------------------------------------------------------------------------

    def _attribute_added(self, change: AttributeAdded) -> Verdict:
        attribute = change.attribute
        if attribute.nullable or not self.ask.has_rows(change.id):
            return SAFE
        if attribute.type.is_identity:
            return Verdict(Risk.SAFE, "rows are numbered", self.ask.rows(change.id))
        if attribute.default is not None:
            reason = f"rows get {default_text(attribute.default)}"
            return Verdict(Risk.SAFE, reason, self.ask.rows(change.id))
        replaced = self.target.replaced_key(change.id, attribute.name)
        if replaced is not None:
            return Verdict(
                Risk.SAFE, f"rows get the value of their {replaced[0].parent}", self.ask.rows(change.id)
            )
        if covers(self.ask.connection, self.target, change.id, self.contents):
            return Verdict(Risk.SAFE, "rows get the values of the contents", self.ask.rows(change.id))
        advice = "allow null" if attribute.inherited else "give it a default or allow null"
        return _blocked(f"there are rows, and nothing tells its value for them: {advice}")

    def _attribute_removed(self, change: AttributeRemoved) -> Verdict:
        name = change.attribute.name
        views = self.ask.views_of(change.id, name)
        if views:
            return _blocked(f"the view {views[0]} shows it; drop the view first")
        if not self.ask.has_values(change.id, name):
            return Verdict(Risk.SAFE, "no row has a value")
        return Verdict(Risk.DESTRUCTIVE, "its values are lost", self.ask.rows(change.id))

    def _retyped(self, change: AttributeRetyped | EnumLabelsChanged) -> Verdict:
        verdict = self._cast(change)
        if verdict.risk is Risk.BLOCKED:
            self.ask.future.broken.add((change.id, change.attribute))
        return verdict

    def _cast(self, change: AttributeRetyped | EnumLabelsChanged) -> Verdict:
        table, name, before, after = change.id, change.attribute, change.before, change.after
        views = self.ask.views_of(table, name)
        if views:
            return _blocked(f"the view {views[0]} shows it; drop the view first")
        if not self.ask.has_values(table, name):
            return SAFE
        rows = self.ask.rows(table)
        if isinstance(change, EnumLabelsChanged) and change.removed:
            used = self.ask.label_in_use(table, name, change.removed)
            return Verdict(Risk.SAFE, "", rows) if used is None else _blocked(f"rows have the label {used!r}")
        if always_fits(before, after):
            return Verdict(Risk.SAFE, "", rows)
        if after.name == "codec":
            return _blocked(f"the values that are there were not encoded by {after.text}")
        if before.name == "codec" and base_type(after) == "bytea":
            return Verdict(Risk.SAFE, "", rows)
        if cast_route(before, after) is None:
            return _blocked(f"values of {before.text} cannot be cast to {after.text}")
        refused = self.ask.refused_cast(table, name)
        if refused is None and after.name == "int8":
            refused = self.ask.beyond_int8(table, name)
        if refused is not None:
            return _blocked(refused)
        rounded = self.ask.rounded_value(table, name)
        if rounded is not None:
            return Verdict(Risk.DESTRUCTIVE, f"values are rounded, such as {shown(rounded)}", rows)
        return Verdict(Risk.SAFE, "", rows)

    def _still_unique(self, change: AttributeRetyped, verdict: Verdict) -> Verdict:
        """Return the verdict, unless casting makes equal what a key keeps apart (``'1'`` and ``'01'``)."""
        if verdict == SAFE or always_fits(change.before, change.after):
            return verdict
        model = self.target.tables[change.id]
        unique = [primary_key(model), *(index.attributes for index in model.indexes if index.unique)]
        for names in unique:
            if change.attribute in names:
                twice = self.ask.duplicate(change.id, names)
                if twice is not None:
                    return _blocked(f"several rows would have {twice}")
        return verdict

    def _nullability(self, change: NullabilityChanged) -> Verdict:
        if change.nullable:
            return SAFE
        nulls = self.ask.nulls(change.id, change.attribute)
        if nulls is not None and not nulls.number:
            return SAFE
        told = "rows" if nulls is None else str(nulls)
        attribute = find_attribute(self.target.tables[change.id], change.attribute)
        if attribute is not None and attribute.default is not None:
            return Verdict(Risk.SAFE, f"nulls become {default_text(attribute.default)}", nulls)
        return _blocked(
            f"{told} {'has' if told == '1 row' else 'have'} no value: fill it, or give it a default"
        )

    # ---- keys and indexes ---------------------------------------------------------------------------

    def _primary_key(self, change: PrimaryKeyChanged) -> Verdict:
        model = self.target.tables[change.id]
        unique = [set(primary_key(model)), *(set(i.attributes) for i in model.indexes if i.unique)]
        for other in self.target.tables.values():
            for key in other.foreign_keys:
                if key.parent == change.id and {theirs for _, theirs in key.columns} not in unique:
                    return _blocked(f"{other.id} refers to the old key: it has to change with it")
        if not set(change.before) or not set(change.before) <= set(change.after):
            twice = self.ask.duplicate(change.id, primary_key(model))
            if twice is not None:
                return _blocked(f"several rows would have {twice}")
        return SAFE

    def _foreign_key_added(self, change: ForeignKeyAdded) -> Verdict:
        return self._new_reference(change.id, change.key)

    def _foreign_key_changed(self, change: ForeignKeyChanged) -> Verdict:
        verdict = SAFE
        if reference(change.before) != reference(change.after):
            verdict = self._new_reference(change.id, change.after)
        if verdict.risk is Risk.SAFE and change.after.unique and not change.before.unique:
            return self._unique(change.id, change.after.attributes)
        return verdict

    def _new_reference(self, table: TableId, key: ForeignKey) -> Verdict:
        orphan = self.ask.orphan(table, key)
        if orphan is not None:
            return _blocked(f"there is no {key.parent} for the row with {orphan}")
        return self._unique(table, key.attributes) if key.unique else SAFE

    def _index_added(self, change: IndexAdded) -> Verdict:
        return self._unique(change.id, change.index.attributes) if change.index.unique else SAFE

    def _unique(self, table: TableId, names: tuple[str, ...]) -> Verdict:
        twice = self.ask.duplicate(table, names)
        return SAFE if twice is None else _blocked(f"several rows have {twice}")
