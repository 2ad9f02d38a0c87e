"""Queries over posts: what is due, what belongs to an incident, which message is whose."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Update, and_, case, delete, func, literal, or_, true, update
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, select

from storage.store import stir
from storage.tables import Note, Post, Shown
from storage.types import Instant

LIVELY = timedelta(hours=1)
STILL = ("broken", "gone", "held")
"""States in which a post waits for somebody, not for time."""
LAST = ("reaction", "menu")
"""Kinds that hold up no message: nobody waits for them."""


def find_post(session: Session, subject: str, chat_id: int, kind: str, seq: int = 0) -> Post | None:
    return session.exec(
        select(Post).where(
            Post.subject == subject,
            Post.channel == "telegram",
            Post.chat_id == chat_id,
            Post.kind == kind,
            Post.seq == seq,
        )
    ).first()


def posts_of(session: Session, incident_id: int) -> dict[tuple[str, int, int], tuple[int, str]]:
    """(kind, chat, sequence) → (id, state) of the incident's posts; `leaving`: about to be taken away."""
    rows = session.execute(
        sa_select(Post.kind, Post.chat_id, Post.seq, Post.id, Post.state, Post.remove_at).where(  # type: ignore[call-overload]
            col(Post.incident_id) == incident_id
        )
    )
    return {
        (kind, chat_id, seq): (post_id, "leaving" if remove_at is not None and state != "gone" else state)
        for kind, chat_id, seq, post_id, state, remove_at in rows
    }


def latest_seq(session: Session, subject: str, chat_id: int, kind: str) -> int:
    """The highest sequence of such posts, or -1 when there is none."""
    found = session.exec(
        select(func.max(Post.seq)).where(Post.subject == subject, Post.chat_id == chat_id, Post.kind == kind)
    ).one()
    return -1 if found is None else int(found)


def bump(session: Session, incident_id: int, now: datetime, at: datetime | None = None, settled: str = "") -> None:
    """Have every post of the incident brought up to date, at the moment `at` or sooner (now, when it is left out).

    Reactions that show `settled` (a digest) already are left alone: there may be very many of them. One on its way to
    something else is not.
    """
    session.flush()
    session.execute(
        update(Post)
        .where(col(Post.incident_id) == incident_id, col(Post.state) != "gone")
        # A card on demand is kept up to date for an hour: later it may stand with somebody who has left.
        .where(or_(col(Post.kind) != "sheet", col(Post.sent_at).is_(None), col(Post.sent_at) > now - LIVELY))
        .where(or_(col(Post.kind) != "reaction", col(Post.digest) != settled, col(Post.shown) < col(Post.wanted)))
        .values(
            wanted=Post.wanted + 1,
            due_at=case(
                (col(Post.state).in_(STILL), Post.due_at),
                # What was never sent keeps its moment: the rest of an album waits for the gathering to end.
                (and_(col(Post.state) == "due", col(Post.due_at) > now), Post.due_at),
                else_=sooner(at or now),
            ),
        )
        .execution_options(synchronize_session=False)
    )
    stir(session, "posts")


def sooner(at: datetime) -> Any:
    """The post's moment, or `at` where it has none or a later one: what waits already keeps its place."""
    return case((col(Post.due_at) <= at, Post.due_at), else_=literal(at, Instant()))


def return_post(session: Session, post_id: int, now: datetime) -> None:
    """A post that had gone is called for again (an act was undone, a chat is back): it is sent anew."""
    fresh = {"shown": 0, "message_ids": [], "form": "", "picture": "", "digest": "", "attempts": 0, "error": ""}
    session.execute(
        update(Post)
        .where(col(Post.id) == post_id)
        .values(state="due", due_at=now, remove_at=None, wanted=Post.wanted + 1, **fresh)
        .execution_options(synchronize_session=False)
    )
    stir(session, "posts")


def refresh_post(session: Session, post_id: int, at: datetime) -> None:
    """Have one post looked at again, at the moment `at` or sooner."""
    refresh(session, col(Post.id) == post_id, at)


def refresh(session: Session, which: ColumnElement[bool], at: datetime) -> None:
    """Have posts looked at again, at the moment `at` or sooner. One that is on its way just now is behind as soon as it
    has arrived, and is looked at then."""
    session.flush()
    session.execute(
        update(Post)
        .where(which, col(Post.state).not_in(STILL))
        .values(wanted=Post.wanted + 1, due_at=case((col(Post.state) == "shown", sooner(at)), else_=Post.due_at))
        .execution_options(synchronize_session=False)
    )
    stir(session, "posts")


