"""The lines that cards are made of: headline, facts, limits, status, remarks, pictures."""

from collections.abc import Collection
from datetime import datetime

from bot.domain.acts import ANSWERS, Act, Status
from bot.domain.words import N_
from bot.views.content import SHOWN, Button, Screen, shorten
from bot.views.sentences import category_name, clock_time, left, light, reason_name, role_name, span, status_name, where
from storage.scenes import Scene

WORDS = 300
"""Most of the reporter's words on a card; the whole stands in the history."""
WHERE = 200
"""Most of a place's name: with it and the words a card is no longer than a picture's caption may be."""


def headline(screen: Screen, scene: Scene) -> str:
    incident = scene.incident
    if incident.number is None:
        return f"{light(incident)} <b>" + screen.speech.tell(N_("New, not yet sorted")) + "</b>"
    return f"{light(incident)} <b>{incident.number}</b> {category_name(screen.speech, incident.category)}"


def facts(screen: Screen, scene: Scene) -> list[str]:
    speech, found = screen.speech, []
    place = where(speech, scene)
    if place:
        found.append("📍 " + speech.say("{place}", place=shorten(place, WHERE)))
    if scene.words:
        found.append("💬 " + speech.say("“{words}”", words=shorten(scene.words, WORDS)))
    if scene.pictures > SHOWN:
        found.append("📷 " + speech.say(N_("{count} pictures"), count=scene.pictures))
    if any(part.unreadable for part in scene.parts):
        found.append(speech.say(N_("A picture could not be read; the original is in the group.")))
    return found


def deadline_lines(screen: Screen, scene: Scene) -> list[str]:
    incident, speech = scene.incident, screen.speech
    if incident.status not in (Status.DISPATCHED, Status.ACCEPTED) or incident.repair_due is None:
        return []

    def at(label: str, due: datetime) -> str:
        told = speech.tell(label) + " " + clock_time(due, screen.now, screen.zone)
        return speech.tell("{limit} (over)", limit=told) if due < screen.now else told

    pieces = []
    if incident.status == Status.DISPATCHED and incident.accept_due:
        pieces.append(at(N_("accept"), incident.accept_due))
    if incident.safe_due and not incident.safe_at:
        pieces.append(at(N_("make safe"), incident.safe_due))
    pieces.append(at(N_("repair"), incident.repair_due))
    return ["⏱ " + " · ".join(pieces) + speech.say(" ({left})", left=left(speech, incident.repair_due, screen.now))]


def status_line(screen: Screen, scene: Scene) -> str:
    incident, speech = scene.incident, screen.speech
    pieces = [status_name(speech, incident.status)]
    if scene.unit is not None:
        pieces.append(speech.say("{name}", name=scene.unit.name))
    if incident.safe_at is not None and incident.status == Status.ACCEPTED:
        pieces.append(speech.say("made safe {time}", time=clock_time(incident.safe_at, screen.now, screen.zone)))
    if incident.filed_at and incident.resolved_at and incident.status in (Status.RESOLVED, Status.CLOSED):
        pieces.append(speech.say("took {span}", span=span(speech, incident.resolved_at - incident.filed_at)))
    return speech.say("Status: ") + " · ".join(pieces)


def sent_back(screen: Screen, scene: Scene) -> list[str]:
    """A unit that must work again is told why."""
    back = next((event for event in reversed(scene.events) if event.act in (Act.SEND_BACK, Act.REOPEN)), None)
    if back is None or scene.incident.rework + scene.incident.reopened == 0:
        return []
    if back.act == Act.REOPEN:
        return ["↩ " + screen.speech.say(N_("Reopened by the secretary."))]
    reason = reason_name(screen.speech, back.act, back.reason)
    return ["↩ " + screen.speech.say(N_("Sent back: {reason}"), reason=reason)]


def last_remark(screen: Screen, scene: Scene, without: Collection[str] = ()) -> str:
    """The newest words somebody added, those of the roles `without` left out."""
    spoken = (event for event in reversed(scene.events) if event.act in (Act.COMMENT, Act.RESOLVE) and event.what)
    remark = next((event for event in spoken if event.role not in without), None)
    if remark is None:
        return ""
    who = scene.unit.name if remark.role == "unit" and scene.unit else role_name(screen.speech, remark.role)
    return "✎ " + screen.speech.say("{who}: {words}", who=who, words=shorten(remark.what, WORDS // 2))


def answers_counted(screen: Screen, scene: Scene, named: bool = False) -> str:
    """How many said what; `named`: and what the reporter said, whose word weighs most."""
    given = [answer.answer for answer in scene.answers if answer.round == scene.incident.round]
    say = screen.speech.say
    counted = [
        say("{answer} {count}", answer=screen.speech.tell(text), count=given.count(key))
        for key, text in ANSWERS.items()
        if key in given
    ]
    mine = (each for each in scene.answers if each.user_id == scene.incident.reporter_id)
    own = next((each for each in mine if each.round == scene.incident.round), None)
    if named and own is not None:
        counted.append(say("the reporter: {answer}", answer=screen.speech.tell(ANSWERS[own.answer])))
    return " · ".join(counted)


def refusals(screen: Screen, scene: Scene) -> str:
    speech = screen.speech
    names = speech.tell(", ").join(unit_name(scene, unit_id) for unit_id in scene.incident.refused_by)
    return speech.say(N_("Not theirs, they said: {names}"), names=names) if names else ""


def unit_name(scene: Scene, unit_id: int) -> str:
    return next((unit.name for unit in scene.units if unit.id == unit_id), "–")


def first_picture(scene: Scene) -> tuple[str, ...]:
    part = next((part for part in scene.reports if not part.unreadable), None)
    return (f"part:{part.id}",) if part else ()


def pair_picture(scene: Scene) -> tuple[str, ...]:
    """Before and after side by side; only one of them where there is only one."""
    before = next((part for part in scene.reports if not part.unreadable), None)
    after = next((part for part in reversed(scene.afters) if not part.unreadable), None)
    if before and after:
        return (f"pair:{before.id}:{after.id}",)
    single = after or before
    return (f"part:{single.id}",) if single else ()


def map_row(screen: Screen, scene: Scene) -> tuple[tuple[Button, ...], ...]:
    incident = scene.incident
    if incident.latitude is None or incident.longitude is None:
        return ()
    lat, lon = f"{incident.latitude:.6f}", f"{incident.longitude:.6f}"
    # Chinese readers open a Chinese map; it is told that the point is GPS, or it would be off by 500 metres.
    url = (
        f"https://uri.amap.com/marker?position={lon},{lat}&coordinate=wgs84"
        if screen.speech.language == "zh"
        else f"https://www.openstreetmap.org/?mlat={lat}&mlon={lon}#map=18/{lat}/{lon}"
    )
    return ((Button("🗺 " + screen.speech.tell(N_("Map")), url=url),),)
