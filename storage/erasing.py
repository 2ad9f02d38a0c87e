"""Takes people out of the rows: one of them who asks for it, and everybody once a matter has long been over.

What happened stays: number, category, times, which unit, how it ended. Who reported it, said or showed what, goes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import CompoundSelect, Delete, String, Update, cast, delete, or_, union, update
from sqlmodel import Session, col, select

from bot.domain.acts import ENDED, Act, Role
from storage.tables import (
    Answer,
    Event,
    FailedUpdate,
    Incident,
    Note,
    Part,
    Person,
    Picture,
    Post,
    Secretary,
    Shop,
    Shown,
    Unit,
)

FORGOTTEN = -1
"""Stands where somebody's id stood: nobody, and not the relay, which is 0."""
OUTSIDE = (str(Role.REPORTER), str(Role.MERCHANT))
"""Roles of people whose part in a matter is theirs; what the office and the units did is the record of their work."""
_ENDED = [str(status) for status in ENDED]


@dataclass
class Erased:
    """What was taken out."""

    incidents: list[int] = field(default_factory=list)
    """Incidents whose messages have to be brought up to date, by id."""
    own: list[int] = field(default_factory=list)
    """Those that the person had reported."""
    rows: dict[str, int] = field(default_factory=dict)
    """Name of the table → rows removed or emptied."""

    def count(self, table: str, number: int) -> None:
        if number:
            self.rows[table] = self.rows.get(table, 0) + number


def erase_person(session: Session, user_id: int) -> Erased:
    """Everything that says who `user_id` is, or that this person said or showed. Incidents stay, without a face."""
    done = Erased()
    own = session.exec(
        select(Incident).where(or_(col(Incident.reporter_id) == user_id, col(Incident.author_id) == user_id))
    ).all()
    done.own = [each.ident for each in own]
    done.incidents = sorted({*done.own, *_had_a_part(session, user_id)})
    for incident in own:
        _without_reporter(incident)
        incident.message_id, incident.place = 0, ""
        session.add(incident)
    done.count("incident", len(own))
    session.flush()
    _posts(session, done, user_id)
    _parts(session, done, [each.ident for each in _parts_of(session, user_id)], user_id)
    spoke = update(Event).where(col(Event.actor_id) == user_id)
    _run(session, spoke.where(col(Event.act) == str(Act.COMMENT)).values(what=""))
    done.count("event", _run(session, spoke.values(actor_id=FORGOTTEN, actor="")))
    for table in (Answer, Shop, Secretary, Person):
        chosen = delete(table).where(col(getattr(table, "user_id")) == user_id)  # noqa: B009 - four tables, one column
        done.count(str(table.__tablename__), _run(session, chosen))
    for unit in session.exec(select(Unit)).all():
        if user_id in unit.members:
            unit.members = [each for each in unit.members if each != user_id]
            session.add(unit)
            done.count("unit", 1)
    kept = delete(FailedUpdate).where(col(FailedUpdate.raw).contains(str(user_id)))
    done.count("failed_update", _run(session, kept))
    return done


def _had_a_part(session: Session, user_id: int) -> Iterable[int]:
    asked = union(
        select(Part.incident_id).where(Part.user_id == user_id),
        select(Event.incident_id).where(Event.actor_id == user_id),
        select(Answer.incident_id).where(Answer.user_id == user_id),
    )
    return (int(row[0]) for row in session.execute(asked))


def _without_reporter(incident: Incident) -> None:
    incident.author_id, incident.reporter_id = FORGOTTEN, None
    incident.shop = incident.address = ""


def _parts_of(session: Session, user_id: int) -> Sequence[Part]:
    return session.exec(select(Part).where(Part.user_id == user_id)).all()


def _parts(session: Session, done: Erased, part_ids: Sequence[int], user_id: int) -> None:
    """Words and pictures of the person. A picture that proves a repair stays: it is the unit's work."""
    for part_id in part_ids:
        pair = or_(col(Picture.key).like(f"pair:{part_id}:%"), col(Picture.key).like(f"pair:%:{part_id}"))
        _run(session, delete(Picture).where(or_(col(Picture.key) == f"clean:{part_id}", pair)))
    mine = col(Part.user_id) == user_id
    done.count("part", _run(session, delete(Part).where(mine, col(Part.role) != "after")))
    done.count("part", _run(session, update(Part).where(mine).values(user_id=FORGOTTEN, text="")))


def _posts(session: Session, done: Erased, user_id: int) -> None:
    """Messages for this person alone, in private or by name, and what points at the person's own messages."""
    named = cast(col(Post.args), String).contains(str(user_id))
    chosen = select(Post.id).where(
        or_(col(Post.user_id) == user_id, col(Post.chat_id) == user_id, named & col(Post.incident_id).is_(None))
    )
    _run(session, delete(Shown).where(or_(col(Shown.chat_id) == user_id, col(Shown.post_id).in_(chosen))))
    done.count("post", _run(session, delete(Post).where(col(Post.id).in_(chosen))))
    own = col(Post.incident_id).in_(done.own)
    _run(session, delete(Post).where(own, col(Post.kind) == "reaction"))
    in_the_group = col(Post.kind).in_(("line", "prompt", "sheet"))
    _run(session, update(Post).where(own, in_the_group).values(reply_to=None))


