"""Working time by hand-counted cases: Pinghu's hours, Berlin's two odd nights, and spans over midnight."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.domain.durations import Duration
from bot.domain.worktime import Calendar, Hours, Weekdays, moment, out_of_quiet

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
PINGHU = Calendar(SHANGHAI, Hours.parse("08:30-11:30,13:30-17:30"), Weekdays())  # 7 hours a day
QUIET = Hours.parse("21:30-07:00")

# The week used below: Monday 2026-06-01 to Sunday 2026-06-07.


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Never:
    def is_workday(self, day: date) -> bool:
        return False

    def is_estimated(self, day: date) -> bool:
        return False


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-06-05T16:00", "6h", "2026-06-05T22:00"),  # natural time knows no evening
        ("2026-06-05T16:00", "3d", "2026-06-08T16:00"),
        ("2026-06-01T09:00", "2wh", "2026-06-01T11:00"),
        ("2026-06-01T10:30", "2wh", "2026-06-01T14:30"),  # an hour before lunch, an hour after
        ("2026-06-01T08:30", "3wh", "2026-06-01T11:30"),  # full at the bell, not after lunch
        ("2026-06-01T12:00", "4wh", "2026-06-01T17:30"),  # lunch does not count
        ("2026-06-01T06:00", "1wh", "2026-06-01T09:30"),
        ("2026-06-05T16:30", "4wh", "2026-06-08T11:30"),  # Friday 1 h, Monday 3 h
        ("2026-06-06T12:00", "2wh", "2026-06-08T10:30"),  # a Saturday
        ("2026-06-01T08:30", "35wh", "2026-06-05T17:30"),  # 5 days of 7 h
        ("2026-06-01T10:00", "1wd", "2026-06-02T10:00"),
        ("2026-06-04T10:00", "2wd", "2026-06-08T10:00"),  # over the week-end
        ("2026-06-05T20:00", "1wd", "2026-06-09T08:30"),  # from Monday's opening one whole day
        ("2026-06-06T10:00", "1wd", "2026-06-09T08:30"),
        ("2026-06-01T12:00", "1wd", "2026-06-02T13:30"),  # from the opening after lunch
        ("2026-06-01T17:30", "1wd", "2026-06-03T08:30"),  # the end of a span is outside of it
    ],
)
def test_a_limit_runs_out_when_a_person_with_a_calendar_says(start: str, duration: str, end: str) -> None:
    result = PINGHU.add(shanghai(start), Duration.parse(duration))
    assert result == shanghai(end)
    assert result.tzinfo is UTC


def test_no_working_hours_mean_the_whole_of_each_working_day() -> None:
    calendar = Calendar(SHANGHAI, Hours.parse(""), Weekdays())
    assert calendar.add(shanghai("2026-06-05T22:00"), Duration.parse("4wh")) == shanghai("2026-06-08T02:00")
    assert calendar.add(shanghai("2026-06-05T22:00"), Duration.parse("1wd")) == shanghai("2026-06-08T22:00")
    assert calendar.next_opening(shanghai("2026-06-05T23:59")) == shanghai("2026-06-05T23:59")
    assert calendar.next_opening(shanghai("2026-06-06T00:00")) == shanghai("2026-06-08T00:00")


def test_working_time_between_two_moments_leaves_out_lunch_night_and_week_end() -> None:
    assert PINGHU.between(shanghai("2026-06-05T16:00"), shanghai("2026-06-08T14:00")) == timedelta(hours=5)
    assert PINGHU.between(shanghai("2026-06-06T00:00"), shanghai("2026-06-07T23:59")) == timedelta(0)
    assert PINGHU.between(shanghai("2026-06-01T10:00"), shanghai("2026-06-01T10:00")) == timedelta(0)
    assert PINGHU.between(shanghai("2026-06-02T10:00"), shanghai("2026-06-01T10:00")) == timedelta(0)


def test_the_next_opening_is_now_when_it_is_open() -> None:
    assert PINGHU.next_opening(shanghai("2026-06-01T08:30")) == shanghai("2026-06-01T08:30")
    assert PINGHU.next_opening(shanghai("2026-06-01T11:29:59")) == shanghai("2026-06-01T11:29:59")
    assert PINGHU.next_opening(shanghai("2026-06-01T11:30")) == shanghai("2026-06-01T13:30")
    assert PINGHU.next_opening(shanghai("2026-06-05T17:30")) == shanghai("2026-06-08T08:30")


@pytest.mark.parametrize("calendar", [PINGHU, Calendar(BERLIN, Hours.parse("22:00-03:30,09:15-12:00"), Weekdays())])
def test_what_is_added_is_found_between_and_a_later_start_never_ends_earlier(calendar: Calendar) -> None:
    first = utc("2026-03-26T00:00")  # through Berlin's night of 29 March
    for hours in (1, 4, 9):
        duration, before = Duration(hours, "wh"), first
        for quarters in range(0, 4 * 24 * 6, 5):
            start = first + timedelta(minutes=15 * quarters)
            end = calendar.add(start, duration)
            assert calendar.between(start, end) == timedelta(hours=hours)
            assert end >= before
            before = end
    before = first
    for quarters in range(0, 4 * 24 * 6, 5):
        end = calendar.add(first + timedelta(minutes=15 * quarters), Duration(2, "wd"))
        assert end >= before
        assert calendar.next_opening(end) == end
        before = end


def test_the_spring_night_of_berlin_has_an_hour_less() -> None:
    night = Calendar(BERLIN, Hours.parse("00:00-06:00"), EveryDay())
    assert night.between(utc("2026-03-28T23:00"), utc("2026-03-29T10:00")) == timedelta(hours=5)
    assert night.add(berlin("2026-03-29T00:00"), Duration.parse("4wh")) == berlin("2026-03-29T05:00")
    assert night.add(berlin("2026-03-28T02:30"), Duration.parse("1wd")) == utc("2026-03-29T01:00")  # 02:30 is skipped
    assert night.add(berlin("2026-03-28T04:00"), Duration.parse("1wd")) == utc("2026-03-29T02:00")  # 23 h later


def test_the_autumn_night_of_berlin_has_an_hour_more() -> None:
    night = Calendar(BERLIN, Hours.parse("00:00-06:00"), EveryDay())
    assert night.between(utc("2026-10-24T22:00"), utc("2026-10-25T10:00")) == timedelta(hours=7)
    assert night.add(berlin("2026-10-25T00:00"), Duration.parse("4wh")) == berlin("2026-10-25T03:00")
    assert night.add(berlin("2026-10-24T04:00"), Duration.parse("1wd")) == utc("2026-10-25T03:00")  # 25 h later
    assert night.add(berlin("2026-10-24T02:30"), Duration.parse("1wd")) == utc("2026-10-25T00:30")  # its first showing


def test_spans_that_touch_inside_the_repeated_hour_are_not_counted_twice() -> None:
    night = Calendar(BERLIN, Hours.parse("01:00-02:30,02:30-04:00"), EveryDay())
    assert night.between(utc("2026-10-24T20:00"), utc("2026-10-25T10:00")) == timedelta(hours=4)


def test_a_span_inside_the_skipped_hour_is_empty() -> None:
    night = Calendar(BERLIN, Hours.parse("02:10-02:50"), EveryDay())
    assert night.between(utc("2026-03-28T12:00"), utc("2026-03-29T12:00")) == timedelta(0)


def test_a_reading_of_the_clock_is_a_moment_even_in_the_odd_hours() -> None:
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    assert moment(spring, time(1, 59), BERLIN) == utc("2026-03-29T00:59")
    assert moment(spring, time(2, 1), BERLIN) == moment(spring, time(2, 59), BERLIN) == utc("2026-03-29T01:00")
    assert moment(spring, time(3, 0), BERLIN) == utc("2026-03-29T01:00")
    assert moment(autumn, time(2, 30), BERLIN) == utc("2026-10-25T00:30")
    assert moment(autumn, time(2, 30), BERLIN, last=True) == utc("2026-10-25T01:30")


class EveryDay:
    def is_workday(self, day: date) -> bool:
        return True

    def is_estimated(self, day: date) -> bool:
        return False


def test_a_night_shift_belongs_to_the_day_on_which_it_begins() -> None:
    shift = Calendar(SHANGHAI, Hours.parse("22:00-06:00"), Weekdays())
    assert shift.next_opening(shanghai("2026-06-06T02:00")) == shanghai("2026-06-06T02:00")  # Friday's shift
    assert shift.next_opening(shanghai("2026-06-08T02:00")) == shanghai("2026-06-08T22:00")  # Sunday has none
    assert shift.add(shanghai("2026-06-06T02:00"), Duration.parse("1wd")) == shanghai("2026-06-09T02:00")
    assert shift.add(shanghai("2026-06-06T05:00"), Duration.parse("2wh")) == shanghai("2026-06-08T23:00")


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2026-06-01T21:29", "2026-06-01T21:29"),
        ("2026-06-01T21:30", "2026-06-02T07:00"),
        ("2026-06-02T00:00", "2026-06-02T07:00"),
        ("2026-06-02T06:59:59", "2026-06-02T07:00"),
        ("2026-06-02T07:00", "2026-06-02T07:00"),
    ],
)
def test_quiet_hours_hold_back_until_they_end(at: str, told: str) -> None:
    assert out_of_quiet(shanghai(at), QUIET, SHANGHAI) == shanghai(told)


def test_no_quiet_hours_hold_nothing_back_and_the_answer_is_utc() -> None:
    told = out_of_quiet(shanghai("2026-06-02T03:00"), Hours.parse(""), SHANGHAI)
    assert (told, told.tzinfo) == (utc("2026-06-01T19:00"), UTC)


def test_quiet_hours_end_by_the_clock_on_the_wall_in_both_odd_nights() -> None:
    assert out_of_quiet(berlin("2026-03-28T22:00"), QUIET, BERLIN) == utc("2026-03-29T05:00")
    assert out_of_quiet(berlin("2026-10-24T22:00"), QUIET, BERLIN) == utc("2026-10-25T06:00")
    short = Hours.parse("21:30-02:30")
    assert out_of_quiet(berlin("2026-03-28T22:00"), short, BERLIN) == utc("2026-03-29T01:00")
    assert out_of_quiet(berlin("2026-10-25T02:45"), short, BERLIN) == utc("2026-10-25T01:30")
    assert out_of_quiet(berlin("2026-10-25T02:15", fold=1), short, BERLIN) == utc("2026-10-25T01:30")


def test_quiet_spans_that_touch_are_one_quiet() -> None:
    quiet = Hours.parse("21:30-24:00,00:00-07:00")
    assert out_of_quiet(shanghai("2026-06-01T22:00"), quiet, SHANGHAI) == shanghai("2026-06-02T07:00")
    whole = Hours.parse("00:00-24:00")
    assert whole.end_of_span(shanghai("2026-06-01T22:00")) == shanghai("2026-06-04T00:00")  # bounded, never endless


def test_hours_tell_the_end_of_their_span_in_the_zone_they_were_asked_in() -> None:
    end = QUIET.end_of_span(shanghai("2026-06-01T23:00"))
    assert (end.isoformat(), end.tzinfo) == ("2026-06-02T07:00:00+08:00", SHANGHAI)
    with pytest.raises(ValueError, match="outside of 21:30-07:00"):
        QUIET.end_of_span(shanghai("2026-06-01T12:00"))


@pytest.mark.parametrize("text", ["", "08:30-11:30,13:30-17:30", "21:30-07:00", "00:00-24:00", "18:00-24:00"])
def test_hours_can_be_shown_and_read_again(text: str) -> None:
    assert Hours.parse(text).text == text


def test_hours_may_come_from_a_chinese_keyboard_and_out_of_order() -> None:
    written = "13\uff1a30-17\uff1a30\uff0c 8:30 - 11:30"
    assert Hours.parse(written).text == "08:30-11:30,13:30-17:30"


@pytest.mark.parametrize(
    "text",
    (
        *("08:30", "8-17", "25:00-26:00", "24:00-08:00", "08:60-09:00", "08:00-24:30", "08:00-12:00,", "all day"),
        *("08:00-08:00", "00:00-00:00", "08:00-12:00,11:00-13:00", "21:30-07:00,06:00-08:00"),
    ),
)
def test_hours_that_make_no_sense_are_refused_in_one_line_that_names_them(text: str) -> None:
    with pytest.raises(ValueError) as refusal:
        Hours.parse(text)
    assert text in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_moment_without_a_zone_is_refused_everywhere() -> None:
    naive, aware = datetime(2026, 6, 1, 10), utc("2026-06-01T10:00")  # noqa: DTZ001
    for call in (
        lambda: PINGHU.add(naive, Duration.parse("1h")),
        lambda: PINGHU.add(naive, Duration.parse("1wh")),
        lambda: PINGHU.between(naive, aware),
        lambda: PINGHU.between(aware, naive),
        lambda: PINGHU.next_opening(naive),
        lambda: out_of_quiet(naive, QUIET, SHANGHAI),
        lambda: out_of_quiet(naive, Hours(), SHANGHAI),
        lambda: QUIET.contains(naive),
    ):
        with pytest.raises(ValueError, match="names no time zone"):
            call()


def test_a_calendar_without_a_working_day_ends_in_an_error_and_not_in_a_loop() -> None:
    barren = Calendar(SHANGHAI, Hours.parse("08:00-09:00"), Never())
    for duration in ("1wh", "1wd"):
        with pytest.raises(ValueError, match="no working time"):
            barren.add(utc("2026-06-01T10:00"), Duration.parse(duration))
    assert barren.between(utc("2026-06-01T10:00"), utc("2026-06-03T10:00")) == timedelta(0)


def test_weekdays_are_monday_to_friday_and_only_an_estimate() -> None:
    week = [date(2026, 6, day) for day in range(1, 8)]
    assert [Weekdays().is_workday(day) for day in week] == [True] * 5 + [False] * 2
    assert Weekdays().is_estimated(week[0])
