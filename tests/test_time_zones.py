"""The hour that comes twice and the hour that never comes, in zones with odd rules of their own: quiet hours, working
hours, limits, the daily check and the month, by hand-counted cases and by cases that nobody has thought of."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.domain.deadlines import Clock, Limits, Running, deadlines
from bot.domain.durations import Duration
from bot.domain.ladder import may_speak, next_moment, passed
from bot.domain.worktime import Calendar, Hours, Weekdays, moment, out_of_quiet
from bot.workdays import ChinaWorkdays

ZONES = (
    *("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"),
    *("Africa/Casablanca", "America/Havana", "Asia/Beirut"),
)
"""Without summer time; with an hour of it at 02:00; with half an hour; at midnight; given up for Ramadan; set back over
midnight into the day before (Havana at 01:00, Beirut at 24:00)."""
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TRIES = settings(max_examples=150, deadline=None, derandomize=True, database=None)


class EveryDay:
    def is_workday(self, day: date) -> bool:
        return True

    def is_estimated(self, day: date) -> bool:
        return False


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """The moments of 2026 and 2027 at which the zone's clocks are changed; a spring night where they never are."""
    at, found = datetime(2026, 1, 1, tzinfo=UTC), []
    while at.year < 2028:
        then = at + timedelta(minutes=30)
        if at.astimezone(ZoneInfo(zone)).utcoffset() != then.astimezone(ZoneInfo(zone)).utcoffset():
            found.append(then)
        at = then
    return tuple(found) or (datetime(2026, 3, 29, 1, tzinfo=UTC),)


