"""One line that a limit nears or has passed; the next one takes its place."""

from collections.abc import Mapping
from datetime import timedelta

from bot.domain.acts import Status
from bot.domain.deadlines import Clock
from bot.domain.words import N_
from bot.views.content import Content, Gone, Screen, Shape
from bot.views.pieces import headline
from bot.views.sentences import category_name, span
from storage.scenes import Scene
from storage.tables import Post

_REMINDERS: Mapping[Clock, tuple[str, str]] = {
    Clock.ACCEPT: (
        N_("{number} {category}: {span} left to accept it."),
        N_("{number} {category} has waited {span} too long to be accepted."),
    ),
    Clock.SAFE: (
        N_("{number} {category}: {span} left to make the place safe."),
        N_("{number} {category}: the place should have been made safe {span} ago."),
    ),
    Clock.REPAIR: (
        N_("{number} {category}: {span} left to fix it."),
        N_("{number} {category}: {span} over its time."),
    ),
    Clock.VERIFY: (
        N_("{number} {category}: done, says the unit. {span} left to check it."),
        N_("{number} {category}: done, says the unit. It has waited {span} too long to be checked."),
    ),
}


def reminder(screen: Screen, scene: Scene, post: Post) -> Shape:
    """One line: which limit, and how much is left or how late it is; gone as soon as its clock has stopped."""
    incident, speech = scene.incident, screen.speech
    clock = Clock(str(post.args.get("clock", "repair")))
    due = {
        Clock.ACCEPT: incident.accept_due,
        Clock.SAFE: None if incident.safe_at else incident.safe_due,
        Clock.REPAIR: incident.repair_due,
        Clock.VERIFY: incident.verify_due,
    }[clock]
    moved = post.args.get("unit", incident.unit_id) != incident.unit_id
    if due is None or moved or not post.args.get("newest", True) or not _still(clock, Status(incident.status)):
        return Gone(headline(screen, scene))
    values = {"number": incident.number, "category": category_name(speech, incident.category)}
    ahead = due > screen.now
    # Rounded up while there is time left: a reminder that leaves a second late still says half an hour.
    amount = span(speech, due - screen.now + timedelta(seconds=59) if ahead else screen.now - due)
    text = speech.say(_REMINDERS[clock][0 if ahead else 1], span=amount, **values)
    if incident.status == Status.DRAFT:
        waited = span(speech, screen.now - incident.created_at)
        text = speech.say(N_("A new report has waited {span} to be sorted."), span=waited)
    if post.args.get("street"):
        text = speech.say(
            N_("{community}: {unit} has not finished this in twice its time."),
            community=scene.community.name,
            unit=scene.unit.name if scene.unit else "–",
        ) + ("\n" + text)
    return Content(text)


def _still(clock: Clock, status: Status) -> bool:
    running = {
        Clock.ACCEPT: (Status.FILED, Status.DISPATCHED),
        Clock.SAFE: (Status.DISPATCHED, Status.ACCEPTED),
        Clock.REPAIR: (Status.DISPATCHED, Status.ACCEPTED),
        Clock.VERIFY: (Status.DRAFT, Status.RESOLVED),
    }
    return status in running[clock]
