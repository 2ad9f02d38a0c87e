"""Messages go out: in order, the dangerous first, within the limits, each failure pausing its own and nobody else."""

import asyncio
import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.channels.outcome import Migrated, Missing, Outcome, Refused, Shown, Unfit, Unknown, Wait
from bot.domain.acts import Status
from bot.services import delivering
from bot.services.picturing import Found, Later
from bot.views.content import Content, Gone, Menu, Reaction
from storage.posts import held_chats
from storage.store import StorageAway
from storage.tables import Post
from tests.rules.bench import (
    GUANDI_CHAT,
    MINUTE,
    NOW,
    OFFICE,
    OPERATOR,
    POWER_CHAT,
    PROPERTY_CHAT,
    WATER_CHAT,
    Bench,
    other_session,
)
from tests.rules.rounds import Round, note, play

__all__ = ["play"]
Play = Callable[..., None]
SECOND = timedelta(seconds=1)


def told(here: Round, chat: int = WATER_CHAT) -> list[str]:
    return [call.text for call in here.channel.to(chat)]


def several(*names: str, chat: int = WATER_CHAT, **columns: Any) -> Callable[[Bench], None]:
    """Notes that became due one after the other."""

    def rows(bench: Bench) -> None:
        for number, name in enumerate(names):
            note(bench, name, chat, **{"due_at": NOW - timedelta(seconds=60 - number), **columns})

    return rows


# What is due goes out


def test_what_is_due_goes_out_and_is_written_down(play: Play) -> None:
    async def scene(here: Round) -> None:
        await here.run(5)
        (call,) = here.channel.calls
        assert (call.chat, call.text, call.pictures) == (WATER_CHAT, "a", ())
        (post,) = here.posts()
        assert (post.state, post.message_ids, post.due_at, post.shown) == ("shown", [101], None, 1)
        assert here.names == [f"deliver {WATER_CHAT}"]

    play(several("a"), scene)


def test_what_becomes_due_later_goes_out_then_and_not_before(play: Play) -> None:
    def rows(bench: Bench) -> None:
        note(bench, "a", due_at=NOW + timedelta(seconds=7.5))
        note(bench, "b", POWER_CHAT, due_at=NOW + timedelta(seconds=100))

    async def scene(here: Round) -> None:
        await here.run(120)
        first, second = here.channel.calls
        assert 7.5 <= first.at < 7.6 and 100 <= second.at < 100.1

    play(rows, scene)


def test_a_commit_wakes_it(play: Play) -> None:
    async def scene(here: Round) -> None:
        running = asyncio.create_task(here.run(60))
        await asyncio.sleep(12)
        await here.write(lambda bench: note(bench, "a"))
        await running
        assert 12 <= here.channel.calls[0].at < 12.1

    play(lambda bench: None, scene)


def test_it_looks_again_although_nothing_woke_it(play: Play) -> None:
    async def scene(here: Round) -> None:
        running = asyncio.create_task(here.run(100))
        await asyncio.sleep(12)
        with other_session() as session:
            note(Bench(session), "a")
            session.commit()
        await running
        assert 30 <= here.channel.calls[0].at < 30.1

    play(lambda bench: None, scene)


def test_a_moment_far_ahead_is_no_reason_to_sleep_that_long(play: Play) -> None:
    async def scene(here: Round) -> None:
        running = asyncio.create_task(here.run(100))
        await asyncio.sleep(12)
        with other_session() as session:
            note(Bench(session), "a")
            session.commit()
        await running
        assert 30 <= here.channel.calls[0].at < 30.2

    play(lambda bench: note(bench, "later", POWER_CHAT, due_at=NOW + timedelta(days=2)), scene)


# Order


