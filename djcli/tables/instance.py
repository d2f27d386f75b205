"""`Instance`: one database and the table classes that live in it, and the default one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from djcli.algebra.relation import Node
from djcli.catalog.introspect import load
from djcli.catalog.snapshot import Catalog
from djcli.database.connection import Connection
from djcli.definition.model import TableId, TableModel
from djcli.errors import DataJointError, MissingTableError
from djcli.names import did_you_mean
from djcli.settings import DatabaseTarget, database_target
from djcli.sql.statement import Statement
from djcli.tables.enums import EnumNames


class TableClass(Protocol):
    """What is asked of a table's class by those that know no more of it."""

    __module__: str
    __qualname__: str

    def class_model(self) -> TableModel:
        """Return the table as the class defines it."""
        ...

    def may_declare(self) -> bool:
        """Whether its schema lets it be declared on first use."""
        ...

    def rows_to_hold(self) -> Iterable[object]:
        """Return the contents of a lookup table; nothing for any other."""
        ...


class Interceptor(Protocol):
    """Whoever stands between tables and the database while a populate runs.

    It answers queries and takes rows to be inserted in its own time, so that the outcome is the same.
    """

    def read(
        self, node: Node, statement: Statement, values: tuple[object, ...], limits: Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a query, whose slots have these values and whose limit, if any, these."""
        ...

    def write(self, model: TableModel, names: tuple[str, ...], rows: list[tuple[object, ...]]) -> bool:
        """Take encoded rows of the named attributes to be inserted; False to have them inserted at once."""
        ...


class Instance:
    """A database, its connection, and the classes declared for its tables.

    Parameters
    ----------
    target
        Which database; worked out from the settings on first use by default.
    create_tables
        Whether a table that is used but missing is declared on the spot, as scripts and notebooks
        expect. The command line never declares by surprise.

    Attributes
    ----------
    modules
        The names of the pipeline modules that were loaded for it; worker processes import them too.
    """

    def __init__(self, target: DatabaseTarget | None = None, *, create_tables: bool = True) -> None:
        self.create_tables = create_tables
        self.modules: tuple[str, ...] = ()
        self.classes: dict[TableId, TableClass] = {}
        self.interceptor: Interceptor | None = None
        self._target = target
        self._connection: Connection | None = None
        self._enums: EnumNames | None = None
        self.known: set[TableId] = set()
        self.unsure: set[TableId] = set()
        self._catalogs: dict[str, Catalog] = {}

    @property
    def connection(self) -> Connection:
        """The connection; making this object opens nothing."""
        if self._connection is None:
            self._take(Connection(self._target or database_target()))
        assert self._connection is not None
        return self._connection

    @connection.setter
    def connection(self, connection: Connection) -> None:
        self._take(connection)
        self.forget()

    def _take(self, connection: Connection) -> None:
        self._connection = connection
        self._enums = connection.rewrite = EnumNames(connection, self)

    def known_models(self) -> list[TableModel]:
        """Return the tables of those classes that were used, and of all schemas that were read."""
        found = (getattr(cls, "_cached_model", None) for cls in self.classes.values())
        models = [model for model in found if isinstance(model, TableModel)]
        return models + [model for catalog in self._catalogs.values() for model in catalog.tables.values()]

    def forget(self) -> None:
        """Forget what is known of the database, because it may have changed."""
        self.known.clear()
        self._forget_schemas()

    def note_declared(self, tables: Iterable[TableId]) -> None:
        """Note that tables were declared: what was read of schemas is out of date; `note_there` comes next."""
        if self.connection.in_transaction:
            self.unsure.update(tables)  # it may be rolled back yet
        self._forget_schemas()

    def note_there(self, tables: Iterable[TableId]) -> None:
        """Note that the database has tables; not of those that were declared in a transaction that is still open."""
        if self.unsure and not self.connection.in_transaction:
            self.unsure.clear()
        self.known.update(tables if not self.unsure else set(tables) - self.unsure)

    def _forget_schemas(self) -> None:
        self._catalogs.clear()
        if self._enums is not None:
            self._enums.forget()

    def catalog(self, schema: str) -> Catalog:
        """Return what the database says of a schema, read once."""
        if schema not in self._catalogs:
            self._catalogs[schema] = load(self.connection, [schema])
        return self._catalogs[schema]

    def fresh_catalog(self, schema: str) -> Catalog:
        """Return what the database says of a schema now."""
        self._catalogs.pop(schema, None)
        return self.catalog(schema)

    def model(self, table: TableId) -> TableModel:
        """Return a table as the database has it.

        Raises
        ------
        MissingTableError
            If it has not.
        """
        model = self.catalog(table.schema).tables.get(table)
        if model is None:
            known = [name.name for name in self.catalog(table.schema).tables if name.schema == table.schema]
            near = did_you_mean(table.name, known)
            raise MissingTableError(f"there is no table {table.name!r} in schema {table.schema!r}{near}")
        return model

    def register(self, cls: TableClass, table: TableId) -> None:
        """Note the class of a table.

        Raises
        ------
        DataJointError
            If another class has the table already. A class of the same name in the same module is a
            new edition of the old one, as in a notebook cell that runs twice.
        """
        other = self.classes.get(table)
        if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise DataJointError(
                f"two classes for the table {table}: {other.__module__}.{other.__qualname__} "
                f"and {cls.__module__}.{cls.__qualname__}; rename one of them"
            )
        self.classes[table] = cls


_default: Instance | None = None


def default_instance() -> Instance:
    """Return the instance that `conn` and every schema without a connection of its own use."""
    global _default
    if _default is None:
        _default = Instance()
    return _default


def use_instance(instance: Instance | None) -> None:
    """Replace the default instance; None means a new one at the next use."""
    global _default
    _default = instance


def conn() -> Connection:
    """Return the default connection."""
    return default_instance().connection
