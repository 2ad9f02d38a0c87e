"""What people ask to see: the queue, a search, one incident, the numbers; each sees what is theirs to see."""

import re
from datetime import timedelta
from typing import Any

from bot.domain import rights
from bot.domain.acts import Role
from bot.domain.categories import CATEGORIES
from bot.domain.rights import Actor
from bot.services import people
from bot.services.desk import Desk
from bot.services.posting import add_post, replace_post, subject
from bot.services.quota import Flood
from bot.views.content import ALBUM
from bot.views.lists import HELD_PAGE, PAGE, Line
from storage import chats, incidents
from storage.backlog import held_count, held_incidents, held_posts
from storage.posts import find_post, latest_seq, return_post
from storage.quotas import waiting_page
from storage.store import stir
from storage.tables import Binding, Community, District, Incident, Unit

FOUND = 8


def visible(desk: Desk, actor: Actor, chat_id: int, binding: Binding | None, incident: Incident) -> str:
    """The role in which the incident may be shown in the chat (the secretary's is `office`); empty: not at all."""
    role = rights.sees(actor, people.chat(desk, chat_id, binding), incident.matter)
    return "office" if role is Role.SECRETARY else str(role or "")


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


def show_pictures(desk: Desk, incident: Incident, chat_id: int, thread_id: int | None, role: str, skip: int) -> int:
    """Show the report's next pictures after the first `skip`, in one piece; returns how many have been shown then."""
    parts = incidents.picture_ids(desk.session, incident.ident, skip, ALBUM)
    known = find_post(desk.session, subject(incident), chat_id, "pictures", skip)
    if known is not None and known.state == "gone":
        return_post(desk.session, known.ident, desk.now)
    elif known is None and parts:
        args = {"parts": parts, "cards": incident.cards, "role": role}
        add_post(desk, incident, "pictures", chat_id, seq=skip, thread_id=thread_id, args=args)
    return skip + len(parts)


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


def held_lines(desk: Desk, chat_id: int, kind: str, page: int) -> tuple[list[Line], int, int]:
    """One page of what waits behind the chat's list, how many there are in all, and the page."""
    total = held_count(desk.session, chat_id, kind)
    page = max(min(page, (total - 1) // HELD_PAGE), 0)
    rows = held_incidents(desk.session, chat_id, kind, page * HELD_PAGE, HELD_PAGE)
    return [line(desk, row) for row in rows], total, page


def waiting_lines(desk: Desk, flood: Flood, page: int) -> tuple[list[Line], int, int]:
    """One page of what somebody reported beyond the quota, how many wait in all, and the page."""
    own = (flood.community_id, flood.author_id, flood.upto)
    rows, total = waiting_page(desk.session, *own, page * PAGE, PAGE)
    if not rows and total:
        page = (total - 1) // PAGE
        rows, total = waiting_page(desk.session, *own, page * PAGE, PAGE)
    return [line(desk, row) for row in rows], total, page


def own_lines(desk: Desk, user_id: int) -> list[Line]:
    return [line(desk, row) for row in incidents.reported_by(desk.session, user_id, FOUND)]


def line(desk: Desk, incident: Incident) -> Line:
    unit = desk.session.get(Unit, incident.unit_id) if incident.unit_id else None
    district = desk.session.get(District, incident.district_id) if incident.district_id else None
    place = incident.shop or incident.place or (district.name if district else "")
    return Line(incident, unit.name if unit else "", place)
