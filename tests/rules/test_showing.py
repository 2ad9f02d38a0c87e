"""A post's way: rendered as its rows are now, tried, and what became of it noted: each outcome in each state."""

from datetime import timedelta
from typing import Any

import pytest

from bot.channels.outcome import (
    Migrated,
    Missing,
    Outcome,
    Place,
    Refused,
    Removed,
    Shown,
    Unfit,
    Unknown,
    Wait,
)
from bot.domain.acts import Status
from bot.services.posting import post_up
from bot.services.showing import Prepared, note, prepare, put_off, set_out
from bot.views.content import Content, Gone, Menu, Reaction
from storage.posts import post_of_message, release_leases, remember_messages
from storage.tables import Binding, Incident, Note, Person, Post
from tests.rules.bench import (
    GUANDI_CHAT,
    HOUR,
    MINUTE,
    NOW,
    OFFICE,
    OPERATOR,
    OWN,
    STRANGE_CHAT,
    WATER_CHAT,
    ZHANG,
    Bench,
)

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
SENT = {"state": "shown", "message_ids": [7], "form": "text", "shown": 1, "sent_at": NOW - HOUR, "digest": "old"}
"""What stands there already, as it was an hour ago."""

WELL = Content("Well.", silent=True)


def notice(bench: Bench, chat: int = WATER_CHAT, **columns: Any) -> Post:
    """A sentence, to be said now: `WELL`."""
    return bench.post(None, "note", chat_id=chat, seq=0, args={"sentence": "Well."}, **columns)


def row(post: Post, session: Any) -> dict[str, Any]:
    session.flush()
    session.refresh(post)
    return dict(post.model_dump())


def ready(bench: Bench, post: Post) -> Prepared:
    found = prepare(bench.desk, post.ident)
    assert found is not None
    return found


def tried(bench: Bench, post: Post, outcome: Outcome, sends: bool | None = None) -> dict[str, Any]:
    """The post goes its whole way, with this outcome; returns the columns that changed."""
    bench.session.flush()
    before = row(post, bench.session)
    prepared = ready(bench, post)
    if prepared.sends if sends is None else sends:
        set_out(bench.desk, post.ident)
    note(bench.desk, prepared, outcome)
    after = row(post, bench.session)
    return {name: value for name, value in after.items() if value != before[name]}


# Rendered


def test_what_is_ready_says_where_it_goes_and_what_it_shows(bench: Bench) -> None:
    post = notice(
        bench, STRANGE_CHAT, thread_id=3, reply_to=4, user_id=ZHANG, message_ids=[7, 8], form="photo", picture="part:1",
        ephemeral=True, wanted=5, shown=4, attempts=2, state="shown", urgent=True,
    )  # fmt: skip
    prepared = ready(bench, post)
    assert prepared == Prepared(
        post.ident,
        5,
        Place(STRANGE_CHAT, 3, 4, ZHANG, (7, 8), "photo", "part:1", True),
        WELL,
        2,
        True,
        None,
        False,
    )
    assert not prepared.sends


def test_a_card_names_its_incident_and_a_lost_chat_is_told(bench: Bench) -> None:
    incident = bench.incident()
    bench.binding(WATER_CHAT, lost_at=NOW)
    prepared = ready(bench, bench.post(incident))
    assert (prepared.carded, prepared.lost, prepared.urgent) == (incident.id, True, False)
    other = ready(bench, bench.post(incident, "line", chat_id=GUANDI_CHAT))
    assert (other.carded, other.lost) == (None, False)


@pytest.mark.parametrize("due", [None, NOW + timedelta(milliseconds=1)])
def test_what_is_not_due_is_left_alone(bench: Bench, due: Any) -> None:
    post = notice(bench, due_at=due)
    assert prepare(bench.desk, post.ident) is None
    assert row(post, bench.session)["due_at"] == due


def test_a_post_that_is_no_more_is_left_alone(bench: Bench) -> None:
    assert prepare(bench.desk, 4711) is None
    set_out(bench.desk, 4711)
    put_off(bench.desk, 4711)
    assert bench.posts() == []


def test_what_stands_there_as_it_should_is_not_sent_again(bench: Bench) -> None:
    digest = WELL.digest
    post = notice(bench, state="shown", message_ids=[7], form="text", digest=digest, wanted=4, shown=2)
    assert prepare(bench.desk, post.ident) is None
    after = row(post, bench.session)
    assert (after["shown"], after["due_at"], after["state"]) == (4, None, "shown")


def test_what_stands_there_as_it_should_still_goes_when_its_time_comes(bench: Bench) -> None:
    shown = {"state": "shown", "message_ids": [7], "form": "text", "digest": WELL.digest}
    post = notice(bench, **shown, remove_at=NOW + MINUTE)
    assert prepare(bench.desk, post.ident) is None
    assert row(post, bench.session)["due_at"] == NOW + MINUTE
    bench.now = NOW + MINUTE
    assert ready(bench, post).shape == Gone("·")


def test_the_same_words_that_never_arrived_are_sent(bench: Bench) -> None:
    post = notice(bench, state="due", digest=WELL.digest)
    assert ready(bench, post).shape == WELL


