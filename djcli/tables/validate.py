"""Validating rows without inserting them: all problems at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from djcli.definition.model import TableModel
from djcli.errors import DataJointError
from djcli.tables.check import check_rows
from djcli.tables.encode import Problem
from djcli.tables.instance import Instance

SHOWN = 20
"""Problems in a summary."""


@dataclass
class ValidationResult:
    """What a validation found.

    Attributes
    ----------
    is_valid
        Whether every row could be inserted.
    errors
        For each problem the row's index from 0, the attribute or None, and what is wrong; by row.
    rows_checked
        How many rows there were.
    """

    is_valid: bool
    errors: list[tuple[int, str | None, str]] = field(default_factory=list[tuple[int, str | None, str]])
    rows_checked: int = 0

    def __bool__(self) -> bool:
        """Whether every row could be inserted."""
        return self.is_valid

    def summary(self) -> str:
        """Return the problems as text, the first ones line by line."""
        if self.is_valid:
            return f"all {self.rows_checked} rows are valid"
        rows = len({index for index, _, _ in self.errors})
        lines = [f"{len(self.errors)} problems in {rows} of {self.rows_checked} rows:"]
        lines += [f"  row {index + 1}: {message}" for index, _, message in self.errors[:SHOWN]]
        if len(self.errors) > SHOWN:
            lines.append(f"  … and {len(self.errors) - SHOWN} more")
        return "\n".join(lines)

    def raise_if_invalid(self) -> None:
        """Raise an error that tells all problems.

        Raises
        ------
        DataJointError
            Unless every row could be inserted.
        """
        if not self.is_valid:
            raise DataJointError(self.summary())


def validate(
    instance: Instance, model: TableModel, rows: object, *, ignore_extra_fields: bool = False
) -> ValidationResult:
    """Check rows as an insert would, without inserting any.

    Every value is checked, keys against each other and against those in the database, and references to
    other tables. What other sessions do until the insert, and constraints that no definition declares, are
    beyond it.

    Parameters
    ----------
    instance
        The database.
    model
        The table.
    rows
        What `insert` takes, other than an expression.
    ignore_extra_fields
        Whether fields that are no attributes are passed over.
    """
    problems: list[Problem] = []
    number = check_rows(
        instance.connection, model, rows, problems.append, ignore_extra_fields=ignore_extra_fields
    )
    problems.sort(key=lambda problem: problem.number)
    errors = [(max(0, problem.number - 1), problem.attribute, problem.message) for problem in problems]
    return ValidationResult(not errors, errors, number)
