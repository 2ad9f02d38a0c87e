"""The one owner of all background tasks: nothing runs that nobody waits for, and a failed loop starts again."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger()

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0


class Nursery:
    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.troubles: dict[str, str] = {}
        """Loops that failed and are waiting to start again, with what went wrong: shown by /readyz."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Run something that ends by itself."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> "asyncio.Task[None]":
        """Run something that never ends; when it fails it pauses, longer each time, and starts again."""
        return self.spawn(self._kept(name, loop), name)

    async def _kept(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await loop()
                return
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self.troubles[name] = type(error).__name__
                log.exception("loop_failed", loop=name, pause=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                self.troubles.pop(name, None)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("task_failed", task=task.get_name(), exc_info=task.exception())

    async def close(self) -> None:
        """End everything that still runs."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
