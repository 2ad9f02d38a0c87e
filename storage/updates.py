"""Which updates were handled, and which were set aside because they could not be."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from storage.tables import FailedUpdate, Handled, Note


def forget_handled(session: Session, now: datetime, keep: timedelta) -> None:
    """Drop the ids of updates that can no longer be delivered again: those older than `keep`, by the clock and by the
    newest of them alike, since a clock that leaps days ahead makes no update undeliverable."""
    newest = session.exec(select(func.max(Handled.at))).one()
    if newest is not None:
        session.execute(delete(Handled).where(col(Handled.at) < min(now, newest) - keep))


def failed_updates(session: Session) -> Sequence[FailedUpdate]:
    """What was set aside, oldest first."""
    return session.exec(select(FailedUpdate).order_by(col(FailedUpdate.update_id))).all()


def try_out(session: Session) -> None:
    """Write something, to see whether that works."""
    session.merge(Note(key="tried out", value=str(time.time_ns())))
