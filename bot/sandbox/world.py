"""The people and chats of the emulated world, seeded from world.json. Everything here is in memory and
lives as long as the process; message ids start from a time-based number so that a bot with yesterday's
database never meets an id it already knows."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bot.sandbox.messages import Message, Timeline

WORLD_FILE: Final = Path(__file__).with_name("world.json")
PRESENT: Final = frozenset({"administrator", "member"})
ANONYMOUS_ADMIN: Final[dict[str, Any]] = {
    "id": 1087968824,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}

_IDS_SINCE: Final = 1_767_225_600  # 2026-01-01; eight ids a second fit 31 bits until 2034


@dataclass(slots=True)
class Person:
    """Somebody who writes and presses. ``started``: has spoken to the bot in private."""

    id: int
    first_name: str
    role: str
    language_code: str
    started: bool = False
    user: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.user = {
            "id": self.id,
            "is_bot": False,
            "first_name": self.first_name,
            "language_code": self.language_code,
        }


@dataclass(slots=True)
class Chat:
    """A chat with its messages. ``known``: the bot has ever been in it (else Telegram denies that it exists).

    ``reads_all``: the bot sees everything here although it is no administrator (privacy mode was off
    when it came in). ``migrated_to``: the supergroup that this basic group has become.
    """

    id: int
    type: str
    title: str
    members: list[int]
    bot_status: str = "administrator"
    is_forum: bool = False
    topics: list[dict[str, Any]] = field(default_factory=list)
    known: bool = True
    reads_all: bool = False
    migrated_to: int | None = None
    timeline: Timeline = field(default_factory=lambda: Timeline(_first_message_id()))
    json: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.type == "private":
            self.json = {"id": self.id, "type": "private", "first_name": self.title}
        else:
            self.json = {"id": self.id, "type": self.type, "title": self.title}
            if self.is_forum:
                self.json["is_forum"] = True

    @property
    def private(self) -> bool:
        """Whether this is one person's own chat with the bot."""
        return self.type == "private"

    @property
    def has_bot(self) -> bool:
        """Whether the bot is in the chat now."""
        return self.bot_status in PRESENT and self.migrated_to is None

    @property
    def owner(self) -> int | None:
        """Who owns the group: the member with the lowest id (officers have the lowest ones in the seed)."""
        return min(self.members, default=None)

    def topic(self, thread: int) -> dict[str, Any] | None:
        """The forum topic of that thread id, or None."""
        return next((topic for topic in self.topics if topic["id"] == thread), None)


class World:
    """People, chats and the one bot."""

    def __init__(self, path: Path | None = None) -> None:
        seed = json.loads((path or WORLD_FILE).read_text(encoding="utf-8"))
        self.bot: dict[str, Any] = {
            "id": seed["bot"]["id"],
            "is_bot": True,
            "first_name": seed["bot"]["first_name"],
            "username": seed["bot"]["username"],
        }
        self.can_read_all = bool(seed["bot"].get("can_read_all_group_messages", False))
        self.people: dict[int, Person] = {}
        self.chats: dict[int, Chat] = {}
        for person in seed["people"]:
            self.add_person(Person(person["id"], person["first_name"], person["role"], person["language_code"]))
        for chat in seed["chats"]:
            self.chats[chat["id"]] = Chat(
                chat["id"],
                chat["type"],
                chat["title"],
                list(chat["members"]),
                bot_status=chat.get("bot_status", "administrator"),
                is_forum=bool(chat.get("is_forum", False)),
                topics=topics(chat.get("topics", [])),
                reads_all=self.can_read_all,
            )

    def add_person(self, person: Person) -> None:
        """Let somebody into the world, with a private chat of their own."""
        self.people[person.id] = person
        self.chats[person.id] = Chat(person.id, "private", person.first_name, [person.id], bot_status="member")

    def add_group(self, chat: Chat) -> Chat:
        """Let a new group into the world."""
        self.chats[chat.id] = chat
        return chat

    def free_id(self, kind: str) -> int:
        """A chat id of the right shape that no chat has: basic groups are short, supergroups begin -100."""
        candidate = -1_001_900_000_000 if kind == "supergroup" else -4_900_000_000
        while candidate in self.chats:
            candidate -= 1
        return candidate

    def message(self, chat: Chat, message_id: int) -> Message | None:
        """An ordinary message that is still there, or None."""
        message = chat.timeline.by_id.get(message_id)
        return None if message is None or message.deleted else message


def topics(given: list[Any]) -> list[dict[str, Any]]:
    """Forum topics as ``{"id", "name"}``, from such objects or from bare names."""
    made = []
    for number, topic in enumerate(given):
        if isinstance(topic, dict):
            made.append({"id": int(topic["id"]), "name": str(topic["name"])})
        else:
            made.append({"id": 101 + number, "name": str(topic)})
    return made


def _first_message_id() -> int:
    return max(int(time.time()) - _IDS_SINCE, 1) * 8
