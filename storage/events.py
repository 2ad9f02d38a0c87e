"""Queries over the history."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from storage.tables import Event


def latest_events(session: Session, incident_id: int, without: Iterable[str], most: int) -> Sequence[Event]:
    """The newest events first, leaving out the acts in `without`."""
    return session.exec(
        select(Event)
        .where(Event.incident_id == incident_id, col(Event.act).not_in(tuple(without)))
        .order_by(col(Event.id).desc())
        .limit(most)
    ).all()


def last_time(session: Session, incident_id: int, acts: Iterable[str]) -> datetime | None:
    """When one of the acts was last done to the incident."""
    return session.exec(
        select(Event.at)
        .where(Event.incident_id == incident_id, col(Event.act).in_(tuple(acts)))
        .order_by(col(Event.id).desc())
        .limit(1)
    ).first()


def events_of(session: Session, incident_id: int) -> Sequence[Event]:
    """The whole history, oldest first."""
    return session.exec(select(Event).where(Event.incident_id == incident_id).order_by(col(Event.id))).all()


def last_by(session: Session, incident_id: int, actor_id: int, act: str) -> Event | None:
    """The last time this person did this to the incident."""
    return session.exec(
        select(Event)
        .where(Event.incident_id == incident_id, Event.actor_id == actor_id, Event.act == act)
        .order_by(col(Event.id).desc())
        .limit(1)
    ).first()
