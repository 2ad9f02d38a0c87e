"""Answers to commands: the queue, what was found, a person's own reports, the numbers of the month."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.acts import OPEN, Status
from bot.domain.metrics import Metrics, score
from bot.domain.words import N_
from bot.views.content import Button, Content, Screen
from bot.views.keyboard import Row, pairs
from bot.views.presses import Press, pack
from bot.views.sentences import category_name, left, light, span, status_name
from storage.tables import Incident

PAGE = 8


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
    last = (total - 1) // PAGE
    head = speech.say(N_("<b>Open: {total}</b>"), total=total)
    if last:
        head += speech.say(N_(" · page {page} of {pages}"), page=page + 1, pages=last + 1)
    turn = []
    if page > 0:
        turn.append(Button("‹", pack(Press("page", 0, "queue", str(page - 1)))))
    if page < last:
        turn.append(Button("›", pack(Press("page", 0, "queue", str(page + 1)))))
    rows = (*_openers(lines), *((tuple(turn),) if turn else ()))
    return Content("\n".join([head, *_told(screen, lines)]), rows, silent=True)


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


def waiting(screen: Screen, lines: Sequence[Line], total: int) -> Content:
    """A unit's backlog as one message: more cards wait than may be sent in a minute."""
    head = screen.speech.say(N_("<b>{total} new incidents.</b> Tap a number for its card."), total=total)
    return Content("\n".join([head, *_told(screen, lines)]), tuple(_openers(lines)))


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
        pieces.append(speech.say("{place}", place=line.place))
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
