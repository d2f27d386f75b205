"""What a populate and its worker processes say to each other."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field

from djcli.populate.origin import place_of, tell_place
from djcli.populate.result import Key, Violation
from djcli.settings import DatabaseTarget


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker is to compute, and how it finds the same table in the same database.

    Attributes
    ----------
    module, qualname
        The table's class, to be imported.
    main
        The file of a script, or the module after ``python -m``, where the class is in it.
    modules
        Modules of the pipelines, of which one may give the table's schema its name.
    schema
        The name of the table's schema.
    target, default
        The table's database, and that of schemas with no connection of their own.
    create_tables
        Whether missing tables are declared on first use.
    settings
        What the program has set, each with where it came from.
    loglevel
        From which level on djcli logs.
    options
        The pickled `Options` of the populate.
    """

    module: str
    qualname: str
    main: tuple[str | None, str | None]
    modules: tuple[str, ...]
    schema: str
    target: DatabaseTarget
    default: DatabaseTarget
    create_tables: bool
    settings: Mapping[str, tuple[object, str]]
    loglevel: int
    options: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a worker's keys since the report before, and what it wants.

    Attributes
    ----------
    done, skipped, failed
        The keys that are settled.
    back
        Keys that there was no time for.
    lost
        Whether the connection was lost: then all that is not settled is open again.
    backend
        The server's process for this worker, by number and by when it started; None while unknown.
    wanted
        How many keys it waits for; None when it waits for none.
    ended
        Whether it has ended this work, for want of keys or because of an error.
    error
        That error.
    violations
        What the guard has found, told at the end.
    """

    done: list[Key] = field(default_factory=list[Key])
    skipped: list[Key] = field(default_factory=list[Key])
    failed: list[tuple[Key, Told]] = field(default_factory=list[tuple[Key, "Told"]])
    back: list[Key] = field(default_factory=list[Key])
    lost: bool = False
    backend: tuple[int, str] | None = None
    wanted: int | None = None
    ended: bool = False
    error: Told | None = None
    violations: list[Violation] = field(default_factory=list[Violation])


class StandInError(Exception):
    """An exception of a worker process that could not be sent: its subclass has its name and its text."""


@dataclass(frozen=True, slots=True)
class Told:
    """An exception on its way from one process to another, with what a pickle leaves out."""

    pickled: bytes | None
    kind: str
    text: str
    notes: tuple[str, ...]
    trace: str
    place: str | None
    cause: Told | None
    context: Told | None
    suppressed: bool

    @classmethod
    def of(cls, error: BaseException) -> Told:
        """Take an exception apart."""
        return cls(
            _pickled(error),
            type(error).__name__,
            str(error),
            tuple(getattr(error, "__notes__", ())),
            "".join(traceback.format_tb(error.__traceback__)).rstrip(),
            place_of(error),
            None if error.__cause__ is None else cls.of(error.__cause__),
            None if error.__context__ in (None, error.__cause__) else cls.of(error.__context__),
            error.__suppress_context__,
        )

    def error(self) -> BaseException:
        """Put the exception together again; a stand-in of the same name where that cannot be done."""
        error = None if self.pickled is None else _unpickled(self.pickled)
        if error is None:
            error = type(self.kind, (StandInError,), {"__module__": StandInError.__module__})(self.text)
            for note in self.notes:
                error.add_note(note)
        if self.trace:
            error.add_note(f"in a worker process:\n{self.trace}")
        tell_place(error, self.place)
        error.__cause__ = None if self.cause is None else self.cause.error()
        error.__context__ = error.__cause__ if self.context is None else self.context.error()
        error.__suppress_context__ = self.suppressed
        return error


def _pickled(error: BaseException) -> bytes | None:
    """Pickle an exception, if what comes out of the pickle is the same."""
    try:
        data = pickle.dumps(error)
    except Exception:  # noqa: BLE001 - a class of the user's may raise anything when it is pickled
        return None
    copy = _unpickled(data)
    return data if type(copy) is type(error) and str(copy) == str(error) else None


def _unpickled(data: bytes) -> BaseException | None:
    try:
        found: object = pickle.loads(data)  # noqa: S301 - our own child's
    except Exception:  # noqa: BLE001 - the class may be unknown here, or raise anything
        return None
    return found if isinstance(found, BaseException) else None
