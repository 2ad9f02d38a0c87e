"""Who may do what, at every door: the acts table times everybody who may come, run against the real services.

What is expected is written by hand: WRITTEN (the domain's table, in test_acts) and, for each visitor, which roles they
hold. A new act, command, kind of press, timer or handler that has no row here fails.
"""

import ast
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session

import bot
from bot.domain.acts import LATER, REASONS, Act, Role, Status
from bot.services import pressing, reminding
from bot.services.acting import Told
from bot.services.commanding import COMMANDS, Asked, command
from bot.services.desk import Desk
from bot.services.incoming import Incoming
from bot.services.people import Visitor
from bot.services.pressing import Pressed, press
from bot.services.receiving import receive_picture, receive_words
from bot.views.presses import Press, pack
from handlers.routes import dispatcher
from storage.posts import remember_messages
from storage.tables import Binding, Incident, Person, Post, Timer, Unit
from tests.rules import bench as town
from tests.rules.bench import (
    GUANDI,
    GUANDI_CHAT,
    LI,
    LIN,
    MINUTE,
    NANSHI_CHAT,
    NOW,
    OFFICE,
    OPERATOR,
    OTHER,
    OTHER_DISTRICT,
    OTHER_DISTRICT_CHAT,
    OTHER_OFFICE,
    OTHER_POWER,
    OTHER_SECRETARY,
    OTHER_UNIT,
    OTHER_UNIT_CHAT,
    OWN,
    PASSER,
    PICTURE,
    POWER,
    POWER_CHAT,
    POWER_GUEST,
    POWER_MAN,
    SISTER,
    SISTER_OFFICE,
    SISTER_SECRETARY,
    STRANGE_CHAT,
    STREET,
    STREET_OFFICE,
    WATER,
    WATER_CHAT,
    WATER_MAN,
    ZHANG,
    ZHOU,
    Bench,
)
from tests.test_acts import WRITTEN

STATUSES = list(Status)
REPORTER, MERCHANT, UNIT, SECRETARY = Role.REPORTER, Role.MERCHANT, Role.UNIT, Role.SECRETARY
CARD_MESSAGE = 9000
"""A message about the incident, in whatever chat: as if each had once been its."""


@dataclass(frozen=True)
class Comer:
    """Somebody at a door: who, in which chat, and by hand the roles they hold there towards an incident of the own
    community (with the water company, reported by Zhang in Guandi) and towards one of another community."""

    user: int
    chat: int
    own: frozenset[Role] = frozenset()
    other: frozenset[Role] = frozenset()
    hidden: bool = False

    @property
    def visitor(self) -> Visitor:
        return Visitor(self.chat if self.hidden else self.user, "Somebody", "en", self.hidden)


def roles_towards(comer: Comer, status: Status, community: int) -> frozenset[Role]:
    """The roles held by hand: before it is dispatched, an incident is no unit's."""
    roles = comer.own if community == OWN else comer.other
    return roles - {UNIT} if status in (Status.DRAFT, Status.FILED) else roles


def held(*roles: Role) -> frozenset[Role]:
    return frozenset(roles)


