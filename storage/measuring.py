"""Queries for those who watch the relay: each looks at what waits and not at what is over."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlmodel import Session, col

from bot.domain.acts import OPEN
from storage.tables import Community, Incident, Post

MOST = 100_000
"""Nobody needs to know how many more there are."""


def due_posts(session: Session, now: datetime) -> int:
    """Messages that are behind and whose moment has come."""
    return _count(session, select(col(Post.id)).where(col(Post.due_at) <= now))


def broken_posts(session: Session) -> int:
    """Messages that were refused for good."""
    return _count(session, select(col(Post.id)).where(col(Post.state) == "broken"))


def open_incidents(session: Session) -> Mapping[str, int]:
    """Status → how many; those that have ended are not looked at."""
    asked = (
        select(col(Incident.status), func.count())
        .where(
            col(Incident.community_id).in_(select(col(Community.id))), col(Incident.status).in_(list(map(str, OPEN)))
        )
        .group_by(col(Incident.status))
    )
    found = {str(status): 0 for status in OPEN}
    found.update((str(status), int(count)) for status, count in session.execute(asked))
    return found


def _count(session: Session, rows: Select[Any]) -> int:
    few = rows.limit(MOST).subquery()
    return int(session.execute(select(func.count()).select_from(few)).scalar_one())
