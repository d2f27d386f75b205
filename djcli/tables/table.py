"""`Table`: the base of all tables; its class and its instances can be used alike."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from djcli.catalog.graph import Graph
from djcli.definition.model import TableId
from djcli.definition.render import render
from djcli.errors import DataJointError
from djcli.sql.insert import OnDuplicate
from djcli.tables import delete as deleting
from djcli.tables import drop as dropping
from djcli.tables.binding import either
from djcli.tables.declare import declare, ensure
from djcli.tables.defined import DefinedTable
from djcli.tables.insert import insert, making


class Table(DefinedTable):
    """A table of the database: declaring it, and what is done with its rows."""

    # ---- the database -------------------------------------------------------------------------------

    @either
    def declare(self, context: Mapping[str, object] | None = None) -> None:
        """Declare the table and the missing ones it refers to; nothing happens when it is there."""
        if context:
            type(self).bound_schema().context.update(context)
        declare(self.instance, [type(self)])

    @either
    def describe(self, context: object = None, printout: bool = False) -> str:  # noqa: ARG002 - the reference's signature
        """Return the definition, as it can be written in a class.

        Parameters
        ----------
        printout
            Whether it is shown on standard output too.
        """
        text = render(self.model)
        if printout:
            sys.stdout.write(text + "\n")
        return text

    @either
    def drop(self, prompt: bool | None = None, part_integrity: str = "enforce") -> None:
        """Drop the table and all that depend on it, with their rows.

        Parameters
        ----------
        prompt
            Whether to show what goes and ask; by default the setting ``safemode``.
        part_integrity
            ``'enforce'`` refuses to drop a part without its master; ``'ignore'`` allows it.
        """
        dropping.drop(self.instance, self.id, prompt=prompt, part_integrity=part_integrity)

    @either
    def drop_quick(self) -> None:
        """Drop the table, without asking; refused while others depend on it."""
        dropping.drop_tables(self.instance, [self.id])

    # ---- rows ---------------------------------------------------------------------------------------

    @either
    def insert(
        self,
        rows: object,
        replace: bool = False,
        skip_duplicates: bool = False,
        ignore_extra_fields: bool = False,
        allow_direct_insert: bool | None = None,
        chunk_size: int | None = None,
    ) -> None:
        """Insert rows, all or none.

        Parameters
        ----------
        rows
            Dicts, sequences, records, a frame, or an expression, which is copied inside the database.
        replace
            Whether a row whose key is there already replaces it.
        skip_duplicates
            Whether a row whose key is there already is passed over.
        ignore_extra_fields
            Whether fields that are no attributes are passed over.
        allow_direct_insert
            Whether rows may be inserted into a Computed or Imported table outside its ``make``.
        chunk_size
            How many rows go in one statement.

        Raises
        ------
        DataJointError
            `DuplicateError`, `IntegrityError`, `MissingAttributeError`, `UnknownAttributeError`, or a
            value that does not fit, with the row and the attribute.
        """
        if replace and skip_duplicates:
            raise DataJointError("insert: give replace=True or skip_duplicates=True, not both")
        if type(self).tier.is_auto and not allow_direct_insert and making.get() != self.id:
            raise DataJointError(
                f"{self.class_name} is computed: rows come from its make() by populate(); "
                "to insert by hand all the same, pass allow_direct_insert=True"
            )
        mode = OnDuplicate.REFUSE
        if replace or skip_duplicates:
            mode = OnDuplicate.REPLACE if replace else OnDuplicate.SKIP
        self.ensure_declared()
        insert(
            self.instance,
            self.model,
            rows,
            on_duplicate=mode,
            ignore_extra_fields=ignore_extra_fields,
            chunk_size=chunk_size,
        )

    @either
    def insert1(self, row: object, **options: Any) -> None:
        """Insert one row; the options are those of `insert`."""
        self.insert((row,), **options)

    @either
    def delete(
        self,
        transaction: bool = True,  # noqa: ARG002 - the reference's signature
        prompt: bool | None = None,
        part_integrity: str = "enforce",
    ) -> int:
        """Delete the rows and all that depend on them.

        Parameters
        ----------
        transaction
            Kept for the reference's sake: an open transaction is joined, else there is one of its own.
        prompt
            Whether to show what goes and ask; by default the setting ``safemode``.
        part_integrity
            ``'enforce'`` refuses to delete rows of a part while their master stays; ``'ignore'`` allows
            it; ``'cascade'`` deletes the master too.

        Returns
        -------
        int
            How many rows of this table were deleted.
        """
        self.ensure_declared()
        return deleting.delete(self, prompt=prompt, part_integrity=part_integrity)

    @either
    def delete_quick(self, get_count: bool = False) -> int | None:
        """Delete the rows without asking; refused while others depend on them."""
        self.ensure_declared()
        count = deleting.delete_rows(self)
        return count if get_count else None

    def ensure_declared(self) -> None:
        """Declare the table on first use, where this is allowed."""
        ensure(self.instance, self.node.tables | {self.id})

    # ---- relatives ----------------------------------------------------------------------------------

    @either
    def diagram_graph(self) -> Graph:
        """Return the graph of the tables that a diagram may grow to."""
        return type(self).bound_schema().diagram_graph()

    @either
    def diagram_nodes(self) -> tuple[TableId, ...]:
        """Return the table itself, for a diagram to start with."""
        return (self.id,)

    @either
    def diagram_titles(self) -> Mapping[str, str]:
        """Return no names for schemas beyond their own."""
        return {}

    def _title(self) -> str:
        return self.model.comment

    def described(self) -> str:
        """Return the table's name, and its restriction's values, for messages."""
        shown = ", ".join(map(repr, self.values[:8]))
        return type(self).class_label + (f" restricted by {shown}" if shown else "")
