"""Default values: whether a literal can be of its type, its one canonical text, and reading the catalog's."""

from __future__ import annotations

import re

from djcli.definition.attribute import AttributeType, Default, core_of_column
from djcli.definition.tokens import CLOCK, QUOTES, end_of_quoted, end_of_word, is_number, unquote
from djcli.errors import DefinitionError
from djcli.names import did_you_mean

_WORDS = re.compile(r"CURRENT_USER|SESSION_USER|CURRENT_ROLE|CURRENT_CATALOG|USER", re.IGNORECASE)
_CALL = re.compile(r"[A-Za-z_][\w.]*\s*\(")
_INTEGERS = ("int8", "int16", "int32", "int64")
_NOT_TEMPORAL = frozenset(
    (*_INTEGERS, "float32", "float64", "decimal", "bool", "uuid", "json", "bytes", "enum", "codec")
)


def literal_default(type_: AttributeType, value: str) -> Default:
    """Return the default for a literal in its canonical text, so that ``5`` and ``"5"`` are equal.

    Parameters
    ----------
    type_
        The type of the attribute.
    value
        The literal without quotes.

    Raises
    ------
    DefinitionError
        If the value cannot be one of the type.
    """
    if type_.is_identity:
        raise DefinitionError(f"the database numbers the rows of {type_.text}: it takes no default")
    if type_.name == "codec":
        raise DefinitionError(f"the only default of {type_.text} is null, not {value!r}")
    if type_.is_enum:
        if value not in type_.labels:
            raise DefinitionError(
                f"default {value!r} is no label of {type_.text}{did_you_mean(value, type_.labels)}"
            )
        return Default(value)
    # decimal and datetime are slow to load, and many definitions have no such default
    from djcli.definition.literals import canonical_literal

    try:
        return Default(canonical_literal(*_kind(type_), value))
    except ArithmeticError:
        reason = ""
    except ValueError as error:
        reason = str(error)
    raise DefinitionError(f"default {value!r} is not a value of {type_.text}{reason}")


def expression_default(type_: AttributeType, text: str) -> Default:
    """Return the default for an SQL expression, such as ``CURRENT_TIMESTAMP``.

    Raises
    ------
    DefinitionError
        If the expression cannot give a value of the type, or is more than one expression.
    """
    text = _strip_parentheses(text.strip())
    if type_.is_identity:
        raise DefinitionError(f"the database numbers the rows of {type_.text}: it takes no default")
    clock = CLOCK.fullmatch(text)
    if clock:
        if type_.name in _NOT_TEMPORAL:
            raise DefinitionError(f"default {text} is not a value of {type_.text}")
        text = re.sub(r"\s", "", text.upper())
    elif _WORDS.fullmatch(text):
        text = text.upper()
    elif type_.name == "codec":
        raise DefinitionError(f"the only default of {type_.text} is null, not {text}")
    else:
        text = _checked_expression(text)
    return Default(text, is_expression=True)


def is_expression(text: str) -> bool:
    """Whether unquoted text is an SQL expression rather than a literal."""
    return (
        CLOCK.fullmatch(text) is not None
        or _WORDS.fullmatch(text) is not None
        or text.startswith("(")
        or (_CALL.match(text) is not None and text.endswith(")"))
    )


def default_from_catalog(text: str | None, type_: AttributeType) -> Default | None:
    """Return the default that the catalog's text means.

    Parameters
    ----------
    text
        What ``pg_get_expr`` prints: ``'5'::smallint``, ``5``, ``NULL::bpchar``, ``CURRENT_TIMESTAMP``.
    type_
        The type of the column.

    Returns
    -------
    Default or None
        None when there is none, or it is null. What is no literal of the type is an expression.
    """
    if text is None or type_.is_identity:
        return None
    stripped = _strip_casts(text)
    if stripped.upper() == "NULL":
        return None
    literal = _literal(stripped)
    try:
        if literal is not None:
            return literal_default(type_, literal)
        return expression_default(type_, text)
    except DefinitionError:
        return Default(text, is_expression=True)


def _kind(type_: AttributeType) -> tuple[str, tuple[int, ...]]:
    """Return the core type whose literals the type takes, with its arguments."""
    if type_.is_core:
        return type_.name, type_.args
    core = core_of_column(type_.column) or ("decimal" if type_.column == "numeric" else "")
    name, _, inside = core.partition("(")
    return name, tuple(int(number) for number in inside.rstrip(")").split(",") if number)


# ---- expressions ------------------------------------------------------------------------------------


def _checked_expression(text: str) -> str:
    """Return the expression, refusing what would end the statement or hide the rest of it."""
    end, unclosed = end_of_word(text, 0, "")
    if unclosed >= 0 or end < len(text) or not text:
        raise DefinitionError(f"default {text}: a quote or parenthesis is never closed")
    outside = re.sub(r"'[^']*'|\"[^\"]*\"", "", text)
    if ";" in outside or "--" in outside or "/*" in outside or outside.count("(") != outside.count(")"):
        raise DefinitionError(f"default {text}: this is not one SQL expression")
    return text


def _strip_parentheses(text: str) -> str:
    """Take off parentheses around the whole, each pair in turn."""
    closing = _closings(text)
    start, stop = 0, len(text)
    while start < stop and text[start] == "(" and closing.get(start) == stop - 1:
        start, stop = start + 1, stop - 1
        while start < stop and text[start].isspace():
            start += 1
        while start < stop and text[stop - 1].isspace():
            stop -= 1
    return text[start:stop]


def _closings(text: str) -> dict[int, int]:
    """Return the position of the closing parenthesis for each opening one outside of quotes."""
    found: dict[int, int] = {}
    open_at: list[int] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char in QUOTES:
            end = end_of_quoted(text, position)
            if end < 0:
                break
            position = end
            continue
        if char == "(":
            open_at.append(position)
        elif char == ")" and open_at:
            found[open_at.pop()] = position
        position += 1
    return found


_NAME = r'(?:"(?:[^"]|"")*"|[A-Za-z_][\w ]*)'
_CAST = re.compile(rf"::{_NAME}(?:\.{_NAME})?(?:\(\d+(?:,\d+)?\)(?: with(?:out)? time zone)?)?(?:\[\])?")


def _strip_casts(text: str) -> str:
    """Return the literal inside ``('5'::integer)::smallint``, or the text as it is."""
    text = text.strip()
    whole = _strip_parentheses(text)
    if whole[:1] in QUOTES or whole[:2] in {"E'", "e'"}:
        end = end_of_quoted(whole, 0 if whole[0] in QUOTES else 1)
    elif whole.startswith("("):
        end = _closings(whole).get(0, -1) + 1
    else:
        end = whole.find("::")
    if end <= 0 or end == len(whole) or not _CAST.fullmatch(whole, end):
        return whole
    inner = whole[:end]
    return _strip_casts(inner) if inner != text else inner


def _literal(text: str) -> str | None:
    """Return the value of a quoted string, a number or a boolean; None for anything else."""
    if text[:1] == "'" or text[:2] in {"E'", "e'"}:
        start = text.index("'")
        return unquote(text) if end_of_quoted(text, start) == len(text) else None
    number = re.sub(r"^([+-])\s+", r"\1", text)
    if is_number(number):
        return number
    return text if text.lower() in {"true", "false"} else None
