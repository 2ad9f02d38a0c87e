"""Turns Telegram's message into what the services take in: cleaned text, one picture, the person behind it."""

import re
import unicodedata
from datetime import UTC
from typing import Any

from aiogram import Bot
from aiogram.types import Chat, Message, Update, User

from bot.services.incoming import Incoming, Place
from bot.services.people import Visitor

PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/heic", "image/heif")
LONGEST = 4096
_UNSEEN = {"Cf", "Cc", "Cs", "Co", "Cn"}
_BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""What one telephone or another shows as the end of a line."""
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and signs that show nothing: a name made of them would look like none."""
_JOINERS = "\u200d\ufe0f"
"""What holds an emoji together."""
MARKS = 4
"""Marks kept on one letter: no script in use here needs more, and a pile of them covers the lines above."""


def update_of(raw: Any, bot: Bot) -> Update:
    """The update as aiogram reads it. Raises pydantic's ValidationError."""
    return Update.model_validate(_storable(raw), context={"bot": bot})


def _storable(raw: Any) -> Any:
    """Without what no database keeps, wherever it stands: NUL, and halves of a surrogate pair."""
    match raw:
        case dict():
            return {key: _storable(value) for key, value in raw.items()}
        case list():
            return [_storable(value) for value in raw]
        case str() if not raw.isprintable():
            return "".join(sign for sign in raw if sign != "\0" and not "\ud800" <= sign <= "\udfff")
    return raw


def cleaned(text: str | None, most: int = LONGEST) -> str:
    """Without what cannot be seen or stored: control and direction marks, zero-width signs, lone surrogates, NUL,
    marks that pile up. Every kind of line's end becomes the one. Emoji keep the joiner that holds them together.
    """
    kept: list[str] = []
    marks = MARKS
    for sign in text or "":
        kind = unicodedata.category(sign)
        if sign in _JOINERS or kind in ("Mn", "Me"):
            marks += 1
            if marks > MARKS:
                continue
        elif sign in _BREAKS:
            sign, marks = "\n", MARKS
        elif kind in _UNSEEN:
            continue
        else:
            # On nothing no mark can stand.
            sign, marks = (" ", MARKS) if sign in _BLANK or kind == "Zs" else (sign, 0)
        kept.append(sign)
    return "".join(kept).strip()[:most].rstrip("\u200d")


def named(text: str | None, most: int) -> str:
    """A name: on one line, whatever it was made of."""
    return " ".join(cleaned(text).split())[:most].rstrip(" \u200d")


def visitor(message: Message) -> Visitor:
    """Who wrote it; an anonymous administrator or a channel is hidden behind the chat it writes for."""
    user, sender = message.from_user, message.sender_chat
    # `from` is then Telegram's stand-in (1087968824 and the like) and tells nothing.
    if sender is not None:
        return Visitor(sender.id, named(sender.title, 64), hidden=True)
    if user is None or user.is_bot:
        # Another bot's picture may well be a report, but there is nobody to ask about it.
        return Visitor(user.id if user else message.chat.id, named(user.full_name if user else "", 64), hidden=True)
    return pressing(user)


def pressing(user: User) -> Visitor:
    """The person who pressed: presses always carry the real one."""
    return Visitor(user.id, named(user.full_name, 64), (user.language_code or "")[:2])


def has_picture(message: Message) -> bool:
    document = message.document
    return bool(
        message.photo
        or message.live_photo
        or (document is not None and (document.mime_type or "").lower() in PICTURE_TYPES)
    )


def incoming(message: Message, who: Visitor | None = None) -> Incoming:
    """The message as the services see it."""
    file_id, unique_id, media = _picture(message)
    reply = message.reply_to_message
    return Incoming(
        chat_id=message.chat.id,
        message_id=message.message_id,
        visitor=who or visitor(message),
        sent_at=message.date.astimezone(UTC),
        thread_id=message.message_thread_id if message.is_topic_message else None,
        text=cleaned(message.text or message.caption),
        media_group_id=message.media_group_id or "",
        file_id=file_id,
        file_unique_id=unique_id,
        media=media,
        place=_place(message),
        reply_to=reply.message_id if reply is not None else None,
        reply_number=_number(message, reply),
    )


NUMBER = re.compile(r"^(?:[⚪🔴🟠🟡🟢⚫] )?([A-Z]{1,4}-[0-9]{4}-[0-9]{4,7})\b", re.MULTILINE)
"""Where a card, a line or a reminder says its number: at the beginning, where no words of people's ever stand."""


def _number(message: Message, reply: Message | None) -> str:
    """The one number on a message of this bot's: a list names several, and what people write names nothing."""
    own = reply is not None and reply.from_user is not None and reply.from_user.id == (message.bot or reply.bot).id  # type: ignore[union-attr]
    found = set(NUMBER.findall(reply.text or reply.caption or "")) if own and reply is not None else set()
    return found.pop() if len(found) == 1 else ""


def _picture(message: Message) -> tuple[str, str, str]:
    if message.photo:
        return message.photo[-1].file_id, message.photo[-1].file_unique_id, "photo"
    if message.live_photo is not None and message.live_photo.photo:
        still = message.live_photo.photo[-1]
        return still.file_id, still.file_unique_id, "live"
    if message.document is not None and has_picture(message):
        return message.document.file_id, message.document.file_unique_id, "document"
    return "", "", ""


def _place(message: Message) -> Place | None:
    if message.venue is not None:
        spot = message.venue.location
        return Place(spot.latitude, spot.longitude, named(f"{message.venue.title} {message.venue.address}", 200))
    if message.location is not None:
        return Place(message.location.latitude, message.location.longitude)
    return None


def title(chat: Chat) -> str:
    return named(chat.title, 128)
