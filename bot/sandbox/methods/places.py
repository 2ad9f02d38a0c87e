"""Where a call goes to: most refusals a bot meets in production are about the chat, not the message, and
every sending and editing method asks for it in the same way."""

from __future__ import annotations

from typing import Any

from bot.sandbox.platform import Platform
from bot.sandbox.refusals import bad, forbidden
from bot.sandbox.world import Chat


def seen(platform: Platform, params: dict[str, Any]) -> Chat:
    """The chat of that chat_id if the bot has ever met it and it has not moved; raises Refusal (400)."""
    chat = platform.world.chats.get(params["chat_id"])
    if chat is None or not chat.known:
        raise bad("chat not found")
    if chat.migrated_to is not None:
        raise bad("group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.migrated_to)
    return chat


def open_to_bot(platform: Platform, params: dict[str, Any]) -> Chat:
    """The chat of that chat_id if the bot may speak there now; raises Refusal (400 or 403)."""
    chat = seen(platform, params)
    if chat.private:
        if not platform.world.people[chat.id].started:
            raise forbidden("bot can't initiate conversation with a user")
        if chat.bot_status == "kicked":
            raise forbidden("bot was blocked by the user")
    elif not chat.has_bot:
        raise forbidden(f"bot was kicked from the {chat.type} chat")
    return chat


def counted(platform: Platform, method: str, chat: Chat) -> None:
    """Count a send or an edit against the flood limits; raises Refusal (429)."""
    platform.limits.pass_through(method, chat.id, group=not chat.private)
