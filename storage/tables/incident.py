"""One matter from the photo to its end: what it is, what was said and shown, what happened."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from bot.domain.acts import Status
from bot.domain.rights import Matter
from storage.tables.columns import Numbered, at_column, big_column, json_column

_incident_version: Column[int] = Column("version", Integer, nullable=False)


class Incident(Numbered, table=True):
    """One matter, from the photo to its end."""

    __mapper_args__ = {"version_id_col": _incident_version}  # noqa: RUF012 - the shape SQLAlchemy asks for

    __table_args__ = (
        Index("incident_open", "community_id", "status"),
        Index("incident_author", "chat_id", "author_id", "gather_until"),
        Index("incident_reporter", "reporter_id"),
        Index("incident_closed", "closed_at"),
        Index("incident_filer", "community_id", "author_id", "filed_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    community_id: int = Field(foreign_key="community.id")
    district_id: int | None = Field(default=None, foreign_key="district.id")
    number: str | None = Field(default=None, unique=True)
    status: str = "draft"
    category: str = ""
    likely: list[str] = json_column(list)
    """Categories the words point to while it is not sure, best first."""
    unit_id: int | None = Field(default=None, foreign_key="unit.id", index=True)
    suggested_id: int | None = None
    """The unit that the route leads to, for a secretary who dispatches by hand."""
    refused_by: list[int] = json_column(list)
    """Units that said "not ours", in order."""
    chat_id: int = big_column()
    thread_id: int | None = None
    message_id: int = 0
    """The message that started it: the group line answers it, the reaction lands on it."""
    author_id: int = big_column()
    """Who posted: a user id, or the chat's own id for an anonymous administrator."""
    reporter_id: int | None = big_column(nullable=True)
    """The person behind the report; None where Telegram hides it."""
    latitude: float | None = None
    longitude: float | None = None
    place: str = ""
    shop: str = ""
    address: str = ""
    """The reporter's shop as it was registered when they reported: a later /shop moves no incident."""
    created_at: datetime = at_column(nullable=False)
    gather_until: datetime = at_column(nullable=False)
    filed_at: datetime | None = at_column(index=True)
    dispatched_at: datetime | None = at_column()
    accepted_at: datetime | None = at_column()
    safe_at: datetime | None = at_column()
    resolved_at: datetime | None = at_column()
    closed_at: datetime | None = at_column()
    accept_due: datetime | None = at_column()
    safe_due: datetime | None = at_column()
    repair_due: datetime | None = at_column()
    verify_due: datetime | None = at_column()
    parked_until: datetime | None = at_column()
    reminded_at: datetime | None = at_column()
    """Steps of the reminder ladder up to here are done with: sent, or overtaken by an act."""
    dispatches: int = 0
    cards: int = 0
    """Cards the units were sent for it: a new one when they must look again, because an edit rings nobody's phone."""
    rework: int = 0
    reopened: int = 0
    breached: bool = False
    need: str = ""
    """Why the secretary is needed now: approve, unknown, returned, breached, resolved, undelivered; quota (it waits in
    one list with the others that its author reported within the hour); empty: not."""
    needs: int = 0
    """How often the secretary came to be needed: each time is a card of its own in the office."""
    explicit: bool = False
    """Somebody said that it is a report (/report, a split), whatever the community's intake is set to."""
    beyond: bool = False
    """It came beyond what its author may report within an hour: it goes behind what others report."""
    prompted: bool = False
    """The author was asked for the category."""
    split_from: int | None = None
    version: int = Field(default=1, sa_column=_incident_version)
    """Counted up by every change; of two that decide at once, the second is handled again."""

    @property
    def round(self) -> int:
        """Which repair it is: each time the unit is set to work again, people are asked anew."""
        return self.rework + self.reopened

    @property
    def matter(self) -> Matter:
        """What the rights need to know of it."""
        return Matter(
            community=self.community_id,
            district=self.district_id,
            unit=self.unit_id,
            reporters=frozenset({self.reporter_id} if self.reporter_id else ()),
            status=Status(self.status),
            closed_at=self.closed_at,
            safe=self.safe_at is not None,
        )


class Part(Numbered, table=True):
    """One Telegram message that belongs to an incident: a picture, words, a place."""

    __table_args__ = (
        UniqueConstraint("chat_id", "message_id"),
        Index("part_album", "chat_id", "media_group_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incident.id", index=True)
    chat_id: int = big_column()
    message_id: int
    user_id: int = big_column()
    role: str
    """report (what opened it), after (proof that it is done), remark (said or shown later)."""
    media_group_id: str = ""
    file_id: str = ""
    file_unique_id: str = ""
    media: str = ""
    """photo, document or live; empty: words only."""
    unreadable: bool = False
    """The file could not be read as a picture; the original stays where it is, the card says so."""
    text: str = ""
    at: datetime = at_column(nullable=False)


class Event(Numbered, table=True):
    """What happened: append-only. History, numbers and audit read it."""

    __table_args__ = (Index("event_incident", "incident_id", "id"), Index("event_actor", "actor_id"))

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incident.id")
    community_id: int
    at: datetime = at_column(nullable=False)
    act: str
    actor_id: int = big_column()
    actor: str = ""
    role: str = ""
    unit_id: int | None = None
    before: str = ""
    after: str = ""
    reason: str = ""
    what: str = ""
    source: str = "chat"
    undo: dict[str, Any] = json_column(dict)
    """The incident's columns before the act, for a minute's undo; emptied when undone."""


class Answer(SQLModel, table=True):
    """What people of the district said when asked whether it is fixed; the last word of each counts."""

    incident_id: int = Field(foreign_key="incident.id", primary_key=True)
    user_id: int = big_column(primary_key=True)
    round: int = Field(default=0, primary_key=True)
    """The incident's round when it was asked: a new repair asks anew."""
    answer: str
    at: datetime = at_column(nullable=False)
