"""One attribute: its type, its default, and what it is in its table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True, eq=False)
class AttributeType:
    """The type of an attribute.

    Two types are equal when they mean the same: a native type equals the core type of the same column,
    and neither the name of an enum's type in the database nor its schema counts.

    Attributes
    ----------
    name
        The kind: ``int8 int16 int32 int64 float32 float64 decimal bool char varchar date datetime uuid
        json bytes enum codec``, or ``native``.
    text
        The canonical text of the type as one writes it in a definition: ``varchar(16)``,
        ``enum('a','b')``, ``<blob>``, ``text``. Two texts of one meaning are the same text.
    column
        The PostgreSQL type as ``format_type`` prints it (``character varying(16)``,
        ``timestamp(3) without time zone``); for an enum the bare name of its type (``enum_1a2b3c4d``).
    args
        Lengths and precisions, such as ``(16,)`` or ``(5, 2)``.
    labels
        The labels of an enum, in declared order.
    codec
        The name of the codec and, after ``@``, its store; None for plain types.
    is_identity
        Whether the database numbers the rows (``auto_increment``, ``serial``).
    enum_schema
        The schema that holds the enum's type: the one that first declared it.
    """

    name: str
    text: str
    column: str
    args: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    codec: str | None = None
    is_identity: bool = False
    enum_schema: str | None = None

    @property
    def is_core(self) -> bool:
        """Whether the column's comment carries the type (``:float32:…``)."""
        return self.name != "native"

    @property
    def is_enum(self) -> bool:
        """Whether it is an enum."""
        return self.name == "enum"

    @property
    def meaning(self) -> tuple[str, str, bool]:
        """What two equal types have in common: core text, column where that matters, identity."""
        if self.name == "native":
            return core_of_column(self.column) or "", self.column, self.is_identity
        return self.text, "" if self.name == "enum" else self.column, self.is_identity

    def __eq__(self, other: object) -> bool:
        """Whether both mean the same."""
        if not isinstance(other, AttributeType):
            return NotImplemented
        return self.meaning == other.meaning

    def __hash__(self) -> int:
        """Go by the meaning, as equality does."""
        return hash(self.meaning)


@dataclass(frozen=True, slots=True)
class Default:
    """A default value.

    Attributes
    ----------
    value
        The literal's text without quotes (``'5'``, ``'true'``, ``'left'``), or the expression's text.
    is_expression
        True for ``CURRENT_TIMESTAMP`` and its kin, which go into SQL unquoted.
    """

    value: str
    is_expression: bool = False


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a table.

    Attributes
    ----------
    name
        The name of the column.
    type
        What it holds.
    in_key
        Whether it belongs to the primary key.
    nullable
        Whether it may be NULL, which is so exactly when its default is null.
    default
        The default, or None when there is none (a nullable attribute has none).
    comment
        The text after ``#``.
    lineage
        ``schema.table.attribute`` of its origin; None for a secondary attribute of no foreign key.
    inherited
        Whether a foreign key brought it, so that its type and comment are the parent's.
    """

    name: str
    type: AttributeType
    in_key: bool = False
    nullable: bool = False
    default: Default | None = None
    comment: str = ""
    lineage: str | None = None
    inherited: bool = False

    @property
    def has_default(self) -> bool:
        """Whether an insert may leave it out."""
        return self.nullable or self.default is not None or self.type.is_identity


CORE_COLUMNS = {
    "int8": "smallint",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "float32": "real",
    "float64": "double precision",
    "bool": "boolean",
    "date": "date",
    "datetime": "timestamp without time zone",
    "uuid": "uuid",
    "json": "jsonb",
    "bytes": "bytea",
}
"""The columns of the core types without arguments."""

_CORE_OF_PLAIN = {column: name for name, column in CORE_COLUMNS.items()}  # smallint ends as int16
_CORE_OF_SIZED = (
    (re.compile(r"character\((\d+)\)"), "char({})"),
    (re.compile(r"character varying\((\d+)\)"), "varchar({})"),
    (re.compile(r"numeric\((\d+),(\d+)\)"), "decimal({},{})"),
    (re.compile(r"timestamp\((\d)\) without time zone"), "datetime({})"),
)


@lru_cache(maxsize=4096)
def core_of_column(column: str) -> str | None:
    """Return the core type that a column of this PostgreSQL type is taken for, or None."""
    if column in _CORE_OF_PLAIN:
        return _CORE_OF_PLAIN[column]
    for pattern, core in _CORE_OF_SIZED:
        match = pattern.fullmatch(column)
        if match:
            return core.format(*match.groups())
    return None
