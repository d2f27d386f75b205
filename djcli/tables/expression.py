"""`QueryExpression`: the algebra as operators, and its results in every form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import EllipsisType
from typing import Any, Self

from djcli.algebra import nodes
from djcli.algebra.conditions import Not
from djcli.algebra.heading import Heading
from djcli.algebra.projection import read_aggregation, read_projection
from djcli.algebra.relation import Node
from djcli.algebra.restriction import Expression, Values, read_restriction
from djcli.algebra.semantics import shared_attributes
from djcli.errors import DataJointError
from djcli.settings import config
from djcli.sql.statement import parameters
from djcli.tables.binding import either
from djcli.tables.fetch import OrderBy, Query, array, columns, read_order, structured_array
from djcli.tables.instance import Instance
from djcli.tables.preview import preview_html, preview_text


class Top:
    """``expression & dj.Top(limit, order_by, offset)``: the first rows in an order.

    Parameters
    ----------
    limit
        How many rows; None for all.
    order_by
        Names with an optional ``DESC``; ``KEY`` stands for the primary key.
    offset
        How many rows to pass over first.
    """

    def __init__(self, limit: int | None = 1, order_by: OrderBy = "KEY", offset: int = 0) -> None:
        if limit is not None and limit < 0:
            raise DataJointError(f"Top: the limit {limit} is negative")
        if offset < 0:
            raise DataJointError(f"Top: the offset {offset} is negative")
        self.limit = limit
        self.order_by = order_by
        self.offset = offset


class QueryExpression:
    """A relation: a table, or what the operators make of tables.

    Expressions never change; building one asks the database nothing.
    """

    def __init__(self, instance: Instance, node: Node, values: Values = ()) -> None:
        self._instance = instance
        self._node: Node | None = node
        self._values = values
        self._unmatched: tuple[str, ...] = ()

    # ---- structure ----------------------------------------------------------------------------------

    @property
    def instance(self) -> Instance:
        """The database it is asked of."""
        return self._instance

    @property
    def node(self) -> Node:
        """The structure of the expression."""
        assert self._node is not None
        return self._node

    @property
    def values(self) -> Values:
        """The values of the structure's slots."""
        return self._values

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Keys of dict restrictions none of which matched an attribute; such a restriction has no effect."""
        return self._unmatched

    @property
    def heading(self) -> Heading:
        """The attributes."""
        return self.node.heading

    @property
    def primary_key(self) -> list[str]:
        """The names of the primary key's attributes."""
        return list(self.heading.primary_key)

    @property
    def connection(self) -> Any:
        """The connection to its database."""
        return self.instance.connection

    @property
    def query(self) -> Query:
        """The expression as something that can be run."""
        return Query(self.instance, self.node, self.values)

    @either
    def make_sql(self, fields: Sequence[str] | None = None) -> str:
        """Return the SQL that fetches it, with placeholders for its values."""
        statement, _ = self.query.statement(tuple(fields) if fields is not None else None)
        return statement.text

    @property
    def parameters(self) -> dict[str, object]:
        """The values for the placeholders of `make_sql`."""
        return parameters(self.values)

    # ---- operators ----------------------------------------------------------------------------------

    def _restricted(self, node: Node, values: Values, unmatched: tuple[str, ...]) -> Self:
        """Return this expression with another structure; a table stays a table."""
        restricted = object.__new__(type(self))
        restricted._instance = self.instance
        restricted._node = node
        restricted._values = values
        restricted._unmatched = self._unmatched + unmatched
        return restricted

    @either
    def restrict(self, restriction: object, semantic_check: bool = True) -> Any:
        """Return the rows for which `restriction` holds.

        Parameters
        ----------
        restriction
            A dict, a string of SQL, a sequence of conditions (any may hold), `AndList`, `Not`, `Top`,
            a boolean, a frame, or another expression (rows with a match).
        semantic_check
            Whether namesakes must have one lineage when it is an expression.
        """
        if isinstance(restriction, Top):
            order = read_order(self.heading, restriction.order_by)
            node = nodes.limit(self.node, order)
            return self._restricted(node, (*self.values, restriction.limit, restriction.offset), ())
        if isinstance(restriction, type) and not isinstance(restriction, Expression):
            raise DataJointError(f"cannot restrict by the class {restriction.__name__}")
        read = read_restriction(self.heading, restriction, semantic_check=semantic_check)
        node = nodes.restrict(self.node, read.condition)
        return self._restricted(node, self.values + read.values, read.unmatched)

    @either
    def restrict_in_place(self, restriction: object) -> Any:
        """Restrict this very object, and return it."""
        restricted = self.restrict(restriction)
        self._node, self._values, self._unmatched = restricted.node, restricted.values, restricted.unmatched
        return self

    def __and__(self, restriction: object) -> Self:
        return self.restrict(restriction)

    def __sub__(self, restriction: object) -> Self:
        if isinstance(restriction, Top):
            raise DataJointError("`- Top(…)` has no meaning; restrict with `& Top(…)`")
        read = read_restriction(self.heading, restriction)
        node = nodes.restrict(self.node, Not(read.condition))
        return self._restricted(node, self.values + read.values, read.unmatched)

    def __mul__(self, other: object) -> QueryExpression:
        return self.join(other)

    @either
    def join(
        self,
        other: object,
        semantic_check: bool = True,
        left: bool = False,
        allow_nullable_pk: bool = False,
    ) -> QueryExpression:
        """Return the natural join.

        Parameters
        ----------
        other
            Another expression.
        semantic_check
            Whether namesakes must have one lineage.
        left
            Whether rows without a match stay, with nulls; then the key of `other` must lie within this
            expression's attributes, unless `allow_nullable_pk`.
        """
        if not isinstance(other, Expression):
            raise DataJointError(f"cannot join with {other!r}: it is no table or query")
        a, b = self.heading, other.node.heading
        shared = shared_attributes(a, b, operation="join", semantic_check=semantic_check)
        if left and not allow_nullable_pk and not all(name in a for name in b.primary_key):
            missing = ", ".join(name for name in b.primary_key if name not in a)
            raise DataJointError(
                f"a left join would leave {missing} null in the primary key; join the other way round"
            )
        node = nodes.join(self.node, other.node, shared, left=left)
        return QueryExpression(self.instance, node, self.values + other.values)

    @either
    def extend(self, other: object, semantic_check: bool = True) -> QueryExpression:
        """Return every row with the attributes of the one row of `other` that it determines, or nulls."""
        return self.join(other, semantic_check=semantic_check, left=True)

    @either
    def proj(self, *attributes: str | EllipsisType, **named: str) -> QueryExpression:
        """Return chosen, renamed and computed attributes; the primary key always stays.

        Parameters
        ----------
        *attributes
            Names to keep; ``...`` for all, ``'-name'`` for all but that one.
        **named
            ``new='old'`` renames, ``new='(old)'`` copies, ``new='SQL'`` computes.
        """
        kept = read_projection(self.heading, attributes, named)
        return QueryExpression(self.instance, nodes.project(self.node, kept), self.values)

    @either
    def aggr(
        self,
        group: object,
        *attributes: str | EllipsisType,
        exclude_nonmatching: bool = False,
        **named: str,
    ) -> QueryExpression:
        """Return each row with values computed over its matching rows of `group`.

        Parameters
        ----------
        group
            The expression whose rows are aggregated.
        *attributes
            Attributes of this expression to keep besides its primary key.
        exclude_nonmatching
            Whether rows without a match are left out.
        **named
            Aggregates in SQL, ``n='count(*)'``.
        """
        if not isinstance(group, Expression):
            raise DataJointError(f"cannot aggregate {group!r}: it is no table or query")
        shared = shared_attributes(self.heading, group.node.heading, operation="join")
        kept = read_aggregation(self.heading, attributes, named)
        node = nodes.aggregate(self.node, group.node, shared, kept, drop_unmatched=exclude_nonmatching)
        return QueryExpression(self.instance, node, self.values + group.values)

    aggregate = aggr

    # ---- questions ----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.query.count()

    def __bool__(self) -> bool:
        return self.query.exists()

    def __contains__(self, item: object) -> bool:
        return bool(self & item)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        names = self.heading.names
        for row in self.query.stream():
            yield dict(zip(names, row, strict=True))

    # ---- results ------------------------------------------------------------------------------------

    @either
    def to_dicts(
        self,
        order_by: OrderBy = None,
        limit: int | None = None,
        offset: int | None = None,
        squeeze: bool = False,
    ) -> list[dict[str, Any]]:
        """Return all rows as dicts.

        Parameters
        ----------
        order_by
            ``'attribute'``, ``'attribute DESC'``, ``'KEY'``, or a list of these.
        limit, offset
            How many rows, and how many to pass over first.
        squeeze
            Whether dimensions of length one are removed from arrays that are values.
        """
        names = self.heading.names
        rows = self.query.rows(None, order_by, limit, offset, squeeze=squeeze)
        return [dict(zip(names, row, strict=True)) for row in rows]

    @either
    def keys(
        self, order_by: OrderBy = None, limit: int | None = None, offset: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the primary keys of all rows as dicts."""
        names = self.heading.primary_key
        return [dict(zip(names, row, strict=True)) for row in self.query.rows(names, order_by, limit, offset)]

    @either
    def to_arrays(
        self,
        *attrs: str,
        include_key: bool = False,
        order_by: OrderBy = None,
        limit: int | None = None,
        offset: int | None = None,
        squeeze: bool = False,
    ) -> Any:
        """Return columns as numpy arrays.

        Parameters
        ----------
        *attrs
            The attributes; with none, one structured array of all of them is returned.
        include_key
            Whether the list of primary keys comes first.
        order_by, limit, offset
            As in `to_dicts`.
        squeeze
            Whether dimensions of length one are removed from arrays that are values.

        Returns
        -------
        numpy.ndarray or tuple
            One array for one attribute, a tuple of them for several. Numbers and booleans have numeric
            dtypes, text has ``U``; what holds nulls or other objects has ``object``.
        """
        self.heading.check(attrs)
        names = attrs or self.heading.names
        keys = self.heading.primary_key if include_key else ()
        fetched = tuple(dict.fromkeys((*names, *keys)))
        rows = self.query.rows(fetched, order_by, limit, offset, squeeze=squeeze)
        if not attrs:
            return structured_array(self.heading, rows)
        found = columns(self.heading, fetched, rows)
        arrays = tuple(array(self.heading[name], found[name]) for name in attrs)
        if include_key:
            return [
                dict(zip(keys, row, strict=True)) for row in zip(*(found[k] for k in keys), strict=True)
            ], *arrays
        return arrays[0] if len(arrays) == 1 else arrays

    @either
    def fetch1(self, *attrs: str, squeeze: bool = False) -> Any:
        """Return the one row: as a dict, or the values of the named attributes (``KEY`` for the key).

        Raises
        ------
        DataJointError
            If there is no row, or more than one.
        """
        wanted = tuple(name for name in attrs if name != "KEY")
        self.heading.check(wanted)
        keyed = self.heading.primary_key if "KEY" in attrs else ()
        names = tuple(dict.fromkeys((*wanted, *keyed))) if attrs else self.heading.names
        rows = self.query.rows(names, None, 2, squeeze=squeeze)
        if len(rows) != 1:
            found = "no row" if not rows else "more than one"
            raise DataJointError(f"fetch1 needs exactly one row, but there is {found} in {self.described()}")
        row = dict(zip(names, rows[0], strict=True))
        if not attrs:
            return row
        found = [{k: row[k] for k in keyed} if name == "KEY" else row[name] for name in attrs]
        return found[0] if len(found) == 1 else tuple(found)

    def described(self) -> str:
        """Return a short text for messages: the tables it reads, and its values."""
        tables = ", ".join(sorted(str(table) for table in self.node.tables))
        shown = ", ".join(map(repr, self.values[:8]))
        return f"a query of {tables}" + (f" with {shown}" if shown else "")

    @either
    def cursor(self, as_dict: bool = False) -> Iterator[Any]:
        """Iterate over rows in flat memory, as tuples or as dicts."""
        return iter(self) if as_dict else self.query.stream()

    @either
    def preview(self, limit: int | None = None, width: int | None = None) -> str:
        """Return the first rows by primary key as a text table.

        Parameters
        ----------
        limit
            How many rows; by default the setting ``display.limit``.
        width
            How wide a column may be; by default the setting ``display.width``.
        """
        limit = int(config["display.limit"] if limit is None else limit)
        rows = self.query.rows(None, "KEY", limit + 1)
        count = self._shown_count(rows, limit)
        return preview_text(
            self.heading, rows[:limit], limit < len(rows), count, width or config["display.width"]
        )

    def _shown_count(self, rows: Sequence[object], limit: int) -> int | None:
        if not config["display.show_tuple_count"]:
            return None
        return len(rows) if len(rows) <= limit else len(self)

    def __repr__(self) -> str:
        return self.preview()

    def _repr_html_(self) -> str:
        limit = config["display.limit"]
        rows = self.query.rows(None, "KEY", limit + 1)
        return preview_html(
            self.heading, rows[:limit], limit < len(rows), self._shown_count(rows, limit), self._title()
        )

    def _title(self) -> str:
        return ""

    @either
    def head(self, limit: int = 25) -> list[dict[str, Any]]:
        """Return the first rows by primary key."""
        return self.to_dicts(order_by="KEY", limit=limit)

    @either
    def tail(self, limit: int = 25) -> list[dict[str, Any]]:
        """Return the last rows by primary key, in its order."""
        return self.to_dicts(order_by="KEY DESC", limit=limit)[::-1]
