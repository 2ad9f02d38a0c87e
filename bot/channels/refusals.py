"""What Telegram's refusals mean, read from their wording: the code is 400 or 403 for all of them alike."""

from collections.abc import Collection
from typing import Final

from aiogram.exceptions import TelegramAPIError

from bot.channels.outcome import Missing, Outcome, Place, Refused, Removed, Shown

PICTURE: Final = (
    *("file identifier", "file_id", "file_reference", "file_part", "file must be", "file is too big"),
    *("photo_", "image_", "media_empty", "media_invalid", "as photo", "wrong padding"),
    *("http url", "web page content", "failed to send message", "group send failed", "too large"),
)
"""The picture is not taken the way it came."""
NOBODY: Final = ("user not found", "participant", "not a member", "user_id_invalid")
"""The person for whom alone a message is meant is not in the chat."""
LOST: Final = (
    *("chat not found", "user not found", "bot was kicked", "bot is not a member", "peer_id_invalid"),
    *("channel_private", "chat was deactivated", "chat was deleted", "chat_id_invalid"),
)
"""The bot is not in the chat, or there is no such chat."""
MUTED: Final = (
    *("rights to send", "chat_write_forbidden", "chat_restricted", "chat_send_", "administrator rights"),
    *("chat_admin_required", "user_restricted"),
)
"""The bot is in the chat and may not write there."""
_CONCESSIONS: Final = {
    "reply": ("replied", "message to reply", "reply_message_id_invalid"),
    "thread": ("message thread not found", "topic_closed", "topic_deleted", "topic_id_invalid"),
    "picture": ("rights to send photo", "rights to send media", "chat_send_photos", "chat_send_media"),
    "format": ("can't parse entities", "entity_"),
}
"""What can be left away when a message is refused for its sake."""


def says(error: TelegramAPIError, signs: Collection[str]) -> bool:
    known = (error.message or "").lower()
    return any(sign in known for sign in signs)


def concession(error: TelegramAPIError, possible: Collection[str]) -> str:
    """What of the message stands in its own way, if it is one of the possible things; else empty."""
    return next((each for each, signs in _CONCESSIONS.items() if each in possible and says(error, signs)), "")


def refusal(place: Place, error: TelegramAPIError) -> Outcome:
    """What a refusal (400) comes to when there is nothing to concede."""
    if says(error, ("message is not modified",)):
        return Shown(place.message_ids, place.form, place.picture, place.ephemeral)
    if says(error, ("message to edit not found", "message can't be edited", "message_id_invalid")):
        return Removed() if place.user_id is not None else Missing()
    if place.ephemeral:
        return Removed()
    if says(error, LOST):
        return Refused(error.message, chat_lost=True)
    return Refused(error.message, muted=says(error, MUTED))
