"""Moments at which incidents are looked at again: one indexed column answers "when is the next"."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from storage.store import stir
from storage.tables import Timer


def set_timer(session: Session, incident_id: int, kind: str, at: datetime) -> None:
    """One timer of each kind an incident: a second one replaces the first."""
    # Rows hold whole milliseconds: rounded down, it would go off a moment before there is anything to do.
    at += timedelta(microseconds=-at.microsecond % 1000)
    timer = session.get(Timer, (incident_id, kind))
    if timer is None:
        session.add(Timer(incident_id=incident_id, kind=kind, next_at=at))
    else:
        timer.next_at, timer.pace = at, 0
    stir(session, "timers")


def clear_timers(session: Session, incident_id: int, kinds: Iterable[str]) -> None:
    session.flush()
    session.execute(delete(Timer).where(Timer.incident_id == incident_id, col(Timer.kind).in_(tuple(kinds))))  # type: ignore[arg-type]


def due_timers(session: Session, now: datetime, most: int) -> list[tuple[int, str]]:
    """(incident id, kind) of what is due, the longest overdue first."""
    rows = session.exec(
        select(Timer.incident_id, Timer.kind).where(Timer.next_at <= now).order_by(col(Timer.next_at)).limit(most)
    ).all()
    return [(incident, kind) for incident, kind in rows]


def next_timer(session: Session) -> datetime | None:
    found: datetime | None = session.exec(select(func.min(Timer.next_at))).one()
    return found
