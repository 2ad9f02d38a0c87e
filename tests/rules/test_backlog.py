"""More than a chat may be sent in a minute: what is held back, what the list says of it, and what it costs."""

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import event
from sqlmodel import select

from bot.domain.acts import Act, Role, Status
from bot.services import looking, notices
from bot.services.effects import Step
from bot.services.holding import MINUTE
from bot.services.incoming import Incoming
from bot.services.intake import SOON, take_picture
from bot.services.lifecycle import carry_out, settle
from bot.services.posting import EYES, post_up
from bot.services.pressing import Pressed, press
from bot.services.reminding import fire
from bot.services.showing import prepare
from bot.views.cards import CARDS
from bot.views.content import SHOWN, Content, Gone, Screen
from storage.backlog import OFTEN
from storage.posts import first_due, remember_messages
from storage.scenes import load_scene
from storage.tables import Binding, Incident, Part, Post
from storage.timers import set_timer
from tests.rules.bench import (
    GROUND,
    GUANDI_CHAT,
    NANSHI_CHAT,
    NOW,
    OFFICE,
    PROPERTY_CHAT,
    SECRETARY,
    SPEECH,
    UNIT,
    WATER_CHAT,
    WATER_MAN,
    ZHANG,
    Bench,
    visitor,
)


def queue(bench: Bench, many: int, **columns: object) -> list[Incident]:
    """Incidents that are not dangerous, each with its card waiting to be sent to the water company."""
    made = []
    for n in range(many):
        known = {"number": f"OW-2026-{n + 1:04d}", "category": "rubbish", **columns}
        incident = bench.incident(Status.DISPATCHED, **known)
        bench.post(incident, "card", due_at=bench.now + timedelta(milliseconds=n))
        made.append(incident)
    bench.later(seconds=1)
    return made


def work(bench: Bench, chat: int, calls: int) -> list[Post]:
    """A worker of the chat, as long as it may speak: what it sends, in order."""
    sent: list[Post] = []
    while len(sent) < calls and (post := first_due(bench.session, chat, bench.now)) is not None:
        if prepare(bench.desk, post.ident) is not None:
            sent.append(post)
            stand(bench, post)
        bench.session.flush()
    return sent


def stand(bench: Bench, post: Post) -> None:
    post.state, post.message_ids, post.form = "shown", [90_000 + post.ident], "text"
    post.due_at, post.shown, post.sent_at = None, post.wanted, bench.now
    remember_messages(bench.session, post.ident, post.chat_id, post.message_ids)
    bench.session.add(post)
    bench.session.flush()


def the_list(bench: Bench, chat: int) -> Content | Gone:
    [post] = [each for each in bench.posts(kind="waiting", chat_id=chat) if each.args.get("newest", True)]
    made = notices.NOTICES["waiting"](bench.desk, Screen(SPEECH, bench.now, GROUND.zone), post)
    assert isinstance(made, Content | Gone)
    return made


def held(bench: Bench, chat: int) -> int:
    return len([post for post in bench.posts(chat_id=chat) if post.state == "held"])


def labels(content: Content) -> list[str]:
    return [button.text for row in content.rows for button in row]


def test_three_hundred_cards_become_one_list_at_the_first_look(bench: Bench) -> None:
    incidents = queue(bench, 300)
    sent = work(bench, WATER_CHAT, MINUTE + 1)
    # One message says it for all of them; it was not changed 280 times.
    assert [post.kind for post in sent] == ["card", "waiting"] + ["card"] * (MINUTE - 1)
    cards = [post.incident_id for post in sent if post.kind == "card"]
    assert cards == [each.id for each in incidents[:MINUTE]]
    assert held(bench, WATER_CHAT) == 300 - MINUTE
    content = the_list(bench, WATER_CHAT)
    assert isinstance(content, Content)
    assert "<b>280 new incidents.</b>" in content.text and "page 1 of 14" in content.text
    assert work(bench, WATER_CHAT, 5) == []


