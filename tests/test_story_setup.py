"""Issue 2, point 8: the bot comes into chats, is told what they are, moves with them, and is put out of them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.town import (
    GUANDI,
    LI,
    LIN,
    OFFICE,
    OPERATOR,
    STREET,
    WATER,
    WATER_MAN,
    ZHANG,
    ZHOU,
    labels,
    words,
)
from tests.walks import COVER, Walk, data_of, says, walk

NO = "Only the secretary or the operator can do this."


async def founded(t: Walk, title: str, *members: int, kind: str = "supergroup", **fields: Any) -> int:
    """A new group, the bot not yet in it."""
    return int((await t.post("chat", title=title, type=kind, members=list(members), **fields))["id"])


async def joined(t: Walk, chat: int, person: int, **fields: Any) -> None:
    await t.post("join", **{"chat": chat, "as": person, **fields})


async def offered(t: Walk, chat: int | None, language: str = "") -> dict[str, str]:
    """The commands Telegram shows in a chat, or in private in a language."""
    async with t.http.get(f"{t.base}/sandbox/commands") as answer:
        lists = (await answer.json())["lists"]
    scope = {"type": "chat", "chat_id": chat} if chat else {"type": "all_private_chats"}
    found = next((each for each in lists if (each["scope"], each["language_code"]) == (scope, language)), None)
    return {each["command"]: each["description"] for each in found["commands"]} if found else {}


async def bound(t: Walk, chat: int, person: int, name: str) -> None:
    """/bind, and the button of that name."""
    await t.say(person, chat, "/bind")
    menu = await t.sees(chat, says("What is this chat?", button=name))
    await t.press(person, chat, menu, name)
    await t.sees(chat, f"This chat is {name.split(' ', 1)[1]} now.")


async def test_a_new_group_gets_one_checklist_that_keeps_itself_up_to_date(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        chat = await founded(t, "新来的群", LIN, ZHANG, OPERATOR)
        await joined(t, chat, ZHANG)
        first = await t.sees(chat, "I cannot see photos here yet: make me an administrator")
        assert "Say what this group is" in words(first) and words(first).count("☐") == 2
        await t.photo(ZHANG, chat, COVER)
        await t.post("membership", **{"as": LIN, "chat": chat, "status": "administrator"})
        second = await t.sees(chat, "✅ I can see the photos here.")
        assert second["message_id"] == first["message_id"] and words(second).count("☐") == 1
        # Whoever is neither secretary nor operator is told so, alone.
        await t.say(ZHANG, chat, "/bind")
        await t.sees(chat, NO, person=ZHANG)
        assert not await t.standing(chat, NO, person=LIN)
        await t.say(LIN, chat, "/bind")
        menu = await t.sees(chat, "What is this chat?")
        assert {"🏛 水洞埭社区", "🏪 河滨商圈", "🔧 水务公司"} <= set(labels(menu))
        assert "🏛 当湖街道" not in labels(menu), "a secretary binds for her own community"
        assert await t.press(ZHANG, chat, menu, "🏪 河滨商圈") == NO
        await t.photo(ZHANG, chat, COVER)
        await t.settled()
        assert not await t.from_bot(WATER), "the group is nothing yet, and what is posted there is nobody's"
        assert await t.press(LIN, chat, menu, "🏪 河滨商圈") == "This chat is 河滨商圈 now."
        await t.sees(chat, "✅ This group is 河滨商圈.")
        await t.settled()
        assert set(await offered(t, chat)) == {"report", "my", "shop"}
        await t.report(person=ZHANG, chat=chat)
        await t.sees(chat, says("-0001", "水务公司"))
        await t.settled()
        assert len(await t.standing(chat, "Hello. I turn photos")) == 1
        # The operator may bind anything.
        await t.say(OPERATOR, chat, "/bind")
        menu = await t.sees(chat, lambda each: "🏛 当湖街道" in labels(each))
        assert "河滨商圈" in words(menu)


async def test_a_secretary_cannot_take_a_chat_of_another_community(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.post("member", **{"as": LIN, "chat": STREET})
        await t.say(LIN, STREET, "/bind")
        menu = await t.sees(STREET, says("What is this chat?", button="🏛 水洞埭社区"))
        assert await t.press(LIN, STREET, menu, "🏛 水洞埭社区") == "This chat belongs to another community."
        data = data_of(menu, "🏛 水洞埭社区")
        assert await t.forge(ZHOU, OFFICE, menu, data) == NO
        for strange in ("b:0::o99", "b:0::", "b:0::x1", "b:0::d1'"):
            assert await t.forge(LIN, STREET, menu, strange) == "This button is out of date."
        await t.say(ZHOU, STREET, "/open")
        await t.sees(STREET, "Nothing is open.")


async def test_a_link_says_what_the_group_is_when_it_adds_the_bot(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.report()
        await t.say(LIN, LIN, "/bind")
        links = await t.sees(LIN, "Tap what a group is to be")
        urls = {
            str(button["text"]): str(button["url"])
            for row in links["reply_markup"]["inline_keyboard"]
            for button in row
        }
        assert urls["🔧 水务公司"].startswith("https://t.me/alliance_relay_bot?startgroup=")
        unit, district = (urls[name].split("startgroup=")[1] for name in ("🔧 水务公司", "🏪 南市场商圈"))
        # A merchant who got hold of the link binds nothing.
        stolen = await founded(t, "别人的群", ZHANG)
        await joined(t, stolen, ZHANG, admin=True, payload=unit)
        await t.sees(stolen, NO, person=ZHANG)
        await t.sees(stolen, "☐ Say what this group is")
        assert len(await t.standing(WATER, "-0001")) == 1 and not await t.standing(stolen, "-0001")
        fresh = await founded(t, "南市场二群", LIN, LI)
        await joined(t, fresh, LIN, admin=True, payload=district)
        await t.sees(fresh, "✅ This group is 南市场商圈.")
        await t.report("下水道井盖没了", person=LI, chat=fresh)
        await t.sees(WATER, says("-0002", "南市场商圈"))
        # The unit's new chat takes over what the unit has to do.
        moved = await founded(t, "水务新群", LIN, WATER_MAN)
        await joined(t, moved, LIN, admin=True, payload=unit)
        card = await t.sees(moved, says("-0001", button="Accept"))
        await t.sees(moved, says("-0002", button="Accept"))
        assert await t.press(WATER_MAN, moved, card, "Accept") == "Done: Accept."


async def test_start_tells_everybody_what_they_can_do(tmp_path: Path) -> None:
    async with walk(tmp_path, lambda text: text.replace("members = []", f"members = [{WATER_MAN}]")) as t:
        for person, wanted in (
            (LIN, "You are the secretary of 水洞埭社区."),
            (ZHOU, "You are the secretary of 当湖街道."),
            (OPERATOR, "You run this relay."),
            (WATER_MAN, "You act for 水务公司."),
            (ZHANG, "Post a photo of what is broken in your district's group"),
        ):
            await t.say(person, person, "/start")
            told = words(await t.sees(person, "alliance-relay"))
            assert wanted in told
            assert told.count("You are the secretary") + told.count("You run") + told.count("You act for") <= 1
        assert "secretary" not in words((await t.from_bot(ZHANG))[0])
        await t.say(ZHANG, ZHANG, "/help")
        await t.settled()
        assert len(await t.from_bot(ZHANG)) == 2


async def test_each_chat_offers_the_commands_of_its_role_in_its_language(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.settled()
        assert set(await offered(t, GUANDI)) == {"report", "my", "shop"}
        assert set(await offered(t, WATER)) == {"open", "find", "i", "stats"}
        assert {"open", "find", "i", "stats", "bind", "language"} <= set(await offered(t, OFFICE))
        assert (await offered(t, WATER))["open"] == "what is open"
        for language in ("", "zh", "en"):
            assert {"my", "shop", "open", "help"} <= set(await offered(t, None, language)), language
        assert (await offered(t, None, "en"))["my"] == "my reports"


@pytest.mark.parametrize("kind", ["unit", "district"])
async def test_a_group_that_becomes_a_supergroup_goes_on_under_its_new_id(tmp_path: Path, kind: str) -> None:
    async with walk(tmp_path) as t:
        old = await founded(t, "老群", LIN, WATER_MAN, ZHANG, kind="group")
        await joined(t, old, LIN, admin=True)
        await bound(t, old, LIN, "🔧 水务公司" if kind == "unit" else "🏪 关帝庙商圈")
        unit, district = (old, GUANDI) if kind == "unit" else (WATER, old)
        await t.report(at=unit, chat=district)
        await t.sees(district, "-0001")
        new = int((await t.post("migrate", chat=old))["id"])
        unit, district = (new, GUANDI) if kind == "unit" else (WATER, new)
        card = await t.sees(unit, says("-0001", button="Accept"))
        await t.press(WATER_MAN, unit, card, "Accept")
        await t.sees(unit, "In hand")
        await t.sees(district, says("-0001", "In hand"))
        await t.report("下水道井盖没了", at=unit, chat=district)
        await t.sees(district, "-0002")
        await t.settled()
        for chat in (unit, district):
            assert len(await t.standing(chat, "-0001")) == 1 and len(await t.standing(chat, "-0002")) == 1
        assert not await t.standing(OFFICE, "no longer in") and not await t.standing(OFFICE, "not be delivered")
        assert set(await offered(t, new)) == (
            {"open", "find", "i", "stats"} if kind == "unit" else {"report", "my", "shop"}
        )


async def test_a_move_that_is_found_out_by_sending_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        old = await founded(t, "老群", LIN, WATER_MAN, kind="group")
        await joined(t, old, LIN, admin=True)
        await bound(t, old, LIN, "🔧 水务公司")
        await t.report(at=old)
        await t.settled()
        # Updates do not come through for a moment; the reminder finds the group gone elsewhere.
        await t.post("fault", method="getUpdates", kind="500", times=2)
        await t.say(LI, GUANDI, "你们看")
        await asyncio.sleep(0.3)
        new = int((await t.post("migrate", chat=old))["id"])
        await t.minutes(23)
        await t.sees(new, says("-0001", button="Accept"))
        await t.sees(new, "left to accept it.")
        async with t.http.get(f"{t.base}/sandbox/pending") as answer:
            assert (await answer.json())["updates"], "the service messages had not come yet"
        await t.settled()
        card = await t.sees(new, says("-0001", button="Accept"))
        assert len(await t.standing(new, "-0001")) == 2, "the card and its reminder"
        assert set(await offered(t, new)) == {"open", "find", "i", "stats"}
        assert await t.press(WATER_MAN, new, card, "Accept") == "Done: Accept."
        await t.gone(new, "left to accept it.")


async def test_a_district_that_put_the_bot_out_is_told_to_the_office_once(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        card = await t.report()
        await t.sees(GUANDI, "-0001")
        await t.post("membership", **{"as": LIN, "chat": GUANDI, "status": "kicked"})
        await t.sees(OFFICE, "The bot is no longer in 关帝庙商圈.")
        await t.press(WATER_MAN, WATER, card, "Accept")
        await t.sees(WATER, "In hand")
        await t.mended(card)
        await t.sees(OFFICE, says("-0001", "Please check."))
        await t.settled()
        assert len(await t.sent(OFFICE, "no longer in")) == 1
        # Back in the group, its line tells what has happened meanwhile, and there is still only one.
        await t.post("membership", **{"as": LIN, "chat": GUANDI, "status": "administrator"})
        await t.sees(GUANDI, says("-0001", "To be checked"))
        await t.settled()
        assert len(await t.standing(GUANDI, "-0001")) == 1
        await t.report("下水道井盖没了")
        assert len(await t.sent(OFFICE, "no longer in")) == 1


async def test_an_anonymous_admin_asks_and_the_press_tells_who_it_is(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        chat = await founded(t, "匿名群", LIN, ZHANG)
        await joined(t, chat, LIN, admin=True)
        await t.say(LIN, chat, "/bind", anonymous=True)
        menu = await t.sees(chat, says("What is this chat?", button="🏪 河滨商圈"))
        assert await t.press(ZHANG, chat, menu, "🏪 河滨商圈") == NO
        assert await t.press(LIN, chat, menu, "🏪 河滨商圈") == "This chat is 河滨商圈 now."
        await t.report(person=ZHANG, chat=chat)


async def test_a_topic_is_where_the_cards_and_lines_go(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        forum = await founded(
            t,
            "水务论坛",
            LIN,
            WATER_MAN,
            is_forum=True,
            topics=[{"id": 11, "name": "闲聊"}, {"id": 12, "name": "工单"}],
        )
        await joined(t, forum, LIN, admin=True)
        await t.say(LIN, forum, "/bind", thread=12)
        menu = await t.sees(forum, says("What is this chat?", button="🔧 水务公司"))
        assert menu["message_thread_id"] == 12
        await t.press(LIN, forum, menu, "🔧 水务公司")
        card = await t.report(at=forum)
        assert card["message_thread_id"] == 12
        await t.minutes(23)
        assert (await t.sees(forum, "left to accept it."))["message_thread_id"] == 12
        await t.say(WATER_MAN, forum, "/open", thread=11)
        assert (await t.sees(forum, "Open: 1"))["message_thread_id"] == 11
        # And a district's topic: the line stays where the photo was posted.
        square = await founded(
            t, "商圈论坛", LIN, ZHANG, is_forum=True, topics=[{"id": 21, "name": "上报"}, {"id": 22, "name": "团购"}]
        )
        await joined(t, square, LIN, admin=True)
        await bound(t, square, LIN, "🏪 河滨商圈")
        await t.report("下水道井盖没了", chat=square, at=forum, thread=21)
        assert (await t.sees(square, "-0002"))["message_thread_id"] == 21
