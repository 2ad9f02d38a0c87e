"""Which updates were handled, and which were set aside because they could not be."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Session, col, select

from storage.tables import FailedUpdate, Handled


def forget_handled(session: Session, before: datetime) -> None:
    """Drop the ids of updates that can no longer be delivered again."""
    session.execute(delete(Handled).where(col(Handled.at) < before))


def failed_updates(session: Session) -> Sequence[FailedUpdate]:
    """What was set aside, oldest first."""
    return session.exec(select(FailedUpdate).order_by(col(FailedUpdate.update_id))).all()
