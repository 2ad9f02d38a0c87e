"""When an incident reminds: before the limit, at it, slower and slower past it; never at night, never in a storm."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.deadlines import Clock, Running
from bot.domain.ladder import Moment, Step, may_speak, next_moment, passed, steps
from bot.domain.worktime import Calendar, Hours, Weekdays

SHANGHAI = ZoneInfo("Asia/Shanghai")
CALENDAR = Calendar(SHANGHAI, Hours.parse("08:30-11:30,13:30-17:30"), Weekdays())
QUIET, NO_QUIET = Hours.parse("21:30-07:00"), Hours.parse("")
START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # Monday 09:00 in Shanghai
REPAIR = Running(Clock.REPAIR, START, START + timedelta(hours=4))


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def climbed(running: Running, calendar: Calendar = CALENDAR) -> list[Moment]:
    """The ladder for a year and more past its limit."""
    return list(itertools.islice(steps(running, calendar), 400))


def test_the_unit_hears_at_three_quarters_and_at_the_limit() -> None:
    first, second, *_ = climbed(REPAIR)
    assert (first.at, first.step) == (at(3), Step.SOON)
    assert (second.at, second.step) == (at(4), Step.DUE)


def test_past_the_limit_the_steps_slow_down_to_one_a_day() -> None:
    late = [moment.at for moment in climbed(REPAIR) if moment.step in (Step.DUE, Step.LATE, Step.STREET)]
    gaps = [after - before for before, after in itertools.pairwise(late)]
    assert all(later >= earlier for earlier, later in itertools.pairwise(gaps))
    assert max(gaps) == timedelta(days=1)
    assert gaps[-1] == timedelta(days=1)


def test_the_street_hears_once_after_twice_the_limit() -> None:
    street = [moment.at for moment in climbed(REPAIR) if moment.step is Step.STREET]
    assert street == [at(8)]


def test_the_street_hears_whatever_the_length_of_the_limit() -> None:
    for minutes in (1, 5, 30, 45, 60, 90, 250, 1440, 5000, 20000):
        running = Running(Clock.REPAIR, START, START + timedelta(minutes=minutes))
        street = [moment.at for moment in climbed(running) if moment.step is Step.STREET]
        assert street == [START + timedelta(minutes=2 * minutes)], minutes


def test_the_street_hears_only_of_what_is_not_done() -> None:
    for clock in (Clock.ACCEPT, Clock.SAFE, Clock.VERIFY):
        running = Running(clock, START, START + timedelta(hours=1))
        assert Step.STREET not in {moment.step for moment in climbed(running)}


def test_the_next_moment_is_strictly_later_than_the_last() -> None:
    moment = next_moment([REPAIR], at(3), CALENDAR, NO_QUIET, dangerous=False)
    assert moment is not None and moment.at == at(4)


def test_of_several_clocks_the_nearest_speaks_first() -> None:
    accept = Running(Clock.ACCEPT, START, START + timedelta(minutes=30))
    moment = next_moment([REPAIR, accept], START, CALENDAR, NO_QUIET, dangerous=False)
    assert moment is not None and moment.clock is Clock.ACCEPT and moment.at == at(0.375)


def test_once_the_repair_is_late_only_its_ladder_goes_on() -> None:
    accept = Running(Clock.ACCEPT, START, START + timedelta(minutes=30))
    after, clocks = at(4), set()
    for _ in range(8):
        moment = next_moment([REPAIR, accept], after, CALENDAR, NO_QUIET, dangerous=True)
        assert moment is not None
        after = moment.at
        clocks.add(moment.clock)
    assert clocks == {Clock.REPAIR}


def test_no_clock_no_reminder() -> None:
    assert next_moment([], START, CALENDAR, NO_QUIET, dangerous=True) is None


def test_quiet_hours_hold_back_what_is_not_dangerous() -> None:
    evening = Running(Clock.REPAIR, at(8), at(16))  # until 01:00 at night, three quarters at 23:00
    moment = next_moment([evening], at(8), CALENDAR, QUIET, dangerous=False)
    assert moment is not None
    assert moment.at.astimezone(SHANGHAI).strftime("%d %H:%M") == "24 07:00"


def test_quiet_hours_do_not_hold_back_danger() -> None:
    evening = Running(Clock.REPAIR, at(8), at(16))
    moment = next_moment([evening], at(8), CALENDAR, QUIET, dangerous=True)
    assert moment is not None and moment.at == at(14)


def test_what_is_done_reminds_the_secretary_each_working_day_at_its_opening() -> None:
    friday = datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
    verify = Running(Clock.VERIFY, friday, friday + timedelta(days=3))
    first, second, *_ = (moment.at.astimezone(SHANGHAI) for moment in climbed(verify))
    assert first.strftime("%a %H:%M") == "Mon 08:30"
    assert second.strftime("%a %H:%M") == "Tue 08:30"


def test_after_an_outage_the_missed_steps_come_in_order_and_end_now() -> None:
    missed = passed([REPAIR], START, at(9), CALENDAR)
    assert [moment.at for moment in missed] == sorted(moment.at for moment in missed)
    assert missed[0].at == at(3) and all(moment.at <= at(9) for moment in missed)
    assert Step.STREET in {moment.step for moment in missed}
    assert passed([REPAIR], at(9), at(9), CALENDAR) == []


def test_a_year_of_one_forgotten_incident_is_one_step_at_a_time() -> None:
    after, count = START, 0
    while True:
        moment = next_moment([REPAIR], after, CALENDAR, QUIET, dangerous=False)
        if moment is None or moment.at > START + timedelta(days=365):
            break
        local = moment.at.astimezone(SHANGHAI)
        assert not QUIET.contains(local)
        assert moment.at > after
        after, count = moment.at, count + 1
    assert 360 <= count <= 380


def test_what_nobody_ends_is_said_once_a_day_for_ever() -> None:
    """Found by a simulated year: the ladder ended after 400 steps, and the incident was never heard of again."""
    verify = Running(Clock.VERIFY, START, START + timedelta(days=1))
    for running in (REPAIR, verify):
        for years in (1.1, 3, 20):
            after = START + timedelta(days=365 * years)
            moment = next_moment([running], after, CALENDAR, QUIET, dangerous=False)
            assert moment is not None and after < moment.at <= after + timedelta(days=3)


def test_an_opening_inside_the_quiet_hours_never_moves_a_check_into_a_day_off() -> None:
    """A night shift opens at 22:00 on Friday, in the quiet; Saturday morning is nobody's to check anything."""
    night = Calendar(SHANGHAI, Hours.parse("22:00-06:00"), Weekdays())
    verify, after, days = Running(Clock.VERIFY, START, START + timedelta(days=1)), START, []
    for _ in range(12):
        moment = next_moment([verify], after, night, QUIET, dangerous=True)
        assert moment is not None
        after = moment.at
        days.append(after.astimezone(SHANGHAI))
    assert {day.weekday() for day in days} <= {0, 1, 2, 3, 4}
    assert len({day.date() for day in days}) == len(days), "once a day"
    assert not any(QUIET.contains(day) for day in days), "what is to be checked wakes nobody, dangerous or not"


