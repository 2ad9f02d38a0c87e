"""What a restore does to the rows: nothing that may have been sent is sent again, no number or id is given out twice.

Whether a message went out after the backup was made nobody knows; it waits for a word from the operator.
"""

from collections.abc import Sequence as Row_
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Update, and_, false, func, or_, text, update
from sqlmodel import Session, col, select

from storage.incidents import highest_number
from storage.store import stir
from storage.tables import Community, Incident, Note, Post, Sequence

NOTE = "restored"
WAITING_SINCE = "restored, waiting since"
"""Key of the note that is there until the operator has said what becomes of the messages that wait."""
HELD = {"due": "held by a restore", "unknown": "held by a restore, unknown"}
"""State to go back to → what the held post says of itself, to be told from cards that wait behind a list."""
SILENT = ("menu", "reaction")
"""Kinds that are set, not sent: doing it again disturbs nobody."""
FREE = 100
"""Numbers left out for each day since the backup was made: what was given out meanwhile stands in the chats."""
FREE_IDS = 100_000
"""Ids left out: they stand on buttons in the chats, and nobody reads them."""


@dataclass(frozen=True)
class Waiting:
    """A message that a restore holds; `number` is its incident's, where it has one."""

    kind: str
    chat_id: int
    number: str


def hold_unsent(session: Session, now: datetime, made: datetime) -> int:
    """Hold every first send that was still to come in a backup from the moment `made`; returns how many."""
    session.merge(Note(key=NOTE, value=f"{now:%Y-%m-%dT%H:%M:%SZ} from a backup of {made:%Y-%m-%dT%H:%M:%SZ}"))
    session.merge(Note(key=WAITING_SINCE, value=now.isoformat()))
    held = 0
    # A broken one may have been delivered since: the bot was let in again.
    chosen = (
        (or_(col(Post.state).in_(("due", "broken")), _rest_of_an_album()), HELD["due"]),
        (col(Post.state).in_(("sending", "unknown")), HELD["unknown"]),
    )
    for which, told in chosen:
        statement = update(Post).where(which, col(Post.kind).not_in(SILENT))
        held += _changed(session, statement.values(state="held", due_at=None, lease=None, error=told))
    # What stands in the chats may have been changed in the time that is lost: with the next change or reminder each is
    # said again, even in the words the backup knows.
    _changed(session, update(Post).where(col(Post.state) == "shown").values(digest=""))
    return held


def holds(session: Session) -> ColumnElement[bool]:
    """Which posts a restore holds, or would hold if they had to be sent anew: none, once the operator has spoken."""
    note = session.get(Note, WAITING_SINCE)
    if note is None:
        return false()
    return or_(_is_held(), and_(col(Post.sent_at).is_not(None), col(Post.sent_at) < datetime.fromisoformat(note.value)))


def _rest_of_an_album() -> Any:
    """What goes on where it is: not an edit, but the pictures that one piece did not hold."""
    return and_(col(Post.kind) == "album", col(Post.state) == "shown", col(Post.due_at).is_not(None))


def hold_lost(session: Session, post: Post) -> None:
    """A message from before a restore is not there any more: what was lost may have taken it away. It is not sent
    anew before the operator has said so."""
    note = session.get(Note, WAITING_SINCE)
    if note is not None and post.sent_at is not None and post.sent_at < datetime.fromisoformat(note.value):
        post.state, post.due_at, post.error = "held", None, HELD["due"]


def waiting_since_restore(session: Session) -> Row_[Waiting]:
    """What the restore holds, oldest first."""
    rows = session.execute(
        select(Post.kind, Post.chat_id, Incident.number)
        .join(Incident, col(Incident.id) == Post.incident_id, isouter=True)
        .where(_is_held())
        .order_by(col(Post.id))
    )
    return [Waiting(kind, chat_id, number or "") for kind, chat_id, number in rows]


def count_waiting(session: Session) -> int:
    return session.exec(select(func.count()).select_from(Post).where(_is_held())).one()


def _is_held() -> Any:
    return and_(col(Post.state) == "held", col(Post.error).in_(HELD.values()))


def release_held(session: Session, now: datetime) -> int:
    """Let the posts that a restore holds be sent; returns how many."""
    released = 0
    for state, told in HELD.items():
        chosen = update(Post).where(col(Post.state) == "held", col(Post.error) == told)
        released += _changed(session, chosen.values(state=state, due_at=now, error=""))
    _end(session)
    stir(session, "posts")
    return released


def drop_held(session: Session) -> int:
    """Take the posts that a restore holds for sent, by messages nobody knows: what happens next is said anew."""
    dropped = _changed(
        session,
        update(Post).where(_is_held()).values(state="gone", shown=Post.wanted, message_ids=[], form="", error=""),
    )
    _end(session)
    return dropped


def _end(session: Session) -> None:
    note = session.get(Note, WAITING_SINCE)
    if note is not None:
        session.delete(note)


def skip_numbers(session: Session, made: datetime, now: datetime, zone: ZoneInfo) -> list[str]:
    """Go past the numbers that were given out after the moment `made`; returns the last of those left out, for each
    community that had numbers this year."""
    free = FREE * (max(0, (now - made).days) + 1)
    this_year = now.astimezone(zone).year
    told = []
    for community in session.exec(select(Community).order_by(col(Community.id))).all():
        for year in range(made.astimezone(zone).year, this_year + 1):
            beginning = f"{community.prefix}-{year}-"
            row = session.get(Sequence, (community.id, year))
            if row is None:
                last = highest_number(session, beginning)
                row = Sequence(community_id=community.ident, year=year, last=last)
            used = row.last > 0
            row.last = -(-(row.last + free) // 100) * 100
            session.add(row)
            if used and year == this_year:
                told.append(f"{beginning}{row.last:04d}")
    return told


def skip_ids(session: Session, now: datetime) -> None:
    """Go past the ids of incidents that buttons in the chats may still name."""
    last = session.exec(select(func.max(Incident.id))).one() or 0
    far = (last // FREE_IDS + 1) * FREE_IDS
    if session.connection().dialect.name == "postgresql":
        session.execute(text("SELECT setval(pg_get_serial_sequence('incident', 'id'), :far)"), {"far": far})
        return
    community = session.exec(select(Community.id).limit(1)).first()
    if community is not None:
        # SQLite counts on from the highest there is: an empty row that is nothing and was never anything.
        session.add(
            Incident(
                id=far,
                community_id=community,
                status="void",
                chat_id=0,
                author_id=0,
                created_at=now,
                gather_until=now,
                closed_at=now,
            )
        )


def _changed(session: Session, statement: Update) -> int:
    result: Any = session.execute(statement.execution_options(synchronize_session=False))
    return int(result.rowcount)
