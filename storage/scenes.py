"""An incident with everything a card, a line or a picture of it needs, read in a handful of queries."""

from dataclasses import dataclass, field

from sqlmodel import Session, select

from storage.tables import Answer, Community, District, Event, Incident, Part, Unit


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

    @property
    def reports(self) -> tuple[Part, ...]:
        """The pictures of the report itself. What was shown later, in whatever chat, is not the group's to see."""
        return tuple(part for part in self.parts if part.media and part.role == "report")

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
    return Scene(
        incident=incident,
        community=community,
        district=session.get(District, incident.district_id) if incident.district_id else None,
        unit=session.get(Unit, incident.unit_id) if incident.unit_id else None,
        parts=tuple(session.exec(select(Part).where(Part.incident_id == incident_id).order_by(Part.id)).all()),  # type: ignore[arg-type]
        events=tuple(session.exec(select(Event).where(Event.incident_id == incident_id).order_by(Event.id)).all()),  # type: ignore[arg-type]
        answers=tuple(session.exec(select(Answer).where(Answer.incident_id == incident_id)).all()),
        units=tuple(units),
    )
