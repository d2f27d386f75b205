"""Reading ahead: a query that asks for the running key is answered for many keys at once.

A statement is matched by value: where its parameters equal the running key's own attribute values, it is
run once for a window of the batch's keys, and each key's rows are kept until its make asks for them. So
users' makes stay as they are, and nothing is ever served that the statement itself would not have returned
in the same snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from psycopg import sql

from djcli.algebra import conditions as c
from djcli.algebra import nodes as n
from djcli.algebra.heading import Heading
from djcli.algebra.relation import Node
from djcli.codecs.scalars import NO_MATCH, comparison_value
from djcli.definition.model import TableId
from djcli.populate.result import Key
from djcli.sql.compile import comparison_type
from djcli.sql.statement import Statement, type_sql

WINDOW_BYTES = 16 * 2**20
"""How many bytes of rows are fetched ahead for one statement."""

_PLACEHOLDER = re.compile(r"(?<!%)((?:%%)*)%\((\w+)\)s")
_MAX_PLANS = 64
_SAMPLE = 16

Row = tuple[Any, ...]
Slot = tuple[str, str]
"""A parameter of a statement and the key's attribute whose value it has."""

RunRows = Callable[[str, Mapping[str, object]], list[Row]]


@lru_cache(maxsize=4096)
def slot_names(node: Node) -> tuple[str | None, ...]:
    """Return for each slot of an expression the attribute that it is equated with, if it is."""
    names: list[str | None] = [name for source in node.sources for name in slot_names(source)]
    if isinstance(node, n.Restrict):
        return (*names, *_condition_slots(node.condition))
    return (*names, *[None] * node.own_slots)


def _condition_slots(condition: c.Condition) -> tuple[str | None, ...]:
    match condition:
        case c.Compare(operator="="):
            return (condition.name,)
        case c.Not():
            return _condition_slots(condition.item)
        case c.All() | c.Any():
            return tuple(name for item in condition.items for name in _condition_slots(item))
        case c.Matches():
            return slot_names(condition.node)
        case _:
            return (None,) * condition.n_slots


@dataclass(slots=True)
class Plan:
    """One statement as it is asked by key after key.

    Attributes
    ----------
    tables
        The tables that it reads.
    uses
        How often it was asked.
    key_bytes
        The size of one key's rows, as measured; None before the first.
    rows
        Rows fetched ahead, by the place of their key in the batch.
    fails
        Whether it cannot be run for many keys at once.
    """

    tables: frozenset[TableId]
    uses: int = 0
    key_bytes: float | None = None
    rows: dict[int, list[Row]] = field(default_factory=dict[int, list[Row]])
    fails: bool = False


