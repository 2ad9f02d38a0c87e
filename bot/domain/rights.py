"""Who may: the one question every door asks, answered from the table of acts. The default is no.

Acting, looking and binding a chat are asked here and nowhere else: `may`, `sees`, `may_bind`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.domain.acts import ACTS, REOPEN_DAYS, Act, Role, Status


@dataclass(frozen=True)
class Standing:
    """A role inside one community; `unit` and `district` narrow it where the role is narrower."""

    role: Role
    community: int
    unit: int | None = None
    district: int | None = None


@dataclass(frozen=True)
class Actor:
    """A person at a door, with what they are in each community there."""

    user_id: int
    name: str
    standings: frozenset[Standing] = frozenset()
    operator: bool = False
    """Keeps the program running: may say what a chat is, and nothing about an incident."""

    def secretary_of(self, community: int) -> bool:
        return Standing(Role.SECRETARY, community) in self.standings


BOT = Actor(0, "")
"""The relay itself; `may` knows it by identity, so that nobody can come in through the door as user 0."""


@dataclass(frozen=True)
class Matter:
    """What the rights need to know of an incident."""

    community: int
    district: int | None
    unit: int | None
    reporters: frozenset[int]
    status: Status
    closed_at: datetime | None = None
    safe: bool = False
    """The place was made safe already."""


@dataclass(frozen=True)
class Chat:
    """What a chat is to the alliance: `role` is office, unit, district or private.

    `below`: the communities that report to the office of a street. What is shown in a chat, all in it see.
    """

    role: str
    community: int = 0
    unit: int | None = None
    district: int | None = None
    below: frozenset[int] = frozenset()


PRIVATE = Chat("private")


@dataclass(frozen=True)
class Scope:
    """What may be looked through from a chat: whole communities, or only what one unit has."""

    communities: tuple[int, ...]
    unit: int | None = None

    def as_args(self) -> dict[str, Any]:
        return {"communities": list(self.communities), "unit": self.unit}


class Refusal(StrEnum):
    """Why not. `LATE`: the act is theirs, but the incident has moved on. `NOT_YOURS`: it never was."""

    LATE = "late"
    NOT_YOURS = "not_yours"


class Forbidden(Exception):
    """An act came as far as the rows without anybody's right to it: a mistake in the program. Nothing is done."""


def roles(actor: Actor, matter: Matter) -> frozenset[Role]:
    """The roles `actor` holds towards this matter; empty for everybody from another community."""
    if actor is BOT:
        return frozenset({Role.BOT})
    held = {standing.role for standing in actor.standings if _reaches(standing, matter)}
    if actor.user_id in matter.reporters:
        held.add(Role.REPORTER)
    return frozenset(held)


def _reaches(standing: Standing, matter: Matter) -> bool:
    if standing.community != matter.community:
        return False
    if standing.role is Role.UNIT:
        return standing.unit is not None and standing.unit == matter.unit
    if standing.role is Role.MERCHANT:
        return standing.district is not None and standing.district == matter.district
    # The relay is known by identity and a reporter by the report: nobody stands for either.
    return standing.role in (Role.SECRETARY, Role.STREET)


def may(actor: Actor, act: Act, matter: Matter, now: datetime) -> Refusal | None:
    """None when `actor` may do `act` to `matter` at `now`, else the reason why not."""
    return _verdict(roles(actor, matter), act, matter, now)


def allowed(held: Iterable[Role], matter: Matter, now: datetime) -> tuple[Act, ...]:
    """The acts that people in the roles `held` may do to `matter` at `now`, in the table's order."""
    wanted = frozenset(held)
    return tuple(act for act in ACTS if _verdict(wanted, act, matter, now) is None)


def may_as(actor: Actor, role: Role, act: Act, matter: Matter, now: datetime) -> Refusal | None:
    """`may`, asked of one of the roles that the actor holds."""
    return _verdict(roles(actor, matter) & {role}, act, matter, now)


def demand(actor: Actor, role: Role, act: Act, matter: Matter, now: datetime) -> None:
    """Raise Forbidden unless `actor` may do `act` to `matter` in this `role`. Asked where rows are written."""
    refusal = may_as(actor, role, act, matter, now)
    if refusal is not None:
        raise Forbidden(f"{act} by {role}: {refusal}")


def _verdict(held: frozenset[Role], act: Act, matter: Matter, now: datetime) -> Refusal | None:
    rule = ACTS.get(act)
    if rule is None or not held & rule.roles:
        return Refusal.NOT_YOURS
    if matter.status not in rule.moves:
        return Refusal.LATE
    if act is Act.MAKE_SAFE and matter.safe:
        return Refusal.LATE
    if act in (Act.REOPEN, Act.ASK_REOPEN) and _long_closed(matter, now):
        return Refusal.LATE
    return None


def _long_closed(matter: Matter, now: datetime) -> bool:
    return matter.closed_at is not None and now - matter.closed_at > timedelta(days=REOPEN_DAYS)


def may_choose(actor: Actor, matter: Matter) -> bool:
    """Whether a person may leaf through the choices on a card: those for whose acts there are cards."""
    return bool(roles(actor, matter) & {Role.UNIT, Role.SECRETARY, Role.REPORTER})


def scope(actor: Actor, chat: Chat | None) -> Scope | None:
    """What `actor` may look through from `chat` (None: a group that is bound to nothing); None: nothing.

    An office looks through its community and those below it, a unit's chat through what the unit has. Alone with the
    bot, a secretary looks through what their offices would.
    """
    if chat is None:
        return None
    if chat.role == "unit" and chat.unit is not None:
        return Scope((chat.community,), chat.unit)
    if chat.role == "office":
        return Scope((chat.community, *sorted(chat.below)))
    if chat.role == "private":
        offices = {each.community for each in actor.standings if each.role in (Role.SECRETARY, Role.STREET)}
        return Scope(tuple(sorted(offices))) if offices else None
    return None


def sees(actor: Actor, chat: Chat | None, matter: Matter) -> Role | None:
    """The role in which `matter` may be shown to `actor` in `chat`; None: not at all."""
    seen = scope(actor, chat)
    if chat is None or (seen is not None and seen.unit is not None and seen.unit != matter.unit):
        return None
    if seen is not None and matter.community in seen.communities:
        if seen.unit is not None:
            return Role.UNIT
        own = actor.secretary_of(matter.community) or chat.community == matter.community
        return Role.SECRETARY if own else Role.STREET
    if chat.role not in ("private", "district"):
        return None
    if actor.user_id in matter.reporters:
        return Role.REPORTER
    if chat.role == "district" and chat.district is not None and chat.district == matter.district:
        return Role.MERCHANT
    return None


def may_bind(actor: Actor, community: int | None = None) -> bool:
    """Whether `actor` may say that a chat is one of `community`'s (None: of any): its secretary, or an operator."""
    if actor.operator:
        return True
    return any(
        each.role is Role.SECRETARY and (community is None or each.community == community) for each in actor.standings
    )
