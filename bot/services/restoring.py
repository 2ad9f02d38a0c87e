"""Brings a restored database forward to now without a word to anybody: what fell due since the backup was made is
worked off in the rows, and what that would say waits with the rest for the operator.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from sqlmodel import Session

from bot.domain.worktime import out_of_quiet
from bot.services.desk import Desk, Ground
from bot.services.operators import was_restored
from bot.services.reminding import fire
from storage.restored import hold_unsent, skip_ids, skip_numbers
from storage.store import Store
from storage.tables import Community, Incident, Timer
from storage.timers import due_timers

log = structlog.get_logger()

AT_ONCE = 100


@dataclass(frozen=True)
class Settled:
    """`held`: messages that wait. `numbers`: the last ones left out, such as SD-2026-0200."""

    held: int
    numbers: list[str]


async def settle(store: Store, ground: Ground, made: datetime, now: datetime) -> Settled:
    """Make the database of a backup from the moment `made` one that a relay can go on with."""
    await _work_off(store, ground, now)

    def job(session: Session) -> Settled:
        held = hold_unsent(session, now, made)
        numbers = skip_numbers(session, made, now, ground.zone)
        skip_ids(session, now)
        if held:
            # Made after the others were held: this one is new, and goes out.
            was_restored(Desk(session, ground, now, "restore"), made, held)
        return Settled(held, numbers)

    return await store.write(job)


async def _work_off(store: Store, ground: Ground, now: datetime) -> None:
    """Do what was due: an answer that was waited for may follow a gathering that ended, a step of the ladder the one
    before it."""
    done: set[tuple[int, str, datetime]] = set()
    failed = 0
    while True:
        due = await store.read(partial(_due, now=now, most=AT_ONCE + failed))
        fresh = [each for each in due if each not in done]
        if not fresh:
            return
        done.update(fresh)
        jobs = (store.write(partial(_fire, ground=ground, timer=each, now=now)) for each in fresh)
        for timer, outcome in zip(fresh, await asyncio.gather(*jobs, return_exceptions=True), strict=True):
            if isinstance(outcome, BaseException):
                # One incident's moment that fails is no reason to have no database; the relay's clock tries again.
                failed += 1
                log.error("timer_failed", incident=timer[0], kind=timer[1], error=repr(outcome))


def _due(session: Session, now: datetime, most: int) -> list[tuple[int, str, datetime]]:
    found = due_timers(session, now, most)
    return [(*each, session.get_one(Timer, each).next_at) for each in found]


def _fire(session: Session, ground: Ground, timer: tuple[int, str, datetime], now: datetime) -> None:
    """At its own moment, as it would have been; a reminder at once for all its steps, unless it is quiet just now."""
    incident_id, kind, at = timer
    desk = Desk(session, ground, at, "clock")
    incident = session.get(Incident, incident_id)
    if kind == "remind" and incident is not None:
        quiet = desk.quiet(session.get_one(Community, incident.community_id))
        if out_of_quiet(now, quiet, ground.zone) == now:
            desk.now = now
    fire(desk, incident_id, kind)
