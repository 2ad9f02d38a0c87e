"""The queue of what the bot has not yet acknowledged, with Telegram's exact offset behaviour: an update is
handed out again and again until a higher offset is asked for. A bot that acknowledges too early loses
something here, as it would there."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from bot.sandbox.clock import Clock
from bot.sandbox.refusals import bad, conflict

PRESS_LIFE: Final = 150.0
UPDATE_LIFE: Final = 86_400.0
LONGEST_POLL: Final = 50
UNASKED: Final = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
"""Kinds that come only to a bot that names them."""

Queued = tuple[int, str, float, dict[str, Any]]


class Updates:
    """Undelivered updates, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: deque[Queued] = deque()
        self._presses: deque[float] = deque()  # when each queued press was made, oldest first
        self._next_id = int(time.time())
        self._allowed: frozenset[str] | None = None
        self._waiting: asyncio.Future[str] | None = None  # with why the poll is broken off, or nothing
        self._closed = False
        self.on_push: Callable[[], None] | None = None

    def __len__(self) -> int:
        """How many updates are not yet acknowledged."""
        self._drop_stale()
        return len(self._queue)

    @property
    def allowed(self) -> list[str] | None:
        """The kinds last asked for, or None for the default ones."""
        return sorted(self._allowed) if self._allowed else None

    def allow(self, kinds: list[str] | None) -> None:
        """Remember the kinds asked for; left out, the last ones stay; an empty list means the default."""
        if kinds is not None:
            self._allowed = frozenset(kinds) or None

    def push(self, kind: str, content: dict[str, Any]) -> None:
        """Queue an update unless the bot did not ask for its kind."""
        if (kind in UNASKED) if self._allowed is None else (kind not in self._allowed):
            return
        number = self._next_id
        self._next_id = number + 1
        now = self._clock.now()
        if kind == "callback_query":
            self._presses.append(now)
        self._queue.append((number, kind, now, {"update_id": number, kind: content}))
        self._pushed_one()

    def push_raw(self, body: dict[str, Any]) -> int:
        """Queue an update as it is, of whatever kind or shape, under a number of its own; returns the number."""
        number = self._next_id
        self._next_id = number + 1
        self._queue.append((number, "", self._clock.now(), {"update_id": number, **body}))
        self._pushed_one()
        return number

    def interrupt(self, reason: str) -> None:
        """Break off the poll that is held open, with 409 and this reason."""
        self._wake(reason)

    async def get(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        """getUpdates; raises Refusal (409) when another poller takes over while this one waits."""
        limit = asked.get("limit", 100)
        if not 1 <= limit <= 100:
            raise bad("limit must be between 1 and 100")
        self.interrupt("terminated by other getUpdates request; make sure that only one bot instance is running")
        self.allow(asked.get("allowed_updates"))
        self.forget(asked.get("offset", 0))
        deadline = time.monotonic() + min(max(asked.get("timeout", 0), 0), LONGEST_POLL)
        while True:
            self._drop_stale()
            if self._queue:
                return [update for _, _, _, update in islice(self._queue, limit)]
            if self._closed or not await self._pushed(deadline - time.monotonic()):
                return []

    def first(self) -> dict[str, Any] | None:
        """The oldest update, for a webhook."""
        self._drop_stale()
        return self._queue[0][3] if self._queue else None

    def forget(self, offset: int) -> None:
        """Everything below a positive offset is acknowledged; a negative one keeps only the last ones."""
        if offset < 0:
            while len(self._queue) > -offset:
                self._pop()
        while self._queue and self._queue[0][0] < offset:
            self._pop()

    def clear(self) -> None:
        """Drop all that is pending."""
        self._queue.clear()
        self._presses.clear()

    def close(self) -> None:
        """End the open poll with an empty answer, and every later one."""
        self._closed = True
        self._wake()

    async def _pushed(self, seconds: float) -> bool:
        if seconds <= 0:
            return False
        waiting = self._waiting = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                reason = await waiting
        except TimeoutError:
            return False
        finally:
            if self._waiting is waiting:
                self._waiting = None
        if reason:
            raise conflict(reason)
        return True

    def _wake(self, reason: str = "") -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(reason)

    def _pushed_one(self) -> None:
        self._wake()
        if self.on_push is not None:
            self.on_push()

    def _pop(self) -> None:
        if self._queue.popleft()[1] == "callback_query":
            self._presses.popleft()

    def _drop_stale(self) -> None:
        if not self._queue:
            return
        now = self._clock.now()
        while self._queue and now - self._queue[0][2] > UPDATE_LIFE:
            self._pop()
        if self._presses and now - self._presses[0] > PRESS_LIFE:
            kept = [queued for queued in self._queue if queued[1] != "callback_query" or now - queued[2] <= PRESS_LIFE]
            self._queue = deque(kept)
            self._presses = deque(at for _, kind, at, _ in kept if kind == "callback_query")