def move_post(session: Session, post_id: int, at: datetime) -> None:
    """What was never sent is to go out at another moment."""
    session.execute(
        update(Post)
        .where(col(Post.id) == post_id, col(Post.state) == "due")
        .values(due_at=at)
        .execution_options(synchronize_session=False)
    )
    stir(session, "posts")


def recent_reactions(session: Session, incident_id: int, since: datetime, most: int) -> int:
    """How many of the incident's reactions were put since then or are still to come, counted as far as `most`."""
    rows = session.exec(
        select(Post.id)
        .where(Post.incident_id == incident_id, Post.kind == "reaction")
        .where(or_(col(Post.sent_at).is_(None), col(Post.sent_at) > since))
        .limit(most)
    ).all()
    return len(rows)


def forget_reactions(session: Session, incident_id: int, message_ids: Iterable[int]) -> None:
    """The incident no longer answers for the reactions on these messages."""
    session.flush()
    session.execute(
        delete(Post).where(
            col(Post.incident_id) == incident_id, col(Post.kind) == "reaction", col(Post.seq).in_(tuple(message_ids))
        )
    )


def keep_post(session: Session, post_id: int, now: datetime) -> None:
    """A post that was to be taken away is called for again before that happened: it stays."""
    session.execute(
        update(Post)
        .where(col(Post.id) == post_id)
        .values(due_at=now, remove_at=None, wanted=Post.wanted + 1)
        .execution_options(synchronize_session=False)
    )
    stir(session, "posts")


def bump_post(session: Session, post: Post, now: datetime) -> None:
    """Have one post brought up to date."""
    session.add(post)
    session.flush()
    session.execute(
        update(Post)
        .where(col(Post.id) == post.id)
        .values(
            wanted=Post.wanted + 1,
            due_at=case((col(Post.state).in_(STILL), Post.due_at), else_=literal(now, Instant())),
        )
        .execution_options(synchronize_session=False)
    )
    session.expire(post, ("wanted", "due_at"))
    stir(session, "posts")


def first_due(session: Session, chat_id: int, now: datetime, kinds: Collection[str] = ()) -> Post | None:
    """The chat's most pressing post that is due: dangerous first, then the longest due, reactions last; of `kinds`
    only, if any are named."""
    return session.exec(
        select(Post)
        .where(Post.chat_id == chat_id, col(Post.due_at) <= now, col(Post.kind).in_(kinds) if kinds else true())
        .order_by(col(Post.kind).in_(LAST), col(Post.urgent).desc(), col(Post.due_at), col(Post.id))
        .limit(1)
    ).first()


def due_chats(session: Session, now: datetime, busy: Iterable[int]) -> list[int]:
    """Chats in which something is due, leaving out those in `busy`; the most pressing first."""
    skipped = tuple(busy)
    query = select(Post.chat_id).where(col(Post.due_at) <= now)
    if skipped:
        query = query.where(col(Post.chat_id).not_in(skipped))
    order = (func.max(case((col(Post.urgent), 1), else_=0)).desc(), func.min(Post.due_at))
    return list(session.exec(query.group_by(col(Post.chat_id)).order_by(*order)).all())


RETIRED = ("card", "album", "pictures", "office", "reminder", "sheet", "queue", "found", "stats", "waiting", "quota")
"""Kinds that only those may read whose chat it is."""


def retire(session: Session, chat_id: int, now: datetime) -> None:
    """A chat is no longer what it was: what stands there about incidents is taken away."""
    session.flush()
    session.execute(
        update(Post)
        .where(
            col(Post.chat_id) == chat_id,
            col(Post.state) != "gone",
            col(Post.kind).in_(RETIRED),
        )
        .values(state="shown", remove_at=now, due_at=now, wanted=Post.wanted + 1)
        .execution_options(synchronize_session=False)
    )
    stir(session, "posts")


def next_due(session: Session) -> datetime | None:
    """The moment at which the next post is due, or None."""
    found: datetime | None = session.exec(select(func.min(Post.due_at))).one()
    return found


def standing_posts(session: Session, subject: str, chat_id: int, kind: str) -> list[Post]:
    """Posts of one kind about one subject in one chat that have not gone."""
    return list(
        session.exec(
            select(Post).where(
                Post.subject == subject, Post.chat_id == chat_id, Post.kind == kind, Post.state != "gone"
            )
        ).all()
    )


def reminders_told(session: Session, incident_id: int, most: int) -> list[dict[str, Any]]:
    """The args of the incident's newest reminders, in whatever chat."""
    query = select(Post.args).where(Post.incident_id == incident_id, Post.kind == "reminder")
    return [dict(args) for args in session.exec(query.order_by(col(Post.id).desc()).limit(most)).all()]


