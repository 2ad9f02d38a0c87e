"""What one chat waits for holds up no other: patience that Telegram asks for, calls and answers that hang, files that
do not come; and how the wire tells what was surely not carried out.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from aiogram import Bot
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramNetworkError
from aiogram.methods import GetMe

from bot.channels.wire import NotCarriedOut, Wire
from bot.services.delivering import AT_ONCE, SLOW
from tests.street import CALL, UNIT_MAN, House, Street, houses, listening, street
from tests.town import relay, words

pytestmark = [pytest.mark.timeout(240), pytest.mark.once]

PATIENCE_ASKED = 6


def rubbish_too(text: str) -> str:
    """The unit takes what is not dangerous as well."""
    return text.replace('categories = ["cover.water"]', 'categories = ["cover.water", "rubbish"]')


def to(chat: int, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [call for call in calls if call["chat_id"] == chat]


async def test_patience_asked_for_in_one_chat_is_kept_there_and_holds_up_no_other(tmp_path: Path) -> None:
    asked, other = houses(["001", "002"])
    async with street(tmp_path, [asked, other], change=rubbish_too) as here:
        await here.report(other)
        await here.card(other)
        await here.rest(*asked.chats, *other.chats)
        await here.post("fault", chat=asked.unit, kind="429", retry_after=PATIENCE_ASKED)
        await here.photo(asked.person, asked.group, "垃圾成堆 第一", samples=("rubbish",))
        await here.until(lambda: _waits(here, asked.unit), "the refusal")
        # More for the same chat, a dangerous one last, and one for another.
        await here.photo(UNIT_MAN, asked.unit, "谢谢", samples=("fixed",))
        await here.report(asked)
        await here.another(other)
        await here.sees(other.unit, "又一个")
        await here.rest(*asked.chats)
        calls = await here.calls()
        refused = next(call for call in to(asked.unit, calls) if call["status"] == 429)["at"]
        following = [call for call in to(asked.unit, calls) if call["at"] > refused]
        assert min(call["at"] for call in following) >= refused + PATIENCE_ASKED
        assert min(call["at"] for call in following) < refused + PATIENCE_ASKED + 5
        assert max(call["at"] for call in to(other.unit, calls)) < refused + PATIENCE_ASKED, "it held up another chat"
        shown = [words(each) for each in await here.from_bot(asked.unit)]
        assert ["井盖" in each for each in shown] == [True, False], "what is dangerous goes first"
        assert here.doubled(asked) == here.doubled(other) == 0


async def _waits(here: Street, chat: int) -> bool:
    return any(call["status"] == 429 for call in to(chat, await here.calls()))


async def test_patience_outlasts_a_restart(tmp_path: Path) -> None:
    (house,) = houses(["001"])
    async with street(tmp_path, [house], running=False) as here:
        async with relay(tmp_path, here.base, LANGUAGE="en"):
            await here.post("fault", chat=house.unit, method="sendPhoto", kind="429", retry_after=PATIENCE_ASKED)
            await here.report(house)
            await here.another(house)
            await here.until(lambda: _waits(here, house.unit), "the refusal")
            await here.until(lambda: _two_cards(here), "the second incident")
        async with relay(tmp_path, here.base, LANGUAGE="en"):
            await here.sees(house.unit, "又一个")
            await here.rest(*house.chats)
        calls = to(house.unit, await here.calls())
        refused = next(call for call in calls if call["status"] == 429)["at"]
        assert not [call for call in calls if refused < call["at"] < refused + PATIENCE_ASKED]
        assert len(await here.from_bot(house.unit)) == 2 and here.doubled(house) == 0


async def _two_cards(here: Street) -> bool:
    return bool(here.rows("select count(*) from post where kind = 'card'") == [(2,)])


async def test_chats_whose_calls_hang_leave_places_to_the_others(tmp_path: Path) -> None:
    hanging, healthy = houses([f"{n:03}" for n in range(1, AT_ONCE + 9)]), House("healthy", -1009, -1010, 520000000)
    held = 2 * CALL
    with patch("bot.services.delivering.HANGS", held / 2):
        async with street(tmp_path, [*hanging, healthy], patience=held) as here:
            for house in hanging:
                await here.post("fault", chat=house.unit, method="sendPhoto", kind="timeout", seconds=99, times=9)
            for house in hanging:
                await here.report(house)
            await here.until(lambda: _hang(here, AT_ONCE), "that every place is taken")
            # The first time nobody can know; it costs the others as long as one call may hang.
            await here.report(healthy)
            began = time.monotonic()
            await here.card(healthy)
            assert time.monotonic() - began < held + 3
            await here.until(lambda: _hang(here, len(hanging) + SLOW), "that they hang again")
            began = time.monotonic()
            await here.another(healthy)
            await here.sees(healthy.unit, "又一个")
            assert time.monotonic() - began < held / 2, "the hanging ones have all the places"
            hung = [call["at"] for call in await here.calls() if call["status"] == 0]
            most = max(sum(each <= at < each + held * 0.9 for each in hung) for at in hung)
            assert most <= AT_ONCE, f"{most} calls at once"
            await here.lift()


async def _hang(here: Street, wanted: int) -> bool:
    return sum(call["status"] == 0 for call in await here.calls()) >= wanted


async def test_answers_that_hang_hold_up_nobodys_updates(tmp_path: Path) -> None:
    pressed, other = houses(["001", "002"])
    async with street(tmp_path, [pressed, other]) as here:
        await here.report(pressed)
        card = await here.card(pressed)
        await here.rest(*pressed.chats)
        await here.post("fault", chat=pressed.unit, method="answerCallbackQuery", kind="timeout", seconds=99, times=99)
        for _ in range(3):
            await here.press(UNIT_MAN, pressed.unit, card, "Accept", wait=0)
            await here.until(lambda: _answering(here), "an answer that hangs")
            began = time.monotonic()
            await here.another(other)
            card = await here.card(pressed, "In hand")
            await here.press(UNIT_MAN, pressed.unit, card, "Undo", wait=0)
            card = await here.card(pressed, "Dispatched")
            assert time.monotonic() - began < 4 * CALL / 3, "nobody was heard while the answer hung"
        await here.until(lambda: _three_cards(here, other), "the other's cards")
        await here.lift()


async def _answering(here: Street) -> bool:
    return any(call["method"] == "answerCallbackQuery" for call in await here.calls())


async def _three_cards(here: Street, house: House) -> bool:
    return len(await here.from_bot(house.unit)) >= 1


async def test_a_picture_that_cannot_be_fetched_for_a_while_follows_its_card(tmp_path: Path) -> None:
    (house,) = houses(["001"])
    with listening() as ear:
        async with street(tmp_path, [house]) as here:
            await here.post("fault", chat=house.group, method="file", kind="500", times=9999)
            await here.report(house, as_file=True)
            card = await here.card(house)
            # Late is worse than plain; and it is no fault of the picture.
            assert "photo" not in card and "could not be read" not in words(card)
            await here.rest(*house.chats)
            await here.lift()
            await here.wind(11 * 60)
            fresh = await here.sees(house.unit, lambda each: bool(each.get("photo")))
            assert fresh["message_id"] == card["message_id"] and here.doubled(house) == 0
    assert not ear.heard


async def test_an_album_of_a_large_report_may_double_and_is_counted(tmp_path: Path) -> None:
    (house,) = houses(["001"])
    async with street(tmp_path, [house]) as here:
        await here.post("fault", chat=house.unit, method="sendMediaGroup", kind="reset_after")
        await here.report(house, samples=("cover",) * 10)
        await here.photo(house.person, house.group, samples=("cover",) * 4)
        await here.until(lambda: _albums(here, house, 2), "the album twice")
        await here.rest(*house.chats)
        assert await _albums(here, house, 2) and here.doubled(house) == 1


async def _albums(here: Street, house: House, count: int) -> bool:
    shown = [each.get("media_group_id") for each in await here.from_bot(house.unit)]
    return len({each for each in shown if each}) == count


async def test_a_group_that_has_moved_without_a_word_is_found_by_whatever_is_said_there(tmp_path: Path) -> None:
    """Each of the methods may be the one that hears of it."""
    there = houses([f"{n:03}" for n in range(1, 6)])
    async with street(tmp_path, there) as here:
        await asyncio.gather(*(_moved(here, house, way) for house, way in zip(there, MOVES, strict=True)))


async def _moved(here: Street, house: House, way: str) -> None:
    moving = house.unit if way in ("sendPhoto", "editMessageCaption", "sendMediaGroup") else house.group
    photo: dict[str, Any] = {}
    if way == "editMessageCaption":
        photo = await here.report(house)
        await here.card(house)
        await here.rest(*house.chats)
    elif way == "editMessageText":
        await here.report(house)
        await here.line(house)
        await here.rest(*house.chats)
    elif way == "setMessageReaction":
        # The line hangs while the group moves, so that it is the reaction that hears of it.
        await here.post("fault", chat=moving, method="sendMessage", kind="timeout", seconds=1)
        await here.report(house)
        await here.until(lambda: _hangs(here, moving), "the line that hangs")
    elif way == "sendMediaGroup":
        await here.report(house, samples=("cover", "light", "rubbish"))
        await here.card(house)
    heir = (await here.post("migrate", chat=moving, silent=True))["id"]
    if way == "sendPhoto":
        await here.report(house)
    elif way == "editMessageCaption":
        await here.edit(house.person, house.group, photo["message_id"], text="自来水井盖碎了")
    elif way == "editMessageText":
        await here.press(UNIT_MAN, house.unit, await here.card(house), "Accept")
    wanted = {"editMessageCaption": "碎了", "editMessageText": "In hand"}.get(way, "SD-")
    await here.sees(heir, lambda each: wanted in words(each))
    if way == "sendMediaGroup":

        async def album() -> bool:
            return sum("media_group_id" in each for each in await here.from_bot(heir)) == 2

        await here.until(album, "the album")
    await here.rest(*house.chats, heir)
    hearers = {call["method"] for call in to(moving, await here.calls()) if call["status"] == 400}
    assert way in hearers, hearers
    assert here.rows(f"select count(*) from binding where chat_id in ({moving}, {heir})") == [(1,)]
    assert here.rows(f"select count(*) from binding where chat_id = {heir} and lost_at is null") == [(1,)]
    numbers = [words(each).split(" · ")[0] for each in await here.from_bot(heir) if "SD-" in words(each)]
    assert len(numbers) == 1, numbers
    assert here.rows(f"select coalesce(sum(doubled), 0) from post where chat_id in ({moving}, {heir})") == [(0,)]


MOVES = ("sendPhoto", "editMessageCaption", "editMessageText", "setMessageReaction", "sendMediaGroup")


async def _hangs(here: Street, chat: int) -> bool:
    return any(call["method"] == "sendMessage" and call["status"] == 0 for call in to(chat, await here.calls()))


# --- the wire by itself


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """An address where nobody takes a connection up: its queue is full."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = []
    for _ in range(4):
        each = socket.socket()
        each.setblocking(False)
        each.connect_ex(full.getsockname())
        waiting.append(each)
    yield f"http://127.0.0.1:{full.getsockname()[1]}"
    for each in (*waiting, full):
        each.close()


