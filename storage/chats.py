"""Queries over communities, their chats and the people in them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from bot.domain.acts import OPEN
from storage.restored import HELD, holds
from storage.store import stir
from storage.tables import Binding, CategoryLimit, Community, District, Incident, Note, Post, Secretary, Shown, Unit


def known_chat(session: Session, chat_id: int) -> Binding | None:
    """What the chat is bound to, or None. A chat of a community that was put to rest is bound to nothing."""
    binding = session.get(Binding, chat_id)
    if binding is None or not session.get_one(Community, binding.community_id).active:
        return None
    return binding


def office_of(session: Session, community_id: int) -> Binding | None:
    """The chat in which the community's secretaries work."""
    return session.exec(
        select(Binding).where(Binding.community_id == community_id, Binding.role == "office").limit(1)
    ).first()


def chat_of_unit(session: Session, unit_id: int) -> Binding | None:
    return session.exec(select(Binding).where(Binding.unit_id == unit_id, Binding.role == "unit").limit(1)).first()


def street_of(session: Session, community: Community) -> Community | None:
    """The parent area that hears what escalates."""
    if not community.parent:
        return None
    return session.exec(select(Community).where(Community.key == community.parent, Community.active)).first()


def children_of(session: Session, community: Community) -> list[Community]:
    return list(session.exec(select(Community).where(Community.parent == community.key, Community.active)).all())


def secretary_in(session: Session, user_id: int) -> Sequence[int]:
    """The communities whose secretary a person is."""
    return session.exec(
        select(Secretary.community_id)
        .join(Community, col(Community.id) == Secretary.community_id)
        .where(Secretary.user_id == user_id, Community.active)
        .order_by(col(Secretary.community_id))
    ).all()


def secretaries_of(session: Session, community_id: int) -> Sequence[int]:
    return session.exec(select(Secretary.user_id).where(Secretary.community_id == community_id)).all()


def communities(session: Session) -> list[Community]:
    return list(session.exec(select(Community).where(Community.active).order_by(col(Community.id))).all())


def units_of(session: Session, community_id: int) -> list[Unit]:
    return list(
        session.exec(select(Unit).where(Unit.community_id == community_id, Unit.active).order_by(col(Unit.id))).all()
    )


def districts_of(session: Session, community_id: int) -> list[District]:
    return list(
        session.exec(
            select(District).where(District.community_id == community_id, District.active).order_by(col(District.id))
        ).all()
    )


def community_by_key(session: Session, key: str) -> Community | None:
    return session.exec(select(Community).where(Community.key == key)).first()


def district_by_key(session: Session, community_id: int, key: str) -> District | None:
    return session.exec(select(District).where(District.community_id == community_id, District.key == key)).first()


def unit_by_key(session: Session, community_id: int, key: str) -> Unit | None:
    return session.exec(select(Unit).where(Unit.community_id == community_id, Unit.key == key)).first()


def all_units(session: Session) -> list[Unit]:
    return list(session.exec(select(Unit).where(Unit.active).order_by(col(Unit.id))).all())


def current_id(session: Session, chat_id: int) -> int:
    """The id that a chat has now, which a file may still name by one from before it became a supergroup."""
    for _ in range(8):
        moved = session.get(Note, f"moved:{chat_id}")
        if moved is None:
            break
        chat_id = int(moved.value)
    return chat_id


def other_chats(session: Session, role: str, community_id: int, unit_id: int | None, chat_id: int) -> Sequence[Binding]:
    """Chats bound as the same office or unit as `chat_id` is to be: each has one chat, the newest binding wins."""
    return session.exec(
        select(Binding).where(
            Binding.role == role,
            Binding.community_id == community_id,
            Binding.unit_id == unit_id,
            Binding.chat_id != chat_id,
        )
    ).all()


