"""Validating rows without inserting them: all problems at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from djcli.definition.model import TableModel
from djcli.errors import DataJointError
from djcli.tables.blocks import Block, RowError
from djcli.tables.encode import Problem, encode_blocks
from djcli.tables.instance import Instance
from djcli.tables.refused import columns_of, missing_parent, parentless, shown, taken
from djcli.tables.rows import read_blocks

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
    counted = _Counter()
    blocks = counted.watch(read_blocks(model, rows))
    seen: dict[tuple[object, ...], int] = {}
    for block in encode_blocks(
        model, blocks, ignore_extra_fields=ignore_extra_fields, report=problems.append
    ):
        problems += _repeated(model, block, seen)
        problems += _refused(instance, model, block)
    problems.sort(key=lambda problem: problem.number)
    errors = [(problem.number - 1, problem.attribute, problem.message) for problem in problems]
    return ValidationResult(not errors, errors, counted.rows)


class _Counter:
    def __init__(self) -> None:
        self.rows = 0

    def watch(self, blocks: Iterator[Block | RowError]) -> Iterator[Block | RowError]:
        for block in blocks:
            self.rows += 1 if isinstance(block, RowError) else len(block)
            yield block


def _repeated(model: TableModel, block: Block, seen: dict[tuple[object, ...], int]) -> Iterator[Problem]:
    """Yield the rows whose key an earlier row has."""
    names = model.primary_key
    if not names or not set(names) <= set(block.names):
        return
    for number, key in zip(block.numbers, zip(*columns_of(block, names), strict=True), strict=True):
        if None in key:
            continue
        first = seen.setdefault(key, number)
        if first != number:
            yield Problem(number, None, f"it has the same key as row {first}: {shown(names, key)}")


def _refused(instance: Instance, model: TableModel, block: Block) -> Iterator[Problem]:
    """Yield the rows that the database would refuse."""
    given = set(block.names)
    names = model.primary_key
    if names and set(names) <= given:
        for place in taken(instance.connection, model, block, names):
            key = [column[place] for column in columns_of(block, names)]
            yield Problem(block.numbers[place], None, f"a row with {shown(names, key)} already exists")
    for key in model.foreign_keys:
        if set(key.attributes) <= given:
            for place in parentless(instance.connection, model, block, key):
                values = [column[place] for column in columns_of(block, key.attributes)]
                yield Problem(block.numbers[place], key.attributes[0], missing_parent(key, values))
