"""What the relay does not keep: a person who asks to be forgotten, and everybody's traces after a time."""

import hashlib
import hmac
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from bot.domain.acts import ENDED, Status
from bot.services import drafting
from bot.services.desk import Desk
from storage.erasing import Erased, age, drop_old_failures, drop_old_notices, erase_person
from storage.incidents import drafts_of
from storage.posts import bump
from storage.tables import Incident, Note

PAGE = 100
"""Incidents emptied in one transaction."""


AS_OF = "age is told as of"
STEP = timedelta(days=1)


@dataclass(frozen=True)
class Keep:
    """How long each kind of data is kept once its incident is over; None: for ever."""

    people: timedelta | None
    """Who reported, answered and wrote: ids, names, shops, addresses."""
    words: timedelta | None
    pictures: timedelta | None
    messages: timedelta | None
    """Which message of the bot's stands where; and lists and answers to commands."""
    failed: timedelta | None
    """Updates that were set aside, whole as they came."""


def forget(desk: Desk, user_id: int) -> Erased:
    """Take the person out of every row; what stands in the chats about their matters follows."""
    for draft in drafts_of(desk.session, user_id):
        # Not a report yet: without its words and pictures nothing is left of it.
        drafting.forget(desk, draft)
    desk.session.flush()
    done = erase_person(desk.session, user_id)
    for incident_id in done.incidents:
        bump(desk.session, incident_id, desk.now)
    return done


def let_go(desk: Desk, keep: Keep) -> int:
    """Empty the next page of what has been kept long enough; returns how many incidents were gone through."""
    gone = 0
    for each in fields(keep):
        kept: timedelta | None = getattr(keep, each.name)
        if kept is None:
            continue
        if each.name == "failed":
            drop_old_failures(desk.session, desk.now - kept)
            continue
        gone += len(age(desk.session, each.name, desk.now - kept, PAGE))
        if each.name == "messages":
            drop_old_notices(desk.session, desk.now - kept)
    return gone


def cautious(desk: Desk) -> datetime:
    """The moment by which age is told: it follows the clock by a day an hour at most.

    A clock that leaps ahead by years is set right within hours; what was erased meanwhile would be gone for good.
    """
    note = desk.session.get(Note, AS_OF) or Note(key=AS_OF, value="")
    last = datetime.fromisoformat(note.value) if note.value else desk.now
    as_of = min(desk.now, last + STEP)
    note.value = as_of.isoformat()
    desk.session.add(note)
    return as_of


def digest(key: str, user_id: int) -> str:
    """What is kept of somebody who was forgotten, so that an old backup does not bring them back: nobody without the
    key can tell from it who it was."""
    return hmac.new(key.encode(), f"forgotten:{user_id}".encode(), hashlib.sha256).hexdigest()


def still_open(desk: Desk, done: Erased) -> list[str]:
    """Numbers of the person's own matters that go on without them."""
    rows = (desk.session.get(Incident, each) for each in done.own)
    return [row.number for row in rows if row is not None and row.number and Status(row.status) not in ENDED]
