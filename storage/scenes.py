"""An incident with everything a card, a line or a picture of it needs, read in a handful of queries."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import func
from sqlmodel import Session, col, select

from storage.tables import Answer, Community, District, Event, Incident, Part, Unit

Row = TypeVar("Row", Part, Event)
FIRST, NEWEST = 40, 20
"""Parts that a card is made of: its pictures and words are among the first, proof and corrections among the newest."""
EVENTS = 120
"""Entries of the history that are read; a card shows a dozen."""


@dataclass(frozen=True)
class Scene:
    """`parts`, `events` and `answers` are in the order in which they came."""

    incident: Incident
    community: Community
    district: District | None
    unit: Unit | None
    parts: tuple[Part, ...]
    events: tuple[Event, ...]
    answers: tuple[Answer, ...]
    units: tuple[Unit, ...] = field(default=())
    """All active units of the community, for menus and for the names of those who refused."""
    counted: int | None = None
    """Pictures of the report, where `parts` holds only the first and the newest of very many."""

    @property
    def reports(self) -> tuple[Part, ...]:
        """The pictures of the report itself. What was shown later, in whatever chat, is not the group's to see."""
        return tuple(part for part in self.parts if part.media and part.role == "report")

    @property
    def pictures(self) -> int:
        """How many pictures the report has in all."""
        return len(self.reports) if self.counted is None else self.counted

    @property
    def afters(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.media and part.role == "after")

    @property
    def words(self) -> str:
        """What the report itself says, in the order in which it was said."""
        said = (part.text for part in self.parts if part.role == "report" and part.text)
        return "\n".join(dict.fromkeys(said))


def load_scene(session: Session, incident_id: int) -> Scene | None:
    """The scene of one incident, or None when there is no such incident."""
    incident = session.get(Incident, incident_id)
    if incident is None:
        return None
    community = session.get_one(Community, incident.community_id)
    units = session.exec(select(Unit).where(Unit.community_id == community.id, Unit.active).order_by(Unit.id)).all()  # type: ignore[arg-type]
    parts, counted = _parts(session, incident_id)
    return Scene(
        incident=incident,
        community=community,
        district=session.get(District, incident.district_id) if incident.district_id else None,
        unit=session.get(Unit, incident.unit_id) if incident.unit_id else None,
        parts=parts,
        events=_latest(session, Event, incident_id, EVENTS),
        answers=tuple(session.exec(select(Answer).where(Answer.incident_id == incident_id).order_by(Answer.at)).all()),  # type: ignore[arg-type]
        units=tuple(units),
        counted=counted,
    )


def _parts(session: Session, incident_id: int) -> tuple[tuple[Part, ...], int | None]:
    """What was said and shown, and how many pictures there are where that is only the first and the newest of it:
    however many somebody posts, a card costs the same."""
    own = select(Part).where(Part.incident_id == incident_id)
    first = tuple(session.exec(own.order_by(col(Part.id)).limit(FIRST)).all())
    if len(first) < FIRST:
        return first, None
    newest = [part for part in _latest(session, Part, incident_id, NEWEST) if part.ident > first[-1].ident]
    counted = session.exec(
        select(func.count()).where(Part.incident_id == incident_id, Part.role == "report", Part.media != "")
    ).one()
    return (*first, *newest), int(counted)


def _latest(session: Session, table: type[Row], incident_id: int, most: int) -> tuple[Row, ...]:
    """The newest rows of an incident, in the order in which they came."""
    key: Any = table
    rows = session.exec(select(table).where(key.incident_id == incident_id).order_by(col(key.id).desc()).limit(most))
    return tuple(reversed(rows.all()))
