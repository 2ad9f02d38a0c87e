"""Gathers what the parts of the relay have counted, and what only the rows know, for /metrics."""

import asyncio
from collections import Counter
from dataclasses import replace
from functools import partial

from sqlmodel import Session

from bot.clock import Clock
from bot.polling import Intake
from bot.services.delivering import Delivery
from bot.ticker import Ticker
from bot.web.metrics import Measured
from storage import measuring
from storage.posts import next_due
from storage.soundness import set_aside
from storage.store import StorageAway, Store

ANSWERS_WITHIN = 3.0
"""Seconds for the database; a page without its rows tells more than none."""


class Meters:
    def __init__(self, store: Store, clock: Clock, intake: Intake, delivery: Delivery, ticker: Ticker) -> None:
        self._store, self._clock = store, clock
        self._intake, self._delivery, self._ticker = intake, delivery, ticker

    async def read(self, troubles: int) -> Measured:
        """All that is counted. `troubles`: how many /readyz names now."""
        calls = Counter(self._delivery.tally)
        counted = Measured(
            updates=self._intake.tally,
            behind=self._intake.behind,
            doubled=calls.pop("doubled", 0),
            calls=calls,
            moments=self._ticker.tally,
            times=self._store.times,
            troubles=troubles,
        )
        try:
            return await asyncio.wait_for(self._store.read(partial(self._rows, counted)), ANSWERS_WITHIN)
        except (StorageAway, TimeoutError):
            return counted

    def _rows(self, counted: Measured, session: Session) -> Measured:
        now, first = self._clock.now(), next_due(session)
        return replace(
            counted,
            due=measuring.due_posts(session, now),
            lag=max((now - first).total_seconds(), 0.0) if first is not None else 0.0,
            broken=measuring.broken_posts(session),
            set_aside=set_aside(session),
            incidents=measuring.open_incidents(session),
        )