def test_the_list_turns_its_pages_and_opens_into_cards_once(bench: Bench) -> None:
    incidents = queue(bench, 300)
    work(bench, WATER_CHAT, MINUTE + 1)
    [post] = bench.posts(kind="waiting")

    def tap(label: str) -> None:
        content = the_list(bench, WATER_CHAT)
        assert isinstance(content, Content)
        data = next(button.data for row in content.rows for button in row if button.text == label)
        press(bench.desk, Pressed(WATER_CHAT, post.message_ids[0], None, visitor(WATER_MAN), data))
        bench.session.flush()

    tap("›")
    content = the_list(bench, WATER_CHAT)
    assert isinstance(content, Content) and "page 2 of 14" in content.text
    opened = incidents[MINUTE + 20]
    assert f"1. 🔴 <b>{opened.number}</b>" in content.text
    tap("1")
    came = [each for each in work(bench, WATER_CHAT, 5) if each.kind == "card"]
    assert [each.incident_id for each in came] == [opened.id]
    assert "279 new" in getattr(the_list(bench, WATER_CHAT), "text", "")
    # Pressed again (on a list that was not yet brought up to date), it comes no second time.
    looking.open_held(bench.desk, opened, WATER_CHAT)
    assert [each for each in work(bench, WATER_CHAT, 5) if each.kind == "card"] == []
    assert held(bench, WATER_CHAT) == 300 - MINUTE - 1


def test_what_is_over_leaves_the_list_and_its_card_never_comes(bench: Bench) -> None:
    incidents = queue(bench, 30)
    work(bench, WATER_CHAT, MINUTE + 1)
    gone = incidents[-1]
    carry_out(bench.desk, gone, Step(Act.VOID, SECRETARY, Role.SECRETARY, reason="gone"))
    [post] = bench.posts(kind="waiting")
    assert post.due_at == bench.now + OFTEN
    assert "9 new" in getattr(the_list(bench, WATER_CHAT), "text", "")
    bench.later(hours=1)
    assert gone.id not in [each.incident_id for each in work(bench, WATER_CHAT, 30)]


def _shape(bench: Bench, post: Post) -> object:
    scene = load_scene(bench.session, post.incident_id or 0)
    assert scene is not None
    return CARDS[post.kind](Screen(SPEECH, bench.now, GROUND.zone), scene, post)


def test_the_last_one_of_the_list_takes_it_away(bench: Bench) -> None:
    incidents = queue(bench, MINUTE + 1)
    work(bench, WATER_CHAT, MINUTE + 1)
    carry_out(bench.desk, incidents[-1], Step(Act.VOID, SECRETARY, Role.SECRETARY, reason="gone"))
    assert isinstance(the_list(bench, WATER_CHAT), Gone)


def test_what_is_urgent_comes_as_a_card_and_first(bench: Bench) -> None:
    queue(bench, 40)
    cover = bench.incident(Status.DISPATCHED, number="OW-2026-0999")
    bench.post(cover, "card", urgent=True, due_at=bench.now)
    sent = work(bench, WATER_CHAT, 3)
    assert sent[0].incident_id == cover.id


def test_the_office_gets_a_list_of_what_needs_it(bench: Bench) -> None:
    for n in range(50):
        incident = bench.incident(Status.RESOLVED, number=f"OW-2026-{n + 1:04d}", category="rubbish")
        bench.post(incident, "office", chat_id=OFFICE, seq=incident.needs)
    sent = work(bench, OFFICE, MINUTE + 1)
    assert [post.kind for post in sent] == ["office", "waiting"] + ["office"] * (MINUTE - 1)
    content = the_list(bench, OFFICE)
    assert isinstance(content, Content) and "<b>30 incidents need you.</b>" in content.text
    settled = bench.posts(kind="office")[-1]
    incident = bench.session.get_one(Incident, settled.incident_id)
    carry_out(bench.desk, incident, Step(Act.CONFIRM, SECRETARY, Role.SECRETARY))
    assert "29 incidents" in getattr(the_list(bench, OFFICE), "text", "")


def test_the_group_hears_a_number_instead_of_a_line_for_each(bench: Bench) -> None:
    made = [
        bench.incident(Status.DISPATCHED, number=f"OW-2026-{n + 1:04d}", category="rubbish", shop="Noodles")
        for n in range(50)
    ]
    for incident in made:
        bench.post(incident, "line", chat_id=GUANDI_CHAT, seq=0)
    sent = work(bench, GUANDI_CHAT, 50)
    assert [post.kind for post in sent] == ["line", "waiting"] + ["line"] * (MINUTE - 1)
    content = the_list(bench, GUANDI_CHAT)
    assert isinstance(content, Content)
    # Whose they are is not for everybody to read, and nobody's phone rings.
    assert content.text.startswith("30 more incidents were reported here") and "Noodles" not in content.text
    assert content.rows == () and content.silent
    # What is done is asked about in the group, as ever.
    last = made[-1]
    bench.part(last, "after")
    carry_out(bench.desk, last, Step(Act.RESOLVE, UNIT, Role.UNIT))
    [line] = [post for post in work(bench, GUANDI_CHAT, 5) if post.kind == "line"]
    assert line.incident_id == last.id
    assert "29 more" in getattr(the_list(bench, GUANDI_CHAT), "text", "")


