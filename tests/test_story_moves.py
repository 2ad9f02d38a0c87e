"""Chats that move, come back, or become something else: found by a reader who tried to break it."""

import asyncio
from pathlib import Path

import pytest

from bot.domain.pace import ALL, Paces
from tests.town import (
    GUANDI,
    LIN,
    OFFICE,
    OPERATOR,
    WATER,
    WATER_MAN,
    ZHANG,
    english_town,
    labels,
    words,
)

COVER = "自来水井盖坏了"


async def test_a_unit_bound_elsewhere_and_back_has_its_card_again(tmp_path: Path) -> None:
    async with english_town(tmp_path) as here:
        await here.photo(ZHANG, GUANDI, COVER)
        await here.sees(WATER, "SD-2026-0001")
        other = (await here.post("chat", title="New chat", type="supergroup", members=[WATER_MAN, LIN]))["id"]
        await here.post("join", **{"chat": other, "as": LIN, "admin": True})
        await here.post("member", **{"as": LIN, "chat": WATER})
        for chat, left in ((other, WATER), (WATER, other)):
            await here.say(LIN, chat, "/bind")
            menu = await here.sees(chat, lambda each: "🔧 水务公司" in labels(each))
            await here.press(LIN, chat, menu, "🔧 水务公司")
            card = await here.sees(chat, lambda each: "SD-2026-0001" in words(each) and "Accept" in labels(each))
            await here.gone(left, "SD-2026-0001")
        await here.press(WATER_MAN, WATER, card, "Accept")
        await here.sees(WATER, "In hand")


async def test_one_person_who_cannot_be_reached_does_not_lose_the_group(tmp_path: Path) -> None:
    async with english_town(tmp_path) as here:
        await here.post("fault", method="sendMessage", chat=GUANDI, kind="403", times=1)
        await here.photo(ZHANG, GUANDI, "看一下")
        await here.wind(25)
        await here.settled()
        assert here.rows(f"select lost_at from binding where chat_id = {GUANDI}") == [(None,)]
        assert "no longer in" not in " ".join(words(each) for each in await here.from_bot(OFFICE))


async def test_a_list_page_nobody_wrote_is_out_of_date_and_harms_nothing(tmp_path: Path) -> None:
    async with english_town(tmp_path) as here:
        await here.photo(ZHANG, GUANDI, COVER)
        await here.sees(WATER, "SD-2026-0001")
        await here.say(LIN, OFFICE, "/open")
        listed = await here.sees(OFFICE, "Open: 1")
        for forged in ("p:0:queue:99999999999999999999", "p:0:queue:²", "a:999999999999:accept:", "b:0::o²", "zzz"):
            told = await here.post(
                "press",
                **{"as": LIN, "chat": OFFICE, "message_id": listed["message_id"], "data": forged, "forged": True},
            )
            assert "out of date" in told["answer"]["text"]
        await here.settled()
        assert here.rows("select count(*) from failed_update") == [(0,)]
        await here.say(LIN, OFFICE, "/find 井盖")
        await here.sees(OFFICE, "Found")
        assert await here.from_bot(OPERATOR, person=OPERATOR) == []


async def test_what_the_office_says_and_shows_is_not_the_groups_to_see(tmp_path: Path) -> None:
    async with english_town(tmp_path) as here:
        await here.photo(ZHANG, GUANDI, COVER)
        card = await here.sees(WATER, "SD-2026-0001")
        await here.say(LIN, OFFICE, "/i 1")
        sheet = await here.sees(OFFICE, "SD-2026-0001")
        await here.photo(LIN, OFFICE, "内部照片", samples=("rubbish",), reply_to=sheet["message_id"])
        await here.settled()
        await here.photo(WATER_MAN, WATER, samples=("fixed",), reply_to=card["message_id"])
        check = await here.sees(OFFICE, "Please check")
        await here.press(LIN, OFFICE, check, "Confirm")
        await here.sees(GUANDI, lambda each: "Closed" in words(each) and bool(each.get("photo")))
        # What was shown is written down a moment after it is seen.
        await here.settled()
        pair = here.rows("select picture from post where kind = 'line'")[0][0]
        report = here.rows("select id from part where role = 'report'")[0][0]
        assert pair.split(":")[1] == str(report)
        await here.say(ZHANG, GUANDI, "/i 1")
        own = await here.sees(GUANDI, "reported it", person=ZHANG)
        assert "内部照片" not in words(own)


@pytest.mark.once
async def test_many_chats_that_wait_do_not_speak_in_the_same_second() -> None:
    """The count and the call have nothing awaited between them."""
    paces, loop = Paces(), asyncio.get_running_loop()
    spoken: list[float] = []

    async def chat(number: int) -> None:
        await asyncio.sleep(0)
        wait = paces.wait(number, loop.time())
        while wait > 0:
            await asyncio.sleep(wait)
            wait = paces.wait(number, loop.time())
        paces.spend(number, loop.time())
        spoken.append(loop.time())

    await asyncio.gather(*(chat(number) for number in range(1, 70)))
    most, seconds = ALL[0]
    assert max(sum(1 for other in spoken if at <= other < at + seconds) for at in spoken) == most


async def test_a_card_whose_id_nobody_wrote_down_is_known_by_its_number(tmp_path: Path) -> None:
    """Its answer was lost, or a reply was faster than the record of it; a list, which names several, is no card."""
    async with english_town(tmp_path) as here:
        for at in ("坏了", "又坏了"):
            await here.photo(ZHANG, GUANDI, f"自来水井盖{at}")
            await here.wind(25)
        card = await here.sees(WATER, "SD-2026-0001")
        await here.say(WATER_MAN, WATER, "/open")
        listed = await here.sees(WATER, "Open: 2")
        await here.settled()
        here.rows("delete from shown")
        await here.photo(WATER_MAN, WATER, samples=("fixed",), reply_to=listed["message_id"])
        await here.settled()
        assert {row[0] for row in here.rows("select status from incident")} == {"dispatched"}
        await here.photo(WATER_MAN, WATER, samples=("fixed",), reply_to=card["message_id"])
        await here.sees(OFFICE, "Please check")
        assert here.rows("select number from incident where status = 'resolved'") == [("SD-2026-0001",)]
