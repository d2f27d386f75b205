"""Attribute types: the core types, the native ones PostgreSQL offers, and codecs.

`AttributeType` is what a definition's type text means. The table of types is that of the physical schema.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AttributeType:
    """The type of an attribute.

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
