"""`DefinedTable`: a table's class and its definition, read, resolved and named."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from djcli.algebra import nodes
from djcli.algebra.relation import Node
from djcli.definition.grammar import parse_definition
from djcli.definition.model import TableId, TableModel
from djcli.definition.resolve import JOB_METADATA, resolve
from djcli.definition.specs import ParsedTable
from djcli.definition.types import native_warning
from djcli.errors import DataJointError, DefinitionError
from djcli.names import Tier, check_identifier, did_you_mean, table_name
from djcli.settings import config
from djcli.sql.statement import quoted_name
from djcli.tables.expression import QueryExpression
from djcli.tables.instance import Instance
from djcli.tables.meta import TableMeta

if TYPE_CHECKING:
    from djcli.tables.schema import Schema

logger = logging.getLogger("djcli")


class DefinedTable(QueryExpression, metaclass=TableMeta):
    """A table as its class defines it.

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
    _cached_id: ClassVar[TableId | None] = None
    _cached_model: ClassVar[TableModel | None] = None

    def __init__(self) -> None:
        self._node = None
        self._values = ()
        self._unmatched = ()

    # ---- structure ----------------------------------------------------------------------------------

    @property
    def instance(self) -> Instance:
        """The database it is in."""
        schema = type(self).schema
        return (type(self).bound_schema() if schema is None else schema).instance  # pyright: ignore[reportUnnecessaryComparison] - until the decorator ran

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
        known = cls.__dict__.get("_cached_id")
        schema = cls.bound_schema().name
        if known is None or known.schema != schema:
            master = cls.master.class_id().name if cls.master is not None else None
            known = TableId(schema, table_name(cls.tier, cls.__name__, master))
            check_identifier("table", known.name)
            cls._cached_id = known
        return known

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
        if cls.tier.is_auto and config["jobs.add_job_metadata"]:
            model = replace(model, hidden=(*model.hidden, *JOB_METADATA))
        for attribute in model.attributes:
            advice = None if attribute.inherited else native_warning(attribute.type)
            if advice is not None:
                logger.warning("%s: attribute %r: %s", model.id, attribute.name, advice)
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
        other: object = None  # a namesake that is no table
        for names in (schema.context, vars(module) if module else {}, schema.class_names()):
            found = _follow(names, text)
            if isinstance(found, TableMeta):
                return found
            other = other if found is None else found
        return other


def _follow(names: Mapping[str, object], text: str) -> object:
    """Follow a dotted name; None where it leads nowhere."""
    first, *rest = text.split(".")
    found = names.get(first)
    for name in rest:
        found = getattr(found, name, None)
    return found
