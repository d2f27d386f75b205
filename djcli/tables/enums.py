"""Enum types by their real names: a schema that another system declared names them otherwise than we do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from psycopg import sql

from djcli.database.connection import Connection
from djcli.definition.model import TableModel

_NAME = re.compile(r'"((?:[^"]|"")+)"\."(enum_[0-9a-f]{8})"')
_TYPES = sql.SQL(
    "SELECT n.nspname, t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) "
    "FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid "
    "JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace "
    "WHERE n.nspname = ANY (%(schemas)s) GROUP BY 1, 2 ORDER BY 1, 2"
)


class Models(Protocol):
    """Whoever knows the tables in play."""

    def known_models(self) -> Iterable[TableModel]:
        """Return the models of all classes, as far as they are resolved."""
        ...


class EnumNames:
    """Puts the real names of enum types into compiled statements.

    Parameters
    ----------
    connection
        The connection whose database has the types.
    models
        Whoever knows the labels of the types that statements name.
    """

    def __init__(self, connection: Connection, models: Models) -> None:
        self._connection = connection
        self._models = models
        self._real: dict[str, str] = {}

    def forget(self) -> None:
        """Forget the names, because tables may have changed."""
        self._real.clear()

    def __call__(self, text: str) -> str:
        """Return a statement with real names; those of types that are not there stay."""
        if '"enum_' not in text:
            return text
        if any(match[0] not in self._real for match in _NAME.finditer(text)):
            self._learn({match[1].replace('""', '"').replace("%%", "%") for match in _NAME.finditer(text)})
        return _NAME.sub(lambda match: self._real.setdefault(match[0], match[0]), text)

    def _learn(self, schemas: Iterable[str]) -> None:
        wanted = sorted(schemas)
        rows = self._connection.rows(_TYPES, {"schemas": wanted})
        by_labels: dict[tuple[str, tuple[str, ...]], str] = {}
        present: set[tuple[str, str]] = set()
        for schema, name, labels in rows:
            present.add((schema, name))
            by_labels.setdefault((schema, tuple(labels)), name)
            by_labels.setdefault((schema, tuple(sorted(labels))), name)
        for model in self._models.known_models():
            for kind in (attribute.type for attribute in model if attribute.type.is_enum):
                schema = kind.enum_schema or model.id.schema
                if schema not in wanted or (schema, kind.column) in present:
                    continue
                real = by_labels.get((schema, kind.labels)) or by_labels.get(
                    (schema, tuple(sorted(kind.labels)))
                )
                if real is not None:
                    self._real[_quoted(schema, kind.column)] = _quoted(schema, real)


def _quoted(schema: str, name: str) -> str:
    return sql.Identifier(schema.replace("%", "%%"), name).as_string()
