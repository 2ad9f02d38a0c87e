"""Which messages stand for an incident: exactly these, in these chats, made once, and brought up to date after that."""

from datetime import timedelta
from typing import Any

import pytest

from bot.domain.acts import Status
from bot.services.posting import (
    add_notice,
    add_post,
    dangerous,
    post_up,
    replace_post,
    show_seen,
    subject,
    tell_office,
    unposted,
    waits,
)
from storage.tables import Binding, Incident, Post
from tests.rules.bench import (
    GUANDI_CHAT,
    HOUR,
    MINUTE,
    NOW,
    OFFICE,
    OTHER,
    OWN,
    PICTURE,
    TELECOM,
    WATER_CHAT,
    ZHANG,
    Bench,
)

SECOND = timedelta(seconds=1)


def stands(bench: Bench, incident: Incident) -> set[tuple[str, int, int]]:
    """(kind, chat, sequence) of the incident's posts, after they were looked at."""
    post_up(bench.desk, incident)
    return {(post.kind, post.chat_id, post.seq) for post in bench.posts(incident)}


REACTION = ("reaction", GUANDI_CHAT, 0)
LINE = ("line", GUANDI_CHAT, 0)
CARD = ("card", WATER_CHAT, 1)
CHECK = ("office", OFFICE, 1)


@pytest.mark.parametrize(
    ("status", "columns", "wanted"),
    [
        (Status.DRAFT, {}, {REACTION}),
        (Status.DRAFT, {"message_id": 0}, set()),
        (Status.DRAFT, {"need": "unknown", "needs": 1}, {REACTION, CHECK}),
        (Status.FILED, {}, {REACTION, LINE}),
        (Status.FILED, {"need": "returned", "needs": 3}, {REACTION, LINE, ("office", OFFICE, 3)}),
        (Status.DISPATCHED, {}, {REACTION, LINE, CARD}),
        (Status.DISPATCHED, {"message_id": 0}, {LINE, CARD}),
        (Status.DISPATCHED, {"cards": 4}, {REACTION, LINE, ("card", WATER_CHAT, 4)}),
        (Status.DISPATCHED, {"cards": 0}, {REACTION, LINE}),
        (Status.DISPATCHED, {"unit_id": TELECOM}, {REACTION, LINE}),
        (Status.ACCEPTED, {}, {REACTION, LINE, CARD}),
        (Status.RESOLVED, {}, {REACTION, LINE, CARD, CHECK}),
        (Status.CLOSED, {}, {REACTION, LINE, CARD}),
        (Status.VOID, {"number": None, "unit_id": None}, {REACTION}),
        (Status.ACCEPTED, {"chat_id": ZHANG}, {("reaction", ZHANG, 0), CARD}),
    ],
)
def test_an_incident_has_exactly_these_messages(
    bench: Bench, status: Status, columns: dict[str, Any], wanted: set[tuple[str, int, int]]
) -> None:
    assert stands(bench, bench.incident(status, **columns)) == wanted


def test_each_message_knows_where_it_goes(bench: Bench) -> None:
    incident = bench.incident(Status.RESOLVED, thread_id=5)
    bench.later(minutes=1)
    post_up(bench.desk, incident)
    told = {
        post.kind: (post.chat_id, post.thread_id, post.reply_to, post.due_at, post.subject, post.state)
        for post in bench.posts(incident)
    }
    name = f"incident:{incident.id}"
    assert subject(incident) == name
    assert told == {
        "reaction": (GUANDI_CHAT, None, PICTURE, bench.now, name, "due"),
        "line": (GUANDI_CHAT, 5, PICTURE, bench.now, name, "due"),
        "card": (WATER_CHAT, 9, None, bench.now, name, "due"),
        "office": (OFFICE, 7, None, bench.now, name, "due"),
    }


def test_a_report_without_a_message_is_answered_by_none(bench: Bench) -> None:
    incident = bench.incident(message_id=0)
    post_up(bench.desk, incident)
    assert bench.posts(incident, "line")[0].reply_to is None


