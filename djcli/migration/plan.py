"""`Plan`: what has to change so that the database is as declared; making one changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from djcli.definition.model import TableId
from djcli.migration.changes import Change
from djcli.migration.questions import Count
from djcli.migration.risk import Risk, Verdict
from djcli.migration.steps import Step

_HEAD = ("change", "mark", "schema", "table", "name", "text")
"""What the JSON of every change begins with."""


@dataclass(frozen=True)
class Options:
    """What is asked of a plan.

    Attributes
    ----------
    whole_schemas
        Whether tables that only the database has count; not when a selection of tables is compared, but for
        one of schemas.
    keep_extra
        Whether such tables are left out all the same.
    renames
        ``Table.old=new`` and ``Old=New``; see `djcli.migration.renames`.
    recompute
        Whether computed tables are dropped and declared anew where changing them would lose data.
    exact
        Whether rows of large tables are counted, instead of taking the planner's estimate.
    """

    whole_schemas: bool = True
    keep_extra: bool = False
    renames: tuple[str, ...] = ()
    recompute: bool = False
    exact: bool = False


@dataclass(frozen=True)
class PlannedChange:
    """A difference and what it means for data.

    Attributes
    ----------
    change
        The difference.
    verdict
        Its risk, the reason, the number of rows.
    hint
        What else can be done, such as naming a rename; may be empty.
    recomputable
        Whether dropping computed rows, to compute them again, would settle it.
    """

    change: Change
    verdict: Verdict
    hint: str = ""
    recomputable: bool = False

    @property
    def risk(self) -> Risk:
        """What it does to data."""
        return self.verdict.risk

    def as_json(self) -> dict[str, object]:
        """Return the change as a value of JSON; see `Plan.as_json`."""
        told = self.change.as_json()
        head = {name: told.pop(name) for name in _HEAD}
        rows = self.verdict.rows
        return {
            **head,
            "risk": None if self.change.is_note else self.risk.value,
            "reason": self.verdict.reason,
            "rows": rows.number if rows is not None else None,
            "estimated": rows is not None and rows.estimated,
            "hint": self.hint,
            "recomputable": self.recomputable,
            **told,
        }


@dataclass(frozen=True)
class Plan:
    """The differences between classes and the database, and the steps that remove them.

    Attributes
    ----------
    changes
        All differences, parents before children; notes among them.
    steps
        The statements, in order.
    altered
        The present names of tables that are changed or dropped, and have to be kept from others meanwhile.
    offer
        The computed tables that could be dropped and declared anew, with their numbers of rows.
    """

    changes: tuple[PlannedChange, ...]
    steps: tuple[Step, ...] = ()
    altered: tuple[TableId, ...] = ()
    offer: Mapping[TableId, Count] = field(default_factory=dict[TableId, Count])

    @property
    def work(self) -> tuple[PlannedChange, ...]:
        """The differences that are to be removed: all but notes."""
        return tuple(each for each in self.changes if not each.change.is_note)

    @property
    def blocked(self) -> tuple[PlannedChange, ...]:
        """Those that cannot be done as things are."""
        return tuple(each for each in self.work if each.risk is Risk.BLOCKED)

    @property
    def destructive(self) -> tuple[PlannedChange, ...]:
        """Those that lose data."""
        return tuple(each for each in self.work if each.risk is Risk.DESTRUCTIVE)

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas in which something changes."""
        return tuple(dict.fromkeys(each.change.schema for each in self.work))

    @property
    def statements(self) -> tuple[str, ...]:
        """The statements as text."""
        return tuple(step.sql for step in self.steps)

    def as_json(self) -> dict[str, object]:
        """Return the plan as a value of JSON, whose form is kept from version to version.

        ``version`` is 1; new fields may come, none goes or changes its meaning without another version.
        ``differs`` tells whether there is work to be done. ``changes`` is a list, each with

        - ``change`` (the kind, such as ``attribute-added``), ``mark`` (``+ - ~ =``), ``schema``, ``table``
          (as a class is named), ``name`` (in the database; both null for a schema) and ``text`` (one line for
          people),
        - ``risk`` (``safe``, ``destructive`` or ``blocked``; null for a note), ``reason``, ``rows`` (how many
          it touches; null where it touches none or nobody counted), ``estimated`` (whether the planner's
          estimate), ``hint`` and ``recomputable`` (whether ``--recompute`` settles it),
        - and the details of its kind: ``attribute``, ``before``, ``after``, ``key``, ``index``, ``keys``.

        ``recompute`` lists the tables that would be dropped and declared anew by ``--recompute``, each with
        ``schema``, ``table``, ``name`` and ``rows``. ``statements`` is the SQL, in order.
        """
        return {
            "version": 1,
            "differs": bool(self.work),
            "changes": [each.as_json() for each in self.changes],
            "recompute": [{**table.as_json(), "rows": rows.number} for table, rows in self.offer.items()],
            "statements": list(self.statements),
        }