def test_one_chat_is_served_in_the_order_of_what_is_due_one_after_the_other(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.channel.takes[WATER_CHAT] = 3
        await here.run(60)
        assert told(here) == ["a", "b", "c", "d"]
        assert here.channel.most == 1
        moments = [call.at for call in here.channel.calls]
        assert all(after - before >= 3 for before, after in itertools.pairwise(moments))

    play(several("a", "b", "c", "d"), scene)


def test_what_is_dangerous_goes_first_even_when_it_came_while_others_waited(play: Play) -> None:
    async def scene(here: Round) -> None:
        running = asyncio.create_task(here.run(20))
        await asyncio.sleep(0.5)
        await here.write(lambda bench: note(bench, "danger", urgent=True))
        await running
        assert told(here) == ["a", "danger", "b", "c"]

    play(several("a", "b", "c"), scene)


def test_chats_are_served_side_by_side(play: Play) -> None:
    def rows(bench: Bench) -> None:
        for chat in (WATER_CHAT, POWER_CHAT, PROPERTY_CHAT):
            note(bench, "a", chat)

    async def scene(here: Round) -> None:
        for chat in (WATER_CHAT, POWER_CHAT, PROPERTY_CHAT):
            here.channel.takes[chat] = 5
        await here.run(60)
        assert here.channel.most == 3 and all(call.at < 0.1 for call in here.channel.calls)

    play(rows, scene)


def test_no_more_than_thirty_two_are_on_their_way_together(play: Play) -> None:
    def rows(bench: Bench) -> None:
        for chat in range(40):
            note(bench, "a", 5000 + chat)

    async def scene(here: Round) -> None:
        here.channel.takes = {5000 + chat: 9.0 for chat in range(40)}
        await here.run(60)
        assert here.channel.most == 32 and len(here.channel.calls) == 40

    play(rows, scene)


# Limits


def test_a_group_gets_one_a_second_and_twenty_a_minute(play: Play) -> None:
    async def scene(here: Round) -> None:
        await here.run(100)
        moments = [call.at for call in here.channel.calls]
        assert len(moments) == 25
        assert all(after - before >= 1.0 for before, after in itertools.pairwise(moments))
        assert 60 <= moments[20] < 61 and moments[19] < 25

    play(several(*(f"n{number}" for number in range(25))), scene)


def test_thirty_a_second_go_out_in_all(play: Play) -> None:
    def rows(bench: Bench) -> None:
        for chat in range(70):
            note(bench, "a", 5000 + chat)

    async def scene(here: Round) -> None:
        await here.run(30)
        moments = sorted(call.at for call in here.channel.calls)
        assert len(moments) == 70
        for start in moments:
            assert sum(1 for at in moments if start <= at < start + 1) <= 30
        assert moments[-1] < 5

    play(rows, scene)


def reaction(bench: Bench, name: int, chat: int = GUANDI_CHAT) -> Post:
    incident = bench.incident(number=f"OW-2025-{name:04d}")
    return bench.post(incident, "reaction", chat_id=chat, reply_to=name, seq=0)


def test_a_reaction_waits_for_no_minute_of_its_chat(play: Play) -> None:
    def rows(bench: Bench) -> None:
        several(*(f"n{number}" for number in range(22)), chat=GUANDI_CHAT)(bench)
        for name in range(5):
            reaction(bench, name)

    async def scene(here: Round) -> None:
        here.channel.answers[GUANDI_CHAT] = []
        await here.run(50)
        shown = [call for call in here.channel.calls if isinstance(call.shape, Reaction)]
        said = [call for call in here.channel.calls if isinstance(call.shape, Content)]
        assert len(shown) == 5 and len(said) == 20
        # They filled what the messages left free: within the first seconds, not after the minute.
        assert max(call.at for call in shown) < 10

    play(rows, scene)


def test_a_menu_is_no_message_either(play: Play) -> None:
    def rows(bench: Bench) -> None:
        note(bench, "a", GUANDI_CHAT)
        bench.post(None, "menu", subject="m", chat_id=GUANDI_CHAT, seq=0)

    async def scene(here: Round) -> None:
        await here.run(50)
        (said,) = (call for call in here.channel.calls if isinstance(call.shape, Content))
        (menu,) = (call for call in here.channel.calls if isinstance(call.shape, Menu))
        assert said.at < 0.1 and menu.at < 0.9

    play(rows, scene)


def test_what_is_dangerous_waits_behind_no_other_chat(play: Play) -> None:
    """Thirty go out a second: of what waits in other chats then, the dangerous one goes first, and reactions last."""

    def rows(bench: Bench) -> None:
        for number in range(50):
            reaction(bench, number, 6000 + number)
        for number in range(45):
            note(bench, "a", 7000 + number)

    async def scene(here: Round) -> None:
        running = asyncio.create_task(here.run(20))
        await asyncio.sleep(0.5)
        await here.write(lambda bench: note(bench, "danger", 8000, urgent=True))
        await running
        at = {call.chat: call.at for call in here.channel.calls}
        shown = [at[6000 + number] for number in range(50)]
        said = [at[7000 + number] for number in range(45)]
        assert at[8000] < 1.2
        assert sum(each > at[8000] for each in said + shown) > 30
        # Those reactions that had not gone before anything was said wait for everything that is.
        assert not [each for each in shown if 0.5 < each < max(said)] and max(shown) > max(said)
        with other_session() as session:
            assert held_chats(session, NOW) == {}, "a turn that did not come is no patience asked for"

    play(rows, scene)


def test_patience_asked_for_holds_the_whole_chat_and_no_other(play: Play) -> None:
    def rows(bench: Bench) -> None:
        several("a", "b", chat=GUANDI_CHAT)(bench)
        reaction(bench, 1)
        several("c", "d")(bench)

    async def scene(here: Round) -> None:
        here.channel.answers[GUANDI_CHAT] = [Wait(20)]
        await here.run(60)
        first, *others = [call.at for call in here.channel.to(GUANDI_CHAT)]
        assert first < 0.1 and min(others) >= 20 and len(others) == 3
        assert max(call.at for call in here.channel.to(WATER_CHAT)) < 3
        assert [post.state for post in here.posts(GUANDI_CHAT)] == ["shown"] * 3
        # It waited; nothing failed and was begun anew.
        assert sorted(here.names) == sorted([f"deliver {GUANDI_CHAT}", f"deliver {WATER_CHAT}"])

    play(rows, scene)


def test_a_breath_of_patience_is_kept_by_reactions_too(play: Play) -> None:
    def rows(bench: Bench) -> None:
        note(bench, "a", GUANDI_CHAT)
        reaction(bench, 1)

    async def scene(here: Round) -> None:
        here.channel.answers[GUANDI_CHAT] = [Wait(0.8)]
        await here.run(30)
        assert [call.at >= 0.8 for call in here.channel.calls] == [False, True, True]
        assert {post.state for post in here.posts(GUANDI_CHAT)} == {"shown"}

    play(rows, scene)


def test_while_a_chat_waits_for_its_second_nothing_is_begun_anew(play: Play) -> None:
    async def scene(here: Round) -> None:
        await here.run(20)
        assert here.names == [f"deliver {WATER_CHAT}"]
        assert [round(call.at) for call in here.channel.calls] == [0, 1, 2]

    play(several("a", "b", "c"), scene)


def test_patience_asked_for_is_kept_by_the_next_process_too(play: Play) -> None:
    """What was asked of one process is kept by the one that starts after it."""

    async def scene(here: Round) -> None:
        here.channel.answers[WATER_CHAT] = [Wait(40)]
        await here.run(3)
        assert len(here.channel.calls) == 1
        another = Round()
        await another.run(60)
        assert min(call.at for call in another.channel.calls) >= 40

    play(several("a", "b"), scene)


# Outcomes


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Unknown("lost"), "unknown"),
        (Unknown("refused", sent_maybe=False), "due"),
        (Refused("wrong"), "due"),
        (Refused("kicked", chat_lost=True), "broken"),
        (Missing(), "due"),
    ],
)
def test_what_became_of_it_is_noted_and_holds_up_no_other(play: Play, outcome: Outcome, state: str) -> None:
    async def scene(here: Round) -> None:
        here.channel.answers[WATER_CHAT] = [outcome]
        here.channel.takes[WATER_CHAT] = 0.1
        seen = []

        async def during(call: Any) -> None:
            seen.append([post.state for post in here.posts(WATER_CHAT)])

        here.channel.during = during
        await here.run(0.5)
        assert here.posts(WATER_CHAT)[0].state == state
        assert seen[0][0] == "sending"

    play(several("a", "b"), scene)


