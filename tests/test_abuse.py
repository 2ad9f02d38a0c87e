"""Buttons, replies and commands in the wrong hands, at the real door: a forged, copied, guessed or repeated press does
nothing, gets one line, and tells nothing of another community, not even that a number exists."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel

from bot.domain.acts import Act
from tests.fuzz.ground import HEXI, HEXI_OFFICE, HEXI_SECRETARY, HEXI_UNIT, OTHER, make_ground
from tests.fuzz.mill import Mill, copied
from tests.fuzz.updates import ODD_DATA
from tests.fuzz.wire import chat, person
from tests.town import (
    CHEN,
    GATHER,
    GUANDI,
    LI,
    LIN,
    MARIA,
    NANSHI,
    OFFICE,
    POWER,
    POWER_MAN,
    STREET,
    URBAN,
    URBAN_MAN,
    WANG,
    WATER,
    WATER_MAN,
    ZHANG,
    ZHOU,
    Town,
    english_town,
    labels,
    words,
)

COVER = "自来水井盖坏了"
WEST_MAN, WEST_SHOP = 500000302, 500000303
KEPT = ("incident", "event", "part", "answer", "timer", "binding", "secretary", "shop", "failed_update", "community")
"""Tables in which nobody without a right may change a row."""


def neighbours(seed: dict[str, Any]) -> None:
    """Another community in the same emulator."""
    names = {HEXI_SECRETARY: "Hexi secretary", WEST_MAN: "Hands", WEST_SHOP: "West shop"}
    for key, name in names.items():
        seed["people"].append({"id": key, "first_name": name, "role": "of Hexi", "language_code": "en"})
    for key, title, members in (
        (HEXI, "West Street", [WEST_SHOP]),
        (HEXI_OFFICE, "Hexi office", [HEXI_SECRETARY]),
        (HEXI_UNIT, "Many Hands", [WEST_MAN]),
    ):
        seed["chats"].append({"id": key, "type": "supergroup", "title": title, "members": members})


@asynccontextmanager
async def place(home: Path, limits: str = "") -> AsyncIterator[Town]:
    async with english_town(home, lambda text: text + OTHER + limits, neighbours) as here:
        yield here


def kept(here: Town) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the tables that count."""
    return {table: here.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in KEPT}


def buttons(message: dict[str, Any]) -> Iterator[str]:
    for row in (message.get("reply_markup") or {}).get("inline_keyboard", []):
        for button in row:
            if "callback_data" in button:
                yield str(button["callback_data"])


async def forge(here: Town, user_id: int, chat_id: int, message_id: int, data: str) -> str:
    """A press that the person's own program made up; the one line it gets."""
    wish = {"as": user_id, "chat": chat_id, "message_id": message_id, "data": data, "forged": True, "wait": 20}
    told = await here.post("press", **wish)
    assert told["answer"] is not None, f"{data} by {user_id} was never answered"
    return str(told["answer"]["text"])


async def stages(here: Town) -> list[dict[str, Any]]:
    """One message of every kind that bears buttons: cards, lines, lists, menus, in every stage of an incident."""
    found = []
    for number in range(3):
        await here.photo(ZHANG, GUANDI, f"{COVER} {number}", media_group=False)
        found.append(await here.sees(WATER, f"SD-2026-000{number + 1}"))
        await here.wind(GATHER + 1)
    second, third = found[1:]
    await here.press(WATER_MAN, WATER, second, "Accept")
    await here.photo(WATER_MAN, WATER, samples=("fixed",), reply_to=third["message_id"])
    found.append(await here.sees(OFFICE, "Please check"))
    found.append(await here.sees(GUANDI, "How does it look?"))
    await here.photo(LI, GUANDI, "")
    await here.settled()
    await here.wind(GATHER + 1)
    found.append(await here.sees(GUANDI, "What is it?", person=LI))
    await here.wind(301)
    found.append(await here.sees(OFFICE, "Nobody has said"))
    await here.photo(MARIA, GUANDI, "垃圾成堆")
    card = await here.sees(URBAN, "SD-2026-0004")
    await here.press(URBAN_MAN, URBAN, card, "Not ours")
    card = await here.sees(URBAN, lambda each: "Private ground" in labels(each))
    await here.press(URBAN_MAN, URBAN, card, "Private ground")
    found.append(await here.sees(OFFICE, "says it is not theirs"))
    for text, shown in (("/open", "Open"), ("/i 1", "SD-2026-0001"), ("/bind", "What is this chat?")):
        asked = (await here.say(LIN, OFFICE, text))["message_id"]
        found.append(
            await here.sees(OFFICE, lambda each, s=shown, a=asked: each["message_id"] > a and s in words(each))
        )
    await here.settled()
    return found


