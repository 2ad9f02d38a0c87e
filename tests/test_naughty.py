"""What people call themselves and write: whatever it is, every screen stays whole, and no words of theirs can pass for
a line of a card. Each string goes through the fields, in both languages, by the real intake, views and channel."""

import os
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot

from handlers.reading import cleaned, incoming, named, update_of
from tests.fuzz.ground import HEXI, HEXI_OFFICE, HEXI_SECRETARY, HEXI_UNIT, Street, make_ground
from tests.fuzz.mill import TOKEN, Mill, copied
from tests.fuzz.naughty import EVERY, FAMILY, NAUGHTY
from tests.fuzz.schema import NOW
from tests.fuzz.wire import BOT_USER, Wire, person
from tests.town import GUANDI, LIN, OFFICE, WATER, WATER_MAN, ZHANG

BREAKS = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
"""What some program or other takes for the end of a line."""
FORGED = "FORGED"
"""What stands behind a line's end in a fake: it must never begin a line."""
FAKES = [f"井盖坏了{sign}{FORGED} 状态:已结案" for sign in BREAKS]
STEP = 1 if os.environ.get("FUZZ") else 8
"""In the short form each string goes through one or two of the fields."""
ENGLISH_SHOP, WEST_MAN = 600000001, 500000302
BOT = Bot(TOKEN, session=Wire())


@asynccontextmanager
async def street(home: Path) -> AsyncIterator[Street]:
    stood = await make_ground(home / "ground")
    mill = Mill(copied(home / "ground", home / "work"), stood)
    found = Street(mill, first=5_000)
    try:
        yield found
    finally:
        await mill.close()


class Turn:
    """The strings, one after the other, so that every field gets each of them in the end."""

    def __init__(self, strings: Sequence[str], start: int) -> None:
        self._strings, self._at = strings, start

    def __call__(self) -> str:
        self._at += 1
        return self._strings[self._at % len(self._strings)]


Community = Callable[[Street, Turn], Any]


async def chinese(here: Street, said: Turn) -> None:
    """One report and all that people can say about it in the community that speaks Chinese."""
    who = {**person(ZHANG), "first_name": said() or "x", "last_name": said(), "username": said()}
    group = {"chat": {"id": GUANDI, "type": "supergroup", "title": said()}}
    spot = {"latitude": 30.7, "longitude": 121.0}
    await here.write(ZHANG, GUANDI, **{"from": who}, **group, text=f"/shop {said()}")
    photo = await here.photo(ZHANG, GUANDI, f"自来水井盖坏了 {said()}", **{"from": who}, **group)
    await here.write(
        ZHANG, GUANDI, **{"from": who}, location=spot, venue={"location": spot, "title": said(), "address": said()}
    )
    await here.rest(300)
    card = here.newest(WATER, "上水井盖")
    await here.write(
        WATER_MAN,
        WATER,
        **{"from": {**person(WATER_MAN), "first_name": said() or "y"}},
        text=said(),
        reply_to_message=card,
    )
    await here.write(ZHANG, GUANDI, text=said(), reply_to_message=photo)
    await here.edit(photo, caption=f"自来水井盖坏了 {said()}")
    await here.photo(WATER_MAN, WATER, said(), reply_to_message=card)
    await here.rest()
    office = here.newest(OFFICE, "请核查")
    number = office["caption"].split()[1]
    await here.press(LIN, office, f"m:{int(number[-4:])}:history:")
    for text in (f"/i {number}", f"/find {said()}", f"/i {said()}"):
        await here.write(LIN, OFFICE, text=text)
    await here.write(ZHANG, GUANDI, **{"from": who}, text="/my")
    await here.rest()
    await here.press(LIN, office, f"a:{int(number[-4:])}:confirm:")
    await here.rest()


