"""The numbers that the round table reads: how much was due, how much was kept, and one score for a unit.

It exists so that the board, the weekly report and the export count alike. The formulas are those of city
management as DOMAIN.md lists them; a rate keeps both its counts, so nobody has to trust a percentage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

WEIGHTS: Final = (30, 20, 20, 20, 10)
"""Points for: resolved, resolved on time, no rework, nothing overdue, no extension (DOMAIN.md, unit score)."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """What happened to one incident, as far as it is counted; all moments are aware, None = not (yet).

    ``filed_at``: when it was filed, or dismissed without having been filed. ``resolved_at`` and ``closed_at``
    stand only while they hold: sent back or reopened, they are None again. ``repair_due`` is the limit with
    extensions granted. ``verified_at``: confirmed or sent back for the resolution that ``verify_due`` belongs
    to. ``dispatches``, ``returns``, ``rework``, ``extensions`` count acts. Merged and void incidents have no Life.
    """

    filed_at: datetime
    dispatched_at: datetime | None = None
    safe_due: datetime | None = None
    safe_at: datetime | None = None
    repair_due: datetime | None = None
    resolved_at: datetime | None = None
    verify_due: datetime | None = None
    verified_at: datetime | None = None
    close_due: datetime | None = None
    closed_at: datetime | None = None
    dispatches: int = 0
    returns: int = 0
    rework: int = 0
    extensions: int = 0
    dismissed: bool = False
    parked: bool = False


@dataclass(frozen=True)
class Rate:
    """``hits`` out of ``of`` incidents."""

    hits: int
    of: int

    @property
    def share(self) -> float | None:
        """0.0 to 1.0; None over nothing."""
        return self.hits / self.of if self.of else None

    @property
    def percent(self) -> str:
        """``98.9 %``, ``100 %``, or ``–`` over nothing; 0 and 100 appear only when they are exact."""
        if not self.of:
            return "–"
        permille = (2000 * self.hits + self.of) // (2 * self.of)  # halves go up
        if 0 < self.hits < self.of:
            permille = min(max(permille, 1), 999)
        whole, tenth = divmod(permille, 10)
        return f"{whole}.{tenth} %" if tenth else f"{whole} %"


@dataclass(frozen=True)
class Metrics:
    """Each rate of DOMAIN.md's table; ``parked``: how many were left out of all of them."""

    resolved: Rate
    resolved_on_time: Rate
    closed: Rate
    closed_on_time: Rate
    rework: Rate
    extended: Rate
    overdue_pending: Rate
    right_first_time: Rate
    valid_reports: Rate
    verified_on_time: Rate
    safe_on_time: Rate
    parked: int


def measure(lives: Iterable[Life], start: datetime, end: datetime, now: datetime) -> Metrics:
    """Count the period ``start`` ≤ moment < ``end`` as it stands at ``now``; what happened after ``now`` is not known.

    "Due" means that the limit falls inside the period, come or not: for a period that still runs, ``end = now``
    asks only about limits that have come. Something done after the period ended counts as done, not as on time.
    ``parked`` counts parked incidents filed before ``end``. Raises ValueError for naive moments or end < start.
    """
    _aware(start, end, now)
    if end < start:
        raise ValueError(f"the period ends at {end.isoformat()}, before its start {start.isoformat()}")

    def inside(at: datetime | None) -> bool:
        return at is not None and start <= at < end

    def done(at: datetime | None, by: datetime | None = None) -> bool:
        return at is not None and at <= now and (by is None or at <= by)

    known = list(lives)
    for life in known:
        _aware(*(at for field in fields(life) if isinstance(at := getattr(life, field.name), datetime)))
    counted = [life for life in known if not life.parked]
    filed = [life for life in counted if inside(life.filed_at)]
    real = [life for life in counted if not life.dismissed]
    dispatched = [life for life in real if inside(life.dispatched_at)]
    to_resolve = [life for life in real if inside(life.repair_due)]
    to_close = [life for life in real if inside(life.close_due)]
    to_verify = [life for life in real if inside(life.verify_due)]
    to_secure = [life for life in real if inside(life.safe_due)]
    return Metrics(
        resolved=_rate(done(life.resolved_at) for life in to_resolve),
        resolved_on_time=_rate(done(life.resolved_at, life.repair_due) for life in to_resolve),
        closed=_rate(done(life.closed_at) for life in to_close),
        closed_on_time=_rate(done(life.closed_at, life.close_due) for life in to_close),
        rework=_rate(life.rework > 0 for life in to_close),
        extended=_rate(life.extensions > 0 for life in to_resolve),
        overdue_pending=_rate(done(life.repair_due) and not done(life.resolved_at) for life in to_resolve),
        right_first_time=_rate(life.dispatches == 1 and not life.returns for life in dispatched),
        valid_reports=_rate(not life.dismissed for life in filed),
        verified_on_time=_rate(done(life.verified_at, life.verify_due) for life in to_verify),
        safe_on_time=_rate(done(life.safe_at, life.safe_due) for life in to_secure),
        parked=sum(life.parked and life.filed_at < end for life in known),
    )


def score(metrics: Metrics) -> float | None:
    """The unit score, 0 to 100; None while one of its rates is over nothing, since that is neither 0 nor 100 %."""
    good = (metrics.resolved.share, metrics.resolved_on_time.share)
    bad = (metrics.rework.share, metrics.overdue_pending.share, metrics.extended.share)
    shares = [*good, *(None if share is None else 1 - share for share in bad)]
    parts = [weight * share for weight, share in zip(WEIGHTS, shares, strict=True) if share is not None]
    return sum(parts) if len(parts) == len(WEIGHTS) else None


def _rate(answers: Iterable[bool]) -> Rate:
    known = list(answers)
    return Rate(sum(known), len(known))


def _aware(*moments: datetime) -> None:
    for at in moments:
        if at.utcoffset() is None:
            raise ValueError(f"{at.isoformat()} names no time zone: moments in rules are aware")
