"""Classes made out of the database: `FreeTable`, `VirtualModule`, and `make_classes`."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from types import ModuleType
from typing import Any

from djcli.database.connection import Connection
from djcli.definition.model import TableId, TableModel
from djcli.errors import DataJointError
from djcli.names import Tier, display_name, split_table_name
from djcli.tables.instance import Instance
from djcli.tables.schema import Schema
from djcli.tables.table import Table
from djcli.tables.tiers import tier_classes

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


def _unquoted(name: str) -> str:
    name = name.strip()
    return name[1:-1].replace('""', '"') if name[0] in '"`' else name


def make_classes(schema: Schema, into: MutableMapping[str, Any], module: str = "") -> None:
    """Make a class for each table of a schema that the database has and `into` does not name.

    Parameters
    ----------
    schema
        The schema.
    into
        The namespace that takes the classes, such as ``globals()``; parts go into their masters' classes.
    module
        The name of the module that the classes are to belong to.
    """
    catalog = schema.instance.fresh_catalog(schema.name)
    own = [table for table in catalog.pipeline_tables if table.schema == schema.name]
    made: dict[str, type[Table]] = {}
    for table in catalog.graph.topological_order(own):
        parts = split_table_name(table.name)
        if parts is None or parts[1] is None or parts[0] is Tier.PART:
            continue
        if parts[1] not in into:
            into[parts[1]] = _make_class(schema, parts[0], parts[1], None, module)
        made[table.name] = into[parts[1]]
    for table in own:
        parts = split_table_name(table.name)
        if parts is None or parts[1] is None or parts[2] is None or parts[2] not in made:
            continue
        master = made[parts[2]]
        if parts[1] not in vars(master):
            setattr(master, parts[1], _make_class(schema, Tier.PART, parts[1], master, module))


def _make_class(
    schema: Schema, tier: Tier, name: str, master: type[Table] | None, module: str
) -> type[Table]:
    qualname = f"{master.__qualname__}.{name}" if master is not None else name
    names = {"__module__": module or schema.name, "__qualname__": qualname, "__doc__": None}
    cls: type[Table] = type(tier_classes[tier])(name, (tier_classes[tier],), names)
    cls.master = master
    schema.adopt(cls)
    return cls


class VirtualModule(ModuleType):
    """A module whose classes stand for the tables of a schema; the database is asked on first access.

    Parameters
    ----------
    module_name
        The name of the module.
    schema_name
        The schema.
    connection
        The connection to use; the default one otherwise.
    create_schema, create_tables
        Kept for the reference's sake: nothing is created through a virtual module.
    add_objects
        More names for the module.
    """

    def __init__(
        self,
        module_name: str,
        schema_name: str,
        *,
        connection: Connection | None = None,
        create_schema: bool = False,  # noqa: ARG002 - the reference's signature
        create_tables: bool = False,  # noqa: ARG002 - the reference's signature
        add_objects: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(module_name, f"The tables of schema {schema_name}.")
        self.schema = Schema(schema_name, connection=connection, create_tables=False)
        self.__dict__.update(add_objects or {})
        self.__dict__["_loaded"] = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__dict__.get("_loaded", True):
            raise AttributeError(f"virtual module {self.__name__!r} has no table {name!r}")
        self._load()
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        if not self.__dict__["_loaded"]:
            self._load()
        return sorted(self.__dict__)

    def _load(self) -> None:
        if not self.schema.exists:
            raise DataJointError(f"schema {self.schema.name!r} does not exist in the database")
        make_classes(self.schema, self.__dict__, self.__name__)
        self.__dict__["_loaded"] = True


def virtual_schema(
    schema_name: str,
    *,
    connection: Connection | None = None,
    add_objects: Mapping[str, object] | None = None,
) -> VirtualModule:
    """Return a module whose classes stand for the tables of a schema; see `VirtualModule`."""
    return VirtualModule(schema_name, schema_name, connection=connection, add_objects=add_objects)