class ReadAhead:
    """What was fetched ahead in a populate, and what it learnt about its statements.

    Parameters
    ----------
    heading
        The heading of the pending keys.
    """

    def __init__(self, heading: Heading) -> None:
        self.heading = heading
        self.keys: list[Key] = []
        self.encoded: list[dict[str, object]] = []
        self.plans: dict[object, Plan] = {}
        self.constants: dict[object, tuple[frozenset[TableId], list[Row]]] = {}

    def begin(self, keys: Sequence[Key]) -> None:
        """Start a batch: what was fetched belongs to an older snapshot."""
        self.keys = list(keys)
        self.encoded = [{name: self._encode(name, value) for name, value in key.items()} for key in keys]
        self.constants.clear()
        for plan in self.plans.values():
            plan.rows.clear()

    def _encode(self, name: str, value: object) -> object:
        kind = self.heading[name].type
        if value is None or not kind.column or kind.codec is not None:
            return NO_MATCH
        return comparison_value(kind.name, kind.column, kind.args, kind.labels, value)

    def fetch(
        self,
        node: Node,
        statement: Statement,
        params: Mapping[str, object],
        place: int,
        run: RunRows,
        run_guarded: Callable[[str, Mapping[str, object]], list[Row] | None],
    ) -> list[Row]:
        """Return the rows of a statement for the key at `place` of the batch.

        Parameters
        ----------
        node
            The structure that the statement was compiled from.
        statement, params
            The statement and its parameters.
        place
            The running key's place in the batch.
        run
            Runs a statement as it is.
        run_guarded
            Runs a statement under a savepoint; None when the database refuses it.
        """
        key_slots, literals = self._match(node, params, place)
        signature = (statement.text, key_slots, literals)
        try:
            hash(signature)
        except TypeError:
            return run(statement.text, params)
        if not key_slots:
            return self._constant(signature, node, statement, params, run)
        plan = self._plan(signature, node)
        plan.uses += 1
        if place in plan.rows:
            return _fresh(statement, plan.rows[place])
        if plan.uses == 1 or plan.fails or place + 1 >= len(self.keys):
            rows = run(statement.text, params)
            self._measure(plan, rows, 1)
            return rows
        if not self._fetch_window(plan, statement, params, key_slots, place, run_guarded):
            return run(statement.text, params)
        return _fresh(statement, plan.rows[place])

    def _match(
        self, node: Node, params: Mapping[str, object], place: int
    ) -> tuple[tuple[Slot, ...], tuple[tuple[str, object], ...]]:
        """Part the parameters into those that are the key's values and the others."""
        own = self.encoded[place]
        names = slot_names(node)
        slots: list[Slot] = []
        literals: list[tuple[str, object]] = []
        for param, value in params.items():
            number = int(param[1:]) if param[1:].isdigit() else -1
            name = names[number] if 0 <= number < len(names) else None
            if name is not None and name in own and _same(own[name], value):
                slots.append((param, name))
            else:
                # 1, 1.0 and True are equal as dict keys, but not as parameters
                literals.append((param, (type(value), value)))
        return tuple(slots), tuple(literals)

    def _plan(self, signature: object, node: Node) -> Plan:
        plan = self.plans.get(signature)
        if plan is None:
            if len(self.plans) >= _MAX_PLANS:
                self.plans.clear()
            plan = self.plans[signature] = Plan(node.tables)
        return plan

    def _constant(
        self,
        signature: object,
        node: Node,
        statement: Statement,
        params: Mapping[str, object],
        run: RunRows,
    ) -> list[Row]:
        """Remember for the batch what does not depend on the key."""
        known = self.constants.get(signature)
        if known is None:
            rows = run(statement.text, params)
            if _size(rows) > WINDOW_BYTES or len(self.constants) >= _MAX_PLANS:
                return rows
            self.constants[signature] = (node.tables, rows)
            return _fresh(statement, rows)
        return _fresh(statement, known[1])

    def _measure(self, plan: Plan, rows: list[Row], keys: int) -> None:
        size = _size(rows) / keys
        plan.key_bytes = size if plan.key_bytes is None else max(size, 0.5 * (plan.key_bytes + size))

    def _fetch_window(
        self,
        plan: Plan,
        statement: Statement,
        params: Mapping[str, object],
        key_slots: tuple[Slot, ...],
        place: int,
        run_guarded: Callable[[str, Mapping[str, object]], list[Row] | None],
    ) -> bool:
        size = max(1, int(WINDOW_BYTES / max(plan.key_bytes or 0.0, 64.0)))
        window = range(place, min(place + size, len(self.keys)))
        names = list(dict.fromkeys(name for _, name in key_slots))
        text = _many_keys(statement.text, dict(key_slots), names, self.heading)
        extra: dict[str, object] = {
            f"k{i}": [self.encoded[at][name] for at in window] for i, name in enumerate(names)
        }
        slots = {param for param, _ in key_slots}
        rest = {param: value for param, value in params.items() if param not in slots}
        rows = run_guarded(text, {**rest, **extra, "places": list(window)})
        if rows is None:
            plan.fails = True
            return False
        plan.rows = {at: [] for at in window}
        for row in rows:
            plan.rows[row[0]].append(row[1:])
        self._measure(plan, rows, len(window))
        return True


@lru_cache(maxsize=256)
def _many_keys_text(
    text: str, slots: tuple[Slot, ...], names: tuple[str, ...], types: tuple[str, ...]
) -> str:
    columns = {param: f'"key_"."k{names.index(name)}"' for param, name in slots}
    inner = _PLACEHOLDER.sub(lambda m: m[1] + columns[m[2]] if m[2] in columns else m[0], text)
    arrays = ", ".join(f"%(k{i})s::{kind}[]" for i, kind in enumerate(types))
    labels = ", ".join(f'"k{i}"' for i in range(len(names)))
    # OFFSET 0 keeps the planner from turning the inner statement into another with another order of rows.
    template = sql.SQL(
        'SELECT "key_"."place_", "rows_".* FROM unnest(%(places)s::int[], {}) AS "key_" ("place_", {}) '
        'CROSS JOIN LATERAL (SELECT * FROM ({}) AS "asked_" OFFSET 0) AS "rows_"'
    )
    return template.format(type_sql(arrays), type_sql(labels), type_sql(inner)).as_string()


def _many_keys(text: str, slots: Mapping[str, str], names: Sequence[str], heading: Heading) -> str:
    """Turn a statement about one key into one about all keys of the arrays ``k0``, ``k1``, and so on."""
    types = tuple(comparison_type(heading[name].type).as_string() for name in names)
    return _many_keys_text(text, tuple(slots.items()), tuple(names), types)


def _same(mine: object, value: object) -> bool:
    return mine is not NO_MATCH and type(mine) is type(value) and mine == value


def _fresh(statement: Statement, rows: list[Row]) -> list[Row]:
    """Return rows that the user may change without changing what is kept."""
    if any(column.type.name in ("json", "computed", "native") for column in statement.columns):
        return deepcopy(rows)
    return list(rows)


def _size(rows: list[Row]) -> float:
    """Return about how many bytes rows take, judged by some of them."""
    if not rows:
        return 0.0
    sample = rows[:: max(1, len(rows) // _SAMPLE)]
    return len(rows) * sum(64 + sum(map(_value_size, row)) for row in sample) / len(sample)


def _value_size(value: object) -> int:
    if isinstance(value, (bytes, str)):
        return 48 + len(value)
    return 32 if not isinstance(value, (dict, list)) else 1024
