"""The time of the emulated world: real time plus what somebody wound it forward by, so that a reminder
of tomorrow can be seen today. Rate limits alone stay on real time."""

from __future__ import annotations

import asyncio
import time


class Clock:
    """Seconds since the epoch, wound forward by ``offset`` seconds."""

    def __init__(self) -> None:
        self.offset = 0.0
        self._moved = asyncio.Event()

    def now(self) -> float:
        """The wound time in seconds since the epoch."""
        return time.time() + self.offset

    def stamp(self) -> int:
        """The wound time as Telegram writes dates: whole seconds."""
        return int(time.time() + self.offset)

    def advance(self, seconds: float) -> None:
        """Wind forward (a negative number winds back) and wake everybody who waits for it."""
        self.offset += seconds
        self.wake()

    def wake(self) -> None:
        """Let every waiter look again."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def differing(self, after: float, within: float) -> float:
        """The offset as soon as it differs from ``after``, or as it is when ``within`` seconds are over."""
        if self.offset == after and within > 0:
            try:
                async with asyncio.timeout(within):
                    await self._moved.wait()
            except TimeoutError:
                pass
        return self.offset
