"""`VirtualModule`: a module whose classes are made out of the database."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from djcli.database.connection import Connection
from djcli.errors import DataJointError
from djcli.tables.schema import Schema


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
        self.schema.make_classes(self.__dict__, module=self.__name__)
        self.__dict__["_loaded"] = True


def virtual_schema(
    schema_name: str,
    *,
    connection: Connection | None = None,
    add_objects: Mapping[str, object] | None = None,
) -> VirtualModule:
    """Return a module whose classes stand for the tables of a schema; see `VirtualModule`."""
    return VirtualModule(schema_name, schema_name, connection=connection, add_objects=add_objects)
