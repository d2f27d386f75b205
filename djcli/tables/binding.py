"""`either`: methods that work on a class as on its instance: ``Session.head()`` is ``Session().head()``."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")


class either(Generic[S, P, R]):  # noqa: N801 - used as a decorator
    """Bind the decorated method to the instance, or, called on the class, to a fresh instance of it."""

    def __init__(self, function: Callable[Concatenate[S, P], R]) -> None:
        self.function = function
        update_wrapper(cast("Callable[..., Any]", self), function)

    def __get__(self, instance: S | None, owner: type[S]) -> Callable[P, R]:
        bound = MethodType(self.function, owner() if instance is None else instance)
        return cast("Callable[P, R]", bound)  # as text: a type made at every call takes its time
