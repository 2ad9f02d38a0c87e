"""What is done to the world rather than in it: the bot let in or thrown out, groups founded and upgraded."""

from __future__ import annotations

from typing import Any

from bot.sandbox.platform import Platform
from bot.sandbox.refusals import Mistake
from bot.sandbox.views import chat_view
from bot.sandbox.wishes import Wish, chat_of, flag, integer, person_of
from bot.sandbox.world import PRESENT, Chat, topics

_STATUSES = ("administrator", "member", "left", "kicked")


def membership(platform: Platform, wish: Wish) -> dict[str, Any]:
    """Change the bot's own membership; in a private chat kicked means blocked. Raises Mistake."""
    person, chat = person_of(platform, wish), chat_of(platform, wish)
    status = wish.get("status")
    if status not in _STATUSES:
        raise Mistake(f'"status" is one of {", ".join(_STATUSES)}')
    if chat.private and status not in ("member", "kicked"):
        raise Mistake("in a private chat the bot is a member, or kicked (blocked)")
    if chat.migrated_to is not None:
        raise Mistake(f"{chat.title} has become the supergroup {chat.migrated_to}")
    was_away = not chat.has_bot
    if wish.get("can_read") is not None:
        platform.world.can_read_all = chat.reads_all = flag(wish["can_read"])
    elif was_away:
        # Telegram looks at the privacy setting when the bot comes in, not later.
        chat.reads_all = platform.world.can_read_all
    platform.set_bot_status(chat, status, person.user)
    return {"chat": chat_view(chat)}


def found_chat(platform: Platform, wish: Wish) -> dict[str, Any]:
    """Found a group without the bot: ``{"id"}``; raises Mistake."""
    kind = wish.get("type", "supergroup")
    if kind not in ("group", "supergroup"):
        raise Mistake('"type" is group or supergroup')
    title = str(wish.get("title") or "").strip()
    if not title:
        raise Mistake('"title" is missing')
    members = wish.get("members")
    if not isinstance(members, list) or not members:
        raise Mistake('"members" is a list of people')
    for member in members:
        if member not in platform.world.people:
            raise Mistake(f"there is no person {member}", 404)
    try:
        threads = topics(list(wish.get("topics") or []))
    except (TypeError, ValueError, KeyError):
        raise Mistake('"topics" is a list of names or of {id, name}') from None
    chat = platform.world.add_group(
        Chat(
            platform.world.free_id(kind),
            kind,
            title,
            list(dict.fromkeys(members)),
            bot_status="left",
            is_forum=flag(wish.get("is_forum")) or bool(threads),
            topics=threads,
            known=False,
        )
    )
    platform.tell_chat(chat)
    return {"id": chat.id}


def join(platform: Platform, wish: Wish) -> dict[str, Any]:
    """Somebody adds the bot, perhaps by a startgroup link with its payload; raises Mistake."""
    person, chat = person_of(platform, wish), chat_of(platform, wish)
    if chat.private:
        raise Mistake("the bot is added to groups")
    if chat.migrated_to is not None:
        raise Mistake(f"{chat.title} has become the supergroup {chat.migrated_to}")
    if person.id not in chat.members:
        raise Mistake(f"{person.first_name} is not a member of {chat.title}")
    came_in = chat.bot_status not in PRESENT
    if came_in:
        chat.reads_all = platform.world.can_read_all
    platform.set_bot_status(chat, "administrator" if flag(wish.get("admin")) else "member", person.user)
    if came_in:
        arrival = platform.put(chat, person.user, {"new_chat_members": [platform.world.bot]})
        platform.deliver(chat, arrival, service=True)
    payload = str(wish.get("payload") or "")
    if payload:
        command = f"/start@{platform.world.bot['username']}"
        entity = {"type": "bot_command", "offset": 0, "length": len(command)}
        start = platform.put(chat, person.user, {"text": f"{command} {payload}", "entities": [entity]})
        platform.deliver(chat, start)
    return {"chat": chat_view(chat)}


def migrate(platform: Platform, wish: Wish) -> dict[str, Any]:
    """A group becomes a supergroup under a new id: ``{"id"}``; raises Mistake.

    ``silent``: the two service messages never reach the bot, as after more than a day's absence.
    """
    chat = chat_of(platform, wish)
    if chat.private or chat.migrated_to is not None:
        raise Mistake(f"{chat.title} cannot become a supergroup")
    owner = platform.world.people[chat.owner].user if chat.owner is not None else platform.world.bot
    heir = platform.world.add_group(
        Chat(
            platform.world.free_id("supergroup"),
            "supergroup",
            chat.title,
            chat.members,
            bot_status=chat.bot_status,
            is_forum=chat.is_forum,
            topics=chat.topics,
            known=chat.known,
            reads_all=chat.reads_all,
        )
    )
    farewell = platform.put(chat, owner, {"migrate_to_chat_id": heir.id})
    welcome = platform.put(heir, owner, {"migrate_from_chat_id": chat.id})
    if not flag(wish.get("silent")):
        platform.deliver(chat, farewell, service=True)
        platform.deliver(heir, welcome, service=True)
    chat.migrated_to = heir.id
    platform.tell_chat(chat)
    platform.tell_chat(heir)
    return {"id": heir.id}


def add_member(platform: Platform, wish: Wish) -> dict[str, Any]:
    """Somebody comes into a group; raises Mistake."""
    person, chat = person_of(platform, wish), chat_of(platform, wish)
    if chat.private or integer(wish, "as") in chat.members:
        raise Mistake(f"{person.first_name} cannot come into {chat.title}")
    chat.members.append(person.id)
    arrival = platform.put(chat, person.user, {"new_chat_members": [person.user]})
    platform.deliver(chat, arrival, service=True)
    platform.tell_chat(chat)
    return {"chat": chat_view(chat)}