def test_without_an_office_there_is_no_card_for_it(bench: Bench) -> None:
    bench.unbind(OFFICE)
    assert stands(bench, bench.incident(Status.RESOLVED)) == {REACTION, LINE, CARD}


# Pictures that follow their card


def test_one_picture_is_on_the_card_and_several_follow_it(bench: Bench) -> None:
    incident = bench.incident(gather_until=NOW - 10 * SECOND)
    bench.part(incident)
    assert stands(bench, incident) == {REACTION, LINE, CARD}
    bench.part(incident)
    assert stands(bench, incident) == {REACTION, LINE, CARD, ("album", WATER_CHAT, 1)}
    (album,) = bench.posts(incident, "album")
    assert (album.due_at, album.thread_id, album.reply_to) == (NOW, 9, None)


def test_pictures_follow_once_no_more_are_expected(bench: Bench) -> None:
    incident = bench.incident(gather_until=NOW + 10 * SECOND)
    bench.part(incident)
    bench.part(incident)
    post_up(bench.desk, incident)
    assert bench.posts(incident, "album")[0].due_at == NOW + 11 * SECOND
    incident.gather_until = NOW + 12 * SECOND
    post_up(bench.desk, incident)
    assert bench.posts(incident, "album")[0].due_at == NOW + 13 * SECOND
    # However far ahead that lies, a community's own gathering time is all that is waited.
    incident.gather_until = NOW + HOUR
    post_up(bench.desk, incident)
    assert bench.posts(incident, "album")[0].due_at == NOW + 16 * SECOND


def test_an_album_that_is_full_waits_for_nothing(bench: Bench) -> None:
    from bot.views.content import SHOWN

    incident = bench.incident(gather_until=NOW + 10 * SECOND)
    for number in range(SHOWN - 1):
        bench.part(incident, message_id=PICTURE + number)
    post_up(bench.desk, incident)
    assert bench.posts(incident, "album")[0].due_at == NOW + 11 * SECOND
    for number in range(3):
        bench.part(incident, message_id=PICTURE + 500 + number)
    post_up(bench.desk, incident)
    assert bench.posts(incident, "album")[0].due_at == NOW


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED])
def test_what_is_done_needs_no_pictures_behind_its_card(bench: Bench, status: Status) -> None:
    incident = bench.incident(status)
    bench.part(incident)
    bench.part(incident)
    assert ("album", WATER_CHAT, 1) not in stands(bench, incident)


# Brought up to date


def test_what_stands_already_is_brought_up_to_date_and_not_made_twice(bench: Bench) -> None:
    incident = bench.incident()
    post_up(bench.desk, incident)
    for post in bench.posts(incident):
        post.state, post.due_at, post.shown, post.digest, post.sent_at = "shown", None, 1, "x", NOW
    bench.later(minutes=2)
    post_up(bench.desk, incident)
    found = bench.posts(incident)
    assert len(found) == 3
    assert {(post.wanted, post.due_at, post.state) for post in found} == {(2, bench.now, "shown")}


def test_a_change_may_be_shown_a_little_later(bench: Bench) -> None:
    incident = bench.incident()
    post_up(bench.desk, incident)
    for post in bench.posts(incident):
        post.state, post.due_at, post.digest = "shown", None, "x"
    post_up(bench.desk, incident, within=30 * SECOND)
    assert {post.due_at for post in bench.posts(incident)} == {NOW + 30 * SECOND}
    # Sooner counts, later does not.
    post_up(bench.desk, incident, within=5 * SECOND)
    post_up(bench.desk, incident, within=9 * SECOND)
    assert {post.due_at for post in bench.posts(incident)} == {NOW + 5 * SECOND}
    post_up(bench.desk, incident)
    assert {post.due_at for post in bench.posts(incident)} == {NOW}


