"""Queries over what waits behind a chat's list: more first messages than it may be sent in a minute."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, update
from sqlmodel import Session, col, select

from bot.domain.acts import OPEN
from storage.posts import changed, refresh
from storage.store import stir
from storage.tables import Incident, Post

OFTEN = timedelta(seconds=20)
"""A list that grows is brought up to date three times a minute: of the twenty messages, most are for cards."""

_STILL_WANTED: Mapping[str, Any] = {
    "card": and_(col(Incident.status).in_(("dispatched", "accepted")), col(Incident.cards) == Post.seq),
    "office": and_(
        col(Incident.status).in_([str(status) for status in OPEN]),
        col(Incident.need) != "",
        col(Incident.needs) == Post.seq,
    ),
    "line": col(Incident.status).in_(("filed", "dispatched", "accepted")),
}
"""Kinds that may wait behind a list, and when what waits there is still wanted."""
LISTED = frozenset(_STILL_WANTED)


def waiting(session: Session, chat_id: int, kind: str) -> int:
    """How many first messages of the kind wait in one chat, those behind its list not counted."""
    found = session.exec(
        select(func.count()).where(Post.chat_id == chat_id, Post.kind == kind, Post.state == "due", Post.shown == 0)
    ).one()
    return int(found)


def hold_beyond(session: Session, chat_id: int, kind: str, most: int) -> int:
    """Put all but the first `most` of what waits, and of what is urgent, behind the list; returns how many."""
    session.flush()
    waits = (col(Post.chat_id) == chat_id, col(Post.kind) == kind, col(Post.state) == "due", col(Post.shown) == 0)
    order = (col(Post.urgent).desc(), col(Post.due_at), col(Post.id))
    first = session.exec(select(Post.id).where(*waits).order_by(*order).limit(most)).all()
    return changed(
        session,
        update(Post)
        .where(*waits, col(Post.urgent).is_(False), col(Post.id).not_in(first))
        .values(state="held", due_at=None)
        .execution_options(synchronize_session=False),
    )


def held_count(session: Session, chat_id: int, kind: str) -> int:
    """How many incidents wait behind the chat's list."""
    return int(session.exec(_held(select(func.count(col(Post.id))), chat_id, kind)).one())


def held_incidents(session: Session, chat_id: int, kind: str, skip: int, most: int) -> Sequence[Incident]:
    """Incidents whose messages wait behind the chat's list, oldest first; those that are over no longer wait."""
    rows: Sequence[Incident] = session.exec(
        _held(select(Incident), chat_id, kind).order_by(col(Post.id)).offset(skip).limit(most)
    ).all()
    return rows


def _held(query: Any, chat_id: int, kind: str) -> Any:
    # What a restore holds says so; it waits for the operator, not behind a list.
    return (
        query.select_from(Post)
        .join(Incident, col(Incident.id) == Post.incident_id)
        .where(Post.chat_id == chat_id, Post.kind == kind, Post.state == "held", Post.error == "")
        .where(_STILL_WANTED[kind])
    )


def held_posts(session: Session, incident_id: int, chat_id: int | None = None) -> list[Post]:
    """What of the incident waits behind the lists, of one chat or of all."""
    query = select(Post).where(
        Post.incident_id == incident_id, Post.state == "held", Post.error == "", col(Post.kind).in_(LISTED)
    )
    return list(session.exec(query if chat_id is None else query.where(Post.chat_id == chat_id)).all())


def review_held(session: Session, incident: Incident, now: datetime) -> None:
    """Lists follow what became of an incident that waits behind them; what is done is said in the group after all."""
    session.flush()
    for post in held_posts(session, incident.ident):
        if post.kind == "line" and incident.status in ("resolved", "closed"):
            post.state, post.due_at = "due", now
            session.add(post)
            stir(session, "posts")
        refresh_lists(session, post.chat_id, now)


def refresh_lists(session: Session, chat_id: int, now: datetime, within: timedelta = OFTEN) -> None:
    """Have the chat's lists looked at again, soon: each look may be one of the few messages of this minute."""
    refresh(session, and_(col(Post.chat_id) == chat_id, col(Post.kind) == "waiting"), now + within)