@pytest.mark.parametrize("state", ["due", "unknown"])
def test_what_never_arrived_and_is_over_is_simply_gone(bench: Bench, state: str) -> None:
    incident = bench.incident(cards=2)
    post = bench.post(incident, seq=1, state=state, wanted=3)
    assert prepare(bench.desk, post.ident) is None
    after = row(post, bench.session)
    assert (after["state"], after["due_at"], after["shown"], after["doubled"]) == (
        "gone", None, 3, int(state == "unknown"),
    )  # fmt: skip


def test_what_is_to_be_taken_away_and_never_arrived_is_gone(bench: Bench) -> None:
    post = notice(bench, remove_at=NOW)
    assert prepare(bench.desk, post.ident) is None
    assert post.state == "gone"


def test_what_stands_there_and_is_over_is_taken_away(bench: Bench) -> None:
    incident = bench.incident(cards=2)
    prepared = ready(bench, bench.post(incident, seq=1, **SENT))
    assert isinstance(prepared.shape, Gone) and not prepared.sends
    reaction = bench.incident(Status.VOID, number=None, unit_id=None)
    shown = bench.post(reaction, "reaction", chat_id=GUANDI_CHAT, form="reaction", state="shown", digest="reaction:👀")
    assert ready(bench, shown).shape == Reaction("")


def test_a_message_of_an_incident_that_is_no_more_is_gone(bench: Bench) -> None:
    incident = bench.incident()
    sent = bench.post(incident, **SENT)
    bench.session.connection().exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    bench.session.connection().exec_driver_sql(f"DELETE FROM incident WHERE id={incident.id}")
    bench.session.expire_all()
    assert ready(bench, sent).shape == Gone("")


def test_only_a_new_message_sends(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED)
    for number in range(3):
        bench.part(incident, message_id=100 + number)
    assert ready(bench, notice(bench)).sends
    assert not ready(bench, bench.post(incident, **SENT)).sends
    assert not ready(bench, bench.post(incident, "reaction", chat_id=GUANDI_CHAT, reply_to=5)).sends
    # The rest of an album is a new message each time.
    album = {"state": "shown", "message_ids": [7], "form": "album", "seq": 1}
    assert ready(bench, bench.post(incident, "album", **album)).sends
    menu = ready(bench, bench.post(None, "menu", subject="y", chat_id=WATER_CHAT))
    assert isinstance(menu.shape, Menu) and not menu.sends


def test_a_reminder_waits_for_the_morning_and_for_the_one_before_it(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED, category="road")
    bench.now = NOW.replace(hour=15)  # 23:00 in Shanghai
    args = {"clock": "repair", "step": "soon", "unit": incident.unit_id}
    reminder = bench.post(incident, "reminder", seq=1, args=args)
    assert prepare(bench.desk, reminder.ident) is None
    assert row(reminder, bench.session)["due_at"] == NOW.replace(hour=23)
    bench.now = NOW.replace(hour=23)
    earlier = bench.post(incident, "reminder", **SENT, due_at=bench.now + MINUTE, seq=0, args={**args, "newest": False})
    assert prepare(bench.desk, reminder.ident) is None
    assert row(reminder, bench.session)["due_at"] == bench.now + MINUTE + SECOND
    earlier.state, earlier.due_at, earlier.message_ids = "gone", None, []
    bench.session.flush()
    bench.later(seconds=61)
    assert isinstance(ready(bench, reminder).shape, Content)


def test_a_reminder_that_stands_is_changed_at_any_hour_and_one_that_is_over_goes(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED, category="road")
    bench.now = NOW.replace(hour=15)
    args = {"clock": "repair", "step": "soon", "unit": incident.unit_id}
    assert isinstance(ready(bench, bench.post(incident, "reminder", seq=0, args=args, **SENT)).shape, Content)
    over = bench.post(incident, "reminder", seq=1, args={**args, "newest": False})
    assert prepare(bench.desk, over.ident) is None
    assert over.state == "gone"


def test_more_cards_than_a_minute_takes_wait_behind_a_list(bench: Bench) -> None:
    cards = []
    for number in range(22):
        incident = bench.incident(category="road", number=f"OW-2025-{number:04d}")
        cards.append(bench.post(incident, due_at=NOW - timedelta(seconds=30 - number)))
    assert ready(bench, cards[0]).sends
    bench.session.expire_all()
    assert prepare(bench.desk, cards[21].ident) is None
    assert row(cards[21], bench.session)["state"] == "held"
    (listed,) = bench.posts(None, "waiting")
    assert (listed.chat_id, listed.urgent, listed.args["of"]) == (WATER_CHAT, True, "card")


# In whose language


def languages(bench: Bench, post: Post) -> str:
    shape = ready(bench, post).shape
    assert isinstance(shape, Content)
    return "zh" if any("\u4e00" <= sign <= "\u9fff" for sign in shape.text) else "en"


SENTENCE = {"sentence": "Noted already, thank you."}


