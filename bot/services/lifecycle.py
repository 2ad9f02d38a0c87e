"""Carries out an act on an incident: the move of the table, its stamps and clocks, the event, the messages due.

Doors ask before whether the person may, so as to say why not; it is demanded here once more, whatever the door.
Nothing else writes an incident's status.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.acts import ACTS, UNDO_SECONDS, Act, Role, Status
from bot.domain.deadlines import RUNS, Clock, Running
from bot.domain.ladder import Moment, may_speak, next_moment
from bot.domain.ladder import Step as Rung
from bot.domain.rights import Actor, Matter, demand
from bot.services.desk import Desk
from bot.services.effects import EFFECTS, Step
from bot.services.posting import dangerous, post_up, waits
from storage.tables import Community, Event, Incident
from storage.timers import clear_timers, set_timer

UNDO = timedelta(seconds=UNDO_SECONDS)

QUIET = frozenset({Act.COMMENT, Act.SAY_FIXED, Act.SPLIT, Act.ASK_REOPEN})
"""Acts that move neither status nor clocks: what was missed before them is still owed."""

# The columns an act may change, and so those that a minute's undo puts back. A number, once given, stays given.
CHANGING = frozenset(
    {
        "status",
        "category",
        "unit_id",
        "refused_by",
        "filed_at",
        "dispatched_at",
        "accepted_at",
        "safe_at",
        "resolved_at",
        "closed_at",
        "accept_due",
        "safe_due",
        "repair_due",
        "verify_due",
        "parked_until",
        "reminded_at",
        "rework",
        "reopened",
        "breached",
        "need",
    }
)


def carry_out(desk: Desk, incident: Incident, step: Step) -> None:
    """Do it and let clocks and messages follow. The table must allow the act in the incident's status."""
    decide(desk, incident, step)
    if step.act in QUIET:
        desk.session.add(incident)
        post_up(desk, incident)
    else:
        settle(desk, incident)


def decide(desk: Desk, incident: Incident, step: Step) -> None:
    """Only the move, its stamps and its event; whoever takes several steps at once settles once, at the end.

    Raises Forbidden when nobody gave the actor this right.
    """
    demand(step.actor, step.role, step.act, incident.matter, desk.now)
    rule = ACTS[step.act]
    before = Status(incident.status)
    undoable = rule.undoable and step.actor.user_id != 0
    undo = incident.model_dump(mode="json", include=set(CHANGING)) if undoable else {}
    unit_before = incident.unit_id
    incident.status = str(rule.moves[before])
    effect = EFFECTS.get(step.act)
    if effect is not None:
        effect(desk, incident, step)
    desk.session.add(
        Event(
            incident_id=incident.ident,
            community_id=incident.community_id,
            at=desk.now,
            act=str(step.act),
            actor_id=step.actor.user_id,
            actor=step.actor.name,
            role=str(step.role),
            unit_id=incident.unit_id if incident.unit_id is not None else unit_before,
            before=str(before),
            after=incident.status,
            reason=step.reason,
            what=step.what,
            source=desk.source,
            undo=undo,
        )
    )
    if undo:
        set_timer(desk.session, incident.ident, "refresh", desk.now + UNDO)


def settle(desk: Desk, incident: Incident, fresh: bool = False, told: datetime | None = None) -> None:
    """After a change of status or clocks: its reminders and its messages follow. `told`: up to when its steps are done
    with; left out, the change has overtaken all there were."""
    incident.reminded_at = told or desk.now
    desk.session.add(incident)
    schedule(desk, incident)
    post_up(desk, incident, fresh)


