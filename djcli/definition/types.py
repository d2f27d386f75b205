"""Attribute types: parsing their text, and both ways between a type and its column.

The core types, the native ones PostgreSQL offers, enums and codecs, as the physical schema has them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from djcli.definition.attribute import CORE_COLUMNS, Attribute, AttributeType, core_of_column
from djcli.definition.defaults import default_from_catalog
from djcli.definition.native import NATIVE_NAMES, core_advice, native_column
from djcli.definition.tokens import QUOTES, end_of_quoted, end_of_word, quote, unquote
from djcli.errors import DataJointError, DefinitionError
from djcli.names import MAX_IDENTIFIER_BYTES, did_you_mean

__all__ = [
    "CORE_NAMES",
    "AttributeType",
    "column_comment",
    "decode_comment",
    "default_from_catalog",
    "encode_comment",
    "enum_type",
    "native_warning",
    "parse_type",
    "type_from_column",
]

CORE_NAMES = (*CORE_COLUMNS, "decimal", "char", "varchar", "enum")
"""The names of the core types."""

_MAX_LENGTH = 10_485_760  # PostgreSQL's limit for character(n)
_MAX_PRECISION = 1000
_CODEC = re.compile(r"<\s*([A-Za-z_]\w*)\s*(?:(@)\s*([\w.-]*)\s*)?>")
_SIZED = re.compile(r"([^()]*)\(([^()]*)\)([^()]*)")
_NUMBERS = re.compile(r"\s*\d{1,9}\s*(?:,\s*\d{1,9}\s*)?", re.ASCII)


def parse_type(text: str) -> AttributeType:
    """Parse the text of a type.

    Parameters
    ----------
    text
        As in a definition: ``varchar(16)``, ``Enum('a', "b")``, ``<blob@store>``, ``int unsigned``.

    Raises
    ------
    DefinitionError
        If there is no such type, or its arguments are out of range.
    """
    text = text.strip()
    if text.startswith("<"):
        return _parse_codec(text)
    return _parse_plain(text)


@lru_cache(maxsize=4096)
def _parse_plain(text: str) -> AttributeType:
    if not text:
        raise DefinitionError("the type is missing")
    if re.match(r"enum\s*\(", text, re.IGNORECASE):
        return enum_type(_enum_labels(text))
    if text.endswith("[]"):
        element = _parse_plain(text[:-2].strip()) if not text.endswith("[][]") else None
        if element is None or element.is_enum or element.is_identity:
            raise DefinitionError(f"no array type {text!r}: one dimension of a plain type is what there is")
        return AttributeType("native", f"{element.column}[]", f"{element.column}[]")
    words, args = _words_and_args(text)
    if words in CORE_COLUMNS or words in {"decimal", "char", "varchar"}:
        core = _core_type(words, args, text)
        if core is not None:
            return core
    native = native_column(words, args)
    if native is None:
        raise DefinitionError(_unknown(text, words))
    column, identity = native
    return AttributeType(
        "native", f"{column} auto_increment" if identity else column, column, is_identity=identity
    )


def _unknown(text: str, words: str) -> str:
    if words in NATIVE_NAMES:
        return f"type {text!r}: {words} does not take these arguments"
    if words == "enum":
        return "an enum needs its labels: enum('a','b')"
    hint = did_you_mean(words, CORE_NAMES) or did_you_mean(words, NATIVE_NAMES)
    return f"unknown type {text!r}{hint}"


def _words_and_args(text: str) -> tuple[str, tuple[int, ...]]:
    """Split ``INT (11) unsigned`` into its words in lower case and the numbers in parentheses."""
    args: tuple[int, ...] = ()
    if "(" in text or ")" in text:
        match = _SIZED.fullmatch(text)
        if match is None:
            raise DefinitionError(f"type {text!r}: parentheses do not match")
        before, inside, after = match.groups()
        if not _NUMBERS.fullmatch(inside):
            raise DefinitionError(f"type {text!r}: expected one or two numbers in the parentheses")
        args = tuple(int(number) for number in inside.split(","))
        text = f"{before} {after}"
    return " ".join(text.lower().split()), args


def _core_type(name: str, args: tuple[int, ...], text: str) -> AttributeType | None:
    if name in {"char", "varchar"}:
        if len(args) != 1:
            raise DefinitionError(f"type {text!r}: {name} needs a length, such as {name}(16)")
        _check_range(text, "a length", args[0], 1, _MAX_LENGTH)
        column = "character" if name == "char" else "character varying"
        return AttributeType(name, f"{name}({args[0]})", f"{column}({args[0]})", args)
    if name == "decimal":
        if not args:
            return None  # native: without precision
        precision, scale = (*args, 0)[:2]
        _check_range(text, "a precision", precision, 1, _MAX_PRECISION)
        _check_range(text, "a scale", scale, 0, precision)
        args = (precision, scale)
        return AttributeType(name, f"decimal({precision},{scale})", f"numeric({precision},{scale})", args)
    if name == "datetime" and len(args) == 1:
        _check_range(text, "a number of decimals", args[0], 0, 6)
        return AttributeType(name, f"datetime({args[0]})", f"timestamp({args[0]}) without time zone", args)
    if args:
        raise DefinitionError(f"type {text!r}: {name} does not take these arguments")
    return AttributeType(name, name, CORE_COLUMNS[name])


def _check_range(text: str, what: str, number: int, low: int, high: int) -> None:
    if not low <= number <= high:
        raise DefinitionError(f"type {text!r}: {what} from {low} to {high} is needed, not {number}")


# ---- enums ------------------------------------------------------------------------------------------


def enum_type(labels: Sequence[str], column: str | None = None, schema: str | None = None) -> AttributeType:
    """Return the enum type with these labels.

    Parameters
    ----------
    labels
        In declared order.
    column, schema
        The name and schema of the type in the database, where they are known.

    Raises
    ------
    DefinitionError
        If there is no label, one stands twice, or one is longer than PostgreSQL allows.
    """
    labels = tuple(labels)
    if not labels:
        raise DefinitionError("an enum needs its labels: enum('a','b')")
    seen: set[str] = set()
    for label in labels:
        if label in seen:
            raise DefinitionError(f"the enum label {label!r} stands twice")
        size = len(label.encode("utf-8", "surrogatepass"))
        if size > MAX_IDENTIFIER_BYTES:
            raise DefinitionError(
                f"the enum label {label!r} is {size} bytes long; PostgreSQL allows {MAX_IDENTIFIER_BYTES}"
            )
        seen.add(label)
    text = f"enum({','.join(quote(label) for label in labels)})"
    return AttributeType("enum", text, column or _enum_name(labels), labels=labels, enum_schema=schema)


def _enum_name(labels: tuple[str, ...]) -> str:
    from hashlib import sha256  # heavy for those who have no enum

    # the length before each label keeps ('a', 'b') apart from ('a,b',)
    coded = "".join(f"{len(label)}:{label}" for label in labels)
    return f"enum_{sha256(coded.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _enum_labels(text: str) -> list[str]:
    """Read the labels of ``enum('a', "b")``."""
    labels: list[str] = []
    position = text.index("(") + 1
    while True:
        position = _skip_spaces(text, position)
        start = position
        if text[position : position + 1] in {"E", "e"}:
            position += 1
        if text[position : position + 1] not in QUOTES:
            raise DefinitionError(f"type {text!r}: the labels of an enum stand in quotes: enum('a','b')")
        end = end_of_quoted(text, position)
        if end < 0:
            raise DefinitionError(f"type {text!r}: a quote is never closed")
        labels.append(unquote(text[start:end]))
        position = _skip_spaces(text, end)
        if text[position : position + 1] == ",":
            position += 1
        elif text[position:].rstrip() == ")":
            return labels
        else:
            raise DefinitionError(f"type {text!r}: expected ',' or ')' after the label {labels[-1]!r}")


def _skip_spaces(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


# ---- codecs -----------------------------------------------------------------------------------------


def _parse_codec(text: str) -> AttributeType:
    canonical, codec = _codec_name(text)
    # codecs load numpy and plug-ins: only a definition that names one needs them
    from djcli.codecs.registry import column_type_text

    try:
        column = parse_type(column_type_text(codec)).column
    except DefinitionError:
        raise
    except DataJointError as error:
        raise DefinitionError(str(error)) from error
    return AttributeType("codec", canonical, column, codec=codec)


def _codec_name(text: str) -> tuple[str, str]:
    match = _CODEC.fullmatch(text)
    if match is None:
        raise DefinitionError(f"type {text!r}: a codec is written <name> or <name@store>")
    codec = "".join(part or "" for part in match.groups())
    return f"<{codec}>", codec


# ---- columns ----------------------------------------------------------------------------------------


def native_warning(type_: AttributeType) -> str | None:
    """Return one line that names the core type to use instead of a native one; None for others."""
    if type_.is_core:
        return None
    if type_.is_identity:
        return (
            f"{type_.text!r} is a native type and the database numbers the rows: "
            f"use {core_of_column(type_.column)} and give the key yourself"
        )
    core = core_advice(type_.column)
    if core is None:
        return f"{type_.text!r} is a native type with no core equal: other tools may not read it"
    return f"{type_.text!r} is a native type: use the core type {core}"


def encode_comment(comment: str) -> str:
    r"""Return a comment as the database stores it: ``"`` as ``\"``."""
    return comment.replace('"', '\\"')


