"""A bench for rules: a small alliance's rows in memory, one moment, one transaction that is thrown away.

The rows are made once a process and put back as bytes before each test, so that hundreds of tests cost seconds.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import StaticPool
from sqlmodel import Session, SQLModel, col, select

from bot.domain.acts import Role, Status
from bot.domain.rights import Actor, Standing
from bot.domain.worktime import Weekdays
from bot.services.desk import Desk, Ground
from bot.services.people import Visitor
from bot.speech import Speech
from storage.tables import (
    Answer,
    Binding,
    Community,
    District,
    Event,
    Incident,
    Part,
    Post,
    Secretary,
    Timer,
    Unit,
)

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Shanghai: working time, no quiet hours."""
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

# One street with two communities, and a community that belongs to no street of ours.
STREET, OWN, SISTER, OTHER = 1, 2, 3, 4
GUANDI, NANSHI, OTHER_DISTRICT = 21, 22, 41
WATER, POWER, PROPERTY, TELECOM, OTHER_UNIT, OTHER_POWER = 201, 202, 203, 204, 401, 402
STREET_OFFICE, OFFICE, SISTER_OFFICE, OTHER_OFFICE = -1001, -1002, -1003, -1004
GUANDI_CHAT, NANSHI_CHAT, OTHER_DISTRICT_CHAT = -2021, -2022, -2041
WATER_CHAT, POWER_CHAT, PROPERTY_CHAT, OTHER_UNIT_CHAT = -3201, -3202, -3203, -3401
STRANGE_CHAT = -9999
ZHANG, LI, PASSER = 501, 502, 503
LIN, SISTER_SECRETARY, ZHOU, OTHER_SECRETARY = 601, 603, 604, 605
WATER_MAN, POWER_MAN, POWER_GUEST = 701, 702, 703
OPERATOR = 900
PICTURE = 51
"""The message that started an incident of the bench."""

GROUND = Ground(ZONE, "en", Weekdays(), frozenset({OPERATOR}), "relay_bot")
SPEECH = Speech("en")
HOURS = "08:30-11:30,13:30-17:30"
QUIET = "21:30-07:00"


def rows() -> list[SQLModel]:
    """The alliance."""
    common = {"working_hours": HOURS, "quiet_hours": QUIET, "fallback_unit": "property"}
    return [
        Community(id=STREET, key="street", name="Street", prefix="ST", **common),
        Community(id=OWN, key="own", name="Own", prefix="OW", parent="street", **common),
        Community(id=SISTER, key="sister", name="Sister", prefix="SI", parent="street", **common),
        Community(id=OTHER, key="other", name="Other", prefix="OT", **common),
        Secretary(community_id=OWN, user_id=LIN),
        Secretary(community_id=SISTER, user_id=SISTER_SECRETARY),
        Secretary(community_id=STREET, user_id=ZHOU),
        Secretary(community_id=OTHER, user_id=OTHER_SECRETARY),
        District(id=GUANDI, community_id=OWN, key="guandi", name="Guandi"),
        District(id=NANSHI, community_id=OWN, key="nanshi", name="Nanshi"),
        District(id=OTHER_DISTRICT, community_id=OTHER, key="guandi", name="Otherside"),
        Unit(id=WATER, community_id=OWN, key="water", name="Water Co", categories=["cover.water"], districts=["*"]),
        Unit(
            id=POWER,
            community_id=OWN,
            key="power",
            name="Power Co",
            members=[POWER_MAN],
            categories=["power"],
            districts=["guandi"],
        ),
        Unit(id=PROPERTY, community_id=OWN, key="property", name="Property Co"),
        Unit(id=TELECOM, community_id=OWN, key="telecom", name="Telecom", categories=["telecom.box"], districts=["*"]),
        Unit(id=OTHER_UNIT, community_id=OTHER, key="water", name="Far Water", categories=["*"], districts=["*"]),
        Unit(id=OTHER_POWER, community_id=OTHER, key="power", name="Far Power"),
        Binding(chat_id=STREET_OFFICE, role="office", community_id=STREET),
        Binding(chat_id=OFFICE, role="office", community_id=OWN, thread_id=7),
        Binding(chat_id=SISTER_OFFICE, role="office", community_id=SISTER),
        Binding(chat_id=OTHER_OFFICE, role="office", community_id=OTHER),
        Binding(chat_id=GUANDI_CHAT, role="district", community_id=OWN, district_id=GUANDI),
        Binding(chat_id=NANSHI_CHAT, role="district", community_id=OWN, district_id=NANSHI),
        Binding(chat_id=OTHER_DISTRICT_CHAT, role="district", community_id=OTHER, district_id=OTHER_DISTRICT),
        Binding(chat_id=WATER_CHAT, role="unit", community_id=OWN, unit_id=WATER, thread_id=9),
        Binding(chat_id=POWER_CHAT, role="unit", community_id=OWN, unit_id=POWER),
        Binding(chat_id=PROPERTY_CHAT, role="unit", community_id=OWN, unit_id=PROPERTY),
        Binding(chat_id=OTHER_UNIT_CHAT, role="unit", community_id=OTHER, unit_id=OTHER_UNIT),
    ]


