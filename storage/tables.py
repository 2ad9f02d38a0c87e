"""The rows of the relay. Statuses, acts and kinds are stored as their words, so that a dump can be read."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.types import Instant


def _at(index: bool = False, nullable: bool = True) -> Any:
    return Field(default=None, sa_column=Column(Instant, index=index, nullable=nullable))


def _big(primary_key: bool = False, nullable: bool = False, index: bool = False) -> Any:
    """A Telegram id: more than 32 bits. A primary key of this kind is given, never counted up."""
    column: Column[int] = Column(
        BigInteger, primary_key=primary_key, nullable=nullable, index=index, autoincrement=False
    )
    return Field(default=None, sa_column=column)


def _json(default: Any) -> Any:
    return Field(default_factory=default, sa_column=Column(JSON, nullable=False))


class Numbered(SQLModel):
    """A row whose id the database gives."""

    @property
    def ident(self) -> int:
        """The id of a row that is stored; asking before that is a mistake in the program."""
        found: int | None = getattr(self, "id", None)
        if found is None:
            raise LookupError(f"{type(self).__name__} has no id before it is stored")
        return found


class Community(Numbered, table=True):
    """A community (社区), or a street (街道) that others name as their parent."""

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    name: str
    prefix: str
    parent: str = ""
    dispatch: str = "auto"
    intake: str = "ask"
    gather: int = 15
    """Seconds."""
    proof: str = "required"
    quiet_hours: str = ""
    working_hours: str = ""
    fallback_unit: str = ""
    language: str = ""
    active: bool = True


class Secretary(SQLModel, table=True):
    community_id: int = Field(foreign_key="community.id", primary_key=True)
    user_id: int = _big(primary_key=True)


class District(Numbered, table=True):
    """A commercial district (商圈)."""

    __table_args__ = (UniqueConstraint("community_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    community_id: int = Field(foreign_key="community.id", index=True)
    key: str
    name: str
    active: bool = True


class Unit(Numbered, table=True):
    """A partner unit (共建单位)."""

    __table_args__ = (UniqueConstraint("community_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    community_id: int = Field(foreign_key="community.id", index=True)
    key: str
    name: str
    contact: str = ""
    members: list[int] = _json(list)
    """Telegram user ids; empty: everybody in the unit's chat acts for it."""
    categories: list[str] = _json(list)
    districts: list[str] = _json(list)
    active: bool = True


class Binding(SQLModel, table=True):
    """What a chat is to the alliance: the office of a community, a district's group, a unit's chat."""

    chat_id: int = _big(primary_key=True)
    role: str
    community_id: int = Field(foreign_key="community.id", index=True)
    district_id: int | None = Field(default=None, foreign_key="district.id")
    unit_id: int | None = Field(default=None, foreign_key="unit.id")
    thread_id: int | None = None
    title: str = ""
    language: str = ""
    lost_at: datetime | None = _at()
    """When the bot was put out of the chat; None while it is in."""


class CategoryLimit(SQLModel, table=True):
    """An alliance's own limits for a category; empty text: the shipped default stays."""

    category: str = Field(primary_key=True)
    accept: str = ""
    safe: str = ""
    repair: str = ""


class Person(SQLModel, table=True):
    """Somebody who reported, pressed or wrote a command; nobody else is kept."""

    user_id: int = _big(primary_key=True)
    name: str = ""
    language: str = ""
    started: bool = False
    """Whether the person has written to the bot in private, so that it may write back."""


class Shop(SQLModel, table=True):
    """A reporter's shop as registered with /shop: the address that spares a location."""

    community_id: int = Field(foreign_key="community.id", primary_key=True)
    user_id: int = _big(primary_key=True)
    name: str
    address: str = ""


class Sequence(SQLModel, table=True):
    """The last number given out in a community and year."""

    community_id: int = Field(foreign_key="community.id", primary_key=True)
    year: int = Field(primary_key=True)
    last: int = 0


