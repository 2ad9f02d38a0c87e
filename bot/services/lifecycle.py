"""Carries out an act on an incident: the move of the table, its stamps and clocks, the event, the messages due.

Whether the person may is asked before, in `bot.services.acting`; nothing else writes an incident's status.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.domain.acts import ACTS, UNDO_SECONDS, Act, Role, Status
from bot.domain.deadlines import RUNS, VERIFY, Clock, Running, deadlines
from bot.domain.ladder import next_moment
from bot.domain.rights import Actor
from bot.services.desk import Desk
from bot.services.posting import dangerous, post_up
from storage.incidents import next_number
from storage.tables import Community, Event, Incident, Unit
from storage.timers import clear_timers, set_timer

UNDO = timedelta(seconds=UNDO_SECONDS)

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
        "rework",
        "reopened",
        "breached",
        "need",
    }
)


@dataclass(frozen=True)
class Step:
    """An act about to be carried out."""

    act: Act
    actor: Actor
    role: Role
    reason: str = ""
    what: str = ""
    """The category of `file`, the unit's name of `dispatch` and `reassign`, the words of a comment."""
    unit: Unit | None = None


def carry_out(desk: Desk, incident: Incident, step: Step) -> None:
    """Do it and let clocks and messages follow. The table must allow the act in the incident's status."""
    decide(desk, incident, step)
    settle(desk, incident)


def decide(desk: Desk, incident: Incident, step: Step) -> None:
    """Only the move, its stamps and its event; whoever takes several steps at once settles once, at the end."""
    rule = ACTS[step.act]
    before = Status(incident.status)
    undoable = rule.undoable and step.actor.user_id != 0
    undo = incident.model_dump(mode="json", include=set(CHANGING)) if undoable else {}
    unit_before = incident.unit_id
    incident.status = str(rule.moves[before])
    effect = _EFFECTS.get(step.act)
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
    """After any change: its version counts up, its clocks and its messages follow."""
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
        Clock.VERIFY: incident.resolved_at,
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


def schedule(desk: Desk, incident: Incident) -> None:
    """Set the one timer of the next reminder, or stop it when no clock runs."""
    clocks = running(incident)
    moment = None
    if clocks:
        community = desk.session.get_one(Community, incident.community_id)
        after = incident.reminded_at or min(clock.start for clock in clocks)
        moment = next_moment(clocks, after, desk.calendar(community), desk.quiet(community), dangerous(incident))
    if moment is None:
        clear_timers(desk.session, incident.ident, ("remind",))
    else:
        set_timer(desk.session, incident.ident, "remind", moment.at)


def call_secretary(incident: Incident, need: str) -> None:
    """The secretary is needed for this reason now; each new time is a card of its own, because it must ring."""
    if need and need != incident.need:
        incident.needs += 1
    incident.need = need


def start_clocks(desk: Desk, incident: Incident) -> None:
    """The limits of its category, counted from now."""
    community = desk.session.get_one(Community, incident.community_id)
    due = deadlines(desk.limits(incident.category), desk.now, desk.calendar(community))
    incident.accept_due = due[Clock.ACCEPT]
    incident.safe_due = due.get(Clock.SAFE)
    incident.repair_due = due[Clock.REPAIR]
    incident.breached = False


def _file(desk: Desk, incident: Incident, step: Step) -> None:
    community = desk.session.get_one(Community, incident.community_id)
    if incident.number is None:
        year = desk.now.astimezone(desk.ground.zone).year
        incident.number = next_number(desk.session, incident.community_id, community.prefix, year)
    incident.category = step.what
    incident.filed_at = desk.now
    call_secretary(incident, "")
    start_clocks(desk, incident)


def _dispatch(desk: Desk, incident: Incident, step: Step) -> None:
    if step.unit is None:
        raise ValueError("a dispatch names its unit")
    incident.unit_id = step.unit.id
    incident.dispatched_at = desk.now
    incident.accepted_at = incident.safe_at = None
    incident.dispatches += 1
    incident.cards += 1
    start_clocks(desk, incident)
    call_secretary(incident, "")