@cache
def _connection() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


@cache
def _engine() -> Engine:
    engine = create_engine("sqlite://", creator=_connection, poolclass=StaticPool)

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


@cache
def _alliance() -> bytes:
    """The database with the alliance in it."""
    SQLModel.metadata.create_all(_engine())
    with Session(_engine()) as session:
        session.add_all(rows())
        session.commit()
    return _connection().serialize()


@contextmanager
def fresh_session() -> Iterator[Session]:
    """A session on the alliance's rows as they were made, whatever was committed before."""
    _connection().deserialize(_alliance())
    with Session(_engine(), expire_on_commit=False) as session:
        yield session


def other_session() -> Session:
    """One more session on the same rows."""
    return Session(_engine(), expire_on_commit=False)


@dataclass
class Bench:
    """The rows, the moment, and what tests ask of both."""

    session: Session
    now: datetime = NOW
    source: str = "chat"
    ground: Ground = field(default=GROUND)

    @property
    def desk(self) -> Desk:
        return Desk(self.session, self.ground, self.now, self.source)

    def later(self, **span: float) -> "Bench":
        """Time goes by."""
        self.now += timedelta(**span)
        return self

    def community(self, **columns: Any) -> Community:
        """The own community, changed as the test needs it."""
        return self._changed(self.session.get_one(Community, OWN), columns)

    def binding(self, chat_id: int, **columns: Any) -> Binding:
        return self._changed(self.session.get_one(Binding, chat_id), columns)

    def unbind(self, chat_id: int) -> None:
        self.session.delete(self.session.get_one(Binding, chat_id))
        self.session.flush()

    def _changed(self, row: Any, columns: dict[str, Any]) -> Any:
        for name, value in columns.items():
            setattr(row, name, value)
        self.session.add(row)
        self.session.flush()
        return row

    def incident(self, status: Status = Status.DISPATCHED, **columns: Any) -> Incident:
        """An incident of the own community as it stands in `status`: reported an hour ago by Zhang in Guandi, with the
        water company once it has a unit. It has no posts and no history but what the test makes."""
        then = NOW - HOUR
        known: dict[str, Any] = {
            "community_id": OWN,
            "district_id": GUANDI,
            "status": str(status),
            "chat_id": GUANDI_CHAT,
            "message_id": PICTURE,
            "author_id": ZHANG,
            "reporter_id": ZHANG,
            "created_at": then,
            "gather_until": then,
            "reminded_at": then,
        }
        if status is not Status.DRAFT:
            known |= {"number": "OW-2026-0001", "category": "cover.water", "filed_at": then}
            known |= {"accept_due": NOW + HOUR, "safe_due": NOW + 2 * HOUR, "repair_due": NOW + 5 * HOUR}
        if status not in (Status.DRAFT, Status.FILED):
            known |= {"unit_id": WATER, "dispatched_at": then, "dispatches": 1, "cards": 1}
        if status in (Status.ACCEPTED, Status.RESOLVED, Status.CLOSED):
            known |= {"accepted_at": NOW - 30 * MINUTE}
        if status in (Status.RESOLVED, Status.CLOSED):
            known |= {"resolved_at": NOW - 20 * MINUTE, "verify_due": NOW + 24 * HOUR}
        if status is Status.RESOLVED:
            known |= {"need": "check", "needs": 1}
        if status in (Status.CLOSED, Status.DISMISSED, Status.MERGED, Status.VOID):
            known |= {"closed_at": NOW - 10 * MINUTE}
        found = Incident(**{**known, **columns})
        self.session.add(found)
        self.session.flush()
        return found

    def part(self, incident: Incident, role: str = "report", media: str = "photo", **columns: Any) -> Part:
        """One message of the incident's; the first is the picture that started it."""
        known = len(self.session.exec(select(Part.id)).all())
        found = Part(
            **{
                "incident_id": incident.ident,
                "chat_id": incident.chat_id,
                "message_id": PICTURE + known,
                "user_id": ZHANG,
                "role": role,
                "media": media,
                "file_id": f"file-{known}",
                "at": self.now,
                **columns,
            }
        )
        self.session.add(found)
        self.session.flush()
        return found

    def event(self, incident: Incident, act: str, actor_id: int = WATER_MAN, **columns: Any) -> Event:
        """An entry of the history."""
        known = {"at": self.now, "actor": "Somebody", "role": "unit", "before": incident.status}
        found = Event(
            **{
                "incident_id": incident.ident,
                "community_id": incident.community_id,
                "act": act,
                "actor_id": actor_id,
                "after": incident.status,
                **known,
                **columns,
            }
        )
        self.session.add(found)
        self.session.flush()
        return found

    def post(self, incident: Incident | None = None, kind: str = "card", **columns: Any) -> Post:
        """A post, due now unless said otherwise."""
        about = {"subject": f"incident:{incident.id}", "incident_id": incident.id} if incident else {"subject": "x"}
        known = {"kind": kind, "chat_id": WATER_CHAT, "due_at": self.now, "seq": incident.cards if incident else 0}
        found = Post(**{**about, **known, **columns})
        self.session.add(found)
        self.session.flush()
        return found

    def events(self, incident: Incident) -> list[Event]:
        self.session.flush()
        return list(
            self.session.exec(select(Event).where(Event.incident_id == incident.id).order_by(col(Event.id))).all()
        )

    def last(self, incident: Incident) -> Event:
        return self.events(incident)[-1]

    def posts(self, incident: Incident | None = None, kind: str = "", chat_id: int | None = None) -> list[Post]:
        """The posts as the database has them now, oldest first."""
        self.session.flush()
        query = select(Post).order_by(col(Post.id)).execution_options(populate_existing=True)
        found = self.session.exec(query).all()
        return [
            post
            for post in found
            if (incident is None or post.incident_id == incident.id)
            and kind in ("", post.kind)
            and chat_id in (None, post.chat_id)
        ]

    def timers(self, incident: Incident) -> dict[str, datetime]:
        """Kind → moment."""
        self.session.flush()
        query = select(Timer).where(Timer.incident_id == incident.id).execution_options(populate_existing=True)
        return {timer.kind: timer.next_at for timer in self.session.exec(query).all()}

    def answers(self, incident: Incident) -> dict[tuple[int, int], str]:
        """(person, round) → what they said."""
        self.session.flush()
        found = self.session.exec(select(Answer).where(Answer.incident_id == incident.id)).all()
        return {(answer.user_id, answer.round): answer.answer for answer in found}

    def row(self, incident: Incident) -> dict[str, Any]:
        """The incident's columns as the database has them."""
        self.session.flush()
        self.session.refresh(incident)
        return incident.model_dump(exclude={"version"})


# People as a door makes them out.
SECRETARY = Actor(LIN, "Lin", frozenset({Standing(Role.SECRETARY, OWN)}))
UNIT = Actor(WATER_MAN, "Wei", frozenset({Standing(Role.UNIT, OWN, unit=WATER)}))
REPORTER = Actor(ZHANG, "Zhang", frozenset({Standing(Role.MERCHANT, OWN, district=GUANDI)}))
NEIGHBOUR = Actor(LI, "Li", frozenset({Standing(Role.MERCHANT, OWN, district=GUANDI)}))
NOBODY = Actor(PASSER, "Passer")


def who(role: Role) -> Actor:
    """Somebody who holds this role towards the bench's incidents."""
    return {Role.SECRETARY: SECRETARY, Role.UNIT: UNIT, Role.REPORTER: REPORTER, Role.MERCHANT: NEIGHBOUR}[role]


def visitor(user_id: int, name: str = "Somebody", hidden: bool = False) -> Visitor:
    return Visitor(user_id, name, "en", hidden)
