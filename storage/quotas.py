"""Queries over what one person reports within an hour, and what of it waits for the secretary."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, literal
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, select

from storage.store import stir
from storage.tables import Incident, Timer
from storage.types import Instant

GO = "go"
"""The timer of an incident that is let go, or dismissed, together with the others of its list."""


def filed_since(session: Session, incident: Incident, since: datetime, kinds: Collection[str], most: int) -> int:
    """How many others the incident's author has filed in its community since then, of `kinds` where any are named;
    counted as far as `most`."""
    query = select(Incident.id).where(
        Incident.community_id == incident.community_id,
        Incident.author_id == incident.author_id,
        col(Incident.filed_at) >= since,
        Incident.id != incident.id,
    )
    if kinds:
        query = query.where(col(Incident.category).in_(kinds))
    return len(session.exec(query.limit(most)).all())


def first_filed(session: Session, community_id: int, author_id: int, since: datetime) -> datetime | None:
    """When the first of the author's reports since then was filed."""
    found: datetime | None = session.exec(
        select(func.min(Incident.filed_at)).where(
            Incident.community_id == community_id, Incident.author_id == author_id, col(Incident.filed_at) >= since
        )
    ).one()
    return found


def filed_between(session: Session, community_id: int, author_id: int, start: datetime, end: datetime) -> int:
    """How many the author has filed in the community within this time."""
    return int(
        session.exec(
            select(func.count()).where(
                Incident.community_id == community_id,
                Incident.author_id == author_id,
                col(Incident.filed_at) >= start,
                col(Incident.filed_at) <= end,
            )
        ).one()
    )


def waiting_page(
    session: Session, community_id: int, author_id: int, after: int, skip: int, most: int
) -> tuple[Sequence[Incident], int]:
    """The author's incidents that wait for the secretary, oldest first, those above the id `after`; and how many."""
    rules = _waiting(community_id, author_id, after)
    total = session.exec(select(func.count()).select_from(Incident).where(*rules)).one()
    rows = session.exec(select(Incident).where(*rules).order_by(col(Incident.id)).offset(skip).limit(most)).all()
    return rows, int(total)


def newest_waiting(session: Session, community_id: int, author_id: int) -> int:
    """The newest of them, 0 when none waits."""
    rules = _waiting(community_id, author_id, 0)
    return session.exec(select(func.max(Incident.id)).where(*rules)).one() or 0


def let_all_go(session: Session, community_id: int, author_id: int, now: datetime) -> int:
    """Set the timer of each one that waits, in one statement: the ticker does the rest, a hundred at a time."""
    session.flush()
    rules = _waiting(community_id, author_id, 0)
    chosen = select(Incident.id).where(*rules)
    session.execute(delete(Timer).where(col(Timer.kind) == GO, col(Timer.incident_id).in_(chosen)))
    values: tuple[Any, ...] = (col(Incident.id), literal(GO), literal(now, Instant()), literal(0))
    columns = ["incident_id", "kind", "next_at", "pace"]
    result: Any = session.execute(insert(Timer).from_select(columns, sa_select(*values).where(*rules)))
    stir(session, "timers")
    return int(result.rowcount)


def _waiting(community_id: int, author_id: int, after: int) -> tuple[Any, ...]:
    return (
        col(Incident.community_id) == community_id,
        col(Incident.author_id) == author_id,
        col(Incident.status) == "filed",
        col(Incident.need) == "quota",
        col(Incident.id) > after,
    )
