"""What the bot asked and what it was told, for tests to read: the last 20,000 calls. Requests and answers
are kept as they are, not copied, so that keeping them costs nothing."""

from __future__ import annotations

import time
from collections import deque
from itertools import islice
from typing import Any, Final

KEPT: Final = 20_000

Call = tuple[int, float, str, Any, dict[str, Any], Any, int]


class Calls:
    """A bounded log, numbered from 1."""

    def __init__(self) -> None:
        self._kept: deque[Call] = deque(maxlen=KEPT)
        self._next = 1

    def note(self, method: str, request: dict[str, Any], answer: Any, status: int) -> None:
        """Write down one call; ``status`` is the HTTP status, 0 when the connection was cut."""
        chat_id = request.get("chat_id")
        self._kept.append((self._next, time.time(), method, chat_id, request, answer, status))
        self._next += 1

    def since(self, number: int) -> dict[str, Any]:
        """``{"next", "calls"}`` from that number on; ask again with ``next``."""
        first = self._next - len(self._kept)
        names = ("n", "at", "method", "chat_id", "request", "answer", "status")
        kept = islice(self._kept, max(number - first, 0), None)
        return {"next": self._next, "calls": [dict(zip(names, call, strict=True)) for call in kept]}
