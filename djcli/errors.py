"""Every error that djcli raises.

The names and the hierarchy are DataJoint 2's, so that ``except dj.errors.DuplicateError`` keeps working;
the names below the line are ours. A message is one line: what is wrong, where, and what to do next.
"""

from __future__ import annotations


class DataJointError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None, *args: object) -> None:
        text = message if message is not None else (self.__doc__ or "").splitlines()[0]
        super().__init__(text, *args)

    def suggest(self, *args: object) -> DataJointError:
        """Return the same error with more lines of advice appended."""
        return type(self)(*self.args, *args)

    def __str__(self) -> str:
        return " ".join(str(arg) for arg in self.args)


class LostConnectionError(DataJointError):
    """The connection to the database was lost."""


class QueryError(DataJointError):
    """The database refused a statement."""


class QuerySyntaxError(QueryError):
    """The database could not read a statement."""


class AccessError(QueryError):
    """The database role lacks a privilege."""


class DuplicateError(QueryError):
    """A row with this key is already there."""


class IntegrityError(QueryError):
    """A row breaks a constraint of its table."""


class UnknownAttributeError(QueryError):
    """The table has no such attribute."""


class MissingAttributeError(QueryError):
    """A required attribute has no value."""


class MissingTableError(DataJointError):
    """The table is not declared in the database."""


class MissingExternalFile(DataJointError):  # noqa: N818 - the reference's name
    """A stored file is missing."""


class BucketInaccessible(DataJointError):  # noqa: N818 - the reference's name
    """A store cannot be reached."""


class ThreadSafetyError(DataJointError):
    """Global state was used where it is switched off."""


# ---- ours -------------------------------------------------------------------------------------------


class DefinitionError(DataJointError):
    """A table definition cannot be read.

    Parameters
    ----------
    message
        What is wrong, in one line.
    line, column
        Where, both counted from 1 within the definition.
    source
        The offending line of the definition, to be shown with a caret.
    table
        The class or table that the definition belongs to; filled in by whoever knows it.
    """

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        column: int | None = None,
        source: str | None = None,
        table: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.source = source
        self.table = table

    def with_table(self, table: str) -> DefinitionError:
        """Return this error with the table's name filled in."""
        return DefinitionError(
            self.message, line=self.line, column=self.column, source=self.source, table=table
        )

    def __str__(self) -> str:
        where = f"{self.table}: " if self.table else ""
        if self.line is not None:
            where += f"line {self.line}" + (f", column {self.column}" if self.column else "") + ": "
        text = where + self.message
        if self.source is not None:
            text += f"\n  {self.source}"
            if self.column:
                text += "\n  " + " " * (self.column - 1) + "^"
        return text


class ConfigError(DataJointError):
    """A setting is wrong."""


class PipelineError(DataJointError):
    """A pipeline module cannot be loaded."""


class ServerError(DataJointError):
    """The server cannot be started or reached, or has no room left."""


class ContractError(DataJointError):
    """A make has read what its key does not depend on, or written what is not its own."""


class InputsChangedError(DataJointError):
    """What a make had fetched changed while it computed."""


class WorkerDiedError(DataJointError):
    """A worker process of a populate died."""


class SelectionError(DataJointError):
    """What was asked for matches nothing (exit code 2)."""


class RefusedError(DataJointError):
    """Refused without consent (exit code 3)."""
