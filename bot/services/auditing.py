"""Looks, once a minute, whether the promises still hold in the rows, whatever a fault or a mistake has done to them.

Every report has somebody who waits for it, every open incident its messages and its next reminder, every post that is
behind a moment, nothing that is over a reminder. What can be repaired is, and is said; the rest turns /readyz red.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.acts import ENDED, Status
from bot.services.desk import Desk
from bot.services.effects import call_secretary
from bot.services.lifecycle import next_reminder, running, schedule
from bot.services.posting import post_up, subject, unposted
from storage import chats
from storage.incidents import lock, next_number
from storage.posts import find_post
from storage.soundness import (
    open_after,
    overdue_chats,
    posts_long_sending,
    posts_without_moment,
    set_aside,
    timers_past_the_end,
)
from storage.store import stir
from storage.tables import Community, Incident, Post, Timer
from storage.timers import set_timer
from storage.turning_back import newest, remember, turn_back

PAGE = 50
"""Open incidents looked at in one audit: a community's few hundred are gone through in minutes, at little cost."""
MOST = 100
LEASE_OVER = timedelta(minutes=5)
STANDING = timedelta(minutes=10)
"""How long something may be due in a chat that nobody serves before that is a trouble."""
SLACK = timedelta(seconds=30)
"""A clock that is set back by less than this is being trimmed; everything waits that long without harm."""


@dataclass(frozen=True)
class Survey:
    """What a look at the rows found, changing nothing."""

    suspects: tuple[int, ...]
    """Open incidents of this page that a promise is broken to."""
    next_after: int
    """Where the next survey goes on; 0: from the beginning."""
    waiting: tuple[int, ...]
    """Chats in which something has been due for long; delivery knows whether it is at it."""
    set_aside: int
    """Updates that no handler survived."""
    sending: frozenset[tuple[int, datetime | None]] = frozenset()
    """(post, lease) of what has been on its way for longer than any call takes, by the clock; that may have leapt."""


@dataclass
class Repairs:
    """Name of the promise → subjects (`incident:7`, `post:9`) that are as they should be again, or are not."""

    mended: dict[str, list[str]] = field(default_factory=dict)
    broken: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Promise:
    """One thing that holds for every open incident: how to see that it does not, and how to make it so again."""

    name: str
    broken: Callable[[Desk, Incident], bool]
    repair: Callable[[Desk, Incident], None]


def survey(desk: Desk, after: int = 0) -> Survey:
    """Look at the next page of open incidents, those with an id above `after`, and at what stands still."""
    page = open_after(desk.session, after, PAGE)
    suspects = [each for each in page if _broken(desk, desk.session.get_one(Incident, each))]
    return Survey(
        suspects=tuple(suspects),
        next_after=page[-1] if len(page) == PAGE else 0,
        waiting=tuple(overdue_chats(desk.session, desk.now - STANDING)),
        set_aside=set_aside(desk.session),
        sending=frozenset(
            (post.ident, post.lease) for post in posts_long_sending(desk.session, desk.now - LEASE_OVER, MOST)
        ),
    )


def repair(desk: Desk, suspects: Iterable[int] = (), sending: Iterable[tuple[int, datetime | None]] = ()) -> Repairs:
    """Set right the clock's traces, these incidents, and whatever is over or stands still. `sending`: what was on its
    way for too long at the last survey and is still at this one."""
    done = Repairs()
    _clock(desk, done)
    for incident_id in suspects:
        # Looked at again, now that nobody else changes it.
        incident = lock(desk.session, incident_id)
        if incident is not None and Status(incident.status) not in ENDED:
            _incident(desk, done, incident)
    _ended(desk, done)
    _posts(desk, done, sending)
    return done


def _broken(desk: Desk, incident: Incident) -> bool:
    return any(promise.broken(desk, incident) for promise in PROMISES)


def _clock(desk: Desk, done: Repairs) -> None:
    """A clock that was ahead and was set right leaves moments behind that nobody should wait for."""
    known = newest(desk.session)
    if known is not None and known - desk.now > SLACK:
        turn_back(desk.session, desk.now, known - desk.now)
        desk.session.expire_all()
        done.mended["clock_set_back"] = [f"by {known - desk.now}"]
    remember(desk.session, desk.now)


