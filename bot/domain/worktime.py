"""Working time: which moments count when a limit says "4 working hours" or "2 working days".

It exists because a promise made on Friday evening must not break on Sunday. Everything here maps clock
readings of a community's zone to moments in UTC. On the nights when the clocks change, a span opens when
the clock first shows its start and closes when the clock last shows its end, and a reading that the clock
skips stands for the moment of the jump; so a span is always one piece and none is counted twice. A day
itself ends at its first midnight.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from bot.domain.durations import Duration

ONE_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
HORIZON_DAYS: Final = 20_000
"""How far a count may look ahead (54 years): a calendar with no working day in it ends in an error."""

_SPAN = re.compile(r"(\d{1,2}):([0-5]\d)\s*[-–~]\s*(\d{1,2}):([0-5]\d)", re.ASCII)


def in_utc(at: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError when ``at`` is naive."""
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()} names no time zone: moments in rules are aware")
    return at.astimezone(UTC)


def moment(day: date, clock: time, zone: tzinfo, *, last: bool = False) -> datetime:
    """The UTC moment when the clocks of ``zone`` show ``clock`` on ``day``.

    A reading shown twice means the first showing, or with ``last`` the second; a skipped one, the jump.
    """
    wall = datetime.combine(day, clock)
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first <= second:
        return second if last else first
    return _first_second(second, first + _SECOND, lambda at: at.astimezone(zone).replace(tzinfo=None) >= wall)


def _first_second(before: datetime, after: datetime, reached: Callable[[datetime], bool]) -> datetime:
    """The whole second in UTC from which on `reached` holds: not yet at ``before``, but at ``after``."""
    low, high = int(before.timestamp()), int(after.timestamp())
    while high - low > 1:  # halving: at most 17 rounds for a jump of a whole day
        middle = (low + high) // 2
        if reached(datetime.fromtimestamp(middle, UTC)):
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)


def _reading(at: datetime, zone: tzinfo) -> datetime:
    """The furthest reading (naive) that the clocks of ``zone`` have shown by ``at``: set back, they show less again."""
    local = at.astimezone(zone)
    if not local.fold:
        return local.replace(tzinfo=None)
    first = moment(local.date(), local.time(), zone)
    turn = _first_second(first, at, lambda then: bool(then.astimezone(zone).fold))
    return (turn - _SECOND).astimezone(zone).replace(tzinfo=None) + _SECOND


