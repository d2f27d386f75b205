"""`Schema`: a schema of the database, whose decorator makes classes into its tables."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

from djcli.catalog.graph import Graph
from djcli.catalog.introspect import list_schemas as read_schemas
from djcli.database.connection import Connection
from djcli.definition.model import TableId
from djcli.errors import DataJointError
from djcli.names import Tier, check_identifier, did_you_mean, display_name, split_table_name
from djcli.sql import ddl
from djcli.sql.statement import quoted_name
from djcli.tables import altering
from djcli.tables.consent import confirm, must_ask
from djcli.tables.drop import plan_drop
from djcli.tables.instance import Instance, default_instance
from djcli.tables.table import FreeTable, Table
from djcli.tables.tiers import Part, tier_classes

logger = logging.getLogger("djcli")

T = TypeVar("T", bound=type)


class Schema:
    """A schema of the database; use it as the decorator of table classes.

    Parameters
    ----------
    schema_name
        The name of the schema. Without it the schema is activated later.
    context
        Names for the tables that definitions refer to, besides those of the class's module.
    connection
        The connection to use; the default one otherwise.
    create_schema
        Kept for the reference's sake: the schema is made together with its first table.
    create_tables
        Whether tables are declared on first use; the command line declares with ``djcli apply`` only.
    add_objects
        More names for `context`.
    """

    def __init__(
        self,
        schema_name: str | None = None,
        context: Mapping[str, object] | None = None,
        *,
        connection: Connection | None = None,
        create_schema: bool | None = None,
        create_tables: bool | None = None,
        add_objects: Mapping[str, object] | None = None,
    ) -> None:
        self.context: dict[str, object] = {}
        self.create_schema = create_schema is not False
        self.create_tables = create_tables is not False
        self._name: str | None = None
        self._instance: Instance | None = None
        self._tables: dict[str, type[Table]] = {}
        self._note(context, connection, add_objects)
        if schema_name is not None:
            self.activate(schema_name)

    def _note(
        self,
        context: Mapping[str, object] | None,
        connection: Connection | None,
        add_objects: Mapping[str, object] | None,
    ) -> None:
        self.context |= dict(context or {}) | dict(add_objects or {})
        if connection is not None:
            self._instance = Instance()
            self._instance.connection = connection

    def __repr__(self) -> str:
        return f"Schema({self._name!r})" if self._name else "Schema() (not activated)"

    # ---- activation ---------------------------------------------------------------------------------

    def activate(
        self,
        schema_name: str | None = None,
        *,
        connection: Connection | None = None,
        create_schema: bool | None = None,
        create_tables: bool | None = None,
        add_objects: Mapping[str, object] | None = None,
    ) -> None:
        """Give the schema its name; the parameters are those of the class.

        Raises
        ------
        DataJointError
            If it has another name already.
        """
        if schema_name is None:
            if self._name is None:
                raise DataJointError("activate needs the name of the schema")
            return
        if self._name is not None and self._name != schema_name:
            raise DataJointError(f"the schema is {self._name!r} already, it cannot become {schema_name!r}")
        check_identifier("schema", schema_name)
        self._note(None, connection, add_objects)
        self.create_schema = self.create_schema if create_schema is None else create_schema
        self.create_tables = self.create_tables if create_tables is None else create_tables
        self._name = schema_name
        for cls in self._tables.values():
            self.instance.register(cls, cls.class_id())

    def is_activated(self) -> bool:
        """Whether the schema has its name."""
        return self._name is not None

    @property
    def name(self) -> str:
        """The name of the schema.

        Raises
        ------
        DataJointError
            If it was not activated.
        """
        if self._name is None:
            raise DataJointError("the schema has no name yet: call schema.activate('name') first")
        return self._name

    database = name

    @property
    def instance(self) -> Instance:
        """The database that it is in."""
        return self._instance or default_instance()

    @property
    def connection(self) -> Connection:
        """The connection to the database."""
        return self.instance.connection

    # ---- classes ------------------------------------------------------------------------------------

    def __call__(self, cls: T, *, context: Mapping[str, object] | None = None) -> T:
        """Make a class a table of this schema; its parts come along."""
        if not issubclass(cls, Table):
            raise DataJointError(
                f"@schema needs a table class, and {cls.__name__} is none: derive it from dj.Manual or the like"
            )
        if issubclass(cls, Part):
            raise DataJointError(
                f"{cls.__name__} is a part: nest it in its master's class instead of decorating it"
            )
        self.context |= dict(context or {})
        family: list[type[Table]] = [cls]
        for name, part in list(vars(cls).items()):
            if isinstance(part, type) and issubclass(part, Part):
                if any(isinstance(v, type) and issubclass(v, Part) for v in vars(part).values()):
                    raise DataJointError(
                        f"{cls.__name__}.{name} has a part of its own; a part cannot have parts"
                    )
                part.master = cls
                family.append(part)
        for member in family:
            self._prepare(member)
        for member in family:  # none of them is known before all of them are sound
            self._add(member)
        return cls

    def _prepare(self, cls: type[Table]) -> None:
        cls.schema = self
        if cls.definition is None:
            raise DataJointError(f'class {cls.__qualname__} has no definition: write definition = """…"""')
        cls.parse()

    def _add(self, cls: type[Table]) -> None:
        if self.is_activated():
            self.instance.register(cls, cls.class_id())
        self._tables[cls.class_label] = cls

    @property
    def tables(self) -> list[type[Table]]:
        """The classes of the schema, each master followed by its parts, in the order of declaration."""
        return list(self._tables.values())

    def class_names(self) -> dict[str, object]:
        """Return the classes of this schema, those of namesakes included, by name."""
        found: dict[str, object] = {}
        if self._name is not None:
            for table, cls in self.instance.classes.items():
                if table.schema == self._name and getattr(cls, "master", None) is None:
                    found[cls.__qualname__.rpartition(".")[2]] = cls
        return found | {label: cls for label, cls in self._tables.items() if cls.master is None}

    # ---- the database -------------------------------------------------------------------------------

    def make_classes(self, into: MutableMapping[str, Any], *, module: str = "") -> None:
        """Make a class for each table that the database has and `into` does not name.

        Parameters
        ----------
        into
            The namespace that takes the classes, such as ``globals()``; parts go into their masters' classes.
        module
            The name of the module that the classes are to belong to.
        """
        made: dict[str, type[Table]] = {}
        for table in self._tables_in_database():
            tier, name, master = split_table_name(table.name) or (Tier.HIDDEN, None, None)
            if name is None:
                continue
            if master is None:
                if name not in into:
                    into[name] = self._make_class(tier, name, None, module)
                made[table.name] = into[name]
            elif master in made and name not in vars(made[master]):
                setattr(made[master], name, self._make_class(tier, name, made[master], module))

    def _make_class(self, tier: Tier, name: str, master: type[Table] | None, module: str) -> type[Table]:
        qualname = f"{master.__qualname__}.{name}" if master is not None else name
        base: Any = tier_classes[tier]
        names = {"__module__": module or self.name, "__qualname__": qualname}
        cls: type[Table] = type(base)(name, (base,), names)
        cls.master = master
        cls.schema = self
        self.instance.classes.setdefault(cls.class_id(), cls)
        return cls

    def get_table(self, name: str) -> FreeTable:
        """Return a table of the database by its name.

        Parameters
        ----------
        name
            The name of the table (its tier prefix may be left out), or of its class: ``Session.Trial``.

        Raises
        ------
        DataJointError
            If there is no such table, with near names.
        """
        found = self._find(name)
        if found is None:
            near = did_you_mean(name, [display_name(table.name) for table in self._tables_in_database()])
            raise DataJointError(f"schema {self.name!r} has no table {name!r}{near}")
        return FreeTable(self.connection, quoted_name(found))

    def _find(self, name: str) -> TableId | None:
        for table in self._tables_in_database():
            if name in (table.name, table.name.lstrip("#_"), display_name(table.name)):
                return table
        return None

    @property
    def lineage(self) -> dict[str, str]:
        """The origin of each key and foreign-key attribute, as ``schema.table.attribute``, by its own such name."""
        catalog = self.instance.fresh_catalog(self.name)
        return {
            f"{table.schema}.{table.name}.{attribute.name}": attribute.lineage
            for table, model in catalog.pipeline_tables.items()
            for attribute in model
            if attribute.lineage is not None
        }

    def rebuild_lineage(self) -> None:
        """Write the lineage table anew from the foreign keys; djcli itself never reads it."""
        models = self.instance.fresh_catalog(self.name).pipeline_tables.values()
        if models:
            self.connection.execute(ddl.script(ddl.lineage_statements(models)))

    @property
    def exists(self) -> bool:
        """Whether the database has the schema."""
        return self.name in read_schemas(self.connection)

    def list_tables(self) -> list[str]:
        """Return the names of the schema's tables in the database, parents first."""
        return [table.name for table in self._tables_in_database()]

    def _tables_in_database(self) -> list[TableId]:
        catalog = self.instance.fresh_catalog(self.name)
        own = [table for table in catalog.pipeline_tables if table.schema == self.name]
        return list(catalog.graph.topological_order(own))

    def alter(self, prompt: bool | None = None) -> object:
        """Make the schema's tables in the database what their classes declare; see `Table.alter`."""
        return altering.alter(self.instance, self.tables, prompt)

    def __iter__(self) -> Iterator[FreeTable]:
        return (FreeTable(self.connection, quoted_name(table)) for table in self._tables_in_database())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name) is not None

    def drop(self, prompt: bool | None = None) -> None:
        """Drop the schema with all of its tables.

        Parameters
        ----------
        prompt
            Whether to show what goes and ask; by default the setting ``safemode``.

        Raises
        ------
        DataJointError
            If tables of other schemas depend on them.
        """
        if not self.exists:
            logger.info("schema %r does not exist; nothing to drop", self.name)
            return
        plan = plan_drop(self.instance, self._tables_in_database())
        foreign = sorted(str(table) for table in plan.rows if table.schema != self.name)
        if foreign:
            raise DataJointError(f"schema {self.name!r} cannot be dropped: {', '.join(foreign)} depend on it")
        if must_ask(prompt):
            lines = [f"{rows:>8} rows of {name}" for name, rows in plan.rows.items()]
            if not confirm(f"about to drop schema {self.name!r}:\n" + "\n".join(lines), "drop it?"):
                logger.info("dropped nothing")
                return
        self.connection.execute(ddl.drop_schema(self.name, cascade=True))
        self.instance.forget()

    # ---- diagrams -----------------------------------------------------------------------------------

    def diagram_graph(self) -> Graph:
        """Return the graph of all tables known to this database's classes; without any here, of its tables too."""
        models = {table: cls.class_model() for table, cls in self.instance.classes.items()}
        if not self._tables:
            models = dict(self.instance.fresh_catalog(self.name).tables) | models
        return Graph(models.values())

    def diagram_nodes(self) -> list[TableId]:
        """Return the tables of the schema: of its classes, or of the database where it has no classes."""
        return [cls.class_id() for cls in self._tables.values()] or self._tables_in_database()

    def diagram_titles(self) -> MutableMapping[str, str]:
        """Return no names for schemas beyond their own."""
        return {}


def list_schemas(connection: Connection | None = None) -> list[str]:
    """Return the names of all schemas in the database.

    Parameters
    ----------
    connection
        The connection to ask; the default one otherwise.
    """
    return list(read_schemas(connection or default_instance().connection))
