"""The codec ``<blob>``: any Python value or array, as bytes in the format of DataJoint and mYm."""

from __future__ import annotations

from typing import Any

from djcli.codecs.base import Codec


class BlobCodec(Codec):
    """Stores arrays, scalars and any nesting of Python's containers; it never pickles."""

    name = "blob"

    def get_dtype(self, is_store: bool) -> str:
        """Return ``bytes``, or the codec of object stores."""
        return "<hash>" if is_store else "bytes"

    def encode(self, value: Any, **_options: Any) -> bytes:
        """Return the bytes of a value.

        Raises
        ------
        BlobError
            If the value, or one inside of it, is of a type that the format has no code for.
        """
        from djcli.codecs.blob_write import pack  # lazy: numpy

        return pack(value)

    def decode(self, stored: Any, **_options: Any) -> Any:
        """Return the value of bytes.

        Raises
        ------
        BlobError
            If the bytes are truncated, corrupt, or of a kind that cannot be read.
        """
        from djcli.codecs.blob_read import unpack  # lazy: numpy

        return unpack(stored)