COMERS: dict[str, Comer] = {
    "secretary in the office": Comer(LIN, OFFICE, held(SECRETARY)),
    "secretary alone": Comer(LIN, LIN, held(SECRETARY)),
    "secretary in the group": Comer(LIN, GUANDI_CHAT, held(SECRETARY, MERCHANT)),
    "secretary in another community's group": Comer(LIN, OTHER_DISTRICT_CHAT, held(SECRETARY), held(MERCHANT)),
    "somebody in the office": Comer(PASSER + 50, OFFICE),
    "reporter in the group": Comer(ZHANG, GUANDI_CHAT, held(REPORTER, MERCHANT)),
    "reporter alone": Comer(ZHANG, ZHANG, held(REPORTER)),
    "reporter in another group": Comer(ZHANG, NANSHI_CHAT, held(REPORTER)),
    "reporter among strangers": Comer(ZHANG, STRANGE_CHAT, held(REPORTER)),
    "neighbour in the group": Comer(LI, GUANDI_CHAT, held(MERCHANT)),
    "neighbour alone": Comer(LI, LI),
    "merchant of another district": Comer(LI, NANSHI_CHAT),
    "unit": Comer(WATER_MAN, WATER_CHAT, held(UNIT)),
    "unit's person alone": Comer(WATER_MAN, WATER_MAN),
    "unit's person in the group": Comer(WATER_MAN, GUANDI_CHAT, held(MERCHANT)),
    "unit's person in another unit's chat": Comer(WATER_MAN, POWER_CHAT),
    "another unit": Comer(POWER_MAN, POWER_CHAT),
    "another unit's person in the unit's chat": Comer(POWER_MAN, WATER_CHAT, held(UNIT)),
    "secretary in the unit's chat": Comer(LIN, WATER_CHAT, held(SECRETARY, UNIT)),
    "street's secretary": Comer(ZHOU, STREET_OFFICE, held(Role.STREET)),
    "street's secretary alone": Comer(ZHOU, ZHOU, held(Role.STREET)),
    "sister community's secretary": Comer(SISTER_SECRETARY, SISTER_OFFICE),
    "sister community's secretary in the office": Comer(SISTER_SECRETARY, OFFICE),
    "other community's secretary": Comer(OTHER_SECRETARY, OTHER_OFFICE, other=held(SECRETARY)),
    "other community's unit": Comer(WATER_MAN + 50, OTHER_UNIT_CHAT, other=held(UNIT)),
    "other community's reporter": Comer(PASSER, OTHER_DISTRICT_CHAT, other=held(REPORTER, MERCHANT)),
    "other community's merchant": Comer(LI, OTHER_DISTRICT_CHAT, other=held(MERCHANT)),
    "operator alone": Comer(OPERATOR, OPERATOR),
    "operator in the group": Comer(OPERATOR, GUANDI_CHAT, held(MERCHANT)),
    "stranger": Comer(PASSER + 60, PASSER + 60),
    "stranger among strangers": Comer(PASSER + 60, STRANGE_CHAT),
    "user 0": Comer(0, STRANGE_CHAT),
    "user 0 in the group": Comer(0, GUANDI_CHAT),
    "user 0 in the unit's chat": Comer(0, WATER_CHAT),
}
WRITERS: dict[str, Comer] = {
    # Whoever writes in a group's name shows no face: presses carry the person, messages do not.
    "anonymous in the group": Comer(ZHANG, GUANDI_CHAT, held(MERCHANT), hidden=True),
    "anonymous in the office": Comer(LIN, OFFICE, hidden=True),
    "anonymous in the unit's chat": Comer(WATER_MAN, WATER_CHAT, held(UNIT), hidden=True),
    "anonymous in the other community's group": Comer(PASSER, OTHER_DISTRICT_CHAT, other=held(MERCHANT), hidden=True),
    **COMERS,
}
NEAR_AND_FAR = [
    "secretary in the office", "secretary alone", "reporter in the group", "neighbour in the group", "unit",
    "unit's person alone", "another unit", "secretary in the unit's chat", "street's secretary",
    "sister community's secretary", "operator alone", "stranger among strangers", "user 0 in the unit's chat",
    "anonymous in the group", "anonymous in the unit's chat",
]  # fmt: skip
"""One of each sort, where everybody would say nothing more."""


def comers(known: dict[str, Comer], community: int) -> Iterator[tuple[str, Comer]]:
    """Everybody, for an incident of the own community; for one of another, whoever is somebody there and one of each
    sort of those who are not."""
    for name, comer in known.items():
        if community == OWN or comer.other or name in NEAR_AND_FAR:
            yield name, comer


CHATS = sorted({comer.chat for comer in WRITERS.values()})


@pytest.fixture
def base() -> Iterator[Session]:
    """The alliance, everybody known by name, and nothing that waits for a picture or a second unit."""
    with town.fresh_session() as session:
        for community in (OWN, OTHER):
            row = session.get_one(town.Community, community)
            row.proof, row.dispatch = "optional", "approve"
        for user in sorted({comer.user for comer in WRITERS.values()}):
            session.add(Person(user_id=user, name="Somebody"))
        session.commit()
        yield session


def prepared(session: Session, status: Status, community: int, **columns: Any) -> Incident:
    """An incident of the community in this status, with two pictures and a message in every chat, committed."""
    far = {"community_id": OTHER, "district_id": OTHER_DISTRICT, "chat_id": OTHER_DISTRICT_CHAT}
    elsewhere = {**far, "author_id": PASSER, "reporter_id": PASSER} if community == OTHER else {}
    bench = Bench(session)
    incident = bench.incident(status, **{**elsewhere, **columns})
    if community == OTHER and incident.unit_id is not None:
        incident.unit_id = OTHER_UNIT
    for number in (0, 1):
        bench.part(incident, chat_id=incident.chat_id, message_id=PICTURE + number)
    for chat in CHATS:
        post = bench.post(incident, "card", chat_id=chat, state="shown", message_ids=[CARD_MESSAGE], seq=77)
        remember_messages(session, post.ident, chat, [CARD_MESSAGE])
    session.commit()
    return incident


def written() -> int:
    """Rows written on this connection so far."""
    connection: sqlite3.Connection = town._connection()
    return connection.total_changes


def choice_of(act: Act, community: int) -> str:
    """A choice that completes the act."""
    if act in REASONS:
        return next(iter(REASONS[act]))
    unit = POWER if community == OWN else OTHER_POWER
    return {
        Act.FILE: "road",
        Act.DISPATCH: str(unit),
        Act.REASSIGN: str(unit),
        Act.SAY_FIXED: "yes",
    }.get(act, "")


def told(session: Session, comer: Comer, data: str, message_id: int | None = None) -> Told:
    pressed = Pressed(comer.chat, message_id, None, comer.visitor, data)
    found = press(Desk(session, town.GROUND, NOW), pressed)
    session.flush()
    return found


# The door of presses: everybody × every act × own and other community × every status


