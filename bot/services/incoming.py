"""A message of a chat as the services see it: cleaned at the door, free of Telegram's types."""

from dataclasses import dataclass
from datetime import datetime

from bot.services.people import Visitor


@dataclass(frozen=True)
class Place:
    latitude: float
    longitude: float
    name: str = ""


@dataclass(frozen=True)
class Incoming:
    """`media` is photo, document or live; empty without a picture. `text` is the text or the caption."""

    chat_id: int
    message_id: int
    visitor: Visitor
    sent_at: datetime
    """When it was written, by Telegram's clock: after an outage hours lie between messages that arrive together."""
    thread_id: int | None = None
    text: str = ""
    media_group_id: str = ""
    file_id: str = ""
    file_unique_id: str = ""
    media: str = ""
    place: Place | None = None
    reply_to: int | None = None
    reply_number: str = ""
    """The number on the bot's message it replies to: a card whose id is not known (its answer was lost, or is still
    on its way) is known by what it says."""