@pytest.mark.parametrize(
    ("chat", "person", "community", "hint", "spoken"),
    [
        ("", "", "", "", "en"),
        ("zh", "", "", "", "zh"),
        ("", "", "zh", "", "zh"),
        ("en", "", "zh", "zh", "en"),
        ("", "", "zh", "en", "en"),
        ("", "", "", "zh", "zh"),
    ],
)
def test_a_chat_is_spoken_to_in_its_language(
    bench: Bench, chat: str, person: str, community: str, hint: str, spoken: str
) -> None:
    bench.community(language=community)
    bench.binding(WATER_CHAT, language=chat)
    post = notice(bench)
    post.args = {**SENTENCE, **({"language": hint} if hint else {})}
    assert languages(bench, post) == spoken


def test_whoever_a_message_is_for_reads_it_in_their_own(bench: Bench) -> None:
    bench.binding(GUANDI_CHAT, language="en")
    bench.session.add(Person(user_id=ZHANG, language="zh"))
    bench.session.flush()
    own = notice(bench, GUANDI_CHAT, user_id=ZHANG)
    own.args = SENTENCE
    assert languages(bench, own) == "zh"
    private = notice(bench, ZHANG, subject="y")
    private.args = SENTENCE
    assert languages(bench, private) == "zh"
    all_of_them = notice(bench, GUANDI_CHAT, subject="z")
    all_of_them.args = SENTENCE
    assert languages(bench, all_of_them) == "en"


def test_a_person_without_a_language_reads_the_chats(bench: Bench) -> None:
    bench.binding(GUANDI_CHAT, language="zh")
    bench.session.add(Person(user_id=ZHANG, language=""))
    bench.session.flush()
    own = notice(bench, GUANDI_CHAT, user_id=ZHANG)
    own.args = SENTENCE
    assert languages(bench, own) == "zh"


def test_an_incident_is_told_in_its_own_communitys_language(bench: Bench) -> None:
    """A street's office reads of its communities' incidents."""
    bench.community(language="zh")
    incident = bench.incident(Status.ACCEPTED, category="road")
    sheet = bench.post(incident, "sheet", chat_id=-1001, args={"role": "street"})
    assert languages(bench, sheet) == "zh"


def test_a_chat_that_is_bound_to_nothing_is_spoken_to_as_set(bench: Bench) -> None:
    bench.community(language="zh")
    post = notice(bench, STRANGE_CHAT)
    post.args = SENTENCE
    assert languages(bench, post) == "en"


# On its way


def test_a_message_on_its_way_is_marked_and_a_second_time_counted(bench: Bench) -> None:
    post = notice(bench)
    set_out(bench.desk, post.ident)
    assert (post.state, post.lease, post.doubled) == ("sending", NOW + MINUTE, 0)
    post.state = "unknown"
    set_out(bench.desk, post.ident)
    assert (post.state, post.doubled) == ("sending", 1)


def test_what_another_relay_was_told_to_send_before_it_died_is_counted(bench: Bench) -> None:
    post = notice(bench, state="sending", lease=NOW)
    assert tried(bench, post, Unknown("lost", sent_maybe=True))["doubled"] == 1
    over = bench.post(bench.incident(Status.CLOSED), "reminder", state="sending", lease=NOW)
    assert prepare(bench.desk, over.ident) is None
    assert (over.state, over.doubled) == ("gone", 1)


# It stands there


TEXT = Shown((11,), "text")


def test_what_was_sent_is_known_by_its_message(bench: Bench) -> None:
    post = notice(bench, wanted=3, attempts=2, error="x")
    assert tried(bench, post, Shown((11, 12), "photo", "part:1")) == {
        "state": "shown",
        "shown": 3,
        "message_ids": [11, 12],
        "form": "photo",
        "picture": "part:1",
        "digest": WELL.digest,
        "attempts": 0,
        "error": "",
        "sent_at": NOW,
        "due_at": None,
    }
    for message in (11, 12):
        found = post_of_message(bench.session, WATER_CHAT, message)
        assert found is not None and found.id == post.id


def test_what_was_changed_meanwhile_is_looked_at_again(bench: Bench) -> None:
    post = notice(bench)
    prepared = ready(bench, post)
    post.wanted = 2
    bench.session.flush()
    note(bench.desk, prepared, TEXT)
    after = row(post, bench.session)
    assert (after["shown"], after["due_at"]) == (1, NOW)


def test_what_is_to_go_again_goes_at_its_moment(bench: Bench) -> None:
    post = notice(bench, remove_at=NOW + MINUTE)
    assert tried(bench, post, TEXT)["due_at"] == NOW + MINUTE


def test_an_edit_keeps_the_moment_of_the_first_and_knows_the_new_messages(bench: Bench) -> None:
    post = notice(bench, **SENT, wanted=2)
    remember_messages(bench.session, post.ident, WATER_CHAT, [7])
    changed = tried(bench, post, Shown((7, 8), "text"))
    assert "sent_at" not in changed and changed["message_ids"] == [7, 8] and changed["shown"] == 2
    for message in (7, 8):
        found = post_of_message(bench.session, WATER_CHAT, message)
        assert found is not None and found.id == post.id