def _incident(desk: Desk, done: Repairs, incident: Incident) -> None:
    for promise in PROMISES:
        if promise.broken(desk, incident):
            promise.repair(desk, incident)
            desk.session.add(incident)
            desk.session.flush()
            kept = not promise.broken(desk, incident)
            (done.mended if kept else done.broken).setdefault(promise.name, []).append(subject(incident))


def _no_number(desk: Desk, incident: Incident) -> bool:
    return incident.number is None and incident.status != Status.DRAFT


def _give_number(desk: Desk, incident: Incident) -> None:
    community = desk.session.get_one(Community, incident.community_id)
    year = (incident.filed_at or desk.now).astimezone(desk.ground.zone).year
    incident.number = next_number(desk.session, incident.community_id, community.prefix, year)


def _nobody_waits(desk: Desk, incident: Incident) -> bool:
    """A draft is being gathered, has asked its author, or stands before the secretary."""
    if incident.status != Status.DRAFT or incident.need:
        return False
    return not any(desk.session.get(Timer, (incident.id, kind)) for kind in ("gather", "answer"))


def _wait_on(desk: Desk, incident: Incident) -> None:
    # Whoever was asked once is not asked twice: then it is the secretary's turn.
    set_timer(desk.session, incident.ident, "answer" if incident.prompted else "gather", desk.now)


def _no_secretary(desk: Desk, incident: Incident) -> bool:
    """Filed and with nobody: neither a unit nor a secretary who was called."""
    return incident.status == Status.FILED and not incident.need


def _undelivered(desk: Desk, incident: Incident) -> bool:
    """The unit's card was refused for good, and nobody was told."""
    if incident.status not in (Status.DISPATCHED, Status.ACCEPTED) or incident.need or incident.unit_id is None:
        return False
    home = chats.chat_of_unit(desk.session, incident.unit_id)
    if home is None:
        return True
    card = find_post(desk.session, subject(incident), home.chat_id, "card", incident.cards)
    return card is not None and card.state == "broken"


def _call(need: str) -> Callable[[Desk, Incident], None]:
    def call(desk: Desk, incident: Incident) -> None:
        call_secretary(incident, need)
        post_up(desk, incident)

    return call


def _no_reminder(desk: Desk, incident: Incident) -> bool:
    if not running(incident) or desk.session.get(Timer, (incident.id, "remind")) is not None:
        return False
    return next_reminder(desk, incident) is not None


def _told_tomorrow(desk: Desk, incident: Incident) -> bool:
    """Its last reminder lies in the future: every step until then would be held for told."""
    return incident.reminded_at is not None and incident.reminded_at > desk.now + SLACK


def _told_now(desk: Desk, incident: Incident) -> None:
    incident.reminded_at = desk.now
    schedule(desk, incident)


PROMISES: tuple[Promise, ...] = (
    Promise("incident_without_number", _no_number, _give_number),
    Promise("draft_nobody_waits_for", _nobody_waits, _wait_on),
    Promise("filed_with_nobody", _no_secretary, _call("unrouted")),
    Promise("card_undelivered_untold", _undelivered, _call("undelivered")),
    Promise("incident_without_its_messages", unposted, post_up),
    Promise("reminder_in_the_future", _told_tomorrow, _told_now),
    Promise("clock_without_reminder", _no_reminder, schedule),
)
"""In the order in which a repair may call for the next."""


def _ended(desk: Desk, done: Repairs) -> None:
    for timer in timers_past_the_end(desk.session, MOST):
        done.mended.setdefault("reminder_past_the_end", []).append(f"incident:{timer.incident_id}")
        desk.session.delete(timer)
    desk.session.flush()


def _posts(desk: Desk, done: Repairs, sending: Iterable[tuple[int, datetime | None]]) -> None:
    for post in posts_without_moment(desk.session, MOST):
        post.due_at = desk.now
        _restart(desk, done, "post_without_moment", post)
    for post_id, lease in sending:
        held = desk.session.get(Post, post_id, with_for_update=True)
        if held is not None and (held.state, held.lease) == ("sending", lease):
            # Whether it went out nobody knows: it is sent again, and counted.
            held.state, held.lease, held.due_at = "unknown", None, desk.now
            _restart(desk, done, "post_long_sending", held)


def _restart(desk: Desk, done: Repairs, name: str, post: Post) -> None:
    done.mended.setdefault(name, []).append(f"post:{post.id}")
    desk.session.add(post)
    stir(desk.session, "posts")