def running(incident: Incident) -> list[Running]:
    """The clocks that run for the incident now."""
    if incident.parked_until is not None:
        return []
    if waits(incident) and incident.filed_at is not None:
        # No unit has it: the secretary is reminded on each working day, as of what she has to check.
        return [Running(Clock.VERIFY, incident.filed_at, incident.filed_at)]
    starts: dict[Clock, datetime | None] = {
        Clock.ACCEPT: incident.dispatched_at if incident.status == Status.DISPATCHED else incident.filed_at,
        Clock.SAFE: None if incident.safe_at else incident.dispatched_at,
        Clock.REPAIR: incident.dispatched_at,
        # For a draft: since nobody has said what it is, and the secretary was asked.
        Clock.VERIFY: incident.created_at if incident.status == Status.DRAFT else incident.resolved_at,
    }
    dues = {
        Clock.ACCEPT: incident.accept_due,
        Clock.SAFE: incident.safe_due,
        Clock.REPAIR: incident.repair_due,
        Clock.VERIFY: incident.verify_due,
    }
    found = []
    for clock in RUNS.get(Status(incident.status), ()):
        start, due = starts[clock], dues[clock]
        if start is not None and due is not None:
            found.append(Running(clock, start, due))
    return found


def late(incident: Incident, now: datetime) -> list[Running]:
    """The clocks that have run out on the unit that has it, the latest first."""
    if incident.status not in (Status.DISPATCHED, Status.ACCEPTED):
        return []
    return sorted((each for each in running(incident) if each.due <= now), key=lambda each: each.due, reverse=True)


def may_remind(desk: Desk, incident: Incident, clock: Clock, at: datetime) -> datetime:
    """`at`, or the first moment after it at which the incident's reminder of this clock may be heard."""
    community = desk.session.get_one(Community, incident.community_id)
    return may_speak(at, clock, desk.calendar(community), desk.quiet(community), dangerous(incident))


def next_reminder(desk: Desk, incident: Incident) -> Moment | None:
    """When its clocks speak next; None when none runs."""
    clocks = running(incident)
    if not clocks:
        return None
    community = desk.session.get_one(Community, incident.community_id)
    after = incident.reminded_at or min(clock.start for clock in clocks)
    found = next_moment(clocks, after, desk.calendar(community), desk.quiet(community), dangerous(incident))
    untold = late(incident, desk.now)
    if untold and not incident.breached:
        # A limit that ran out unheard (at night, while the program was off) and an act that came before the reminder:
        # the secretary hears of it all the same.
        owed = Moment(may_remind(desk, incident, untold[0].clock, desk.now), untold[0].clock, Rung.DUE)
        found = owed if found is None or owed.at < found.at else found
    return found


def schedule(desk: Desk, incident: Incident) -> None:
    """Set the one timer of the next reminder, or stop it when no clock runs."""
    moment = next_reminder(desk, incident)
    if moment is None:
        clear_timers(desk.session, incident.ident, ("remind",))
    else:
        set_timer(desk.session, incident.ident, "remind", moment.at)


def restore(desk: Desk, incident: Incident, event: Event, actor: Actor) -> None:
    """Take back `event`: the incident's columns are those from before it. Raises Forbidden."""
    demand(actor, Role(event.role), Act.UNDO, matter_before(incident, event), desk.now)
    before = Status(incident.status)
    need_before, unit_before = incident.need, incident.unit_id
    for column, value in _moments(event.undo).items():
        setattr(incident, column, value)
    if incident.need and incident.need != need_before:
        incident.needs += 1
    if unit_before is not None and incident.unit_id not in (None, unit_before):
        # Back from another unit: the card there goes, and this one gets a card that is its own again.
        incident.cards += 1
    desk.session.add(
        Event(
            incident_id=incident.ident,
            community_id=incident.community_id,
            at=desk.now,
            act=str(Act.UNDO),
            actor_id=actor.user_id,
            actor=actor.name,
            role=event.role,
            unit_id=incident.unit_id,
            before=str(before),
            after=incident.status,
            what=event.act,
            source=desk.source,
        )
    )
    event.undo = {}
    desk.session.add(event)
    clear_timers(desk.session, incident.ident, ("refresh",))
    # What its clocks had to say within that minute is still to be said.
    settle(desk, incident, told=incident.reminded_at)


def matter_before(incident: Incident, event: Event) -> Matter:
    """What the rights need to know of the incident, with whoever had it before `event`: a unit that has returned it has
    no part in it any more, and may still take that back."""
    return replace(incident.matter, unit=event.undo["unit_id"])


def _moments(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value) if value and name.endswith(("_at", "_due", "_until")) else value
        for name, value in columns.items()
    }
