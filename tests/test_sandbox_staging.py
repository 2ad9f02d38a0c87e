"""What happens to the world around the bot: it is let in, thrown out, its group upgraded, the clock wound."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.test_sandbox_kit import GUANDI, LI, LIN, WANG, ZHANG, Telegram, telegram


@pytest.fixture
async def tg() -> AsyncIterator[Telegram]:
    async with telegram() as client:
        yield client


@pytest.mark.parametrize("status", ["left", "kicked"])
async def test_a_bot_that_is_away_hears_nothing_and_may_say_nothing(tg: Telegram, status: str) -> None:
    sent = await tg.ok("sendMessage", chat_id=GUANDI, text="x")
    await tg.do("membership", {"as": LIN, "chat": GUANDI, "status": status})
    await tg.say(ZHANG, GUANDI, "unheard")
    updates = await tg.updates()
    assert len(updates) == 1
    change = updates[0]["my_chat_member"]
    assert change["old_chat_member"]["status"] == "administrator"
    assert change["new_chat_member"]["status"] == status and change["from"]["id"] == LIN
    away = "Forbidden: bot was kicked from the supergroup chat"
    assert await tg.refusal("sendMessage", chat_id=GUANDI, text="x") == away
    at = {"chat_id": GUANDI, "message_id": sent["message_id"]}
    assert await tg.refusal("editMessageText", **at, text="y") == away
    assert await tg.refusal("getChat", chat_id=GUANDI) == away
    assert await tg.refusal("leaveChat", chat_id=GUANDI) == away


async def test_a_bot_that_leaves_is_told_of_it(tg: Telegram) -> None:
    assert await tg.ok("leaveChat", chat_id=GUANDI) is True
    assert (await tg.updates())[0]["my_chat_member"]["new_chat_member"]["status"] == "left"


async def test_a_new_group_is_unknown_to_the_bot_until_somebody_adds_it(tg: Telegram) -> None:
    wish = {"title": "新商圈", "type": "group", "members": [ZHANG, LI]}
    chat = (await tg.do("chat", wish))["id"]
    assert chat < 0 and await tg.updates() == []
    assert await tg.refusal("sendMessage", chat_id=chat, text="x") == "Bad Request: chat not found"
    await tg.do("join", {"as": ZHANG, "chat": chat, "payload": "district-guandi"})
    updates = await tg.updates()
    change = updates[0]["my_chat_member"]
    assert (change["old_chat_member"]["status"], change["new_chat_member"]["status"]) == ("left", "member")
    assert updates[1]["message"]["new_chat_members"][0]["username"] == "alliance_relay_bot"
    assert updates[2]["message"]["text"] == "/start@alliance_relay_bot district-guandi"
    assert (await tg.ok("sendMessage", chat_id=chat, text="x"))["chat"]["type"] == "group"
    other = (await tg.do("chat", {**wish, "type": "supergroup"}))["id"]
    assert other != chat and str(other).startswith("-100")
    assert (await tg.ask("join", {"as": WANG, "chat": other}))[0] == 400


@pytest.mark.parametrize("kind", ["group", "supergroup"])
async def test_a_group_that_became_a_supergroup_lives_on_under_a_new_id(tg: Telegram, kind: str) -> None:
    old = GUANDI
    if kind == "group":
        old = (await tg.do("chat", {"title": "旧群", "type": "group", "members": [ZHANG]}))["id"]
        await tg.do("join", {"as": ZHANG, "chat": old, "admin": True})
    await tg.new_updates()
    new = (await tg.do("migrate", {"chat": old}))["id"]
    to, came = [update["message"] for update in await tg.updates()]
    assert (to["chat"]["id"], to["migrate_to_chat_id"]) == (old, new)
    assert (came["chat"]["id"], came["migrate_from_chat_id"], came["chat"]["type"]) == (new, old, "supergroup")
    for method in ("sendMessage", "sendChatAction"):
        more = {"text": "x"} if method == "sendMessage" else {"action": "typing"}
        body = await tg.call(method, chat_id=old, **more)
        assert body["description"] == "Bad Request: group chat was upgraded to a supergroup chat"
        assert body["parameters"] == {"migrate_to_chat_id": new}
    assert await tg.ok("sendMessage", chat_id=new, text="x")
    await tg.say(ZHANG, new, "here")
    assert (await tg.ask("send", {"as": ZHANG, "chat": old, "text": "x"}))[0] == 400
    assert (await tg.ask("migrate", {"chat": old}))[0] == 400


async def test_chats_and_members_are_told_as_they_are(tg: Telegram) -> None:
    me = (await tg.ok("getMe"))["id"]
    assert (await tg.ok("getChat", chat_id=GUANDI))["title"] == "关帝庙商圈"
    assert await tg.ok("getChatMemberCount", chat_id=GUANDI) == 5
    statuses = {}
    for user in (me, LIN, ZHANG, WANG):
        statuses[user] = (await tg.ok("getChatMember", chat_id=GUANDI, user_id=user))["status"]
    assert statuses == {me: "administrator", LIN: "creator", ZHANG: "member", WANG: "left"}
    assert await tg.refusal("getChatMember", chat_id=GUANDI, user_id=1) == "Bad Request: user not found"
    admins = await tg.ok("getChatAdministrators", chat_id=GUANDI)
    assert {admin["user"]["id"] for admin in admins} == {LIN, me}
    await tg.do("membership", {"as": LIN, "chat": GUANDI, "status": "member"})
    assert (await tg.ok("getChatMember", chat_id=GUANDI, user_id=me))["status"] == "member"
    await tg.do("member", {"as": WANG, "chat": GUANDI})
    assert await tg.ok("getChatMemberCount", chat_id=GUANDI) == 6
    assert (await tg.updates())[-1]["message"]["new_chat_members"][0]["id"] == WANG


async def test_the_wound_clock_dates_messages_and_wakes_who_waits(tg: Telegram) -> None:
    waiting = asyncio.create_task(tg.see("clock?after=0&timeout=20"))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    told = await tg.do("clock", {"advance": 3600.5})
    assert told["offset"] == 3600.5 and abs(told["now"] - time.time() - 3600.5) < 5
    assert (await waiting)["offset"] == 3600.5
    assert (await tg.see("clock"))["offset"] == 3600.5
    message = await tg.say(ZHANG, GUANDI, "later")
    assert abs(message["date"] - time.time() - 3600) < 5
    began = time.monotonic()
    assert (await tg.see("clock?after=3600.5&timeout=0.2"))["offset"] == 3600.5
    assert time.monotonic() - began > 0.15
    for wish in ({}, {"advance": "soon"}, {"advance": None}):
        assert (await tg.ask("clock", wish))[0] == 400


async def test_command_menus_are_kept_by_scope_and_language(tg: Telegram) -> None:
    zh = [{"command": "open", "description": "待办"}]
    en = [{"command": "open", "description": "Queue"}]
    scope = {"type": "chat", "chat_id": GUANDI}
    assert await tg.ok("setMyCommands", commands=zh, scope=scope, language_code="zh")
    assert await tg.ok("setMyCommands", commands=en)
    assert await tg.ok("getMyCommands", scope=scope, language_code="zh") == zh
    assert await tg.ok("getMyCommands", scope=scope) == []
    assert await tg.ok("getMyCommands") == en
    lists = (await tg.see("commands"))["lists"]
    assert {"scope": scope, "language_code": "zh", "commands": zh} in lists
    assert await tg.ok("deleteMyCommands", scope=scope, language_code="zh")
    assert await tg.ok("getMyCommands", scope=scope, language_code="zh") == []
    for wrong in ("Open", "a-b", "", "x" * 33):
        commands = [{"command": wrong, "description": "x"}]
        assert await tg.refusal("setMyCommands", commands=commands) == "Bad Request: BOT_COMMAND_INVALID"
    nothing = [{"command": "a", "description": ""}]
    assert "DESCRIPTION_INVALID" in await tg.refusal("setMyCommands", commands=nothing)


async def test_the_bots_name_words_and_menu_button_are_kept(tg: Telegram) -> None:
    assert (await tg.ok("getMyName"))["name"] == "一针千线"
    assert await tg.ok("setMyDescription", description="一句话", language_code="zh")
    assert (await tg.ok("getMyDescription", language_code="zh"))["description"] == "一句话"
    assert (await tg.ok("getMyDescription"))["description"] == ""
    assert await tg.ok("setMyShortDescription", short_description="短")
    assert (await tg.ok("getMyShortDescription", language_code="en"))["short_description"] == "短"
    assert "too long" in await tg.refusal("setMyName", name="x" * 65)
    button = {"type": "web_app", "text": "board", "web_app": {"url": "https://x.cn/"}}
    assert await tg.ok("setChatMenuButton", menu_button=button)
    assert await tg.ok("getChatMenuButton", chat_id=ZHANG) == button
