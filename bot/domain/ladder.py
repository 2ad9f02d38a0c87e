"""When an incident reminds, whom, and how the steps slow down: a pure function of its clocks and `now`.

After an outage only the newest missed step speaks: the caller asks for the next moment after the last one it
sent, and a moment in the past is simply due now.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.deadlines import Clock, Running
from bot.domain.worktime import Calendar, Hours, out_of_quiet

SOON = 0.75
"""The unit hears before a limit when three quarters of it are gone (DOMAIN.md)."""
FIRST_GAP = timedelta(minutes=30)
LONGEST_GAP = timedelta(days=1)
MOST_STEPS = 400
"""A ladder climbs for about a year past its limit; the daily step then simply goes on from there."""


class Step(StrEnum):
    SOON = "soon"
    DUE = "due"
    LATE = "late"
    STREET = "street"
    VERIFY = "verify"


@dataclass(frozen=True)
class Moment:
    """The next reminder: when, for which clock, and which step of its ladder."""

    at: datetime
    clock: Clock
    step: Step


def steps(running: Running, calendar: Calendar) -> Iterable[Moment]:
    """All steps of one clock in order of time, at most `MOST_STEPS` of them."""
    if running.clock is Clock.VERIFY:
        yield from _verify_steps(running, calendar)
        return
    span = running.due - running.start
    yield Moment(running.start + span * SOON, running.clock, Step.SOON)
    yield Moment(running.due, running.clock, Step.DUE)
    street, at, gap = running.due + span, running.due, max(FIRST_GAP, span / 4)
    for _ in range(MOST_STEPS):
        gap = min(gap * 2, LONGEST_GAP)
        following = at + gap
        if running.clock is Clock.REPAIR and at < street <= following:
            # What is late to be accepted or made safe is the office's to hear; the street hears of what is not done.
            yield Moment(street, running.clock, Step.STREET)
        if running.clock is not Clock.REPAIR or following != street:
            yield Moment(following, running.clock, Step.LATE)
        at = following


def _verify_steps(running: Running, calendar: Calendar) -> Iterable[Moment]:
    """Each working day at its opening, from the first opening after the unit said done."""
    at = running.start
    for _ in range(MOST_STEPS):
        at = calendar.next_opening(_next_midnight(at, calendar))
        yield Moment(at, Clock.VERIFY, Step.VERIFY)


def _next_midnight(at: datetime, calendar: Calendar) -> datetime:
    local = at.astimezone(calendar.zone)
    return datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), calendar.zone).astimezone(at.tzinfo)


def _heard(clocks: Iterable[Running]) -> Callable[[Moment], bool]:
    """Once the repair itself is late, only its ladder goes on: three at once about one incident would be nagging."""
    repair = next((running.due for running in clocks if running.clock is Clock.REPAIR), None)

    def heard(moment: Moment) -> bool:
        return moment.clock is Clock.REPAIR or moment.step is not Step.LATE or repair is None or moment.at < repair

    return heard


def next_moment(
    clocks: Iterable[Running], after: datetime, calendar: Calendar, quiet: Hours, dangerous: bool
) -> Moment | None:
    """The earliest step strictly later than `after`, moved out of the quiet hours unless `dangerous`.

    `after` is the moment of the last reminder, or the start of the clocks when none was sent.
    """
    upcoming: list[Moment] = []
    clocks = tuple(clocks)
    heard = _heard(clocks)
    for running in clocks:
        found = next((moment for moment in steps(running, calendar) if moment.at > after and heard(moment)), None)
        if found is not None:
            upcoming.append(found)
    if not upcoming:
        return None
    first = min(upcoming, key=lambda moment: moment.at)
    if dangerous:
        return first
    return Moment(out_of_quiet(first.at, quiet, calendar.zone), first.clock, first.step)


def passed(clocks: Iterable[Running], after: datetime, now: datetime, calendar: Calendar) -> list[Moment]:
    """The steps in (after, now], oldest first: several after an outage or a night, which one reminder then covers."""
    found: list[Moment] = []
    clocks = tuple(clocks)
    heard = _heard(clocks)
    for running in clocks:
        for moment in steps(running, calendar):
            if moment.at > now:
                break
            if moment.at > after and heard(moment):
                found.append(moment)
    return sorted(found, key=lambda moment: moment.at)
