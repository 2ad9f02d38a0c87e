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
from storage import chats
from storage.incidents import has_several_pictures
from storage.posts import bump, bump_post, find_post, keep_post, latest_seq, posts_of, return_post, standing_posts
from storage.store import stir
from storage.tables import Binding, Incident, Post

SETTLE = timedelta(seconds=1)
"""How long after gathering the rest of an album follows its card, so that it goes out in one piece."""


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


def post_up(desk: Desk, incident: Incident, fresh: bool = False) -> None:
    """Have every message of the incident exist and be brought up to date. `fresh`: it was filed in this transaction
    and cannot have posts yet."""
    session = desk.session
    existing: dict[tuple[str, int, int], tuple[int, str]] = {}
    if not fresh:
        existing = posts_of(session, incident.ident)
        if existing:
            bump(session, incident.ident, desk.now)
    for call in _calls(desk, incident):
        post_id, state = existing.get((call.kind, call.chat_id, call.seq), (0, ""))
        if state == "gone":
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
    fields.setdefault("urgent", dangerous(incident))
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


def _calls(desk: Desk, incident: Incident) -> Iterator[Call]:
    in_chat = incident.message_id > 0
    if in_chat:
        yield Call("reaction", incident.chat_id, reply_to=incident.message_id)
    if incident.number is not None and incident.chat_id < 0:
        yield Call(
            "line", incident.chat_id, thread_id=incident.thread_id, reply_to=incident.message_id if in_chat else None
        )
    home = chats.chat_of_unit(desk.session, incident.unit_id) if incident.unit_id and incident.cards else None
    if home is not None:
        yield from _unit_calls(desk, incident, home)
    if incident.need:
        office = chats.office_of(desk.session, incident.community_id)
        if office is not None:
            yield Call("office", office.chat_id, incident.needs, office.thread_id)


def _unit_calls(desk: Desk, incident: Incident, home: Binding) -> Iterator[Call]:
    yield Call("card", home.chat_id, incident.cards, home.thread_id)
    at_work = incident.status in (Status.DISPATCHED, Status.ACCEPTED)
    if at_work and has_several_pictures(desk.session, incident.ident):
        # Several pictures follow the card in one piece, once no more are expected.
        yield Call(
            "album", home.chat_id, incident.cards, home.thread_id, due_at=max(desk.now, incident.gather_until + SETTLE)
        )


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
