"""What a definition says, read but not resolved: its items in order, each with its place."""

from __future__ import annotations

from dataclasses import dataclass

from djcli.definition.attribute import AttributeType, Default
from djcli.definition.line import definition_error
from djcli.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class AttributeSpec:
    """A line ``name [= default] : type [# comment]``.

    Attributes
    ----------
    name, type, nullable, default, comment
        As in `djcli.definition.model.Attribute`.
    line, column
        Where the name stands, both counted from 1.
    """

    name: str
    type: AttributeType
    nullable: bool
    default: Default | None
    comment: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ForeignKeySpec:
    """A line ``-> [options] Parent.proj(new='old')``.

    Attributes
    ----------
    parent
        The parent as it is written: ``Parent``, ``module.Parent``, ``Master.Part``, ``master``.
    renames
        Pairs (new name, the parent's name).
    nullable, unique
        The options.
    line, column
        Where the parent stands, both counted from 1.
    """

    parent: str
    renames: tuple[tuple[str, str], ...]
    nullable: bool
    unique: bool
    line: int
    column: int

    @property
    def projection(self) -> dict[str, str]:
        """The new names with the parent's."""
        return dict(self.renames)


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """A line ``[unique] index(a, b)``.

    Attributes
    ----------
    attributes, unique
        As in `djcli.definition.model.Index`.
    line, column
        Where it stands, both counted from 1.
    """

    attributes: tuple[str, ...]
    unique: bool
    line: int
    column: int


Item = AttributeSpec | ForeignKeySpec | IndexSpec


@dataclass(frozen=True, slots=True)
class ParsedTable:
    """A definition, read but not resolved.

    Attributes
    ----------
    comment
        The table comment: the first line, where that is a ``#`` line.
    primary, secondary
        What stands before and after ``---``, in order.
    lines
        The lines of the text, for errors.
    """

    comment: str
    primary: tuple[Item, ...]
    secondary: tuple[Item, ...]
    lines: tuple[str, ...]

    def error(self, message: str, item: Item) -> DefinitionError:
        """Return the error that points at an item."""
        return definition_error(message, self.lines[item.line - 1], item.line, item.column - 1)
