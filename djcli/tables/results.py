"""`Results`: what can be asked of an expression, and its rows in every form."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from djcli.algebra.heading import Heading
from djcli.algebra.ordering import handed_on
from djcli.algebra.relation import Node
from djcli.errors import DataJointError
from djcli.settings import config
from djcli.sql.statement import parameters
from djcli.tables import frames
from djcli.tables.binding import either
from djcli.tables.fetch import OrderBy, Page, Query, Row, array, columns, structured_array
from djcli.tables.preview import preview_html, preview_text


def _framing(make: Callable[[Query, Page], Any]) -> Any:
    """Return the method that makes a frame, named and described as the function that does it."""

    def method(
        self: Results,
        order_by: OrderBy = None,
        limit: int | None = None,
        offset: int | None = None,
        squeeze: bool = False,
    ) -> Any:
        return make(self.query, Page(order_by, limit, offset, squeeze))

    method.__name__ = make.__name__
    method.__qualname__ = f"Results.{make.__name__}"
    method.__doc__ = f"{(make.__doc__ or '').rstrip()}\n\n    The parameters are those of `to_dicts`.\n"
    return either(method)


class Results:
    """The results of an expression, which a subclass is."""

    @property
    def node(self) -> Node:
        """The structure of the expression."""
        raise NotImplementedError

    @property
    def heading(self) -> Heading:
        """The attributes."""
        return self.node.heading

    @property
    def query(self) -> Query:
        """The expression as something that can be run."""
        raise NotImplementedError

    @either
    def make_sql(self, fields: Sequence[str] | None = None) -> str:
        """Return the SQL that fetches it, with placeholders for its values.

        Parameters
        ----------
        fields
            The attributes to fetch; all by default.
        """
        if fields is not None:
            self.heading.check(fields)
        statement, _ = self.query.statement(tuple(fields) if fields is not None else None)
        return statement.text

    @property
    def parameters(self) -> dict[str, object]:
        """The values for the placeholders of `make_sql`."""
        return parameters(self.query.values)

    # ---- questions ----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.query.count()

    def __bool__(self) -> bool:
        return self.query.exists()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        names = self.heading.names
        return (dict(zip(names, row, strict=True)) for row in self.query.stream())

    @either
    def cursor(self, as_dict: bool = False) -> Iterator[Any]:
        """Iterate over rows in flat memory, as tuples or as dicts."""
        return iter(self) if as_dict else self.query.stream()

    # ---- dicts --------------------------------------------------------------------------------------

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
        return self.query.dicts(None, Page(order_by, limit, offset, squeeze))

    @either
    def keys(
        self, order_by: OrderBy = None, limit: int | None = None, offset: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the primary keys of all rows as dicts."""
        return self.query.dicts(self.heading.primary_key, Page(order_by, limit, offset))

    @either
    def head(self, limit: int = 25) -> list[dict[str, Any]]:
        """Return the first rows by primary key."""
        return self.to_dicts(order_by="KEY", limit=limit)

    @either
    def tail(self, limit: int = 25) -> list[dict[str, Any]]:
        """Return the last rows by primary key, in its order."""
        return self.to_dicts(order_by="KEY DESC", limit=limit)[::-1]

    @either
    def fetch1(self, *attrs: str, squeeze: bool = False) -> Any:
        """Return the one row: as a dict, or the values of the named attributes (``KEY`` for the key).

        Raises
        ------
        DataJointError
            If there is no row, or more than one.
        """
        heading = self.heading
        keyed = heading.primary_key if "KEY" in attrs else ()
        wanted = tuple([name for name in attrs if name != "KEY"]) if keyed else attrs
        heading.check(wanted)
        names = tuple(dict.fromkeys((*wanted, *keyed))) if attrs else heading.names
        rows = self.query.two(names, squeeze=squeeze)
        if len(rows) != 1:
            found = "no row" if not rows else "more than one"
            raise DataJointError(f"fetch1 needs exactly one row, but there is {found} in {self.described()}")
        row = dict(zip(names, rows[0], strict=True))
        if not attrs:
            return row
        found = [{k: row[k] for k in keyed} if name == "KEY" else row[name] for name in attrs]
        return found[0] if len(found) == 1 else tuple(found)

    def described(self) -> str:
        """Return a short text for messages: what it is, and what it is restricted by."""
        return f"a query of {', '.join(sorted(str(table) for table in self.node.tables))}"

    # ---- arrays and frames --------------------------------------------------------------------------

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
        heading = self.heading
        heading.check(attrs)
        keys = heading.primary_key if include_key and attrs else ()
        fetched = tuple(dict.fromkeys((*attrs, *keys))) if attrs else heading.names
        rows = self.query.rows(fetched, Page(order_by, limit, offset, squeeze))
        if not attrs:
            return structured_array(heading, rows)
        found = columns(fetched, rows)
        arrays = tuple([array(heading[name], found[name]) for name in attrs])
        if include_key:
            places = [fetched.index(name) for name in keys]
            return [{k: row[i] for k, i in zip(keys, places, strict=True)} for row in rows], *arrays
        return arrays[0] if len(arrays) == 1 else arrays

    to_pandas = _framing(frames.to_pandas)
    to_polars = _framing(frames.to_polars)
    to_arrow = _framing(frames.to_arrow)

    @either
    def fetch(
        self,
        *attrs: str,
        offset: int | None = None,
        limit: int | None = None,
        order_by: OrderBy = None,
        format: str | None = None,  # noqa: A002 - the reference's name
        as_dict: bool | None = None,
        squeeze: bool = False,
    ) -> Any:
        """Return rows as old code expects them; use `to_dicts`, `to_arrays`, `to_pandas` or `keys` instead.

        Parameters
        ----------
        *attrs
            Attributes, ``KEY`` among them; none for all.
        offset, limit, order_by, squeeze
            As in `to_dicts`.
        format
            ``'frame'`` for a pandas frame.
        as_dict
            Whether rows come as dicts.
        """
        warnings.warn(
            "fetch() is deprecated: use to_dicts(), to_arrays(), to_pandas() or keys()",
            DeprecationWarning,
            stacklevel=2,
        )
        how: dict[str, Any] = {"order_by": order_by, "limit": limit, "offset": offset}
        if format not in (None, "array", "frame"):
            raise DataJointError(f"fetch: format={format!r} must be 'array' or 'frame'")
        if format == "frame":
            if attrs or as_dict is not None:
                raise DataJointError("fetch: format='frame' goes with neither attributes nor as_dict")
            return self.to_pandas(**how, squeeze=squeeze)
        if not attrs:
            form = self.to_dicts if as_dict else self.to_arrays
            return form(**how, squeeze=squeeze)
        if attrs == ("KEY",):
            return self.keys(**how)
        names = [n for attr in attrs for n in (self.heading.primary_key if attr == "KEY" else (attr,))]
        self.heading.check(names)
        if as_dict:
            unique = tuple(dict.fromkeys((*self.heading.primary_key, *names)))
            kept = tuple(name for name in self.heading.names if name in unique)
            return self.query.dicts(kept, Page(order_by, limit, offset, squeeze))
        plain = tuple(attr for attr in attrs if attr != "KEY")
        keys, *arrays = self.to_arrays(*plain, include_key=True, **how, squeeze=squeeze)
        left = iter(arrays)
        found = tuple(keys if attr == "KEY" else next(left) for attr in attrs)
        return found[0] if len(found) == 1 else found

    # ---- previews -----------------------------------------------------------------------------------

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
        rows = self._shown_rows(limit)
        count = self._shown_count(rows, limit)
        return preview_text(
            self.heading, rows[:limit], limit < len(rows), count, width or config["display.width"]
        )

    def _shown_rows(self, limit: int) -> list[Row]:
        """Fetch one row more than are shown; what codecs store stays where it is."""
        names = tuple(a.name for a in self.heading if a.type.codec is None)
        order = None if handed_on(self.node) else "KEY"
        rows = self.query.rows(names, Page(order, limit + 1))
        if len(names) == len(self.heading):
            return rows
        places = {name: place for place, name in enumerate(names)}
        return [
            tuple(row[places[name]] if name in places else ... for name in self.heading.names) for row in rows
        ]

    def _shown_count(self, rows: Sequence[object], limit: int) -> int | None:
        if not config["display.show_tuple_count"]:
            return None
        return len(rows) if len(rows) <= limit else len(self)

    def __repr__(self) -> str:
        return self.preview()

    def _repr_html_(self) -> str:
        limit = config["display.limit"]
        rows = self._shown_rows(limit)
        return preview_html(
            self.heading, rows[:limit], limit < len(rows), self._shown_count(rows, limit), self._title()
        )

    def _title(self) -> str:
        return ""
