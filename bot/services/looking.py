"""What people ask to see: the queue, a search, one incident, the numbers; each sees what is theirs to see."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.domain.categories import CATEGORIES
from bot.domain.rights import Actor
from bot.services.desk import Desk
from bot.services.people import matter
from bot.services.posting import add_post, replace_post, subject
from bot.views.lists import PAGE, Line
from storage import chats, incidents
from storage.posts import held_cards, held_posts, latest_seq
from storage.store import stir
from storage.tables import Binding, Community, District, Incident, Unit

FOUND = 8


@dataclass(frozen=True)
class Scope:
    """What may be looked at from here: whole communities, or only what one unit has."""

    communities: tuple[int, ...]
    unit: int | None = None
    role: str = "office"

    def as_args(self) -> dict[str, Any]:
        return {"communities": list(self.communities), "unit": self.unit}


def scope(desk: Desk, actor: Actor, binding: Binding | None) -> Scope | None:
    """The office sees its community (a street those below it), a unit's chat what the unit has; others nothing."""
    if binding is not None and binding.role == "unit":
        return Scope((binding.community_id,), binding.unit_id, "unit")
    if binding is not None and binding.role == "office":
        return Scope(_with_children(desk, (binding.community_id,)))
    if binding is None:
        own = tuple(chats.secretary_in(desk.session, actor.user_id))
        return Scope(_with_children(desk, own)) if own else None
    return None


def _own_office(binding: Binding | None, incident: Incident) -> bool:
    return binding is not None and binding.community_id == incident.community_id


def _with_children(desk: Desk, communities: tuple[int, ...]) -> tuple[int, ...]:
    found = list(communities)
    for key in communities:
        community = desk.session.get_one(Community, key)
        found += [child.ident for child in chats.children_of(desk.session, community)]
    return tuple(dict.fromkeys(found))


def visible(desk: Desk, actor: Actor, binding: Binding | None, incident: Incident) -> str:
    """The role in which the incident may be looked at here; empty: not at all."""
    seen = scope(desk, actor, binding)
    if seen is not None and incident.community_id in seen.communities:
        if seen.unit is not None:
            return seen.role if seen.unit == incident.unit_id else ""
        return "office" if actor.secretary_of(incident.community_id) or _own_office(binding, incident) else "street"
    if actor.user_id in matter(incident).reporters:
        return "reporter"
    if binding is not None and binding.role == "district" and binding.district_id == incident.district_id:
        return "merchant"
    return ""


NUMBER = re.compile(r"^(?:([A-Z]{1,4})-?)?(?:(\d{4})-)?0*(\d{1,7})$")


def by_name(desk: Desk, actor: Actor, text: str, binding: Binding | None) -> Incident | None:
    """`SD-2026-0042`, or short: `42`, `2026-42` where it is clear which community is meant."""
    wanted = NUMBER.match(text.strip().upper())
    if wanted is None:
        return None
    prefix, year, number = wanted.groups()
    if prefix is None:
        own = [binding.community_id] if binding is not None else list(chats.secretary_in(desk.session, actor.user_id))
        prefix = desk.session.get_one(Community, own[0]).prefix if len(own) == 1 else None
    if prefix is None:
        return None
    if year is None:
        # In January people still speak of last year's: the newest of that number.
        return incidents.newest_numbered(desk.session, f"{prefix}-", f"-{int(number):04d}")
    return incidents.by_number(desk.session, f"{prefix}-{year}-{int(number):04d}")


def open_sheet(
    desk: Desk, incident: Incident, chat_id: int, thread_id: int | None, role: str, asker: int | None = None
) -> None:
    """Show the incident's card here; an earlier one in the same chat gives way.

    `asker`: in a district's group it is for this person alone, and goes again: the group has its one line.
    """
    if asker is not None:
        seq = latest_seq(desk.session, subject(incident), chat_id, "sheet") + 1
        add_post(
            desk,
            incident,
            "sheet",
            chat_id,
            seq=seq,
            thread_id=thread_id,
            user_id=asker,
            remove_at=desk.now + timedelta(minutes=2),
            args={"role": role},
        )
        return
    here = Binding(chat_id=chat_id, role="", community_id=incident.community_id, thread_id=thread_id)
    replace_post(desk, incident, "sheet", here, args={"role": role})


def open_held(desk: Desk, incident: Incident, chat_id: int) -> None:
    """Let the card of an incident out from behind the chat's list."""
    for post in held_posts(desk.session, incident.ident, chat_id):
        # Somebody waits for it: it goes ahead of what nobody has asked for.
        post.state, post.due_at, post.urgent = "due", desk.now, True
        post.args = {**post.args, "opened": True}
        desk.session.add(post)
        stir(desk.session, "posts")


def queue_lines(desk: Desk, args: dict[str, Any]) -> tuple[list[Line], int, int]:
    """One page of the queue, how many there are in all, and the page (the last one when it is past the end)."""
    page = int(args.get("page", 0))
    communities, unit = args.get("communities", []), args.get("unit")
    rows, total = incidents.open_queue(desk.session, communities, unit, page * PAGE, PAGE)
    if not rows and total:
        page = (total - 1) // PAGE
        rows, total = incidents.open_queue(desk.session, communities, unit, page * PAGE, PAGE)
    return [line(desk, row) for row in rows], total, page


def found_lines(desk: Desk, args: dict[str, Any]) -> list[Line]:
    text = str(args.get("text", ""))
    if not text:
        return []
    kinds = [key for key, kind in CATEGORIES.items() if text in kind.name_zh or text.lower() in kind.name_en.lower()]
    rows = incidents.find(desk.session, args.get("communities", []), args.get("unit"), text, kinds, FOUND)
    return [line(desk, row) for row in rows]


def held_lines(desk: Desk, chat_id: int) -> list[Line]:
    """Incidents whose cards wait behind the chat's list."""
    rows = [desk.session.get_one(Incident, each) for each in held_cards(desk.session, chat_id, 200)]
    return [line(desk, row) for row in rows]


def own_lines(desk: Desk, user_id: int) -> list[Line]:
    return [line(desk, row) for row in incidents.reported_by(desk.session, user_id, FOUND)]


def line(desk: Desk, incident: Incident) -> Line:
    unit = desk.session.get(Unit, incident.unit_id) if incident.unit_id else None
    district = desk.session.get(District, incident.district_id) if incident.district_id else None
    place = incident.shop or incident.place or (district.name if district else "")
    return Line(incident, unit.name if unit else "", place)
