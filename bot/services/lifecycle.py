"""Carries out an act on an incident: the move of the table, its stamps and clocks, the event, the messages due.

Whether the person may is asked before, in `bot.services.acting`; nothing else writes an incident's status.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.domain.acts import ACTS, UNDO_SECONDS, Act, Status
from bot.domain.deadlines import RUNS, Clock, Running
from bot.domain.ladder import Moment, next_moment
from bot.domain.rights import Actor
from bot.services.desk import Desk
from bot.services.effects import EFFECTS, Step
from bot.services.posting import dangerous, post_up
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
    """Only the move, its stamps and its event; whoever takes several steps at once settles once, at the end."""
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


def settle(desk: Desk, incident: Incident, fresh: bool = False) -> None:
    """After a change of status or clocks: its reminders and its messages follow."""
    incident.reminded_at = desk.now
    desk.session.add(incident)
    schedule(desk, incident)
    post_up(desk, incident, fresh)


def running(incident: Incident) -> list[Running]:
    """The clocks that run for the incident now."""
    if incident.parked_until is not None:
        return []
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


def next_reminder(desk: Desk, incident: Incident) -> Moment | None:
    """When its clocks speak next; None when none runs."""
    clocks = running(incident)
    if not clocks:
        return None
    community = desk.session.get_one(Community, incident.community_id)
    after = incident.reminded_at or min(clock.start for clock in clocks)
    return next_moment(clocks, after, desk.calendar(community), desk.quiet(community), dangerous(incident))


def schedule(desk: Desk, incident: Incident) -> None:
    """Set the one timer of the next reminder, or stop it when no clock runs."""
    moment = next_reminder(desk, incident)
    if moment is None:
        clear_timers(desk.session, incident.ident, ("remind",))
    else:
        set_timer(desk.session, incident.ident, "remind", moment.at)


def restore(desk: Desk, incident: Incident, event: Event, actor: Actor) -> None:
    """Take back `event`: the incident's columns are those from before it. Whether that is allowed is asked before."""
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
    settle(desk, incident)


def _moments(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value) if value and name.endswith(("_at", "_due", "_until")) else value
        for name, value in columns.items()
    }
