"""The clock was ahead and was set right: moments written meanwhile lie in a future that nobody should wait for."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Update, or_, type_coerce, update
from sqlmodel import Session, col, select

from bot.domain.acts import OPEN
from storage.posts import STILL
from storage.store import stir
from storage.tables import Incident, Note, Post, Timer

GATHERING = timedelta(minutes=6)
"""No gathering lasts longer; by Telegram's own clock most of them never were ahead."""
NEWEST = "newest moment"
"""Key of the note that says up to which moment this database has seen the clock go."""

_STAMPED = {
    "created_at": ("created_at",),
    "filed_at": ("filed_at",),
    "dispatched_at": ("dispatched_at", "accept_due", "safe_due", "repair_due"),
    "accepted_at": ("accepted_at",),
    "safe_at": ("safe_at",),
    "resolved_at": ("resolved_at", "verify_due"),
}
"""Moment that was stamped → what was counted from it, and goes back with it."""


def newest(session: Session) -> datetime | None:
    """Up to which moment the clock has been seen to go; None in a new database."""
    note = session.get(Note, NEWEST)
    return datetime.fromisoformat(note.value) if note is not None else None


def remember(session: Session, now: datetime) -> None:
    """The clock has come as far as `now`."""
    session.merge(Note(key=NEWEST, value=now.isoformat()))


def turn_back(session: Session, now: datetime, ahead: timedelta) -> None:
    """The clock that was `ahead` shows `now` again: what it stamped and planned meanwhile goes back with it.

    Numbers and events stay as they were given out and told.
    """
    by = ahead // timedelta(milliseconds=1)
    for stamp, counted in _STAMPED.items():
        moved = update(Incident).where(col(Incident.status).in_(OPEN), col(getattr(Incident, stamp)) > now)
        _do(session, moved.values(**{name: _earlier(getattr(Incident, name), by) for name in counted}))
    _remind_anew(session, now)
    _do(
        session,
        update(Incident)
        .where(col(Incident.gather_until) > now + GATHERING)
        .values(gather_until=_earlier(Incident.gather_until, by)),
    )
    _do(
        session,
        update(Timer)
        .where(col(Timer.kind) != "remind", col(Timer.next_at) > now)
        .values(next_at=_earlier(Timer.next_at, by)),
    )
    _do(
        session,
        update(Post).where(col(Post.remove_at) > now).values(remove_at=_earlier(Post.remove_at, by)),
    )
    # Whatever is behind is tried now; what only waits to be taken away has moved its moment above.
    _do(
        session,
        update(Post)
        .where(col(Post.due_at) > now, col(Post.state).not_in(STILL))
        .where(or_(col(Post.shown) < col(Post.wanted), col(Post.remove_at).is_not(None)))
        .values(due_at=now),
    )
    stir(session, "timers")
    stir(session, "posts")


def _remind_anew(session: Session, now: datetime) -> None:
    """Steps of the ladder told in that future count as told now; the clock's own work finds the next one."""
    ahead = select(Incident.id).where(col(Incident.status).in_(OPEN), col(Incident.reminded_at) > now)
    _do(
        session,
        update(Timer).where(col(Timer.kind) == "remind", col(Timer.incident_id).in_(ahead)).values(next_at=now),
    )
    _do(
        session,
        update(Incident).where(col(Incident.status).in_(OPEN), col(Incident.reminded_at) > now).values(reminded_at=now),
    )


def _earlier(column: Any, by: int) -> ColumnElement[Any]:
    return type_coerce(column, BigInteger) - by


def _do(session: Session, statement: Update) -> None:
    session.execute(statement.execution_options(synchronize_session=False))
