"""Deleting and reacting: what a bot does to messages that are already there, its own and others'."""

from __future__ import annotations

from typing import Any, Final

from bot.sandbox import reactions
from bot.sandbox.messages import Message
from bot.sandbox.methods import editing, places
from bot.sandbox.platform import Platform
from bot.sandbox.refusals import Refusal, bad
from bot.sandbox.uploads import Uploads
from bot.sandbox.world import Chat

Params = dict[str, Any]

DELETABLE_FOR: Final = 48 * 3600


def delete_message(platform: Platform, params: Params, attached: Uploads) -> Any:
    """deleteMessage."""
    chat = places.open_to_bot(platform, params)
    message = platform.world.message(chat, params["message_id"])
    if message is None:
        raise bad("message to delete not found")
    _delete(platform, chat, message)
    return True


def delete_messages(platform: Platform, params: Params, attached: Uploads) -> Any:
    """deleteMessages; those that are gone or must stay are skipped."""
    chat = places.open_to_bot(platform, params)
    numbers = params["message_ids"]
    if not 1 <= len(numbers) <= 100:
        raise bad("message_ids must have 1 to 100 entries")
    for number in numbers:
        message = platform.world.message(chat, number)
        if message is not None:
            try:
                _delete(platform, chat, message)
            except Refusal:
                continue
    return True


def delete_ephemeral_message(platform: Platform, params: Params, attached: Uploads) -> Any:
    """deleteEphemeralMessage."""
    try:
        chat, message = editing.ephemeral(platform, params)
    except Refusal as refusal:
        if refusal.description == "Bad Request: message to edit not found":
            raise bad("message to delete not found") from None
        raise
    message.deleted = True
    platform.tell("deleted", chat, message)
    return True


def set_message_reaction(platform: Platform, params: Params, attached: Uploads) -> Any:
    """setMessageReaction; on an album it lands on the first message."""
    chat = places.open_to_bot(platform, params)
    message = platform.world.message(chat, params["message_id"])
    if message is None:
        raise bad("message to react not found")
    chosen = reactions.chosen(params.get("reaction"))
    album = message.body.get("media_group_id")
    if album is not None:
        first = chat.timeline.albums.get(album)
        message = first if first is not None and not first.deleted else message
    if message.reactions != chosen:
        message.reactions = chosen
        platform.tell("reaction", chat, message)
    return True


def _delete(platform: Platform, chat: Chat, message: Message) -> None:
    if platform.clock.now() - message.body["date"] > DELETABLE_FOR:
        raise bad("message can't be deleted for everyone")
    if not (message.mine or chat.private or chat.bot_status == "administrator"):
        raise bad("message can't be deleted")
    message.deleted = True
    platform.tell("deleted", chat, message)
