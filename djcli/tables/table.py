"""`Table`: the base of all tables; its class and its instances can be used alike."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from djcli.algebra import nodes
from djcli.algebra.heading import Heading
from djcli.algebra.relation import Node
from djcli.algebra.restriction import Values
from djcli.catalog.graph import Graph
from djcli.definition.grammar import ParsedTable, parse_definition
from djcli.definition.model import TableId, TableModel
from djcli.definition.render import render
from djcli.definition.resolve import resolve
from djcli.errors import DataJointError, DefinitionError
from djcli.names import Tier, check_identifier, did_you_mean, table_name
from djcli.sql.insert import OnDuplicate
from djcli.sql.statement import quoted_name
from djcli.tables import delete as deleting
from djcli.tables import drop as dropping
from djcli.tables.binding import either
from djcli.tables.declare import declare, ensure
from djcli.tables.expression import QueryExpression
from djcli.tables.insert import insert, making
from djcli.tables.instance import Instance

if TYPE_CHECKING:
    from djcli.tables.schema import Schema


class TableMeta(type):
    """Makes a table's class stand for its instance: operators and properties work on both."""

    @property
    def node(cls) -> Node:
        """The structure of the expression that is the whole table."""
        return cls._new().node

    @property
    def values(cls) -> Values:
        """No values: the table is unrestricted."""
        return ()

    @property
    def heading(cls) -> Heading:
        """The attributes."""
        return cls._new().heading

    @property
    def primary_key(cls) -> list[str]:
        """The names of the primary key's attributes."""
        return cls._new().primary_key

    @property
    def instance(cls) -> Instance:
        """The database."""
        return cls._new().instance

    @property
    def connection(cls) -> Any:
        """The connection to the database."""
        return cls._new().connection

    @property
    def model(cls) -> TableModel:
        """The table as the class defines it, or as the database has it where there is no definition."""
        return cast("type[Table]", cls).class_model()

    @property
    def table_name(cls) -> str:
        """The name of the table in its schema."""
        return cls._new().table_name

    @property
    def full_table_name(cls) -> str:
        """The quoted name of the table, with its schema."""
        return cls._new().full_table_name

    @property
    def is_declared(cls) -> bool:
        """Whether the database has the table."""
        return cls._new().is_declared

    @property
    def class_label(cls) -> str:
        """The name as one writes it in Python: ``Session.Trial``."""
        return cast("type[Table]", cls).label_of_class()

    @property
    def key_source(cls) -> Any:
        """What is to be computed; Computed and Imported tables have it."""
        return cls._new().key_source

    def _new(cls) -> Any:
        return cls()

    def __and__(cls, other: object) -> Any:
        return cls() & other

    def __sub__(cls, other: object) -> Any:
        return cls() - other

    def __mul__(cls, other: object) -> Any:
        return cls() * other

    def __add__(cls, other: object) -> Any:
        return cls() + other

    def __iter__(cls) -> Any:
        return iter(cls())

    def __contains__(cls, item: object) -> bool:
        return item in cls()