def _accept(desk: Desk, incident: Incident, step: Step) -> None:
    incident.accepted_at = incident.accepted_at or desk.now
    # Late to be accepted is said and over; the repair has a limit of its own, to be heard of by itself.
    incident.breached = incident.repair_due is not None and incident.repair_due <= desk.now
    if incident.need == "breached" and not incident.breached:
        call_secretary(incident, "")


def _make_safe(desk: Desk, incident: Incident, step: Step) -> None:
    _accept(desk, incident, step)
    incident.safe_at = incident.safe_at or desk.now


def _return(desk: Desk, incident: Incident, step: Step) -> None:
    if incident.unit_id is not None:
        incident.refused_by = [*incident.refused_by, incident.unit_id]
    incident.unit_id = None
    incident.accepted_at = incident.dispatched_at = None
    start_clocks(desk, incident)
    incident.filed_at = incident.filed_at or desk.now
    call_secretary(incident, "returned")


def _resolve(desk: Desk, incident: Incident, step: Step) -> None:
    community = desk.session.get_one(Community, incident.community_id)
    incident.accepted_at = incident.accepted_at or desk.now
    incident.resolved_at = desk.now
    incident.verify_due = desk.calendar(community).add(desk.now, VERIFY)
    call_secretary(incident, "check")


def _confirm(desk: Desk, incident: Incident, step: Step) -> None:
    incident.closed_at = desk.now
    call_secretary(incident, "")


def _work_again(desk: Desk, incident: Incident, step: Step) -> None:
    incident.resolved_at = incident.verify_due = incident.closed_at = None
    incident.cards += 1
    if incident.repair_due is None or incident.repair_due <= desk.now:
        # The old limit is over and counted; the second repair gets one of its own.
        community = desk.session.get_one(Community, incident.community_id)
        incident.dispatched_at = desk.now
        incident.repair_due = desk.calendar(community).add(desk.now, desk.limits(incident.category).repair)
    incident.safe_due = incident.safe_due if incident.safe_at else None
    incident.breached = False
    call_secretary(incident, "")


def _send_back(desk: Desk, incident: Incident, step: Step) -> None:
    incident.rework += 1
    _work_again(desk, incident, step)


def _reopen(desk: Desk, incident: Incident, step: Step) -> None:
    incident.reopened += 1
    _work_again(desk, incident, step)


def _ask_reopen(desk: Desk, incident: Incident, step: Step) -> None:
    call_secretary(incident, "reopen")


def _end(desk: Desk, incident: Incident, step: Step) -> None:
    incident.closed_at = desk.now
    call_secretary(incident, "")
    clear_timers(desk.session, incident.ident, ("gather", "answer"))


_EFFECTS: Mapping[Act, Callable[[Desk, Incident, Step], None]] = {
    Act.FILE: _file,
    Act.NOT_A_REPORT: _end,
    Act.DISMISS: _end,
    Act.VOID: _end,
    Act.DISPATCH: _dispatch,
    Act.REASSIGN: _dispatch,
    Act.ACCEPT: _accept,
    Act.MAKE_SAFE: _make_safe,
    Act.RETURN: _return,
    Act.RESOLVE: _resolve,
    Act.CONFIRM: _confirm,
    Act.SEND_BACK: _send_back,
    Act.REOPEN: _reopen,
    Act.ASK_REOPEN: _ask_reopen,
}


def restore(desk: Desk, incident: Incident, event: Event, actor: Actor) -> None:
    """Take back `event`: the incident's columns are those from before it. Whether that is allowed is asked before."""
    before = Status(incident.status)
    need_before = incident.need
    for column, value in _moments(event.undo).items():
        setattr(incident, column, value)
    if incident.need and incident.need != need_before:
        incident.needs += 1
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
