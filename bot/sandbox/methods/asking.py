"""What a bot asks about: itself, chats, members, files. Nothing here changes the world but leaveChat."""

from __future__ import annotations

from typing import Any

from bot.sandbox import files, views
from bot.sandbox.methods import places
from bot.sandbox.platform import Platform
from bot.sandbox.refusals import bad, forbidden
from bot.sandbox.uploads import Uploads
from bot.sandbox.world import Chat

Params = dict[str, Any]


def get_me(platform: Platform, params: Params, attached: Uploads) -> Any:
    """getMe."""
    return views.bot_view(platform.world)


def get_chat(platform: Platform, params: Params, attached: Uploads) -> Any:
    """getChat."""
    chat = _readable(platform, params)
    info: Params = {
        **chat.json,
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": {
            "unlimited_gifts": False,
            "limited_gifts": False,
            "unique_gifts": False,
            "premium_subscription": False,
            "gifts_from_channels": False,
        },
    }
    if not chat.private:
        info["permissions"] = {"can_send_messages": True, "can_send_photos": True, "can_send_documents": True}
    return info


def get_chat_member(platform: Platform, params: Params, attached: Uploads) -> Any:
    """getChatMember."""
    chat = _readable(platform, params)
    member = views.member_view(platform.world, chat, params["user_id"])
    if member is None:
        raise bad("user not found")
    return member


def get_chat_administrators(platform: Platform, params: Params, attached: Uploads) -> Any:
    """getChatAdministrators: the owner, and the bot itself where it is one."""
    chat = _readable(platform, params)
    if chat.private:
        raise bad("there are no administrators in the private chat")
    found = [views.member_view(platform.world, chat, chat.owner)] if chat.owner is not None else []
    if chat.bot_status == "administrator":
        found.append(views.bot_member(platform.world, "administrator"))
    return found


def get_chat_member_count(platform: Platform, params: Params, attached: Uploads) -> Any:
    """getChatMemberCount, the bot included."""
    return len(_readable(platform, params).members) + 1


def leave_chat(platform: Platform, params: Params, attached: Uploads) -> Any:
    """leaveChat."""
    chat = places.open_to_bot(platform, params)
    if chat.private:
        raise bad("chat member status can't be changed in private chats")
    platform.set_bot_status(chat, "left", platform.world.bot)
    return True


def get_file(platform: Platform, params: Params, attached: Uploads) -> Any:
    """getFile, up to 20 MB."""
    stored = platform.files.known(params["file_id"])
    if stored is None:
        raise bad("wrong file_id or the file is temporarily unavailable")
    if len(stored.content) > files.DOWNLOAD_LIMIT:
        raise bad("file is too big")
    return {
        "file_id": stored.file_id,
        "file_unique_id": stored.unique_id,
        "file_size": len(stored.content),
        "file_path": stored.path,
    }


def answer_callback_query(platform: Platform, params: Params, attached: Uploads) -> Any:
    """answerCallbackQuery."""
    press, answer = platform.presses.answer(params)
    event = {
        "type": "answer",
        "id": press.id,
        "as": press.user,
        "chat": press.chat,
        "message_id": press.message_id,
        **answer,
    }
    platform.events.tell(event, press.user)
    return True


def _readable(platform: Platform, params: Params) -> Chat:
    chat = places.seen(platform, params)
    if chat.private and not platform.world.people[chat.id].started:
        raise bad("chat not found")
    if not chat.private and not chat.has_bot:
        raise forbidden(f"bot was kicked from the {chat.type} chat")
    return chat
