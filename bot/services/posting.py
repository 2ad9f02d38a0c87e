"""Which messages an incident calls for, derived from what it is now; delivering brings them up to date.

Adding a kind of message means a row here and a view for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.domain.acts import Status
from bot.domain.categories import CATEGORIES
from bot.services.desk import Desk
from bot.views.content import SHOWN
from bot.views.group_line import eyes
from storage import chats
from storage.backlog import review_held
from storage.incidents import pictures_up_to
from storage.posts import (
    bump,
    bump_post,
    find_post,
    keep_post,
    latest_seq,
    move_post,
    posts_of,
    recent_reactions,
    return_post,
    standing_posts,
)
from storage.store import stir
from storage.tables import Binding, Community, Incident, Post

SETTLE = timedelta(seconds=1)
"""How long after gathering the rest of an album follows its card, so that it goes out in one piece."""
AT_ONCE = timedelta(0)
UNHURRIED = ("reaction", "line")
"""Kinds that nobody has to act upon: even of what is dangerous they hold up no card."""
EYES = 20
"""Reactions put on what belongs to one incident within a minute."""
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Call:
    """One message that should exist."""

    kind: str
    chat_id: int
    seq: int = 0
    thread_id: int | None = None
    reply_to: int | None = None
    due_at: datetime | None = None


def subject(incident: Incident) -> str:
    return f"incident:{incident.id}"


def post_up(desk: Desk, incident: Incident, fresh: bool = False, within: timedelta = AT_ONCE) -> None:
    """Have every message of the incident exist and be brought up to date. `fresh`: it was filed in this transaction
    and cannot have posts yet. `within`: how long a change of what stands there may take."""
    session = desk.session
    existing: dict[tuple[str, int, int], tuple[int, str]] = {}
    if not fresh:
        existing = posts_of(session, incident.ident)
        if existing:
            bump(session, incident.ident, desk.now, desk.now + within, eyes(incident).digest)
        if any(state == "held" for _, state in existing.values()):
            review_held(session, incident, desk.now)
    for call in _calls(desk, incident):
        post_id, state = existing.get((call.kind, call.chat_id, call.seq), (0, ""))
        if state == "due" and call.due_at is not None:
            move_post(session, post_id, call.due_at)
        elif state == "gone":
            return_post(session, post_id, desk.now)
        elif state == "leaving":
            keep_post(session, post_id, desk.now)
        elif not state:
            add_post(
                desk,
                incident,
                call.kind,
                call.chat_id,
                seq=call.seq,
                thread_id=call.thread_id,
                reply_to=call.reply_to,
                due_at=call.due_at or desk.now,
            )


def unposted(desk: Desk, incident: Incident) -> bool:
    """Whether a message that the incident calls for was never made. One that went is no such case."""
    existing = posts_of(desk.session, incident.ident)
    return any((call.kind, call.chat_id, call.seq) not in existing for call in _calls(desk, incident))


def add_post(desk: Desk, incident: Incident, kind: str, chat_id: int, **fields: Any) -> Post:
    """A new post about the incident; `fields` are columns of Post."""
    fields.setdefault("due_at", desk.now)
    fields.setdefault("urgent", kind not in UNHURRIED and dangerous(incident) and not incident.beyond)
    post = Post(subject=subject(incident), incident_id=incident.id, kind=kind, chat_id=chat_id, **fields)
    desk.session.add(post)
    stir(desk.session, "posts")
    return post


def replace_post(desk: Desk, incident: Incident, kind: str, binding: Binding, **fields: Any) -> Post:
    """A post that takes the place of those of its kind before it in the same chat."""
    earlier = standing_posts(desk.session, subject(incident), binding.chat_id, kind)
    for post in earlier:
        post.args = {**post.args, "newest": False}
        bump_post(desk.session, post, desk.now)
    seq = latest_seq(desk.session, subject(incident), binding.chat_id, kind) + 1
    return add_post(desk, incident, kind, binding.chat_id, seq=seq, thread_id=binding.thread_id, **fields)


def dangerous(incident: Incident) -> bool:
    """Whether its category may hurt somebody: it goes first and keeps no quiet hours."""
    category = CATEGORIES.get(incident.category)
    return category is not None and category.dangerous


def show_seen(desk: Desk, incident: Incident, chat_id: int, message_id: int) -> None:
    """A reaction on one more message that was taken in: it was seen. Whoever posts hundreds knows it after a few, and
    the rest would eat up what may be sent to others."""
    if recent_reactions(desk.session, incident.ident, desk.now - MINUTE, EYES) < EYES:
        add_post(desk, incident, "reaction", chat_id, seq=message_id, reply_to=message_id)


def waits(incident: Incident) -> bool:
    """Whether it waits in the list of what its author reported beyond the quota, shown to nobody yet."""
    return incident.need == "quota" and incident.status == Status.FILED


def _has_line(incident: Incident) -> bool:
    """Whether the group is told of it. Of one person's flood the group hears what has been done, not each receipt."""
    if incident.number is None or incident.chat_id > 0 or waits(incident):
        return False
    return not incident.beyond or incident.status in (Status.RESOLVED, Status.CLOSED)


