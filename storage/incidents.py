"""Queries over incidents and their parts."""

from collections.abc import Sequence as Row_
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, or_
from sqlmodel import Session, col, select

from bot.domain.acts import OPEN
from storage.tables import Incident, Part, Sequence


def lock(session: Session, incident_id: int) -> Incident | None:
    """The incident as it is now, held until this job commits (PostgreSQL; SQLite writes one at a time anyway)."""
    return session.exec(
        select(Incident).where(Incident.id == incident_id).with_for_update().execution_options(populate_existing=True)
    ).first()


def part_of_message(session: Session, chat_id: int, message_id: int) -> Part | None:
    return session.exec(select(Part).where(Part.chat_id == chat_id, Part.message_id == message_id)).first()


def part_of_album(session: Session, chat_id: int, media_group_id: str) -> Part | None:
    """The first part of an album that came earlier."""
    return session.exec(
        select(Part)
        .where(Part.chat_id == chat_id, Part.media_group_id == media_group_id)
        .order_by(col(Part.id))
        .limit(1)
    ).first()


def gathering(session: Session, chat_id: int, author_id: int, sent_at: datetime) -> Incident | None:
    """The author's newest incident in this chat that still gathered when the message was sent."""
    return session.exec(
        select(Incident)
        .where(Incident.chat_id == chat_id, Incident.author_id == author_id, col(Incident.gather_until) >= sent_at)
        .where(col(Incident.status).in_(("draft", "filed", "dispatched")))
        .order_by(col(Incident.id).desc())
        .limit(1)
    ).first()


def next_number(session: Session, community_id: int, prefix: str, year: int) -> str:
    """`SD-2026-0042`: the next number of the community in the year."""
    row = session.exec(
        select(Sequence).where(Sequence.community_id == community_id, Sequence.year == year).with_for_update()
    ).first()
    if row is None:
        row = Sequence(community_id=community_id, year=year, last=highest_number(session, f"{prefix}-{year}-"))
    row.last += 1
    session.add(row)
    return f"{prefix}-{year}-{row.last:04d}"


def highest_number(session: Session, beginning: str) -> int:
    """The highest number given out with this prefix and year: by a community that had another key before, say."""
    number = session.exec(
        select(Incident.number)
        .where(col(Incident.number).startswith(beginning, autoescape=True))
        .order_by(func.length(Incident.number).desc(), col(Incident.number).desc())
        .limit(1)
    ).first()
    return int(number.removeprefix(beginning)) if number else 0


def by_number(session: Session, number: str) -> Incident | None:
    return session.exec(select(Incident).where(Incident.number == number)).first()


def newest_numbered(session: Session, beginning: str, end: str) -> Incident | None:
    """The newest incident whose number begins and ends so."""
    wanted = col(Incident.number)
    query = select(Incident).where(wanted.startswith(beginning, autoescape=True), wanted.endswith(end, autoescape=True))
    return session.exec(query.order_by(col(Incident.id).desc()).limit(1)).first()


def reports_of(session: Session, incident_id: int) -> Row_[Part]:
    return session.exec(
        select(Part).where(Part.incident_id == incident_id, Part.role == "report").order_by(col(Part.message_id))
    ).all()


def parts_of(session: Session, incident_id: int) -> Row_[Part]:
    return session.exec(select(Part).where(Part.incident_id == incident_id)).all()


def after_pictures(session: Session, incident_id: int, since: datetime) -> Row_[Part]:
    """Proof that it is done, shown at or after `since`."""
    return session.exec(
        select(Part).where(Part.incident_id == incident_id, Part.role == "after", Part.media != "", Part.at >= since)
    ).all()


def pictures_up_to(session: Session, incident_id: int, most: int) -> int:
    """How many pictures the report has; counted as far as `most`, so that a thousand cost no more than a dozen."""
    rows = session.exec(
        select(Part.id).where(Part.incident_id == incident_id, Part.role == "report", Part.media != "").limit(most)
    ).all()
    return len(rows)


def picture_ids(session: Session, incident_id: int, skip: int, most: int) -> list[int]:
    """The report's pictures that can be shown, as ids of their parts, in the order in which they came."""
    rows = session.exec(
        select(Part.id)
        .where(Part.incident_id == incident_id, Part.role == "report", Part.media != "", ~col(Part.unreadable))
        .order_by(col(Part.id))
        .offset(skip)
        .limit(most)
    ).all()
    return [row for row in rows if row is not None]