def test_a_reaction_that_shows_it_already_is_left_alone(bench: Bench) -> None:
    from bot.views.group_line import eyes

    incident = bench.incident()
    post_up(bench.desk, incident)
    (reaction,) = bench.posts(incident, "reaction")
    reaction.state, reaction.due_at, reaction.shown, reaction.digest = "shown", None, 1, eyes(incident).digest
    post_up(bench.desk, incident)
    (reaction,) = bench.posts(incident, "reaction")
    assert (reaction.wanted, reaction.due_at) == (1, None)
    incident.status = "closed"
    post_up(bench.desk, incident)
    (reaction,) = bench.posts(incident, "reaction")
    assert (reaction.wanted, reaction.due_at) == (2, NOW)


def test_what_had_gone_comes_back_when_it_is_called_for_again(bench: Bench) -> None:
    incident = bench.incident()
    post_up(bench.desk, incident)
    (card,) = bench.posts(incident, "card")
    card.state, card.due_at, card.form, card.message_ids, card.attempts = "gone", None, "photo", [3], 4
    post_up(bench.desk, incident)
    (card,) = bench.posts(incident, "card")
    assert (card.state, card.due_at, card.form, card.message_ids, card.attempts, card.wanted) == (
        "due", NOW, "", [], 0, 2,
    )  # fmt: skip


def test_what_was_to_be_taken_away_stays_when_it_is_called_for_again(bench: Bench) -> None:
    incident = bench.incident()
    post_up(bench.desk, incident)
    (card,) = bench.posts(incident, "card")
    card.state, card.remove_at, card.due_at, card.message_ids = "shown", NOW, NOW - MINUTE, [3]
    post_up(bench.desk, incident)
    (card,) = bench.posts(incident, "card")
    assert (card.state, card.remove_at, card.due_at, card.message_ids) == ("shown", None, NOW, [3])


def test_what_is_new_is_not_looked_for(bench: Bench) -> None:
    """A report filed in this transaction cannot have messages yet: that saves a look at each of thousands."""
    incident = bench.incident()
    bench.post(incident, "sheet")
    post_up(bench.desk, incident, fresh=True)
    assert [(post.kind, post.wanted) for post in bench.posts(incident)] == [
        ("sheet", 1), ("reaction", 1), ("line", 1), ("card", 1),
    ]  # fmt: skip


def test_a_message_that_waits_for_its_moment_keeps_it(bench: Bench) -> None:
    incident = bench.incident()
    post_up(bench.desk, incident)
    (card,) = bench.posts(incident, "card")
    card.due_at = NOW + HOUR
    post_up(bench.desk, incident)
    assert bench.posts(incident, "card")[0].due_at == NOW + HOUR


def test_lists_follow_what_waits_behind_them(bench: Bench) -> None:
    incident = bench.incident(Status.RESOLVED)
    held = bench.post(incident, "line", chat_id=GUANDI_CHAT, state="held", due_at=None, seq=0)
    listed = bench.post(None, "waiting", chat_id=GUANDI_CHAT, state="shown", due_at=None)
    post_up(bench.desk, incident)
    bench.session.refresh(held)
    bench.session.refresh(listed)
    assert (held.state, held.due_at) == ("due", NOW) and listed.due_at is not None


def test_without_anything_held_no_list_is_touched(bench: Bench) -> None:
    incident = bench.incident(Status.RESOLVED)
    post_up(bench.desk, incident)
    listed = bench.post(None, "waiting", chat_id=GUANDI_CHAT, state="shown", due_at=None)
    post_up(bench.desk, incident)
    bench.session.refresh(listed)
    assert listed.due_at is None


def test_it_is_known_whether_a_message_was_never_made(bench: Bench) -> None:
    incident = bench.incident()
    assert unposted(bench.desk, incident)
    post_up(bench.desk, incident)
    assert not unposted(bench.desk, incident)
    bench.posts(incident, "line")[0].state = "gone"
    bench.session.flush()
    assert not unposted(bench.desk, incident)
    incident.cards = 2
    assert unposted(bench.desk, incident)


