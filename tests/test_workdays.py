"""China's working days of 2026 as the State Council published them, and what happens past the published years."""

import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.domain.durations import Duration
from bot.domain.worktime import Calendar, Hours, Workdays
from bot.workdays import ChinaWorkdays

SHANGHAI = ZoneInfo("Asia/Shanghai")
CHINA: Workdays = ChinaWorkdays()
UNPUBLISHED = date(2099, 1, 5)  # a Monday


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2026, 2, 13), True),
        (date(2026, 2, 14), True),  # a Saturday, worked for the Spring Festival
        (date(2026, 2, 16), False),  # Monday, New Year's Eve
        (date(2026, 2, 17), False),  # Chinese New Year
        (date(2026, 2, 23), False),
        (date(2026, 2, 24), True),
        (date(2026, 2, 28), True),  # a Saturday, worked
        (date(2026, 9, 20), True),  # a Sunday, worked for the National Day
        (date(2026, 10, 1), False),
        (date(2026, 10, 7), False),
        (date(2026, 10, 8), True),
        (date(2026, 10, 10), True),  # a Saturday, worked
        (date(2026, 6, 6), False),  # a Saturday like any other
    ],
)
def test_the_adjusted_days_of_2026_are_known_for_certain(day: date, worked: bool) -> None:
    assert CHINA.is_workday(day) is worked
    assert not CHINA.is_estimated(day)


def test_a_limit_jumps_over_the_spring_festival_and_counts_the_worked_saturday() -> None:
    pinghu = Calendar(SHANGHAI, Hours.parse("08:30-11:30,13:30-17:30"), CHINA)
    friday = datetime(2026, 2, 13, 16, 30, tzinfo=SHANGHAI)
    assert pinghu.add(friday, Duration.parse("1wd")) == datetime(2026, 2, 14, 16, 30, tzinfo=SHANGHAI)
    assert pinghu.add(friday, Duration.parse("2wd")) == datetime(2026, 2, 24, 16, 30, tzinfo=SHANGHAI)
    assert pinghu.add(friday, Duration.parse("9wh")) == datetime(2026, 2, 24, 9, 30, tzinfo=SHANGHAI)


def test_past_the_published_years_weekdays_stand_in_and_say_so() -> None:
    assert CHINA.is_workday(UNPUBLISHED)
    assert not CHINA.is_workday(date(2099, 1, 4))
    assert CHINA.is_estimated(UNPUBLISHED)
    assert CHINA.is_estimated(date(1990, 1, 1))


def test_a_list_loaded_by_an_operator_wins_and_makes_its_year_certain() -> None:
    china = ChinaWorkdays({UNPUBLISHED: False, date(2099, 1, 4): True, date(2026, 6, 5): False})
    assert (china.is_workday(UNPUBLISHED), china.is_workday(date(2099, 1, 4))) == (False, True)
    assert china.is_workday(date(2099, 1, 6))
    assert not china.is_estimated(date(2099, 1, 6))
    assert china.is_estimated(date(2098, 1, 6))
    assert not china.is_workday(date(2026, 6, 5))
    assert not china.is_workday(date(2026, 10, 1))


def test_the_tables_are_loaded_only_when_a_day_is_asked_for() -> None:
    program = "import sys, bot.workdays as w; w.ChinaWorkdays(); assert 'chinese_calendar' not in sys.modules"
    root = Path(__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0