@pytest.mark.parametrize("community", [OWN, OTHER])
@pytest.mark.parametrize("status", STATUSES)
def test_a_press_does_what_the_table_says_and_else_nothing(base: Session, status: Status, community: int) -> None:
    incident = prepared(base, status, community)
    wrong = []
    for name, comer in comers(COMERS, community):
        roles = roles_towards(comer, status, community)
        for act in Act:
            who, moves = WRITTEN[act]
            before = written()
            data = pack(Press("act", incident.ident, str(act), choice_of(act, community)))
            answer = told(base, comer, data)
            silent = written() == before
            if act in LATER or act is Act.COMMENT:
                right = silent and answer == Told("This button is out of date.", alert=True)
            elif act is Act.UNDO:
                right = silent and answer.text.startswith("Too late to undo")
            elif not roles & who:
                right = silent and answer == Told("This is not yours to do.", alert=True)
            elif status not in moves:
                right = silent and answer.text.startswith(("Too late: ", "A little late: ")) and answer.alert
            else:
                event = Bench(base).last(incident)
                right = (event.act, event.actor_id, event.before) == (str(act), comer.user, str(status))
                right = right and incident.status == moves[status] and Role(event.role) in roles & who
                right = right and bool(answer.text) and not answer.alert
            if not right:
                wrong.append((name, str(act), answer))
            if not silent:
                base.rollback()
    assert not wrong


def test_the_matrix_has_every_act_and_every_role() -> None:
    assert set(WRITTEN) == set(Act)
    everybody = frozenset[Role]().union(*(comer.own for comer in COMERS.values()))
    # The relay holds its role by being itself: there is no door by which anybody could come as it.
    assert everybody == set(Role) - {Role.BOT}


def test_in_a_unit_with_members_only_members_act(base: Session) -> None:
    incident = prepared(base, Status.DISPATCHED, OWN, unit_id=POWER)
    for user, expected in ((POWER_MAN, ""), (POWER_GUEST, "This is not yours to do.")):
        answer = told(base, Comer(user, POWER_CHAT), pack(Press("act", incident.ident, "accept")))
        assert answer.text == (expected or "Done: Accept.")
        base.rollback()
    hidden = Comer(POWER_MAN, POWER_CHAT, hidden=True)
    assert not replied(base, hidden, incident, "photo")
    base.rollback()
    assert replied(base, Comer(POWER_MAN, POWER_CHAT), incident, "photo") and incident.status == "resolved"
    base.rollback()


def test_a_chat_the_bot_was_put_out_of_gives_no_rights_until_it_is_heard_from(base: Session) -> None:
    """A press is such a sign of life; asked in private meanwhile, nobody of that chat is anybody."""
    incident = prepared(base, Status.DISPATCHED, OWN)
    row = base.get_one(Binding, WATER_CHAT)
    row.lost_at = NOW
    base.flush()
    assert told(base, COMERS["unit"], pack(Press("act", incident.ident, "accept"))).text == "Done: Accept."
    assert row.lost_at is None
    base.rollback()


# The door of replies: words, and a photo


def replied(session: Session, comer: Comer, incident: Incident, media: str, text: str = "") -> bool:
    """Reply to the message about the incident; returns whether that wrote anything about the incident."""
    events, parts = _count(session, "event", incident), _count(session, "part", incident)
    incoming = Incoming(
        chat_id=comer.chat,
        message_id=500,
        visitor=comer.visitor,
        sent_at=NOW,
        text=text,
        media=media,
        file_id="f" if media else "",
        reply_to=CARD_MESSAGE,
    )
    desk = Desk(session, town.GROUND, NOW)
    if media:
        receive_picture(desk, incoming, None)
    else:
        receive_words(desk, incoming)
    session.flush()
    return (events, parts) != (_count(session, "event", incident), _count(session, "part", incident))


def _count(session: Session, table: str, incident: Incident) -> int:
    found = session.connection().exec_driver_sql(f"SELECT count(*) FROM {table} WHERE incident_id = {incident.ident}")
    return int(found.scalar() or 0)


@pytest.mark.parametrize("community", [OWN, OTHER])
@pytest.mark.parametrize("status", STATUSES)
def test_a_reply_is_a_word_or_a_proof_of_whoever_may_and_else_nothing(
    base: Session, status: Status, community: int
) -> None:
    incident = prepared(base, status, community)
    wrong = []
    for name, comer in comers(WRITERS, community):
        roles = roles_towards(comer, status, community)
        for media in ("", "photo"):
            taken = replied(base, comer, incident, media, "words")
            acts = [(event.act, event.role, event.actor_id) for event in Bench(base).events(incident)]
            shown = _count(base, "part", incident) - 2
            author = REPORTER in roles and comer.chat == incident.chat_id
            if comer.chat == STRANGE_CHAT or comer.chat > 0:
                # Nobody replies to a card where none stands: these doors are shut before anybody is asked.
                expected: list[Any] = []
                right = not taken and shown == 0
            elif not roles:
                expected, right = [], not taken and shown == 0
            elif UNIT in roles and media:
                resolves = status in WRITTEN[Act.RESOLVE][1]
                expected = [("resolve", "unit", comer.visitor.user_id)] if resolves else []
                right = shown == 1 and incident.status == (WRITTEN[Act.RESOLVE][1][status] if resolves else status)
            elif author and status is Status.DRAFT:
                # It joins what the report itself says.
                expected, right = [], shown == 1 and incident.status == "draft"
            else:
                nearest = next(role for role in (UNIT, SECRETARY, REPORTER, MERCHANT, Role.STREET) if role in roles)
                expected = [("comment", str(nearest), comer.visitor.user_id)]
                right = shown == 1 and incident.status == status and nearest in WRITTEN[Act.COMMENT][0]
            if acts != expected or not right:
                wrong.append((name, media, acts, expected, shown, incident.status))
            base.rollback()
    assert not wrong