def test_an_unknown_outcome_is_tried_again_until_it_is_known(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.channel.answers[WATER_CHAT] = [Unknown("lost")] * 3
        await here.run(30)
        moments = [call.at for call in here.channel.calls]
        assert len(moments) == 4
        (post,) = here.posts()
        assert (post.state, post.doubled, post.attempts) == ("shown", 3, 0)

    play(several("a"), scene)


def test_an_edit_is_not_marked_as_on_its_way(play: Play) -> None:
    """An edit can be repeated; only a first send may stand there twice."""

    async def scene(here: Round) -> None:
        async def during(call: Any) -> None:
            assert here.posts()[0].state == "shown"

        here.channel.during = during
        await here.run(5)
        assert here.channel.calls[0].place.message_ids == (7,)

    play(several("a", state="shown", message_ids=[7], form="text", shown=0, digest="old"), scene)


def test_what_a_killed_process_was_sending_is_sent_again_and_counted(play: Play) -> None:
    async def scene(here: Round) -> None:
        await here.run(5)
        (post,) = here.posts()
        assert (post.state, post.doubled, post.lease) == ("shown", 1, None)

    play(lambda bench: note(bench, "a", state="sending", due_at=None, lease=NOW + MINUTE), scene)


def test_what_the_last_process_said_within_the_minute_counts(play: Play) -> None:
    def rows(bench: Bench) -> None:
        for number in range(20):
            note(bench, f"n{number}", GUANDI_CHAT, state="shown", due_at=None, sent_at=NOW - 20 * SECOND)
            note(bench, f"n{number}", POWER_CHAT, state="shown", due_at=None, sent_at=NOW - 61 * SECOND)
        note(bench, "a", GUANDI_CHAT)
        note(bench, "a", POWER_CHAT)
        note(bench, "a", WATER_CHAT)

    async def scene(here: Round) -> None:
        await here.run(60)
        at = {call.chat: call.at for call in here.channel.calls}
        assert 40 <= at[GUANDI_CHAT] < 41 and at[POWER_CHAT] < 1 and at[WATER_CHAT] < 1

    play(rows, scene)


def test_an_office_that_is_lost_is_told_to_the_operators(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.channel.answers[OFFICE] = [Refused("Forbidden: bot was kicked", chat_lost=True)]
        await here.run(5)
        assert [call.chat for call in here.channel.calls] == [OFFICE, OPERATOR]

    play(several("a", chat=OFFICE), scene)


def test_a_group_that_moved_is_served_under_its_new_id(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.channel.answers[WATER_CHAT] = [Migrated(-77)]
        await here.run(20)
        said = [call.chat for call in here.channel.calls if isinstance(call.shape, Content)]
        assert said == [WATER_CHAT, -77]
        assert [post.state for post in here.posts() if post.kind == "note"] == ["shown"]

    play(several("a"), scene)


def test_a_chat_that_is_gone_is_left_alone(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.channel.answers[WATER_CHAT] = [Refused("kicked", chat_lost=True)]
        await here.run(600)
        assert len(here.channel.to(WATER_CHAT)) == 1

    play(several("a"), scene)


# Mistakes of our own


def test_a_mistake_over_one_post_pauses_it_and_serves_the_others(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.channel.answers[WATER_CHAT] = [ZeroDivisionError()]
        await here.run(20)
        assert told(here) == ["a", "b", "a"] or told(here) == ["a", "a", "b"]
        assert [post.state for post in here.posts()] == ["shown", "shown"]
        assert here.posts()[0].doubled == 1

    play(several("a", "b"), scene)


def test_a_post_that_cannot_be_rendered_pauses_longer_and_longer(play: Play) -> None:
    def rows(bench: Bench) -> None:
        bench.post(None, "no such kind", subject="x", seq=0, due_at=NOW - SECOND)
        note(bench, "b")

    async def scene(here: Round) -> None:
        await here.run(20)
        assert told(here) == ["b"]
        broken = next(post for post in here.posts() if post.kind == "no such kind")
        assert broken.attempts >= 5 and broken.error == "failed"

    play(rows, scene)


# What the log says: operators search for these words (docs/operating.md)


class Said:
    """Takes the place of the log."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda event, **told: self.lines.append((level, event, told))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    made = Said()
    monkeypatch.setattr(delivering, "log", made)
    return made


LOST = Refused("kicked", chat_lost=True)
UNSURE = Unknown("lost", sent_maybe=True)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (Wait(20.0), ("info", "patience_asked", {"seconds": 20.0})),
        (Wait(0.5), ("info", "patience_asked", {"seconds": 0.5})),
        (LOST, ("warning", "post_outcome", {"post": 1, "outcome": "Refused", "told": str(LOST)})),
        (UNSURE, ("info", "post_outcome", {"post": 1, "outcome": "Unknown", "told": str(UNSURE)})),
        (ZeroDivisionError(), ("exception", "post_failed", {"post": 1})),
        (Shown((5,), "text"), None),
    ],
    ids=str,
)
def test_the_log_names_what_became_of_a_post(play: Play, said: Said, answer: Any, line: Any) -> None:
    async def scene(here: Round) -> None:
        here.channel.answers[WATER_CHAT] = [answer]
        await here.run(5)

    play(several("a"), scene)
    told = [(level, event, {**named, "chat": WATER_CHAT}) for level, event, named in ([line] if line else [])]
    assert said.lines == told


def test_the_log_names_a_picture_that_was_not_fetched(play: Play, said: Said) -> None:
    async def scene(here: Round) -> None:
        here.pictures.answers["part:1"] = [OSError("secret address")]
        await here.run(5)

    play(card, scene)
    assert said.lines == [("warning", "picture_not_fetched", {"post": 1, "error": "OSError"})]


@pytest.mark.parametrize(
    ("reads", "error", "line"),
    [
        (1, StorageAway("away"), ("debug", "waits_for_storage", {"where": "delivering", "error": "away"})),
        (
            2,
            StorageAway("away"),
            ("debug", "waits_for_storage", {"where": "delivering", "chat": WATER_CHAT, "error": "away"}),
        ),
        (2, ZeroDivisionError(), ("exception", "delivery_failed", {"chat": WATER_CHAT})),
    ],
    ids=["the look", "a chat", "a mistake"],
)
def test_the_log_names_what_holds_up_a_chat(play: Play, said: Said, reads: int, error: Exception, line: Any) -> None:
    async def scene(here: Round) -> None:
        plain, count = here.store.read, itertools.count(1)

        async def read(job: Any) -> Any:
            if next(count) == reads:
                raise error
            return await plain(job)

        here.store.read = read  # type: ignore[method-assign]
        await here.run(20)
        assert told(here) == ["a"]
        wait = 5 if isinstance(error, ZeroDivisionError) else 2
        assert wait <= here.channel.calls[0].at < wait + 0.5

    play(several("a"), scene)
    assert said.lines == [line]


def test_the_log_names_what_a_note_waits_for(play: Play, said: Said) -> None:
    async def scene(here: Round) -> None:
        here.store.away = 1
        await here.run(5)
        assert 1 <= here.channel.calls[0].at < 1.5

    play(several("a"), scene)
    assert said.lines == [("debug", "waits_for_storage", {"where": "delivering", "error": "away"})]


# The database


def test_while_the_database_is_away_nothing_is_lost_or_doubled(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.channel.takes[WATER_CHAT] = 2

        async def during(call: Any) -> None:
            here.store.away = 7

        here.channel.during = during
        await here.run(60)
        # What was sent is noted before anything else is done, however long that takes.
        assert told(here) == ["a", "b"]
        assert [post.state for post in here.posts()] == ["shown", "shown"]
        assert {post.doubled for post in here.posts()} == {0}

    play(several("a", "b"), scene)


def test_a_database_that_is_away_from_the_start_is_waited_for(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.store.away = 9
        await here.run(60)
        assert told(here) == ["a"] and 5 <= here.channel.calls[0].at < 30

    play(several("a"), scene)


def test_a_look_that_fails_is_repeated_soon(play: Play) -> None:
    async def scene(here: Round) -> None:
        running = asyncio.create_task(here.run(60))
        await asyncio.sleep(1)
        here.store.away = 1
        here.delivery.wake()
        await asyncio.sleep(0.1)
        with other_session() as session:
            note(Bench(session), "a")
            session.commit()
        await running
        assert 3 <= here.channel.calls[0].at < 3.2

    play(lambda bench: None, scene)


# Pictures


def card(bench: Bench, pictures: int = 1, chat: int = WATER_CHAT) -> Post:
    incident = bench.incident(Status.ACCEPTED)
    for number in range(pictures):
        bench.part(incident, message_id=100 + number)
    return bench.post(incident, "card", chat_id=chat)


def test_a_card_goes_out_with_its_picture_and_what_it_became_is_kept(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.channel.answers[WATER_CHAT] = [Shown((5,), "photo", "part:1", file_ids={"part:1": "F", "pair:1:2": "G"})]
        await here.run(5)
        assert here.channel.calls[0].pictures == (("part:1", "file of part:1"),)
        assert here.pictures.remembered == [("part:1", "F"), ("pair:1:2", "G")]

    play(card, scene)


def test_all_pictures_of_an_album_are_fetched_in_order(play: Play) -> None:
    def rows(bench: Bench) -> None:
        incident = bench.incident(Status.ACCEPTED)
        for number in range(4):
            bench.part(incident, message_id=100 + number)
        bench.post(incident, "album")

    async def scene(here: Round) -> None:
        here.pictures.answers["part:3"] = [Found(None)]
        await here.run(1)
        # One of them cannot be had at all: the others go.
        assert [key for key, _ in here.channel.calls[0].pictures] == ["part:2", "part:4"]

    play(rows, scene)


def test_a_picture_that_cannot_be_fetched_now_is_tried_five_times_and_then_left_out(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.pictures.answers["part:1"] = [OSError("no network")] * 50
        await here.run(60)
        (call,) = here.channel.calls
        assert call.pictures == () and 7 <= call.at < 25
        (post,) = here.posts(WATER_CHAT)
        assert post.state == "shown" and len(here.pictures.answers["part:1"]) == 50 - 6
        # It follows: the card is looked at again.
        assert post.due_at is not None and post.due_at > NOW + 5 * MINUTE

    play(card, scene)


def test_a_picture_that_cannot_be_fetched_now_is_said_to_be_what_is_waited_for(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.pictures.answers["part:1"] = [OSError("no network")] * 50
        await here.run(0.2)
        (post,) = here.posts(WATER_CHAT)
        assert (post.state, post.error, post.attempts) == ("due", "picture", 1)

    play(card, scene)


def test_a_picture_that_is_there_after_all_goes_with_its_card(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.pictures.answers["part:1"] = [OSError("no network")] * 2
        await here.run(60)
        (call,) = here.channel.calls
        assert call.pictures == (("part:1", "file of part:1"),)
        (post,) = here.posts(WATER_CHAT)
        assert (post.attempts, post.doubled, post.due_at) == (0, 0, None)

    play(card, scene)


def test_a_picture_that_tells_a_place_has_the_card_rendered_again(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.pictures.answers["part:1"] = [Found("x", learned=True), Found("x", learned=True)]
        await here.run(5)
        assert len(here.channel.calls) == 1 and here.pictures.answers["part:1"] == []

    play(card, scene)


def test_learning_without_end_ends(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.pictures.answers["part:1"] = [Found("x", learned=True)] * 500
        await here.run(30)
        (call,) = here.channel.calls
        assert call.pictures == ()
        assert len(here.pictures.answers["part:1"]) == 500 - 6 * 12

    play(card, scene)


def test_what_is_over_by_then_is_not_sent(play: Play) -> None:
    """While the picture was fetched the incident went to another unit."""

    async def scene(here: Round) -> None:
        class Moves(Exception):
            pass

        async def find(key: str) -> Found:
            await here.store.write(lambda session: _reassigned(session))
            return Found("x", learned=True)

        here.pictures.find = find  # type: ignore[method-assign]
        await here.run(5)
        assert here.channel.to(WATER_CHAT) == []
        assert here.posts(WATER_CHAT)[0].state == "gone"

    play(card, scene)


def _reassigned(session: Any) -> None:
    from storage.tables import Incident

    session.get_one(Incident, 1).cards = 2


def test_a_file_that_may_be_asked_for_later_is_asked_for_then(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.pictures.answers["part:1"] = [Later(17)]
        await here.run(60)
        (call,) = here.channel.calls
        assert 17 <= call.at < 18 and call.pictures == (("part:1", "file of part:1"),)
        assert here.posts(WATER_CHAT)[0].attempts == 0

    play(card, scene)


def test_a_picture_telegram_does_not_take_is_not_offered_so_again(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.channel.answers[WATER_CHAT] = [Unfit("part:1", "odd sides")]
        await here.run(10)
        assert here.pictures.refused == ["part:1"] and len(here.channel.calls) == 2

    play(card, scene)


def test_what_shows_no_picture_asks_for_none(play: Play) -> None:
    def rows(bench: Bench) -> None:
        incident = bench.incident(cards=2)
        bench.part(incident)
        bench.post(incident, "card", seq=1, state="shown", message_ids=[7], form="photo", digest="old")

    async def scene(here: Round) -> None:
        here.pictures.answers["part:1"] = [ZeroDivisionError()]
        await here.run(5)
        assert isinstance(here.channel.calls[0].shape, Gone)
        assert here.pictures.answers["part:1"]

    play(rows, scene)


def test_the_database_that_goes_away_over_a_picture_is_waited_for(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.pictures.answers["part:1"] = [StorageAway("away")]
        await here.run(30)
        (call,) = here.channel.calls
        assert call.pictures == (("part:1", "file of part:1"),) and 2 <= call.at < 3
        assert here.posts(WATER_CHAT)[0].attempts == 0

    play(card, scene)


# Chats that hang, and the end


def test_a_call_that_takes_its_time_does_not_hang(play: Play) -> None:
    chats = [6000 + number for number in range(40)]

    def rows(bench: Bench) -> None:
        for chat in chats:
            several("a", "b", chat=chat)(bench)

    async def scene(here: Round) -> None:
        here.channel.takes = dict.fromkeys(chats, 2.0)
        await here.run(60)
        assert len(here.channel.calls) == 80
        assert max(call.at for call in here.channel.calls) < 9

    play(rows, scene)


def test_chats_whose_calls_hang_get_few_of_the_places(play: Play) -> None:
    slow = [6000 + number for number in range(40)]

    def rows(bench: Bench) -> None:
        for chat in slow:
            note(bench, "a", chat, due_at=NOW - MINUTE)
            note(bench, "b", chat)

    async def scene(here: Round) -> None:
        here.channel.takes = dict.fromkeys(slow, 20.0)
        running = asyncio.create_task(here.run(400))
        # By now each of them has hung once; what is for others goes out at once all the same.
        await asyncio.sleep(50)
        await here.write(lambda bench: note(bench, "quick", WATER_CHAT))
        began = here.seconds
        here.channel.most = 0
        await running
        (quick,) = here.channel.to(WATER_CHAT)
        assert quick.at - began < 1
        later = [call for call in here.channel.calls if call.text == "b"]
        assert len(later) == 40
        # Eight at a time: forty take five times twenty seconds.
        assert max(call.at for call in later) - min(call.at for call in later) >= 80

    play(rows, scene)


def test_told_to_end_it_takes_up_nothing_new_and_lets_arrive_what_is_on_its_way(play: Play) -> None:
    async def scene(here: Round) -> None:
        here.channel.takes[WATER_CHAT] = 8
        running = asyncio.create_task(here.delivery.run())
        await asyncio.sleep(1)
        await here.delivery.finish()
        assert 8 <= here.seconds < 8.1
        await running
        assert told(here) == ["a"]
        assert [post.state for post in here.posts()] == ["shown", "due"]

    play(several("a", "b"), scene)


def test_with_nothing_on_its_way_it_ends_at_once(play: Play) -> None:
    async def scene(here: Round) -> None:
        running = asyncio.create_task(here.delivery.run())
        await asyncio.sleep(1)
        await here.delivery.finish()
        await running
        assert here.seconds < 1.1

    play(lambda bench: None, scene)


def test_told_to_end_while_a_chat_waits_for_its_second_it_does_not_wait_it_out(play: Play) -> None:
    async def scene(here: Round) -> None:
        await here.run(0.5)
        assert told(here) == ["a"] and here.seconds < 2

    play(several("a", "b", "c"), scene)


def test_a_chat_that_nobody_serves_is_known_after_five_minutes(play: Play) -> None:
    async def scene(here: Round) -> None:
        chats = [WATER_CHAT, POWER_CHAT]
        running = asyncio.create_task(here.run(700))
        await asyncio.sleep(300)
        # Just started, it has had no time to come round to them.
        assert here.delivery.idle(chats) == []
        await here.write(lambda bench: note(bench, "a", WATER_CHAT))
        await asyncio.sleep(10)
        assert here.delivery.idle(chats) == [POWER_CHAT]
        await asyncio.sleep(300)
        assert here.delivery.idle(chats) == chats
        assert here.delivery.idle([]) == []
        await running

    play(lambda bench: None, scene)
