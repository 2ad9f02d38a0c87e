"""How fast Telegram may be spoken to: sliding windows, exact to the letter, one for all chats and one for each."""

from collections import deque
from collections.abc import Sequence

ALL = ((30, 1.0),)
"""(most, seconds): 30 messages a second in all (Telegram's bot FAQ)."""
GROUP = ((1, 1.0), (20, 60.0))
"""One a second and twenty a minute in one group."""
PRIVATE = ((1, 1.0),)
SLACK = 0.05
"""Seconds added to each wait: the peer counts when a call arrives, not when it leaves."""


class Pace:
    """Counts calls in sliding windows. Moments are seconds of a monotonic clock."""

    def __init__(self, windows: Sequence[tuple[int, float]]) -> None:
        self._windows = [(most, seconds, deque[float](maxlen=most)) for most, seconds in windows]
        self._blocked = 0.0
        self._reserved = 0

    def wait(self, now: float) -> float:
        """Seconds until the next call is allowed; 0 when it is allowed now."""
        longest = self._blocked - now
        for most, seconds, calls in self._windows:
            room = most - self._reserved
            if room <= 0:
                longest = max(longest, SLACK)
            elif len(calls) >= room:
                longest = max(longest, calls[-room] + seconds + SLACK - now)
        return max(longest, 0.0)

    def reserve(self, more: int = 1) -> None:
        """A call is promised its place (or, with -1, gives it up): until it is made, no other takes it."""
        self._reserved += more

    def spend(self, now: float) -> None:
        for _, _, calls in self._windows:
            calls.append(now)

    def block(self, until: float) -> None:
        """The platform asked for patience (retry_after)."""
        self._blocked = max(self._blocked, until)

    def blocked(self, now: float) -> float:
        """Seconds for which the platform asked to be left alone, whatever kind of call it is."""
        return max(self._blocked - now, 0.0)


class Paces:
    """The pace of everything: all chats together and each for itself."""

    def __init__(self) -> None:
        self._all = Pace(ALL)
        self._chats: dict[int, Pace] = {}

    def chat(self, chat_id: int) -> Pace:
        if chat_id not in self._chats:
            self._chats[chat_id] = Pace(GROUP if chat_id < 0 else PRIVATE)
        return self._chats[chat_id]

    def wait(self, chat_id: int | None, now: float) -> float:
        """`chat_id` None: a call that only counts among all (a reaction)."""
        own = self.chat(chat_id).wait(now) if chat_id is not None else 0.0
        return max(own, self._all.wait(now))

    def reserve(self, chat_id: int | None, more: int = 1) -> None:
        self._all.reserve(more)
        if chat_id is not None:
            self.chat(chat_id).reserve(more)

    def spend(self, chat_id: int | None, now: float) -> None:
        self._all.spend(now)
        if chat_id is not None:
            self.chat(chat_id).spend(now)