def test_what_one_person_sees_is_no_message_of_the_chat(bench: Bench) -> None:
    post = notice(bench, GUANDI_CHAT, user_id=ZHANG)
    assert tried(bench, post, Shown((11,), "text", ephemeral=True))["ephemeral"] is True
    assert post_of_message(bench.session, GUANDI_CHAT, 11) is None


@pytest.mark.parametrize(
    ("columns", "sooner"),
    [({}, True), ({**SENT, "wanted": 2, "attempts": 1}, True), ({**SENT, "wanted": 2}, False)],
    ids=["a first send", "an edit that was refused before", "an edit like any other"],
)
def test_one_message_gets_through_and_so_may_what_was_refused_before_it(
    bench: Bench, columns: dict[str, Any], sooner: bool
) -> None:
    later = NOW + MINUTE
    refused = notice(bench, subject="refused", attempts=2, due_at=later)
    fresh = notice(bench, subject="fresh", due_at=later)
    elsewhere = notice(bench, STRANGE_CHAT, subject="elsewhere", attempts=2, due_at=later)
    tried(bench, notice(bench, **columns), Shown((11,), "text"))
    assert row(refused, bench.session)["due_at"] == (NOW if sooner else later)
    assert row(fresh, bench.session)["due_at"] == row(elsewhere, bench.session)["due_at"] == later


def test_a_reaction_is_no_message(bench: Bench) -> None:
    incident = bench.incident()
    post = bench.post(incident, "reaction", chat_id=GUANDI_CHAT, reply_to=51)
    assert tried(bench, post, Shown((), "reaction")) == {
        "state": "shown",
        "shown": 1,
        "form": "reaction",
        "digest": "reaction:👀",
        "sent_at": NOW,
        "due_at": None,
    }


def album(bench: Bench, pictures: int, **columns: Any) -> Post:
    incident = bench.incident(Status.ACCEPTED)
    for number in range(pictures + 1):
        bench.part(incident, message_id=100 + number)
    return bench.post(incident, "album", **columns)


def test_an_album_goes_on_until_all_its_pictures_stand_there(bench: Bench) -> None:
    post = album(bench, 4)
    keys = ready(bench, post).shape
    assert isinstance(keys, Content) and len(keys.pictures) == 4
    changed = tried(bench, post, Shown((21, 22), "album", ",".join(keys.pictures[:2])))
    assert changed["message_ids"] == [21, 22] and post.digest == "" and post.due_at == NOW
    bench.later(seconds=2)
    changed = tried(bench, post, Shown((21, 22, 23, 24), "album", ",".join(keys.pictures)))
    assert post.digest != "" and changed["due_at"] is None


def test_an_album_of_which_nothing_more_could_be_fetched_rests(bench: Bench) -> None:
    post = album(bench, 4, message_ids=[21, 22], form="album", state="shown")
    changed = tried(bench, post, Shown((21, 22), "album", "part:2,part:3"))
    assert changed["due_at"] is None and post.digest == ""
    assert tried_nothing(bench, post)


def tried_nothing(bench: Bench, post: Post) -> bool:
    return prepare(bench.desk, post.ident) is None


def test_a_card_that_went_out_without_its_picture_gets_it_later(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED)
    post = bench.post(incident)
    without = Shown((11,), "text", without=frozenset({"unfetched"}))
    assert tried(bench, post, without)["due_at"] == NOW + 10 * MINUTE and post.digest == ""
    bench.now = NOW + 10 * MINUTE
    assert tried(bench, post, without)["due_at"] == NOW + 20 * MINUTE
    bench.now = NOW + DAY
    changed = tried(bench, post, without)
    assert changed["due_at"] is None and post.digest != ""


def test_a_message_that_goes_soon_is_not_kept_for_its_picture(bench: Bench) -> None:
    post = notice(bench, remove_at=NOW + MINUTE)
    assert tried(bench, post, Shown((11,), "text", without=frozenset({"unfetched"})))["due_at"] == NOW + MINUTE


def test_a_card_that_arrives_after_all_needs_the_secretary_no_more(bench: Bench) -> None:
    incident = bench.incident(need="undelivered", needs=1)
    post_up(bench.desk, incident)
    (card,) = bench.posts(incident, "card")
    (office,) = bench.posts(incident, "office")
    tried(bench, card, TEXT)
    assert incident.need == ""
    bench.session.refresh(office)
    assert office.wanted == 2


@pytest.mark.parametrize(
    ("kind", "need", "seq"), [("card", "check", 1), ("card", "undelivered", 0), ("line", "undelivered", 1)]
)
def test_another_message_or_another_need_is_not_answered_by_it(bench: Bench, kind: str, need: str, seq: int) -> None:
    incident = bench.incident(need=need, needs=1, cards=1)
    sent = {**SENT, "seq": seq}
    post = bench.post(incident, kind, **sent, wanted=2)
    tried(bench, post, TEXT)
    assert incident.need == need


def test_a_chat_that_takes_a_message_is_not_lost(bench: Bench) -> None:
    binding = bench.binding(WATER_CHAT, lost_at=NOW - HOUR)
    waiting = bench.post(None, "note", subject="w", chat_id=WATER_CHAT, state="broken", due_at=None)
    tried(bench, notice(bench), TEXT)
    assert binding.lost_at is None
    bench.session.refresh(waiting)
    assert (waiting.state, waiting.due_at) == ("due", NOW)


