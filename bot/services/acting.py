"""What happens when somebody presses or says an act: may they, what does it need, what are they told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from bot.domain.acts import ACTS, ANSWERS, LATER, REASONS, UNDO_SECONDS, Act, Role, Status
from bot.domain.categories import CATEGORIES
from bot.domain.rights import Actor, Refusal, may, may_as, roles
from bot.services import filing, splitting
from bot.services.desk import Desk
from bot.services.drafting import ANSWER_WITHIN
from bot.services.effects import Step
from bot.services.lifecycle import carry_out, matter_before, restore
from bot.services.posting import post_up
from bot.speech import Speech
from bot.views.presses import number
from bot.views.sentences import act_told, hidden_from, status_name
from storage.events import last_time, latest_events
from storage.incidents import after_pictures, lock
from storage.tables import Answer, Community, Event, Incident, Unit
from storage.timers import set_timer

QUIET = (str(Act.COMMENT), str(Act.SAY_FIXED), "edited", "caught")
"""Entries of the history that change nothing."""


@dataclass(frozen=True)
class Told:
    """One line back to the person who pressed; `alert` where it must be read. `menu` opens choices on the card."""

    text: str = ""
    alert: bool = False
    menu: str = ""


Special = Callable[[Desk, Actor, Role, Incident, str, Speech], Told]


def act(desk: Desk, actor: Actor, incident_id: int, wanted: Act, choice: str, speech: Speech) -> Told:
    """Do `wanted` to the incident for `actor`. `choice` is a category, unit, reason or answer where the act takes one.

    Nothing changes unless the table of acts and the person's roles allow it now.
    """
    incident = lock(desk.session, incident_id)
    if incident is None:
        return Told(speech.tell("That incident does not exist any more."))
    if wanted in LATER or wanted is Act.COMMENT:
        # No button of ours says so: words are said, and these acts come with a later version.
        return Told(speech.tell("This button is out of date."), alert=True)
    if wanted is Act.UNDO:
        return _undo(desk, actor, incident, speech)
    refusal = may(actor, wanted, incident.matter, desk.now)
    if refusal is not None:
        return Told(refused(desk, actor, incident, refusal, speech), alert=True)
    rule = ACTS[wanted]
    role = _acting_role(actor, incident, wanted)
    if rule.reason and choice not in REASONS[wanted]:
        return Told(menu=str(wanted))
    special = _SPECIAL.get(wanted)
    if special is not None:
        return special(desk, actor, role, incident, choice, speech)
    carry_out(desk, incident, Step(wanted, actor, role, reason=choice if rule.reason else ""))
    return Told(speech.tell("Done: {act}.", act=speech.tell(rule.label)))


def refused(desk: Desk, actor: Actor, incident: Incident, refusal: Refusal, speech: Speech) -> str:
    """Why not, in one line: who was faster, or that it is not theirs to do."""
    if refusal is Refusal.NOT_YOURS:
        return speech.tell("This is not yours to do.")
    last = last_event(desk, incident)
    if last is None:
        return speech.tell("Too late: it is {status} now.", status=status_name(speech, incident.status))
    return speech.tell(
        "A little late: {told}.",
        told=act_told(speech, last, desk.now, desk.ground.zone, hidden_from(roles(actor, incident.matter))),
    )


def last_event(desk: Desk, incident: Incident) -> Event | None:
    """The last thing that changed the incident; remarks and answers do not count."""
    return next(iter(latest_events(desk.session, incident.ident, QUIET, 1)), None)


def _acting_role(actor: Actor, incident: Incident, wanted: Act) -> Role:
    """The role in which the person does it: where several fit, the one nearest to the work."""
    held = roles(actor, incident.matter) & ACTS[wanted].roles
    return next(role for role in (Role.UNIT, Role.SECRETARY, Role.REPORTER, Role.MERCHANT, Role.STREET) if role in held)


def _file(desk: Desk, actor: Actor, role: Role, incident: Incident, choice: str, speech: Speech) -> Told:
    if choice not in CATEGORIES:
        return Told(menu="file")
    filing.file(desk, incident, choice, actor, role)
    if role is Role.SECRETARY:
        return Told(speech.tell("Filed as {number}.", number=incident.number))
    return Told(speech.tell("Thank you. It is {number} now.", number=incident.number))


def _send(wanted: Act, desk: Desk, actor: Actor, role: Role, incident: Incident, choice: str, speech: Speech) -> Told:
    unit_id = number(choice)
    unit = desk.session.get(Unit, unit_id) if unit_id is not None else None
    if unit is None or unit.community_id != incident.community_id or not unit.active:
        return Told(menu=str(wanted))
    if wanted is Act.REASSIGN and unit.id == incident.unit_id:
        return Told(speech.tell("It is with {unit} already.", unit=unit.name), alert=True)
    carry_out(desk, incident, Step(wanted, actor, role, what=unit.name, unit=unit))
    return Told(speech.tell("Sent to {unit}.", unit=unit.name))


def _resolve(desk: Desk, actor: Actor, role: Role, incident: Incident, choice: str, speech: Speech) -> Told:
    community = desk.session.get_one(Community, incident.community_id)
    if community.proof == "required" and not fresh_proof(desk, incident):
        return Told(
            speech.tell("Please reply to this card with a photo of the finished work. That counts as done."), alert=True
        )
    carry_out(desk, incident, Step(Act.RESOLVE, actor, role))
    return Told(speech.tell("Thank you. The secretary will check it."))


def fresh_proof(desk: Desk, incident: Incident) -> bool:
    """Whether an after-photo has come since the unit was last set to work."""
    since = last_time(desk.session, incident.ident, ("dispatch", "reassign", "send_back", "reopen"))
    return bool(after_pictures(desk.session, incident.ident, since or incident.created_at))


def _say_fixed(desk: Desk, actor: Actor, role: Role, incident: Incident, choice: str, speech: Speech) -> Told:
    if choice not in ANSWERS:
        return Told(speech.tell("This button is out of date."), alert=True)
    key = (incident.id, actor.user_id, incident.round)
    known = desk.session.get(Answer, key)
    if known is not None and known.answer == choice:
        return Told(speech.tell("Noted already, thank you."))
    desk.session.merge(
        Answer(incident_id=incident.ident, user_id=actor.user_id, round=incident.round, answer=choice, at=desk.now)
    )
    carry_out(desk, incident, Step(Act.SAY_FIXED, actor, role, what=choice))
    return Told(speech.tell("Thank you, the secretary sees it."))


def _split(desk: Desk, actor: Actor, role: Role, incident: Incident, choice: str, speech: Speech) -> Told:
    fresh = splitting.split(desk, incident)
    if fresh is None:
        return Told(speech.tell("There is only one picture in it."), alert=True)
    carry_out(desk, incident, Step(Act.SPLIT, actor, role, what=fresh.number or ""))
    return Told(speech.tell("Split: the last picture is a matter of its own now."))


def _ask_reopen(desk: Desk, actor: Actor, role: Role, incident: Incident, choice: str, speech: Speech) -> Told:
    if incident.need == "reopen":
        return Told(speech.tell("Noted already, thank you."))
    carry_out(desk, incident, Step(Act.ASK_REOPEN, actor, role))
    return Told(speech.tell("Thank you, the secretary sees it."))


def _undo(desk: Desk, actor: Actor, incident: Incident, speech: Speech) -> Told:
    event = undoable(desk, incident, actor)
    if event is None:
        return Told(speech.tell("Too late to undo: a step can be taken back for a minute, by whoever took it."), True)
    restore(desk, incident, event, actor)
    if event.act == Act.RESOLVE:
        _withdraw_proof(desk, incident, event)
    if incident.status == Status.DRAFT:
        set_timer(desk.session, incident.ident, "answer", desk.now + ANSWER_WITHIN)
    return Told(speech.tell("Taken back."))


def _withdraw_proof(desk: Desk, incident: Incident, event: Event) -> None:
    """The picture that had resolved it by mistake proves nothing any more; it stays in the history."""
    for part in after_pictures(desk.session, incident.ident, event.at):
        part.role = "remark"
        desk.session.add(part)
    post_up(desk, incident)


def undoable(desk: Desk, incident: Incident, actor: Actor) -> Event | None:
    """The person's own last step, while it is at most a minute old and nobody but the bot has acted since, and they
    still hold the role in which they took it."""
    recent = latest_events(desk.session, incident.ident, QUIET, 3)
    event = next((event for event in recent if event.actor_id != 0), None)
    if event is None or event.actor_id != actor.user_id or not event.undo:
        return None
    if abs(desk.now - event.at) > timedelta(seconds=UNDO_SECONDS):
        return None
    then = matter_before(incident, event)
    return event if may_as(actor, Role(event.role), Act.UNDO, then, desk.now) is None else None


_SPECIAL: Mapping[Act, Special] = {
    Act.FILE: _file,
    Act.DISPATCH: partial(_send, Act.DISPATCH),
    Act.REASSIGN: partial(_send, Act.REASSIGN),
    Act.RESOLVE: _resolve,
    Act.SAY_FIXED: _say_fixed,
    Act.SPLIT: _split,
    Act.ASK_REOPEN: _ask_reopen,
}