def test_a_check_missed_on_friday_and_found_on_saturday_waits_for_monday() -> None:
    saturday = datetime(2026, 11, 28, 10, 0, tzinfo=SHANGHAI)
    assert may_speak(saturday, Clock.VERIFY, CALENDAR, QUIET, False) == datetime(2026, 11, 30, 0, 30, tzinfo=UTC)
    assert may_speak(saturday, Clock.REPAIR, CALENDAR, QUIET, False) == saturday
    whole_days = Calendar(SHANGHAI, Hours(), Weekdays())
    monday = may_speak(saturday, Clock.VERIFY, whole_days, QUIET, False)
    assert monday == datetime(2026, 11, 30, 7, 0, tzinfo=SHANGHAI)


def test_a_check_missed_on_friday_and_found_before_the_opening_of_monday_is_said_once_that_day() -> None:
    """Found by a simulated year: once when the quiet ended at 07:00, once more at the opening."""
    early = datetime(2026, 11, 30, 3, 0, tzinfo=SHANGHAI)
    opening = datetime(2026, 11, 30, 8, 30, tzinfo=SHANGHAI)
    for quiet in (QUIET, NO_QUIET):
        assert may_speak(early, Clock.VERIFY, CALENDAR, quiet, False) == opening
    # An opening inside the quiet is said when that ends, though it be on the next day.
    assert may_speak(opening, Clock.VERIFY, CALENDAR, Hours.parse("08:00-24:00"), False) == datetime(
        2026, 12, 1, tzinfo=SHANGHAI
    )


def test_hours_that_leave_no_moment_free_end_in_an_answer_and_not_in_a_loop() -> None:
    whole = Hours.parse("00:00-24:00")
    assert may_speak(START, Clock.VERIFY, CALENDAR, whole, False) > START
    assert may_speak(START, Clock.REPAIR, CALENDAR, whole, False) > START