def latest_posts(session: Session, subject: str, kind: str, most: int) -> Sequence[Post]:
    """Posts of one kind about one subject, the newest first, in whatever chat and state."""
    return session.exec(
        select(Post).where(Post.subject == subject, Post.kind == kind).order_by(col(Post.id).desc()).limit(most)
    ).all()


def notices_of(session: Session, chat_id: int, kind: str) -> list[Post]:
    """Lists and notices of one kind that stand in one chat, oldest first."""
    return list(
        session.exec(
            select(Post)
            .where(Post.chat_id == chat_id, Post.kind == kind, col(Post.state).not_in(STILL))
            .order_by(col(Post.id))
        ).all()
    )


def ephemeral_post(session: Session, chat_id: int, user_id: int, ephemeral_id: int) -> Post | None:
    """The post behind a message that one person alone sees; such ids count for each receiver."""
    rows = session.exec(
        select(Post).where(Post.chat_id == chat_id, Post.user_id == user_id, col(Post.ephemeral), Post.state != "gone")
    ).all()
    return next((row for row in rows if ephemeral_id in row.message_ids), None)


def post_of_message(session: Session, chat_id: int, message_id: int) -> Post | None:
    """The post that a message of the bot's belongs to."""
    shown = session.get(Shown, (chat_id, message_id))
    return session.get(Post, shown.post_id) if shown else None


def remember_messages(session: Session, post_id: int, chat_id: int, message_ids: Iterable[int]) -> None:
    for message_id in message_ids:
        session.merge(Shown(chat_id=chat_id, message_id=message_id, post_id=post_id))


def forget_messages(session: Session, post_id: int) -> None:
    session.execute(delete(Shown).where(col(Shown.post_id) == post_id))


def release_leases(session: Session, now: datetime) -> int:
    """At start: what the last process was sending has an unknown outcome; it is sent again and counted.

    What it was changing may stand there as before or after: it is said again even if it was taken back meanwhile. The
    lease stays, to tell which attempt it was.
    """
    changing = (col(Post.state) == "shown", col(Post.due_at).is_not(None))
    session.execute(update(Post).where(*changing).values(digest="").execution_options(synchronize_session=False))
    return changed(session, update(Post).where(col(Post.state) == "sending").values(state="unknown", due_at=now))


NEWEST = 5_000


def sent_since(session: Session, moment: datetime, without: Iterable[str]) -> list[tuple[int, datetime]]:
    """(chat, when) of what was sent for the first time after the moment, oldest first, of the newest posts.

    Kinds in `without` count against no chat. Changes of what stood there already are not known one by one.
    """
    newest = session.exec(select(func.max(Post.id))).one() or 0
    rows = session.exec(
        select(Post.chat_id, Post.sent_at)
        .where(col(Post.id) > newest - NEWEST, col(Post.sent_at) > moment, col(Post.kind).not_in(tuple(without)))
        .order_by(col(Post.sent_at))
    ).all()
    return [(chat_id, at) for chat_id, at in rows if at is not None]


QUIET = "quiet:"


def hold_chat(session: Session, chat_id: int, until: datetime) -> None:
    """Telegram asked for patience: nothing goes to the chat before that moment, whoever is running by then."""
    session.merge(Note(key=f"{QUIET}{chat_id}", value=until.isoformat()))


def held_chats(session: Session, now: datetime) -> dict[int, datetime]:
    """Chats to which nothing may go yet, and until when; those whose time is over are forgotten."""
    found = {}
    for row in session.exec(select(Note).where(col(Note.key).startswith(QUIET))).all():
        until = datetime.fromisoformat(row.value)
        if until > now:
            found[int(row.key.removeprefix(QUIET))] = until
        else:
            session.delete(row)
    return found


def hasten(session: Session, chat_id: int, now: datetime) -> None:
    """Something has gone through to the chat again: what waits there for another try need not wait."""
    session.execute(
        update(Post)
        .where(col(Post.chat_id) == chat_id, col(Post.attempts) > 0, col(Post.due_at) > now)
        .values(due_at=now)
        .execution_options(synchronize_session=False)
    )
    stir(session, "posts")


def revive(session: Session, chat_id: int, now: datetime) -> int:
    """The bot is back in a chat: what was refused there is tried again."""
    stir(session, "posts")
    return changed(
        session,
        update(Post)
        .where(
            col(Post.chat_id) == chat_id,
            # What was refused because the bot might not write there waits for its next knock.
            or_(col(Post.state) == "broken", and_(col(Post.state) == "due", col(Post.attempts) > 0)),
        )
        .values(state="due", due_at=now, attempts=0, error=""),
    )


def changed(session: Session, statement: Update) -> int:
    """How many rows the statement changed."""
    result: Any = session.execute(statement)
    return int(result.rowcount)