def _calls(desk: Desk, incident: Incident) -> Iterator[Call]:
    in_chat = incident.message_id > 0
    if in_chat:
        yield Call("reaction", incident.chat_id, reply_to=incident.message_id)
    if _has_line(incident):
        yield Call(
            "line", incident.chat_id, thread_id=incident.thread_id, reply_to=incident.message_id if in_chat else None
        )
    home = chats.chat_of_unit(desk.session, incident.unit_id) if incident.unit_id and incident.cards else None
    if home is not None:
        yield from _unit_calls(desk, incident, home)
    if incident.need and not waits(incident):
        office = chats.office_of(desk.session, incident.community_id)
        if office is not None:
            yield Call("office", office.chat_id, incident.needs, office.thread_id)


def _unit_calls(desk: Desk, incident: Incident, home: Binding) -> Iterator[Call]:
    yield Call("card", home.chat_id, incident.cards, home.thread_id)
    at_work = incident.status in (Status.DISPATCHED, Status.ACCEPTED)
    pictures = pictures_up_to(desk.session, incident.ident, SHOWN) if at_work else 0
    if pictures > 1:
        # Several pictures follow the card in one piece, once it is full or no more are expected.
        gather = timedelta(seconds=desk.session.get_one(Community, incident.community_id).gather)
        # Gathering is told by Telegram's clock; where ours is behind it, nobody waits for the difference.
        expected = min(incident.gather_until, desk.now + gather) + SETTLE
        settled = desk.now if pictures == SHOWN else max(desk.now, expected)
        yield Call("album", home.chat_id, incident.cards, home.thread_id, due_at=settled)


def tell_office(desk: Desk, community_id: int, view: str, key: str, **args: Any) -> None:
    """A notice to the secretaries that is about no incident; `key` keeps it from being said twice."""
    office = chats.office_of(desk.session, community_id)
    if office is not None:
        add_notice(desk, office.chat_id, view, key, thread_id=office.thread_id, **args)


def add_notice(
    desk: Desk,
    chat_id: int,
    view: str,
    key: str,
    *,
    thread_id: int | None = None,
    reply_to: int | None = None,
    user_id: int | None = None,
    remove_after: timedelta | None = None,
    urgent: bool = False,
    **args: Any,
) -> None:
    """A message about no incident. `key` names it: the same key in the same chat is said once."""
    found = find_post(desk.session, key, chat_id, view)
    if found is not None:
        return
    desk.session.add(
        Post(
            subject=key,
            kind=view,
            chat_id=chat_id,
            thread_id=thread_id,
            reply_to=reply_to,
            user_id=user_id,
            urgent=urgent,
            args=args,
            due_at=desk.now,
            remove_at=desk.now + remove_after if remove_after else None,
        )
    )
    stir(desk.session, "posts")