def test_a_number_on_a_bots_message_opens_no_door_by_itself(base: Session) -> None:
    """A card whose message is not known yet is known by its number: then too rights decide."""
    incident = prepared(base, Status.DISPATCHED, OWN)
    for name, comer in WRITERS.items():
        said = Incoming(
            chat_id=comer.chat, message_id=500, visitor=comer.visitor, sent_at=NOW, text="words", reply_to=4711,
            reply_number="OW-2026-0001",
        )  # fmt: skip
        receive_words(Desk(base, town.GROUND, NOW), said)
        known = comer.chat < 0 and comer.chat != STRANGE_CHAT
        assert bool(Bench(base).events(incident)) == (known and bool(comer.own)), name
        base.rollback()


def test_words_from_a_chat_that_was_called_lost_are_heard(base: Session) -> None:
    incident = prepared(base, Status.DISPATCHED, OWN)
    row = base.get_one(Binding, WATER_CHAT)
    row.lost_at = NOW
    base.flush()
    assert replied(base, COMERS["unit"], incident, "", "on our way")
    assert row.lost_at is None
    base.rollback()


# The other kinds of presses


KINDS = {"act", "menu", "open", "page", "bind", "more", "all"}
MENUS = {"", "more", "file", "history", "reassign", "dispatch", *(str(act) for act in Act)}


def test_every_kind_of_press_has_a_row_here() -> None:
    from bot.views import presses

    assert set(pressing._KINDS) == set(presses._LETTERS) == KINDS


@pytest.mark.parametrize("status", STATUSES)
def test_choices_open_for_those_who_may_take_them(base: Session, status: Status) -> None:
    incident = prepared(base, status, OWN)
    wrong = []
    for name in NEAR_AND_FAR:
        comer = COMERS.get(name)
        for menu in sorted(MENUS) if comer is not None else ():
            before = written()
            answer = told(base, comer, pack(Press("menu", incident.ident, menu)), CARD_MESSAGE)
            silent = written() == before
            act = Act(menu) if menu in set(Act) else None
            roles = roles_towards(comer, status, OWN)
            if not roles & {UNIT, SECRETARY, REPORTER}:
                right = silent and answer == Told("This is not yours to do.", alert=True)
            elif act in LATER:
                right = silent and answer == Told("This button is out of date.", alert=True)
            elif act is not None and not roles & WRITTEN[act][0]:
                right = silent and answer == Told("This is not yours to do.", alert=True)
            elif act is not None and status not in WRITTEN[act][1]:
                right = silent and answer.text.startswith(("Too late: ", "A little late: "))
            else:
                right = answer == Told() and silent == (menu == "")
            if not right:
                wrong.append((name, menu, answer))
            if not silent:
                base.rollback()
    assert not wrong


def test_a_prompt_is_leafed_through_by_its_author_alone(base: Session) -> None:
    incident = prepared(base, Status.DRAFT, OWN)
    card = base.get_one(Post, next(post.ident for post in Bench(base).posts(incident, chat_id=GUANDI_CHAT)))
    card.kind, card.user_id = "prompt", ZHANG
    base.commit()
    data = pack(Press("menu", incident.ident, "file"))
    assert told(base, COMERS["secretary in the group"], data, CARD_MESSAGE).text == "This is not yours to do."
    assert told(base, COMERS["reporter in the group"], data, CARD_MESSAGE) == Told()
    base.rollback()


@pytest.mark.parametrize("kind", ["act", "menu"])
def test_a_button_that_was_never_on_this_card_is_out_of_date(base: Session, kind: str) -> None:
    """Whoever forges what a button says reaches no card that is not theirs."""
    prepared(base, Status.DISPATCHED, OTHER)
    mine = Bench(base).incident(Status.DISPATCHED, number="OW-2026-0002")
    base.commit()
    before = written()
    answer = told(base, COMERS["unit"], pack(Press(kind, mine.ident, "return")), CARD_MESSAGE)
    assert answer == Told("This button is out of date.", alert=True)
    assert written() == before


SEEN_AS = {
    "secretary in the office": "office",
    "somebody in the office": "office",
    "sister community's secretary in the office": "office",
    "secretary alone": "office",
    "secretary in the group": "merchant",
    "reporter in the group": "reporter",
    "reporter alone": "reporter",
    "reporter in another group": "reporter",
    "neighbour in the group": "merchant",
    "unit": "unit",
    "unit's person in the group": "merchant",
    "another unit's person in the unit's chat": "unit",
    "secretary in the unit's chat": "unit",
    "street's secretary": "street",
    "street's secretary alone": "street",
    "operator in the group": "merchant",
    "user 0 in the group": "merchant",
    "user 0 in the unit's chat": "unit",
}
"""As what an incident of the own community is shown where they ask; whoever is not named sees nothing."""


