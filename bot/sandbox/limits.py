"""Telegram's flood limits as bots meet them: about 30 messages a second in all, one a second in a chat,
twenty a minute in a group, edits included. On real time, never on the wound clock."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Any, Final

from bot.sandbox.refusals import too_many

A_SECOND: Final = 30
BURST: Final = 3
A_MINUTE: Final = 20
KEPT: Final = 1000


class Limits:
    """Counts sends and edits; a call over a limit is refused and remembered as a violation."""

    def __init__(self, enforced: bool) -> None:
        self.enforced = enforced
        self.count = 0
        self.last: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._all: deque[float] = deque()
        self._buckets: dict[int, tuple[float, float]] = {}
        self._groups: dict[int, deque[float]] = {}

    def pass_through(self, method: str, chat_id: int, *, group: bool) -> None:
        """Count one call to a chat; raises Refusal (429) when it is one too many."""
        if not self.enforced:
            return
        now = time.monotonic()
        while self._all and self._all[0] <= now - 1:
            self._all.popleft()
        tokens, at = self._buckets.get(chat_id, (float(BURST), now))
        tokens = min(float(BURST), tokens + now - at)
        minute = self._groups.setdefault(chat_id, deque()) if group else None
        while minute and minute[0] <= now - 60:
            minute.popleft()
        if len(self._all) >= A_SECOND:
            self._refuse(method, chat_id, "30 a second in all", self._all[0] + 1 - now)
        if tokens < 1:
            self._refuse(method, chat_id, "1 a second in a chat", 1 - tokens)
        if minute is not None and len(minute) >= A_MINUTE:
            self._refuse(method, chat_id, "20 a minute in a group", minute[0] + 60 - now)
        self._all.append(now)
        self._buckets[chat_id] = (tokens - 1, now)
        if minute is not None:
            minute.append(now)

    def _refuse(self, method: str, chat_id: int, rule: str, wait: float) -> None:
        seconds = max(1, math.ceil(wait))
        self.count += 1
        self.last.append(
            {
                "at": time.time(),
                "method": method,
                "chat_id": chat_id,
                "rule": rule,
                "retry_after": seconds,
            }
        )
        raise too_many(seconds)