def decode_comment(stored: str | None) -> str:
    """Return the comment that is stored so."""
    return (stored or "").replace('\\"', '"')


def column_comment(attribute: Attribute) -> str | None:
    """Return the comment to store for an attribute's column, such as ``:float32:mean rt``.

    Returns
    -------
    str or None
        None for a column that carries none: an inherited one, or a native one without comment.
    """
    if attribute.inherited:
        return None
    if not attribute.type.is_core:
        return encode_comment(attribute.comment) or None
    return encode_comment(f":{attribute.type.text}:{attribute.comment}")


def type_from_column(
    column: str,
    enum_labels: Sequence[str] | None = None,
    comment: str | None = None,
    *,
    is_identity: bool = False,
    enum_schema: str | None = None,
) -> tuple[AttributeType, str]:
    """Tell the type of a column in the database.

    Parameters
    ----------
    column
        The type as ``format_type`` prints it.
    enum_labels, enum_schema
        The labels of an enum's type in their order, and its schema.
    comment
        The column's comment, as it is stored.
    is_identity
        Whether the database numbers the rows.

    Returns
    -------
    tuple
        The type, from the comment where that names one that agrees with the column and else the core
        type of such a column; and the comment without the type.
    """
    inferred = _infer(column, enum_labels, enum_schema, is_identity=is_identity)
    plain = decode_comment(comment)
    type_text, rest = split_comment(plain)
    if type_text is None:
        return inferred, plain
    if type_text.startswith("<"):
        try:
            canonical, codec = _codec_name(type_text)
        except DefinitionError:
            return inferred, plain
        # the codec itself need not be installed to read the catalog
        return AttributeType("codec", canonical, column, codec=codec), rest
    try:
        declared = _parse_plain(type_text)
    except DefinitionError:
        is_type = re.match(r"[a-z]\w*", type_text.lower())
        return inferred, rest if is_type and is_type[0] in CORE_NAMES else plain
    if not declared.is_core:
        return inferred, plain
    if declared.is_enum and set(declared.labels) == set(inferred.labels):
        # the reference system has one type for all orders of the same labels: the comment tells the order
        return replace(declared, column=inferred.column, enum_schema=enum_schema), rest
    return (declared if declared.column == column and not is_identity else inferred), rest