@pytest.mark.parametrize("way", ["press", "/i"])
def test_an_incident_is_shown_only_to_those_it_concerns(base: Session, way: str) -> None:
    incident = prepared(base, Status.DISPATCHED, OWN)
    wrong = []
    for name, comer in COMERS.items():
        if way == "press":
            told(base, comer, pack(Press("open", incident.ident)))
        else:
            asked(base, comer, "i", "OW-2026-0001")
        sheets = [(post.chat_id, post.args["role"]) for post in Bench(base).posts(incident, "sheet")]
        expected = [(comer.chat, SEEN_AS[name])] if name in SEEN_AS else []
        if sheets != expected:
            wrong.append((name, sheets, expected))
        base.rollback()
    assert not wrong


def test_a_sheet_in_the_group_is_for_whoever_asked(base: Session) -> None:
    incident = prepared(base, Status.DISPATCHED, OWN)
    for name in ("reporter in the group", "neighbour in the group", "secretary in the group"):
        told(base, COMERS[name], pack(Press("open", incident.ident)))
        (sheet,) = Bench(base).posts(incident, "sheet")
        assert sheet.user_id == COMERS[name].user and sheet.remove_at == NOW + 2 * MINUTE
        base.rollback()


OFFICES = {"communities": [OWN], "unit": None}
STREETS = {"communities": [STREET, OWN, SISTER], "unit": None}
LOOKS_THROUGH = {
    "secretary in the office": OFFICES,
    "somebody in the office": OFFICES,
    "sister community's secretary in the office": OFFICES,
    "secretary alone": OFFICES,
    "unit": {"communities": [OWN], "unit": WATER},
    "another unit's person in the unit's chat": {"communities": [OWN], "unit": WATER},
    "secretary in the unit's chat": {"communities": [OWN], "unit": WATER},
    "user 0 in the unit's chat": {"communities": [OWN], "unit": WATER},
    "another unit": {"communities": [OWN], "unit": POWER},
    "unit's person in another unit's chat": {"communities": [OWN], "unit": POWER},
    "street's secretary": STREETS,
    "street's secretary alone": STREETS,
    "sister community's secretary": {"communities": [SISTER], "unit": None},
    "other community's secretary": {"communities": [OTHER], "unit": None},
    "other community's unit": {"communities": [OTHER], "unit": OTHER_UNIT},
}
"""What a list shows there; whoever is not named gets none."""


def test_another_page_is_of_what_may_be_looked_through_there(base: Session) -> None:
    wrong = []
    for name, comer in COMERS.items():
        # The list was somebody else's when it was made: what it shows is asked anew.
        post = Bench(base).post(None, "queue", chat_id=comer.chat, args={"communities": [OTHER, OWN], "unit": None})
        remember_messages(base, post.ident, comer.chat, [CARD_MESSAGE])
        base.flush()
        told(base, comer, pack(Press("page", choice="1")), CARD_MESSAGE)
        shown = {**LOOKS_THROUGH[name], "page": 1} if name in LOOKS_THROUGH else None
        if post.args != (shown or {"communities": [OTHER, OWN], "unit": None}):
            wrong.append((name, post.args, shown))
        base.rollback()
    assert not wrong


def test_a_chat_is_bound_by_its_secretary_or_an_operator(base: Session) -> None:
    wrong = []
    for name, comer in COMERS.items():
        for target, owner in ((f"d{GUANDI}", OWN), (f"d{OTHER_DISTRICT}", OTHER), (f"u{OTHER_UNIT}", OTHER)):
            before = written()
            answer = told(base, comer, pack(Press("bind", choice=target)))
            there = base.get(Binding, comer.chat)
            known = there.community_id if there is not None else owner
            secretary_of = {LIN: OWN, SISTER_SECRETARY: SISTER, ZHOU: STREET, OTHER_SECRETARY: OTHER}.get(comer.user)
            theirs = comer.user == OPERATOR or secretary_of == owner
            # Whoever takes a chat away from another community must be somebody there too.
            was = town_of(comer.chat)
            theirs = theirs and (was in (None, owner) or comer.user == OPERATOR)
            bound = answer.text.startswith("This chat is ") and known == owner and not answer.alert
            if comer.chat > 0:
                theirs = False
            if bound != theirs or (not theirs and written() != before):
                wrong.append((name, target, answer))
            base.rollback()
    assert not wrong


def town_of(chat: int) -> int | None:
    """The community whose chat it is when a test begins."""
    return next((row.community_id for row in town.rows() if isinstance(row, Binding) and row.chat_id == chat), None)