def client(base: str, timeout: float) -> Bot:
    return Bot(
        "700000001:a-token-of-the-town-0123456789", session=Wire(api=TelegramAPIServer.from_base(base), timeout=timeout)
    )


async def test_a_connection_that_never_comes_about_was_surely_not_used(silent: str) -> None:
    bot = client(silent, 1.0)
    try:
        began = time.monotonic()
        with pytest.raises(NotCarriedOut):
            await bot(GetMe())
        assert time.monotonic() - began < 5
    finally:
        await bot.session.close()


class Cancelling:
    """A resolver whose own work is cancelled, as may happen inside a library."""

    async def resolve(self, *_args: Any, **_more: Any) -> list[Any]:
        raise asyncio.CancelledError

    async def close(self) -> None:
        pass


async def test_something_cancelled_inside_is_a_failure_and_our_own_cancelling_is_not() -> None:
    wire = Wire(api=TelegramAPIServer.from_base("http://telegram.example"), timeout=5)
    wire._connector_init["resolver"] = Cancelling()
    bot = Bot("700000001:a-token-of-the-town-0123456789", session=wire)
    try:
        with pytest.raises(TelegramNetworkError):
            await bot(GetMe())
    finally:
        await bot.session.close()


async def test_a_call_that_we_cancel_is_cancelled(tmp_path: Path) -> None:
    (house,) = houses(["001"])
    async with street(tmp_path, [house], running=False) as here:
        await here.post("fault", method="getMe", kind="timeout", seconds=99)
        bot = client(here.base, 30.0)
        calling = asyncio.create_task(bot(GetMe()))
        await here.until(lambda: _called(here), "the call")
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await bot.session.close()


async def _called(here: Street) -> bool:
    return bool(await here.calls())
