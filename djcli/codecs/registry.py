"""Finding codecs by name, plug-ins among them, and following a codec's chain to its column."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, cast

from djcli.codecs import attach, blob
from djcli.codecs.base import Codec, register_codec, registered
from djcli.errors import DataJointError
from djcli.names import did_you_mean

__all__ = [
    "Chain",
    "ChainFunction",
    "codec_chain",
    "column_type_text",
    "decode_chain",
    "encode_chain",
    "get_codec",
    "list_codecs",
]

BUILT_IN = (blob.BlobCodec, attach.AttachCodec)

ENTRY_POINT_GROUPS = ("djcli.codecs", "datajoint.codecs", "datajoint.types")
"""Where plug-ins say which codecs they have; the last two are DataJoint's."""

STORE_CODECS = frozenset({"hash", "object", "npy", "filepath"})
"""DataJoint's codecs that live in object stores, named to tell them from misspellings."""


class ChainFunction(Protocol):
    """Encodes or decodes through all codecs of a chain; the value is never None."""

    def __call__(self, value: Any, *, key: Mapping[str, Any] | None = None) -> Any:
        """Return the value one way or the other."""
        ...


@dataclass(frozen=True, slots=True)
class Chain:
    """What ``<name@store>`` means.

    Attributes
    ----------
    codecs
        The codecs, the outermost first.
    dtype
        The text of the core type that the chain ends in.
    store
        The name after ``@``, empty for the default store; None for a value inside the table.
    """

    codecs: tuple[Codec, ...]
    dtype: str
    store: str | None = None


def get_codec(name: str) -> Codec:
    """Return a codec by its name, with or without angle brackets and store.

    A plug-in is loaded when its name is first asked for.

    Raises
    ------
    DataJointError
        If there is none, or its plug-in cannot be loaded.
    """
    base, _ = _split(name)
    codec = registered.get(base)
    if codec is not None:
        return codec
    point = _plug_ins().get(base)
    if point is not None:
        return _load(base, point)
    if base in STORE_CODECS:
        raise DataJointError(
            f"codec <{base}> keeps its values in an object store, which djcli does not have: "
            "use <blob> or <attach> without @"
        )
    raise DataJointError(
        f"there is no codec <{base}>{did_you_mean(base, list_codecs())}; "
        f"define one as a subclass of Codec with name = {base!r}, or install its plug-in"
    )


def list_codecs() -> list[str]:
    """Return the names of all codecs, plug-ins included, sorted."""
    return sorted({*registered, *_plug_ins()})


def codec_chain(codec: str) -> Chain:
    """Follow a codec (``blob``, ``<blob@store>``) through the codecs it builds on.

    Raises
    ------
    DataJointError
        If one of them is unknown, or the chain turns back on itself.
    """
    codecs: list[Codec] = []
    text, store = f"<{codec.strip().removeprefix('<').removesuffix('>')}>", None
    while text.startswith("<") and text.endswith(">"):
        name, own_store = _split(text)
        store = own_store if own_store is not None else store
        link = get_codec(name)
        if link in codecs:
            path = " -> ".join(f"<{item.name}>" for item in [*codecs, link])
            raise DataJointError(f"codec <{codecs[0].name}> never reaches a column: {path}")
        codecs.append(link)
        text = link.get_dtype(store is not None).strip()
    return Chain(tuple(codecs), text, store)


def column_type_text(codec: str) -> str:
    """Return the text of the core type a codec's chain ends in: ``'bytes'`` for ``blob``.

    Raises
    ------
    DataJointError
        As `codec_chain` does.
    """
    return codec_chain(codec).dtype


def encode_chain(codec: str) -> ChainFunction:
    """Return the function that takes a user's value to the Python value of the column's type.

    What it returns still goes through the encoder of the column (``encoder("codec", column)``).

    Raises
    ------
    DataJointError
        As `codec_chain` does.
    """
    chain = codec_chain(codec)
    steps = [(link.validate, _fitted(link.encode, {"store_name": chain.store})) for link in chain.codecs]

    def encode(value: Any, *, key: Mapping[str, Any] | None = None) -> Any:
        for validate, step in steps:
            validate(value)
            value = step(value, key=key)
        return value

    return encode


def decode_chain(codec: str) -> ChainFunction:
    """Return the function that takes a fetched value back to the user's.

    Raises
    ------
    DataJointError
        As `codec_chain` does.
    """
    steps = [_fitted(link.decode, {}) for link in reversed(codec_chain(codec).codecs)]
    if len(steps) == 1:
        return steps[0]

    def decode(value: Any, *, key: Mapping[str, Any] | None = None) -> Any:
        for step in steps:
            value = step(value, key=key)
        return value

    return decode


def _split(spec: str) -> tuple[str, str | None]:
    name, at, store = spec.strip().removeprefix("<").removesuffix(">").partition("@")
    return name.strip(), store.strip() if at else None


def _fitted(method: Callable[..., Any], options: Mapping[str, Any]) -> ChainFunction:
    """Return the method called with those keyword arguments only that it declares."""
    declared = inspect.signature(method).parameters
    if any(item.kind is inspect.Parameter.VAR_KEYWORD for item in declared.values()):
        declared = {**declared, **dict.fromkeys(("key", *options))}
    extra = {name: value for name, value in options.items() if name in declared and value is not None}
    takes_key = "key" in declared
    if takes_key and not extra:
        return cast("ChainFunction", method)

    def call(value: Any, *, key: Mapping[str, Any] | None = None) -> Any:
        return method(value, key=key, **extra) if takes_key else method(value, **extra)

    return call


def _plug_ins() -> dict[str, EntryPoint]:
    """Return the entry points by name, those of an earlier group before those of a later one."""
    found: dict[str, EntryPoint] = {}
    for group in ENTRY_POINT_GROUPS:
        for point in entry_points(group=group):
            found.setdefault(point.name, point)
    return found


def _load(name: str, point: EntryPoint) -> Codec:
    """Import a plug-in; its class may be of DataJoint's own base, as long as it has the methods."""
    try:
        loaded = point.load()
    except Exception as error:
        raise DataJointError(
            f"the plug-in of codec <{name}> ({point.value}) cannot be loaded: {error}"
        ) from error
    if name not in registered:
        missing = [
            method for method in ("get_dtype", "encode", "decode", "validate") if not hasattr(loaded, method)
        ]
        if missing or not isinstance(loaded, type):
            raise DataJointError(f"{point.value}, the plug-in of codec <{name}>, is not a codec class")
        register_codec(name, cast("type[Codec]", loaded))
    return registered[name]