async def english(here: Street, said: Turn) -> None:
    """The same in the one that speaks English, which sends each report on by hand."""
    who = {**person(ENGLISH_SHOP), "first_name": said() or "x", "language_code": said()}
    await here.write(ENGLISH_SHOP, HEXI, **{"from": who}, text=f"/shop {said()}, {said()}")
    await here.photo(ENGLISH_SHOP, HEXI, f"street light broken {said()}", **{"from": who})
    await here.rest(300)
    office = here.newest(HEXI_OFFICE, "Where should it go?")
    data = office["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await here.press(HEXI_SECRETARY, office, data)
    await here.rest()
    card = here.newest(HEXI_UNIT, "Status: Dispatched")
    await here.write(WEST_MAN, HEXI_UNIT, text=said(), reply_to_message=card)
    await here.photo(WEST_MAN, HEXI_UNIT, said(), reply_to_message=card)
    await here.write(HEXI_SECRETARY, HEXI_OFFICE, text=f"/find {said()}")
    await here.write(HEXI_SECRETARY, HEXI_OFFICE, text="/open")
    await here.write(ENGLISH_SHOP, ENGLISH_SHOP, **{"from": who}, text=f"/shop {said()}")
    await here.rest()


async def told(home: Path, strings: Sequence[str], community: Community, step: int = 1) -> list[tuple[int, str]]:
    """Every text the bot has shown after all of them were said in every field. Raises AssertionError for a bad one."""
    async with street(home) as here:
        for start in range(0, len(strings), step):
            await community(here, Turn(strings, start))
        assert not here.mill.wrong(), "\n".join(here.mill.wrong()[:5])
        assert here.mill.set_aside() == {}
        return here.mill.wire.stood.texts


@pytest.mark.parametrize("community", [chinese, english])
async def test_no_string_breaks_a_screen(tmp_path: Path, community: Community) -> None:
    shown = await told(tmp_path, EVERY, community, STEP)
    assert len(shown) > 8 * len(EVERY) // STEP


@pytest.mark.parametrize("community", [chinese, english])
async def test_nobodys_words_begin_a_line(tmp_path: Path, community: Community) -> None:
    shown = await told(tmp_path, FAKES, community, 2)
    assert sum(FORGED in text for _, text in shown) > 3 * len(FAKES)
    begun = [
        text for _, text in shown for line in re.split("[" + "".join(BREAKS) + "]", text) if line.startswith(FORGED)
    ]
    assert begun == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("  井盖坏了  ", "井盖坏了"),
        (FAMILY, FAMILY),
        ("1️⃣ ❤️", "1️⃣ ❤️"),
        ("\u202eSD\u202c", "SD"),
        ("\u2066a\u2069", "a"),
        ("张\u200b记\ufeff", "张记"),
        ("\u200d\u200d", ""),
        ("\ufe0f\ufe0f", ""),
        ("\u3164\u115f\uffa0\u2800", ""),
        ("\u3164a", "a"),
        ("\ud83d坏", "坏"),
        ("坏\x00了", "坏了"),
        ("a\tb", "ab"),
        ("a\r\nb\rc\x85d\u2028e\u2029f\x0bg", "a\n\nb\nc\nd\ne\nf\ng"),
        ("e" + "\u0301" * 50, "e" + "\u0301" * 4),
        ("\u0301\u0301abc", "abc"),
        ("a\u200d\u0301\u200d\u0301\u200d\u0301", "a\u200d\u0301\u200d\u0301"),
        ("שָׁלוֹם", "שָׁלוֹם"),
        ("", ""),
        (None, ""),
    ],
)
def test_what_cannot_be_seen_is_taken_out_and_nothing_else(said: str | None, kept: str) -> None:
    assert cleaned(said) == kept


@pytest.mark.parametrize("sign", BREAKS)
def test_a_name_has_one_line(sign: str) -> None:
    assert named(f"林书记{sign}状态:已结案", 64) == "林书记 状态:已结案"


@pytest.mark.parametrize("string", EVERY, ids=list(NAUGHTY))
def test_what_is_left_can_be_stored_and_shown(string: str) -> None:
    text = cleaned(string)
    text.encode("utf-8")
    assert "\x00" not in text and text == text.strip() and cleaned(text) == text
    assert text == "" or any(sign.isprintable() and not sign.isspace() for sign in text)


