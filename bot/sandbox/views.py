"""How the page and the tests see the world: the Bot API's JSON plus the little that only a chat app shows."""

from __future__ import annotations

from typing import Any

from bot.sandbox.messages import Message
from bot.sandbox.world import Chat, Person, World


def person_view(person: Person) -> dict[str, Any]:
    """``{"id", "first_name", "role", "language_code"}``."""
    return {
        "id": person.id,
        "first_name": person.first_name,
        "role": person.role,
        "language_code": person.language_code,
    }


def chat_view(chat: Chat) -> dict[str, Any]:
    """``{"id", "type", "title", "members", "bot_status"[, "is_forum", "topics", "migrated_to"]}``."""
    view: dict[str, Any] = {
        "id": chat.id,
        "type": chat.type,
        "title": chat.title,
        "members": chat.members,
        "bot_status": chat.bot_status,
    }
    if chat.is_forum:
        view["is_forum"] = True
    if chat.topics:
        view["topics"] = chat.topics
    if chat.migrated_to is not None:
        view["migrated_to"] = chat.migrated_to
    return view


def message_view(message: Message) -> dict[str, Any]:
    """The Message as the Bot API knows it, plus ``reactions``, and ``deleted`` or ``replaces`` where they apply."""
    view = {**message.body, "reactions": message.reactions}
    if message.deleted:
        view["deleted"] = True
    if message.replaces is not None:
        view["replaces"] = message.replaces
    return view


def bot_view(world: World) -> dict[str, Any]:
    """The bot as getMe answers it."""
    return {
        **world.bot,
        "can_join_groups": True,
        "can_read_all_group_messages": world.can_read_all,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "supports_guest_queries": False,
        "has_topics_enabled": False,
        "allows_users_to_create_topics": False,
        "can_manage_bots": False,
        "supports_join_request_queries": False,
    }


def member_view(world: World, chat: Chat, user_id: int) -> dict[str, Any] | None:
    """A ChatMember as the Bot API knows it; None for nobody this world has heard of."""
    if user_id == world.bot["id"]:
        return bot_member(world, chat.bot_status)
    person = world.people.get(user_id)
    if person is None:
        return None
    if user_id not in chat.members:
        return {"status": "left", "user": person.user}
    if not chat.private and chat.owner == user_id:
        return {"status": "creator", "user": person.user, "is_anonymous": False}
    return {"status": "member", "user": person.user}


def bot_member(world: World, status: str) -> dict[str, Any]:
    """The bot itself as a ChatMember of that status."""
    member: dict[str, Any] = {"status": status, "user": world.bot}
    if status == "kicked":
        member["until_date"] = 0
    if status == "administrator":
        member.update(
            can_be_edited=False,
            is_anonymous=False,
            can_manage_chat=True,
            can_delete_messages=True,
            can_manage_video_chats=False,
            can_restrict_members=False,
            can_promote_members=False,
            can_change_info=False,
            can_invite_users=True,
            can_post_stories=False,
            can_edit_stories=False,
            can_delete_stories=False,
            can_send_welcome_messages=False,
            can_pin_messages=True,
            can_manage_topics=False,
        )
    return member