def test_what_is_not_a_message_tells_nothing_of_its_chat(bench: Bench) -> None:
    binding = bench.binding(GUANDI_CHAT, lost_at=NOW - HOUR)
    incident = bench.incident()
    tried(bench, bench.post(incident, "reaction", chat_id=GUANDI_CHAT, reply_to=51), Shown((), "reaction"))
    assert binding.lost_at is not None


def test_a_topic_that_is_gone_is_left_for_the_group_itself(bench: Bench) -> None:
    post, later = notice(bench, thread_id=9), bench.post(None, "note", subject="w", thread_id=9)
    other = bench.post(None, "note", subject="v", thread_id=8)
    tried(bench, post, Shown((11,), "text", without=frozenset({"thread"})))
    for each in (later, other):
        bench.session.refresh(each)
    assert (later.thread_id, other.thread_id) == (None, 8)
    assert bench.session.get_one(Binding, WATER_CHAT, populate_existing=True).thread_id is None
    assert "topic" in notes(bench)[0]


def test_a_topic_that_was_not_the_chats_own_is_nobodys_news(bench: Bench) -> None:
    tried(bench, notice(bench, thread_id=8), Shown((11,), "text", without=frozenset({"thread"})))
    assert notes(bench) == [] and bench.session.get_one(Binding, WATER_CHAT).thread_id == 9
    tried(
        bench,
        notice(bench, STRANGE_CHAT, subject="y", thread_id=8),
        Shown((11,), "text", without=frozenset({"thread"})),
    )
    assert notes(bench) == []


def notes(bench: Bench) -> list[str]:
    """What the office was told, by key."""
    return [post.subject for post in bench.posts(None, "note", OFFICE)]


def test_a_chat_without_photos_is_told_of_once_a_day(bench: Bench) -> None:
    for number in range(2):
        tried(bench, notice(bench, subject=f"n{number}"), Shown((11 + number,), "text", without=frozenset({"picture"})))
    assert notes(bench) == [f"photos:{WATER_CHAT}:20261123"]
    tried(bench, notice(bench, STRANGE_CHAT, subject="y"), Shown((11,), "text", without=frozenset({"picture"})))
    assert len(notes(bench)) == 1


def test_what_else_was_left_away_is_nobodys_news(bench: Bench) -> None:
    tried(bench, notice(bench, thread_id=9), Shown((11,), "text", without=frozenset({"reply", "format"})))
    assert notes(bench) == [] and bench.session.get_one(Binding, WATER_CHAT).thread_id == 9


# It went, or is missing


def test_what_was_taken_away_is_gone(bench: Bench) -> None:
    incident = bench.incident(cards=2)
    post = bench.post(incident, **{**SENT, "seq": 1, "wanted": 3, "picture": "part:1"})
    remember_messages(bench.session, post.ident, WATER_CHAT, [7])
    assert tried(bench, post, Removed()) == {
        "state": "gone",
        "due_at": None,
        "message_ids": [],
        "form": "",
        "picture": "",
        "digest": "",
        "shown": 3,
    }
    assert post_of_message(bench.session, WATER_CHAT, 7) is None


@pytest.mark.parametrize(("state", "doubled"), [("unknown", 1), ("shown", 0)])
def test_a_piece_of_an_album_that_may_stand_there_beside_what_is_taken_away_is_counted(
    bench: Bench, state: str, doubled: int
) -> None:
    post = notice(bench, **{**SENT, "state": state}, remove_at=NOW)
    assert tried(bench, post, Removed()).get("doubled", 0) == doubled


@pytest.mark.parametrize(("remove_at", "state", "due"), [(None, "due", NOW), (NOW, "gone", None)])
def test_what_was_called_for_again_while_it_went_is_looked_at_anew(
    bench: Bench, remove_at: Any, state: str, due: Any
) -> None:
    incident = bench.incident(cards=2)
    post = bench.post(incident, **{**SENT, "seq": 1, "remove_at": remove_at})
    prepared = ready(bench, post)
    post.wanted = 9
    bench.session.flush()
    note(bench.desk, prepared, Removed())
    after = row(post, bench.session)
    assert (after["state"], after["due_at"]) == (state, due)


def test_what_is_no_longer_there_is_sent_anew(bench: Bench) -> None:
    post = notice(bench, **SENT, picture="part:1", wanted=2)
    remember_messages(bench.session, post.ident, WATER_CHAT, [7])
    assert tried(bench, post, Missing()) == {
        "state": "due",
        "message_ids": [],
        "form": "",
        "picture": "",
        "digest": "",
    }
    assert post.due_at == NOW and post_of_message(bench.session, WATER_CHAT, 7) is None
    assert ready(bench, post).sends


def test_after_a_restore_what_is_missing_waits_for_the_operator(bench: Bench) -> None:
    bench.session.add(Note(key="restored, waiting since", value=NOW.isoformat()))
    post = notice(bench, **SENT, wanted=2)
    changed = tried(bench, post, Missing())
    assert (changed["state"], changed["due_at"]) == ("held", None)


