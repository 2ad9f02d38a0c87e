"""What the district's group shows of an incident: a reaction, one line, and for the author alone a prompt."""

from bot.domain.acts import WITH_UNIT, Status
from bot.domain.words import N_
from bot.views import keyboard
from bot.views.content import Content, Gone, Reaction, Screen, Shape
from bot.views.pieces import (
    answers_counted,
    pair_picture,
)
from bot.views.sentences import category_name, clock_time, span, status_name
from storage.scenes import Scene
from storage.tables import Incident, Post


def reaction(screen: Screen, scene: Scene, post: Post) -> Shape:
    return eyes(scene.incident)


def eyes(incident: Incident) -> Reaction:
    """👀 seen, 👌 closed, nothing for what was no report."""
    if incident.status == Status.VOID and incident.number is None:
        return Reaction("")
    return Reaction("👌" if incident.status == Status.CLOSED else "👀")


def group_line(screen: Screen, scene: Scene, post: Post) -> Shape:
    """One line for the group, edited as things change; before and after once it is closed."""
    incident, speech = scene.incident, screen.speech
    if incident.status == Status.DRAFT:
        return Gone(incident.number or "")
    pieces = [f"<b>{incident.number}</b> {category_name(speech, incident.category)}"]
    rows = keyboard.group_rows(screen, scene)
    if incident.status == Status.CLOSED and incident.filed_at and incident.closed_at:
        taken = span(speech, (incident.resolved_at or incident.closed_at) - incident.filed_at)
        pieces.append(speech.say("{status}, took {span}", status=status_name(speech, incident.status), span=taken))
        return Content(" · ".join(pieces), rows, pair_picture(scene), silent=True)
    if scene.unit is not None and incident.status in WITH_UNIT:
        pieces.append(speech.say("{name}", name=scene.unit.name))
    pieces.append(status_name(speech, incident.status))
    at_work = incident.status in (Status.DISPATCHED, Status.ACCEPTED)
    if at_work and incident.repair_due and incident.repair_due < screen.now:
        pieces.append(speech.tell(N_("past its time")))
    elif at_work and incident.repair_due:
        pieces.append(
            speech.say("to be fixed by {time}", time=clock_time(incident.repair_due, screen.now, screen.zone))
        )
    text = " · ".join(pieces)
    if incident.status == Status.RESOLVED:
        text += "\n" + speech.say("The unit says it is done. How does it look?") + _answers(screen, scene)
    return Content(text, rows, silent=True)


def prompt(screen: Screen, scene: Scene, post: Post) -> Shape:
    """For the author alone: what is it?"""
    incident, speech = scene.incident, screen.speech
    rows = keyboard.reporter_rows(screen, scene, str(post.args.get("menu", "")))
    if incident.status == Status.DRAFT:
        if incident.need == "unknown":
            return Gone(speech.tell(N_("The secretary is looking at it.")))
        return Content(speech.say(N_("Got it. What is it? One tap is enough.")), rows, silent=True)
    if not rows:
        return Gone("·")
    if incident.status == Status.VOID:
        return Content(speech.say(N_("Not a report, then. Nothing is kept.")), rows, silent=True)
    return Content(
        speech.say(
            N_("Thank you. {number} {category} is on its way."),
            number=incident.number,
            category=category_name(speech, incident.category),
        ),
        rows,
        silent=True,
    )


def _answers(screen: Screen, scene: Scene) -> str:
    counts = answers_counted(screen, scene)
    return f"\n{counts}" if counts else ""
