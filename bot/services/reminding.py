"""What happens when an incident's moment has come: gathering ends, a limit nears or passes, a minute's undo ends."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from bot.domain.acts import OPEN, Status
from bot.domain.deadlines import Clock, Running
from bot.domain.ladder import Moment, Step, passed
from bot.services import quota
from bot.services.desk import Desk
from bot.services.drafting import erase, gather_over, unanswered
from bot.services.effects import call_secretary
from bot.services.holding import remind_by_list
from bot.services.lifecycle import late, may_remind, running, schedule
from bot.services.posting import post_up, replace_post, subject, waits
from bot.services.releasing import go
from storage import chats
from storage.incidents import lock
from storage.posts import find_post, reminders_told, standing_posts
from storage.quotas import GO
from storage.tables import Community, Incident, Post, Timer
from storage.timers import set_timer
from storage.types import stamp

REMEMBERED = 20
"""Reminders of an incident that are asked what they have told: three clocks run at most, and each tells the newest."""
SOON_GONE = timedelta(seconds=1)


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
    morning = may_remind(desk, incident, clocks[0].clock, desk.now)
    if morning > desk.now:
        # Missed in the daytime, found in the night: the moment itself lies in the past, so the night's end is named.
        set_timer(desk.session, incident.ident, "remind", morning)
        return
    since = incident.reminded_at or incident.created_at
    missed = passed(clocks, since, desk.now, desk.calendar(community))
    untold = _untold(desk, incident, missed, clocks)
    if late(incident, desk.now) and not incident.breached:
        incident.breached = True
        call_secretary(incident, "breached")
        post_up(desk, incident)
    if untold:
        _speak(desk, incident, community, untold, clocks)
    if missed:
        incident.reminded_at = desk.now
    desk.session.add(incident)
    schedule(desk, incident)


def _untold(desk: Desk, incident: Incident, missed: list[Moment], clocks: list[Running]) -> list[Moment]:
    """Those of the steps that no reminder has covered: a clock that was set back comes by the same moment twice."""
    if not missed:
        return []
    told: dict[str, int] = {}
    for args in reminders_told(desk.session, incident.ident, REMEMBERED):
        for clock, at in dict(args.get("told", {})).items():
            told[clock] = max(told.get(clock, at), at)
    names = {running.clock: _name(running) for running in clocks}
    return [step for step in missed if stamp(step.at) > told.get(names[step.clock], 0)]


def _name(running: Running) -> str:
    """The clock and its limit: set to work again, the unit has another limit and hears all its steps anew."""
    return f"{running.clock} {stamp(running.due)}"


def _speak(desk: Desk, incident: Incident, community: Community, missed: list[Moment], clocks: list[Running]) -> None:
    """However many steps were missed, each chat gets one reminder: the newest of the weightiest clock."""
    if waits(incident):
        quota.remind(desk, incident)
        return
    newest = max(missed, key=lambda moment: (moment.clock is Clock.REPAIR, moment.at))
    told = {
        _name(each): max((stamp(step.at) for step in missed if step.clock is each.clock), default=0) for each in clocks
    }
    args = {"clock": str(newest.clock), "step": str(newest.step), "unit": incident.unit_id, "told": told}
    with_unit = incident.status in (Status.DISPATCHED, Status.ACCEPTED)
    home = chats.chat_of_unit(desk.session, incident.unit_id) if with_unit and incident.unit_id else None
    home = home or chats.office_of(desk.session, community.ident)
    if home is not None and not remind_by_list(desk, incident, home):
        card = find_post(desk.session, subject(incident), home.chat_id, "card", incident.cards)
        # One tap on the reminder leads up to its card, however far that is by now.
        answers = card.message_ids[0] if card is not None and card.message_ids else None
        replace_post(desk, incident, "reminder", home, args=args, reply_to=answers)
    if any(moment.step is Step.STREET for moment in missed):
        street = chats.street_of(desk.session, community)
        office = chats.office_of(desk.session, street.ident) if street else None
        if office is not None:
            replace_post(desk, incident, "reminder", office, args={**args, "street": True})
    # The cards count down too; this is when they are looked at.
    post_up(desk, incident)


def waits_until(desk: Desk, post: Post) -> datetime:
    """Now, or when a reminder may first be sent: it was decided on hours ago, perhaps, and it is night by now; or the
    one before it still stands there, because taking it away has failed so far."""
    incident = desk.session.get(Incident, post.incident_id) if post.incident_id is not None else None
    if incident is None:
        return desk.now
    earlier = standing_posts(desk.session, post.subject, post.chat_id, post.kind)
    leaving = [each for each in earlier if each.seq < post.seq and each.message_ids and each.due_at is not None]
    if leaving:
        return max(desk.now, *(each.due_at for each in leaving if each.due_at)) + SOON_GONE
    return may_remind(desk, incident, Clock(str(post.args.get("clock", "repair"))), desk.now)


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
    GO: go,
}
