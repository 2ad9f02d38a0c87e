"""The buttons shown to somebody are exactly the acts that the domain gives them, and each does what it says."""

from collections.abc import Iterator

import pytest

from bot.domain.acts import LATER, Act, Role, Status
from bot.services.desk import Desk
from bot.services.pressing import Pressed, press
from bot.views.cards import CARDS
from bot.views.content import Content, Screen
from bot.views.presses import Press, pack, unpack
from storage.posts import remember_messages
from storage.scenes import load_scene
from storage.tables import Incident, Post
from tests.rules.bench import (
    GUANDI_CHAT,
    LI,
    LIN,
    NOW,
    OFFICE,
    SPEECH,
    STREET_OFFICE,
    WATER_CHAT,
    WATER_MAN,
    ZHANG,
    ZHOU,
    ZONE,
    Bench,
    visitor,
)
from tests.test_acts import WRITTEN

SAID = {Act.COMMENT}
"""Said in words, as a reply: no button."""
MENUS = ["", "more", "history", *(str(act) for act in Act)]


def expected(roles: set[Role], status: Status) -> set[Act]:
    """By the domain's table; the step that could be taken back was never taken."""
    return {
        act
        for act, (who, moves) in WRITTEN.items()
        if who & roles and status in moves and act not in LATER | SAID | {Act.UNDO}
    }


def shown(bench: Bench, post: Post, menu: str = "") -> list[Press]:
    """What the buttons of the card say, with this menu open."""
    post.args = {**post.args, "menu": menu}
    assert post.incident_id is not None
    scene = load_scene(bench.session, post.incident_id)
    assert scene is not None
    shape = CARDS[post.kind](Screen(SPEECH, bench.now, ZONE), scene, post)
    rows = shape.rows if isinstance(shape, Content) else ()
    return [found for row in rows for button in row if button.data and (found := unpack(button.data)) is not None]


def leafed(bench: Bench, post: Post) -> Iterator[tuple[str, Press]]:
    """(menu, button) of the whole card: every menu that its buttons lead to."""
    known, waiting = {""}, [""]
    while waiting:
        menu = waiting.pop()
        for found in shown(bench, post, menu):
            if found.kind == "menu" and found.name not in known:
                known.add(found.name)
                waiting.append(found.name)
            yield menu, found


def card(bench: Bench, incident: Incident, kind: str, chat: int, user: int | None = None, role: str = "") -> Post:
    seq = {"card": incident.cards, "office": incident.needs}.get(kind, 0)
    post = bench.post(
        incident, kind, chat_id=chat, seq=seq, user_id=user, args={"role": role} if role else {}, state="shown"
    )
    remember_messages(bench.session, post.ident, chat, [900 + post.ident])
    return post


def cards_of(bench: Bench, incident: Incident, reader: str) -> tuple[set[Role], int, list[Post]]:
    """The roles of a reader, who they are, and every card they are shown of the incident."""
    match reader:
        case "unit":
            cards = [("card", ""), ("sheet", "unit")]
            return {Role.UNIT}, WATER_MAN, [card(bench, incident, kind, WATER_CHAT, role=role) for kind, role in cards]
        case "secretary":
            cards = [("office", ""), ("sheet", "office")]
            return {Role.SECRETARY}, LIN, [card(bench, incident, kind, OFFICE, role=role) for kind, role in cards]
        case "reporter":
            line = card(bench, incident, "line", GUANDI_CHAT)
            own = [card(bench, incident, "prompt", GUANDI_CHAT, ZHANG)] if incident.status == "draft" else []
            return (
                {Role.REPORTER, Role.MERCHANT},
                ZHANG,
                [line, *own, card(bench, incident, "sheet", GUANDI_CHAT, ZHANG, "reporter")],
            )
        case "street":
            return {Role.STREET}, ZHOU, [card(bench, incident, "sheet", STREET_OFFICE, role="street")]
    return {Role.MERCHANT}, LI, [card(bench, incident, "sheet", GUANDI_CHAT, LI, "merchant")]


READERS = ["unit", "secretary", "reporter", "merchant", "street"]
NEEDS = {Status.DRAFT: "unknown", Status.FILED: "approve", Status.RESOLVED: "check", Status.CLOSED: "reopen"}


