"""Content ready for a channel: text, buttons, pictures. A channel turns it into messages, knowing no incident."""

import hashlib
import html
import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.speech import Speech

CAPTION = 1024
TEXT = 4096
"""Telegram's limits, in UTF-16 units of the text as shown."""
ALBUM = 10
"""Most pictures in one piece (Bot API, sendMediaGroup)."""
SHOWN = 1 + ALBUM
"""Pictures that follow a report by themselves: the card's own and one album; the rest come when they are asked for."""


@dataclass(frozen=True)
class Button:
    """`data` comes back when it is pressed, at most 64 bytes; or `url` opens. `style`: primary, success, danger."""

    text: str
    data: str = ""
    url: str = ""
    style: str = ""


@dataclass(frozen=True)
class Content:
    """One message. `pictures` are keys that `bot.services.picturing` resolves; the first one carries the text."""

    text: str
    """HTML as Telegram reads it: escaped by Speech.say."""
    rows: tuple[tuple[Button, ...], ...] = ()
    pictures: tuple[str, ...] = ()
    album: bool = False
    """The pictures go out without text, in one piece."""
    silent: bool = False
    """Its arrival rings nobody's phone."""

    @property
    def digest(self) -> str:
        return hashlib.blake2b(repr(self).encode(), digest_size=12).hexdigest()


@dataclass(frozen=True)
class Reaction:
    """The bot's one reaction on a message; empty takes it away."""

    emoji: str

    @property
    def digest(self) -> str:
        return f"reaction:{self.emoji}"


@dataclass(frozen=True)
class Gone:
    """The message is to disappear; where Telegram no longer lets it, it shrinks to `text`."""

    text: str

    @property
    def digest(self) -> str:
        return "gone"


@dataclass(frozen=True)
class Menu:
    """The commands a chat offers: (name, what it does)."""

    commands: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        return f"menu:{self.commands}"


Shape = Content | Reaction | Gone | Menu


@dataclass(frozen=True)
class Screen:
    """Who reads it: language, the moment, the community's zone."""

    speech: Speech
    now: datetime
    zone: ZoneInfo


def units(text: str) -> int:
    """Length as Telegram counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


_TAG = re.compile(r"<[^>]+>")


def plain(text: str) -> str:
    """What of HTML is to be read: without its tags."""
    return html.unescape(_TAG.sub("", text))


def visible(text: str) -> int:
    """Length of HTML as Telegram counts it."""
    return units(plain(text))


def shorten(text: str, most: int) -> str:
    """At most `most` UTF-16 units, cut at the end with an ellipsis."""
    if units(text) <= most:
        return text
    cut = text[: most - 1]
    while units(cut) > most - 1:
        cut = cut[:-1]
    return cut.rstrip() + "…"
