"""When an incident reminds, whom, and how the steps slow down: a pure function of its clocks and `now`.

After an outage only the newest missed step speaks: the caller asks for the next moment after the last one it
sent, and a moment in the past is simply due now.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from bot.domain.deadlines import Clock, Running
from bot.domain.worktime import Calendar, Hours, in_utc, moment, out_of_quiet

SOON = 0.75
"""The unit hears before a limit when three quarters of it are gone (DOMAIN.md)."""
FIRST_GAP = timedelta(minutes=30)
LONGEST_GAP = timedelta(days=1)
TRIES = 30
"""How often a moment is moved on before hours that leave nothing free are taken as they are."""


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


def steps(running: Running, calendar: Calendar, after: datetime | None = None) -> Iterator[Moment]:
    """All steps of one clock in order of time, without end: what nobody ends is said once a day for ever.

    Those up to `after` may be left out.
    """
    if running.clock is Clock.VERIFY:
        yield from _verify_steps(running, calendar, after)
        return
    span = running.due - running.start
    yield Moment(running.start + span * SOON, running.clock, Step.SOON)
    yield Moment(running.due, running.clock, Step.DUE)
    street, at, gap = running.due + span, running.due, max(FIRST_GAP, span / 4)
    while True:
        gap = min(gap * 2, LONGEST_GAP)
        following = at + gap
        if running.clock is Clock.REPAIR and at < street <= following:
            # What is late to be accepted or made safe is the office's to hear; the street hears of what is not done.
            yield Moment(street, running.clock, Step.STREET)
        if running.clock is not Clock.REPAIR or following != street:
            yield Moment(following, running.clock, Step.LATE)
        at = following


def _verify_steps(running: Running, calendar: Calendar, after: datetime | None) -> Iterator[Moment]:
    """Each working day at its opening, from the first opening after the unit said done."""
    # Wherever one begins, the openings are the same: a year is not counted up again for each day of it.
    at = max(running.start, after - LONGEST_GAP) if after is not None else running.start
    while True:
        at = calendar.next_opening(_next_midnight(at, calendar))
        yield Moment(at, Clock.VERIFY, Step.VERIFY)


def _next_midnight(at: datetime, calendar: Calendar) -> datetime:
    return moment(at.astimezone(calendar.zone).date() + timedelta(days=1), time.min, calendar.zone)


def may_speak(at: datetime, clock: Clock, calendar: Calendar, quiet: Hours, dangerous: bool) -> datetime:
    """`at`, or the first moment after it at which a reminder of this clock may be heard.

    Not in the quiet hours, unless `dangerous`; and the secretary checks on working days, from their opening on, and is
    not woken for it: what is to be checked is dangerous no more.
    """
    if clock is not Clock.VERIFY:
        return in_utc(at) if dangerous else out_of_quiet(at, quiet, calendar.zone)
    for _ in range(TRIES):
        at = out_of_quiet(at, quiet, calendar.zone)
        today = at.astimezone(calendar.zone).date()
        if calendar.workdays.is_workday(today):
            # Before the opening what was missed goes along with what the opening itself has to say.
            opening = out_of_quiet(calendar.next_opening(moment(today, time.min, calendar.zone)), quiet, calendar.zone)
            return max(at, opening) if opening.astimezone(calendar.zone).date() == today else at
        at = calendar.next_opening(_next_midnight(at, calendar))
    return at


def _heard(clocks: Iterable[Running]) -> Callable[[Moment], bool]:
    """Once the repair itself is late, only its ladder goes on: three at once about one incident would be nagging."""
    repair = next((running.due for running in clocks if running.clock is Clock.REPAIR), None)

    def heard(step: Moment) -> bool:
        return step.clock is Clock.REPAIR or step.step is not Step.LATE or repair is None or step.at < repair

    return heard


def next_moment(
    clocks: Iterable[Running], after: datetime, calendar: Calendar, quiet: Hours, dangerous: bool
) -> Moment | None:
    """The earliest step strictly later than `after`, moved to where it may be heard (`may_speak`).

    `after` is the moment of the last reminder, or the start of the clocks when none was sent.
    """
    upcoming: list[Moment] = []
    clocks = tuple(clocks)
    heard = _heard(clocks)
    for running in clocks:
        for step in steps(running, calendar, after):
            if not heard(step):
                break
            if step.at > after:
                upcoming.append(step)
                break
    if not upcoming:
        return None
    first = min(upcoming, key=lambda step: step.at)
    return Moment(may_speak(first.at, first.clock, calendar, quiet, dangerous), first.clock, first.step)


def passed(clocks: Iterable[Running], after: datetime, now: datetime, calendar: Calendar) -> list[Moment]:
    """The steps in (after, now], oldest first: several after an outage or a night, which one reminder then covers."""
    found: list[Moment] = []
    clocks = tuple(clocks)
    heard = _heard(clocks)
    for running in clocks:
        for step in steps(running, calendar, after):
            if step.at > now:
                break
            if step.at > after and heard(step):
                found.append(step)
    return sorted(found, key=lambda step: step.at)
