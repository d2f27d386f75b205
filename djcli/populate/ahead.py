"""Reading ahead: a query that asks for the running key is answered for many keys at once.

A statement is matched by value: where its parameters equal the running key's own attribute values, it is
run once for a window of the batch's keys, and each key's rows are kept until its make asks for them. So
users' makes stay as they are, and nothing is ever served that the statement itself would not have returned
in the same snapshot.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from operator import gt, itemgetter
from typing import Any

from psycopg import sql

from djcli.algebra import conditions as c
from djcli.algebra import nodes as n
from djcli.algebra.heading import Heading
from djcli.algebra.relation import Node
from djcli.codecs.plain import UnfitValueError
from djcli.codecs.scalars import NO_MATCH, encoder
from djcli.definition.types import AttributeType
from djcli.populate.result import Key
from djcli.sql.arrays import array
from djcli.sql.compile import comparison_type
from djcli.sql.statement import Statement, parameters, type_sql

WINDOW_BYTES = 16 * 2**20
"""How many bytes of rows are fetched ahead for one statement."""

_PLACEHOLDER = re.compile(r"(?<!%)((?:%%)*)%\((\w+)\)s")
_MAX_STATEMENTS = 64
_MAX_OTHERS = 4
"""How many sets of literals a statement is fetched ahead for; more means that they change with the key."""

_SAMPLE = 16

_READING = frozenset(("select", "table", "values"))
_HIDDEN = (
    "SELECT EXISTS (SELECT FROM pg_proc WHERE lower(proname) = ANY(%(words)s::text[]) AND (provolatile = 'v' "
    "OR (provolatile = 's' AND pronamespace <> 'pg_catalog'::regnamespace)))"
)
"""Asks whether there are functions of these names that answer anew each time, or may read tables."""

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


def encoded_key(heading: Heading, key: Key) -> dict[str, object]:
    """Return the values of a key as they are stored; `NO_MATCH` for those that nothing can be compared with."""
    return {name: _encoder(heading[name].type)(value) for name, value in key.items()}


@dataclass(slots=True, eq=False)
class Plan:
    """One statement as it is asked by key after key, with the same literals.

    Attributes
    ----------
    slots
        The parameters that are the key's values, each with the attribute.
    uses
        How often it was asked.
    key_bytes
        The size of one key's rows, as measured; None before the first.
    rows
        Rows fetched ahead, by the place of their key in the batch.
    fails
        Whether it cannot be run for many keys at once.
    """

    slots: tuple[Slot, ...]
    uses: int = 0
    key_bytes: float | None = None
    rows: dict[int, list[Row]] = field(default_factory=dict[int, list[Row]])
    fails: bool = False


class Asked:
    """A statement that makes ask, whatever the values.

    Attributes
    ----------
    names
        For each slot the attribute that it is equated with, if it is one of the key's.
    whole
        The plan for the case that each slot has the running key's value; None for a statement without.
    others
        The plans where only some slots have, by these slots and the values of the others.
    copies
        Whether rows hold objects that the user could change.
    """

    __slots__ = ("copies", "names", "others", "statement", "whole")

    def __init__(self, node: Node, statement: Statement, heading: Heading) -> None:
        names = slot_names(node)
        self.statement = statement
        self.names = tuple(name if name is not None and name in heading else None for name in names)
        self.copies = any(column.type.name in ("json", "computed", "native") for column in statement.columns)
        is_whole = bool(names) and None not in self.names
        self.whole = Plan(_slots(self.names)) if is_whole else None
        self.others: dict[object, Plan] = {}

    def plan_of(self, own: Mapping[str, object], values: Sequence[object]) -> Plan | None:
        """Return the plan for a key's encoded values and those of the slots.

        None where no slot has the key's value, or where the other values are new with every key.
        """
        if self.whole is not None:
            for (_, name), value in zip(self.whole.slots, values, strict=True):
                if own[name] is not value and not _same(own[name], value):
                    break
            else:
                return self.whole
        names = tuple(
            name if name is not None and _same(own[name], value) else None
            for name, value in zip(self.names, values, strict=True)
        )
        # 1, 1.0 and True are equal as dict keys, but not as parameters
        signature = tuple(
            (type(value), value) if name is None else name for name, value in zip(names, values, strict=True)
        )
        if not any(names):
            return None
        try:
            plan = self.others.get(signature)
        except TypeError:  # a list among the values
            return None
        if plan is None and len(self.others) < _MAX_OTHERS:
            plan = self.others[signature] = Plan(_slots(names))
        return plan

    def forget_rows(self) -> None:
        """Forget what was fetched, but not what was learnt."""
        for plan in (*self.others.values(), *([self.whole] if self.whole is not None else ())):
            plan.rows.clear()


def _slots(names: Iterable[str | None]) -> tuple[Slot, ...]:
    return tuple((f"p{place}", name) for place, name in enumerate(names) if name is not None)


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
        self._asked: dict[tuple[Statement, tuple[object, ...]], Asked] = {}
        self._constants: dict[object, list[Row]] = {}
        self._opaque: dict[Node, bool] = {}
        self._arrays: dict[tuple[str, int, int], object] = {}
        self._encoders = [(name, _encoder(heading[name].type)) for name in heading.names]

    def begin(self, keys: Sequence[Key]) -> None:
        """Start a batch: what was fetched belongs to an older snapshot."""
        self.keys = list(keys)
        self.encoded = [
            {name: encode(key[name]) for name, encode in self._encoders if name in key} for key in keys
        ]
        self._arrays.clear()
        self.forget_rows()

    def forget_rows(self) -> None:
        """Forget what was fetched, because it may not be so any more."""
        self._constants.clear()
        for asked in self._asked.values():
            asked.forget_rows()

    def is_opaque(self, node: Node, run: RunRows) -> bool:
        """Whether the user's own SQL in a query may read what the query does not name, or never answers twice.

        Parameters
        ----------
        node
            The structure of the query.
        run
            Runs a statement of ours.
        """
        known = self._opaque.get(node)
        if known is None:
            words = node.stray_words
            known = not words.isdisjoint(_READING)
            if words and not known:
                known = bool(run(_HIDDEN, {"words": array(sorted(words))})[0][0])
            self._opaque[node] = known
        return known

    def fetch(
        self,
        node: Node,
        statement: Statement,
        values: tuple[object, ...],
        limits: Mapping[str, object],
        place: int,
        run: RunRows,
        run_guarded: Callable[[str, Mapping[str, object]], list[Row] | None],
    ) -> list[Row]:
        """Return the rows of a statement for the key at `place` of the batch.

        Parameters
        ----------
        node
            The structure that the statement was compiled from.
        statement, values, limits
            The statement, the values of its slots, and its limit and offset.
        place
            The running key's place in the batch.
        run
            Runs a statement as it is.
        run_guarded
            Runs a statement under a savepoint; None when the database refuses it.
        """
        signature = (statement, tuple(limits.values()))
        asked = self._asked.get(signature)
        if asked is None:
            if len(self._asked) >= _MAX_STATEMENTS:
                self._asked.clear()
            asked = self._asked[signature] = Asked(node, statement, self.heading)
        plan = asked.plan_of(self.encoded[place], values)
        if plan is None:
            return self._without_key(asked, values, limits, run)
        plan.uses += 1
        if place not in plan.rows:
            params = {**parameters(values), **limits}
            if plan.uses == 1 or plan.fails or place + 1 >= len(self.keys):
                rows = run(statement.text, params)
                self._measure(plan, rows, 1)
                return rows
            if not self._fetch_window(plan, statement, params, place, run_guarded):
                return run(statement.text, params)
        rows = plan.rows[place]
        return deepcopy(rows) if asked.copies else list(rows)

    def _without_key(
        self, asked: Asked, values: tuple[object, ...], limits: Mapping[str, object], run: RunRows
    ) -> list[Row]:
        """Remember for the batch what does not depend on the key."""
        signature = (asked, tuple((type(value), value) for value in values))
        try:
            rows = self._constants.get(signature)
        except TypeError:  # a list among the values
            return run(asked.statement.text, {**parameters(values), **limits})
        if rows is None:
            rows = run(asked.statement.text, {**parameters(values), **limits})
            if _size(rows) > WINDOW_BYTES or len(self._constants) >= _MAX_STATEMENTS:
                return rows
            self._constants[signature] = rows
        return deepcopy(rows) if asked.copies else list(rows)

    def _measure(self, plan: Plan, rows: list[Row], keys: int) -> None:
        size = _size(rows) / keys
        plan.key_bytes = size if plan.key_bytes is None else max(size, 0.5 * (plan.key_bytes + size))

    def _fetch_window(
        self,
        plan: Plan,
        statement: Statement,
        params: Mapping[str, object],
        place: int,
        run_guarded: Callable[[str, Mapping[str, object]], list[Row] | None],
    ) -> bool:
        size = max(1, int(WINDOW_BYTES / max(plan.key_bytes or 0.0, 64.0)))
        end = min(place + size, len(self.keys))
        names = tuple(dict.fromkeys(name for _, name in plan.slots))
        types = tuple(comparison_type(self.heading[name].type).as_string() for name in names)
        text = _many_keys_text(statement.text, plan.slots, names, types)
        slots = {param for param, _ in plan.slots}
        rest = {param: value for param, value in params.items() if param not in slots}
        arrays = {f"k{i}": self.array(name, place, end) for i, name in enumerate(names)}
        rows = run_guarded(text, {**rest, **arrays})
        if rows is None:
            plan.fails = True
            return False
        plan.rows = _by_key(rows, place, end)
        self._measure(plan, rows, end - place)
        return True

    def array(self, name: str, start: int, end: int) -> object:
        """Return the parameter for the values that an attribute has in some keys of the batch."""
        known = self._arrays.get((name, start, end))
        if known is None:
            known = array([own[name] for own in self.encoded[start:end]])
            self._arrays[name, start, end] = known
        return known


def _by_key(rows: list[Row], start: int, end: int) -> dict[int, list[Row]]:
    """Share out rows, whose first value is the number of their key, among the keys' places in the batch."""
    numbers = list(map(itemgetter(0), rows))
    if any(map(gt, numbers, islice(numbers, 1, None))):  # seldom: the server goes through the keys in order
        rows = sorted(rows, key=itemgetter(0))
        numbers = sorted(numbers)
    bare = list(map(itemgetter(slice(1, None)), rows))
    found: dict[int, list[Row]] = {}
    at = 0
    counts = Counter(numbers)
    for number, place in enumerate(range(start, end), start=1):
        count = counts[number]
        found[place] = bare[at : at + count]
        at += count
    return found


def _encoder(kind: AttributeType) -> Callable[[object], object]:
    """Return the function that encodes a key's value for comparison; `NO_MATCH` for what cannot be compared."""
    if not kind.column or kind.codec is not None:
        return lambda _: NO_MATCH

    encode_one = encoder(kind.name, kind.column, kind.args, kind.labels)

    def encode(value: object) -> object:
        if value is None:
            return NO_MATCH
        try:
            return encode_one(value)
        except UnfitValueError:
            return NO_MATCH

    return encode


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
        'SELECT "key_"."place_", "rows_".* FROM unnest({}) WITH ORDINALITY AS "key_" ({}, "place_") '
        'CROSS JOIN LATERAL (SELECT * FROM ({}) AS "asked_" OFFSET 0) AS "rows_"'
    )
    return template.format(type_sql(arrays), type_sql(labels), type_sql(inner)).as_string()


def _same(mine: object, value: object) -> bool:
    return mine is not NO_MATCH and type(mine) is type(value) and mine == value


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
