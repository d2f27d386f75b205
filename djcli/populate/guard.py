"""The contract of make: it reads what its key depends on, and writes its own rows. `Guard` watches over it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from djcli.algebra.nodes import base
from djcli.algebra.relation import Node
from djcli.definition.model import TableId, TableModel
from djcli.errors import ContractError, DataJointError
from djcli.names import Tier, display_name
from djcli.populate.lines import users_line
from djcli.populate.result import Violation
from djcli.populate.scope import Equals, Excess, Scope, equal_slots
from djcli.sql.statement import Params
from djcli.tables.making import Making, making
from djcli.tables.trace import graph_above

logger = logging.getLogger("djcli")

MODES = ("warn", "error")

_SHOWN = 50


class Guard:
    """Watches what the makes of a table read and write.

    Parameters
    ----------
    table
        The computed table.
    mode
        ``'warn'`` notes violations, ``'error'`` makes the key fail as well.

    Raises
    ------
    DataJointError
        If the mode is another.
    """

    def __init__(self, table: Any, mode: str) -> None:
        if mode not in MODES:
            raise DataJointError(f"guard={mode!r}: it must be one of {', '.join(map(repr, MODES))}, or None")
        self.is_strict = mode == "error"
        self.violations: list[Violation] = []
        self._of_key: list[Violation] = []
        self._known: set[tuple[str, str, str]] = set()
        self._judged: dict[tuple[Node, Equals], list[Excess]] = {}
        self._model: TableModel = table.model
        self._label: str = table.class_label
        self._graph = graph_above(table.instance, table.model)
        self._ancestors = frozenset(self._graph.ancestors(table.id))
        secondary = {key.parent for key in self._model.foreign_keys if not key.in_key}
        primary = {key.parent for key in self._model.foreign_keys if key.in_key}
        self._free = self._above(secondary) - self._above(primary)
        heading = base(self._model).heading
        self._scope = Scope(heading, lambda m: self._may_read(m.id), lambda m: m.id in self._free)

    def _above(self, tables: set[TableId]) -> set[TableId]:
        return {above for table in tables for above in self._graph.ancestors(table)}

    def _is_own(self, table: TableId) -> bool:
        return table.belongs_to(self._model.id)

    def _may_read(self, table: TableId) -> bool:
        return any(table.belongs_to(above) for above in self._ancestors)

    # ---- a key from its beginning to its end --------------------------------------------------------

    def begin(self) -> None:
        """Hear that the make of a key begins."""
        self._of_key.clear()

    def end(self) -> None:
        """Hear that the make of a key has come to its end.

        Raises
        ------
        ContractError
            In strict mode, if it has swallowed the error that told of a violation.
        """
        if self.is_strict and self._of_key:
            raise ContractError(str(self._of_key[0]))

    def report(self) -> None:
        """Log what was found, a line each."""
        if self.violations and not self.is_strict:
            number = len(self.violations)
            logger.warning(
                "make of %s breaks its contract in %d place%s:", self._label, number, "s" * (number > 1)
            )
        for violation in self.violations:
            if not self.is_strict or not violation.table:
                logger.warning("  %s", violation)

    # ---- what it is told, as a witness --------------------------------------------------------------

    def reads(self, node: Node, text: str, params: Mapping[str, object]) -> None:  # noqa: ARG002 - the witness's signature
        """Judge a query."""
        made = making.get()
        if made is None or made.table.id != self._model.id:
            return
        for table in sorted(node.tables):
            if not self._may_read(table):
                self._note(table, self._outside(table))
        for excess in self._excess(node, params, made):
            self._note(excess.table.id, self._beyond(excess))

    def writes(self, model: TableModel, verb: str) -> None:
        """Judge a write."""
        made = making.get()
        if made is not None and made.table.id == self._model.id and not self._is_own(model.id):
            self._note(
                model.id,
                f"make of {self._label} {verb} {_name(model.id)}, which is neither its table nor a part of it: "
                f"deleting {self._label} will not undo it; make {_name(model.id)} a part of {self._label}, or a "
                f"computed table that depends on it",
                "writes",
            )

    def computes_with(self, node: Node) -> None:
        """Judge a query that runs in the second of three steps, where nothing verifies what it returns."""
        for table in sorted(node.tables):
            self._note(
                table,
                f"make of {self._label} reads {_name(table)} while it computes, where nothing verifies that it is "
                "still the same when the result is inserted; read it in make_fetch",
            )

    def queries(self, text: str, args: Params) -> None:  # noqa: ARG002 - the witness's signature
        """Note SQL that nobody can judge."""
        made = making.get()
        if made is None or made.table.id != self._model.id:
            return
        brief = " ".join(text.split())
        brief = brief[:_SHOWN] + "…" if len(brief) > _SHOWN else brief
        self._note(
            None,
            f"make of {self._label} runs SQL of its own, which cannot be verified ({brief}): "
            "write it as a query of tables",
        )

    def _excess(self, node: Node, params: Mapping[str, object], made: Making) -> list[Excess]:
        values = [params[f"p{i}"] for i in range(node.n_slots)]
        equals = equal_slots(values, made.encoded)
        found = self._judged.get((node, equals))
        if found is None:
            texts = {name: str(value) for name, value in made.encoded.items()}
            found, has_text = self._scope.excess(node, equals, texts)
            if not has_text:
                self._judged[node, equals] = found
        return found

    def _note(self, table: TableId | None, message: str, kind: str = "reads") -> None:
        violation = Violation(users_line(), "" if table is None else str(table), message)
        known = (violation.where, violation.table, kind)
        if known not in self._known:
            self._known.add(known)
            self.violations.append(violation)
        if table is not None:
            self._of_key.append(violation)
            if self.is_strict:
                raise ContractError(str(violation))

    def _outside(self, table: TableId) -> str:
        name = _name(table)
        kind = " lookup" if TableModel(table, ()).tier is Tier.LOOKUP else ""
        return (
            f"make of {self._label} reads the{kind} table {name}, which {self._label} does not depend on: when "
            f"its rows change, nothing tells that {self._label} is out of date; add '-> {name}' to the definition "
            f"of {self._label}, or of a table that it depends on"
        )

    def _beyond(self, excess: Excess) -> str:
        name = _name(excess.table.id)
        required = self._scope.required(excess.table)
        if not required:
            return (
                f"make of {self._label} reads {name} without regard to its key: restrict it to the rows that the "
                f"key depends on, as self.upstream[{name}] is"
            )
        missing = " and ".join(excess.missing)
        own = self._is_own(excess.table.id)
        what = "rows of other keys" if own else "rows that its key does not depend on"
        how = "is not restricted by" if excess.missing == required else "is not fully restricted by"
        return f"make of {self._label} reads {what}: {name} {how} the key's {missing}; write {name} & key" + (
            "" if own or excess.table.id not in self._ancestors else f", or self.upstream[{name}]"
        )


def _name(table: TableId) -> str:
    return display_name(table.name)
