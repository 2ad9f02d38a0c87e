"""What changes is told at once to everybody who looks: the page shows a bot's edit the moment it is made.
Each looker has a bounded queue; one that does not keep up is told to read the state anew."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

QUEUE: Final = 2000


class Looker:
    """One open stream: of one person's eyes, or of all (None)."""

    __slots__ = ("person", "queue")

    def __init__(self, person: int | None) -> None:
        self.person = person
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE)

    def tell(self, line: bytes | None) -> None:
        """Queue one event (None: the stream ends); too slow a reader gets a reset instead of the backlog."""
        if self.queue.full():
            while not self.queue.empty():
                self.queue.get_nowait()
            self.queue.put_nowait(written({"type": "reset"}))
        self.queue.put_nowait(line)


class Events:
    """All open streams."""

    def __init__(self) -> None:
        self._lookers: set[Looker] = set()

    def __bool__(self) -> bool:
        """Whether anybody looks; when nobody does, views need not be made."""
        return bool(self._lookers)

    def open(self, person: int | None) -> Looker:
        """Begin a stream."""
        looker = Looker(person)
        self._lookers.add(looker)
        return looker

    def close(self, looker: Looker) -> None:
        """End a stream."""
        self._lookers.discard(looker)

    def close_all(self) -> None:
        """Let every stream end by itself."""
        for looker in self._lookers:
            looker.tell(None)

    def tell(self, event: dict[str, Any], only: int | None = None) -> None:
        """Tell an event to everybody, or to one person and those who see through all eyes."""
        if not self._lookers:
            return
        line = written(event)
        for looker in self._lookers:
            if only is None or looker.person is None or looker.person == only:
                looker.tell(line)


def written(event: dict[str, Any]) -> bytes:
    """An event in the form of a server-sent event: its name is its type, its data the whole of it."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