# One post more


def test_a_post_is_due_now_unless_said_otherwise(bench: Bench) -> None:
    incident = bench.incident(category="road")
    post = add_post(bench.desk, incident, "prompt", GUANDI_CHAT, user_id=ZHANG, remove_at=NOW + MINUTE)
    told = (post.due_at, post.urgent, post.subject, post.incident_id, post.kind, post.chat_id, post.user_id)
    assert told == (NOW, False, subject(incident), incident.id, "prompt", GUANDI_CHAT, ZHANG)
    assert post.remove_at == NOW + MINUTE
    later = add_post(bench.desk, incident, "sheet", GUANDI_CHAT, due_at=NOW + HOUR, urgent=True)
    assert (later.due_at, later.urgent) == (NOW + HOUR, True)


@pytest.mark.parametrize(
    ("kind", "category", "beyond", "urgent"),
    [
        ("card", "cover.water", False, True),
        ("card", "road", False, False),
        ("card", "", False, False),
        ("card", "cover.water", True, False),
        ("office", "fire", False, True),
        ("reminder", "power", False, True),
        ("line", "cover.water", False, False),
        ("reaction", "cover.water", False, False),
    ],
)
def test_what_may_hurt_somebody_goes_first_where_somebody_must_act(
    bench: Bench, kind: str, category: str, beyond: bool, urgent: bool
) -> None:
    incident = bench.incident(category=category, beyond=beyond)
    assert add_post(bench.desk, incident, kind, WATER_CHAT).urgent is urgent
    assert dangerous(incident) is (category in ("cover.water", "fire", "power"))


def test_a_new_post_wakes_the_delivery(bench: Bench) -> None:
    incident = bench.incident()
    add_post(bench.desk, incident, "card", WATER_CHAT)
    assert bench.session.info["stirred"] == {"posts"}
    bench.session.info.clear()
    add_notice(bench.desk, OFFICE, "note", "k", sentence="x")
    assert bench.session.info["stirred"] == {"posts"}


def test_a_post_takes_the_place_of_its_like_in_the_same_chat(bench: Bench) -> None:
    incident = bench.incident()
    home = bench.session.get_one(Binding, WATER_CHAT)
    first = replace_post(bench.desk, incident, "reminder", home, args={"step": "soon"})
    assert (first.seq, first.thread_id, first.chat_id) == (0, 9, WATER_CHAT)
    elsewhere = bench.post(incident, "reminder", chat_id=OFFICE, seq=0, due_at=None)
    another = bench.post(incident, "sheet", seq=0, due_at=None)
    gone = bench.post(incident, "reminder", seq=5, state="gone", due_at=None)
    bench.later(minutes=1)
    second = replace_post(bench.desk, incident, "reminder", home, args={"step": "due"}, reply_to=4)
    bench.session.flush()
    assert (second.seq, second.args, second.reply_to, second.due_at) == (6, {"step": "due"}, 4, bench.now)
    bench.session.refresh(first)
    assert (first.args, first.wanted, first.due_at) == ({"step": "soon", "newest": False}, 2, bench.now)
    for untouched in (elsewhere, another, gone):
        bench.session.refresh(untouched)
        assert untouched.args == {} and untouched.wanted == 1 and untouched.due_at is None


# Reactions


def test_each_message_taken_in_shows_that_it_was_seen(bench: Bench) -> None:
    incident = bench.incident()
    show_seen(bench.desk, incident, GUANDI_CHAT, 77)
    (post,) = bench.posts(incident)
    assert (post.kind, post.chat_id, post.seq, post.reply_to, post.due_at) == ("reaction", GUANDI_CHAT, 77, 77, NOW)


