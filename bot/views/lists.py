"""Answers to commands: the queue, what was found, a person's own reports, the numbers of the month."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.acts import OPEN, REASONS, Act, Status
from bot.domain.metrics import Metrics, score
from bot.domain.words import N_
from bot.views.content import Button, Content, Screen, shorten
from bot.views.keyboard import STYLES, Row, pairs
from bot.views.presses import Press, pack
from bot.views.sentences import category_name, left, light, span, status_name
from storage.tables import Incident

PAGE = 8
WHERE = 60
"""Most of a place's name on a line of a list."""
HELD_PAGE = 20
"""Lines of a list that stands for a backlog: as many as a group may get cards in a minute."""


@dataclass(frozen=True)
class Line:
    """One incident in a list, with the names it needs."""

    incident: Incident
    unit: str = ""
    place: str = ""


def queue(screen: Screen, lines: Sequence[Line], total: int, page: int) -> Content:
    """Open incidents by urgency, a page of them; each number opens its card."""
    speech = screen.speech
    if not total:
        return Content(speech.say(N_("Nothing is open.")), silent=True)
    turn, pages = _turner(screen, "queue", page, (total - 1) // PAGE)
    head = speech.say(N_("<b>Open: {total}</b>"), total=total) + pages
    return Content("\n".join([head, *_told(screen, lines)]), (*_openers(lines), *turn), silent=True)


def found(screen: Screen, lines: Sequence[Line], text: str) -> Content:
    """What `/find` found, newest first."""
    speech = screen.speech
    if not text:
        return Content(speech.say(N_("Write what to look for after the command: /find noodles")), silent=True)
    if not lines:
        return Content(speech.say(N_("Nothing found for “{text}”."), text=text), silent=True)
    head = speech.say(N_("<b>Found for “{text}”</b>"), text=text)
    return Content("\n".join([head, *_told(screen, lines)]), tuple(_openers(lines)), silent=True)


def mine(screen: Screen, lines: Sequence[Line]) -> Content:
    """A shop owner's own reports."""
    speech = screen.speech
    if not lines:
        return Content(speech.say(N_("You have not reported anything yet. Post a photo in your group.")), silent=True)
    head = speech.say(N_("<b>Your reports</b>"))
    return Content("\n".join([head, *_told(screen, lines)]), tuple(_openers(lines)), silent=True)


HEADS = {
    "card": N_("<b>{total} new incidents.</b> Tap a number for its card."),
    "office": N_("<b>{total} incidents need you.</b> Tap a number for its card."),
    "line": N_("{total} more incidents were reported here and are on their way. /my shows your own."),
}


def waiting(screen: Screen, lines: Sequence[Line], total: int, page: int = 0, kind: str = "card") -> Content:
    """A chat's backlog as one message: more wait than may be sent in a minute. `lines` is a page of them.

    A group is told how many; whose they are is not for everybody to read.
    """
    head = screen.speech.say(HEADS[kind], total=total)
    if kind == "line":
        return Content(head, silent=True)
    turn, told = _turner(screen, "waiting", page, (total - 1) // HELD_PAGE)
    return Content("\n".join([head + told, *_told(screen, lines)]), (*_openers(lines), *turn))


@dataclass(frozen=True)
class Reported:
    """What one person reported within an hour. `name` is empty where nobody knows any more."""

    name: str
    count: int
    quota: int


def beyond(screen: Screen, reported: Reported, lines: Sequence[Line], total: int, page: int, menu: str = "") -> Content:
    """For the office: what somebody reported beyond the quota, to be looked at, let go or dismissed all at once."""
    speech = screen.speech
    head = speech.say(
        N_("<b>{name}</b> has reported {count} matters within an hour. Those past {quota} wait for you: {total}."),
        name=reported.name or speech.tell(N_("Somebody")),
        count=reported.count,
        quota=reported.quota,
        total=total,
    )
    turn, told = _turner(screen, "quota", page, (total - 1) // PAGE)
    if menu == Act.DISMISS:
        reasons = REASONS[Act.DISMISS].items()
        chosen = pairs(Button(speech.tell(text), pack(Press("all", 0, menu, key))) for key, text in reasons)
        rows = (*chosen, (Button(speech.tell(N_("← Back")), pack(Press("all", 0, "back"))),))
    else:
        labels = {Act.DISPATCH: N_("Dispatch all"), Act.DISMISS: N_("Dismiss all")}
        every = (
            Button(speech.tell(text), pack(Press("all", 0, str(act))), style=STYLES.get(act, ""))
            for act, text in labels.items()
        )
        rows = (*_openers(lines), *turn, tuple(every))
    return Content("\n".join([head + told, *_told(screen, lines)]), rows)


def _turner(screen: Screen, name: str, page: int, last: int) -> tuple[tuple[Row, ...], str]:
    """The row that turns the pages of a list, and what its headline says of them; nothing for a single page."""
    if not last:
        return (), ""
    turn = [("‹", page - 1)] if page > 0 else []
    turn += [("›", page + 1)] if page < last else []
    row = tuple(Button(sign, pack(Press("page", 0, name, str(to)))) for sign, to in turn)
    return (row,), screen.speech.say(N_(" · page {page} of {pages}"), page=page + 1, pages=last + 1)


@dataclass(frozen=True)
class Numbers:
    """What `/stats` says of the month so far."""

    month: str
    filed: int
    closed: int
    open: int
    overdue: int
    metrics: Metrics
    units: tuple[tuple[str, int, Metrics], ...] = ()
    """Name, incidents dispatched to it, its rates."""


def numbers(screen: Screen, figures: Numbers) -> Content:
    """The month in words; every rate keeps its two counts."""
    speech, metrics = screen.speech, figures.metrics
    lines = [
        speech.say(N_("<b>{month}</b>"), month=figures.month),
        speech.say(
            N_("Filed {filed} · closed {closed} · open now {open} · overdue {overdue}"),
            filed=figures.filed,
            closed=figures.closed,
            open=figures.open,
            overdue=figures.overdue,
        ),
    ]
    for label, rate in (
        (N_("Resolved rate"), metrics.resolved),
        (N_("On-time resolved"), metrics.resolved_on_time),
        (N_("Closed rate"), metrics.closed),
        (N_("Rework"), metrics.rework),
        (N_("Right first time"), metrics.right_first_time),
        (N_("Valid reports"), metrics.valid_reports),
    ):
        lines.append(
            speech.say(
                "{label} {rate} ({hits}/{of})", label=speech.tell(label), rate=rate.percent, hits=rate.hits, of=rate.of
            )
        )
    lines.append(speech.say(N_("(Rates count what fell due this month.)")))
    if metrics.parked:
        lines.append(speech.say(N_("Parked, left out: {parked}"), parked=metrics.parked))
    for name, count, unit in figures.units:
        points = score(unit)
        shown = "–" if points is None else f"{points:.0f}"
        lines.append(
            speech.say(
                N_("{name}: {count} · on time {rate} · score {score}"),
                name=name,
                count=count,
                rate=unit.resolved_on_time.percent,
                score=shown,
            )
        )
    return Content("\n".join(lines), silent=True)


def _told(screen: Screen, lines: Sequence[Line]) -> list[str]:
    return [f"{at}. {_line(screen, line)}" for at, line in enumerate(lines, 1)]


def _line(screen: Screen, line: Line) -> str:
    incident, speech = line.incident, screen.speech
    pieces = [f"{light(incident)} <b>{incident.number or '–'}</b> {category_name(speech, incident.category)}"]
    if line.place:
        pieces.append(speech.say("{place}", place=shorten(line.place, WHERE)))
    if line.unit:
        pieces.append(speech.say("{name}", name=line.unit))
    if incident.status == Status.CLOSED and incident.filed_at and incident.closed_at:
        pieces.append(
            speech.say(
                "{status}, took {span}",
                status=status_name(speech, incident.status),
                span=span(speech, (incident.resolved_at or incident.closed_at) - incident.filed_at),
            )
        )
    elif incident.status in OPEN and incident.repair_due and incident.status != Status.RESOLVED:
        pieces.append(left(speech, incident.repair_due, screen.now))
    else:
        pieces.append(status_name(speech, incident.status))
    return " · ".join(pieces)


def _openers(lines: Sequence[Line]) -> list[Row]:
    return pairs((Button(str(at), pack(Press("open", line.incident.ident))) for at, line in enumerate(lines, 1)), 4)
