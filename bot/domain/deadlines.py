"""The clocks of an incident: when it must be accepted, made safe, repaired and checked, and which of them run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.acts import Status
from bot.domain.durations import Duration
from bot.domain.worktime import Calendar

VERIFY = Duration.parse("1wd")
"""The secretary checks what a unit calls done, and sorts what nobody has named, within one working day: local, not a
standard."""


class Clock(StrEnum):
    ACCEPT = "accept"
    SAFE = "safe"
    REPAIR = "repair"
    VERIFY = "verify"


@dataclass(frozen=True)
class Limits:
    """The limits of one category; `safe` is None where nothing has to be cordoned off."""

    accept: Duration
    safe: Duration | None
    repair: Duration


@dataclass(frozen=True)
class Running:
    """A clock that runs: what it waits for, since when, until when."""

    clock: Clock
    start: datetime
    due: datetime


def deadlines(limits: Limits, since: datetime, calendar: Calendar) -> dict[Clock, datetime]:
    """The moments the clocks run out, counted from `since` (the moment of dispatch)."""
    due = {Clock.ACCEPT: calendar.add(since, limits.accept), Clock.REPAIR: calendar.add(since, limits.repair)}
    if limits.safe is not None:
        due[Clock.SAFE] = calendar.add(since, limits.safe)
    return due


# Which clocks run in which status; a parked incident runs none.
RUNS: Mapping[Status, tuple[Clock, ...]] = {
    Status.DRAFT: (Clock.VERIFY,),
    Status.FILED: (Clock.ACCEPT,),
    Status.DISPATCHED: (Clock.ACCEPT, Clock.SAFE, Clock.REPAIR),
    Status.ACCEPTED: (Clock.SAFE, Clock.REPAIR),
    Status.RESOLVED: (Clock.VERIFY,),
}
