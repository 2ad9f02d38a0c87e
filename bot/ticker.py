"""The clock's door: looks once a second, or when it is woken, whether an incident's moment has come.

APScheduler ticks in memory; what is due are rows, so a pause, a crash or a wound clock loses nothing. It waits for
moments of the machine's clock, and that may be set: ahead, a beat comes once and not for each second in between; back,
it comes within a second and not when the hour has come round again.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from sqlmodel import Session

from bot.clock import Clock
from bot.services.desk import Desk, Ground
from bot.services.forgetting import Keep, cautious, let_go
from bot.services.reminding import fire
from storage.store import StorageAway, Store
from storage.tables import Timer
from storage.timers import due_timers, next_timer
from storage.updates import forget_handled

log = structlog.get_logger()

GROUP = 100
KEEP_HANDLED = timedelta(days=2)
"""Telegram keeps what it could not deliver for 24 hours; twice that is enough to know a redelivery."""
PAGES = 50
"""Pages of old incidents emptied in an hour: 5,000 of them, more than a town closes."""
FIRST_PAUSE = timedelta(seconds=30)
BEAT = timedelta(seconds=1)


class Every(BaseTrigger):  # type: ignore[misc]
    """At once, and so many seconds after each time; APScheduler's own interval counts up what a leap has missed."""

    def __init__(self, seconds: float) -> None:
        self.interval = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        return now if previous_fire_time is None else now + self.interval


class Ticker:
    def __init__(self, store: Store, ground: Ground, clock: Clock, keep: Keep) -> None:
        self._store, self._ground, self._clock, self._keep = store, ground, clock, keep
        self.tally: Counter[str] = Counter()
        """Kind of timer → how often one fired."""
        self._still_due: set[tuple[int, str]] = set()
        """What was due again after it was done, at the last tick that met such a thing."""
        self._next: datetime | None = None
        self._known = False
        self._ticking = asyncio.Lock()
        self._watching: asyncio.TimerHandle | None = None
        self._others: list[tuple[float, str, Callable[[], Awaitable[None]]]] = []
        self._schedule = AsyncIOScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def every(self, seconds: float, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Have something else done regularly, from `start` on."""
        self._others.append((seconds, name, work))

    def start(self) -> None:
        for seconds, name, work in ((1, "tick", self.tick), (3600, "tidy", self.tidy), *self._others):
            self._schedule.add_job(_ended_quietly(work), Every(seconds), id=name)
        self._schedule.start()
        self._keep_beat()

    def stop(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        if self._schedule.running:
            self._schedule.shutdown(wait=False)

    def _keep_beat(self) -> None:
        """Once a second by the loop's own clock, which nobody sets: a job that waits longer than it ever should is
        done now."""
        wall = self._clock.wall()
        for job in self._schedule.get_jobs():
            if job.next_run_time > wall + job.trigger.interval + BEAT:
                log.warning("clock_set_back", job=job.id, by=str(job.next_run_time - wall))
                job.modify(next_run_time=wall)
        self._watching = asyncio.get_running_loop().call_later(BEAT.total_seconds(), self._keep_beat)

    def wake(self) -> None:
        """A timer was set: the next moment is no longer known."""
        self._known = False

    async def tick(self) -> None:
        """Do all that is due now."""
        async with self._ticking:
            try:
                await self._tick()
            except StorageAway as error:
                log.debug("waits_for_storage", where="ticker", error=str(error))

    async def _tick(self) -> None:
        done: set[tuple[int, str]] = set()
        while True:
            if not self._known:
                self._known = True
                try:
                    self._next = await self._store.read(next_timer)
                except StorageAway:
                    self._known = False
                    raise
            now = self._clock.now()
            if self._next is None or self._next > now:
                self._still_due.clear()
                return
            due = await self._store.read(lambda session, now=now: due_timers(session, now, GROUP))  # type: ignore[misc]
            if not due:
                # An act has cleared it since it was looked up.
                self._known = False
                continue
            fresh = [each for each in due if each not in done]
            if not fresh:
                # What is still due after it was done waits for the next tick, lest a mistake spin at full speed. Once
                # it may be an act that was decided on before and committed after.
                stuck, self._still_due = self._still_due & set(due), set(due)
                if stuck:
                    log.error("timer_still_due", timers=sorted(stuck)[:5])
                return
            fired = await asyncio.gather(*(self._fire(incident_id, kind, now) for incident_id, kind in fresh))
            # One that was moved before its turn came may well be due again.
            done.update(each for each, mine in zip(fresh, fired, strict=True) if mine)
            self._known = False

    async def _fire(self, incident_id: int, kind: str, now: datetime) -> bool:
        """One incident's moment; when it fails, this one pauses and the others go on. False: it was moved meanwhile."""
        try:
            mine = await self._store.write(
                lambda session: fire(Desk(session, self._ground, now, "clock"), incident_id, kind)
            )
            self.tally[kind] += mine
            return mine
        except StorageAway:
            raise
        except Exception:
            log.exception("timer_failed", incident=incident_id, kind=kind)
            await self._store.write(lambda session: _put_off(session, incident_id, kind, now))
            return True

    async def tidy(self) -> None:
        """Let go of what has been kept long enough, and of the ids of updates that cannot be delivered again."""
        now = self._clock.now()
        try:
            await self._store.write(lambda session: forget_handled(session, now, KEEP_HANDLED))
            as_of = await self._store.write(lambda session: cautious(Desk(session, self._ground, now, "clock")))
            for _ in range(PAGES):
                gone = await self._store.write(
                    lambda session: let_go(Desk(session, self._ground, as_of, "clock"), self._keep)
                )
                if not gone:
                    break
        except StorageAway as error:
            log.debug("waits_for_storage", where="tidy", error=str(error))


def _ended_quietly(work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """The work as a job: that the program ends while it runs is no mistake of it, and APScheduler would call it one."""

    async def job() -> None:
        with suppress(asyncio.CancelledError):
            await work()

    return job


def _put_off(session: Session, incident_id: int, kind: str, now: datetime) -> None:
    timer = session.get(Timer, (incident_id, kind))
    if timer is not None:
        timer.pace += 1
        timer.next_at = now + FIRST_PAUSE * 2 ** min(timer.pace, 8)
        session.add(timer)
