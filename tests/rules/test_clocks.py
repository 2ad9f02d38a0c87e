"""The clocks of an incident, the steps at which they speak, how fast may be spoken, and whose a matter is."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

from bot.domain.acts import Status
from bot.domain.deadlines import RUNS, VERIFY, Clock, Limits, Running, deadlines
from bot.domain.durations import Duration
from bot.domain.ladder import Moment, Step, next_moment, passed, steps
from bot.domain.pace import SLACK, Pace, Paces
from bot.domain.routing import Route, route
from bot.domain.worktime import Calendar, Hours, Weekdays
from tests.rules.bench import HOURS, QUIET, ZONE

CALENDAR = Calendar(ZONE, Hours.parse(HOURS), Weekdays())
NIGHT, NO_NIGHT = Hours.parse(QUIET), Hours.parse("")
START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
"""Monday, 09:00 in Shanghai."""


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def clock(which: Clock, hours: float, start: float = 0) -> Running:
    return Running(which, at(start), at(start + hours))


def spoken(running: Running, most: int = 8) -> list[tuple[float, Step]]:
    """(hours after the start of the week's Monday, step)."""
    return [
        ((moment.at - START) / timedelta(hours=1), moment.step) for moment in islice(steps(running, CALENDAR), most)
    ]


# Limits


def test_each_limit_is_counted_from_the_dispatch() -> None:
    limits = Limits(Duration.parse("30m"), Duration.parse("60m"), Duration.parse("6h"))
    assert deadlines(limits, START, CALENDAR) == {Clock.ACCEPT: at(0.5), Clock.SAFE: at(1), Clock.REPAIR: at(6)}


def test_what_needs_no_cones_has_no_limit_for_them_and_working_hours_stop_at_noon() -> None:
    limits = Limits(Duration.parse("2wh"), None, Duration.parse("4wh"))
    assert deadlines(limits, START, CALENDAR) == {Clock.ACCEPT: at(2), Clock.REPAIR: at(6)}


def test_the_secretary_has_a_working_day_to_check() -> None:
    assert Duration.parse("1wd") == VERIFY


def test_which_clocks_run_in_which_status() -> None:
    assert {status: set(clocks) for status, clocks in RUNS.items()} == {
        Status.DRAFT: {Clock.VERIFY},
        Status.FILED: {Clock.ACCEPT},
        Status.DISPATCHED: {Clock.ACCEPT, Clock.SAFE, Clock.REPAIR},
        Status.ACCEPTED: {Clock.SAFE, Clock.REPAIR},
        Status.RESOLVED: {Clock.VERIFY},
    }


# The ladder


def test_a_repair_reminds_before_at_and_slower_and_slower_past_its_limit_and_once_the_street() -> None:
    assert spoken(clock(Clock.REPAIR, 4), 9) == [
        (3, Step.SOON),
        (4, Step.DUE),
        (6, Step.LATE),
        (8, Step.STREET),
        (10, Step.LATE),
        (18, Step.LATE),
        (34, Step.LATE),
        (58, Step.LATE),
        (82, Step.LATE),
    ]


def test_a_short_limit_slows_down_from_half_an_hour() -> None:
    assert spoken(clock(Clock.ACCEPT, 0.5), 7) == [
        (0.375, Step.SOON),
        (0.5, Step.DUE),
        (1.5, Step.LATE),
        (3.5, Step.LATE),
        (7.5, Step.LATE),
        (15.5, Step.LATE),
        (31.5, Step.LATE),
    ]


def test_a_long_limit_is_a_day_apart_at_once() -> None:
    assert spoken(clock(Clock.REPAIR, 120), 9) == [
        (90, Step.SOON),
        (120, Step.DUE),
        (144, Step.LATE),
        (168, Step.LATE),
        (192, Step.LATE),
        (216, Step.LATE),
        (240, Step.STREET),
        (264, Step.LATE),
        (288, Step.LATE),
    ]


def test_where_the_street_hears_the_unit_does_not_hear_twice() -> None:
    assert spoken(clock(Clock.REPAIR, 1), 5) == [
        (0.75, Step.SOON),
        (1, Step.DUE),
        (2, Step.STREET),
        (4, Step.LATE),
        (8, Step.LATE),
    ]
    assert spoken(clock(Clock.SAFE, 1), 4) == [(0.75, Step.SOON), (1, Step.DUE), (2, Step.LATE), (4, Step.LATE)]


def test_a_clock_speaks_of_itself() -> None:
    for which in (Clock.ACCEPT, Clock.SAFE, Clock.REPAIR):
        assert {moment.clock for moment in islice(steps(clock(which, 1), CALENDAR), 6)} == {which}


def test_a_ladder_never_ends_and_is_one_step_a_day() -> None:
    forgotten = clock(Clock.REPAIR, 4)
    late = [moment.at for moment in islice(steps(forgotten, CALENDAR), 500)]
    assert late[-1] > START + timedelta(days=480)
    assert {after - before for before, after in pairwise(late[8:])} == {timedelta(days=1)}


def test_what_is_to_be_checked_reminds_at_each_working_days_opening() -> None:
    friday = 4 * 24
    verify = clock(Clock.VERIFY, 24, start=friday)
    assert spoken(verify, 3) == [(7 * 24 - 0.5, Step.VERIFY), (8 * 24 - 0.5, Step.VERIFY), (9 * 24 - 0.5, Step.VERIFY)]
    assert [moment.clock for moment in islice(steps(verify, CALENDAR), 1)] == [Clock.VERIFY]


def test_the_next_day_begins_at_midnight_there_and_not_in_greenwich() -> None:
    early = 22.0
    """Tuesday, 07:00 in Shanghai: Monday still in Greenwich."""
    verify = clock(Clock.VERIFY, 24, start=early)
    assert spoken(verify, 1) == [(47.5, Step.VERIFY)]


def test_the_next_step_is_the_nearest_of_all_clocks_and_strictly_later() -> None:
    clocks = [clock(Clock.REPAIR, 4), clock(Clock.SAFE, 1), clock(Clock.ACCEPT, 0.5)]
    heard, after = [], START
    for _ in range(8):
        moment = next_moment(clocks, after, CALENDAR, NO_NIGHT, dangerous=True)
        assert moment is not None
        heard.append(((moment.at - START) / timedelta(hours=1), moment.clock, moment.step))
        after = moment.at
    assert heard == [
        (0.375, Clock.ACCEPT, Step.SOON),
        (0.5, Clock.ACCEPT, Step.DUE),
        (0.75, Clock.SAFE, Step.SOON),
        (1, Clock.SAFE, Step.DUE),
        (1.5, Clock.ACCEPT, Step.LATE),
        (2, Clock.SAFE, Step.LATE),
        (3, Clock.REPAIR, Step.SOON),
        (3.5, Clock.ACCEPT, Step.LATE),
    ]


def test_once_the_repair_is_late_only_its_ladder_goes_on() -> None:
    clocks = [clock(Clock.ACCEPT, 1), clock(Clock.REPAIR, 4)]
    heard = [(moment.at, moment.clock, moment.step) for moment in passed(clocks, at(1), at(10), CALENDAR)]
    # Late to be accepted would speak at two, at four and at eight: from four on only the repair does.
    assert heard == [
        (at(2), Clock.ACCEPT, Step.LATE),
        (at(3), Clock.REPAIR, Step.SOON),
        (at(4), Clock.REPAIR, Step.DUE),
        (at(6), Clock.REPAIR, Step.LATE),
        (at(8), Clock.REPAIR, Step.STREET),
        (at(10), Clock.REPAIR, Step.LATE),
    ]
    following = next_moment(clocks, at(10), CALENDAR, NO_NIGHT, dangerous=True)
    assert following == Moment(at(18), Clock.REPAIR, Step.LATE)


def test_another_clocks_limit_is_heard_although_the_repair_is_late() -> None:
    clocks = [clock(Clock.SAFE, 6), clock(Clock.REPAIR, 4)]
    assert Moment(at(6), Clock.SAFE, Step.DUE) in passed(clocks, at(4), at(6), CALENDAR)


def test_without_a_repair_every_step_of_the_others_is_heard() -> None:
    moment = next_moment([clock(Clock.ACCEPT, 1)], at(4), CALENDAR, NO_NIGHT, dangerous=True)
    assert moment == Moment(at(8), Clock.ACCEPT, Step.LATE)


def test_what_was_missed_is_all_after_the_last_and_up_to_now() -> None:
    clocks = [clock(Clock.REPAIR, 4), clock(Clock.ACCEPT, 3.9)]
    missed = passed(iter(clocks), at(3), at(4), CALENDAR)
    assert [(moment.clock, moment.step) for moment in missed] == [
        (Clock.ACCEPT, Step.DUE),
        (Clock.REPAIR, Step.DUE),
    ]
    assert passed(clocks, at(4), at(4), CALENDAR) == []
    assert passed([], at(0), at(90), CALENDAR) == []


def test_the_night_holds_back_what_is_not_dangerous_and_keeps_what_it_says() -> None:
    evening = [clock(Clock.REPAIR, 8, start=8)]  # 17:00 to 01:00, three quarters gone at 23:00
    assert next_moment(iter(evening), at(8), CALENDAR, NIGHT, dangerous=False) == Moment(
        at(22), Clock.REPAIR, Step.SOON
    )
    assert next_moment(evening, at(8), CALENDAR, NIGHT, dangerous=True) == Moment(at(14), Clock.REPAIR, Step.SOON)


def test_where_nothing_runs_nothing_reminds() -> None:
    assert next_moment([], START, CALENDAR, NIGHT, dangerous=False) is None


def test_what_was_forgotten_for_years_is_still_said_once_a_day() -> None:
    long_ago = Running(Clock.ACCEPT, START - timedelta(days=900), START - timedelta(days=899))
    # A limit of a day from 09:00 to 09:00: the first late step came half a day after it, the others a day apart.
    assert next_moment([long_ago], START, CALENDAR, NIGHT, dangerous=False) == Moment(at(12), Clock.ACCEPT, Step.LATE)
    assert next_moment([long_ago], at(12), CALENDAR, NIGHT, dangerous=True) == Moment(at(36), Clock.ACCEPT, Step.LATE)


# The pace


def test_a_window_lets_so_many_through_and_opens_again_a_trace_later() -> None:
    pace = Pace([(2, 10.0)])
    for now in (0.0, 1.0):
        assert pace.wait(now) == 0.0
        pace.spend(now)
    assert pace.wait(2.0) == 10.0 + SLACK - 2.0
    assert pace.wait(10.0 + SLACK) == 0.0
    pace.spend(10.0 + SLACK)
    assert abs(pace.wait(10.5) - (1.0 + 10.0 + SLACK - 10.5)) < 1e-9


def test_of_two_windows_the_narrower_one_holds() -> None:
    pace = Pace([(1, 1.0), (3, 60.0)])
    for now in (0.0, 2.0, 4.0):
        pace.spend(now)
    assert pace.wait(4.5) == 60.0 + SLACK - 4.5
    one = Pace([(3, 60.0), (1, 1.0)])
    one.spend(0.0)
    assert one.wait(0.5) == 1.0 + SLACK - 0.5


def test_patience_asked_for_holds_and_is_never_cut_short() -> None:
    pace = Pace([(5, 1.0)])
    pace.block(30.0)
    pace.block(20.0)
    assert pace.wait(5.0) == 25.0
    assert pace.wait(30.0) == 0.0 == pace.wait(31.0)


def test_a_group_and_a_person_are_paced_apart_and_all_together() -> None:
    paces = Paces()
    for number in range(20):
        paces.spend(-1, float(2 * number))
        paces.spend(5, float(2 * number))
    assert paces.wait(-1, 39.5) == 60.0 + SLACK - 39.5
    assert paces.wait(5, 39.5) == 0.0
    assert paces.chat(-1) is paces.chat(-1)
    assert paces.chat(-2) is not paces.chat(-1)
    assert paces.wait(-2, 38.5) == 0.0


def test_a_person_gets_one_a_second() -> None:
    paces = Paces()
    paces.spend(5, 0.0)
    assert paces.wait(5, 0.25) == 1.0 + SLACK - 0.25
    assert paces.wait(6, 0.25) == 0.0


def test_the_thirty_first_in_a_second_waits_whatever_its_chat() -> None:
    paces = Paces()
    for number in range(30):
        assert paces.wait(number + 1, 0.0) == 0.0
        paces.spend(number + 1, 0.0)
    for chat in (99, -99, None):
        assert paces.wait(chat, 0.5) == 1.0 + SLACK - 0.5


def test_what_is_no_message_counts_among_all_and_against_no_chat() -> None:
    paces = Paces()
    for _ in range(29):
        paces.spend(None, 0.0)
    assert paces.wait(-1, 0.0) == 0.0 == paces.wait(None, 0.0)
    paces.spend(None, 0.0)
    assert paces.wait(None, 0.0) == 1.0 + SLACK == paces.wait(-1, 0.0)


def test_the_longer_of_both_waits_counts() -> None:
    paces = Paces()
    paces.chat(-1).block(9.0)
    assert paces.wait(-1, 0.0) == 9.0
    assert paces.wait(None, 0.0) == 0.0


# The route


WATER, PROPERTY, GREEN, URBAN = 1, 2, 3, 4


def test_a_named_category_beats_a_group_and_a_group_beats_everything() -> None:
    routes = [
        Route(PROPERTY, ("*",), ("*",)),
        Route(URBAN, ("cover.*",), ("*",)),
        Route(WATER, ("cover.water", "x"), ("*",)),
    ]
    assert route("cover.water", "guandi", routes) == WATER
    assert route("cover.sewer", "guandi", routes) == URBAN
    assert route("green", "guandi", routes) == PROPERTY


def test_a_named_district_beats_all_districts_and_the_category_comes_first() -> None:
    routes = [
        Route(PROPERTY, ("green",), ("*",)),
        Route(GREEN, ("green",), ("nanshi", "guandi")),
        Route(URBAN, ("*",), ("guandi",)),
    ]
    assert route("green", "guandi", routes) == GREEN
    assert route("green", "hebin", routes) == PROPERTY
    assert route("road", "guandi", routes) == URBAN
    assert route("road", "hebin", routes) is None


def test_between_equals_the_first_in_the_file_wins() -> None:
    routes = [Route(GREEN, ("green",), ("*",)), Route(URBAN, ("green",), ("*",))]
    assert route("green", "guandi", routes) == GREEN
    assert route("green", None, routes) == GREEN


def test_a_unit_is_as_near_as_its_nearest_word() -> None:
    routes = [Route(URBAN, ("cover.*",), ("*",)), Route(GREEN, ("*", "cover.water"), ("*",))]
    assert route("cover.water", "guandi", routes) == GREEN
    assert route("cover.water", "guandi", [*reversed(routes)]) == GREEN


def test_whoever_names_nothing_or_elsewhere_gets_nothing() -> None:
    assert route("green", "guandi", []) is None
    assert route("green", "guandi", [Route(GREEN, (), ("*",))]) is None
    assert route("green", "guandi", [Route(GREEN, ("green",), ())]) is None
    assert route("green", "guandi", [Route(GREEN, ("road",), ("*",)), Route(URBAN, ("green",), ("hebin",))]) is None
    assert route("green", None, [Route(GREEN, ("green",), ("hebin",))]) is None


def test_a_group_is_its_own_and_not_what_begins_alike() -> None:
    routes = [Route(URBAN, ("cover.*",), ("*",))]
    assert route("coverage", "guandi", routes) is None
    assert route("cover", "guandi", routes) is None
    assert route("cover.gas", "guandi", routes) == URBAN
    assert route("old.cover.gas", "guandi", routes) is None
    assert route("gas", "guandi", [Route(URBAN, ("ga*",), ("*",))]) is None
