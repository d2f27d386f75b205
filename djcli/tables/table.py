"""`Table`: the base of all tables; its class and its instances can be used alike."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from djcli.catalog.graph import Graph
from djcli.database.connection import Connection
from djcli.definition.model import TableId, TableModel
from djcli.definition.render import render
from djcli.errors import DataJointError
from djcli.names import display_name
from djcli.sql.insert import OnDuplicate
from djcli.sql.statement import quoted_name
from djcli.tables import altering
from djcli.tables import delete as deleting
from djcli.tables import drop as dropping
from djcli.tables.binding import either
from djcli.tables.declare import declare, ensure
from djcli.tables.defined import DefinedTable
from djcli.tables.insert import hand_over_one, insert
from djcli.tables.instance import Instance
from djcli.tables.making import making
from djcli.tables.relatives import graph_of, neighbours
from djcli.tables.rows import with_index
from djcli.tables.update import update1
from djcli.tables.validate import ValidationResult, validate


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
    def alter(self, prompt: bool | None = None, context: Mapping[str, object] | None = None) -> object:
        """Make the table in the database what the class declares, in one transaction.

        Parameters
        ----------
        prompt
            Whether to show what changes and ask before data is lost; by default the setting ``safemode``.
        context
            More names for the tables that the definition refers to.

        Returns
        -------
        Plan
            What was done; nothing if the answer was no.

        Raises
        ------
        DataJointError
            If a change is blocked, with the reason.
        """
        if context:
            type(self).bound_schema().context.update(context)
        return altering.alter(self.instance, [type(self)], prompt)

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
            Dicts, sequences, numpy records or a structured array, a pandas or polars frame, an Arrow table, the
            `pathlib.Path` of a CSV or Parquet file, or an expression, which is copied inside the database. None
            stands for an attribute's default.
        replace
            Whether a row whose key is there already is replaced; rows that depend on it stay.
        skip_duplicates
            Whether a row whose key is there already is passed over.
        ignore_extra_fields
            Whether fields that are no attributes are passed over.
        allow_direct_insert
            Whether rows may be inserted into a Computed or Imported table outside its ``make``.
        chunk_size
            How many rows go in one statement; all statements are one transaction.

        Raises
        ------
        DataJointError
            `DuplicateError`, `IntegrityError`, `MissingAttributeError`, `UnknownAttributeError`, or a
            value that does not fit, with the row and the attribute.
        """
        if replace and skip_duplicates:
            raise DataJointError("insert: give replace=True or skip_duplicates=True, not both")
        if type(self).tier.is_auto and not allow_direct_insert and not self._is_being_made():
            raise DataJointError(
                f"{self.class_name} is computed: rows come from its make() by populate(); "
                "to insert by hand all the same, pass allow_direct_insert=True"
            )
        mode = OnDuplicate.REFUSE
        if replace or skip_duplicates:
            mode = OnDuplicate.REPLACE if replace else OnDuplicate.SKIP
        self._prepare_to_write("inserts into")
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
        if options or not hand_over_one(self.instance, self.model, row):
            self.insert((row,), **options)

    @either
    def insert_dataframe(self, df: Any, index_as_pk: bool | None = None, **options: Any) -> None:
        """Insert a pandas frame; the options are those of `insert`.

        Parameters
        ----------
        df
            The frame.
        index_as_pk
            Whether the index holds the primary key; by default it does if its names are those of the key, and an
            index without names is left out.

        Raises
        ------
        DataJointError
            If it is to hold the primary key and its names are others.
        """
        self.insert(with_index(self.model, df, index_as_pk), **options)

    @either
    def validate(self, rows: object, *, ignore_extra_fields: bool = False) -> ValidationResult:
        """Check rows as `insert` would, without inserting any, and return all problems at once.

        Parameters
        ----------
        rows
            What `insert` takes, other than an expression.
        ignore_extra_fields
            Whether fields that are no attributes are passed over.
        """
        self.ensure_declared()
        return validate(self.instance, self.model, rows, ignore_extra_fields=ignore_extra_fields)

    @either
    def update1(self, row: Mapping[str, object]) -> None:
        """Update one row.

        Parameters
        ----------
        row
            The whole primary key, and the new values; None resets an attribute to its default.

        Raises
        ------
        DataJointError
            If the table is restricted, the key incomplete, an attribute unknown, or the row not there.
        """
        self._prepare_to_write("updates")
        update1(self, row)

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
        self._prepare_to_write("deletes from")
        return deleting.delete(self, prompt=prompt, part_integrity=part_integrity)

    @either
    def delete_quick(self, get_count: bool = False) -> int | None:
        """Delete the rows without asking; refused while others depend on them."""
        self._prepare_to_write("deletes from")
        count = deleting.delete_rows(self)
        return count if get_count else None

    def ensure_declared(self) -> None:
        """Declare the table on first use, where this is allowed."""
        ensure(self.instance, self.node.tables | {self.id})

    def _prepare_to_write(self, verb: str) -> None:
        for witness in self.connection.witnesses:
            witness.writes(self.model, verb)
        ensure(self.instance, (self.id,) if self._node is None else self.node.tables | {self.id})

    def _is_being_made(self) -> bool:
        made = making.get()
        return made is not None and made.takes(self.model)

    # ---- relatives ----------------------------------------------------------------------------------

    @either
    def parents(
        self, primary: bool | None = None, as_objects: bool = False, foreign_key_info: bool = False
    ) -> list[Any]:
        """Return the tables that this one refers to; the parameters are those of `relatives.neighbours`."""
        return neighbours(
            self, "parents", primary, self._shown(as_objects), foreign_key_info=foreign_key_info
        )

    @either
    def children(
        self, primary: bool | None = None, as_objects: bool = False, foreign_key_info: bool = False
    ) -> list[Any]:
        """Return the tables that refer to this one; the parameters are those of `relatives.neighbours`."""
        return neighbours(
            self, "children", primary, self._shown(as_objects), foreign_key_info=foreign_key_info
        )

    @either
    def ancestors(self, as_objects: bool = False) -> list[Any]:
        """Return the table itself, then all that it depends on, each before its parents."""
        return [self._shown(as_objects)(name) for name in graph_of(self).ancestors(self.id)[::-1]]

    @either
    def descendants(self, as_objects: bool = False) -> list[Any]:
        """Return the table itself, then all that depend on it, each after its parents."""
        return [self._shown(as_objects)(name) for name in graph_of(self).descendants(self.id)]

    @either
    def parts(self, as_objects: bool = False) -> list[Any]:
        """Return the parts of this table."""
        return [self._shown(as_objects)(name) for name in graph_of(self).parts(self.id)]

    def _shown(self, as_objects: bool) -> Callable[[TableId], Any]:
        return partial(table_object, self.instance) if as_objects else quoted_name

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
        """Return the table's name and its restrictions, for messages."""
        return type(self).class_label + self.described_restriction()


