"""The grammar of table definitions: text to a frozen `ParsedTable`, or an error that points at the place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from djcli.definition.attribute import AttributeType, Default
from djcli.definition.defaults import expression_default, is_expression, literal_default
from djcli.definition.line import Line
from djcli.definition.specs import AttributeSpec, ForeignKeySpec, IndexSpec, Item, ParsedTable
from djcli.definition.tokens import QUOTES, end_of_quoted, end_of_word, unquote
from djcli.definition.types import column_comment_hides_type, parse_type
from djcli.errors import DataJointError, DefinitionError
from djcli.names import ATTRIBUTE_NAME, check_identifier, did_you_mean

__all__ = ["AttributeSpec", "ForeignKeySpec", "IndexSpec", "Item", "ParsedTable", "parse_definition"]

_Result = TypeVar("_Result")


def parse_definition(text: str) -> ParsedTable:
    """Parse the definition of a table.

    Parameters
    ----------
    text
        The definition as the class has it; lines count from its first one, empty or not.

    Raises
    ------
    DefinitionError
        With line, column and the line's text, if anything cannot be read.
    """
    lines = tuple(text.split("\n"))
    comment: str | None = None
    sections: list[list[Item]] = [[]]
    separator = 0
    taken: dict[str, int] = {}
    for number, source in enumerate(lines, 1):
        line = Line(source, number)
        if line.at_end:
            continue
        if line.char == "#":
            comment = line.text[line.position + 1 :].strip() if comment is None else comment
            continue
        comment = comment or ""
        if line.text.startswith("--", line.position):
            if separator:
                raise line.error(f"a second line of dashes: the key ended at line {separator} already")
            _separator(line)
            separator = number
            sections.append([])
            continue
        item = _item(line, in_key=not separator)
        if isinstance(item, AttributeSpec):
            if item.name in taken:
                raise line.error(
                    f"attribute {item.name} is declared at line {taken[item.name]} already", item.column - 1
                )
            taken[item.name] = number
        sections[-1].append(item)
    if not any(sections) and not separator:
        raise DefinitionError("the definition declares nothing: write name : type, or -> Parent", line=1)
    primary, secondary = tuple(sections[0]), tuple(sections[1]) if separator else ()
    return ParsedTable(comment or "", primary, secondary, lines)


_DASHES = re.compile(r"-+")
_INDEX = re.compile(r"(?:unique\s+)?index\s*\(", re.IGNORECASE)
_WORD = re.compile(r"[^\s=:#,()\[\]'\"]+")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*")
_CALL = re.compile(r"\(\s*\)")
_PROJ = re.compile(r"\.\s*proj\s*(?=\()")
_OPTIONS = ("nullable", "unique")


def _separator(line: Line) -> None:
    dashes = line.take(_DASHES) or ""
    if len(dashes) < 3:
        raise line.error("the key ends with a line of three dashes or more: ---", line.position - len(dashes))
    if not line.is_done:
        raise line.error("nothing but a comment can follow the dashes")


def _item(line: Line, *, in_key: bool) -> Item:
    if line.text.startswith("->", line.position):
        return _foreign_key(line, in_key=in_key)
    if _INDEX.match(line.text, line.position):
        return _index(line)
    return _attribute(line, in_key=in_key)


# ---- attributes -------------------------------------------------------------------------------------


def _attribute(line: Line, *, in_key: bool) -> AttributeSpec:
    start = line.position
    name = line.take(_WORD)
    if name is None:
        raise line.error("expected an attribute (name : type), a foreign key (-> Parent), an index or ---")
    _check_name(line, name, start)
    default_text, default_at = None, 0
    if line.take_char("="):
        default_at = line.position
        default_text = _span(line, ":#")
    if line.char != ":" or line.at_end:
        raise line.error(_missing_type(line, name, default_text))
    line.take_char(":")
    type_at = line.position
    type_text = _span(line, "#")
    if not type_text:
        raise line.error(f"the type of {name} is missing: {name} : int32", type_at)
    type_ = _at(line, type_at, lambda: parse_type(type_text))
    if in_key and (type_.name == "codec" or type_.column == "jsonb"):
        raise line.error(f"{name} belongs to the primary key: it cannot be {type_.text}", type_at)
    nullable = default_text is not None and default_text.lower() == "null"
    if nullable and in_key:
        raise line.error(f"{name} belongs to the primary key: it cannot be null", default_at)
    default = None
    if default_text is not None and not nullable:
        text = default_text
        default = _at(line, default_at, lambda: _default(type_, text))
    if nullable and type_.is_identity:
        raise line.error(f"the database numbers the rows of {type_.text}: it takes no default", default_at)
    comment_at = line.position
    comment = line.text[comment_at + 1 :].strip()
    if column_comment_hides_type(type_, comment):
        raise line.error(
            f"this comment would be read as a type: reword it, or use a core type for {name}", comment_at
        )
    return AttributeSpec(name, type_, nullable, default, comment, line.number, start + 1)


def _missing_type(line: Line, name: str, default: str | None) -> str:
    if line.is_done:
        return f"the type of {name} is missing: {name} : int32"
    if default is None:
        return f"expected '=' or ':' after the attribute name {name}"
    return f"expected ':' and the type after the default of {name}"


def _check_name(line: Line, name: str, start: int) -> None:
    if name.startswith("_"):
        raise line.error(f"attribute name {name}: a leading underscore is reserved for the system", start)
    if not ATTRIBUTE_NAME.fullmatch(name):
        hint = ""
        if ATTRIBUTE_NAME.fullmatch(name.lower()):
            hint = f" - did you mean {name.lower()}?"
        raise line.error(
            f"attribute name {name!r} must be a small letter, then small letters, digits and _{hint}", start
        )
    _at(line, start, lambda: check_identifier("attribute", name))


def _span(line: Line, stops: str) -> str:
    """Read up to a stop outside of quotes and parentheses."""
    start = line.position
    end, unclosed = end_of_word(line.text, start, stops)
    if unclosed >= 0:
        what = "parenthesis" if line.text[unclosed] == "(" else "quote"
        raise line.error(f"this {what} is never closed", unclosed)
    line.position = end
    return line.text[start:end].strip()


def _at(line: Line, offset: int, action: Callable[[], _Result]) -> _Result:
    """Run `action`; its error points at `offset`."""
    try:
        return action()
    except DataJointError as error:
        raise line.error(
            error.message if isinstance(error, DefinitionError) else str(error), offset
        ) from error


def _default(type_: AttributeType, text: str) -> Default:
    if not text:
        raise DefinitionError("the default is missing: write '' for an empty text, null for none")
    quote_at = 1 if text[:2] in {"E'", "e'"} else 0
    if text[quote_at] in QUOTES:
        if end_of_quoted(text, quote_at) != len(text):
            raise DefinitionError(f"default {text}: there is more after the closing quote")
        return literal_default(type_, unquote(text))
    if is_expression(text):
        return expression_default(type_, text)
    if any(quote in text for quote in QUOTES):
        raise DefinitionError(f"default {text}: put all of it in quotes")
    return literal_default(type_, text)


# ---- foreign keys -----------------------------------------------------------------------------------


def _foreign_key(line: Line, *, in_key: bool) -> ForeignKeySpec:
    line.position += 2
    line.skip_spaces()
    options = _options(line, in_key=in_key)
    start = line.position
    dotted = line.take(_DOTTED)
    if dotted is None:
        raise line.error("a foreign key names its parent: -> Parent")
    parent = re.sub(r"\s", "", dotted)
    renames: tuple[tuple[str, str], ...] = ()
    if line.char == "(" and parent.endswith(".proj"):
        parent = parent.removesuffix(".proj")
        renames = _projection(line)
    elif line.take(_CALL) is not None and line.take(_PROJ) is not None:
        renames = _projection(line)
    if not line.is_done:
        raise line.error(f"only a comment can follow {parent}; renaming is written {parent}.proj(new='old')")
    return ForeignKeySpec(parent, renames, "nullable" in options, "unique" in options, line.number, start + 1)


def _options(line: Line, *, in_key: bool) -> set[str]:
    found: set[str] = set()
    while line.take_char("["):
        while True:
            start = line.position
            word = line.take(_WORD)
            if word is None:
                raise line.error("expected an option: nullable or unique")
            option = word.lower()
            if option not in _OPTIONS:
                known = " or ".join(_OPTIONS)
                raise line.error(
                    f"unknown foreign-key option {word!r}"
                    + (did_you_mean(word, _OPTIONS) or f": the options are {known}"),
                    start,
                )
            if option == "nullable" and in_key:
                raise line.error("a foreign key of the primary key cannot be nullable", start)
            found.add(option)
            if line.take_char("]"):
                break
            if not line.take_char(","):
                raise line.error("expected ',' or ']' after the option")
    return found


def _projection(line: Line) -> tuple[tuple[str, str], ...]:
    """Read ``(new='old', …)``; a name alone in quotes stands for itself."""
    renames: dict[str, str] = {}
    renamed: set[str] = set()
    line.take_char("(")
    while not line.take_char(")"):
        start = line.position
        if line.char in QUOTES:
            old = _quoted_name(line)
            if line.char == "=":
                raise line.error(f"the new name stands without quotes: {old}='...'", start)
            new = old
        else:
            new = line.take(_WORD)
            if new is None:
                raise line.error("expected new='old' or ')'")
            _check_name(line, new, start)
            if not line.take_char("="):
                raise line.error(f"expected '=' and the parent's attribute after {new}: {new}='old'")
            if line.char not in QUOTES:
                raise line.error(f"the parent's attribute stands in quotes: {new}='old'")
            old = _quoted_name(line)
        if new in renames:
            raise line.error(f"{new} stands twice in proj", start)
        if old in renamed:
            raise line.error(f"the parent's attribute {old!r} stands twice in proj", start)
        renames[new] = old
        renamed.add(old)
        if not line.take_char(",") and line.char != ")":
            raise line.error("expected ',' or ')'")
    return tuple(renames.items())


def _quoted_name(line: Line) -> str:
    end = end_of_quoted(line.text, line.position)
    if end < 0:
        raise line.error("this quote is never closed")
    name = unquote(line.text[line.position : end])
    if not ATTRIBUTE_NAME.fullmatch(name):
        raise line.error(f"{name!r} is not the name of an attribute")
    line.position = end
    line.skip_spaces()
    return name


# ---- indexes ----------------------------------------------------------------------------------------


def _index(line: Line) -> IndexSpec:
    start = line.position
    head = line.take(_INDEX) or ""
    attributes: dict[str, None] = {}
    while True:
        word_at = line.position
        word = line.take(_WORD)
        if word is None:
            raise line.error("expected the name of an attribute")
        if not ATTRIBUTE_NAME.fullmatch(word):
            raise line.error(f"{word!r} is not the name of an attribute", word_at)
        if word in attributes:
            raise line.error(f"{word} stands twice in the index", word_at)
        attributes[word] = None
        if line.take_char(")"):
            break
        if not line.take_char(","):
            raise line.error("expected ',' or ')' after the attribute")
    if not line.is_done:
        raise line.error("nothing but a comment can follow an index")
    return IndexSpec(tuple(attributes), head[:1] in "uU", line.number, start + 1)