def age(session: Session, kind: str, before: datetime, most: int) -> list[int]:
    """Empty the next matters that were over `before`: their `people`, `words` or `pictures`.

    Returns the incidents that were gone through, at most `most`; where it stopped is noted, so that none is done twice.
    """
    mark = session.get(Note, f"kept {kind} until") or Note(key=f"kept {kind} until", value="")
    since = datetime.fromisoformat(mark.value) if mark.value else None
    over = select(Incident).where(col(Incident.status).in_(_ENDED), col(Incident.closed_at) < before)
    if since is not None:
        over = over.where(col(Incident.closed_at) > since)
    found = session.exec(over.order_by(col(Incident.closed_at)).limit(most)).all()
    if not found:
        return []
    last = found[-1].closed_at
    # Those that ended in the same moment as the last one belong to this page as well.
    found = [*found, *session.exec(over.where(col(Incident.closed_at) == last)).all()]
    chosen = {each.ident: each for each in found}
    _AGEING[kind](session, list(chosen.values()))
    mark.value = last.isoformat() if last is not None else mark.value
    session.merge(mark)
    return list(chosen)


def _age_people(session: Session, incidents: Sequence[Incident]) -> None:
    ids = [each.ident for each in incidents]
    people = set()
    for incident in incidents:
        people.add(incident.reporter_id)
        _without_reporter(incident)
        session.add(incident)
    session.flush()
    theirs = (col(Event.incident_id).in_(ids), col(Event.role).in_(OUTSIDE))
    people |= set(session.exec(select(Event.actor_id).where(*theirs)).all())
    _run(session, update(Event).where(*theirs).values(actor_id=FORGOTTEN, actor=""))
    _run(session, delete(Answer).where(col(Answer.incident_id).in_(ids)))
    _run(session, update(Part).where(col(Part.incident_id).in_(ids)).values(user_id=FORGOTTEN))
    forget_unknown(session, people - {None, FORGOTTEN, 0})


def _age_words(session: Session, incidents: Sequence[Incident]) -> None:
    ids = [each.ident for each in incidents]
    _run(session, update(Part).where(col(Part.incident_id).in_(ids)).values(text=""))
    said = update(Event).where(col(Event.incident_id).in_(ids), col(Event.act) == str(Act.COMMENT))
    _run(session, said.values(what=""))
    for incident in incidents:
        incident.place = ""
        session.add(incident)


def _age_pictures(session: Session, incidents: Sequence[Incident]) -> None:
    shown = col(Part.incident_id).in_([each.ident for each in incidents])
    for part_id in session.exec(select(Part.id).where(shown, Part.media != "")).all():
        pair = or_(col(Picture.key).like(f"pair:{part_id}:%"), col(Picture.key).like(f"pair:%:{part_id}"))
        _run(session, delete(Picture).where(or_(col(Picture.key) == f"clean:{part_id}", pair)))
    _run(session, update(Part).where(shown).values(media="", file_id="", file_unique_id=""))


def _age_messages(session: Session, incidents: Sequence[Incident]) -> None:
    chosen = select(Post.id).where(col(Post.incident_id).in_([each.ident for each in incidents]))
    _run(session, delete(Shown).where(col(Shown.post_id).in_(chosen)))
    _run(session, delete(Post).where(col(Post.id).in_(chosen)))


_AGEING = {"people": _age_people, "words": _age_words, "pictures": _age_pictures, "messages": _age_messages}


def drop_old_notices(session: Session, before: datetime) -> int:
    """Messages about no incident (lists, answers to commands) that were sent before; menus and checklists stay."""
    chosen = select(Post.id).where(
        col(Post.incident_id).is_(None),
        col(Post.sent_at) < before,
        col(Post.kind).not_in(("menu", "checklist")),
        col(Post.state).in_(("gone", "shown", "broken")),
    )
    _run(session, delete(Shown).where(col(Shown.post_id).in_(chosen)))
    return _run(session, delete(Post).where(col(Post.id).in_(chosen)))


def drop_old_failures(session: Session, before: datetime) -> int:
    """Updates that were set aside before; each holds a whole message."""
    return _run(session, delete(FailedUpdate).where(col(FailedUpdate.at) < before))


def forget_unknown(session: Session, people: Iterable[Any]) -> None:
    """Drop the names of those who are known for nothing any more."""
    for user_id in people:
        known: tuple[Any, ...] = (
            select(Event.id).where(Event.actor_id == user_id).limit(1),
            select(Incident.id).where(Incident.reporter_id == user_id).limit(1),
            select(Shop.user_id).where(Shop.user_id == user_id).limit(1),
            select(Secretary.user_id).where(Secretary.user_id == user_id).limit(1),
        )
        person = session.get(Person, user_id)
        if person is not None and not person.started and all(session.exec(each).first() is None for each in known):
            session.delete(person)


def forget_traces(session: Session, incident_id: int, people: Iterable[int]) -> None:
    """What was no report is no history either; and who wrote in it is forgotten, unless known for more."""
    session.flush()
    session.execute(delete(Event).where(col(Event.incident_id) == incident_id))
    forget_unknown(session, people)


def everybody(session: Session) -> set[int]:
    """The ids of all people in the rows, for finding those on the list of the forgotten."""
    asked: CompoundSelect[Any] = union(
        select(Person.user_id),
        select(Shop.user_id),
        select(col(Incident.reporter_id)).where(col(Incident.reporter_id).is_not(None)),
        select(Part.user_id),
        select(Event.actor_id),
        select(Answer.user_id),
    )
    return {int(row[0]) for row in session.execute(asked)} - {0, FORGOTTEN}


def _run(session: Session, statement: Update | Delete) -> int:
    result: Any = session.execute(statement.execution_options(synchronize_session=False))
    return int(result.rowcount)