def test_more_pictures_are_shown_where_the_card_is(base: Session) -> None:
    incident = prepared(base, Status.DISPATCHED, OWN)
    for number in range(14):
        Bench(base).part(incident, message_id=PICTURE + 100 + number)
    base.commit()
    wrong = []
    for name, comer in COMERS.items():
        before = written()
        answer = told(base, comer, pack(Press("more", incident.ident, choice="11")), CARD_MESSAGE)
        shown = [post.chat_id for post in Bench(base).posts(incident, "pictures")]
        if SEEN_AS.get(name) in ("office", "unit"):
            # Alone with the bot no card stands from which more could be asked for.
            right = shown == [comer.chat] if comer.chat in CHATS else shown == []
        else:
            right = shown == [] and written() == before and answer.text == "This is not yours to see."
        if not right:
            wrong.append((name, answer, shown))
        base.rollback()
    assert not wrong


def flood(session: Session, chat: int, **args: Any) -> tuple[Incident, Post]:
    """What Zhang reported beyond the quota: one that waits, and the list it stands in, with Zhang's name or another."""
    waiting = Bench(session).incident(Status.FILED, need="quota", needs=1, beyond=True)
    known = {"community": OWN, "author": ZHANG, "told": NOW.isoformat(), "since": (NOW - MINUTE).isoformat()}
    post = Bench(session).post(None, "quota", subject=f"quota:{OWN}:{ZHANG}", chat_id=chat, seq=0, state="shown")
    post.args, post.message_ids = {**known, **args}, [CARD_MESSAGE]
    remember_messages(session, post.ident, chat, [CARD_MESSAGE])
    session.flush()
    return waiting, post


@pytest.mark.parametrize("act", ["dispatch", "dismiss"])
def test_a_whole_list_is_let_go_by_the_secretary_alone(base: Session, act: str) -> None:
    reason = "advert" if act == "dismiss" else ""
    wrong = []
    for name, comer in COMERS.items():
        waiting, post = flood(base, comer.chat)
        before = written()
        answer = told(base, comer, pack(Press("all", 0, act, reason)), CARD_MESSAGE)
        if SECRETARY in comer.own:
            right = not answer.alert and "go" in Bench(base).timers(waiting) and post.args["order"]["by"] == comer.user
        else:
            right = answer == Told("This is not yours to do.", alert=True) and written() == before
        if not right:
            wrong.append((name, answer))
        base.rollback()
    assert not wrong


@pytest.mark.parametrize("act", ["accept", "void", "confirm", "file", "merge"])
def test_a_list_takes_no_other_orders(base: Session, act: str) -> None:
    waiting, post = flood(base, OFFICE)
    told(base, COMERS["secretary in the office"], pack(Press("all", 0, act, "mistake")), CARD_MESSAGE)
    assert "order" not in post.args and "go" not in Bench(base).timers(waiting) and waiting.status == "filed"


@pytest.mark.parametrize(("user", "goes"), [(LIN, True), (OTHER_SECRETARY, False), (WATER_MAN, False), (0, False)])
def test_what_was_ordered_is_asked_again_when_it_is_done(base: Session, user: int, goes: bool) -> None:
    """It may be hours later, and whoever ordered it no secretary any more."""
    order = {"act": "dispatch", "reason": "", "by": user, "name": "Somebody"}
    waiting, post = flood(base, OFFICE, upto=99, order=order)
    base.add(Timer(incident_id=waiting.ident, kind="go", next_at=NOW))
    base.flush()
    assert reminding.fire(Desk(base, town.GROUND, NOW, "clock"), waiting.ident, "go")
    events = [(event.act, event.actor_id, event.role) for event in Bench(base).events(waiting)]
    assert events == ([("dispatch", user, "secretary")] if goes else [])
    assert (waiting.status == "dispatched") is goes and (post.args["order"] is None) is not goes


# Commands


def asked(session: Session, comer: Comer, name: str, words: str = "") -> list[Post]:
    """The command's answers: what was posted."""
    known = {post.ident for post in Bench(session).posts()}
    incoming = Incoming(chat_id=comer.chat, message_id=600, visitor=comer.visitor, sent_at=NOW, text=f"/{name} {words}")
    command(Desk(session, town.GROUND, NOW), Asked(name, words, incoming, "update:1", "Title"))
    return [post for post in Bench(session).posts() if post.ident not in known and post.kind != "menu"]


REFUSED = "This is for the office and the units. /my shows your own reports."
NOT_THEIRS = "Only the secretary or the operator can do this."


def sentence(posts: list[Post]) -> str:
    return str(posts[0].args.get("sentence", "")) if posts else ""


@pytest.mark.parametrize(("name", "view"), [("open", "queue"), ("find", "found"), ("stats", "stats")])
def test_lists_and_numbers_are_of_what_may_be_looked_through(base: Session, name: str, view: str) -> None:
    for who, comer in WRITERS.items():
        (post,) = asked(base, comer, name, "words")
        scope = LOOKS_THROUGH.get(who)
        if comer.hidden:
            # What the chat is decides, not who hides in it.
            scope = {OFFICE: OFFICES, WATER_CHAT: LOOKS_THROUGH["unit"]}.get(comer.chat)
        if scope is None:
            assert (post.kind, sentence([post])) == ("note", REFUSED), who
        else:
            assert post.kind == view, who
            assert {key: post.args[key] for key in ("communities", "unit")} == scope, who
        base.rollback()


