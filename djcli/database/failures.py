"""The one place that turns the driver's errors into ours, by SQLSTATE, keeping the cause."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import psycopg

from djcli.errors import (
    AccessError,
    DataJointError,
    DuplicateError,
    IntegrityError,
    LostConnectionError,
    MissingAttributeError,
    MissingTableError,
    QueryError,
    QuerySyntaxError,
    ServerError,
    UnknownAttributeError,
)
from djcli.names import display_name, key_text

RETRIABLE = frozenset({"40001", "40P01"})
"""Serialisation failure and deadlock: the same transaction may succeed when tried again."""

_QUOTED = re.compile(r'"([^"]*)"')


def translate(error: psycopg.Error) -> DataJointError:
    """Return our error for one of the driver's; raise it ``from`` the original."""
    state = error.sqlstate or ""
    diagnosis = error.diag
    table = _table(diagnosis)
    detail = (diagnosis.message_detail or "").strip()
    primary = (diagnosis.message_primary or str(error)).strip()
    if isinstance(error, psycopg.OperationalError) and (state[:3] in ("", "57P") or state[:2] == "08"):
        first = primary.splitlines()[0] if primary else "no answer"
        return LostConnectionError(f"the connection to the database was lost: {first}")
    match state:
        case "23505":
            return DuplicateError(f"{table}: {_key(detail, 'already exists')}")
        case "23503" | "23001":  # PostgreSQL 18 tells RESTRICT from the rest
            return IntegrityError(f"{table}: {_foreign_key(detail, primary)}")
        case "23502":
            return MissingAttributeError(
                f"{table}: attribute {diagnosis.column_name!r} has no value and no default"
            )
        case "23514" | "23P01" | "23000":
            return IntegrityError(f"{table}: {primary}")
        case "42P01" | "3F000":
            return MissingTableError(f"{_missing(primary)} is not declared in the database; run: djcli apply")
        case "42703":
            return UnknownAttributeError(f"{primary} (if the table was changed, see: djcli diff)")
        case "42501":
            return AccessError(f"{primary}; ask the database's owner for the privilege")
        case "53100":
            return ServerError(
                f"the database's disk is full: {primary}; free some space and run it again, finished work is kept"
            )
        case "42601" | "42883" | "42804" | "42P10" | "42803" | "42702":
            return QuerySyntaxError(f"the database cannot read this SQL: {primary}")
        case _:
            return QueryError(primary + (f" ({detail})" if detail else ""))


@contextmanager
def translated() -> Generator[None]:
    """Turn what the driver raises inside into our errors."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error) from error


def is_retriable(error: BaseException) -> bool:
    """Whether the transaction that ended in this error may succeed when tried again."""
    return is_conflict(error) or any(isinstance(cause, LostConnectionError) for cause in _causes(error))


def is_servers(error: BaseException) -> bool:
    """Whether the server is at fault, so that nothing else will succeed either until somebody sees to it."""
    return any(isinstance(cause, ServerError) for cause in _causes(error))


def is_conflict(error: BaseException) -> bool:
    """Whether the transaction failed only because another ran at the same time."""
    return any(isinstance(cause, psycopg.Error) and cause.sqlstate in RETRIABLE for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _table(diagnosis: psycopg.errors.Diagnostic) -> str:
    name = diagnosis.table_name
    return f"{diagnosis.schema_name}.{display_name(name)}" if name else "the database"


def _key(detail: str, verb: str) -> str:
    match = re.fullmatch(r"Key \((.*?)\)=\((.*)\) (?:already exists|is duplicated)\.", detail, re.DOTALL)
    return f"a row with {_pairs(match[1], match[2])} {verb}" if match else detail or f"the row {verb}"


def _foreign_key(detail: str, primary: str) -> str:
    missing = re.fullmatch(r'Key \((.*?)\)=\((.*)\) is not present in table "(.*)"\.', detail, re.DOTALL)
    if missing:
        return (
            f"there is no {display_name(missing[3])} with {_pairs(missing[1], missing[2])}: insert it first"
        )
    used = re.fullmatch(
        r'Key \((.*?)\)=\((.*)\) is (?:still )?referenced from table "(.*)"\.', detail, re.DOTALL
    )
    if used:
        return f"the row with {_pairs(used[1], used[2])} is still referenced by {display_name(used[3])}"
    return detail or primary


def _pairs(names: str, values: str) -> str:
    left, right = names.split(", "), values.split(", ")
    left = [name.strip('"') for name in left]
    if len(left) != len(right):
        return f"({', '.join(left)}) = ({values})"
    return key_text(dict(zip(left, right, strict=True)))


def _missing(primary: str) -> str:
    match = _QUOTED.search(primary)
    if match is None:
        return primary
    if primary.startswith("schema"):
        return f"schema {match[1]!r}"
    schema, _, name = match[1].rpartition(".")
    return f"table {schema + '.' if schema else ''}{display_name(name)}"
