"""`--restrict` against tables: which attributes there are, and what the typed text is a value of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from djcli.algebra.heading import Heading
from djcli.algebra.restriction import Where
from djcli.cli.restriction import Restriction
from djcli.codecs.scalars import parse_text
from djcli.errors import SelectionError
from djcli.names import did_you_mean

RestrictOption = Annotated[
    list[str] | None,
    typer.Option(
        "--restrict",
        "-r",
        metavar="ATTR=VALUE",
        help="Only rows for which this holds; = != < <= > >=. Can be repeated, all must hold.",
    ),
]


def check_attributes(
    restrictions: Iterable[Restriction], headings: Sequence[Heading], what: str = "table"
) -> None:
    """Refuse restrictions by attributes that none of the headings, of tables or of `what`, has.

    Raises
    ------
    SelectionError
        Listing the attributes there are.
    """
    known = list(dict.fromkeys(name for heading in headings for name in heading.names))
    for restriction in restrictions:
        if restriction.attribute not in known:
            raise SelectionError(
                f"--restrict {str(restriction)!r}: no {what} here has an attribute {restriction.attribute!r}"
                f"{did_you_mean(restriction.attribute, known)} (they have {', '.join(known)})"
            )


def conditions(restrictions: Iterable[Restriction], heading: Heading) -> list[Where]:
    """Turn those restrictions whose attribute a heading has into conditions with typed values.

    Raises
    ------
    typer.BadParameter
        If a text is no value of its attribute's type.
    """
    return [_condition(given, heading) for given in restrictions if given.attribute in heading]


def _condition(given: Restriction, heading: Heading) -> Where:
    kind = heading[given.attribute].type
    try:
        value = parse_text(kind.name, kind.column, kind.args, kind.labels, given.text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{str(given)!r}: attribute {given.attribute!r} is {kind.text}: {error}", param_hint="--restrict"
        ) from error
    return Where(given.attribute, given.operator, value)
