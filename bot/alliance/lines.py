"""Where each key of a TOML text stands, because an error that names the line is one that people can mend.

tomllib checks the text but keeps no positions. This index trusts that check and only follows the text: it knows
strings, arrays, inline tables and comments just well enough not to mistake one for another. In a text that
tomllib refused it goes as far as it can, which still tells on which line the broken value began.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from contextlib import suppress

Place = tuple[str | int, ...]
"""The way to a value: keys of tables and positions in arrays, as in `("community", 0, "unit", 2, "chat")`."""

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # up to two quotes may stand before the closing three
    r"|'''.*?'{3,5}"
    r'|(?!""")"(?:\\.|[^"\\\n])*"'
    r"|(?!''')'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")


class _Lost(Exception):
    """The text is no TOML from here on."""


class Lines:
    """The line, counted from 1, of each table, key and array element of `text`."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._newlines = [found.start() for found in re.finditer("\n", self._text)]
        self._found: dict[Place, int] = {}
        self._tables: dict[Place, int] = {}  # how many [[tables]] of this name have begun
        self._statements: list[tuple[int, Place]] = []
        self._at = 0
        with suppress(_Lost, ValueError, RecursionError):
            self._follow()

    def of(self, place: Place) -> int:
        """The line of `place`, or of the nearest thing around it that is written down."""
        while place and place not in self._found:
            place = place[:-1]
        return self._found.get(place, 1)

    def statement(self, line: int | None) -> tuple[int, Place]:
        """The line and place of the last statement that begins on `line` or before it (None: in the whole text)."""
        begun = [(start, place) for start, place in self._statements if line is None or start <= line]
        return begun[-1] if begun else (line or 1, ())

    def _follow(self) -> None:
        table: Place = ()
        while self._skip(_BLANK) < len(self._text):
            line = self._line()
            self._statements.append((line, ()))
            header = self._text[self._at] == "["
            place = self._header() if header else self._keys(table, "=")
            self._statements[-1] = (line, place)
            if header:
                table = place
            else:
                self._value(place)

    def _header(self) -> Place:
        start, many = self._at, self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        place: Place = ()
        names = self._names("]]" if many else "]")
        for depth, name in enumerate(names, 1):
            place = (*place, name)
            if depth == len(names) and many:
                self._tables[place] = self._tables.get(place, 0) + 1
            self._mark(place, start)
            if place in self._tables:  # a [[table]]: what follows belongs to the latest one
                place = (*place, self._tables[place] - 1)
                self._mark(place, start)
        return place

    def _keys(self, table: Place, end: str) -> Place:
        start, place = self._at, table
        for name in self._names(end):
            place = (*place, name)
            self._mark(place, start)
        return place

    def _names(self, end: str) -> list[str]:
        names = []
        while True:
            self._skip(_SPACE)
            if quoted := _STRING.match(self._text, self._at):
                names.append(str(tomllib.loads(f"key = {quoted[0]}")["key"]))
                self._at = quoted.end()
            elif bare := _BARE_KEY.match(self._text, self._at):
                names.append(bare[0])
                self._at = bare.end()
            else:
                raise _Lost
            self._skip(_SPACE)
            if self._take(end):
                return names
            if not self._take("."):
                raise _Lost

    def _value(self, place: Place) -> None:
        self._skip(_SPACE)
        if self._take("["):
            self._elements(place)
        elif self._take("{"):
            self._pairs(place)
        elif self._text.startswith(('"', "'"), self._at):
            self._match(_STRING)
        else:
            self._match(_BARE_VALUE)

    def _elements(self, place: Place) -> None:
        count = 0
        self._skip(_BLANK)
        while not self._take("]"):
            element = (*place, count)
            self._mark(element, self._at)
            self._value(element)
            self._comma("]")
            count += 1

    def _pairs(self, place: Place) -> None:
        self._skip(_BLANK)
        while not self._take("}"):
            self._value(self._keys(place, "="))
            self._comma("}")

    def _comma(self, end: str) -> None:
        self._skip(_BLANK)
        if not self._take(",") and not self._text.startswith(end, self._at):
            raise _Lost
        self._skip(_BLANK)

    def _mark(self, place: Place, position: int) -> None:
        self._found.setdefault(place, self._line(position))

    def _line(self, position: int | None = None) -> int:
        return bisect_left(self._newlines, self._at if position is None else position) + 1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        if found := pattern.match(self._text, self._at):
            self._at = found.end()
        return self._at

    def _match(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        if not found:
            raise _Lost
        self._at = found.end()

    def _take(self, sign: str) -> bool:
        taken = self._text.startswith(sign, self._at)
        self._at += len(sign) if taken else 0
        return taken
