"""Queries of the auditor: rows that no rule would leave as they are. Each looks at a page or uses an index."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from bot.domain.acts import ENDED, OPEN
from storage.posts import STILL
from storage.tables import Community, FailedUpdate, Incident, Post, Timer

_OPEN = [str(status) for status in OPEN]
_ENDED = [str(status) for status in ENDED]


def open_after(session: Session, incident_id: int, most: int) -> Sequence[int]:
    """The next open incidents by id: pages through all of them, however many there were before."""
    # Named with their communities, so that the index over both finds the few that are open.
    known = select(Community.id)
    return [
        found
        for found in session.exec(
            select(Incident.id)
            .where(col(Incident.community_id).in_(known), col(Incident.status).in_(_OPEN))
            .where(col(Incident.id) > incident_id)
            .order_by(col(Incident.id))
            .limit(most)
        ).all()
        if found is not None
    ]


def timers_past_the_end(session: Session, most: int) -> Sequence[Timer]:
    """Reminders and questions about incidents that are over; `refresh` ends the minute of undoing and may stand."""
    return session.exec(
        select(Timer)
        .join(Incident, col(Incident.id) == Timer.incident_id)
        .where(col(Incident.status).in_(_ENDED), Timer.kind != "refresh")
        .limit(most)
    ).all()


def posts_without_moment(session: Session, most: int) -> Sequence[Post]:
    """Posts behind what they should show that nothing would ever look at."""
    return session.exec(
        select(Post)
        .where(col(Post.due_at).is_(None), col(Post.shown) < col(Post.wanted), col(Post.state).not_in(STILL))
        .limit(most)
    ).all()


def posts_long_sending(session: Session, before: datetime, most: int) -> Sequence[Post]:
    """First sends whose lease ended long ago: whoever held it is gone."""
    return session.exec(select(Post).where(Post.state == "sending", col(Post.lease) < before).limit(most)).all()


def overdue_chats(session: Session, before: datetime) -> Sequence[int]:
    """Chats in which something has been due since before that moment."""
    return session.exec(select(Post.chat_id).where(col(Post.due_at) < before).distinct()).all()


def set_aside(session: Session) -> int:
    """How many updates wait for `bot retry`."""
    return int(session.exec(select(func.count()).select_from(FailedUpdate)).one())
