"""The relay's own inspector: every minute it has the rows looked at, says what was repaired, and knows what was not."""

from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import structlog
from sqlmodel import Session

from bot.clock import Clock
from bot.domain.words import N_
from bot.services.auditing import Repairs, Survey, repair, survey
from bot.services.desk import Desk, Ground
from bot.services.posting import add_notice
from storage.store import StorageAway, Store

log = structlog.get_logger()

PERIOD = 60
"""Seconds between two audits."""
AGAIN = 3
"""Times the same thing is repaired within LATELY before it counts as broken: something breaks it anew."""
LATELY = timedelta(hours=2)


class Auditor:
    """`idle` tells of some chats which of them delivery is not at work in."""

    def __init__(
        self, store: Store, ground: Ground, clock: Clock, idle: Callable[[Collection[int]], Collection[int]]
    ) -> None:
        self._store, self._ground, self._clock, self._idle = store, ground, clock, idle
        self._after = 0
        self._sending: frozenset[tuple[int, datetime | None]] = frozenset()
        self._mended: list[tuple[datetime, str, str]] = []
        self.troubles: dict[str, str] = {}
        """What is wrong and could not be repaired, for /readyz: name → in words."""

    async def look(self) -> None:
        """One audit. While the database is away there is nothing to look at."""
        # Each asks for the time when its turn has come: what was decided while it waited is not in the future.
        try:
            seen = await self._store.read(lambda session: survey(self._desk(session), self._after))
            # A clock that leaps makes a call that has just begun look old: it is believed the second time.
            stuck, self._sending = seen.sending & self._sending, seen.sending
            done = await self._store.write(lambda session: self._repair(self._desk(session), seen, stuck))
        except StorageAway as error:
            log.debug("waits_for_storage", where="auditor", error=str(error))
            return
        self._after = seen.next_after
        self._conclude(seen, done, self._clock.now())

    def _desk(self, session: Session) -> Desk:
        return Desk(session, self._ground, self._clock.now(), "audit")

    def _repair(self, desk: Desk, seen: Survey, stuck: frozenset[tuple[int, datetime | None]]) -> Repairs:
        done = repair(desk, seen.suspects, stuck)
        if done.mended or done.broken:
            # Once a day and operator: what repeats is in the log, and in /readyz.
            for operator in desk.ground.operators:
                add_notice(
                    desk,
                    operator,
                    "note",
                    f"audit:{desk.now:%Y%m%d}",
                    sentence=N_("The relay found something that was not as it should be: {told}. The log says more."),
                    values={"told": ", ".join(sorted({*done.mended, *done.broken}))},
                )
        return done

    def _conclude(self, seen: Survey, done: Repairs, now: datetime) -> None:
        for name, subjects in done.mended.items():
            log.warning("audit_repaired", promise=name, count=len(subjects), subjects=subjects[:10])
            self._mended += [(now, name, each) for each in subjects]
        for name, subjects in done.broken.items():
            log.error("audit_broken", promise=name, count=len(subjects), subjects=subjects[:10])
        self._mended = [each for each in self._mended if each[0] > now - LATELY]
        times = Counter((name, subject) for _, name, subject in self._mended)
        again = sorted({name for (name, _), count in times.items() if count >= AGAIN})
        idle = self._idle(seen.waiting)
        if idle:
            log.error("audit_standing", chats=sorted(idle)[:10])
        told = {
            "broken": ", ".join(sorted(done.broken)),
            "breaks again": ", ".join(again),
            "posts": f"due for long in {len(idle)} chats that nobody serves" if idle else "",
            "updates": f"{seen.set_aside} were set aside: python -m bot retry" if seen.set_aside else "",
        }
        self.troubles = {f"audit: {name}": words for name, words in told.items() if words}
