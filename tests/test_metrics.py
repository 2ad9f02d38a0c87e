"""The round table's numbers, counted by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.metrics import Life, Metrics, Rate, measure, score

START = datetime(2026, 6, 1, tzinfo=UTC)
END = datetime(2026, 6, 8, tzinfo=UTC)


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 6, day, hour, tzinfo=UTC)


def life(**facts: Any) -> Life:
    """An incident filed and dispatched on Monday, due on Wednesday, to be closed by Thursday, with ``facts``."""
    usual: dict[str, Any] = {
        "filed_at": at(1), "dispatched_at": at(1), "dispatches": 1, "repair_due": at(3), "close_due": at(4),
    }  # fmt: skip
    return Life(**(usual | facts))


def kept(**facts: Any) -> Life:
    """As above, and everything in time."""
    in_time = {"resolved_at": at(2), "verify_due": at(3), "verified_at": at(2, 18), "closed_at": at(2, 18)}
    return life(**(in_time | facts))


def numbers(*lives: Life, now: datetime = END) -> Metrics:
    return measure(lives, START, END, now)


def test_four_incidents_give_the_rates_that_a_person_counts() -> None:
    metrics = numbers(
        kept(),
        kept(resolved_at=at(3, 13), closed_at=at(5), rework=2, verified_at=at(4)),  # late, sent back twice
        life(extensions=1, dispatches=2, returns=1),  # overdue
        kept(extensions=2, dispatches=2),
        life(filed_at=at(2), dispatched_at=None, dispatches=0, repair_due=None, close_due=None, dismissed=True),
    )
    assert metrics.resolved == Rate(3, 4)
    assert metrics.resolved_on_time == Rate(2, 4)
    assert metrics.closed == Rate(3, 4)
    assert metrics.closed_on_time == Rate(2, 4)
    assert metrics.rework == Rate(1, 4)
    assert metrics.extended == Rate(2, 4)
    assert metrics.overdue_pending == Rate(1, 4)
    assert metrics.right_first_time == Rate(2, 4)
    assert metrics.valid_reports == Rate(4, 5)
    assert metrics.verified_on_time == Rate(2, 3)
    assert metrics.safe_on_time == Rate(0, 0)
    assert metrics.parked == 0
    # 30 x 0.75 + 20 x 0.5 + 20 x 0.75 + 20 x 0.75 + 10 x 0.5
    assert score(metrics) == pytest.approx(67.5)


def test_parked_incidents_are_left_out_of_every_rate_and_counted() -> None:
    parked = life(parked=True, returns=1)
    assert numbers(kept(), parked, parked) == replace(numbers(kept()), parked=2)
    assert numbers(life(parked=True, filed_at=END)).parked == 0


def test_due_means_that_the_limit_falls_inside_the_period() -> None:
    limits = (START - timedelta(seconds=1), START, END - timedelta(seconds=1), END)
    assert [numbers(life(repair_due=limit)).resolved.of for limit in limits] == [0, 1, 1, 0]
    assert [numbers(life(close_due=limit)).closed.of for limit in limits] == [0, 1, 1, 0]
    assert [numbers(life(verify_due=limit)).verified_on_time.of for limit in limits] == [0, 1, 1, 0]
    assert [numbers(life(filed_at=limit)).valid_reports.of for limit in limits] == [0, 1, 1, 0]
    assert [numbers(life(dispatched_at=limit)).right_first_time.of for limit in limits] == [0, 1, 1, 0]
    assert [numbers(life(safe_due=limit)).safe_on_time.of for limit in limits] == [0, 1, 1, 0]


def test_on_the_very_limit_is_in_time_and_a_moment_later_is_not() -> None:
    moment = timedelta(seconds=1)
    assert numbers(kept(resolved_at=at(3))).resolved_on_time == Rate(1, 1)
    assert numbers(kept(resolved_at=at(3) + moment)).resolved_on_time == Rate(0, 1)
    assert numbers(kept(closed_at=at(4))).closed_on_time == Rate(1, 1)
    assert numbers(kept(closed_at=at(4) + moment)).closed_on_time == Rate(0, 1)
    assert numbers(kept(verified_at=at(3) + moment)).verified_on_time == Rate(0, 1)
    assert numbers(life(safe_due=at(1, 13), safe_at=at(1, 13))).safe_on_time == Rate(1, 1)
    assert numbers(life(safe_due=at(1, 13), safe_at=at(1, 14))).safe_on_time == Rate(0, 1)


def test_what_is_not_yet_overdue_is_due_in_the_period_but_not_overdue() -> None:
    assert numbers(life(), now=at(2)).overdue_pending == Rate(0, 1)
    assert numbers(life(), now=at(3, 13)).overdue_pending == Rate(1, 1)


def test_what_happens_after_now_is_not_known_yet() -> None:
    assert numbers(kept(resolved_at=at(3, 18)), now=at(3, 15)).resolved == Rate(0, 1)
    assert numbers(kept(resolved_at=at(3, 18)), now=at(3, 15)).overdue_pending == Rate(1, 1)


def test_a_repair_after_the_period_counts_as_done_but_not_as_on_time() -> None:
    metrics = numbers(life(resolved_at=END + timedelta(days=1)), now=END + timedelta(days=2))
    assert (metrics.resolved, metrics.resolved_on_time, metrics.overdue_pending) == (Rate(1, 1), Rate(0, 1), Rate(0, 1))


def test_right_first_time_is_one_dispatch_that_nobody_returned() -> None:
    facts = ((1, 0), (1, 1), (2, 0), (2, 1))
    assert [numbers(life(dispatches=sent, returns=back)).right_first_time.hits for sent, back in facts] == [1, 0, 0, 0]


def test_a_dismissed_incident_counts_against_valid_reports_alone() -> None:
    metrics = numbers(life(dismissed=True))
    assert metrics.valid_reports == Rate(0, 1)
    assert {rate.of for name, rate in vars(metrics).items() if name not in ("valid_reports", "parked")} == {0}


@pytest.mark.parametrize(
    ("rate", "percent"),
    [
        (Rate(0, 0), "–"),
        (Rate(0, 7), "0 %"),
        (Rate(7, 7), "100 %"),
        (Rate(2, 3), "66.7 %"),
        (Rate(1, 8), "12.5 %"),
        (Rate(1, 2), "50 %"),
        (Rate(1, 2000), "0.1 %"),
        (Rate(1, 100_000), "0.1 %"),  # something is not nothing
        (Rate(99_999, 100_000), "99.9 %"),  # and nearly all is not all
    ],
)
def test_a_percentage_never_claims_more_than_was_counted(rate: Rate, percent: str) -> None:
    assert rate.percent == percent


def test_a_share_over_nothing_is_none() -> None:
    assert Rate(0, 0).share is None
    assert Rate(1, 4).share == 0.25


def test_a_unit_that_keeps_everything_scores_a_hundred_and_one_that_keeps_nothing_scores_by_what_it_spared() -> None:
    assert score(numbers(kept())) == pytest.approx(100)
    assert score(numbers(life(extensions=1, rework=1))) == pytest.approx(0)
    assert score(numbers(life())) == pytest.approx(20 + 10)  # no rework, no extension


def test_there_is_no_score_over_nothing() -> None:
    assert score(numbers()) is None
    assert score(numbers(kept(close_due=None))) is None  # rework has nothing to stand on


def test_naive_moments_and_a_period_that_runs_backwards_are_refused() -> None:
    naive = datetime(2026, 6, 1)  # noqa: DTZ001
    for lives, start, now in (([], naive, END), ([], START, naive), ([life(closed_at=naive)], START, END)):
        with pytest.raises(ValueError, match="names no time zone"):
            measure(lives, start, END, now)
    with pytest.raises(ValueError, match="before its start"):
        measure([], END, START, END)
