"""The numbers of the month, counted from incidents and their events."""

from collections.abc import Iterable
from datetime import datetime, time
from typing import Any

from bot.domain.acts import Status
from bot.domain.metrics import Life, Metrics, measure
from bot.domain.worktime import moment
from bot.services.desk import Desk
from bot.views.lists import Numbers
from storage import incidents
from storage.events import events_of
from storage.tables import Incident, Unit


def month_numbers(desk: Desk, args: dict[str, Any]) -> Numbers:
    """The month so far, and each unit's share of it."""
    communities = list(args.get("communities", []))
    unit_id = args.get("unit")
    local = desk.now.astimezone(desk.ground.zone)
    start = moment(local.date().replace(day=1), time.min, desk.ground.zone)
    rows = incidents.counted_since(desk.session, communities, start)
    if unit_id is not None:
        rows = [row for row in rows if row.unit_id == unit_id]
    lives = {row.ident: life(desk, row) for row in rows}
    _, open_now = incidents.open_queue(desk.session, communities, unit_id, 0, 1)
    by_unit = []
    for unit in _units(desk, rows):
        own = [row for row in rows if row.unit_id == unit.id]
        by_unit.append((unit.name, len(own), _measure((lives[row.ident] for row in own), start, desk.now)))
    return Numbers(
        month=local.strftime("%Y-%m"),
        filed=sum(1 for row in rows if row.filed_at and row.filed_at >= start),
        closed=sum(1 for row in rows if row.status == Status.CLOSED and row.closed_at and row.closed_at >= start),
        open=open_now,
        overdue=sum(
            1
            for row in rows
            if row.status in (Status.DISPATCHED, Status.ACCEPTED) and row.repair_due and row.repair_due < desk.now
        ),
        metrics=_measure(lives.values(), start, desk.now),
        units=tuple(by_unit),
    )


def _measure(lives: Iterable[Life], start: datetime, now: datetime) -> Metrics:
    return measure(lives, start, now, now)


def _units(desk: Desk, rows: list[Incident]) -> list[Unit]:
    wanted = {row.unit_id for row in rows if row.unit_id}
    return [desk.session.get_one(Unit, each) for each in sorted(wanted)]


def life(desk: Desk, incident: Incident) -> Life:
    """What is counted of one incident, from its row and its events."""
    events = events_of(desk.session, incident.ident)
    checks = [event.at for event in events if event.act in ("confirm", "send_back")]
    return Life(
        filed_at=incident.filed_at or incident.closed_at or incident.created_at,
        dispatched_at=incident.dispatched_at,
        safe_due=incident.safe_due,
        safe_at=incident.safe_at,
        repair_due=incident.repair_due if incident.dispatched_at else None,
        resolved_at=incident.resolved_at,
        verify_due=incident.verify_due,
        verified_at=checks[-1] if checks else None,
        close_due=incident.verify_due or (incident.repair_due if incident.dispatched_at else None),
        closed_at=incident.closed_at if incident.status == Status.CLOSED else None,
        dispatches=incident.dispatches,
        returns=len(incident.refused_by),
        rework=incident.rework,
        dismissed=incident.status == Status.DISMISSED,
        parked=incident.parked_until is not None,
    )