# Who has nothing to do with it: (who, in which chat). Each presses every button of every card, copied from there.
NOBODIES = {
    "a merchant of another district": (WANG, NANSHI),
    "another unit's man in his unit's chat": (POWER_MAN, POWER),
    "another community's secretary": (HEXI_SECRETARY, HEXI_OFFICE),
    "another community's unit": (WEST_MAN, HEXI_UNIT),
    "another community's merchant": (WEST_SHOP, HEXI),
    "the street": (ZHOU, STREET),
    "a merchant alone with the bot": (WANG, WANG),
}


@pytest.mark.once
async def test_nobodys_press_changes_a_row_or_tells_anything(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        cards = await stages(here)
        datas = {data for card in cards for data in buttons(card)}
        assert {data.split(":")[0] for data in datas} >= {"a", "m", "o", "b"} and len(datas) > 40
        # Each stands on a message of the bot's in the presser's own chat, and on one that was never there.
        for user_id, chat_id in NOBODIES.values():
            if chat_id < 0:
                await here.say(user_id, chat_id, "/help")
        await here.say(WANG, WANG, "/help")
        await here.settled()
        before, wrong = kept(here), []
        for name, (user_id, chat_id) in NOBODIES.items():
            own = (await here.from_bot(chat_id, user_id))[-1]["message_id"]
            told = await asyncio.gather(*(forge(here, user_id, chat_id, own, data) for data in datas))
            wrong += [
                (name, data, line) for data, line in zip(datas, told, strict=True) if not modest(line, data, user_id)
            ]
        await here.settled()
        assert wrong == []
        assert changed(before, kept(here)) == {}


def modest(line: str, data: str, user_id: int) -> bool:
    """One line, that says no more than no. The street looks at what its communities have: the cards it may open."""
    opened = user_id == ZHOU and data.startswith("o:")
    return line in REFUSALS or (opened and line == "")


REFUSALS = {
    "This is not yours to do.",
    "This is not yours to see.",
    "This button is out of date.",
    "That incident does not exist any more.",
    "Only the secretary or the operator can do this.",
    "Too late to undo: a step can be taken back for a minute, by whoever took it.",
}


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Table → rows that were not there before or are gone."""
    return {
        table: [row for row in (*before[table], *after[table]) if (row in before[table]) != (row in after[table])]
        for table in before
        if before[table] != after[table]
    }


@pytest.mark.once
async def test_a_guessed_number_is_told_from_no_other(tmp_path: Path) -> None:
    """Of another community's incident a stranger hears what he hears of one that never was."""
    async with place(tmp_path) as here:
        await here.photo(WEST_SHOP, HEXI, "street light broken")
        await here.sees(HEXI_OFFICE, "HX-2026-0001")
        there, never = here.rows("select id from incident")[0][0], 987654
        card = 5
        before, told = kept(here), {}
        for act in (*Act, "nonsense"):
            for kind in ("a", "m"):
                answers = [await forge(here, ZHANG, GUANDI, card, f"{kind}:{key}:{act}:") for key in (there, never)]
                told[f"{kind} {act}"] = answers
        for data in ("o:{}::", "i:{}::", "p:{}:queue:0"):
            told[data] = [await forge(here, ZHANG, GUANDI, card, data.format(key)) for key in (there, never)]
        assert {data: answers for data, answers in told.items() if len(set(answers)) > 1} == {}
        for text, person_id, chat_id in (
            ("/i {}", ZHANG, GUANDI),
            ("/i {}", WATER_MAN, WATER),
            ("/i {}", LIN, OFFICE),
            ("/find {}", LIN, OFFICE),
            ("/i {}", LIN, LIN),
            ("/find {}", ZHOU, STREET),
        ):
            shown = []
            for number in ("HX-2026-0001", "HX-2026-0999"):
                told_before = len(await heard(here, chat_id, person_id, number))
                await here.say(person_id, chat_id, text.format(number))
                await here.settled(quiet=0.2)
                new = (await heard(here, chat_id, person_id, number))[told_before:]
                shown.append([words(each).replace(number, "…") for each in new])
            assert shown[0]
            assert shown[0] == shown[1]
        assert changed(before, kept(here)) == {}


async def heard(here: Town, chat_id: int, person_id: int, number: str) -> list[dict[str, Any]]:
    return [each for each in await here.from_bot(chat_id, person_id) if number in words(each)]


@pytest.mark.once
async def test_odd_data_gets_one_line_and_does_nothing(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        await here.photo(ZHANG, GUANDI, COVER)
        card = await here.sees(WATER, "SD-2026-0001")
        await here.settled()
        # What anybody in that chat may press: it opens a menu or a card, and one of them accepts.
        legal = ("a:1:return:", "m:1::", "m:1:return:", "o:1::", "a:1:accept:")
        before = kept(here)
        sent = [data for data in ODD_DATA if not data.startswith(legal) and "\ud800" not in data]
        told = await asyncio.gather(*(forge(here, POWER_MAN, WATER, card["message_id"], data) for data in sent))
        assert {data for data, line in zip(sent, told, strict=True) if not 0 < len(line) <= 200} == set()
        await here.settled()
        assert changed(before, kept(here)) == {}
        # And the relay goes on.
        assert "Done" in await here.press(WATER_MAN, WATER, card, "Accept")


async def test_ten_presses_at_once_are_one_act(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        await here.photo(ZHANG, GUANDI, COVER)
        card = await here.sees(WATER, "SD-2026-0001")
        accept = next(data for data in buttons(card) if ":accept:" in data)
        told = await asyncio.gather(*(forge(here, WATER_MAN, WATER, card["message_id"], accept) for _ in range(10)))
        assert sum("Done: Accept" in line for line in told) == 1
        assert sum(line.startswith("A little late") for line in told) == 9
        await here.sees(WATER, "In hand")
        await here.wind(3600)
        assert (await forge(here, WATER_MAN, WATER, card["message_id"], accept)).startswith("A little late")
        assert here.rows("select count(*) from event where act = 'accept'") == [(1,)]


@pytest.mark.parametrize("first", ["confirm", "send_back"])
async def test_of_two_secretaries_at_once_one_decides_and_both_hear_it(tmp_path: Path, first: str) -> None:
    async with place(tmp_path) as here:
        await here.photo(ZHANG, GUANDI, COVER)
        card = await here.sees(WATER, "SD-2026-0001")
        await here.photo(WATER_MAN, WATER, samples=("fixed",), reply_to=card["message_id"])
        office = await here.sees(OFFICE, "Please check")
        acts = {"confirm": "a:1:confirm:", "send_back": "a:1:send_back:half"}
        order = [first, *(act for act in acts if act != first)]
        told = await asyncio.gather(
            *(
                forge(here, who, OFFICE, office["message_id"], acts[act])
                for who, act in zip((LIN, CHEN), order, strict=True)
            )
        )
        assert sum(line.startswith("Done: ") for line in told) == 1
        assert sum(line.startswith("A little late: ") for line in told) == 1
        await here.settled()
        done = here.rows("select act from event where act in ('confirm', 'send_back')")
        assert len(done) == 1
        expected = {"confirm": "closed", "send_back": "accepted"}[done[0][0]]
        assert here.rows("select status, rework from incident") == [(expected, int(expected == "accepted"))]


@pytest.mark.once
async def test_buttons_of_yesterday_do_nothing(tmp_path: Path) -> None:
    """A card that was replaced, a menu that is closed, an incident that is over: one line each."""
    async with place(tmp_path) as here:
        await here.photo(ZHANG, GUANDI, COVER)
        old = await here.sees(WATER, "SD-2026-0001")
        stale = {*buttons(old), "a:1:return:owner", "m:1:return:", "m:1::"}
        asked = (await here.say(LIN, OFFICE, "/i 1"))["message_id"]
        sheet = await here.sees(OFFICE, lambda each: each["message_id"] > asked and "SD-2026-0001" in words(each))
        unit = here.rows("select id from unit where key = 'power'")[0][0]
        assert "Sent to" in await forge(here, LIN, OFFICE, sheet["message_id"], f"a:1:reassign:{unit}")
        fresh = await here.sees(POWER, "SD-2026-0001")
        await here.settled()
        before = kept(here)
        told = [await forge(here, WATER_MAN, WATER, old["message_id"], data) for data in sorted(stale)]
        assert all(line in REFUSALS for line in told), told
        assert changed(before, kept(here)) == {}
        await here.photo(POWER_MAN, POWER, samples=("fixed",), reply_to=fresh["message_id"])
        office = await here.sees(OFFICE, "Please check")
        await here.press(LIN, OFFICE, office, "Confirm")
        await here.wind(61)
        await here.settled()
        before = kept(here)
        for user_id, chat_id, message in ((POWER_MAN, POWER, fresh), (LIN, OFFICE, office), (LIN, OFFICE, sheet)):
            for data in {*buttons(message), "a:1:confirm:", "a:1:send_back:half", "a:1:resolve:", "a:1:undo:"}:
                if data.startswith(("m:1:history", "m:1:more", "m:1::")):
                    # A card may be leafed through when all is over.
                    continue
                line = await forge(here, user_id, chat_id, message["message_id"], data)
                assert line in REFUSALS or line.startswith(("A little late", "Too late")), (data, line)
        assert changed(before, kept(here)) == {}


@pytest.mark.once
async def test_an_anonymous_administrator_presses_as_himself(tmp_path: Path) -> None:
    """What he writes has no face; his press has: it counts for what he is, and no more."""
    async with place(tmp_path, limits="") as here:
        await here.photo(ZHANG, GUANDI, COVER)
        card = await here.sees(WATER, "SD-2026-0001")
        await here.photo(WATER_MAN, WATER, samples=("fixed",), reply_to=card["message_id"])
        office = await here.sees(OFFICE, "Please check")
        await here.say(CHEN, OFFICE, "/bind", anonymous=True)
        menu = await here.sees(OFFICE, "What is this chat?")
        before = kept(here)
        nobody = next(data for data in buttons(menu) if data.startswith("b:0::u"))
        assert await forge(here, MARIA, OFFICE, menu["message_id"], nobody) in REFUSALS
        assert await forge(here, MARIA, OFFICE, office["message_id"], "a:1:confirm:") in REFUSALS
        # In the group's name nobody confirms by words, and replies there are nobody's.
        await here.say(CHEN, OFFICE, "好的", reply_to=office["message_id"], anonymous=True)
        await here.settled()
        assert changed(before, kept(here)) == {}
        assert (await forge(here, CHEN, OFFICE, office["message_id"], "a:1:confirm:")).startswith("Done")


@pytest.mark.once
async def test_photos_and_replies_that_prove_nothing(tmp_path: Path) -> None:
    """A photo counts as proof where a card stands, from those who act there; from nobody else, however it is sent."""
    async with place(tmp_path) as here:
        await here.photo(ZHANG, GUANDI, COVER)
        card = await here.sees(WATER, "SD-2026-0001")
        line = await here.sees(GUANDI, "SD-2026-0001")
        await here.say(POWER_MAN, POWER, "/open")
        await here.settled()
        elsewhere = (await here.from_bot(POWER, POWER_MAN))[-1]
        await here.settled()
        before = kept(here)
        # The number in his own words, on the bot's message about something else, and on a card carried over here.
        await here.photo(POWER_MAN, POWER, "SD-2026-0001", samples=("fixed",), reply_to=elsewhere["message_id"])
        copy = await here.say(POWER_MAN, POWER, "", forward={"chat": WATER, "message_id": card["message_id"]})
        await here.photo(POWER_MAN, POWER, "done", samples=("fixed",), reply_to=copy["message_id"])
        await here.photo(WATER_MAN, WATER, "no reply at all", samples=("fixed",))
        await here.photo(HEXI_SECRETARY, HEXI_OFFICE, "SD-2026-0001", samples=("fixed",))
        await here.settled()
        assert changed(before, kept(here)) == {}
        # A neighbour's photo under the line is a remark, never the proof.
        await here.photo(LI, GUANDI, "修好了", samples=("fixed",), reply_to=line["message_id"])
        await here.settled()
        assert here.rows("select status from incident where number = 'SD-2026-0001'") == [("dispatched",)]


# What commands do not tell: (who, where, what) and what must not be heard.
COMMANDS = [
    (ZHANG, GUANDI, "/open"),
    (ZHANG, GUANDI, "/find 水"),
    (ZHANG, GUANDI, "/stats"),
    (ZHANG, GUANDI, "/bind"),
    (ZHANG, GUANDI, "/language en"),
    (ZHANG, GUANDI, "/start u1"),
    (ZHANG, ZHANG, "/open"),
    (ZHANG, ZHANG, "/find %"),
    (POWER_MAN, POWER, "/find %"),
    (POWER_MAN, POWER, "/find _"),
    (POWER_MAN, POWER, "/find ' OR 1=1 --"),
    (POWER_MAN, POWER, "/find \\"),
    (POWER_MAN, POWER, "/i SD-2026-0001"),
    (POWER_MAN, POWER, "/i 1; DROP TABLE incident"),
    (POWER_MAN, POWER, "/i@OtherBot 1"),
    (POWER_MAN, POWER, "/report 路灯坏了"),
    (HEXI_SECRETARY, HEXI_OFFICE, "/i SD-2026-0001"),
    (HEXI_SECRETARY, HEXI_OFFICE, "/find SD-2026"),
    (HEXI_SECRETARY, HEXI_OFFICE, "/open"),
    (HEXI_SECRETARY, HEXI_SECRETARY, "/open"),
    (HEXI_SECRETARY, GUANDI, "/bind"),
    (LIN, HEXI_OFFICE, "/bind"),
]


@pytest.mark.once
async def test_commands_tell_and_bind_nothing_beyond_rights(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        await here.photo(ZHANG, GUANDI, COVER)
        await here.sees(WATER, "SD-2026-0001")
        await here.settled()
        for person_id, chat_id in ((HEXI_SECRETARY, GUANDI), (LIN, HEXI_OFFICE)):
            await here.post("member", **{"as": person_id, "chat": chat_id})
        before = kept(here)
        for person_id, chat_id, text in COMMANDS:
            await here.say(person_id, chat_id, text)
            if text.startswith("/bind"):
                await bind_anyway(here, person_id, chat_id)
        await here.settled()
        assert changed(before, kept(here)) == {}
        for chat_id, people in (
            (POWER, [POWER_MAN]),
            (HEXI_OFFICE, [HEXI_SECRETARY]),
            (HEXI_SECRETARY, [HEXI_SECRETARY]),
        ):
            for message in await here.from_bot(chat_id, people[0]):
                assert "井盖" not in words(message) and "Water" not in words(message), words(message)


async def bind_anyway(here: Town, person_id: int, chat_id: int) -> None:
    """Press every choice of whatever menu stands there, and make up those that do not."""
    for data in ("b:0::o2", "b:0::d1", "b:0::u1", "b:0::u99", "b:0::o1"):
        assert await forge(here, person_id, chat_id, 7, data) in {*REFUSALS, "This chat belongs to another community."}


@pytest.mark.once
async def test_chatter_leaves_no_trace(tmp_path: Path) -> None:
    """What is no report, reply, press or command is nowhere: not in a row, not in a log, not even its author."""
    async with place(tmp_path) as here:
        canary, passer = "SECRETCHATTER", MARIA
        for person_id, chat_id in ((passer, GUANDI), (WATER_MAN, WATER), (LIN, OFFICE), (WEST_SHOP, HEXI)):
            said = await here.say(person_id, chat_id, f"早上好 {canary}")
            await here.edit(person_id, chat_id, said["message_id"], text=f"晚安 {canary}")
            await here.say(person_id, chat_id, f"/i@OtherBot {canary}")
            await here.say(person_id, chat_id, f"/unknown {canary}")
        await here.photo(WATER_MAN, WATER, f"风景 {canary}")
        await here.settled()
        for table in SQLModel.metadata.tables:
            assert canary not in str(here.rows(f"SELECT * FROM {table}")), table
        assert here.rows("select count(*) from person") == [(0,)]


@pytest.mark.once
async def test_presses_without_a_card_get_a_line(tmp_path: Path) -> None:
    """Inline messages, games, messages too old to be shown: what else a press can come from."""
    stood = await make_ground(tmp_path / "ground")
    mill = Mill(copied(tmp_path / "ground", tmp_path / "work"), stood)
    try:
        press = {"id": "1", "from": person(WATER_MAN), "chat_instance": "1"}
        bare = {"chat": chat(WATER), "message_id": 77, "date": 0}
        shapes: list[dict[str, Any]] = [
            {"inline_message_id": "AAAA", "data": "a:1:accept:"},
            {"inline_message_id": "AAAA", "game_short_name": "chess"},
            {"message": bare, "game_short_name": "chess"},
            {"message": bare, "data": "a:4:accept:"},
            {"message": {**bare, "chat": chat(POWER)}, "data": "a:1:accept:"},
            {"data": "a:1:accept:"},
        ]
        before = mill.rows("select count(*), max(id) from event")
        for number, shape in enumerate(shapes):
            await mill.take([{"update_id": 9_000 + number, "callback_query": {**press, **shape}}])
            assert mill.wire.stood.answers[-1].get("text"), shape
        assert len(mill.wire.stood.answers) >= len(shapes)
        assert mill.rows("select count(*), max(id) from event") == before
        assert mill.set_aside() == {} and mill.wire.stood.wrong == []
    finally:
        await mill.close()


@pytest.mark.once
async def test_a_command_that_names_the_bot_asks_nobody_who_it_is(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        await here.post("fault", method="getMe", kind="500", times=50)
        await here.say(LIN, OFFICE, "/open@alliance_relay_bot")
        await here.sees(OFFICE, "Nothing is open.")
        assert here.rows("select count(*) from failed_update") == [(0,)]