def orphans(session: Session) -> list[Incident]:
    """Open incidents with a unit that was put to rest: nobody would hear of them any more."""
    return list(
        session.exec(
            select(Incident)
            .join(Unit, col(Unit.id) == Incident.unit_id)
            .where(col(Unit.active).is_(False), col(Incident.status).in_(("dispatched", "accepted")))
            .where(Incident.need != "undelivered")
            .order_by(col(Incident.id))
        ).all()
    )


def bindings(session: Session) -> list[Binding]:
    return list(session.exec(select(Binding).order_by(col(Binding.chat_id))).all())


def forget_thread(session: Session, chat_id: int, thread_id: int) -> None:
    """A topic takes no messages any more: what was meant for it goes to the group itself."""
    for table in (Binding, Post, Incident):
        session.execute(
            update(table).where(col(table.chat_id) == chat_id, col(table.thread_id) == thread_id).values(thread_id=None)
        )


def category_limits(session: Session) -> list[CategoryLimit]:
    return list(session.exec(select(CategoryLimit)).all())


def rebind(session: Session, old: int, new: int, now: datetime) -> bool:
    """A group became a supergroup: everything that pointed to its old id points to the new one.

    Returns whether this was news; a second call, whichever side it comes from, changes nothing.
    """
    if old == new or session.get(Note, f"moved:{old}") is not None:
        return False
    # An alliance file goes on naming the old id until somebody corrects it.
    session.add(Note(key=f"moved:{old}", value=str(new)))
    binding = session.get(Binding, old)
    if binding is not None:
        if session.get(Binding, new) is None:
            fields = binding.model_dump(exclude={"chat_id", "lost_at"})
            session.add(Binding(chat_id=new, lost_at=None, **fields))
        session.delete(binding)
    session.flush()
    # Message ids count anew in the supergroup: an old one would point at somebody else's message.
    session.execute(
        update(Incident).where(col(Incident.chat_id) == old).values(chat_id=new, message_id=0, thread_id=None)
    )
    session.execute(update(Incident).where(col(Incident.author_id) == old).values(author_id=new))
    # The messages of the old group stay behind and cannot be edited from the new one: what is still open is said
    # again there, what is over stays over.
    still_open = select(Incident.id).where(col(Incident.status).in_([str(status) for status in OPEN]))
    unsent = {
        "chat_id": new,
        "state": "due",
        "due_at": now,
        "message_ids": [],
        "form": "",
        "picture": "",
        "digest": "",
        "shown": 0,
        "thread_id": None,
        "reply_to": None,
        "error": "",
    }
    # Where the new id was known before the move was told, the newer post stays and the older one is forgotten.
    there = aliased(Post)
    same = (
        there.subject == Post.subject,
        there.channel == Post.channel,
        there.kind == Post.kind,
        there.seq == Post.seq,
    )
    twice = [
        row.ident
        for row in session.exec(
            select(Post).where(Post.chat_id == old, select(there.id).where(there.chat_id == new, *same).exists())
        ).all()
    ]
    session.execute(delete(Shown).where(col(Shown.post_id).in_(twice)))
    session.execute(delete(Post).where(col(Post.id).in_(twice)))
    here = update(Post).where(col(Post.chat_id) == old, col(Post.state) != "gone")
    living = here.where(col(Post.kind).in_(("card", "line", "office", "reminder")))
    # Whatever was never shown is still owed: a list somebody asked for, a notice, the picture behind a card.
    owed = here.where(col(Post.form) == "", col(Post.due_at).is_not(None), col(Post.kind) != "reaction")
    restored = holds(session)
    for owing in (living.where(col(Post.incident_id).in_(still_open)), owed):
        session.execute(owing.where(~restored).values(unsent))
        # The group moved in the time that a restore has lost: all of it was said again there already.
        session.execute(owing.where(restored).values({**unsent, "state": "held", "due_at": None, "error": HELD["due"]}))
    session.execute(update(Post).where(col(Post.chat_id) == old).values(chat_id=new, state="gone", due_at=None))
    session.execute(delete(Shown).where(col(Shown.chat_id) == old))
    stir(session, "posts")
    return True