def test_incidents_whose_cards_are_held_remind_by_their_list(bench: Bench) -> None:
    incidents = queue(bench, 60, accept_due=NOW + timedelta(hours=2), repair_due=NOW + timedelta(hours=4))
    work(bench, WATER_CHAT, MINUTE + 1)
    for incident in incidents:
        incident.reminded_at = bench.now
        set_timer(bench.session, incident.ident, "remind", NOW)
    bench.later(hours=2)
    for incident in incidents:
        set_timer(bench.session, incident.ident, "remind", bench.now)
        assert fire(bench.desk, incident.ident, "remind")
    reminded = [post.incident_id or 0 for post in bench.posts(kind="reminder", chat_id=WATER_CHAT)]
    assert sorted(reminded) == sorted(each.ident for each in incidents[:MINUTE])
    # A new list, because a changed one rings nobody's phone; the one before goes.
    lists = bench.posts(kind="waiting", chat_id=WATER_CHAT)
    assert [each.args.get("newest", True) for each in lists] == [False, True]


def test_what_a_restore_holds_is_in_no_list(bench: Bench) -> None:
    incident = bench.incident(Status.DISPATCHED)
    post = bench.post(incident, "card", state="held", due_at=None, error="held by a restore")
    lines, total, _ = looking.held_lines(bench.desk, WATER_CHAT, "card", 0)
    assert (lines, total) == ([], 0)
    carry_out(bench.desk, incident, Step(Act.VOID, SECRETARY, Role.SECRETARY, reason="gone"))
    looking.open_held(bench.desk, incident, WATER_CHAT)
    bench.session.flush()
    bench.session.refresh(post)
    assert (post.state, post.due_at) == ("held", None)


def test_a_change_of_what_waits_costs_it_no_place(bench: Bench) -> None:
    incidents = queue(bench, 5)
    post_up(bench.desk, incidents[0])
    first = first_due(bench.session, WATER_CHAT, bench.now)
    assert first is not None and first.incident_id == incidents[0].id


def test_reactions_let_every_message_pass(bench: Bench) -> None:
    incident = bench.incident(Status.DISPATCHED, category="rubbish")
    bench.post(incident, "reaction", chat_id=GUANDI_CHAT, seq=1, reply_to=1, due_at=NOW - timedelta(hours=1))
    line = bench.post(incident, "line", chat_id=GUANDI_CHAT, seq=0)
    first = first_due(bench.session, GUANDI_CHAT, bench.now)
    assert first is not None and first.id == line.id


# ── very many pictures ──────────────────────────────────────────────────────────────────────────────────────────────


def post_pictures(bench: Bench, many: int, words: str = "", start: int = 0) -> Incident:
    here = bench.session.get_one(Binding, GUANDI_CHAT)
    found = None
    for n in range(start, start + many):
        bench.later(milliseconds=60)
        found = take_picture(
            bench.desk,
            here,
            Incoming(GUANDI_CHAT, 1000 + n, visitor(ZHANG), bench.now, text=words, media="photo", file_id=f"f{n}"),
        )
    assert found is not None
    bench.session.flush()
    return found


class Cost:
    """What the database is asked, and how many rows of parts and posts come back."""

    def __init__(self, bench: Bench) -> None:
        self.counted = {"statements": 0, "parts": 0, "posts": 0}
        self._heard = [
            (bench.session.get_bind(), "before_cursor_execute", "statements"),
            *((table, moment, name) for table, name in ((Part, "parts"), (Post, "posts")) for moment in MOMENTS),
        ]
        self._listeners = [(target, moment, partial(self._count, name)) for target, moment, name in self._heard]

    def _count(self, name: str, *_: object) -> None:
        self.counted[name] += 1

    def __enter__(self) -> dict[str, int]:
        for target, moment, listener in self._listeners:
            event.listen(target, moment, listener)
        return self.counted

    def __exit__(self, *_: object) -> None:
        for target, moment, listener in self._listeners:
            event.remove(target, moment, listener)


MOMENTS = ("load", "refresh")


@pytest.mark.parametrize("words", ["", "垃圾成堆", "看看"], ids=["without words", "clear words", "unclear words"])
def test_one_more_picture_costs_the_same_after_ten_and_after_a_thousand(bench: Bench, words: str) -> None:
    costs = []
    known = 0
    for more in (30, 970):
        post_pictures(bench, more, words, known)
        known += more
        bench.session.expunge_all()
        with Cost(bench) as cost:
            post_pictures(bench, 1, words, known)
        costs.append(cost)
        known += 1
    assert costs[0] == costs[1]


