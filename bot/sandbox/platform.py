"""The emulated Telegram as one thing: everything the two doors (Bot API and control API) share, and the few
steps that both take, such as putting a message into a chat and telling who looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.sandbox.calls import Calls
from bot.sandbox.clock import Clock
from bot.sandbox.events import Events
from bot.sandbox.faults import Faults
from bot.sandbox.files import Files
from bot.sandbox.limits import Limits
from bot.sandbox.messages import Message
from bot.sandbox.presses import Presses
from bot.sandbox.profile import Profile
from bot.sandbox.updates import Updates
from bot.sandbox.views import bot_member, chat_view, message_view
from bot.sandbox.world import Chat, World


class Platform:
    """The whole state of one emulator."""

    def __init__(self, world: Path | None, *, limits: bool, ephemeral: bool) -> None:
        self.clock = Clock()
        self.world = World(world)
        self.files = Files()
        self.updates = Updates(self.clock)
        self.presses = Presses(self.clock)
        self.events = Events()
        self.limits = Limits(limits)
        self.faults = Faults()
        self.calls = Calls()
        self.profile = Profile()
        self.ephemeral_allowed = ephemeral

    def put(
        self,
        chat: Chat,
        sender: dict[str, Any],
        content: dict[str, Any],
        *,
        mine: bool = False,
        receiver: dict[str, Any] | None = None,
        replaces: int | None = None,
    ) -> Message:
        """Put a message into a chat and tell who looks.

        ``receiver`` is the User who alone sees it, ``replaces`` the message it stands in place of for them.
        """
        body: dict[str, Any] = {
            "message_id": 0 if receiver else chat.timeline.take_id(),
            "from": sender,
            "chat": chat.json,
            "date": self.clock.stamp(),
            **content,
        }
        if receiver:
            body["receiver_user"] = receiver
            body["ephemeral_message_id"] = chat.timeline.take_ephemeral_id()
        message = Message(body, mine=mine, receiver=receiver["id"] if receiver else None)
        message.replaces = replaces
        chat.timeline.add(message)
        self.tell("message", chat, message)
        return message

    def tell(self, kind: str, chat: Chat, message: Message) -> None:
        """Tell what happened to a message (message, edited, deleted, reaction) to those who may see it."""
        if not self.events:
            return
        event: dict[str, Any] = {
            "type": kind,
            "chat": chat.id,
            "message_id": message.id,
            "message": message_view(message),
        }
        if message.receiver is not None:
            event["ephemeral_message_id"] = message.body["ephemeral_message_id"]
        if kind == "reaction":
            event["reactions"] = message.reactions
        self.events.tell(event, message.receiver if message.receiver else chat.id if chat.private else None)

    def tell_chat(self, chat: Chat) -> None:
        """Tell that a chat is new or another than before."""
        self.events.tell({"type": "chat", "chat": chat_view(chat)})

    def tell_clock(self) -> None:
        """Tell that the clock was wound."""
        self.events.tell({"type": "clock", "now": self.clock.now(), "offset": self.clock.offset})

    def deliver(self, chat: Chat, message: Message, *, service: bool = False, kind: str = "message") -> None:
        """Queue a person's message for the bot, if it is in the chat and may read it there."""
        if chat.has_bot and (service or self._readable(chat, message.body)):
            self.updates.push(kind, message.body)

    def set_bot_status(self, chat: Chat, status: str, by: dict[str, Any]) -> None:
        """The bot comes, goes, rises or falls: remember it and queue my_chat_member when that is a change."""
        old = chat.bot_status
        chat.bot_status = status
        chat.known = True
        if old != status:
            self.updates.push(
                "my_chat_member",
                {
                    "chat": chat.json,
                    "from": by,
                    "date": self.clock.stamp(),
                    "old_chat_member": bot_member(self.world, old),
                    "new_chat_member": bot_member(self.world, status),
                },
            )
        self.tell_chat(chat)

    def _readable(self, chat: Chat, body: dict[str, Any]) -> bool:
        """Privacy mode: a bot that is no administrator gets commands and replies to itself only."""
        if chat.private or chat.bot_status == "administrator" or chat.reads_all:
            return True
        replied = body.get("reply_to_message")
        if replied is not None and replied.get("from", {}).get("id") == self.world.bot["id"]:
            return True
        text: str = body.get("text") or body.get("caption") or ""
        if not text.startswith("/"):
            return False
        command = text.split(maxsplit=1)[0]
        return "@" not in command or command.lower().endswith("@" + self.world.bot["username"].lower())
