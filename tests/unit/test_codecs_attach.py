"""Attachments: a file goes in by its path and comes out in the download folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from djcli.codecs.attach import AttachCodec
from djcli.codecs.base import BlobError
from djcli.codecs.registry import decode_chain, encode_chain
from djcli.errors import DataJointError
from djcli.settings import config


def test_a_file_comes_back_whole(tmp_path: Path) -> None:
    source = tmp_path / "scan é.tif"
    source.write_bytes(b"a\0b" * 1000)
    stored = encode_chain("attach")(source)
    assert stored == "scan é.tif".encode() + b"\0" + b"a\0b" * 1000
    with config.override(download_path=str(tmp_path / "new" / "folder")):
        path = Path(decode_chain("attach")(stored))
    assert path == tmp_path / "new" / "folder" / "scan é.tif"
    assert path.read_bytes() == source.read_bytes()


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    decode = AttachCodec().decode
    with config.override(download_path=str(tmp_path)):
        paths = [decode(b"a.txt\0" + content) for content in (b"1", b"2", b"1", b"2", b"33")]
    assert [Path(path).name for path in paths] == ["a.txt", "a_1.txt", "a.txt", "a_1.txt", "a_2.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"1"
    assert (tmp_path / "a_2.txt").read_bytes() == b"33"


@pytest.mark.parametrize("name", ["../evil", "/evil", "..", "", ".", "a/b"])
def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with config.override(download_path=str(tmp_path / "in")), pytest.raises(BlobError, match="corrupt"):
        AttachCodec().decode(name.encode() + b"\0content")
    assert not list(tmp_path.rglob("*evil*"))


def test_bytes_without_a_name_are_corrupt() -> None:
    with pytest.raises(BlobError, match="no file name"):
        AttachCodec().decode(b"content")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    encode = encode_chain("attach")
    with pytest.raises(DataJointError, match="No such file"):
        encode(tmp_path / "missing")
    with pytest.raises(DataJointError, match="directory"):
        encode(str(tmp_path))
    with pytest.raises(TypeError, match="path"):
        encode(b"content")
