"""Reading `--restrict ATTR=VALUE`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import typer

OPERATORS = ("=", "!=", "<", "<=", ">", ">=")

_RESTRICTION = re.compile(
    r"\s*(?P<attribute>[\w.]*)(?P<gap>\s*)(?P<operator>!=|<=|>=|=|<|>)(?P<text>.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Restriction:
    """One comparison as typed; the value is text until an attribute's type says what it is.

    Attributes
    ----------
    attribute
        The attribute's name.
    operator
        One of `OPERATORS`.
    text
        The value.
    table
        The table that the attribute is of, where it was told: ``Subject.species=…``.
    """

    attribute: str
    operator: str
    text: str
    table: str = ""

    def __str__(self) -> str:
        """Show it as it may be typed."""
        return f"{self.table}{'.' * bool(self.table)}{self.attribute}{self.operator}{self.text}"


def parse_restriction(given: str) -> Restriction:
    """Read one `--restrict`.

    Blanks around the operator are no part of the value where there is one in front of it:
    `'subject_id = M001'` means what `subject_id=M001` means.

    Raises
    ------
    typer.BadParameter
        If there is no attribute or no operator.
    """
    match = _RESTRICTION.fullmatch(given)
    if match is None:
        if re.fullmatch(r"\s*[\w.]+\s*", given):
            advice = f"{given.strip()!r} has no operator: write ATTR=VALUE, with one of {' '.join(OPERATORS)}"
        else:
            advice = f"{given!r} is not ATTR=VALUE: an attribute, one of {' '.join(OPERATORS)}, and a value"
        raise typer.BadParameter(advice, param_hint="--restrict")
    name, operator, text = match["attribute"], match["operator"], match["text"]
    if not all(part.isidentifier() for part in name.split(".")):
        wrong = f"{name!r} is no attribute" if name else "there is no attribute"
        raise typer.BadParameter(
            f"{given!r}: {wrong} before {operator!r}: write ATTR=VALUE", param_hint="--restrict"
        )
    if operator == "=" and text.startswith("="):
        raise typer.BadParameter(f"{given!r}: write = once: {name}{text}", param_hint="--restrict")
    table, _, attribute = name.rpartition(".")
    return Restriction(attribute, operator, text.strip() if match["gap"] else text, table)


def parse_restrictions(given: Iterable[str] | None) -> list[Restriction]:
    """Read every `--restrict`; all of them must hold."""
    return [parse_restriction(text) for text in given or ()]