@dataclass(frozen=True)
class Hours:
    """Spans of local clock time in a day, start included, end not; an end at or before its start is
    on the next day, and an end of 00:00 is the midnight after. No spans at all means "none".
    """

    spans: tuple[tuple[time, time], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Hours:
        """Read ``08:30-11:30,13:30-17:30``, ``21:30-07:00``, ``00:00-24:00`` or nothing (no hours).

        Raises ValueError with one line naming the text: bad form, a span without length, an overlap.
        """
        spans: list[tuple[time, time]] = []
        taken: list[tuple[int, int]] = []
        written = unicodedata.normalize("NFKC", text)  # a Chinese keyboard gives full-width commas and colons
        for part in written.split(",") if written.strip() else ():
            found = _SPAN.fullmatch(part.strip())
            if found is None or int(found[1]) > 23 or int(found[3]) * 60 + int(found[4]) > 24 * 60:
                raise ValueError(f"{part.strip()!r} in {text!r} is not a span: write 08:30-17:30")
            start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
            if start == end:
                raise ValueError(f"{part.strip()!r} in {text!r} has no length: for a whole day write 00:00-24:00")
            spans.append((time(*divmod(start, 60)), time(*divmod(end % 1440, 60))))
            taken += [(start, end)] if start < end else [(start, 1440), (0, end)]
        taken.sort()
        if any(one[1] > following[0] for one, following in pairwise(taken)):
            raise ValueError(f"{text!r} has spans that overlap")
        return cls(tuple(sorted(spans)))

    @property
    def text(self) -> str:
        """The written form, empty for none; ``Hours.parse(h.text) == h``."""
        return ",".join(
            f"{start:%H:%M}-{'24:00' if end == time.min else format(end, '%H:%M')}" for start, end in self.spans
        )

    def on(self, day: date, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
        """The spans that begin on ``day`` as UTC moments (start, end), in order, none empty."""
        for start, end in self.spans:
            last_day = day if start < end else day + ONE_DAY
            opens, closes = moment(day, start, zone), moment(last_day, end, zone, last=end != time.min)
            if opens < closes:
                yield opens, closes

    def _around(self, local: datetime) -> datetime | None:
        """When the span that holds ``local`` ends (UTC); None outside. Yesterday's may reach into today."""
        at, zone = in_utc(local), local.tzinfo or UTC
        for day in (local.date() - ONE_DAY, local.date()):
            for opens, closes in self.on(day, zone):
                if opens <= at < closes:
                    return closes
        return None

    def contains(self, local: datetime) -> bool:
        """Whether ``local``, an aware moment in its own zone, lies inside a span."""
        return self._around(local) is not None

    def end_of_span(self, local: datetime) -> datetime:
        """When the quiet or the work around ``local`` ends, in the zone of ``local``; spans that touch count as one.

        Hours that leave nothing of the day free never end; then it is the end of a span a few days ahead.
        Raises ValueError when no span contains ``local`` or it is naive.
        """
        end = self._around(local)
        if end is None:
            raise ValueError(f"{local.isoformat()} is outside of {self.text or 'no hours'}")
        # Twice all spans: the only gap between them may lie in the hour that the clocks skip.
        for _ in self.spans * 2:
            end = self._around(end.astimezone(local.tzinfo)) or end
        return end.astimezone(local.tzinfo)


WHOLE_DAY: Final = Hours(((time.min, time.min),))


def out_of_quiet(at: datetime, quiet: Hours, zone: ZoneInfo) -> datetime:
    """``at`` in UTC, or the end of the quiet span that contains it. Raises ValueError when ``at`` is naive."""
    local = in_utc(at).astimezone(zone)
    return in_utc(quiet.end_of_span(local) if quiet.contains(local) else at)


class Workdays(Protocol):
    """Which days are worked, and whether that is known or only supposed."""

    def is_workday(self, day: date) -> bool: ...

    def is_estimated(self, day: date) -> bool: ...


class Weekdays:
    """Monday to Friday; it knows no holidays, so every answer of it is an estimate."""

    def is_workday(self, day: date) -> bool:
        return day.weekday() < 5

    def is_estimated(self, day: date) -> bool:
        return True


@dataclass(frozen=True)
class Calendar:
    """Working time of one community. No working hours means the whole of each working day.

    A span that crosses midnight belongs to the day on which it begins. All methods take aware moments
    and give UTC; they raise ValueError for a naive one, or where no working time comes within 54 years.
    """

    zone: ZoneInfo
    hours: Hours
    workdays: Workdays

    def _spans(self, at: datetime, until: datetime | None = None) -> Iterator[tuple[date, datetime, datetime]]:
        """Working spans that end after ``at``, up to the day of ``until``: (working day, start, end); starts are
        cut to ``at`` and to the end of the span before, so that nothing counts twice.
        """
        first_day, free_from = at.astimezone(self.zone).date() - ONE_DAY, at
        last_day = until and until.astimezone(self.zone).date()
        for day in (first_day + timedelta(days=n) for n in range(HORIZON_DAYS)):
            if last_day is not None and day > last_day:
                return
            if self.workdays.is_workday(day):
                for opens, closes in (self.hours if self.hours.spans else WHOLE_DAY).on(day, self.zone):
                    if closes > free_from:
                        yield day, max(opens, free_from), closes
                        free_from = closes
        raise ValueError(f"no working time in the {HORIZON_DAYS} days after {at.isoformat()}")

    def next_opening(self, at: datetime) -> datetime:
        """The first moment at or after ``at`` inside working hours."""
        return next(self._spans(in_utc(at)))[1]

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Working time from ``start`` to ``end``; nothing when ``end`` is not after ``start``."""
        start, end = in_utc(start), in_utc(end)
        spans = self._spans(start, until=end)
        return sum((min(closes, end) - opens for _, opens, closes in spans if opens < end), timedelta())

    def add(self, start: datetime, duration: Duration) -> datetime:
        """The moment when ``duration``, begun at ``start``, has run out.

        s, m, h, d: plain addition. wh: counts working hours alone; a count that fills a span to its end
        runs out at that end, not at the next opening. wd: the same clock time on the n-th working day
        after; a start outside working hours counts from the next opening, so the result always lies in
        working hours, n whole working days are always given, and a later start never gets an earlier limit.
        """
        start = in_utc(start)
        if not duration.is_working:
            return start + duration.natural
        if duration.unit == "wh":
            return self._add_hours(start, timedelta(hours=duration.amount))
        return self._add_days(start, duration.amount)

    def _add_hours(self, start: datetime, left: timedelta) -> datetime:
        end = start
        for _, opens, closes in self._spans(start):
            end = min(opens + left, closes)
            left -= end - opens
            if not left:
                break
        return end

    def _add_days(self, start: datetime, amount: int) -> datetime:
        worked, opens, _ = next(self._spans(start))
        reading = _reading(opens, self.zone)
        after_midnight = reading.date() - worked
        for day in (worked + timedelta(days=n) for n in range(1, HORIZON_DAYS)):
            amount -= self.workdays.is_workday(day)
            if not amount:
                # A reading that the night of a change has taken out of the hours leads to the next opening.
                return self.next_opening(moment(day + after_midnight, reading.time(), self.zone))
        raise ValueError(f"no working day in the {HORIZON_DAYS} days after {start.isoformat()}")
