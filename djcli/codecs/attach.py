"""The codec ``<attach>``: a file, stored as its name, a zero byte, and its content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from djcli.codecs.base import BlobError, Codec
from djcli.errors import DataJointError
from djcli.settings import config


class AttachCodec(Codec):
    """Stores a file in the table; fetching it writes it into ``config.download_path``."""

    name = "attach"

    def get_dtype(self, is_store: bool) -> str:
        """Return ``bytes``, or the codec of object stores."""
        return "<hash>" if is_store else "bytes"

    def validate(self, value: Any) -> None:
        """Refuse what is not a path.

        Raises
        ------
        TypeError
            If `value` is neither a text nor a path.
        """
        if not isinstance(value, (str, Path)):
            raise TypeError(f"<attach> takes the path of a file, not {type(value).__name__}")

    def encode(self, value: Any, **_options: Any) -> bytes:
        """Read the file at a path.

        Raises
        ------
        DataJointError
            If there is no such file, or it cannot be read.
        """
        path = Path(value)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataJointError(f"cannot attach the file {str(path)!r}: {error.strerror}") from error
        return path.name.encode("utf-8", "surrogateescape") + b"\0" + content

    def decode(self, stored: Any, **_options: Any) -> str:
        """Write the file into the download folder and return its path.

        A file of that name and content is left as it is; one of other content is kept, and the new one gets
        a number: ``scan_1.tif``.

        Raises
        ------
        BlobError
            If the stored bytes are no attachment, or name a file outside of the folder.
        """
        name, zero, content = bytes(stored).partition(b"\0")
        if not zero:
            raise BlobError("the attachment is corrupt: it has no file name")
        file_name = name.decode("utf-8", "surrogateescape")
        if file_name in ("", ".", "..") or Path(file_name).name != file_name:
            raise BlobError(f"the attachment is corrupt: {file_name!r} is not a plain file name")
        folder = Path(config["download_path"])
        folder.mkdir(parents=True, exist_ok=True)
        return str(_place(folder / file_name, content))


def _place(wanted: Path, content: bytes) -> Path:
    """Write `content` to the first path, numbered if need be, that is free or has this very content."""
    path, number = wanted, 0
    while not _written(path, content):
        if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
            return path
        number += 1
        path = wanted.with_name(f"{wanted.stem}_{number}{wanted.suffix}")
    return path


def _written(path: Path, content: bytes) -> bool:
    """Write a new file, whole or not at all; False if there is one of this name."""
    try:
        file = path.open("xb")
    except FileExistsError:
        return False
    try:
        with file:
            file.write(content)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return True