def told_of(bench: Bench, status: Status, reader: str) -> Incident:
    """An incident with two pictures that the secretary has a card of; while its author is asked, she has none."""
    need = NEEDS.get(status, "breached") if (status, reader) != (Status.DRAFT, "reporter") else ""
    incident = bench.incident(status, need=need, needs=1, likely=["road", "light"])
    bench.part(incident)
    bench.part(incident)
    bench.community(proof="optional")
    return incident


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("reader", READERS)
def test_a_reader_is_offered_exactly_what_the_domain_allows(bench: Bench, reader: str, status: Status) -> None:
    incident = told_of(bench, status, reader)
    roles, _, cards = cards_of(bench, incident, reader)
    offered = {Act(each.name) for post in cards for _, each in leafed(bench, post) if each.kind == "act"}
    wanted = expected(roles, status)
    if reader == "merchant":
        # A neighbour is asked on the group's line, which everybody sees alike.
        wanted -= {Act.SAY_FIXED}
    if status is Status.FILED:
        # To dispatch and to reassign what nobody has is one thing, and one button.
        wanted -= {Act.REASSIGN}
    ended = status in (Status.DISMISSED, Status.MERGED, Status.VOID)
    assert offered == (set() if ended else wanted)


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("reader", READERS)
def test_no_button_that_is_shown_is_refused(bench: Bench, reader: str, status: Status) -> None:
    incident = told_of(bench, status, reader)
    _, user, cards = cards_of(bench, incident, reader)
    bench.session.commit()
    for post in cards:
        for menu, each in list(leafed(bench, post)):
            bench.session.rollback()
            told = press(
                Desk(bench.session, bench.ground, bench.now),
                Pressed(post.chat_id, 900 + post.ident, None, visitor(user), pack(each)),
            )
            assert not told.alert, (menu, each, told)
            assert told.text or told.menu or each.kind == "menu", (menu, each, told)
        bench.session.rollback()


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("reader", ["unit", "secretary"])
def test_a_menu_that_was_left_open_offers_nothing_that_is_over(bench: Bench, reader: str, status: Status) -> None:
    """Somebody else was faster while the reasons stood there."""
    incident = told_of(bench, status, reader)
    roles, _, cards = cards_of(bench, incident, reader)
    for post in cards:
        for menu in MENUS:
            offered = {Act(each.name) for each in shown(bench, post, menu) if each.kind == "act"}
            assert offered <= expected(roles, status), menu


def test_undo_is_offered_for_a_minute_to_the_side_that_took_the_step(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED, need="breached", needs=1)
    bench.event(incident, "accept", undo={"status": "dispatched"})
    unit, office = card(bench, incident, "card", WATER_CHAT), card(bench, incident, "office", OFFICE)
    undo = Press("act", incident.ident, "undo")
    assert undo in shown(bench, unit) and undo not in shown(bench, office)
    bench.event(incident, "comment", LI, role="merchant")
    bench.event(incident, "dispatch", 0, role="bot")
    assert undo in shown(bench, unit)
    bench.later(seconds=59)
    assert undo in shown(bench, unit)
    bench.later(seconds=1)
    assert undo not in shown(bench, unit)
    bench.now = NOW
    bench.event(incident, "reassign", LIN, role="secretary", undo={"status": "accepted"})
    assert undo in shown(bench, office) and undo not in shown(bench, unit)


def test_what_was_made_safe_is_not_offered_again_and_what_is_long_closed_not_reopened(bench: Bench) -> None:
    safe = bench.incident(Status.ACCEPTED, safe_at=NOW)
    offered = {each.name for each in shown(bench, card(bench, safe, "card", WATER_CHAT)) if each.kind == "act"}
    assert offered == {"resolve", "return"}
    for days, reopening in ((14, {"reopen"}), (15, set())):
        closed = bench.incident(Status.CLOSED, need="reopen", number=f"OW-2025-{days}")
        closed.closed_at = NOW.replace(day=NOW.day - days)
        for post in (card(bench, closed, "office", OFFICE), card(bench, closed, "sheet", OFFICE, role="office")):
            assert {each.name for each in shown(bench, post) if each.kind == "act"} == reopening
        asks = {"ask_reopen"} if reopening else set()
        own = card(bench, closed, "sheet", GUANDI_CHAT, ZHANG, "reporter")
        assert {each.name for each in shown(bench, own) if each.kind == "act"} == asks