_incident_version: Column[int] = Column("version", Integer, nullable=False)


class Incident(Numbered, table=True):
    """One matter, from the photo to its end."""

    __mapper_args__ = {"version_id_col": _incident_version}

    __table_args__ = (
        Index("incident_open", "community_id", "status"),
        Index("incident_author", "chat_id", "author_id", "gather_until"),
        Index("incident_reporter", "reporter_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    community_id: int = Field(foreign_key="community.id")
    district_id: int | None = Field(default=None, foreign_key="district.id")
    number: str | None = Field(default=None, unique=True)
    status: str = "draft"
    category: str = ""
    likely: list[str] = _json(list)
    """Categories the words point to while it is not sure, best first."""
    unit_id: int | None = Field(default=None, foreign_key="unit.id", index=True)
    suggested_id: int | None = None
    """The unit that the route leads to, for a secretary who dispatches by hand."""
    refused_by: list[int] = _json(list)
    """Units that said "not ours", in order."""
    chat_id: int = _big()
    thread_id: int | None = None
    message_id: int = 0
    """The message that started it: the group line answers it, the reaction lands on it."""
    author_id: int = _big()
    """Who posted: a user id, or the chat's own id for an anonymous administrator."""
    reporter_id: int | None = _big(nullable=True)
    """The person behind the report; None where Telegram hides it."""
    latitude: float | None = None
    longitude: float | None = None
    place: str = ""
    created_at: datetime = _at(nullable=False)
    gather_until: datetime = _at(nullable=False)
    filed_at: datetime | None = _at(index=True)
    dispatched_at: datetime | None = _at()
    accepted_at: datetime | None = _at()
    safe_at: datetime | None = _at()
    resolved_at: datetime | None = _at()
    closed_at: datetime | None = _at()
    accept_due: datetime | None = _at()
    safe_due: datetime | None = _at()
    repair_due: datetime | None = _at()
    verify_due: datetime | None = _at()
    parked_until: datetime | None = _at()
    reminded_at: datetime | None = _at()
    """Steps of the reminder ladder up to here are done with: sent, or overtaken by an act."""
    dispatches: int = 0
    cards: int = 0
    """Cards the units were sent for it: a new one when they must look again, because an edit rings nobody's phone."""
    rework: int = 0
    reopened: int = 0
    breached: bool = False
    need: str = ""
    """Why the secretary is needed now: approve, unknown, returned, breached, resolved, undelivered; empty: not."""
    needs: int = 0
    """How often the secretary came to be needed: each time is a card of its own in the office."""
    explicit: bool = False
    """Somebody said that it is a report (/report, a split), whatever the community's intake is set to."""
    prompted: bool = False
    """The author was asked for the category."""
    split_from: int | None = None
    duplicate_of: int | None = None
    version: int = Field(default=1, sa_column=_incident_version)
    """Counted up by every change; of two that decide at once, the second is handled again."""


class Part(Numbered, table=True):
    """One Telegram message that belongs to an incident: a picture, words, a place."""

    __table_args__ = (
        UniqueConstraint("chat_id", "message_id"),
        Index("part_album", "chat_id", "media_group_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incident.id", index=True)
    chat_id: int = _big()
    message_id: int
    user_id: int = _big()
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
    at: datetime = _at(nullable=False)


class Event(Numbered, table=True):
    """What happened: append-only. History, numbers and audit read it."""

    __table_args__ = (Index("event_incident", "incident_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(foreign_key="incident.id")
    community_id: int
    at: datetime = _at(nullable=False)
    act: str
    actor_id: int = _big()
    actor: str = ""
    role: str = ""
    unit_id: int | None = None
    before: str = ""
    after: str = ""
    reason: str = ""
    what: str = ""
    source: str = "chat"
    undo: dict[str, Any] = _json(dict)
    """The incident's columns before the act, for a minute's undo; emptied when undone."""


class Answer(SQLModel, table=True):
    """What people of the district said when asked whether it is fixed; the last word of each counts."""

    incident_id: int = Field(foreign_key="incident.id", primary_key=True)
    user_id: int = _big(primary_key=True)
    round: int = Field(default=0, primary_key=True)
    """The incident's rework count when it was asked: a new repair asks anew."""
    answer: str
    at: datetime = _at(nullable=False)


class Post(Numbered, table=True):
    """One message about one subject in one place, brought up to date while `shown < wanted`."""

    __table_args__ = (
        UniqueConstraint("subject", "channel", "chat_id", "kind", "seq"),
        Index("post_due", "due_at"),
        Index("post_chat", "chat_id", "state"),
    )

    id: int | None = Field(default=None, primary_key=True)
    subject: str
    """`incident:7`, or what a command asked for: `update:1234`."""
    incident_id: int | None = Field(default=None, foreign_key="incident.id", index=True)
    channel: str = "telegram"
    chat_id: int = _big()
    thread_id: int | None = None
    kind: str
    seq: int = 0
    user_id: int | None = _big(nullable=True)
    """For whom alone it is meant (ephemeral); None: everybody in the chat."""
    reply_to: int | None = None
    args: dict[str, Any] = _json(dict)
    """What the view needs beside the incident: a page, a query, an open menu."""
    urgent: bool = False
    wanted: int = 1
    shown: int = 0
    state: str = "due"
    """due, sending (an outcome is awaited), shown, broken (refused for good), held (behind a backlog list), gone."""
    due_at: datetime | None = _at()
    """When to look at it next; None: nothing to do."""
    lease: datetime | None = _at()
    message_ids: list[int] = _json(list)
    ephemeral: bool = False
    form: str = ""
    """text, photo or reaction: how the message was sent decides how it is edited."""
    picture: str = ""
    """Key of the picture it shows."""
    digest: str = ""
    """What was shown last, to spare an edit that changes nothing."""
    attempts: int = 0
    doubled: int = 0
    """First sends repeated because the outcome of one was unknown."""
    error: str = ""
    sent_at: datetime | None = _at()
    remove_at: datetime | None = _at()


class Shown(SQLModel, table=True):
    """Which post a message in a chat belongs to, so that a reply to it finds its incident."""

    chat_id: int = _big(primary_key=True)
    message_id: int = Field(primary_key=True)
    post_id: int = Field(foreign_key="post.id", index=True)


class Picture(SQLModel, table=True):
    """A picture the relay made (a cleaned file, a before/after pair) as Telegram keeps it once it was sent."""

    key: str = Field(primary_key=True)
    """`clean:12` for part 12, `pair:12:15` for a pair."""
    file_id: str


class Timer(SQLModel, table=True):
    """A moment at which an incident is looked at again; one of each kind an incident, so none can storm."""

    incident_id: int = Field(foreign_key="incident.id", primary_key=True)
    kind: str = Field(primary_key=True)
    """gather, answer (an unanswered prompt), refresh (undo ends), remind."""
    next_at: datetime = _at(index=True, nullable=False)
    pace: int = 0
    """Failures in a row; a failing timer waits longer and stops nobody else."""


class Handled(SQLModel, table=True):
    """Updates whose effects are committed; a redelivered one finds its row and does nothing."""

    update_id: int = _big(primary_key=True)
    at: datetime = _at(index=True, nullable=False)


class FailedUpdate(SQLModel, table=True):
    """A poison update, whole, set aside so that it holds up nobody; `bot retry` replays it."""

    __tablename__ = "failed_update"

    update_id: int = _big(primary_key=True)
    raw: str
    error: str
    at: datetime = _at(nullable=False)


class Note(SQLModel, table=True):
    """Small things the program keeps about itself: the digest of the alliance file, ephemeral support."""

    key: str = Field(primary_key=True)
    value: str
