"""Reading one line of a definition, and the error that points into it."""

from __future__ import annotations

import re

from djcli.errors import DefinitionError

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_OTHER_SPACE = re.compile(r"[^\S ]")


def definition_error(message: str, text: str, number: int, offset: int) -> DefinitionError:
    """Return the error that points at a place.

    Parameters
    ----------
    text, number
        The line, counted from 1.
    offset
        The place in it, counted from 0.
    """
    # a tab would put the caret elsewhere
    shown = _OTHER_SPACE.sub(" ", _UNSTORABLE.sub("?", text.rstrip()))
    return DefinitionError(message, line=number, column=offset + 1, source=shown)


class Line:
    """One line and the place in it that reading has reached.

    Parameters
    ----------
    text, number
        The line, counted from 1.

    Raises
    ------
    DefinitionError
        If it has a character that PostgreSQL cannot store.
    """

    def __init__(self, text: str, number: int) -> None:
        self.text = text.rstrip()
        self.number = number
        self.position = 0
        unstorable = _UNSTORABLE.search(text)
        if unstorable:
            raise self.error(f"the character {unstorable[0]!r} cannot be stored", unstorable.start())
        self.skip_spaces()

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.position >= len(self.text)

    @property
    def char(self) -> str:
        """The next character, or an empty string."""
        return self.text[self.position : self.position + 1]

    @property
    def is_done(self) -> bool:
        """Whether only a comment is left."""
        return self.at_end or self.char == "#"

    def skip_spaces(self) -> None:
        """Go to the next character that is no space."""
        while not self.at_end and self.text[self.position].isspace():
            self.position += 1

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """Read what matches here and the spaces after it."""
        match = pattern.match(self.text, self.position)
        if match is None:
            return None
        self.position = match.end()
        self.skip_spaces()
        return match[0]

    def take_char(self, char: str) -> bool:
        """Read this character, if it is next, and the spaces after it."""
        if self.char != char or self.at_end:
            return False
        self.position += 1
        self.skip_spaces()
        return True

    def error(self, message: str, offset: int | None = None) -> DefinitionError:
        """Return the error that points at `offset`, or at the place reached."""
        return definition_error(message, self.text, self.number, self.position if offset is None else offset)