def test_a_card_of_a_thousand_pictures_reads_sixty_parts(bench: Bench) -> None:
    incident = post_pictures(bench, 1000, "垃圾成堆")
    bench.session.expunge_all()
    with Cost(bench) as cost:
        scene = load_scene(bench.session, incident.ident)
    assert scene is not None and cost["parts"] <= 60 and scene.pictures == 1000
    [card] = bench.posts(kind="card", chat_id=PROPERTY_CHAT)
    content = CARDS["card"](Screen(SPEECH, bench.now, GROUND.zone), scene, card)
    assert isinstance(content, Content)
    assert "📷 1000 pictures" in content.text and len(content.pictures) == 1


def test_a_thousand_pictures_are_one_incident_one_card_one_album_and_few_eyes(bench: Bench) -> None:
    incident = post_pictures(bench, 1000, "垃圾成堆")
    assert len(bench.session.exec(select(Part.id).where(Part.incident_id == incident.id)).all()) == 1000
    kinds: dict[str, int] = {}
    for post in bench.posts():
        kinds[post.kind] = kinds.get(post.kind, 0) + 1
    assert kinds == {"reaction": EYES, "card": 1, "album": 1, "line": 1}
    [album] = bench.posts(kind="album")
    shape = _shape(bench, album)
    assert isinstance(shape, Content) and len(shape.pictures) == SHOWN - 1
    # Full, so it waits for no more: whoever goes on posting for an hour does not hold it up.
    assert album.due_at is not None and album.due_at <= bench.now


def test_an_album_goes_out_when_the_gathering_ends_however_long_that_is(bench: Bench) -> None:
    post_pictures(bench, 2, "垃圾成堆")
    bench.later(seconds=10)
    incident = post_pictures(bench, 1, "垃圾成堆", start=2)
    [album] = bench.posts(kind="album")
    assert album.due_at == incident.gather_until + timedelta(seconds=1)


def test_a_flood_changes_the_card_three_times_a_minute(bench: Bench) -> None:
    post_pictures(bench, 30, "垃圾成堆")
    [card] = bench.posts(kind="card")
    stand(bench, card)
    before = bench.now
    post_pictures(bench, 10, "垃圾成堆", start=30)
    bench.session.refresh(card)
    assert card.due_at is not None
    assert before + SOON < card.due_at <= before + SOON + timedelta(seconds=1)


def test_the_rest_of_the_pictures_come_ten_at_a_time_when_asked_for(bench: Bench) -> None:
    incident = post_pictures(bench, 25, "垃圾成堆")
    [card] = bench.posts(kind="card")
    stand(bench, card)
    seen: list[str] = []
    for label in ("📷 12–21", "📷 22–25"):
        content = _shape(bench, card)
        assert isinstance(content, Content)
        data = next(button.data for row in content.rows for button in row if button.text == label)
        press(bench.desk, Pressed(PROPERTY_CHAT, card.message_ids[0], None, visitor(700), data))
        bench.session.flush()
        bench.session.refresh(card)
        newest = bench.posts(kind="pictures")[-1]
        shape = _shape(bench, newest)
        assert isinstance(shape, Content) and shape.album
        seen += shape.pictures
    content = _shape(bench, card)
    assert isinstance(content, Content) and not any(label.startswith("📷") for label in labels(content))
    # Each picture once: the card's own and its album, and then these.
    assert len(seen) == 14 == len(set(seen))
    [album] = bench.posts(kind="album")
    first = _shape(bench, album)
    assert isinstance(first, Content) and not set(first.pictures) & set(seen)
    # Once the unit has nothing to do with it any more, they leave its chat.
    carry_out(bench.desk, incident, Step(Act.VOID, SECRETARY, Role.SECRETARY, reason="gone"))
    assert all(isinstance(_shape(bench, post), Gone) for post in bench.posts(kind="pictures"))


def test_a_stranger_is_shown_no_pictures(bench: Bench) -> None:
    incident = post_pictures(bench, 25, "垃圾成堆")
    [card] = bench.posts(kind="card")
    stand(bench, card)
    told = press(bench.desk, Pressed(NANSHI_CHAT, None, None, visitor(ZHANG), f"n:{incident.id}::11"))
    assert told.alert and bench.posts(kind="pictures") == []


def test_settling_keeps_its_reminders_while_pictures_pour_in(bench: Bench) -> None:
    incident = post_pictures(bench, 1, "垃圾成堆")
    settle(bench.desk, incident)
    due = bench.timers(incident)["remind"]
    post_pictures(bench, 200, "垃圾成堆", start=1)
    assert bench.timers(incident)["remind"] == due
