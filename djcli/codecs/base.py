"""The base class of codecs: what a subclass says, and that saying it registers the codec."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from djcli.errors import DataJointError

registered: dict[str, Codec] = {}
"""The codecs by name. Use `djcli.codecs.registry.get_codec`, which also finds plug-ins."""


class BlobError(DataJointError, ValueError):
    """A stored value cannot be read, or a value cannot be stored."""


class Codec(ABC):
    """A way to store values that no column type holds; subclassing it registers ``<name>``.

    A codec turns a value into one of the type that `get_dtype` names, which may be another codec
    (``"<blob>"``). Abstract bases opt out with ``class Base(Codec, register=False)``, or have no name.

    Attributes
    ----------
    name
        What stands between the angle brackets in a definition.

    Examples
    --------
    >>> class Graph(Codec):
    ...     name = "graph"
    ...
    ...     def get_dtype(self, is_store):
    ...         return "<blob>"
    ...
    ...     def encode(self, value, *, key=None, store_name=None):
    ...         return {"edges": sorted(value)}
    ...
    ...     def decode(self, stored, *, key=None):
    ...         return set(stored["edges"])
    """

    name: ClassVar[str | None] = None

    def __init_subclass__(cls, *, register: bool = True, **kwargs: object) -> None:
        """Register the codec under its name.

        Raises
        ------
        DataJointError
            If the name is not a text, or another class has it. Defining the same class again, as a
            notebook does, replaces it.
        """
        super().__init_subclass__(**kwargs)
        if not register or cls.name is None:
            return
        register_codec(cls.name, cls)

    @abstractmethod
    def get_dtype(self, is_store: bool) -> str:
        """Return the type the codec's stored value has: a core type, or another codec.

        Parameters
        ----------
        is_store
            Whether the value lies in an object store (``<name@store>``) instead of the table.
        """

    @abstractmethod
    def encode(
        self, value: Any, *, key: Mapping[str, Any] | None = None, store_name: str | None = None
    ) -> Any:
        """Return the stored form of a value.

        Parameters
        ----------
        value
            What the user inserts; never None.
        key
            The row's primary key, where known.
        store_name
            The store after ``@``, if any.
        """

    @abstractmethod
    def decode(self, stored: Any, *, key: Mapping[str, Any] | None = None) -> Any:
        """Return the value of a stored form."""

    def validate(self, value: Any) -> None:  # noqa: B027 - a hook; most codecs take what encode takes
        """Raise a TypeError or ValueError for a value that `encode` should not be given."""

    def __repr__(self) -> str:
        """Return a short form with the codec's name."""
        return f"<{type(self).__name__}(name={self.name!r})>"


class SchemaCodec(Codec, register=False):
    """The base of codecs whose values lie in an object store, under paths made of schema, table and key.

    A module that defines one imports; a table cannot use it, because djcli has no object stores.
    """

    def get_dtype(self, is_store: bool) -> str:
        """Refuse to be the type of an attribute.

        Raises
        ------
        DataJointError
            Always; it tells whether the ``@`` is missing, or the store.
        """
        if not is_store:
            raise DataJointError(
                f"codec <{self.name}> keeps its values in an object store: write <{self.name}@>"
            )
        raise DataJointError(
            f"codec <{self.name}> keeps its values in an object store, which djcli does not have: use <blob>"
        )


def register_codec(name: str, codec: type[Codec]) -> None:
    """Register a codec class under a name.

    Raises
    ------
    DataJointError
        If the name is not a text of letters, digits and underscores, or another class has it.
    """
    if not name.isidentifier():
        raise DataJointError(f"codec name {name!r} must be made of letters, digits and underscores")
    known = registered.get(name)
    if known is not None:
        theirs, ours = type(known), codec
        if (theirs.__module__, theirs.__qualname__) != (ours.__module__, ours.__qualname__):
            raise DataJointError(
                f"codec <{name}> is already defined by {theirs.__module__}.{theirs.__qualname__}: "
                f"give {ours.__module__}.{ours.__qualname__} another name"
            )
    registered[name] = codec()