def test_of_hundreds_in_a_minute_the_first_twenty_show_it(bench: Bench) -> None:
    incident = bench.incident()
    for number in range(25):
        show_seen(bench.desk, incident, GUANDI_CHAT, 100 + number)
    found = bench.posts(incident, "reaction")
    assert [post.seq for post in found] == list(range(100, 120))
    for post in found:
        post.sent_at = NOW
    bench.session.flush()
    bench.later(seconds=59)
    show_seen(bench.desk, incident, GUANDI_CHAT, 200)
    assert len(bench.posts(incident, "reaction")) == 20
    bench.later(seconds=1)
    show_seen(bench.desk, incident, GUANDI_CHAT, 200)
    assert [post.seq for post in bench.posts(incident, "reaction")][-1] == 200


# Beyond a person's quota


def test_what_waits_in_the_quotas_list_is_shown_to_nobody_yet(bench: Bench) -> None:
    incident = bench.incident(Status.FILED, need="quota", needs=1, beyond=True)
    assert waits(incident)
    assert stands(bench, incident) == {REACTION}


def test_only_what_is_filed_waits_there(bench: Bench) -> None:
    assert not waits(bench.incident(Status.FILED, need="returned"))
    assert not waits(bench.incident(Status.DISPATCHED, need="quota", number="x"))


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (Status.FILED, False),
        (Status.DISPATCHED, False),
        (Status.ACCEPTED, False),
        (Status.RESOLVED, True),
        (Status.CLOSED, True),
        (Status.VOID, False),
    ],
)
def test_of_a_flood_the_group_hears_what_was_done(bench: Bench, status: Status, told: bool) -> None:
    assert (LINE in stands(bench, bench.incident(status, beyond=True))) is told


# Notices


def test_a_notice_is_said_once_and_knows_all_it_was_told(bench: Bench) -> None:
    for _ in range(2):
        add_notice(
            bench.desk,
            GUANDI_CHAT,
            "note",
            "update:5",
            thread_id=3,
            reply_to=4,
            user_id=ZHANG,
            remove_after=2 * MINUTE,
            urgent=True,
            sentence="x",
            more=[1],
        )
    (post,) = bench.posts()
    told = post.model_dump(
        include={"subject", "kind", "chat_id", "thread_id", "reply_to", "user_id", "urgent", "args", "due_at"}
    )
    assert told == {
        "subject": "update:5",
        "kind": "note",
        "chat_id": GUANDI_CHAT,
        "thread_id": 3,
        "reply_to": 4,
        "user_id": ZHANG,
        "urgent": True,
        "args": {"sentence": "x", "more": [1]},
        "due_at": NOW,
    }
    assert post.remove_at == NOW + 2 * MINUTE and post.incident_id is None


def test_a_plain_notice_stays_and_is_for_all(bench: Bench) -> None:
    add_notice(bench.desk, GUANDI_CHAT, "note", "k")
    add_notice(bench.desk, OFFICE, "note", "k")
    add_notice(bench.desk, OFFICE, "menu", "k")
    posts = bench.posts()
    assert [(post.chat_id, post.kind) for post in posts] == [
        (GUANDI_CHAT, "note"), (OFFICE, "note"), (OFFICE, "menu"),
    ]  # fmt: skip
    assert {(post.remove_at, post.urgent, post.user_id, post.reply_to, post.thread_id) for post in posts} == {
        (None, False, None, None, None)
    }


def test_the_office_is_told_where_it_is(bench: Bench) -> None:
    tell_office(bench.desk, OWN, "note", "lost:1", sentence="x")
    (post,) = bench.posts()
    told = (post.chat_id, post.thread_id, post.kind, post.subject, post.args)
    assert told == (OFFICE, 7, "note", "lost:1", {"sentence": "x"})
    bench.unbind(OFFICE)
    tell_office(bench.desk, OWN, "note", "lost:2", sentence="x")
    assert len(bench.posts()) == 1
    tell_office(bench.desk, OTHER, "note", "lost:2", sentence="x")
    assert len(bench.posts()) == 2 and isinstance(post, Post)