def may_bind_here(comer: Comer) -> bool:
    secretary_of = {LIN: OWN, SISTER_SECRETARY: SISTER, ZHOU: STREET, OTHER_SECRETARY: OTHER}.get(comer.user)
    return not comer.hidden and (comer.user == OPERATOR or secretary_of is not None)


def test_the_menu_of_what_a_chat_may_be_is_for_secretaries_and_operators(base: Session) -> None:
    for who, comer in WRITERS.items():
        (post,) = asked(base, comer, "bind")
        if comer.hidden:
            # Nobody can tell who asks: whoever presses is asked then.
            assert (post.kind, post.args["asker"]) == ("bind", None), who
        elif may_bind_here(comer):
            assert (post.kind, post.args["asker"]) == ("bind", comer.user), who
        else:
            assert (post.kind, sentence([post])) == ("note", NOT_THEIRS), who
        base.rollback()


def test_a_groups_language_is_its_secretarys_and_ones_own_is_ones_own(base: Session) -> None:
    for who, comer in WRITERS.items():
        posts = asked(base, comer, "language", "en")
        home = town_of(comer.chat)
        own = {LIN: OWN, SISTER_SECRETARY: SISTER, ZHOU: STREET, OTHER_SECRETARY: OTHER}.get(comer.user)
        theirs = not comer.hidden and home is not None and (comer.user == OPERATOR or own == home)
        binding, person = base.get(Binding, comer.chat), base.get(Person, comer.user)
        assert (binding is not None and binding.language == "en") == theirs, who
        assert (person is not None and person.language == "en") == (comer.chat > 0), who
        assert (sentence(posts) == NOT_THEIRS) == (not theirs and comer.chat < 0), who
        base.rollback()


def test_reports_are_made_in_a_districts_group_by_anybody_there(base: Session) -> None:
    for who, comer in WRITERS.items():
        posts = asked(base, comer, "report", "manhole cover cracked")
        made = base.connection().exec_driver_sql("SELECT chat_id FROM incident").scalars().all()
        in_group = comer.chat in (GUANDI_CHAT, NANSHI_CHAT, OTHER_DISTRICT_CHAT)
        assert list(made) == ([comer.chat] if in_group else []), who
        assert (sentence(posts) == "Reports are made in a district's group.") == (not in_group), who
        base.rollback()


def test_ones_own_reports_are_ones_own(base: Session) -> None:
    for who, comer in WRITERS.items():
        (post,) = asked(base, comer, "my")
        if comer.hidden:
            assert post.kind == "note", who
        else:
            assert (post.kind, post.args["user"]) == ("mine", comer.user), who
        base.rollback()


def test_a_shop_is_ones_own(base: Session) -> None:
    # Alone with the bot it is a shop of the community they reported in last; nobody here has reported.
    for who, comer in WRITERS.items():
        asked(base, comer, "shop", "Noodles, Guandi 1")
        rows = base.connection().exec_driver_sql("SELECT community_id, user_id FROM shop").all()
        home = None if comer.hidden else town_of(comer.chat)
        assert [tuple(row) for row in rows] == ([(home, comer.user)] if home is not None else []), who
        base.rollback()


@pytest.mark.parametrize("name", ["start", "help"])
def test_help_tells_nobody_but_the_asker_what_they_are(base: Session, name: str) -> None:
    for who, comer in COMERS.items():
        posts = asked(base, comer, name)
        if comer.chat < 0 and name == "start":
            assert posts == [], who
        else:
            (post,) = posts
            assert (post.kind, post.args["user"]) == ("start", comer.user), who
            assert post.chat_id > 0 or post.user_id == comer.user, who
            roles = {role for role, _ in post.args["roles"]}
            people = {LIN: "secretary", ZHOU: "secretary", SISTER_SECRETARY: "secretary", POWER_MAN: "unit"}
            people |= {OTHER_SECRETARY: "secretary", OPERATOR: "operator"}
            assert roles == ({people[comer.user]} if comer.user in people else set()), who
        base.rollback()


def test_a_link_binds_a_group_for_those_who_may(base: Session) -> None:
    for who, comer in WRITERS.items():
        asked(base, comer, "start", f"d{GUANDI}")
        binding = base.get(Binding, comer.chat)
        was = town_of(comer.chat)
        own = {LIN: OWN}.get(comer.user) == OWN and was in (None, OWN)
        theirs = not comer.hidden and comer.chat < 0 and (own or comer.user == OPERATOR)
        now_is = binding is not None and binding.district_id == GUANDI
        assert now_is == (theirs or comer.chat == GUANDI_CHAT), who
        base.rollback()


COMMANDS_HERE = {"start", "help", "report", "my", "shop", "open", "find", "i", "stats", "bind", "language"}


def test_every_command_has_a_row_here() -> None:
    assert set(COMMANDS) == COMMANDS_HERE


# The clock