class Table(QueryExpression, metaclass=TableMeta):
    """A table of the database.

    Attributes
    ----------
    definition
        The definition's text; None for a table whose definition is in the database.
    contents
        Rows that the table holds from the start; for lookup tables.
    tier
        The tier of the class.
    """

    definition: ClassVar[str | None] = None
    contents: Any = ()
    tier: ClassVar[Tier] = Tier.MANUAL
    master: ClassVar[Any] = None
    schema: ClassVar[Schema] = None  # pyright: ignore[reportAssignmentType] - set by the schema's decorator
    _parsed: ClassVar[ParsedTable | None] = None
    _cached_model: ClassVar[TableModel | None] = None

    def __init__(self) -> None:
        self._node = None
        self._values = ()
        self._unmatched = ()

    # ---- structure ----------------------------------------------------------------------------------

    @property
    def instance(self) -> Instance:
        """The database it is in."""
        return type(self).bound_schema().instance

    @property
    def node(self) -> Node:
        """The structure of the expression."""
        return nodes.base(self.model) if self._node is None else self._node

    @property
    def model(self) -> TableModel:
        """The table as the class defines it, or as the database has it where there is no definition."""
        return type(self).class_model()

    @property
    def table_name(self) -> str:
        """The name of the table in its schema."""
        return self.id.name

    @property
    def database(self) -> str:
        """The name of the schema."""
        return self.id.schema

    @property
    def full_table_name(self) -> str:
        """The quoted name of the table, with its schema."""
        return quoted_name(self.id)

    @property
    def id(self) -> TableId:
        """Schema and name."""
        return type(self).class_id()

    @property
    def class_name(self) -> str:
        """The name of the class."""
        return type(self).__name__

    @property
    def class_label(self) -> str:
        """The name as one writes it in Python: ``Session.Trial``."""
        return type(self).label_of_class()

    @property
    def is_declared(self) -> bool:
        """Whether the database has the table."""
        return self.id in self.instance.fresh_catalog(self.id.schema).tables

    @classmethod
    def bound_schema(cls) -> Schema:
        """Return the schema of the class.

        Raises
        ------
        DataJointError
            If it has none yet, because its decorator or its activation is missing.
        """
        if cls.schema is None:  # pyright: ignore[reportUnnecessaryComparison] - until the decorator ran
            raise DataJointError(f"class {cls.__qualname__} belongs to no schema: put @schema above it")
        return cls.schema

    @classmethod
    def label_of_class(cls) -> str:
        """Return the name as one writes it in Python."""
        return f"{cls.master.__name__}.{cls.__name__}" if cls.master is not None else cls.__name__

    @classmethod
    def class_id(cls) -> TableId:
        """Return schema and name of the table in the database."""
        master = cls.master.class_id().name if cls.master is not None else None
        table = TableId(cls.bound_schema().name, table_name(cls.tier, cls.__name__, master))
        check_identifier("table", table.name)
        return table

    @classmethod
    def may_declare(cls) -> bool:
        """Whether it has a definition, and its schema allows declaring on first use."""
        return cls.definition is not None and cls.bound_schema().create_tables

    @classmethod
    def rows_to_hold(cls) -> Iterable[object]:
        """Return the contents of a lookup table; nothing for any other."""
        return cls().contents if cls.tier is Tier.LOOKUP else ()

    @classmethod
    def parse(cls) -> None:
        """Read the definition, so that a mistake in it is known at once.

        Raises
        ------
        DefinitionError
            With line and column.
        """
        if cls.definition is None:
            return
        if not isinstance(cls.definition, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise DataJointError(
                f"{cls.__qualname__}.definition must be text, not {type(cls.definition).__name__}"
            )
        try:
            cls._parsed = parse_definition(cls.definition)
        except DefinitionError as error:
            raise error.with_table(cls.class_label) from None

    @classmethod
    def class_model(cls) -> TableModel:
        """Return the model; see the property `model`."""
        if "_cached_model" not in cls.__dict__:
            cls._cached_model = cls._resolve() if cls._parsed is not None else cls._model_in_database()
        assert cls._cached_model is not None
        return cls._cached_model

    @classmethod
    def _resolve(cls) -> TableModel:
        assert cls._parsed is not None
        try:
            model = resolve(cls._parsed, cls.class_id(), cls.find_parent)
        except DefinitionError as error:
            raise (error if error.table else error.with_table(cls.class_label)) from error.__cause__
        return cls.check_model(model)

    @classmethod
    def check_model(cls, model: TableModel) -> TableModel:
        """Refuse a model that the tier does not allow; tiers extend it."""
        return model

    @classmethod
    def _model_in_database(cls) -> TableModel:
        table = cls.class_id()
        return cls.bound_schema().instance.model(table)

    @classmethod
    def find_parent(cls, text: str) -> TableModel:
        """Return the model of a table that the definition refers to.

        Parameters
        ----------
        text
            ``Parent``, ``Master.Part``, ``module.Parent``, or ``master`` in a part.

        Raises
        ------
        DataJointError
            If there is no such table, with near names.
        """
        if text == "master" and cls.master is not None:
            return cls.master.model
        found = cls._lookup(text)
        if not isinstance(found, TableMeta):
            if found is not None:
                raise DataJointError(f"{text} is a {type(found).__name__}, not a table")
            known = [other.class_label for other in cls.bound_schema().tables]
            raise DataJointError(
                f"there is no table {text!r}{did_you_mean(text, known)}; a table of another module is "
                f"written module.Table, and its module imported"
            )
        return found.model

    @classmethod
    def _lookup(cls, text: str) -> object:
        schema = cls.bound_schema()
        module = sys.modules.get(cls.__module__)
        for names in (schema.context, vars(module) if module else {}, schema.class_names()):
            found = _follow(names, text)
            if found is not None:
                return found
        return None

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
        transaction: bool = True,
        prompt: bool | None = None,
        part_integrity: str = "enforce",
    ) -> int:
        """Delete the rows and all that depend on them.

        Parameters
        ----------
        transaction
            False joins the transaction that is open.
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
        return deleting.delete(self, prompt=prompt, part_integrity=part_integrity, transaction=transaction)

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


def _follow(names: Mapping[str, object], text: str) -> object:
    """Follow a dotted name; None where it leads nowhere."""
    first, *rest = text.split(".")
    found = names.get(first)
    for name in rest:
        found = getattr(found, name, None)
    return found
