"""Who stands at the door: a person's roles, read from the rows, in the chat they act from."""

from dataclasses import dataclass

from bot.domain.acts import Role
from bot.domain.rights import BOT, PRIVATE, Actor, Chat, Standing
from bot.services.desk import Desk
from storage import chats
from storage.posts import revive
from storage.tables import Binding, Community, Person, Unit


@dataclass(frozen=True)
class Visitor:
    """A person as a door sees them. `hidden`: writes in the group's name, so Telegram does not say who it is."""

    user_id: int
    name: str
    language: str = ""
    hidden: bool = False


def actor(desk: Desk, visitor: Visitor, binding: Binding | None) -> Actor:
    """`visitor` with the roles held here: rights come from rows, never from what a message says of itself."""
    if visitor.user_id == BOT.user_id:
        # The history would take them for the relay.
        return Actor(visitor.user_id, visitor.name)
    standings: set[Standing] = set()
    if not visitor.hidden:
        for community in chats.secretary_in(desk.session, visitor.user_id):
            standings.add(Standing(Role.SECRETARY, community))
            # Whoever keeps a street's office sees what its communities let escalate.
            area = desk.session.get_one(Community, community)
            standings |= {Standing(Role.STREET, child.ident) for child in chats.children_of(desk.session, area)}
    if binding is not None and binding.lost_at is None:
        standings |= _by_chat(desk, visitor, binding)
    operator = not visitor.hidden and visitor.user_id in desk.ground.operators
    return Actor(visitor.user_id, visitor.name, frozenset(standings), operator)


def _by_chat(desk: Desk, visitor: Visitor, binding: Binding) -> set[Standing]:
    if binding.role == "district":
        return {Standing(Role.MERCHANT, binding.community_id, district=binding.district_id)}
    if binding.role == "unit" and binding.unit_id is not None:
        unit = desk.session.get_one(Unit, binding.unit_id)
        # Whoever writes in the unit's name without a face is no listed member.
        if not unit.members or (visitor.user_id in unit.members and not visitor.hidden):
            return {Standing(Role.UNIT, binding.community_id, unit=unit.id)}
    return set()


def chat(desk: Desk, chat_id: int, binding: Binding | None) -> Chat | None:
    """What the chat is to the rights; None for a group that is bound to nothing."""
    if chat_id > 0:
        return PRIVATE
    if binding is None:
        return None
    below: frozenset[int] = frozenset()
    if binding.role == "office":
        own = desk.session.get_one(Community, binding.community_id)
        below = frozenset(child.ident for child in chats.children_of(desk.session, own))
    return Chat(binding.role, binding.community_id, binding.unit_id, binding.district_id, below)


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
        # What could not be said to a person who had never spoken to the bot, or had blocked it.
        revive(desk.session, visitor.user_id, desk.now)
    return person
