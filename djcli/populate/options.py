"""`Options`: how to populate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from djcli.populate.claims import MAX_CLAIMS
from djcli.populate.feed import Order
from djcli.populate.result import Observer, Silent


@dataclass(frozen=True, slots=True)
class Options:
    """How to populate; the attributes are the parameters of `AutoPopulate.populate`.

    `batch` is the number of keys that one transaction may hold; 1 runs each make as it is written.
    """

    order: Order = "original"

    suppress_errors: bool = False
    return_exception_objects: bool = False
    max_calls: int | None = None
    make_kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    observer: Observer = field(default_factory=Silent)
    batch: int = MAX_CLAIMS
    guard: str | None = None
