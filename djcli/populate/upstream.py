"""`Upstream`: the rows that the key of a running make depends on, table by table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from djcli.definition.model import TableId
from djcli.errors import DataJointError
from djcli.tables.expression import QueryExpression
from djcli.tables.meta import TableMeta
from djcli.tables.table import Table
from djcli.tables.trace import TableLike, ancestor_rows_of_key, key_columns

Routes = dict[Any, tuple[tuple[str, str], ...] | None]
"""By class, the attributes of an ancestor and those of the key that they equal, where these tell all."""


class Upstream:
    """What ``self.upstream`` is inside make: ``self.upstream[Session]`` are the session's rows for the key.

    Rows are found along the foreign keys; nothing is asked of the database until they are fetched.

    Parameters
    ----------
    table
        The computed table.
    key
        The key that make was called for.
    routes
        What is known of the ways to ancestors, kept from key to key.
    """

    def __init__(self, table: Table, key: Mapping[str, Any], routes: Routes) -> None:
        self._table = table
        self._key = key
        self._routes = routes
        self._found: dict[TableLike, QueryExpression] = {}

    def __getitem__(self, ancestor: TableLike) -> QueryExpression:
        """Return the rows of an ancestor: a class, an object of it, or a name.

        Raises
        ------
        DataJointError
            If the table does not depend on it; the message lists those that it depends on.
        """
        if not isinstance(cast(object, ancestor), (TableMeta, Table, TableId, str)):
            raise DataJointError(
                f"upstream takes a table's class, an object of it or its name, not {ancestor!r}"
            )
        name = ancestor.id if isinstance(ancestor, Table) else ancestor
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._rows(ancestor)
        return found

    def _rows(self, ancestor: TableLike) -> QueryExpression:
        if not isinstance(ancestor, TableMeta):
            return ancestor_rows_of_key(self._table, self._key, ancestor)
        if ancestor not in self._routes:
            self._routes[ancestor] = key_columns(self._table, ancestor)
        columns = self._routes[ancestor]
        if columns is None:
            return ancestor_rows_of_key(self._table, self._key, ancestor)
        return ancestor() & {own: self._key[name] for own, name in columns}

    def __repr__(self) -> str:
        """Tell whose rows they are."""
        return f"<what {self._table.class_label} depends on for {dict(self._key)!r}>"
