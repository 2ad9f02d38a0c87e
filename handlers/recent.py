"""The last words of each author, for as long as they may still belong to a picture: in memory only, never stored."""

import time
from collections import OrderedDict

MOST = 2000
SECONDS = 60.0
"""Kept at most this long; the community's own `gather` decides whether they still belong."""


class Recent:
    def __init__(self) -> None:
        self._words: OrderedDict[tuple[int, int], tuple[float, str]] = OrderedDict()

    def heard(self, chat_id: int, user_id: int, words: str) -> None:
        self._words.pop((chat_id, user_id), None)
        self._words[chat_id, user_id] = (time.monotonic(), words)
        while len(self._words) > MOST:
            self._words.popitem(last=False)

    def take(self, chat_id: int, user_id: int) -> tuple[float, str]:
        """How many seconds ago the author said what, once; empty words when it was nothing or too long ago."""
        said, words = self._words.pop((chat_id, user_id), (0.0, ""))
        ago = time.monotonic() - said
        return (ago, words) if ago <= SECONDS else (ago, "")
