"""Arrays that came from MATLAB: a cell array and a struct array, told apart so that they go back as such."""

from __future__ import annotations

from typing import Any

import numpy as np


class MatCell(np.ndarray[Any, Any]):
    """A MATLAB cell array: an array of objects."""


class MatStruct(np.recarray[Any, Any]):  # pyright: ignore[reportIncompatibleVariableOverride] - its stub fixes __module__
    """A MATLAB struct array: a record array whose fields hold objects."""
