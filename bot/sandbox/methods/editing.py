"""Editing: ordinary and ephemeral messages change by the same rules and differ only in how they are found
and what is answered. An edit that changes nothing is an error, which a bot must take for success."""

from __future__ import annotations

from typing import Any

from bot.sandbox.messages import Message
from bot.sandbox.methods import contents, places
from bot.sandbox.platform import Platform
from bot.sandbox.refusals import bad
from bot.sandbox.uploads import Uploads
from bot.sandbox.world import Chat

Params = dict[str, Any]

_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
_CAPTIONED = ("photo", "document", "live_photo", "video", "animation", "audio", "voice")


def edit_message_text(platform: Platform, params: Params, attached: Uploads) -> Any:
    """editMessageText."""
    chat, message = _ordinary(platform, params)
    return _changed(platform, "editMessageText", chat, message, _new_text(message, params, chat))


def edit_message_caption(platform: Platform, params: Params, attached: Uploads) -> Any:
    """editMessageCaption."""
    chat, message = _ordinary(platform, params)
    return _changed(platform, "editMessageCaption", chat, message, _new_caption(message, params, chat))


def edit_message_media(platform: Platform, params: Params, attached: Uploads) -> Any:
    """editMessageMedia; a text message becomes one with media."""
    chat, message = _ordinary(platform, params)
    fresh = _new_media(platform, message, params, chat, attached)
    return _changed(platform, "editMessageMedia", chat, message, fresh)


def edit_message_reply_markup(platform: Platform, params: Params, attached: Uploads) -> Any:
    """editMessageReplyMarkup."""
    chat, message = _ordinary(platform, params)
    fresh = _new_markup(message, params, chat)
    return _changed(platform, "editMessageReplyMarkup", chat, message, fresh, dated=False)


def edit_ephemeral_text(platform: Platform, params: Params, attached: Uploads) -> Any:
    """editEphemeralMessageText."""
    chat, message = ephemeral(platform, params)
    _changed(platform, "editEphemeralMessageText", chat, message, _new_text(message, params, chat))
    return True


def edit_ephemeral_caption(platform: Platform, params: Params, attached: Uploads) -> Any:
    """editEphemeralMessageCaption."""
    chat, message = ephemeral(platform, params)
    _changed(platform, "editEphemeralMessageCaption", chat, message, _new_caption(message, params, chat))
    return True


def edit_ephemeral_media(platform: Platform, params: Params, attached: Uploads) -> Any:
    """editEphemeralMessageMedia."""
    chat, message = ephemeral(platform, params)
    fresh = _new_media(platform, message, params, chat, attached)
    _changed(platform, "editEphemeralMessageMedia", chat, message, fresh)
    return True


def edit_ephemeral_reply_markup(platform: Platform, params: Params, attached: Uploads) -> Any:
    """editEphemeralMessageReplyMarkup."""
    chat, message = ephemeral(platform, params)
    fresh = _new_markup(message, params, chat)
    _changed(platform, "editEphemeralMessageReplyMarkup", chat, message, fresh, dated=False)
    return True


def ephemeral(platform: Platform, params: Params) -> tuple[Chat, Message]:
    """The ephemeral message a request names; raises Refusal (400 or 403)."""
    chat = places.open_to_bot(platform, params)
    found = chat.timeline.ephemerals.get((params["receiver_user_id"], params["ephemeral_message_id"]))
    if found is None or found.deleted:
        raise bad("message to edit not found")
    return chat, found


def _ordinary(platform: Platform, params: Params) -> tuple[Chat, Message]:
    if "chat_id" not in params or "message_id" not in params:
        raise bad("message identifier is not specified")
    chat = places.open_to_bot(platform, params)
    message = platform.world.message(chat, params["message_id"])
    if message is None:
        raise bad("message to edit not found")
    if not message.mine:
        raise bad("message can't be edited")
    return chat, message


def _new_text(message: Message, params: Params, chat: Chat) -> Params:
    if "text" not in message.body:
        raise bad("there is no text in the message to edit")
    return contents.text_content(params) | contents.keyboard_content(params, chat)


def _new_caption(message: Message, params: Params, chat: Chat) -> Params:
    if not any(kind in message.body for kind in _CAPTIONED):
        raise bad("there is no caption in the message to edit")
    kept = {kind: message.body[kind] for kind in _CAPTIONED if kind in message.body}
    if "has_media_spoiler" in message.body:
        kept["has_media_spoiler"] = True
    return kept | contents.caption_content(params) | contents.keyboard_content(params, chat)


def _new_media(platform: Platform, message: Message, params: Params, chat: Chat, attached: Uploads) -> Params:
    if not ("text" in message.body or any(kind in message.body for kind in _CAPTIONED)):
        raise bad("message can't be edited")
    if "media_group_id" in message.body and (params["media"]["type"] == "document") != ("document" in message.body):
        raise bad("message can't be edited: an album keeps its kind")
    keyboard = contents.keyboard_content(params, chat)
    return contents.media_content(platform, params["media"], attached) | keyboard


def _new_markup(message: Message, params: Params, chat: Chat) -> Params:
    kept = {field: message.body[field] for field in contents.CONTENT_FIELDS if field in message.body}
    kept.pop("reply_markup", None)
    return kept | contents.keyboard_content(params, chat)


def _changed(
    platform: Platform, method: str, chat: Chat, message: Message, fresh: Params, *, dated: bool = True
) -> Any:
    body = message.body
    if all(body.get(field) == fresh.get(field) for field in contents.CONTENT_FIELDS):
        raise bad(_NOT_MODIFIED)
    places.counted(platform, method, chat)
    kept = {field: value for field, value in body.items() if field not in contents.CONTENT_FIELDS}
    if dated:
        kept["edit_date"] = platform.clock.stamp()
    message.body = kept | fresh
    platform.tell("edited", chat, message)
    return message.body