_QUOTED_NAME = re.compile(r'\s*("(?:[^"]|"")+"|`[^`]+`|[^".`]+)\s*\.\s*("(?:[^"]|"")+"|`[^`]+`|[^".`]+)\s*')


class FreeTable(Table):
    """A table of the database without a class of its own.

    Parameters
    ----------
    connection
        The connection to its database.
    full_table_name
        The name with its schema, ``"schema"."table"``; the quotes may be left out.
    """

    def __init__(self, connection: Connection, full_table_name: str) -> None:
        super().__init__()
        match = _QUOTED_NAME.fullmatch(full_table_name)
        if match is None:
            raise DataJointError(f'{full_table_name!r} is no table name: write "schema"."table"')
        self._id = TableId(_unquoted(match[1]), _unquoted(match[2]))
        self._free_instance = Instance()
        self._free_instance.connection = connection

    @classmethod
    def of(cls, instance: Instance, table: TableId) -> FreeTable:
        """Return a table of an instance, which shares what that knows of the database."""
        made = cls(instance.connection, quoted_name(table))
        made._free_instance = instance
        return made

    def _restricted(self, node: Any, values: Any, unmatched: tuple[str, ...]) -> Any:
        restricted = super()._restricted(node, values, unmatched)
        restricted._id = self._id
        restricted._free_instance = self._free_instance
        return restricted

    @property
    def instance(self) -> Instance:
        """The database it is in."""
        return self._free_instance

    @property
    def id(self) -> TableId:
        """Schema and name."""
        return self._id

    @property
    def model(self) -> TableModel:
        """The table as the database has it."""
        return self.instance.model(self._id)

    @property
    def class_label(self) -> str:
        """The name that its class would have."""
        return display_name(self._id.name)


def table_object(instance: Instance, table: TableId) -> Table:
    """Return a table as an object of its class, or as a `FreeTable` where the instance knows none."""
    cls = instance.classes.get(table)
    return FreeTable.of(instance, table) if cls is None else cast("type[Table]", cls)()


def _unquoted(name: str) -> str:
    name = name.strip()
    return name[1:-1].replace('""', '"') if name[0] in '"`' else name
