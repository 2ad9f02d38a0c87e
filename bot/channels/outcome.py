"""What became of an attempt to show something: each answer leads to one way on, taken in `bot.services.showing`."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shown:
    """It stands there now. `file_ids`: what the platform calls pictures that were uploaded, by their key."""

    message_ids: tuple[int, ...]
    form: str
    picture: str = ""
    ephemeral: bool = False
    file_ids: dict[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    """What had to be left away: `reply`, `thread`, `picture`, `format`."""


@dataclass(frozen=True)
class Removed:
    """It is gone, or could not be shown to begin with."""


@dataclass(frozen=True)
class Wait:
    """Not sent: the platform asks for patience in this chat, in seconds."""

    seconds: float


@dataclass(frozen=True)
class Unknown:
    """Nobody knows whether it was sent. `sent_maybe` is False when the connection never came about."""

    error: str
    sent_maybe: bool = True


@dataclass(frozen=True)
class Missing:
    """The message to change is no longer there: it is sent anew."""


@dataclass(frozen=True)
class Refused:
    """Not sent, for good: put out of the chat, chat gone, or a request that is wrong.

    `muted`: not for good; the bot is in the chat and may not write there now.
    """

    error: str
    chat_lost: bool = False
    muted: bool = False


@dataclass(frozen=True)
class Unfit:
    """Not sent: the platform does not take this picture the way it came."""

    key: str
    error: str


@dataclass(frozen=True)
class Migrated:
    """The group has another id now."""

    chat_id: int


Outcome = Shown | Removed | Wait | Unknown | Missing | Refused | Unfit | Migrated


@dataclass(frozen=True)
class Place:
    """Where a post stands or is to stand: copied from its row, so that a channel touches no database."""

    chat_id: int
    thread_id: int | None = None
    reply_to: int | None = None
    user_id: int | None = None
    message_ids: tuple[int, ...] = ()
    form: str = ""
    picture: str = ""
    ephemeral: bool = False


PictureData = str | bytes
"""A picture the platform knows already, by its file id, or the bytes of a JPEG to upload."""
