"""Who may speak next: one queue for all chats under the limit that holds for all of them together.

What is dangerous goes first, whatever chat it is for; reactions go last. Within a rank it is first come, first served.
"""

import asyncio
import heapq
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum
from itertools import count

from bot.domain.pace import Paces


class Rank(IntEnum):
    """How pressing a call is."""

    URGENT = 0
    ORDINARY = 1
    LAST = 2


class Turn:
    """The right to make one call now. Its place is kept until `begin`, which is when it counts."""

    def __init__(self, paces: Paces, chat_id: int | None) -> None:
        self._paces, self._chat_id, self._kept = paces, chat_id, True
        paces.reserve(chat_id)

    def begin(self) -> None:
        """The call is made now: counted here and not earlier, because the peer counts when it arrives."""
        self.give_up()
        self._paces.spend(self._chat_id, time.monotonic())

    def give_up(self) -> None:
        """The place is free again, if no call has been made."""
        if self._kept:
            self._kept = False
            self._paces.reserve(self._chat_id, -1)


class Turns:
    """Lets calls through as `paces` allow, at most `at_once` of them on their way together."""

    def __init__(self, paces: Paces, at_once: int) -> None:
        self._paces, self._free = paces, at_once
        self._queue: list[tuple[Rank, int, int | None, asyncio.Future[Turn]]] = []
        self._order = count()
        self._alarm: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def turn(self, rank: Rank, chat_id: int | None, patience: float) -> AsyncIterator[Turn | None]:
        """Wait for a turn and hold it. `chat_id` None: the call only counts among all.

        None when no turn came within `patience` seconds: something more pressing may have come up in the chat.
        """
        mine: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (rank, next(self._order), chat_id, mine))
        self._let_through()
        try:
            await asyncio.wait((mine,), timeout=patience)
            # Cancelled first: nobody is let through who has turned away.
            mine.cancel()
            yield None if mine.cancelled() else mine.result()
        finally:
            if not (mine.cancelled() or mine.cancel()):
                mine.result().give_up()
                self._free += 1
            self._let_through()

    def _let_through(self) -> None:
        """Wake those whose turn it is, and look again when the limits allow the next."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._queue and self._free:
            _, _, chat_id, turn = self._queue[0]
            if turn.done():
                heapq.heappop(self._queue)
                continue
            wait = self._paces.wait(chat_id, time.monotonic())
            if wait > 0:
                self._alarm = asyncio.get_running_loop().call_later(wait, self._let_through)
                return
            heapq.heappop(self._queue)
            self._free -= 1
            turn.set_result(Turn(self._paces, chat_id))
