"""What each act stamps on an incident: numbers, moments, clocks, and whether the secretary is needed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.domain.acts import Act, Role
from bot.domain.deadlines import VERIFY, Clock, deadlines
from bot.domain.rights import Actor
from bot.services.desk import Desk
from storage.incidents import next_number
from storage.tables import Community, Incident, Unit
from storage.timers import clear_timers


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
    incident.filed_at, incident.verify_due = desk.now, None
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
    # Late to be accepted is said and over; the repair has a limit of its own, to be heard of by itself. What ran out
    # in the night was said to nobody yet.
    late = incident.repair_due is not None and incident.repair_due <= desk.now
    incident.breached = incident.breached and late
    if incident.need in ("breached", "note") and not incident.breached:
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


def _work_again(desk: Desk, incident: Incident) -> None:
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
    _work_again(desk, incident)


def _reopen(desk: Desk, incident: Incident, step: Step) -> None:
    incident.reopened += 1
    _work_again(desk, incident)


def _ask_reopen(desk: Desk, incident: Incident, step: Step) -> None:
    call_secretary(incident, "reopen")


def _end(desk: Desk, incident: Incident, step: Step) -> None:
    incident.closed_at = desk.now
    call_secretary(incident, "")
    clear_timers(desk.session, incident.ident, ("gather", "answer"))


EFFECTS: Mapping[Act, Callable[[Desk, Incident, Step], None]] = {
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