# It was not sent


def test_patience_is_kept_by_the_post(bench: Bench) -> None:
    assert tried(bench, notice(bench), Wait(12.5)) == {"due_at": NOW + timedelta(seconds=12.5)}
    standing = notice(bench, subject="y", **SENT, wanted=2)
    assert tried(bench, standing, Wait(2)) == {"due_at": NOW + 2 * SECOND}
    reaction = bench.post(bench.incident(), "reaction", chat_id=GUANDI_CHAT, form="reaction", state="shown", wanted=2)
    assert tried(bench, reaction, Wait(2)) == {"due_at": NOW + 2 * SECOND}


def test_what_an_earlier_attempt_left_unknown_stays_so(bench: Bench) -> None:
    for number, outcome in enumerate((Wait(1), Unfit("part:1", "odd"), Unknown("x", sent_maybe=False))):
        post = notice(bench, subject=f"n{number}", state="unknown")
        tried(bench, post, outcome, sends=False)
        assert post.state == "unknown", outcome
    # Once more on its way, and that one surely was not sent: it says nothing about the attempt before.
    again = notice(bench, subject="again", state="unknown")
    tried(bench, again, Wait(1))
    assert (again.state, again.doubled) == ("due", 1)


@pytest.mark.parametrize(
    ("attempts", "pause"),
    [(0, 0.5), (1, 1), (2, 2), (3, 4), (8, 128), (9, 256), (10, 300), (11, 300), (500, 300)],
)
def test_an_unknown_outcome_is_tried_again_with_growing_patience(bench: Bench, attempts: int, pause: float) -> None:
    post = notice(bench, attempts=attempts)
    assert tried(bench, post, Unknown("lost", sent_maybe=True)) == {
        "state": "unknown",
        "attempts": attempts + 1,
        "error": "lost",
        "due_at": NOW + timedelta(seconds=pause),
    }


def test_what_surely_was_not_sent_is_due_again(bench: Bench) -> None:
    assert tried(bench, notice(bench), Unknown("refused", sent_maybe=False)) == {
        "attempts": 1,
        "error": "refused",
        "due_at": NOW + timedelta(seconds=0.5),
    }


@pytest.mark.parametrize("maybe", [True, False])
def test_an_edit_of_which_nothing_is_known_is_repeated(bench: Bench, maybe: bool) -> None:
    post = notice(bench, **SENT, wanted=2)
    assert tried(bench, post, Unknown("lost", sent_maybe=maybe)) == {
        "attempts": 1,
        "error": "lost",
        "digest": "",
        "due_at": NOW + timedelta(seconds=0.5),
    }


SAID = {**SENT, "digest": WELL.digest, "wanted": 2}
"""The words it had before a change whose outcome nobody knows: the change was taken back since."""


@pytest.mark.parametrize("outcome", [Unknown("lost", sent_maybe=True), None])
def test_what_a_lost_edit_may_have_changed_is_not_taken_for_what_it_was(bench: Bench, outcome: Outcome | None) -> None:
    post = notice(bench, **{**SAID, "digest": "other"})
    prepared = ready(bench, post)
    post.digest = WELL.digest
    if outcome is None:
        put_off(bench.desk, post.ident)
    else:
        note(bench.desk, prepared, outcome)
    bench.now = NOW + MINUTE
    assert ready(bench, post).shape == WELL


def test_what_the_last_process_may_have_changed_is_not_taken_for_what_it_was(bench: Bench) -> None:
    behind, goes = notice(bench, **SAID), notice(bench, STRANGE_CHAT, **SAID, remove_at=NOW)
    still = notice(bench, GUANDI_CHAT, **{**SAID, "due_at": None})
    assert release_leases(bench.session, NOW) == 0
    bench.session.expire_all()
    assert ready(bench, behind).shape == WELL
    goes.remove_at = None
    bench.session.add(goes)
    assert ready(bench, goes).shape == WELL
    assert row(still, bench.session)["digest"] == WELL.digest


def test_what_the_last_process_was_sending_is_unknown(bench: Bench) -> None:
    post = notice(bench, state="sending", lease=NOW + MINUTE, due_at=NOW - MINUTE)
    assert release_leases(bench.session, NOW) == 1
    found = row(post, bench.session)
    assert (found["state"], found["lease"], found["due_at"]) == ("unknown", NOW + MINUTE, NOW)


@pytest.mark.parametrize(("state", "after"), [("sending", "unknown"), ("unknown", "unknown"), ("due", "due")])
def test_a_mistake_over_a_post_puts_it_off(bench: Bench, state: str, after: str) -> None:
    post = notice(bench, state=state, lease=NOW)
    put_off(bench.desk, post.ident)
    found = row(post, bench.session)
    assert (found["state"], found["lease"], found["attempts"], found["error"]) == (after, None, 1, "failed")
    assert found["due_at"] == NOW + timedelta(seconds=0.5)


def test_a_mistake_over_what_stands_there_puts_it_off(bench: Bench) -> None:
    post = notice(bench, **SENT)
    put_off(bench.desk, post.ident)
    assert post.state == "shown"


