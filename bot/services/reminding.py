"""What happens when an incident's moment has come: gathering ends, a limit nears or passes, a minute's undo ends."""

from collections.abc import Callable, Mapping

from bot.domain.acts import OPEN, Status
from bot.domain.deadlines import Clock
from bot.domain.ladder import Moment, Step, passed
from bot.domain.worktime import out_of_quiet
from bot.services.desk import Desk
from bot.services.drafting import erase, gather_over, unanswered
from bot.services.effects import call_secretary
from bot.services.lifecycle import running, schedule
from bot.services.posting import dangerous, post_up, replace_post, subject
from storage import chats
from storage.incidents import lock
from storage.posts import find_post
from storage.tables import Community, Incident, Timer
from storage.timers import set_timer


def fire(desk: Desk, incident_id: int, kind: str) -> bool:
    """Do what the timer was set for. False when it has been done or moved meanwhile."""
    # The incident first, as every act does: two who take locks in another order wait for each other for ever.
    incident = lock(desk.session, incident_id)
    timer = desk.session.get(Timer, (incident_id, kind))
    if incident is None or timer is None or timer.next_at > desk.now:
        return False
    desk.session.delete(timer)
    desk.session.flush()
    _KINDS[kind](desk, incident)
    return True


def _remind(desk: Desk, incident: Incident) -> None:
    community = desk.session.get_one(Community, incident.community_id)
    clocks = running(incident)
    if not clocks:
        return
    morning = out_of_quiet(desk.now, desk.quiet(community), desk.ground.zone)
    if morning > desk.now and not dangerous(incident):
        # Missed in the daytime, found in the night: the moment itself lies in the past, so the night's end is named.
        set_timer(desk.session, incident.ident, "remind", morning)
        return
    since = incident.reminded_at or incident.created_at
    missed = passed(clocks, since, desk.now, desk.calendar(community))
    if missed:
        _speak(desk, incident, community, missed)
        incident.reminded_at = desk.now
        desk.session.add(incident)
    schedule(desk, incident)


def _speak(desk: Desk, incident: Incident, community: Community, missed: list[Moment]) -> None:
    """However many steps were missed, each chat gets one reminder: the newest of the weightiest clock."""
    newest = max(missed, key=lambda moment: (moment.clock is Clock.REPAIR, moment.at))
    args = {"clock": str(newest.clock), "step": str(newest.step), "unit": incident.unit_id}
    with_unit = incident.status in (Status.DISPATCHED, Status.ACCEPTED)
    home = chats.chat_of_unit(desk.session, incident.unit_id) if with_unit and incident.unit_id else None
    home = home or chats.office_of(desk.session, community.ident)
    if home is not None:
        card = find_post(desk.session, subject(incident), home.chat_id, "card", incident.cards)
        # One tap on the reminder leads up to its card, however far that is by now.
        answers = card.message_ids[0] if card is not None and card.message_ids else None
        replace_post(desk, incident, "reminder", home, args=args, reply_to=answers)
    if with_unit and any(moment.step is not Step.SOON for moment in missed) and not incident.breached:
        incident.breached = True
        call_secretary(incident, "breached")
    if any(moment.step is Step.STREET for moment in missed):
        street = chats.street_of(desk.session, community)
        office = chats.office_of(desk.session, street.ident) if street else None
        if office is not None:
            replace_post(desk, incident, "reminder", office, args={**args, "street": True})
    # The cards count down too; this is when they are looked at.
    post_up(desk, incident)


def _refresh(desk: Desk, incident: Incident) -> None:
    """The minute for undoing is over: the button goes, and so does what was no report."""
    if incident.status == Status.VOID and incident.number is None:
        erase(desk, incident)
    post_up(desk, incident)


def _still_unanswered(desk: Desk, incident: Incident) -> None:
    if incident.status in OPEN:
        unanswered(desk, incident)


_KINDS: Mapping[str, Callable[[Desk, Incident], None]] = {
    "gather": gather_over,
    "answer": _still_unanswered,
    "refresh": _refresh,
    "remind": _remind,
}
