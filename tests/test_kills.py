"""What kills brought to light, each told on its own: test_chaos.py would find it again, but not in every run."""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import BufferedInputFile
from sqlmodel import Session
from structlog.testing import capture_logs

from bot.channels.outcome import Place, Shown
from bot.channels.telegram import Telegram
from bot.clock import Clock
from bot.opening import ground_of, keep_of
from bot.sandbox.server import Sandbox
from bot.services.desk import Desk
from bot.settings import load
from bot.ticker import Ticker
from bot.views.content import Content
from storage.posts import bump
from storage.tables import Community, Incident
from storage.timers import clear_timers, set_timer
from tests import databases
from tests.chaos.load import drawings
from tests.rules.bench import Bench, fresh_session
from tests.town import OPERATOR, WATER, Town, config, words
from tests.walks import walk

SEEN = "reaction:👀"
TOKEN = "700000001:a-token-of-the-town-0123456789"


@asynccontextmanager
async def line(home: Path) -> AsyncIterator[tuple[Bot, Town]]:
    """A bot and the emulator, and no relay between them."""
    sandbox = Sandbox(limits=False)
    base = await sandbox.start()
    bot = Bot(TOKEN, session=AiohttpSession(api=TelegramAPIServer.from_base(base)))
    try:
        async with aiohttp.ClientSession() as http:
            yield bot, Town(base, http, home, sandbox)
    finally:
        await bot.session.close()
        await sandbox.stop()


@pytest.mark.once
async def test_a_text_that_got_its_picture_in_an_edit_nobody_noted_can_still_be_changed(tmp_path: Path) -> None:
    """The relay was killed between Telegram's answer and its note, so that the row says text and the chat a picture."""
    async with line(tmp_path) as (bot, here):
        picture = BufferedInputFile(drawings(random.Random(1), 1)[0], "pair.jpg")
        message = await bot.send_photo(WATER, picture, caption="closed")
        place = Place(chat_id=WATER, message_ids=(message.message_id,), form="text")
        outcome = await Telegram(bot).show(place, Content("to be checked"), [])
        assert isinstance(outcome, Shown) and outcome.form == "photo"
        assert (await here.sees(WATER, "to be checked"))["message_id"] == message.message_id


@pytest.fixture
def bench() -> Iterator[Bench]:
    with fresh_session() as session:
        yield Bench(session)


@pytest.mark.once
def test_a_reaction_on_its_way_to_something_else_hears_of_a_change(bench: Bench) -> None:
    """Closed, and taken back while the reaction of the closing was on its way: what stood there before is no guide."""
    incident = bench.incident()
    shown = bench.post(incident, "reaction", seq=1, state="shown", digest=SEEN, wanted=3, shown=3, due_at=None)
    leaving = bench.post(incident, "reaction", seq=2, state="shown", digest=SEEN, wanted=4, shown=3, due_at=bench.now)
    bump(bench.session, incident.ident, bench.now, settled=SEEN)
    bench.session.expire_all()
    assert (shown.wanted, leaving.wanted) == (3, 5)


def draft(session: Session) -> int:
    """A picture that still gathers."""
    now = datetime.now(UTC)
    community = Community(key="own", name="Own", prefix="OW")
    session.add(community)
    session.flush()
    made = Incident(community_id=community.ident, chat_id=-1, author_id=1, created_at=now, gather_until=now)
    session.add(made)
    session.flush()
    return made.ident


async def test_a_timer_that_an_act_has_cleared_is_no_mistake(tmp_path: Path) -> None:
    """The ticker knew when the next one was due; by then somebody had acted, and it said every second that it stuck."""
    store = await databases.opened(tmp_path)
    try:
        incident_id = await store.write(draft)
        soon = datetime.now(UTC) + timedelta(milliseconds=300)
        await store.write(lambda session: set_timer(session, incident_id, "gather", soon))
        settings = load(config(tmp_path, "http://127.0.0.1:1"))
        ticker = Ticker(store, ground_of(settings), Clock(), keep_of(settings))
        await ticker.tick()
        await store.write(lambda session: clear_timers(session, incident_id, ("gather",)))
        with capture_logs() as said:
            while datetime.now(UTC) <= soon:
                await ticker.tick()
            await ticker.tick()
        assert said == []
    finally:
        await store.close()


async def test_what_a_killed_relay_was_sending_is_no_news_to_the_operator(tmp_path: Path) -> None:
    """Started again an hour later, it first released what had been on its way, and only then looked for faults."""
    async with walk(tmp_path, running=False) as here:
        async with here.running():
            await here.say(OPERATOR, OPERATOR, "/start")
            card = await here.report()
            await here.settled()
        killed = "state = 'sending', message_ids = '[]', form = '', due_at = 1, lease = 1"
        assert here.rows(f"update post set {killed} where kind = 'card' returning id")
        async with here.running():
            await here.sees(WATER, lambda each: each["message_id"] > card["message_id"])
            await here.settled()
            assert here.rows("select doubled from post where kind = 'card'") == [(1,)]
            told = [words(each) for each in await here.from_bot(OPERATOR, OPERATOR)]
            assert not any("not as it should be" in each for each in told), told


async def test_a_timer_that_is_due_again_is_a_mistake_when_it_happens_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An act that was decided on before it fired and committed after may set it to that moment again, once."""
    store = await databases.opened(tmp_path)
    try:
        incident_id = await store.write(draft)
        fired = []

        def sets_again(desk: Desk, incident_id: int, kind: str) -> bool:
            fired.append(kind)
            if len(fired) != 2:
                set_timer(desk.session, incident_id, kind, desk.now)
            else:
                clear_timers(desk.session, incident_id, (kind,))
            return True

        monkeypatch.setattr("bot.ticker.fire", sets_again)
        settings = load(config(tmp_path, "http://127.0.0.1:1"))
        ticker = Ticker(store, ground_of(settings), Clock(), keep_of(settings))
        for ticks, wanted in ((2, 0), (3, 2)):
            # Twice: due again and then well; then three times due again.
            await store.write(lambda session: set_timer(session, incident_id, "gather", datetime.now(UTC)))
            ticker.wake()
            with capture_logs() as said:
                for _ in range(ticks):
                    await ticker.tick()
            assert [each["event"] for each in said] == ["timer_still_due"] * wanted
    finally:
        await store.close()