def split_comment(comment: str) -> tuple[str | None, str]:
    """Split ``:type:comment`` into type and comment; None where no type is there."""
    if not comment.startswith(":"):
        return None, comment
    end, unclosed = end_of_word(comment, 1, ":")
    if unclosed >= 0 or end >= len(comment):
        return None, comment
    return comment[1:end].strip(), comment[end + 1 :]


def column_comment_hides_type(type_: AttributeType, comment: str) -> bool:
    """Whether a native column's comment would be taken for ``:type:comment``."""
    return (
        not type_.is_core
        and comment.startswith(":")
        and type_from_column(type_.column, None, comment)[1] != comment
    )


def _infer(
    column: str, enum_labels: Sequence[str] | None, enum_schema: str | None, *, is_identity: bool
) -> AttributeType:
    if enum_labels:
        return enum_type(enum_labels, _last_identifier(column), enum_schema)
    if is_identity:
        return AttributeType("native", f"{column} auto_increment", column, is_identity=True)
    core = core_of_column(column)
    return _parse_plain(core) if core else AttributeType("native", column, column)


def _last_identifier(column: str) -> str:
    """Return ``enum_x`` of ``"My-Schema"."enum_x"``."""
    if column.endswith('"'):
        start = column.rfind('."')
        name = column[start + 2 : -1] if start >= 0 else column[1:-1]
        return name.replace('""', '"')
    return column.rsplit(".", 1)[-1]


def own_enum(type_: AttributeType, schema: str) -> AttributeType:
    """Return the type as a table of `schema` declares it: an enum gets its schema."""
    return replace(type_, enum_schema=schema) if type_.is_enum and type_.enum_schema is None else type_
