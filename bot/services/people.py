"""Who stands at the door: a person's roles, read from the rows, in the chat they act from."""

from dataclasses import dataclass

from bot.domain.acts import Role, Status
from bot.domain.rights import Actor, Matter, Standing
from bot.services.desk import Desk
from storage import chats
from storage.tables import Binding, Community, Incident, Person, Unit


@dataclass(frozen=True)
class Visitor:
    """A person as a door sees them. `hidden`: writes in the group's name, so Telegram does not say who it is."""

    user_id: int
    name: str
    language: str = ""
    hidden: bool = False


def actor(desk: Desk, visitor: Visitor, binding: Binding | None) -> Actor:
    """`visitor` with the roles held here: rights come from rows, never from what a message says of itself."""
    standings: set[Standing] = set()
    if not visitor.hidden:
        for community in chats.secretary_in(desk.session, visitor.user_id):
            standings.add(Standing(Role.SECRETARY, community))
            # Whoever keeps a street's office sees what its communities let escalate.
            area = desk.session.get_one(Community, community)
            standings |= {Standing(Role.STREET, child.ident) for child in chats.children_of(desk.session, area)}
    if binding is not None and binding.lost_at is None:
        standings |= _by_chat(desk, visitor, binding)
    return Actor(visitor.user_id, visitor.name, frozenset(standings))


def _by_chat(desk: Desk, visitor: Visitor, binding: Binding) -> set[Standing]:
    if binding.role == "district":
        return {Standing(Role.MERCHANT, binding.community_id, district=binding.district_id)}
    if binding.role == "unit" and binding.unit_id is not None:
        unit = desk.session.get_one(Unit, binding.unit_id)
        # Whoever writes in the unit's name without a face is no listed member.
        if not unit.members or (visitor.user_id in unit.members and not visitor.hidden):
            return {Standing(Role.UNIT, binding.community_id, unit=unit.id)}
    return set()


def matter(incident: Incident) -> Matter:
    """What the rights need to know of the incident."""
    return Matter(
        community=incident.community_id,
        district=incident.district_id,
        unit=incident.unit_id,
        reporters=frozenset({incident.reporter_id} if incident.reporter_id else ()),
        status=Status(incident.status),
        closed_at=incident.closed_at,
        safe=incident.safe_at is not None,
    )


def remember(desk: Desk, visitor: Visitor, started: bool = False) -> Person | None:
    """Keep the name and language of somebody who reports or acts; nobody for a hidden one."""
    if visitor.hidden:
        return None
    person = desk.session.get(Person, visitor.user_id)
    if person is None:
        person = Person(user_id=visitor.user_id, name=visitor.name, language=visitor.language)
        desk.session.add(person)
    if visitor.name and person.name != visitor.name:
        person.name = visitor.name
    if started and not person.started:
        person.started = True
    return person