FIRED: dict[str, dict[Status, list[str]]] = {
    # What the relay does by itself when a moment has come; everything else only tells.
    "gather": {Status.DRAFT: ["file"]},
    "answer": {},
    "refresh": {},
    "remind": {},
    # Ordered by a secretary, and asked again: see below. By itself the clock lets nothing go.
    "go": {},
}


def test_every_timer_has_a_row_here() -> None:
    assert set(reminding._KINDS) == set(FIRED)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("kind", sorted(FIRED))
def test_the_clock_does_only_what_the_table_gives_the_relay(base: Session, kind: str, status: Status) -> None:
    base.get_one(town.Community, OWN).intake = "all"
    due = {"accept_due": NOW, "repair_due": NOW, "verify_due": NOW} if kind == "remind" else {}
    incident = prepared(base, status, OWN, **due)
    base.add(Timer(incident_id=incident.ident, kind=kind, next_at=NOW))
    base.flush()
    assert reminding.fire(Desk(base, town.GROUND, NOW, "clock"), incident.ident, kind)
    events = Bench(base).events(incident)
    assert [event.act for event in events] == FIRED[kind].get(status, [])
    for event in events:
        who, moves = WRITTEN[Act(event.act)]
        assert Role.BOT in who and moves[Status(event.before)] == event.after
        assert (event.actor_id, event.role, event.source) == (0, "bot", "clock")
    if not events:
        assert incident.status == status


# No other door


HANDLERS = {
    # Telegram's observer → what is registered there. Each calls one service; who may is asked behind it.
    "message": {"asked", "picture", "private_picture", "words", "became", "came_from"},
    "edited_message": {"edited"},
    "callback_query": {"pressed"},
    "my_chat_member": {"membership", "blocked"},
}


def test_every_handler_has_a_row_here() -> None:
    found: dict[str, set[str]] = {}
    for router in dispatcher().chain_tail:
        for name, observer in router.observers.items():
            for handler in observer.handlers:
                if router.name != "relay":
                    found.setdefault(name, set()).add(handler.callback.__name__)
    assert found == HANDLERS


WRITES = {
    # Whoever writes a step, and by what right: asked before (`may`), or the relay itself.
    "carry_out": {"acting", "replying", "releasing"},
    "decide": {"lifecycle", "filing", "drafting"},
    "restore": {"acting"},
    "file": {"acting", "drafting"},
}


def calls() -> dict[str, set[str]]:
    """Function → modules of the program that call it."""
    found: dict[str, set[str]] = {name: set() for name in WRITES}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                first = getattr(node.args[0], "id", "") if node.args else ""
                if name in found and first == "desk":
                    found[name].add(path.stem)
    return found


def sources() -> Iterator[Path]:
    root = Path(bot.__file__).parent.parent
    for folder in ("bot", "handlers", "storage"):
        for path in (root / folder).rglob("*.py"):
            if "sandbox" not in path.parts:
                yield path


def test_nothing_else_writes_a_step() -> None:
    assert calls() == WRITES


def test_nothing_else_writes_a_status() -> None:
    """The rows' `status` of an incident is set in `lifecycle` alone."""
    found = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(each, ast.Attribute) and each.attr == "status" for each in targets):
                found.add(path.stem)
    assert found == {"lifecycle"}


ASKS = {
    # Names by which rights are asked → who asks. A check of roles anywhere else would be a second opinion.
    "may": {"acting", "pressing", "replying", "releasing"},
    "may_as": {"rights", "acting"},
    "demand": {"lifecycle"},
    "may_choose": {"pressing"},
    "may_bind": {"binding", "commanding"},
    "sees": {"looking"},
    "scope": {"rights", "pressing", "commanding"},
    "roles": {"rights", "acting", "pressing", "replying"},
    "allowed": {"keyboard"},
}


def test_rights_are_asked_in_one_place() -> None:
    found: dict[str, set[str]] = {name: set() for name in ASKS}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in found:
                    found[name].add(path.stem)
    assert found == ASKS


def test_a_unit_at_rest_or_a_community_at_rest_opens_no_door(base: Session) -> None:
    incident = prepared(base, Status.DISPATCHED, OWN)
    base.get_one(town.Community, OWN).active = False
    base.get_one(Unit, WATER).active = False
    base.flush()
    for name in ("unit", "secretary in the office", "secretary alone", "neighbour in the group"):
        answer = told(base, COMERS[name], pack(Press("act", incident.ident, "accept")))
        assert answer.text == "This is not yours to do.", name
        base.rollback()
        base.get_one(town.Community, OWN).active = False
        base.flush()
    base.rollback()


def test_nobody_comes_as_the_relay(base: Session) -> None:
    """Whatever number somebody says they have: the relay is known by being itself."""
    draft = prepared(base, Status.DRAFT, OWN)
    for comer in (COMERS["user 0"], COMERS["user 0 in the group"], replace(COMERS["stranger"], user=0)):
        for act in (Act.FILE, Act.NOT_A_REPORT, Act.DISPATCH, Act.SAY_FIXED):
            answer = told(base, comer, pack(Press("act", draft.ident, str(act), choice_of(act, OWN))))
            assert answer == Told("This is not yours to do.", alert=True)
