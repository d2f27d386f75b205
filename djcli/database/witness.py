"""`Witness`: whoever is told what code reads and writes, before it does, while a make runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from djcli.algebra.relation import Node
from djcli.definition.model import TableModel
from djcli.sql.statement import Params


class Witness(Protocol):
    """Is told of the tables' reads and writes on a connection, and of the user's own SQL.

    What it raises keeps the thing from being done.
    """

    def reads(self, node: Node, text: str, params: Mapping[str, object]) -> None:
        """Hear that a query of this structure is about to run, with its statement and the parameters."""
        ...

    def writes(self, model: TableModel, verb: str) -> None:
        """Hear that rows of a table are about to change: ``'inserts into'``, ``'updates'``, ``'deletes from'``."""
        ...

    def queries(self, text: str, args: Params) -> None:
        """Hear that the user's own SQL is about to run."""
        ...
