"""djcli: computational data pipelines on PostgreSQL.

``import djcli as dj`` gives the names that a DataJoint 2 pipeline module uses. A name is imported when it
is first asked for, so that the command line starts fast.
"""

from __future__ import annotations

from djcli.version import __version__

TYPE_CHECKING = False  # importing typing would double the time of `djcli --version`
if TYPE_CHECKING:
    from typing import Any

    from djcli import errors
    from djcli.algebra.restriction import AndList
    from djcli.algebra.restriction import Negation as Not
    from djcli.codecs.base import Codec, SchemaCodec
    from djcli.codecs.matlab import MatCell, MatStruct
    from djcli.codecs.registry import get_codec, list_codecs
    from djcli.database.connection import Connection
    from djcli.diagram.diagram import Diagram
    from djcli.errors import DataJointError, ThreadSafetyError
    from djcli.log import logger
    from djcli.populate.auto import AutoPopulate, Computed, Imported
    from djcli.settings import config
    from djcli.tables.expression import Top
    from djcli.tables.instance import Instance, conn
    from djcli.tables.schema import Schema, list_schemas
    from djcli.tables.table import FreeTable, Table
    from djcli.tables.tiers import Lookup, Manual, Part
    from djcli.tables.universal import U
    from djcli.tables.validate import ValidationResult
    from djcli.tables.virtual import VirtualModule, virtual_schema

_HOMES = {
    "AndList": "djcli.algebra.restriction",
    "AutoPopulate": "djcli.populate.auto",
    "Codec": "djcli.codecs.base",
    "Computed": "djcli.populate.auto",
    "Connection": "djcli.database.connection",
    "DataJointError": "djcli.errors",
    "Diagram": "djcli.diagram.diagram",
    "FreeTable": "djcli.tables.table",
    "Imported": "djcli.populate.auto",
    "Instance": "djcli.tables.instance",
    "Lookup": "djcli.tables.tiers",
    "Manual": "djcli.tables.tiers",
    "MatCell": "djcli.codecs.matlab",
    "MatStruct": "djcli.codecs.matlab",
    "Not": "djcli.algebra.restriction:Negation",
    "Part": "djcli.tables.tiers",
    "Schema": "djcli.tables.schema",
    "SchemaCodec": "djcli.codecs.base",
    "Table": "djcli.tables.table",
    "ThreadSafetyError": "djcli.errors",
    "Top": "djcli.tables.expression",
    "U": "djcli.tables.universal",
    "ValidationResult": "djcli.tables.validate",
    "VirtualModule": "djcli.tables.virtual",
    "config": "djcli.settings",
    "conn": "djcli.tables.instance",
    "errors": "djcli.errors:*",
    "get_codec": "djcli.codecs.registry",
    "list_codecs": "djcli.codecs.registry",
    "list_schemas": "djcli.tables.schema",
    "logger": "djcli.log",
    "virtual_schema": "djcli.tables.virtual",
}

__all__ = [
    "AndList",
    "AutoPopulate",
    "Codec",
    "Computed",
    "Connection",
    "DataJointError",
    "Diagram",
    "FreeTable",
    "Imported",
    "Instance",
    "Lookup",
    "Manual",
    "MatCell",
    "MatStruct",
    "Not",
    "Part",
    "Schema",
    "SchemaCodec",
    "Table",
    "ThreadSafetyError",
    "Top",
    "U",
    "ValidationResult",
    "VirtualModule",
    "__version__",
    "config",
    "conn",
    "errors",
    "get_codec",
    "list_codecs",
    "list_schemas",
    "logger",
    "virtual_schema",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module  # for start-up time

    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'djcli' has no attribute {name!r}")
    module, _, attribute = home.partition(":")
    found = import_module(module)
    value = found if attribute == "*" else getattr(found, attribute or name)
    if name == "Schema":
        # The planner takes a tenth of a second to import: Table.alter() loads it when it is called.
        provide = import_module("djcli.tables.altering").provide
        provide(lambda: import_module("djcli.migration.alter").alter_tables)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
