"""Changes of single attributes: added, removed, renamed, retyped, and what else may differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from djcli.definition.attribute import Attribute, AttributeType, Default
from djcli.migration.changes import TableChange
from djcli.migration.words import attribute_text, default_text


@dataclass(frozen=True)
class OneSidedAttribute(TableChange):
    """An attribute that only one side has."""

    attribute: Attribute

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {attribute_text(self.attribute)}"


@dataclass(frozen=True)
class AttributeAdded(OneSidedAttribute):
    """The database lacks an attribute."""

    mark: ClassVar[str] = "+"


@dataclass(frozen=True)
class AttributeRemoved(OneSidedAttribute):
    """Only the database has an attribute."""

    mark: ClassVar[str] = "-"


@dataclass(frozen=True)
class AttributeChange(TableChange):
    """Something about one attribute differs."""

    attribute: str


@dataclass(frozen=True)
class AttributeRetyped(AttributeChange):
    """The type of an attribute differs."""

    before: AttributeType
    after: AttributeType

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {self.attribute}: type {self.before.text} becomes {self.after.text}"


@dataclass(frozen=True)
class EnumLabelsChanged(AttributeChange):
    """The labels of an enum differ, or their order does."""

    before: AttributeType
    after: AttributeType

    @property
    def added(self) -> tuple[str, ...]:
        """The labels that the database lacks."""
        return _lacking(self.before, self.after)

    @property
    def removed(self) -> tuple[str, ...]:
        """The labels that only the database has."""
        return _lacking(self.after, self.before)

    def describe(self) -> str:
        """Return one line for people."""
        words = [f"{label!r} added" for label in self.added]
        words += [f"{label!r} removed" for label in self.removed]
        kept = [label for label in self.before.labels if label in self.after.labels]
        if kept != [label for label in self.after.labels if label in self.before.labels]:
            words.append(f"reordered to {self.after.text}")
        return f"attribute {self.attribute}: enum labels {', '.join(words)}"

    def details(self) -> Mapping[str, object]:
        """Return both lists of labels."""
        return {
            "attribute": self.attribute,
            "before": list(self.before.labels),
            "after": list(self.after.labels),
        }


def _lacking(one: AttributeType, other: AttributeType) -> tuple[str, ...]:
    """Return the labels of the other enum that the first lacks."""
    return tuple(label for label in other.labels if label not in one.labels)


@dataclass(frozen=True)
class DefaultChanged(AttributeChange):
    """The default of an attribute differs."""

    before: Default | None
    after: Default | None

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {self.attribute}: default {default_text(self.before)} becomes {default_text(self.after)}"


@dataclass(frozen=True)
class NullabilityChanged(AttributeChange):
    """An attribute may be null where it might not, or the other way."""

    nullable: bool

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {self.attribute}: {'may be null' if self.nullable else 'may no longer be null'}"


@dataclass(frozen=True)
class CommentChanged(AttributeChange):
    """The comment of an attribute differs."""

    before: str
    after: str

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {self.attribute}: comment {self.before!r} becomes {self.after!r}"


@dataclass(frozen=True)
class AttributeRenamed(AttributeChange):
    """An attribute has another name in the database, as the user said."""

    before: str

    def describe(self) -> str:
        """Return one line for people."""
        return f"attribute {self.before} is renamed to {self.attribute}"
