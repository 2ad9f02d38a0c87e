"""Two at once: presses from two chats, a press and a timer, one update delivered twice, numbers, a change while a card
is on its way. With SQLite jobs queue up; with PostgreSQL they really meet, and the rows must come out the same."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot
from sqlmodel import Session, col, select

from bot.alliance import read
from bot.channels.outcome import Outcome, Place, Refused, Shown
from bot.clock import Clock
from bot.domain.acts import Act, Role
from bot.domain.rights import Actor, Standing
from bot.nursery import Nursery
from bot.opening import ground_of
from bot.polling import Intake
from bot.services.acting import act
from bot.services.aligning import align
from bot.services.desk import Desk, Ground
from bot.services.posting import post_up
from bot.services.reminding import fire
from bot.services.showing import Prepared, note
from bot.settings import load
from bot.speech import Speech
from bot.views.content import Content
from handlers.routes import dispatcher
from storage.incidents import lock, next_number
from storage.posts import bump_post
from storage.store import Store
from storage.tables import Binding, Event, FailedUpdate, Incident, Part, Person, Post, Timer, Unit
from tests.databases import opened
from tests.town import CHEN, GUANDI, HEBIN, LIN, NANSHI, OFFICE, WATER, WATER_MAN, ZHANG, alliance, config, words
from tests.walks import Walk, labels, walk

TIMES = 12
"""How often a race is run: one that is lost now and then must be lost here."""
DISTRICTS = (GUANDI, NANSHI, HEBIN)
Rows = tuple[Store, Ground]


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[Rows]:
    """The example alliance, in which nothing has happened yet."""
    found = read(alliance(tmp_path))
    ground = ground_of(load(config(tmp_path, "http://127.0.0.1:9")))
    store = await opened(tmp_path)
    await store.write(lambda session: align(session, found, _now()))
    yield store, ground
    await store.close()


def _now() -> datetime:
    return datetime.now(UTC)


def photo(update_id: int, person: int, chat: int, caption: str = "自来水井盖坏了") -> dict[str, Any]:
    """An update as Telegram sends it."""
    sizes = [{"file_id": f"f{update_id}", "file_unique_id": f"u{update_id}", "width": 90, "height": 90}]
    message = {
        "message_id": update_id,
        "date": int(_now().timestamp()),
        "chat": {"id": chat, "type": "supergroup", "title": "商圈"},
        "from": {"id": person, "is_bot": False, "first_name": "张师傅"},
        "photo": sizes,
        "caption": caption,
    }
    return {"update_id": update_id, "message": message}


@asynccontextmanager
async def door(rows: Rows) -> AsyncIterator[Intake]:
    """The way in for updates, without anybody who asks for them."""
    bot, nursery = Bot("700000001:a-token-of-the-town-0123456789"), Nursery()
    yield Intake(bot, dispatcher(), *rows, Clock(), reads_all=True, spawn=nursery.spawn)
    await nursery.close()
    await bot.session.close()


async def accepted(rows: Rows) -> tuple[int, int]:
    """An incident that the water company has accepted, and the card about it, which is shown."""
    store, ground = rows

    def make(session: Session) -> tuple[int, int]:
        binding = session.get_one(Binding, WATER)
        now = _now()
        incident = Incident(
            community_id=binding.community_id,
            number=next_number(session, binding.community_id, "SD", 2026),
            status="accepted",
            category="road",
            unit_id=binding.unit_id,
            chat_id=GUANDI,
            author_id=ZHANG,
            created_at=now,
            gather_until=now,
            filed_at=now,
            dispatched_at=now,
            accepted_at=now,
            repair_due=now + timedelta(hours=1),
            reminded_at=now,
            cards=1,
        )
        session.add(incident)
        session.flush()
        post_up(Desk(session, ground, now), incident)
        session.flush()
        card = session.exec(select(Post).where(Post.incident_id == incident.id, Post.kind == "card")).one()
        return incident.ident, card.ident

    return await store.write(make)


def behind(session: Session) -> list[str]:
    """Posts that have something to show and that nobody will look at again."""
    lost = select(Post).where(col(Post.shown) < col(Post.wanted), col(Post.due_at).is_(None))
    lost = lost.where(col(Post.state).in_(("due", "sending", "unknown", "shown")))
    return [
        f"{post.kind} in {post.chat_id}: {post.state}, {post.shown} of {post.wanted}" for post in session.exec(lost)
    ]


async def test_sixteen_who_count_at_once_count_to_sixteen(rows: Rows) -> None:
    """Without a lock: the version makes the losers look again."""
    store, _ = rows
    incident_id, _ = await accepted(rows)

    def count(session: Session) -> None:
        incident = session.get_one(Incident, incident_id)
        incident.rework += 1
        session.add(incident)

    await asyncio.gather(*(store.write(count) for _ in range(16)))
    assert await store.read(lambda session: session.get_one(Incident, incident_id).rework) == 16


async def test_numbers_given_out_at_once_are_all_different_and_leave_no_gap(rows: Rows) -> None:
    store, _ = rows

    def number(session: Session) -> str:
        community = session.get_one(Binding, GUANDI).community_id
        return next_number(session, community, "SD", 2026)

    given = await asyncio.gather(*(store.write(number) for _ in range(24)))
    assert sorted(given) == [f"SD-2026-{n:04d}" for n in range(1, 25)]


async def test_an_update_that_is_delivered_three_times_at_once_has_its_effects_once(rows: Rows) -> None:
    store, _ = rows
    async with door(rows) as intake:
        for update_id in range(1, TIMES + 1):
            raw = photo(update_id, 600000000 + update_id, GUANDI)
            await asyncio.gather(*(intake.take(raw) for _ in range(3)))

    def look(session: Session) -> tuple[int, int, int]:
        return tuple(len(session.exec(select(table)).all()) for table in (Incident, Part, FailedUpdate))  # type: ignore[return-value]

    assert await store.read(look) == (TIMES, TIMES, 0)


async def test_reports_that_come_from_three_groups_at_once_are_an_incident_each(rows: Rows) -> None:
    """Some are of one person, whom nobody knows yet, in three groups at once."""
    store, _ = rows
    people = [ZHANG, *range(600000001, 600000001 + TIMES)]
    places = [(person, chat) for person in people for chat in DISTRICTS]
    updates = [photo(n, person, chat) for n, (person, chat) in enumerate(places, 1)]
    async with door(rows) as intake:
        await intake.take_all(updates)

    def look(session: Session) -> tuple[list[str | None], int, int]:
        numbers = session.exec(select(Incident.number)).all()
        return sorted(numbers, key=str), len(session.exec(select(Person)).all()), len(session.exec(select(Post)).all())

    numbers, known, posts = await store.read(look)
    assert len(updates) == len(numbers) and known == len(people)
    by_prefix = Counter(str(each)[:8] for each in numbers)
    assert numbers == sorted(f"{prefix}{n:04d}" for prefix, most in by_prefix.items() for n in range(1, most + 1))
    assert posts >= 3 * len(updates)
    assert await store.read(lambda session: session.exec(select(FailedUpdate)).all()) == []


async def test_what_changes_while_a_card_is_on_its_way_is_shown_afterwards(rows: Rows) -> None:
    """The answer about a card and the next change of it meet: whoever is second, the card is looked at again."""
    store, ground = rows
    incident_id, post_id = await accepted(rows)

    def change(session: Session) -> None:
        incident = lock(session, incident_id)
        assert incident is not None
        incident.place = f"{incident.version}"
        session.add(incident)
        post_up(Desk(session, ground, _now()), incident)

    def arrive(session: Session, prepared: Prepared, outcome: Outcome) -> None:
        note(Desk(session, ground, _now()), prepared, outcome)

    for turn in range(TIMES):
        wanted = await store.read(lambda session: session.get_one(Post, post_id).wanted)
        sent = Prepared(post_id, wanted, Place(chat_id=WATER), Content(f"version {turn}"))
        outcome = Shown((7,), "text", "") if turn % 3 else Refused("no rights", chat_lost=False)
        await asyncio.gather(store.write(change), store.write(partial(arrive, prepared=sent, outcome=outcome)))
        assert await store.read(behind) == []
        assert await store.read(lambda session: session.get_one(Post, post_id).wanted) == wanted + 1


async def test_a_post_that_two_change_at_once_is_wanted_twice(rows: Rows) -> None:
    store, _ = rows
    _, post_id = await accepted(rows)
    before = await store.read(lambda session: session.get_one(Post, post_id).wanted)
    change = lambda session: bump_post(session, session.get_one(Post, post_id), _now())  # noqa: E731
    await asyncio.gather(*(store.write(change) for _ in range(10)))
    assert await store.read(lambda session: session.get_one(Post, post_id).wanted) == before + 10


def _unit_man(session: Session) -> Actor:
    binding = session.get_one(Binding, WATER)
    unit = session.get_one(Unit, binding.unit_id)
    return Actor(WATER_MAN, "水务", frozenset({Standing(Role.UNIT, binding.community_id, unit=unit.id)}))


async def test_a_press_and_a_reminder_at_once_both_count_and_neither_twice(rows: Rows) -> None:
    store, ground = rows
    for _ in range(TIMES):
        incident_id, _ = await accepted(rows)
        at = _now() + timedelta(hours=2)

        def start(session: Session, incident_id: int = incident_id, at: datetime = at) -> None:
            session.merge(Timer(incident_id=incident_id, kind="remind", next_at=at - timedelta(minutes=1)))

        def tick(session: Session, incident_id: int = incident_id, at: datetime = at) -> bool:
            return fire(Desk(session, ground, at), incident_id, "remind")

        def press(session: Session, incident_id: int = incident_id, at: datetime = at) -> None:
            act(Desk(session, ground, at), _unit_man(session), incident_id, Act.MAKE_SAFE, "", Speech("en"))

        await store.write(start)
        await asyncio.gather(store.write(tick), store.write(press), store.write(tick), store.write(press))

        def look(session: Session, incident_id: int = incident_id) -> tuple[int, list[int], list[datetime]]:
            events = session.exec(select(Event).where(Event.incident_id == incident_id, Event.act == "make_safe")).all()
            reminders = select(Post.chat_id).where(Post.incident_id == incident_id, Post.kind == "reminder")
            timers = select(Timer.next_at).where(Timer.incident_id == incident_id, Timer.kind == "remind")
            return (
                len(events),
                sorted(session.exec(reminders).all()),
                list(session.exec(timers).all()),
            )

        events, reminders, timers = await store.read(look)
        # The second press was told so. Each chat is reminded once, or not at all where the press was first.
        assert events == 1 and len(reminders) == len(set(reminders))
        assert len(timers) == 1 and timers[0] > at


async def test_a_photo_that_comes_while_the_one_before_it_is_dismissed_is_not_lost(rows: Rows) -> None:
    """It belonged to a draft that was ended in the same moment: then it is a matter of its own."""
    store, ground = rows

    def dismiss(session: Session, author: int) -> str:
        incident = session.exec(select(Incident).where(Incident.author_id == author).order_by(col(Incident.id))).first()
        assert incident is not None
        lin = Actor(LIN, "林书记", frozenset({Standing(Role.SECRETARY, incident.community_id)}))
        told = act(Desk(session, ground, _now()), lin, incident.ident, Act.DISMISS, "not_public", Speech("en"))
        return told.text

    async with door(rows) as intake:
        for turn in range(TIMES):
            author = 600000000 + turn
            await intake.take(photo(10 * turn + 1, author, GUANDI, ""))
            second = intake.take(photo(10 * turn + 2, author, GUANDI, ""))
            told, _ = await asyncio.gather(store.write(partial(dismiss, author=author)), second)
            assert told == "Done: Dismiss."
    kept = await store.read(lambda session: sorted(session.exec(select(Part.message_id)).all()))
    assert kept == [10 * turn + n for turn in range(TIMES) for n in (1, 2)]


@asynccontextmanager
async def two_cards(home: Path) -> AsyncIterator[tuple[Walk, dict[str, Any], dict[str, Any]]]:
    """A finished matter, which the secretary is to check in the office and her deputy reads in private."""
    async with walk(home) as t:
        await t.say(CHEN, CHEN, "/start")
        card = await t.report()
        await t.mended(card)
        check = await t.sees(OFFICE, "Please check")
        await t.say(CHEN, CHEN, "/i 1")
        sheet = await t.sees(CHEN, lambda each: "Confirm" in labels(each), person=CHEN)
        yield t, check, sheet


async def test_of_two_who_confirm_at_once_from_two_chats_one_is_told_that_the_other_was_faster(tmp_path: Path) -> None:
    async with two_cards(tmp_path) as (t, check, sheet):
        told = await asyncio.gather(t.press(LIN, OFFICE, check, "Confirm"), t.press(CHEN, CHEN, sheet, "Confirm"))
        assert sorted(each.startswith("A little late") for each in told) == [False, True], told
        await t.sees(GUANDI, "Closed")
        await t.settled()
        assert t.rows("select count(*) from event where act = 'confirm'") == [(1,)]
        assert t.rows("select id from post where shown < wanted and state not in ('gone', 'held', 'broken')") == []
        for chat, person in ((OFFICE, None), (CHEN, CHEN)):
            assert not any("Confirm" in labels(each) for each in await t.from_bot(chat, person))


async def test_a_press_in_the_moment_of_the_limit_leaves_no_reminder_of_what_is_done(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.workday("09:00")
        card = await t.report()
        _, told = await asyncio.gather(t.minutes(31), t.press(WATER_MAN, WATER, card, "Accept"))
        assert told.startswith("Done"), told
        await t.sees(WATER, "In hand")
        await t.settled()
        assert t.rows("select count(*) from event where act = 'accept'") == [(1,)]
        assert t.rows("select id from post where shown < wanted and state not in ('gone', 'held', 'broken')") == []
        standing = [words(each) for each in await t.from_bot(WATER) if each["message_id"] != card["message_id"]]
        assert not any("accept" in each.lower() for each in standing), standing
