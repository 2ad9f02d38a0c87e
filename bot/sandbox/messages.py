"""A message is the Bot API's own JSON plus what only the emulator knows (deleted, who alone sees it, the
bot's reactions). The JSON is replaced, never changed in place, so that an update already queued keeps
what was true when it happened."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

KEPT_IN_A_CHAT: Final = 20_000
"""Older messages of a chat are forgotten: a load test must not fill the memory."""


class Message:
    """One message in one chat; ``receiver`` is set for an ephemeral one."""

    __slots__ = ("body", "deleted", "mine", "reactions", "receiver", "replaces")

    def __init__(self, body: dict[str, Any], *, mine: bool, receiver: int | None = None) -> None:
        self.body = body
        self.mine = mine
        self.receiver = receiver
        self.deleted = False
        self.reactions: list[str] = []
        self.replaces: int | None = None

    @property
    def id(self) -> int:
        """The message id; 0 for an ephemeral message."""
        number: int = self.body["message_id"]
        return number

    def quoted(self) -> dict[str, Any]:
        """The message as it stands inside a reply: without the message it replied to itself."""
        if "reply_to_message" not in self.body:
            return self.body
        return {name: value for name, value in self.body.items() if name != "reply_to_message"}

    def buttons(self) -> list[dict[str, Any]]:
        """All inline buttons, row by row."""
        markup = self.body.get("reply_markup")
        return [button for row in markup["inline_keyboard"] for button in row] if markup else []


class Timeline:
    """The messages of one chat in order, found by id without a search."""

    __slots__ = ("albums", "by_id", "ephemerals", "next_ephemeral", "next_id", "order")

    def __init__(self, first_id: int) -> None:
        self.next_id = first_id
        self.next_ephemeral = 1
        self.order: deque[Message] = deque()
        self.by_id: dict[int, Message] = {}
        self.ephemerals: dict[tuple[int, int], Message] = {}
        self.albums: dict[str, Message] = {}

    def take_id(self) -> int:
        """The next message id of this chat."""
        taken = self.next_id
        self.next_id = taken + 1
        return taken

    def take_ephemeral_id(self) -> int:
        """The next ephemeral message id of this chat."""
        taken = self.next_ephemeral
        self.next_ephemeral = taken + 1
        return taken

    def add(self, message: Message) -> None:
        """Put a message at the end and forget the oldest one beyond the limit."""
        self.order.append(message)
        if message.receiver is None:
            self.by_id[message.id] = message
            album = message.body.get("media_group_id")
            if album is not None:
                self.albums.setdefault(album, message)
        else:
            self.ephemerals[message.receiver, message.body["ephemeral_message_id"]] = message
        if len(self.order) > KEPT_IN_A_CHAT:
            self._forget(self.order.popleft())

    def _forget(self, message: Message) -> None:
        if message.receiver is not None:
            self.ephemerals.pop((message.receiver, message.body["ephemeral_message_id"]), None)
            return
        self.by_id.pop(message.id, None)
        album = message.body.get("media_group_id")
        if album is not None and self.albums.get(album) is message:
            del self.albums[album]
