"""A pressed button waits for its answer only a moment: what comes after fifteen seconds is refused, as by
Telegram, so a bot that works first and answers later is found out."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from bot.sandbox.clock import Clock
from bot.sandbox.refusals import bad

ANSWER_WITHIN: Final = 15.0
ANSWER_LENGTH: Final = 200
KEPT: Final = 10_000


@dataclass(slots=True)
class Press:
    """One callback query; ``at`` is on the wound clock."""

    id: str
    user: int
    chat: int
    message_id: int
    at: float
    answer: asyncio.Future[dict[str, Any]]


class Presses:
    """The presses of late, by callback query id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count(int(time.time()) * 1_000_000)
        self._kept: OrderedDict[str, Press] = OrderedDict()

    def open(self, user: int, chat: int, message_id: int) -> Press:
        """Somebody presses."""
        press = Press(
            id=str(next(self._numbers)),
            user=user,
            chat=chat,
            message_id=message_id,
            at=self._clock.now(),
            answer=asyncio.get_running_loop().create_future(),
        )
        self._kept[press.id] = press
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return press

    def chat_of(self, query_id: str) -> int | None:
        """In which chat the button was pressed, however long ago."""
        press = self._kept.get(query_id)
        return press.chat if press is not None else None

    def fresh(self, query_id: str) -> Press:
        """The press that may still be answered; raises Refusal (400) for one too old or unknown."""
        press = self._kept.get(query_id)
        if press is None or self._clock.now() - press.at > ANSWER_WITHIN:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        return press

    def answer(self, asked: dict[str, Any]) -> tuple[Press, dict[str, Any]]:
        """answerCallbackQuery: the press and what its person sees; raises Refusal (400)."""
        press = self.fresh(asked["callback_query_id"])
        text = asked.get("text", "")
        if len(text) > ANSWER_LENGTH:
            raise bad("MESSAGE_TOO_LONG")
        answer = {"text": text, "show_alert": asked.get("show_alert", False)}
        if "url" in asked:
            answer["url"] = asked["url"]
        if not press.answer.done():
            press.answer.set_result(answer)
        return press, answer
