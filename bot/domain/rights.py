"""Who may: the one question every door asks, answered from the table of acts. The default is no."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

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


class Refusal(StrEnum):
    """Why not. `LATE`: the act is theirs, but the incident has moved on. `NOT_YOURS`: it never was."""

    LATE = "late"
    NOT_YOURS = "not_yours"


def roles(actor: Actor, matter: Matter) -> frozenset[Role]:
    """The roles `actor` holds towards this matter; empty for everybody from another community."""
    if actor is BOT:
        return frozenset({Role.BOT})
    held = {standing.role for standing in actor.standings if _reaches(standing, matter)}
    if actor.user_id in matter.reporters:
        held.add(Role.REPORTER)
    return frozenset(held)


def _reaches(standing: Standing, matter: Matter) -> bool:
    if standing.community != matter.community or standing.role in (Role.BOT, Role.REPORTER):
        return False
    if standing.role is Role.UNIT:
        return standing.unit is not None and standing.unit == matter.unit
    if standing.role is Role.MERCHANT:
        return standing.district is not None and standing.district == matter.district
    return True


def may(actor: Actor, act: Act, matter: Matter, now: datetime) -> Refusal | None:
    """None when `actor` may do `act` to `matter` at `now`, else the reason why not."""
    rule = ACTS.get(act)
    if rule is None or not roles(actor, matter) & rule.roles:
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


def allowed(held: Iterable[Role], status: Status) -> tuple[Act, ...]:
    """The acts that people in the roles `held` may do in `status`, in the table's order."""
    wanted = frozenset(held)
    return tuple(act for act, rule in ACTS.items() if status in rule.moves and rule.roles & wanted)
