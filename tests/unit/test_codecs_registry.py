"""Codecs by name: registration, plug-ins, chains, and near names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from djcli.codecs import registry
from djcli.codecs.base import Codec, SchemaCodec, registered
from djcli.codecs.registry import (
    codec_chain,
    column_type_text,
    decode_chain,
    encode_chain,
    get_codec,
    list_codecs,
)
from djcli.errors import DataJointError


@pytest.fixture(autouse=True)
def _only_built_in() -> Iterator[None]:
    before = dict(registered)
    yield
    registered.clear()
    registered.update(before)


def define_graph(parent: type[Codec] = Codec) -> type[Codec]:
    class Graph(parent):
        name = "graph"

        def get_dtype(self, is_store: bool) -> str:  # noqa: ARG002 - the signature of all codecs
            return "<blob>"

        def validate(self, value: Any) -> None:
            if not isinstance(value, set):
                raise TypeError("a graph is a set of edges")

        def encode(self, value: Any, *, key: Any = None, store_name: Any = None) -> Any:
            return {"edges": sorted(value), "key": key, "store": store_name}

        def decode(self, stored: Any, *, key: Any = None) -> Any:
            return {"set": set(stored["edges"]), "key": stored["key"], "now": key, "store": stored["store"]}

    return Graph


def test_built_in_codecs_are_there() -> None:
    assert {"attach", "blob"} <= set(list_codecs())
    assert column_type_text("blob") == column_type_text("<attach>") == "bytes"
    assert get_codec("<blob>") is get_codec("blob")
    assert repr(get_codec("blob")) == "<BlobCodec(name='blob')>"


def test_a_subclass_registers_itself_and_chains() -> None:
    define_graph()
    assert "graph" in list_codecs()
    chain = codec_chain("graph")
    assert [codec.name for codec in chain.codecs] == ["graph", "blob"]
    assert chain.dtype == "bytes"
    stored = encode_chain("<graph>")({(1, 2)}, key={"id": 7})
    assert stored.startswith(b"dj0\0")
    expected = {"set": {(1, 2)}, "key": {"id": 7}, "now": {"id": 8}, "store": None}
    assert decode_chain("graph")(stored, key={"id": 8}) == expected


def test_validate_comes_before_encode() -> None:
    define_graph()
    with pytest.raises(TypeError, match="set of edges"):
        encode_chain("graph")([1])


def test_a_notebook_may_define_a_codec_again() -> None:
    first, second = define_graph(), define_graph()
    assert first is not second
    assert type(get_codec("graph")) is second


def test_two_codecs_of_one_name_are_refused() -> None:
    with pytest.raises(DataJointError, match=r"already defined by djcli\.codecs.blob.BlobCodec"):

        class Mine(Codec):
            name = "blob"

    assert type(get_codec("blob")).__name__ == "BlobCodec"


def test_abstract_bases_are_not_registered() -> None:
    class Base(Codec, register=False):
        name = "base"

    class Nameless(Codec):
        pass

    assert "base" not in list_codecs()
    assert not issubclass(Nameless, tuple(type(codec) for codec in registered.values()))


def test_a_bad_name_is_refused() -> None:
    with pytest.raises(DataJointError, match="letters, digits"):

        class Bad(Codec):
            name = "a b"


def test_an_unknown_codec_is_named_with_its_neighbours() -> None:
    with pytest.raises(DataJointError, match=r"no codec <blib> - did you mean blob\?"):
        get_codec("<blib>")


def test_object_stores_are_told_from_misspellings() -> None:
    class Zarr(SchemaCodec):
        name = "zarr"

        def encode(self, value: Any, **_options: Any) -> Any:
            return value

        def decode(self, stored: Any, **_options: Any) -> Any:
            return stored

    for spec in ("blob@", "<attach@cold>", "npy", "hash", "zarr", "zarr@"):
        with pytest.raises(DataJointError, match="object store"):
            codec_chain(spec)


def test_a_chain_that_turns_back_is_refused() -> None:
    class One(Codec):
        name = "one"

        def get_dtype(self, is_store: bool) -> str:
            return "<two@>" if is_store else "<two>"

        def encode(self, value: Any, **_options: Any) -> Any:
            return value

        def decode(self, stored: Any, **_options: Any) -> Any:
            return stored

    class Two(One):
        name = "two"

        def get_dtype(self, is_store: bool) -> str:
            return "<one@>" if is_store else "<one>"

    with pytest.raises(DataJointError, match="<one> -> <two> -> <one>"):
        column_type_text("one")


def test_the_store_goes_down_the_chain() -> None:
    class Stored(Codec):
        name = "stored"

        def get_dtype(self, is_store: bool) -> str:
            return "json" if is_store else "bytes"

        def encode(self, value: Any, *, key: Any = None, store_name: Any = None) -> Any:
            return {"path": value, "store": store_name, "key": key}

        def decode(self, stored: Any) -> Any:
            return stored["path"]

    class Outer(Codec):
        name = "outer"

        def get_dtype(self, is_store: bool) -> str:
            return "<stored>" if is_store else "bytes"

        def encode(self, value: Any) -> Any:
            return value

        def decode(self, stored: Any, *, key: Any = None) -> Any:
            return stored, key

    assert column_type_text("stored") == "bytes"
    assert codec_chain("outer@cold").dtype == "json"
    assert codec_chain("outer@cold").store == "cold"
    stored = encode_chain("outer@cold")("x", key={"id": 1})
    assert stored == {"path": "x", "store": "cold", "key": {"id": 1}}
    assert decode_chain("outer@cold")(stored, key={"id": 1}) == ("x", {"id": 1})


PLUG_IN = """
class Third:
    name = "third"
    def get_dtype(self, is_store): return "bytes"
    def encode(self, value, *, key=None, context=None, store_name=None): return value[::-1]
    def decode(self, stored, *, key=None, context=None): return stored[::-1]
    def validate(self, value): pass
broken = 5
"""


@pytest.fixture
def plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "third_codec.py").write_text(PLUG_IN)
    info = tmp_path / "third_codec-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-codec\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[djcli.codecs]\nthird = third_codec:Third\nbroken = third_codec:broken\n"
        "[datajoint.codecs]\nlost = third_codec:lost\nthird = nowhere:Nothing\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("plug_ins")
def test_plug_ins_are_found_and_loaded_when_asked_for() -> None:
    assert {"third", "broken", "lost", "blob"} <= set(list_codecs())
    assert "third_codec" not in sys.modules
    assert encode_chain("third")(b"abc") == b"cba"
    assert decode_chain("third")(b"cba", key={}) == b"abc"
    with pytest.raises(DataJointError, match="third_codec:broken, the plug-in of codec <broken>"):
        get_codec("broken")
    with pytest.raises(DataJointError, match=r"plug-in of codec <lost>.*cannot be loaded"):
        get_codec("lost")


def test_looking_up_codecs_imports_neither_numpy_nor_psycopg() -> None:
    code = (
        "import sys; from djcli.codecs import registry, scalars; registry.column_type_text('blob');"
        "print(sorted({'numpy', 'psycopg', 'yaml', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert registry.STORE_CODECS.isdisjoint(registered)