async def test_the_fullest_card_keeps_its_picture_its_status_and_the_newest_words(tmp_path: Path) -> None:
    """Everything as long as it can be: what somebody writes pushes nothing of ours off the card."""
    long = "😀" * 2000
    async with street(tmp_path) as here:
        spot = {"latitude": 30.7, "longitude": 121.0}
        await here.write(ENGLISH_SHOP, HEXI, text=f"/shop {long}, {long}")
        await here.photo(ENGLISH_SHOP, HEXI, f"street light broken {'𝔸' * 400}")
        await here.write(ENGLISH_SHOP, HEXI, location=spot, venue={"location": spot, "title": long, "address": long})
        await here.rest(300)
        office = here.newest(HEXI_OFFICE, "Where should it go?")
        await here.press(HEXI_SECRETARY, office, office["reply_markup"]["inline_keyboard"][0][0]["callback_data"])
        await here.rest()
        card = here.newest(HEXI_UNIT, "Status: Dispatched")
        assert card["photo"]
        for _ in range(14):
            await here.write(ENGLISH_SHOP, HEXI, text=long, reply_to_message=here.newest(HEXI, "HX-2026-0002"))
        await here.write(WEST_MAN, HEXI_UNIT, text=f"LAST {long}", reply_to_message=card)
        await here.rest()
        card = here.newest(HEXI_UNIT, "HX-2026-0002")
        assert card["photo"] and "Status: Dispatched" in card["caption"] and "LAST" in card["caption"]
        await here.photo(WEST_MAN, HEXI_UNIT, long, reply_to_message=card)
        await here.rest()
        office = here.newest(HEXI_OFFICE, "Please check")
        incident = here.mill.rows("select id from incident where number = 'HX-2026-0002'")[0][0]
        await here.press(HEXI_SECRETARY, office, f"m:{incident}:history:")
        await here.rest()
        office = here.newest(HEXI_OFFICE, "Please check")
        assert office["photo"] and "Status: To be checked" in office["caption"]
        assert "says it is done" in office["caption"].splitlines()[-2]
        assert here.mill.wrong() == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("🔴 SD-2026-0042 上水井盖\n📍 关帝庙商圈\n💬 “坏了”", "SD-2026-0042"),
        ("SD-2026-0042 上水井盖 · 水务公司", "SD-2026-0042"),
        ("当湖街道:水务公司 …\nSD-2026-0042 上水井盖", "SD-2026-0042"),
        ("🔴 SD-2026-0042 上水井盖\n💬 “SD-2026-0001”\n✎ 水务公司:SD-2026-0002", "SD-2026-0042"),
        ("⚪ 新的,尚未归类\n💬 “SD-2026-0001”", ""),
        ("没有找到“SD-2026-0001”。", ""),
        ("待处理 2\n1. 🔴 SD-2026-0001 上水井盖\n2. 🔴 SD-2026-0002 路灯", ""),
        ("SD-2026-0001 x\nSD-2026-0002 y", ""),
        ("🔴 SD-２０２６-００４２ 上水井盖", ""),
        ("xSD-2026-0042", ""),
    ],
)
def test_only_the_number_a_card_begins_with_is_its_number(text: str, number: str) -> None:
    update = update_of(
        {
            "update_id": 1,
            "message": {
                **_message(9, person(ZHANG), text="好了"),
                "reply_to_message": _message(8, BOT_USER, caption=text),
            },
        },
        BOT,
    )
    assert update.message is not None and incoming(update.message).reply_number == number


def _message(message_id: int, sender: dict[str, Any], **content: str) -> dict[str, Any]:
    chat = {"id": WATER, "type": "supergroup", "title": "水务公司值班"}
    return {"message_id": message_id, "date": NOW, "chat": chat, "from": sender, **content}