def test_a_picture_that_does_not_fit_is_offered_otherwise_at_once(bench: Bench) -> None:
    post = notice(bench)
    assert tried(bench, post, Unfit("part:1", "e" * 300)) == {
        "attempts": 1,
        "error": "e" * 200,
        "due_at": NOW + timedelta(seconds=0.25),
    }
    assert tried(bench, notice(bench, subject="z", attempts=2), Unfit("part:1", "odd"))["attempts"] == 3
    standing = notice(bench, subject="y", **SENT)
    tried(bench, standing, Unfit("part:1", "odd"))
    assert (standing.state, standing.attempts) == ("shown", 1)


# It was refused


WRONG = Refused("Bad Request: " + "x" * 300)


@pytest.mark.parametrize(("attempts", "pause"), [(0, 2), (1, 4), (6, 128)])
def test_a_refusal_is_asked_again_a_few_times(bench: Bench, attempts: int, pause: int) -> None:
    post = notice(bench, attempts=attempts)
    assert tried(bench, post, WRONG) == {
        "attempts": attempts + 1,
        "error": WRONG.error[:200],
        "due_at": NOW + timedelta(seconds=pause),
    }
    standing = notice(bench, subject="y", **SENT, attempts=attempts)
    tried(bench, standing, WRONG)
    assert standing.state == "shown"


def test_at_the_eighth_refusal_it_is_broken(bench: Bench) -> None:
    incident = bench.incident()
    card = bench.post(incident, attempts=7)
    changed = tried(bench, card, WRONG)
    assert (changed["state"], changed["attempts"], changed["due_at"]) == ("broken", 8, None)
    assert (incident.need, incident.needs) == ("undelivered", 1)
    assert [post.chat_id for post in bench.posts(incident, "office")] == [OFFICE]
    # The chat is there: nobody needs to put the bot into it.
    assert bench.session.get_one(Binding, WATER_CHAT).lost_at is None and notes(bench) == []


LOST = Refused("Forbidden: bot was kicked", chat_lost=True)


def test_a_chat_that_is_lost_is_told_of_once_and_its_card_is_the_secretarys(bench: Bench) -> None:
    incident = bench.incident()
    binding = bench.session.get_one(Binding, WATER_CHAT)
    assert tried(bench, bench.post(incident), LOST)["state"] == "broken"
    assert binding.lost_at == NOW and incident.need == "undelivered"
    assert notes(bench) == [f"lost:{WATER_CHAT}:{int(NOW.timestamp())}"]
    bench.later(seconds=5)
    other = bench.incident(number="OW-2026-0002")
    tried(bench, bench.post(other), LOST)
    assert binding.lost_at == NOW and len(notes(bench)) == 1 and other.need == "undelivered"


def test_an_office_that_is_lost_is_the_operators_to_hear(bench: Bench) -> None:
    tried(bench, notice(bench, OFFICE, subject="y"), LOST)
    told = [post for post in bench.posts() if post.chat_id == OPERATOR]
    assert len(told) == 1 and notes(bench) == ["y"]


def test_a_chat_bound_to_nothing_is_nobodys_loss(bench: Bench) -> None:
    assert tried(bench, notice(bench, STRANGE_CHAT), LOST)["state"] == "broken"
    assert len(bench.posts()) == 1


@pytest.mark.parametrize(("attempts", "pause"), [(0, 60), (1, 120), (5, 1920), (6, 3600), (40, 3600)])
def test_where_the_bot_may_not_write_it_knocks_again_more_and_more_rarely(
    bench: Bench, attempts: int, pause: int
) -> None:
    incident = bench.incident()
    post = bench.post(incident, attempts=attempts)
    changed = tried(bench, post, Refused("not enough rights", muted=True))
    assert (changed["attempts"], changed["error"]) == (attempts + 1, "not enough rights")
    assert changed["due_at"] == NOW + timedelta(seconds=pause) and post.state == "due"
    assert incident.need == "undelivered"
    assert notes(bench) == [f"muted:{WATER_CHAT}:20261123"]
    assert bench.session.get_one(Binding, WATER_CHAT).lost_at is None


def test_a_card_that_cannot_be_changed_is_not_tried_at_once_again(bench: Bench) -> None:
    """The secretary hears of it; telling her must not make the card due."""
    post = bench.post(bench.incident(), **{**SENT, "wanted": 2})
    tried(bench, post, Refused("not enough rights", muted=True))
    assert (post.state, post.due_at) == ("shown", NOW + MINUTE)
    bench.now = NOW + MINUTE
    tried(bench, post, Refused("not enough rights", muted=True))
    assert post.due_at == bench.now + 2 * MINUTE


def test_where_nothing_is_bound_a_muted_bot_only_knocks(bench: Bench) -> None:
    post = notice(bench, STRANGE_CHAT, **SENT)
    tried(bench, post, Refused("no", muted=True))
    assert post.state == "shown" and len(bench.posts()) == 1


