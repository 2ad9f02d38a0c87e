"""Posts of a restored database: whether they were sent after the backup was made nobody knows, so they wait for a
word from the operator."""

from datetime import datetime
from typing import Any

from sqlalchemy import Update, update
from sqlmodel import Session, col

from storage.store import stir
from storage.tables import Note, Post

NOTE = "restored"
HELD = {"due": "held by a restore", "unknown": "held by a restore, unknown"}
"""State to go back to → what the held post says of itself, to be told from cards that wait behind a list."""


def hold_unsent(session: Session, now: datetime, made: str) -> int:
    """Hold every first send that was still to come in a backup from the moment `made`; returns how many."""
    session.merge(Note(key=NOTE, value=f"{now:%Y-%m-%dT%H:%M:%SZ} from a backup of {made}"))
    held = 0
    for states, told in ((("due",), HELD["due"]), (("sending", "unknown"), HELD["unknown"])):
        chosen = update(Post).where(col(Post.state).in_(states))
        held += _changed(session, chosen.values(state="held", due_at=None, lease=None, error=told))
    return held


def release_held(session: Session, now: datetime) -> int:
    """Let the posts that a restore holds be sent; returns how many."""
    released = 0
    for state, told in HELD.items():
        chosen = update(Post).where(col(Post.state) == "held", col(Post.error) == told)
        released += _changed(session, chosen.values(state=state, due_at=now, error=""))
    stir(session, "posts")
    return released


def _changed(session: Session, statement: Update) -> int:
    result: Any = session.execute(statement.execution_options(synchronize_session=False))
    return int(result.rowcount)
