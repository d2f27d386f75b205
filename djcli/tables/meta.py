"""`TableMeta`: makes a table's class stand for its instance."""

from __future__ import annotations

from typing import Any

from djcli.algebra.heading import Heading
from djcli.algebra.relation import Node
from djcli.algebra.restriction import Expression, Values
from djcli.definition.model import TableModel
from djcli.tables.instance import Instance


class TableMeta(type, Expression):
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
        return cls._new().model

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
        return cls._new().class_label

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

    def __neg__(cls) -> Any:
        return -cls()

    def __mul__(cls, other: object) -> Any:
        return cls() * other

    def __add__(cls, other: object) -> Any:
        return cls() + other

    def __iter__(cls) -> Any:
        return iter(cls())

    def __contains__(cls, item: object) -> bool:
        return item in cls()