def words_of(session: Session, incident_id: int, most: int) -> Row_[str]:
    """What the report says, message by message, the first `most` of them."""
    return session.exec(
        select(Part.text)
        .where(Part.incident_id == incident_id, Part.role == "report", Part.text != "")
        .order_by(col(Part.id))
        .limit(most)
    ).all()


def open_in(session: Session, community_id: int, unit_id: int | None = None) -> Row_[Incident]:
    """Open incidents of a community, or those that one unit has, oldest first."""
    query = select(Incident).where(
        Incident.community_id == community_id, col(Incident.status).in_([str(status) for status in OPEN])
    )
    query = query if unit_id is None else query.where(Incident.unit_id == unit_id)
    return session.exec(query.order_by(col(Incident.id))).all()


def last_community_of(session: Session, reporter_id: int) -> int | None:
    """Where a person reported last."""
    return session.exec(
        select(Incident.community_id)
        .where(Incident.reporter_id == reporter_id)
        .order_by(col(Incident.id).desc())
        .limit(1)
    ).first()


def open_queue(
    session: Session, communities: Row_[int], unit_id: int | None, skip: int, most: int
) -> tuple[list[Incident], int]:
    """Open incidents by urgency (what needs the secretary, then the nearest limit), and how many there are."""
    wanted: list[Any] = [
        col(Incident.status).in_([str(status) for status in OPEN]),
        col(Incident.community_id).in_(communities),
    ]
    # A draft that nobody asked about yet is still being gathered: it is no work for anybody.
    wanted.append(or_(col(Incident.status) != "draft", col(Incident.need) != ""))
    if unit_id is not None:
        wanted.append(col(Incident.unit_id) == unit_id)
    total = session.exec(select(func.count()).select_from(Incident).where(*wanted)).one()
    far = 1 << 53
    rows = session.exec(
        select(Incident)
        .where(*wanted)
        .order_by(
            case((col(Incident.need) != "", 0), else_=1),
            func.coalesce(Incident.repair_due, far),
            col(Incident.id),
        )
        .offset(skip)
        .limit(most)
    ).all()
    return list(rows), int(total)


def find(
    session: Session, communities: Row_[int], unit_id: int | None, text: str, kinds: Row_[str], most: int
) -> list[Incident]:
    """Incidents whose number, place, words or shop contain `text`, or of one of the `kinds`, newest first."""
    pattern = f"%{_escaped(text)}%"
    in_words = select(Part.incident_id).where(col(Part.text).ilike(pattern, escape="\\"))
    query = select(Incident).where(
        col(Incident.community_id).in_(communities),
        Incident.number != None,  # noqa: E711 - SQL
        or_(
            col(Incident.number).ilike(pattern, escape="\\"),
            col(Incident.category).in_(kinds),
            col(Incident.place).ilike(pattern, escape="\\"),
            col(Incident.id).in_(in_words),
            col(Incident.shop).ilike(pattern, escape="\\"),
            col(Incident.address).ilike(pattern, escape="\\"),
        ),
    )
    if unit_id is not None:
        query = query.where(Incident.unit_id == unit_id)
    return list(session.exec(query.order_by(col(Incident.id).desc()).limit(most)).all())


def drafts_of(session: Session, user_id: int) -> list[Incident]:
    """What a person has posted that is not filed yet."""
    query = select(Incident).where(Incident.status == "draft", Incident.reporter_id == user_id)
    return list(session.exec(query).all())


def reported_by(session: Session, user_id: int, most: int) -> list[Incident]:
    """A person's own reports, newest first, without what turned out to be none."""
    return list(
        session.exec(
            select(Incident)
            .where(Incident.reporter_id == user_id, Incident.number != None)  # noqa: E711 - SQL
            .order_by(col(Incident.id).desc())
            .limit(most)
        ).all()
    )


def counted_since(session: Session, communities: Row_[int], start: datetime) -> list[Incident]:
    """Incidents that count in a period from `start`: filed, due, dismissed or ended in it, or still open."""
    return list(
        session.exec(
            select(Incident).where(
                col(Incident.community_id).in_(communities),
                col(Incident.status).not_in(("void", "merged", "draft")),
                or_(
                    col(Incident.filed_at) >= start,
                    col(Incident.closed_at) >= start,
                    col(Incident.repair_due) >= start,
                    col(Incident.status).in_(("filed", "dispatched", "accepted", "resolved")),
                ),
            )
        ).all()
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
