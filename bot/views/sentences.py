"""Small pieces that many views say: a category's name, a status, a moment, a span of time, an entry of the history."""

from collections.abc import Collection
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.acts import ACTS, ANSWERS, REASONS, STATUS_NAMES, Act, Role, Status
from bot.domain.categories import CATEGORIES
from bot.domain.words import N_
from bot.speech import Speech
from storage.scenes import Scene
from storage.tables import Event, Incident

LIGHTS = {
    Status.DRAFT: "⚪",
    Status.FILED: "⚪",
    Status.DISPATCHED: "🔴",
    Status.ACCEPTED: "🟠",
    Status.RESOLVED: "🟡",
    Status.CLOSED: "🟢",
}


def light(incident: Incident) -> str:
    """One coloured dot: red nobody has it in hand, orange in hand, yellow to be checked, green closed."""
    return LIGHTS.get(Status(incident.status), "⚫")


def category_name(speech: Speech, key: str) -> str:
    category = CATEGORIES.get(key)
    if category is None:
        return speech.tell(N_("not yet known"))
    return category.name_zh if speech.language == "zh" else category.name_en


def status_name(speech: Speech, status: str) -> str:
    return speech.tell(STATUS_NAMES[Status(status)])


def reason_name(speech: Speech, act: str, reason: str) -> str:
    known = REASONS.get(Act(act), {}) if act in set(Act) else {}
    return speech.tell(known[reason]) if reason in known else reason


def clock_time(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """`20:02` today, `11-24 08:30` on another day."""
    local = at.astimezone(zone)
    return local.strftime("%H:%M" if local.date() == now.astimezone(zone).date() else "%m-%d %H:%M")


def span(speech: Speech, length: timedelta) -> str:
    """`5 h 58 min`; the two largest of days, hours, minutes."""
    minutes = max(int(length.total_seconds() // 60), 0)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if days:
        return (
            speech.tell("{days} d {hours} h", days=days, hours=hours) if hours else speech.tell("{days} d", days=days)
        )
    if hours:
        return (
            speech.tell("{hours} h {minutes} min", hours=hours, minutes=minutes)
            if minutes
            else speech.tell("{hours} h", hours=hours)
        )
    return speech.tell("{minutes} min", minutes=minutes) if minutes else speech.tell("under a minute")


def left(speech: Speech, due: datetime, now: datetime) -> str:
    """`5 h 58 min left` or `2 h overdue`."""
    if due >= now:
        # Rounded up, so that six hours just given read as six.
        return speech.tell("{span} left", span=span(speech, due - now + timedelta(seconds=59)))
    return speech.tell("{span} overdue", span=span(speech, now - due))


def where(speech: Speech, scene: Scene) -> str:
    """District, shop and address, named place: what of it is known, as plain text."""
    shop = scene.incident.shop
    if shop and scene.incident.address:
        shop = speech.tell("{shop}, {address}", shop=shop, address=scene.incident.address)
    return " · ".join(filter(None, (scene.district.name if scene.district else "", shop, scene.incident.place)))


def hidden_from(held: Collection[str]) -> frozenset[str]:
    """The roles whose people are not named to somebody who holds the roles `held`: shops are never named to
    strangers, the people of a unit only to their own and to the office."""
    if Role.SECRETARY in held:
        return frozenset()
    shops = frozenset({str(Role.REPORTER), str(Role.MERCHANT)})
    return shops if Role.UNIT in held or Role.STREET in held else shops | {str(Role.UNIT)}


def role_name(speech: Speech, role: str) -> str:
    """People by what they are."""
    names = {
        "secretary": N_("secretary"),
        "reporter": N_("reporter"),
        "merchant": N_("a merchant"),
        "unit": N_("unit"),
        "street": N_("street office"),
    }
    return speech.tell(names.get(role, names["street"]))


def actor_name(speech: Speech, event: Event, hide: Collection[str] = ()) -> str:
    if event.actor_id == 0:
        return speech.tell(N_("the relay"))
    if event.role in hide:
        return role_name(speech, event.role)
    if event.actor:
        return event.actor
    return speech.tell(N_("the unit") if event.role == Role.UNIT else N_("somebody"))


def act_told(speech: Speech, event: Event, now: datetime, zone: ZoneInfo, hide: Collection[str] = ()) -> str:
    """`林书记 15:40 已确认结案`: who did what, when, and why; plain text. People in the roles `hide` go unnamed."""
    what = event.what
    if event.act == Act.FILE:
        what = category_name(speech, what)
    elif event.act == Act.SAY_FIXED and what in ANSWERS:
        what = speech.tell(ANSWERS[what])
    done = _done(speech, event, what)
    told = speech.tell(
        "{time} {who} {done}",
        time=clock_time(event.at, now, zone),
        who=actor_name(speech, event, hide),
        done=done,
    )
    if not event.reason or event.act == Act.COMMENT:
        return told
    return speech.tell("{told} ({reason})", told=told, reason=reason_name(speech, event.act, event.reason))


def _done(speech: Speech, event: Event, what: str) -> str:
    if event.act == "caught":
        return speech.tell(N_("reported it"))
    if event.act == "edited":
        return speech.tell(N_("changed the words"))
    if event.act == Act.COMMENT and event.reason == "place":
        return speech.tell(N_("added a place"))
    if event.act == Act.COMMENT:
        return speech.tell(N_("wrote: {what}"), what=what) if what else speech.tell(N_("added a picture"))
    done = speech.tell(ACTS[Act(event.act)].done, what=what)
    if event.act == Act.RESOLVE and what:
        return speech.tell("{done}: {what}", done=done, what=what)
    return done
