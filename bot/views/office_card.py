"""What the secretary sees of an incident: why she is needed, and what answers it with one tap."""

from collections.abc import Mapping

from bot.domain.acts import Act, Role, Status
from bot.domain.words import N_
from bot.views import keyboard
from bot.views.content import CAPTION, Content, Gone, Screen, Shape, visible
from bot.views.history import history_lines
from bot.views.pieces import (
    answers_counted,
    deadline_lines,
    facts,
    first_picture,
    headline,
    last_remark,
    pair_picture,
    refusals,
    status_line,
    unit_name,
)
from bot.views.sentences import reason_name
from storage.scenes import Scene
from storage.tables import Post

_NEEDS: Mapping[str, str] = {
    "approve": N_("Where should it go?"),
    "unknown": N_("What is it? Nobody has said."),
    "unrouted": N_("No unit is responsible for this. Where should it go?"),
    "returned": N_("{unit} says it is not theirs. Where should it go?"),
    "breached": N_("Past its limit."),
    "note": N_("{unit} writes:"),
    "check": N_("{unit} says it is done. Please check."),
    "reopen": N_("The reporter asks to reopen it."),
    "undelivered": N_("The card could not be delivered to {unit}."),
}


def office_card(screen: Screen, scene: Scene, post: Post) -> Shape:
    """Why the secretary is needed, with what is known and the one tap that answers."""
    incident = scene.incident
    forgotten = incident.status == Status.VOID and incident.number is None and not _recent(screen, scene)
    # What is on its way and needs nobody here any more leaves the office chat; what has ended stays as a record.
    on_its_way = incident.status in (Status.DISPATCHED, Status.ACCEPTED) and not incident.need
    if post.seq != incident.needs or forgotten or (on_its_way and not _recent(screen, scene)):
        return Gone(headline(screen, scene))
    menu = str(post.args.get("menu", ""))
    lines = [headline(screen, scene)]
    why = _why(screen, scene)
    if why:
        lines.append(f"<b>{why}</b>")
    if incident.need == "returned":
        lines.append(_given_reason(screen, scene))
    if incident.need == "breached":
        lines += deadline_lines(screen, scene)
    lines += facts(screen, scene)
    if incident.number is not None:
        lines.append(status_line(screen, scene))
    answers = _answer_line(screen, scene) if incident.status in (Status.RESOLVED, Status.CLOSED) else ""
    ending = [answers, refusals(screen, scene), last_remark(screen, scene)]
    if menu == "history":
        taken = sum(visible(each) + 1 for each in (*lines, *ending))
        lines += history_lines(screen, scene, room=CAPTION - taken)
    lines += ending
    pictures = pair_picture(scene) if incident.status in (Status.RESOLVED, Status.CLOSED) else first_picture(scene)
    rows = keyboard.office_rows(screen, scene, menu) if incident.need or _recent(screen, scene) else ()
    return Content("\n".join(filter(None, lines)), rows, pictures)


def _why(screen: Screen, scene: Scene) -> str:
    need = scene.incident.need
    if need not in _NEEDS:
        return ""
    unit = scene.unit.name if scene.unit else ""
    if need == "returned" and scene.incident.refused_by:
        unit = unit_name(scene, scene.incident.refused_by[-1])
    return screen.speech.say(_NEEDS[need], unit=unit)


def _given_reason(screen: Screen, scene: Scene) -> str:
    """Why the unit says that it is not theirs."""
    returned = next((event for event in reversed(scene.events) if event.act == Act.RETURN), None)
    return "↩ " + reason_name(screen.speech, returned.act, returned.reason) if returned else ""


def _answer_line(screen: Screen, scene: Scene) -> str:
    counts = answers_counted(screen, scene, named=True)
    return screen.speech.say(N_("In the group: {counts}"), counts=counts) if counts else ""


def _recent(screen: Screen, scene: Scene) -> bool:
    """Whether the secretary has just acted, so that undo and the menus stay at hand for a moment."""
    return bool(keyboard.undo_row(screen, scene, Role.SECRETARY))
