"""One table of the alliance file, read key by key: what is wrong in it ends in one line with file, line and cure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from bot.alliance.lines import Lines, Place
from bot.domain.durations import Duration
from bot.domain.worktime import Hours

HINTS = {"key": 'key = "water"', "name": 'name = "水务公司"', "prefix": 'prefix = "SD"'}
"""What to write for the keys that must be there."""

_FAR = 2**52  # Telegram: an id has at most 52 significant bits
_WORDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number with a point",
    str: "text in quotes",
    list: "a list in [ ]",
    dict: "a table",
}


class AllianceError(Exception):
    """The alliance file cannot be used; the text is one line that names file, line and cure."""


@dataclass(frozen=True)
class Source:
    """The file's name and the lines of its keys: all that an error needs."""

    name: str
    lines: Lines

    def wrong(self, place: Place, text: str) -> AllianceError:
        """The error that points at `place`."""
        return AllianceError(f"{self.name}, line {self.lines.of(place)}: {text}")


class Table:
    """The table at `place`. Each reader takes a key's name, checks its type and raises AllianceError."""

    def __init__(self, found: Mapping[str, object], place: Place, source: Source) -> None:
        self.found = found
        self.place = place
        self.source = source

    @property
    def label(self) -> str:
        """The table's header as people write it: `[[community.unit]]`."""
        names = [name for name in self.place if isinstance(name, str)]
        written = ".".join(name if re.fullmatch(r"[\w-]+", name, re.ASCII) else quoted(name) for name in names)
        if not names:
            return "the file"
        return f"[[{written}]]" if isinstance(self.place[-1], int) else f"[{written}]"

    def wrong(self, key: str, text: str, *inside: int) -> AllianceError:
        """The error that points at `key`, or at one element of its list."""
        return self.source.wrong((*self.place, key, *inside), text)

    def only(self, known: Iterable[str], elsewhere: Mapping[str, str] | None = None) -> None:
        """Refuse a key that is not `known`; `elsewhere` tells for keys of other tables where they belong."""
        known = list(known)
        for key in self.found:
            if key in known:
                continue
            if elsewhere and key in elsewhere:
                cure = elsewhere[key]
            elif near := get_close_matches(key, known, n=1):
                cure = f"did you mean {quoted(near[0])}?"
            else:
                cure = f"known here: {', '.join(known)}"
            raise self.wrong(key, f"unknown key {quoted(key)} in {self.label}: {cure}")

    def text(self, key: str, default: str | None = None) -> str:
        """Text without control characters; `default` None means that the key must be there."""
        found = self.found.get(key, default)
        if found is None:
            raise self.source.wrong(self.place, f'{self.label} has no "{key}": write {HINTS[key]}')
        return self._text(key, found)

    def name(self, key: str = "name") -> str:
        """Text that people read, 1–64 characters."""
        found = self.text(key).strip()
        if not 1 <= len(found) <= 64:
            raise self.wrong(key, f'"{key}" in {self.label} must have 1 to 64 characters: write {HINTS[key]}')
        return found

    def shaped(self, key: str, pattern: str, form: str) -> str:
        """Text that matches `pattern`, which `form` describes."""
        found = self.text(key)
        if not re.fullmatch(pattern, found):
            raise self.wrong(key, f'"{key}" in {self.label} is {quoted(found)}: write {form}, as in {HINTS[key]}')
        return found

    def choice(self, key: str, options: tuple[str, ...]) -> str:
        """One of `options`, of which the first is the default."""
        found = self.text(key, options[0])
        if found in options:
            return found
        near = get_close_matches(found, options, n=1)
        cure = f"did you mean {quoted(near[0])}?" if near else f"write {' or '.join(map(quoted, options))}"
        raise self.wrong(key, f'"{key}" in {self.label} cannot be {quoted(found)}: {cure}')

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of texts, in the order written; the place of the n-th is `(key, n)`."""
        found = self._list(key, default)
        return tuple(self._text(key, item, n) for n, item in enumerate(found))

    def chat(self, key: str) -> int | None:
        """A group's id (negative), or None when the key is left out."""
        return self._chat(key, self.found[key]) if key in self.found else None

    def chats(self, key: str) -> tuple[int, ...]:
        """Ids of groups, all negative."""
        return tuple(self._chat(key, item, n) for n, item in enumerate(self._list(key)))

    def people(self, key: str) -> tuple[int, ...]:
        """Ids of people, all positive; one named twice counts once."""
        found = [self._whole(key, item, n) for n, item in enumerate(self._list(key))]
        for n, person in enumerate(found):
            if not 0 < person < _FAR:
                cure = "a person's id is positive, a negative one is a group's"
                raise self.wrong(key, f'"{key}" in {self.label} holds {person}: {cure}', n)
        return tuple(dict.fromkeys(found))

    def count(self, key: str, default: int, most: int) -> int:
        """A whole number from 0 to `most`."""
        found = self._whole(key, self.found.get(key, default))
        if not 0 <= found <= most:
            raise self.wrong(key, f'"{key}" in {self.label} cannot be {found}: write 0 (none) to {most}')
        return found

    def duration(self, key: str) -> Duration | None:
        """A duration ("30m", "4wh"), or None when the key is left out."""
        if key not in self.found:
            return None
        try:
            return Duration.parse(self.text(key))
        except ValueError as error:
            raise self.wrong(key, f'"{key}" in {self.label}: {error}') from None

    def hours(self, key: str, default: str) -> str:
        """Spans of the day ("21:30-07:00"), as written; "" means none."""
        written = self.text(key, default)
        try:
            Hours.parse(written)
        except ValueError as error:
            raise self.wrong(key, f'"{key}" in {self.label}: {error}') from None
        return written

    def tables(self, key: str) -> list[Table]:
        """The `[[key]]` tables below this one, in the order written."""
        place = (*self.place, key)
        found = self.found.get(key, [])
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            header = Table({}, (*place, 0), self.source).label
            raise self.wrong(key, f'"{key}" must be written as {header}, with two brackets each side')
        return [Table(item, (*place, n), self.source) for n, item in enumerate(found)]

    def _text(self, key: str, found: object, *inside: int) -> str:
        if not isinstance(found, str):
            raise self._mistyped(key, str, found, *inside)
        if any(unicodedata.category(sign) == "Cc" for sign in found):
            raise self.wrong(key, f'"{key}" in {self.label} holds a control character: take it out', *inside)
        return found

    def _chat(self, key: str, found: object, *inside: int) -> int:
        chat = self._whole(key, found, *inside)
        if not -_FAR < chat < 0:
            cure = "a group's id is negative, as in -1001234567890"
            raise self.wrong(key, f'"{key}" in {self.label} cannot be {chat}: {cure}', *inside)
        return chat

    def _whole(self, key: str, found: object, *inside: int) -> int:
        if type(found) is not int:  # bool is an int too
            raise self._mistyped(key, int, found, *inside)
        return found

    def _list(self, key: str, default: tuple[str, ...] = ()) -> list[object]:
        found = self.found.get(key, list(default))
        if not isinstance(found, list):
            raise self._mistyped(key, list, found)
        return found

    def _mistyped(self, key: str, wanted: type, found: object, *inside: int) -> AllianceError:
        where = f'"{key}" in {self.label}'
        whose = f"each entry of {where}" if inside else where
        is_now = _WORDS.get(type(found), "a date or time")
        return self.wrong(key, f"{whose} must be {_WORDS[wanted]}, not {is_now}", *inside)


def quoted(text: str) -> str:
    """`text` in double quotes on one line: what cannot be printed is escaped, what is long is cut."""
    shown = repr(text if len(text) <= 60 else text[:60] + "…")[1:-1]
    return f'"{shown}"'
