"""The numbers of the blob format: magic words, value codes, and the codes of array types."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

COMPRESSED = b"ZL123\0"
MATLAB = b"mYm\0"
EXTENDED = b"dj0\0"
"""The magic of values that mYm for MATLAB does not know."""

MAX_DEPTH = 200
"""How deep values may be nested; within Python's recursion limit, whoever calls."""

OBJECT_TYPE = 5
CHAR_TYPE = 4


class Code(IntEnum):
    """The first byte of each value."""

    ARRAY = ord("A")
    CELL = ord("C")
    STRUCT = ord("S")
    RECORDS = ord("F")
    SPARSE = ord("P")
    TUPLE = 0x01
    LIST = 0x02
    SET = 0x03
    DICT = 0x04
    STR = 0x05
    BYTES = 0x06
    INT = 0x0A
    BOOL = 0x0B
    COMPLEX = 0x0C
    FLOAT = 0x0D
    DECIMAL = ord("d")
    DATETIME = ord("t")
    UUID = ord("u")
    NONE = 0xFF


_UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as")

DTYPE_OF: dict[int, np.dtype[Any]] = {
    3: np.dtype("?"),
    6: np.dtype("<f8"),
    7: np.dtype("<f4"),
    8: np.dtype("<i1"),
    9: np.dtype("<u1"),
    10: np.dtype("<i2"),
    11: np.dtype("<u2"),
    12: np.dtype("<i4"),
    13: np.dtype("<u4"),
    14: np.dtype("<i8"),
    15: np.dtype("<u8"),
    **{0x10000 + number: np.dtype(f"<M8[{unit}]") for number, unit in enumerate(_UNITS)},
}
"""The numpy types by their code; `OBJECT_TYPE` and `CHAR_TYPE` are read in their own ways."""

TYPE_OF: dict[str, int] = {dtype.str: number for number, dtype in DTYPE_OF.items()}
"""The codes by the little-endian `dtype.str`."""
