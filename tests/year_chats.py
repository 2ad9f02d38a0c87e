"""The chats of a simulated year: what stands in each, and the ways in which showing something there can fail.

Stands in for `bot.channels.telegram` where a year must pass in seconds: it answers with the same outcomes.
"""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.channels.outcome import Migrated, Missing, Outcome, Place, Refused, Removed, Shown, Unknown, Wait
from bot.views.content import Content, Gone, Menu, Reaction, Shape

DELETABLE = timedelta(hours=48)
"""After that a message can no longer be taken away, only made small."""


@dataclass
class Message:
    """One message of the bot's. `stray`: it arrived, but the answer that said so was lost."""

    post_id: int
    kind: str
    incident_id: int | None
    sent_at: datetime
    stray: bool = False


@dataclass(frozen=True)
class Faults:
    """How often an attempt meets each failure."""

    wait: float = 0.0
    unknown: float = 0.0
    lost_answer: float = 0.0
    deleted: float = 0.0

    @property
    def any(self) -> bool:
        return bool(self.wait or self.unknown or self.lost_answer or self.deleted)


@dataclass
class Chats:
    """What stands where. `lost`: chats the bot was put out of; `moved`: old id → new id."""

    chance: random.Random
    faults: Faults
    standing: dict[int, dict[int, Message]] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    moved: dict[int, int] = field(default_factory=dict)
    strays: int = 0
    failures: int = 0
    _next: int = 1_000_000

    def about(self, chat_id: int, incident_id: int, kind: str) -> list[Message]:
        """Messages of this kind about the incident that stand in the chat and are known to the relay."""
        found = self.standing.get(chat_id, {}).values()
        return [each for each in found if each.incident_id == incident_id and each.kind == kind and not each.stray]

    def somewhere(self, incident_id: int, kind: str) -> list[tuple[int, Message]]:
        """The same in all chats that can be reached: (chat, message)."""
        return [
            (chat, each)
            for chat in self.standing
            if chat not in self.lost
            for each in self.about(chat, incident_id, kind)
        ]

    def show(
        self, place: Place, shape: Shape, post_id: int, kind: str, incident_id: int | None, now: datetime
    ) -> tuple[Outcome, bool]:
        """The outcome, and whether a new message has rung in the chat."""
        if place.chat_id in self.moved:
            return Migrated(self.moved[place.chat_id]), False
        if place.chat_id in self.lost:
            return (Removed() if place.user_id else Refused("Forbidden: bot was kicked", chat_lost=True)), False
        if isinstance(shape, (Reaction, Menu)):
            return Shown((), "reaction" if isinstance(shape, Reaction) else "menu"), False
        failure = self._failure(place, shape)
        if failure is not None:
            self.failures += 1
            return failure, False
        here = self.standing.setdefault(place.chat_id, {})
        if isinstance(shape, Gone):
            for each in place.message_ids:
                # Taken away, or shrunk to its number: a reminder it is no more.
                here.pop(each, None)
            return Removed(), False
        if place.message_ids and not shape.album:
            return Shown(place.message_ids, place.form, place.picture, place.ephemeral), False
        self._next += 1
        message = Message(post_id, kind, incident_id, now)
        here[self._next] = message
        if self.chance.random() < self.faults.lost_answer:
            message.stray = True
            self.strays += 1
            return Unknown("timeout", sent_maybe=True), True
        return self._sent(place, shape), True

    def _sent(self, place: Place, shape: Content) -> Shown:
        if shape.album:
            return Shown((*place.message_ids, self._next), "album", ",".join(shape.pictures))
        picture = shape.pictures[0] if shape.pictures else ""
        return Shown((self._next,), "photo" if picture else "text", picture, ephemeral=place.user_id is not None)

    def _failure(self, place: Place, shape: Shape) -> Outcome | None:
        lot = self.chance.random()
        if lot < self.faults.wait:
            return Wait(float(self.chance.randint(1, 40)))
        if lot < self.faults.wait + self.faults.unknown:
            return Unknown("network", sent_maybe=False)
        if isinstance(shape, Content) and place.message_ids and self.chance.random() < self.faults.deleted:
            for each in place.message_ids:
                self.standing.get(place.chat_id, {}).pop(each, None)
            return Missing()
        return None