def test_the_zones_have_the_odd_nights_that_are_meant() -> None:
    told = {zone: [at.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M") for at in changes(zone)[:2]] for zone in ZONES}
    assert told == {
        "Asia/Shanghai": ["03-29 09:00"],
        "Europe/Berlin": ["03-29 03:00", "10-25 02:00"],
        "America/New_York": ["03-08 03:00", "11-01 01:00"],
        "Australia/Lord_Howe": ["04-05 01:30", "10-04 02:30"],
        "America/Santiago": ["04-04 23:00", "09-06 01:00"],
        "Africa/Casablanca": ["02-15 02:00", "03-22 03:00"],
        "America/Havana": ["03-08 01:00", "11-01 00:00"],
        "Asia/Beirut": ["03-29 01:00", "10-24 23:00"],
    }


@st.composite
def written_hours(draw: st.DrawFn) -> Hours:
    """Spans of five minutes' grain that do not overlap, one perhaps over midnight, some perhaps touching."""
    marks = sorted(draw(st.lists(st.integers(0, 287), min_size=2, max_size=6, unique=True)))
    marks = marks[: len(marks) // 2 * 2]
    if draw(st.booleans()):
        marks = [*marks[1:], marks[0]]
    spans = [
        (f"{start // 12:02d}:{start % 12 * 5:02d}", f"{end // 12:02d}:{end % 12 * 5:02d}")
        for start, end in zip(marks[::2], marks[1::2], strict=True)
    ]
    touching = spans[0][1]
    text = ",".join(f"{start}-{end}" for start, end in spans)
    if draw(st.booleans()) and touching > spans[0][0]:
        middle = spans[0][0][:3] + ("30" if spans[0][0][3:] < "30" else "59")
        if spans[0][0] < middle < touching:
            text = text.replace(f"{spans[0][0]}-{touching}", f"{spans[0][0]}-{middle},{middle}-{touching}")
    return Hours.parse(text)


@st.composite
def near_a_change(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    """A zone and a moment within two days of a night in which its clocks are changed."""
    zone = draw(st.sampled_from(ZONES))
    at = draw(st.sampled_from(changes(zone))) + timedelta(minutes=draw(st.integers(-2880, 2880)))
    return ZoneInfo(zone), at + timedelta(seconds=draw(st.sampled_from((0, 0, 0, 1, 59, 59.999))))


def readings(day: date, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """Each minute of the day as the clock on the wall shows it: (moment, reading)."""
    begin = datetime.combine(day - DAY, time(), UTC)
    every = (begin + MINUTE * n for n in range(3 * 1440))
    told = ((at, at.astimezone(zone).replace(tzinfo=None)) for at in every)
    return [(at, wall) for at, wall in told if wall.date() == day]


def watched(day: date, hours: Hours, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """The spans that begin on the day, as somebody tells who watches the clock minute by minute: open from the first
    minute that shows the start or more, until the last that shows the end."""
    found = []
    for start, end in hours.spans:
        last_day = day if start < end else day + DAY
        opening = next((at for at, wall in readings(day, zone) if wall.time() >= start), None)
        if end == time.min:
            closing: datetime | None = readings(last_day, zone)[0][0]
        else:
            shown = [(at, wall) for at, wall in readings(last_day, zone) if wall.time() <= end]
            exact = bool(shown) and shown[-1][1].time() == end
            before = readings(last_day, zone)[0][0]
            closing = (shown[-1][0] + (timedelta(0) if exact else MINUTE)) if shown else before
        if opening is None:
            opening = readings(day + DAY, zone)[0][0]
        if opening < closing:
            found.append((opening, closing))
    return found


@settings(TRIES, max_examples=40)
@given(near_a_change(), written_hours())
def test_hours_are_what_somebody_sees_who_watches_the_clock(where: tuple[ZoneInfo, datetime], hours: Hours) -> None:
    zone, at = where
    day = at.astimezone(zone).date()
    assert list(hours.on(day, zone)) == watched(day, hours, zone)


@TRIES
@given(near_a_change(), written_hours())
@example(
    (ZoneInfo("Europe/Berlin"), datetime(2026, 3, 28, 12, tzinfo=UTC)),
    Hours.parse("00:00-02:10,02:50-12:00,12:00-24:00"),
)
def test_out_of_the_quiet_is_outside_of_it_and_not_later_than_need_be(
    where: tuple[ZoneInfo, datetime], quiet: Hours
) -> None:
    zone, at = where
    found = out_of_quiet(at, quiet, zone)
    assert found >= at and not quiet.contains(found.astimezone(zone))
    assert found == at or quiet.contains((found - timedelta(milliseconds=1)).astimezone(zone))
    assert out_of_quiet(found, quiet, zone) == found
    later = at + timedelta(minutes=37)
    assert out_of_quiet(later, quiet, zone) >= found


@TRIES
@given(near_a_change(), written_hours(), st.integers(1, 30), st.integers(0, 900))
def test_working_hours_added_are_found_again_and_a_later_start_ends_no_earlier(
    where: tuple[ZoneInfo, datetime], hours: Hours, amount: int, later: int
) -> None:
    zone, at = where
    for workdays in (EveryDay(), Weekdays(), ChinaWorkdays()):
        calendar, duration = Calendar(zone, hours, workdays), Duration(amount, "wh")
        end = calendar.add(at, duration)
        assert calendar.between(at, end) == timedelta(hours=amount)
        assert calendar.between(at, end - timedelta(seconds=1)) < timedelta(hours=amount)
        assert calendar.add(at + MINUTE * later, duration) >= end


@TRIES
@given(near_a_change(), written_hours(), st.integers(1, 4), st.integers(0, 240))
@example((ZoneInfo("Europe/Berlin"), datetime(2026, 10, 25, 0, 45, tzinfo=UTC)), Hours.parse("00:00-24:00"), 1, 30)
@example((ZoneInfo("Asia/Beirut"), datetime(2026, 10, 24, 21, 0, tzinfo=UTC)), Hours.parse("23:05-24:00"), 1, 0)
def test_working_days_end_in_working_hours_and_a_later_start_ends_no_earlier(
    where: tuple[ZoneInfo, datetime], hours: Hours, amount: int, later: int
) -> None:
    """Found by the two examples: in the hour that came twice, half an hour later was due half an hour earlier."""
    zone, at = where
    for workdays in (EveryDay(), ChinaWorkdays()):
        calendar, duration = Calendar(zone, hours, workdays), Duration(amount, "wd")
        end = calendar.add(at, duration)
        assert calendar.next_opening(end) == end
        assert calendar.add(at + MINUTE * later, duration) >= end
        given_days = (end.astimezone(zone).date() - at.astimezone(zone).date()).days
        assert given_days >= amount - 1


@TRIES
@given(near_a_change(), written_hours())
def test_the_next_opening_is_open_and_the_first_that_is(where: tuple[ZoneInfo, datetime], hours: Hours) -> None:
    zone, at = where
    calendar = Calendar(zone, hours, EveryDay())
    opening = calendar.next_opening(at)
    assert opening >= at and hours.contains(opening.astimezone(zone))
    assert calendar.between(at, opening) == timedelta(0)
    assert calendar.between(opening, opening + timedelta(seconds=1)) > timedelta(0)


@TRIES
@given(near_a_change(), st.integers(1, 400), st.sampled_from("smhd"))
def test_natural_time_is_the_time_that_passes(where: tuple[ZoneInfo, datetime], amount: int, unit: str) -> None:
    zone, at = where
    length = Duration(amount, unit)
    end = Calendar(zone, Hours.parse("09:00-17:00"), Weekdays()).add(at.astimezone(zone), length)
    assert end - at == length.natural and end.tzinfo is UTC


@settings(TRIES, max_examples=60)
@given(near_a_change(), written_hours(), st.sampled_from(("30m", "4h", "3d", "2wh", "3wd")), st.booleans())
def test_the_ladder_climbs_and_is_heard_outside_of_the_quiet(
    where: tuple[ZoneInfo, datetime], quiet: Hours, limit: str, dangerous: bool
) -> None:
    zone, start = where
    calendar = Calendar(zone, Hours.parse("08:30-11:30,13:30-17:30"), Weekdays())
    due = deadlines(Limits(Duration.parse("30m"), Duration.parse("1h"), Duration.parse(limit)), start, calendar)
    clocks = [Running(clock, start, due[clock]) for clock in (Clock.ACCEPT, Clock.SAFE, Clock.REPAIR)]
    after, told = start, []
    while after < start + timedelta(days=6):
        step = next_moment(clocks, after, calendar, quiet, dangerous)
        assert step is not None and step.at > after
        assert passed(clocks, after, step.at, calendar), "it has something to say"
        assert dangerous or not quiet.contains(step.at.astimezone(zone))
        told.append(step.at)
        after = step.at
    assert len(set(told)) == len(told) <= 60


@settings(TRIES, max_examples=60)
@given(near_a_change(), written_hours(), written_hours())
def test_a_check_is_asked_for_once_on_each_working_day(
    where: tuple[ZoneInfo, datetime], quiet: Hours, hours: Hours
) -> None:
    zone, start = where
    calendar = Calendar(zone, hours, ChinaWorkdays())
    clock = Running(Clock.VERIFY, start, start + DAY)
    after, days = start, []
    for _ in range(12):
        step = next_moment([clock], after, calendar, quiet, dangerous=True)
        assert step is not None and step.at > after
        assert not quiet.contains(step.at.astimezone(zone))
        assert may_speak(step.at, Clock.VERIFY, calendar, quiet, dangerous=True) == step.at
        days.append(step.at.astimezone(zone).date())
        after = step.at
    assert len(set(days)) == len(days), days
    assert all(calendar.workdays.is_workday(day) for day in days)
    # At most a night shift or an evening's quiet moves one to the next day, so that two days fall together.
    worked = [
        day
        for day in (days[0] + DAY * n for n in range((days[-1] - days[0]).days + 1))
        if calendar.workdays.is_workday(day)
    ]
    assert len(worked) <= 2 * len(days)


@TRIES
@given(near_a_change(), st.times())
def test_a_reading_of_the_clock_is_the_moment_that_shows_it(where: tuple[ZoneInfo, datetime], clock: time) -> None:
    zone, at = where
    day, clock = at.astimezone(zone).date(), clock.replace(microsecond=0)
    first, last = moment(day, clock, zone), moment(day, clock, zone, last=True)
    assert first <= last
    if first.astimezone(zone).replace(tzinfo=None) != datetime.combine(day, clock):
        # Skipped: the moment of the jump, at which it shows more already.
        assert first == last and first in changes(zone.key)
    else:
        assert last.astimezone(zone).replace(tzinfo=None) == datetime.combine(day, clock)
        assert (last - first) in (timedelta(0), timedelta(minutes=30), timedelta(hours=1))


def local(zone: str, text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


SPRING = [
    # zone, quiet hours, found at (UTC), free again on the wall
    ("Europe/Berlin", "22:00-02:30", "2026-03-29T00:00", "03:00"),  # its end is skipped: the jump
    ("Europe/Berlin", "02:30-06:00", "2026-03-29T01:00", "06:00"),  # its beginning is skipped: from the jump on
    ("Europe/Berlin", "02:10-02:50", "2026-03-29T01:00", "03:00"),  # it never comes
    ("America/New_York", "21:30-07:00", "2026-03-08T05:00", "07:00"),
    ("America/New_York", "22:00-02:00", "2026-03-08T06:59", "03:00"),
    ("Australia/Lord_Howe", "23:00-02:15", "2026-10-03T15:00", "02:30"),  # half an hour is skipped
    ("America/Santiago", "22:00-00:30", "2026-09-06T03:30", "01:00"),  # midnight itself is skipped
    ("Africa/Casablanca", "21:30-02:30", "2026-03-22T01:30", "03:00"),
    ("Asia/Shanghai", "21:30-07:00", "2026-03-28T18:00", "07:00"),
]
AUTUMN = [
    ("Europe/Berlin", "22:00-02:30", "2026-10-25T00:45", "02:30", 1),  # free for a moment, quiet again: one piece
    ("Europe/Berlin", "02:30-06:00", "2026-10-25T01:10", "06:00", 0),  # 02:10 the second time: it has begun
    ("America/New_York", "22:00-01:30", "2026-11-01T05:45", "01:30", 1),
    ("Australia/Lord_Howe", "23:00-01:45", "2026-04-04T14:50", "01:45", 1),  # the half hour from 01:30 comes twice
    ("America/Santiago", "21:30-23:30", "2026-04-05T02:45", "23:30", 1),  # Saturday's last hour comes twice
    ("America/Santiago", "21:30-07:00", "2026-04-05T02:45", "07:00", 0),
    ("Africa/Casablanca", "21:30-02:30", "2026-02-15T01:45", "02:30", 1),
    ("Asia/Beirut", "22:00-24:00", "2026-10-24T21:30", "00:00", 0),
]


@pytest.mark.parametrize(("zone", "quiet", "at", "free"), SPRING)
def test_quiet_hours_in_the_night_that_is_too_short(zone: str, quiet: str, at: str, free: str) -> None:
    found = out_of_quiet(datetime.fromisoformat(at).replace(tzinfo=UTC), Hours.parse(quiet), ZoneInfo(zone))
    assert found.astimezone(ZoneInfo(zone)).strftime("%H:%M") == free


@pytest.mark.parametrize(("zone", "quiet", "at", "free", "fold"), AUTUMN)
def test_quiet_hours_in_the_night_that_is_too_long(zone: str, quiet: str, at: str, free: str, fold: int) -> None:
    found = out_of_quiet(datetime.fromisoformat(at).replace(tzinfo=UTC), Hours.parse(quiet), ZoneInfo(zone))
    told = found.astimezone(ZoneInfo(zone))
    assert (told.strftime("%H:%M"), told.fold) == (free, fold)


@pytest.mark.parametrize(
    ("zone", "day", "worked"),
    [
        ("Europe/Berlin", "2026-03-29", 5),
        ("Europe/Berlin", "2026-10-25", 7),
        ("America/New_York", "2026-03-08", 5),
        ("America/New_York", "2026-11-01", 7),
        ("Australia/Lord_Howe", "2026-04-05", 6.5),
        ("Australia/Lord_Howe", "2026-10-04", 5.5),
        ("America/Santiago", "2026-09-06", 5),
        ("Africa/Casablanca", "2026-02-15", 7),
        ("Africa/Casablanca", "2026-03-22", 5),
        ("Asia/Shanghai", "2026-03-29", 6),
    ],
)
def test_a_shift_from_midnight_to_six_is_as_long_as_it_is(zone: str, day: str, worked: float) -> None:
    calendar = Calendar(ZoneInfo(zone), Hours.parse("00:00-06:00"), EveryDay())
    noon = datetime.combine(date.fromisoformat(day), time(12), ZoneInfo(zone))
    before = datetime.combine(date.fromisoformat(day) - DAY, time(12), ZoneInfo(zone))
    assert calendar.between(before, noon) == timedelta(hours=worked)
    assert (
        calendar.add(before, Duration(2, "wh"))
        == moment(date.fromisoformat(day), time(), ZoneInfo(zone)) + 2 * 60 * MINUTE
    )


@pytest.mark.parametrize("zone", ZONES)
def test_tomorrow_at_half_past_eight_is_that_on_the_wall_in_every_odd_night(zone: str) -> None:
    calendar = Calendar(ZoneInfo(zone), Hours.parse("08:30-17:30"), EveryDay())
    for change in changes(zone):
        evening = (change - DAY).astimezone(ZoneInfo(zone)).replace(hour=18, minute=0, fold=0)
        for day in range(3):
            at = evening + DAY * day
            assert calendar.next_opening(at).astimezone(ZoneInfo(zone)).strftime("%H:%M") == "08:30"
            limit = calendar.add(at, Duration(1, "wd")).astimezone(ZoneInfo(zone))
            assert limit.strftime("%H:%M") == "08:30"
            assert (limit.date() - at.date()).days == 2, "from the next opening, one whole working day"


@pytest.mark.parametrize("zone", ZONES)
def test_the_daily_check_comes_at_the_opening_through_every_odd_night(zone: str) -> None:
    calendar = Calendar(ZoneInfo(zone), Hours.parse("08:30-17:30"), EveryDay())
    for change in changes(zone):
        begun = change - timedelta(days=3)
        clock, after, told = Running(Clock.VERIFY, begun, begun + DAY), begun, []
        for _ in range(6):
            step = next_moment([clock], after, calendar, Hours.parse("21:30-07:00"), False)
            assert step is not None
            after = step.at
            told.append(after.astimezone(ZoneInfo(zone)))
        assert {each.strftime("%H:%M") for each in told} == {"08:30"}
        assert [(later.date() - sooner.date()).days for sooner, later in pairwise(told)] == [1] * 5


@pytest.mark.parametrize(
    ("zone", "at", "hours", "due"),
    [
        ("Europe/Berlin", local("Europe/Berlin", "2026-03-28T22:00"), "6h", "05:00"),
        ("Europe/Berlin", local("Europe/Berlin", "2026-10-24T22:00"), "6h", "03:00"),
        ("America/New_York", local("America/New_York", "2026-11-01T01:30", 0), "60m", "01:30"),
        ("America/New_York", local("America/New_York", "2026-11-01T01:30", 1), "60m", "02:30"),
        ("Australia/Lord_Howe", local("Australia/Lord_Howe", "2026-04-05T01:00"), "60m", "01:30"),
        ("Australia/Lord_Howe", local("Australia/Lord_Howe", "2026-10-04T01:30"), "60m", "03:00"),
        ("America/Santiago", local("America/Santiago", "2026-04-04T22:30"), "2h", "23:30"),
        ("America/Santiago", local("America/Santiago", "2026-09-05T23:30"), "60m", "01:30"),
        ("Africa/Casablanca", local("Africa/Casablanca", "2026-02-15T01:30"), "2h", "02:30"),
        ("Asia/Shanghai", local("Asia/Shanghai", "2026-03-29T01:30"), "2h", "03:30"),
    ],
)
def test_a_limit_in_natural_time_is_real_time_whatever_the_wall_shows(
    zone: str, at: datetime, hours: str, due: str
) -> None:
    calendar = Calendar(ZoneInfo(zone), Hours.parse("08:30-17:30"), EveryDay())
    found = calendar.add(at, Duration.parse(hours))
    assert found.astimezone(ZoneInfo(zone)).strftime("%H:%M") == due
    assert found - at.astimezone(UTC) == Duration.parse(hours).natural