@pytest.mark.parametrize(
    ("kind", "status", "seq"),
    [("line", Status.DISPATCHED, 1), ("card", Status.CLOSED, 1), ("card", Status.DISPATCHED, 2)],
)
def test_only_the_card_of_what_is_open_is_missed(bench: Bench, kind: str, status: Status, seq: int) -> None:
    incident = bench.incident(status, cards=1)
    post = bench.post(incident, kind, **{**SENT, "seq": seq})
    tried(bench, post, LOST)
    assert post.state == "broken" and incident.need in ("", "check")


# The group has another id


NEW = -1009


def test_a_group_that_moved_takes_everything_along(bench: Bench) -> None:
    incident = bench.incident()
    post = bench.post(incident)
    prepared = ready(bench, post)
    set_out(bench.desk, post.ident)
    note(bench.desk, prepared, Migrated(NEW))
    after = row(post, bench.session)
    assert (after["chat_id"], after["state"], after["due_at"], after["lease"]) == (NEW, "due", NOW, NOW + MINUTE)
    assert bench.session.get(Binding, NEW) is not None and bench.session.get(Binding, WATER_CHAT) is None


def test_what_was_made_for_the_old_id_afterwards_follows(bench: Bench) -> None:
    first = notice(bench)
    note(bench.desk, ready(bench, first), Migrated(NEW))
    late = notice(bench, subject="y", message_ids=[4], form="text", digest="d", state="shown")
    note(bench.desk, ready(bench, late), Migrated(NEW))
    after = row(late, bench.session)
    assert (after["chat_id"], after["state"], after["due_at"]) == (NEW, "due", NOW)
    assert (after["message_ids"], after["form"], after["digest"]) == ([], "", "")


def test_what_is_there_under_the_new_id_already_is_not_said_twice(bench: Bench) -> None:
    first = notice(bench)
    note(bench.desk, ready(bench, first), Migrated(NEW))
    twin = notice(bench, NEW, subject="y")
    late = notice(bench, subject="y")
    set_out(bench.desk, late.ident)
    late.due_at = NOW
    prepared = Prepared(late.ident, 1, Place(WATER_CHAT), WELL)
    note(bench.desk, prepared, Migrated(NEW))
    after = row(late, bench.session)
    assert (after["chat_id"], after["state"], after["due_at"]) == (WATER_CHAT, "gone", None)
    assert row(twin, bench.session)["state"] == "due"


def test_a_group_that_moved_in_the_time_a_restore_has_lost_is_told_nothing_twice(bench: Bench) -> None:
    since = NOW - MINUTE
    bench.session.add(Note(key="restored, waiting since", value=since.isoformat()))
    incident = bench.incident()
    stood = bench.post(incident, "card", **{**SENT, "sent_at": since - HOUR})
    held = bench.post(incident, "reminder", seq=0, state="held", error="held by a restore", due_at=None)
    fresh = bench.post(incident, "line", chat_id=WATER_CHAT)
    note(bench.desk, ready(bench, stood), Migrated(NEW))
    for post, state, due in ((stood, "held", None), (held, "held", None), (fresh, "due", NOW)):
        after = row(post, bench.session)
        assert (after["chat_id"], after["state"], after["due_at"]) == (NEW, state, due), post.kind


def test_an_album_that_stands_there_whole_sends_nothing(bench: Bench) -> None:
    place = Place(WATER_CHAT, message_ids=(7, 8), form="album", picture="part:1,part:2")
    whole = Content("", (), ("part:1", "part:2"), album=True)
    assert not Prepared(1, 1, place, whole).sends
    assert Prepared(1, 1, place, Content("", (), ("part:1", "part:3"), album=True)).sends


def test_another_message_of_the_kind_under_the_new_id_is_no_twin(bench: Bench) -> None:
    first = notice(bench)
    note(bench.desk, ready(bench, first), Migrated(NEW))
    notice(bench, NEW, subject="y")
    late = notice(bench, subject="y")
    late.seq = 1
    bench.session.flush()
    note(bench.desk, Prepared(late.ident, 1, Place(WATER_CHAT), WELL), Migrated(NEW))
    after = row(late, bench.session)
    assert (after["chat_id"], after["state"], after["due_at"]) == (NEW, "due", NOW)


def test_what_was_on_its_way_when_the_move_was_told_is_sent_to_the_new_id(bench: Bench) -> None:
    from storage.chats import rebind

    post = notice(bench)
    prepared = ready(bench, post)
    rebind(bench.session, WATER_CHAT, NEW, NOW)
    bench.session.expire_all()
    post = bench.session.get_one(Post, post.id)
    post.state, post.lease = "sending", NOW
    bench.session.flush()
    bench.later(seconds=3)
    note(bench.desk, prepared, Migrated(NEW))
    after = row(post, bench.session)
    assert (after["chat_id"], after["state"], after["lease"], after["due_at"]) == (NEW, "due", None, bench.now)


def test_a_post_that_was_deleted_meanwhile_is_noted_nowhere(bench: Bench) -> None:
    post = notice(bench)
    prepared = ready(bench, post)
    bench.session.delete(post)
    bench.session.flush()
    note(bench.desk, prepared, TEXT)
    assert bench.posts() == [] and bench.session.get(Incident, OWN) is None
