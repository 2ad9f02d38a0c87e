"""Failures on order, flood limits and the log of calls: what a test needs to see a bot recover."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.test_sandbox_kit import GUANDI, OFFICE, TOKEN, WATER, ZHANG, Telegram, telegram


@pytest.fixture
async def tg() -> AsyncIterator[Telegram]:
    async with telegram() as client:
        yield client


async def send(tg: Telegram) -> tuple[int, str]:
    async with tg.http.post(f"/bot{TOKEN}/sendMessage", json={"chat_id": GUANDI, "text": "x"}) as answer:
        return answer.status, await answer.text()


async def count(tg: Telegram) -> int:
    return len(await tg.shown(GUANDI))


@pytest.mark.parametrize(
    ("kind", "status", "description"),
    [
        ("429", 429, "Too Many Requests: retry after 7"),
        ("403", 403, "Forbidden: bot was kicked from the supergroup chat"),
        ("400:message thread not found", 400, "Bad Request: message thread not found"),
        ("403:not enough rights", 403, "Forbidden: not enough rights"),
        ("401:", 401, "Unauthorized"),
        ("404:Not Found", 404, "Not Found"),
        ("409:Conflict: somebody else polls", 409, "Conflict: somebody else polls"),
        ("413:", 413, "Request Entity Too Large"),
        ("500", 500, "Internal Server Error"),
        ("500bare", 500, None),
        ("429text", 429, "Too Many Requests: retry after 7"),
        ("429bare", 429, None),
    ],
)
async def test_an_ordered_refusal_comes_once_and_delivers_nothing(
    tg: Telegram, kind: str, status: int, description: str | None
) -> None:
    await tg.do("fault", {"method": "sendMessage", "kind": kind, "retry_after": 7})
    got, text = await send(tg)
    body = json.loads(text)
    assert (got, body["error_code"], body.get("description")) == (status, status, description)
    assert body.get("parameters") == ({"retry_after": 7} if kind == "429" else None)
    assert await count(tg) == 0
    assert (await send(tg))[0] == 200
    assert await count(tg) == 1


async def test_a_page_of_the_gateway_is_html(tg: Telegram) -> None:
    await tg.do("fault", {"kind": "502page"})
    status, text = await send(tg)
    assert status == 502 and text.startswith("<html>")
    assert await count(tg) == 0
    await tg.do("fault", {"kind": "502page", "delivered": True})
    assert (await send(tg))[0] == 502
    assert await count(tg) == 1


async def test_a_truncated_answer_is_no_json_although_it_was_delivered(tg: Telegram) -> None:
    await tg.do("fault", {"kind": "truncated"})
    status, text = await send(tg)
    assert status == 200 and text.startswith('{"ok": true')
    with pytest.raises(ValueError):
        json.loads(text)
    assert await count(tg) == 1


@pytest.mark.parametrize("kind", ["empty", "html", "binary", "shape", "null"])
@pytest.mark.parametrize("delivered", [False, True])
async def test_an_answer_of_200_may_be_no_answer_of_the_bot_api(tg: Telegram, kind: str, delivered: bool) -> None:
    await tg.do("fault", {"kind": kind, "delivered": delivered})
    async with tg.http.post(f"/bot{TOKEN}/sendMessage", json={"chat_id": GUANDI, "text": "x"}) as answer:
        body = await answer.read()
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    known = {"shape": {"ok": True, "result": {"surprise": [1, 2]}}, "null": {"ok": True}}
    assert answer.status == 200 and found == known.get(kind) and (kind != "empty" or body == b"")
    assert await count(tg) == delivered


async def test_an_answer_may_be_garbage_that_says_it_is_compressed(tg: Telegram) -> None:
    await tg.do("fault", {"kind": "gzip"})
    with pytest.raises(aiohttp.ClientPayloadError):
        await send(tg)
    assert await count(tg) == 1


async def test_a_redirect_leads_away_from_the_bot_api(tg: Telegram) -> None:
    await tg.do("fault", {"kind": "redirect"})
    url = f"/bot{TOKEN}/sendMessage"
    async with tg.http.post(url, json={"chat_id": GUANDI, "text": "x"}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/")
    assert await count(tg) == 0


async def test_a_slow_answer_is_whole_in_the_end(tg: Telegram) -> None:
    await tg.do("fault", {"kind": "slow", "seconds": 0.4})
    began = time.monotonic()
    assert (await send(tg))[0] == 200
    assert 0.35 < time.monotonic() - began < 3
    assert await count(tg) == 1


async def test_a_fault_of_a_chat_meets_its_menu_its_presses_and_the_files_sent_there(tg: Telegram) -> None:
    scope = {"type": "chat", "chat_id": GUANDI}
    await tg.do("fault", {"chat": GUANDI, "method": "setMyCommands", "kind": "500"})
    assert await tg.ok("setMyCommands", commands=[], scope={"type": "chat", "chat_id": WATER})
    assert await tg.ok("setMyCommands", commands=[])
    async with tg.http.post(f"/bot{TOKEN}/setMyCommands", json={"commands": [], "scope": scope}) as answer:
        assert answer.status == 500
    sent = await tg.buttons(GUANDI, "yes")
    pressing = tg.press(ZHANG, GUANDI, sent["message_id"], "yes", wait=0)
    query = (await tg.pressed())["id"]
    await pressing
    await tg.do("fault", {"chat": WATER, "method": "answerCallbackQuery", "kind": "500", "times": 9})
    await tg.do("fault", {"chat": GUANDI, "method": "answerCallbackQuery", "kind": "400:query is too old"})
    assert "too old" in await tg.refusal("answerCallbackQuery", callback_query_id=query)
    assert await tg.ok("answerCallbackQuery", callback_query_id=query)
    file = (await tg.say(ZHANG, GUANDI, samples=["cover"], as_file=True))["document"]["file_id"]
    await tg.do("fault", {"chat": GUANDI, "method": "getFile", "kind": "400:file is too big"})
    await tg.do("fault", {"chat": GUANDI, "method": "file", "kind": "500"})
    assert "too big" in await tg.refusal("getFile", file_id=file)
    path = (await tg.ok("getFile", file_id=file))["file_path"]
    statuses = []
    for _ in range(2):
        async with tg.http.get(f"/file/bot{TOKEN}/{path}") as answer:
            statuses.append(answer.status)
    assert statuses == [500, 200]


async def test_faults_of_one_chat_are_taken_back_alone(tg: Telegram) -> None:
    await tg.do("fault", {"chat": GUANDI, "kind": "500", "times": 9})
    await tg.do("fault", {"chat": WATER, "kind": "500", "times": 9})
    assert (await tg.do(f"fault?chat={GUANDI}", method="DELETE")) == {"ordered": 1}
    assert (await tg.see("fault"))["faults"] == [{"kind": "500", "method": None, "chat": WATER, "times": 9}]
    assert (await send(tg))[0] == 200


async def test_a_made_up_update_is_handed_out_as_it_is(tg: Telegram) -> None:
    polling = asyncio.create_task(tg.http.post(f"/bot{TOKEN}/getUpdates", json={"timeout": 5}))
    number = (await tg.do("update", {"update": {"message": {"date": "never"}, "novelty": 1}}))["update_id"]
    body = await (await polling).json()
    assert body["result"] == [{"update_id": number, "message": {"date": "never"}, "novelty": 1}]
    assert (await tg.see("pending")) == {"updates": 1}
    assert (await tg.ask("update", {"update": "no object"}))[0] == 400


async def test_a_webhook_breaks_off_the_open_poll(tg: Telegram) -> None:
    polling = asyncio.create_task(tg.http.post(f"/bot{TOKEN}/getUpdates", json={"timeout": 5}))
    await asyncio.sleep(0.1)
    assert await tg.ok("setWebhook", url="http://127.0.0.1:9/hook")
    assert (await (await polling).json())["description"] == "Conflict: terminated by setWebhook request"
    assert "webhook is active" in (await tg.refusal("getUpdates"))
    assert await tg.ok("deleteWebhook") and await tg.updates() == []


async def test_a_group_may_move_without_a_word(tg: Telegram) -> None:
    heir = (await tg.do("migrate", {"chat": GUANDI, "silent": True}))["id"]
    assert await tg.updates() == []
    body = await tg.call("sendMessage", chat_id=GUANDI, text="x")
    assert body["parameters"] == {"migrate_to_chat_id": heir}
    assert await tg.ok("sendMessage", chat_id=heir, text="x")


async def test_one_chat_can_be_looked_at_alone(tg: Telegram) -> None:
    await tg.ok("sendMessage", chat_id=GUANDI, text="x")
    seen = await tg.see(f"state?chat={GUANDI}")
    assert list(seen["messages"]) == [str(GUANDI)] and len(seen["messages"][str(GUANDI)]) == 1
    assert (await tg.ask("state?chat=5", method="GET"))[0] == 404


@pytest.mark.parametrize(("kind", "delivered"), [("reset_before", 0), ("reset_after", 1)])
async def test_a_cut_connection_delivers_or_not_as_ordered(tg: Telegram, kind: str, delivered: int) -> None:
    await tg.do("fault", {"kind": kind})
    with pytest.raises(aiohttp.ClientConnectionError):
        await send(tg)
    assert await count(tg) == delivered
    assert (await tg.see("calls"))["calls"][-1]["status"] == 0


async def test_a_call_that_hangs_is_cut_after_its_seconds(tg: Telegram) -> None:
    await tg.do("fault", {"kind": "timeout", "seconds": 0.3})
    began = time.monotonic()
    with pytest.raises(aiohttp.ClientConnectionError):
        await send(tg)
    assert 0.25 < time.monotonic() - began < 3
    assert await count(tg) == 0


async def test_a_fault_meets_only_its_method_and_chat_and_can_be_taken_back(tg: Telegram) -> None:
    await tg.do("fault", {"method": "sendphoto", "kind": "500"})
    await tg.do("fault", {"chat": WATER, "kind": "403", "times": 2})
    assert (await send(tg))[0] == 200
    assert await tg.updates() == []
    for _ in range(2):
        assert "kicked" in await tg.refusal("sendMessage", chat_id=WATER, text="x")
    assert await tg.ok("sendMessage", chat_id=WATER, text="x")
    await tg.do("fault", {"kind": "500", "times": 99})
    assert await tg.updates() == []  # only a fault that names getUpdates meets the bot's idle polling
    assert (await send(tg))[0] == 500
    await tg.do("fault", method="DELETE")
    assert (await send(tg))[0] == 200


async def test_polling_and_downloads_fail_when_they_are_named(tg: Telegram) -> None:
    await tg.do("fault", {"method": "getUpdates", "kind": "502page"})
    async with tg.http.post(f"/bot{TOKEN}/getUpdates") as answer:
        assert answer.status == 502
    await tg.do("fault", {"method": "file", "kind": "500"})
    async with tg.http.get(f"/file/bot{TOKEN}/photos/x.jpg") as answer:
        assert answer.status == 500


async def test_a_fault_without_sense_is_refused(tg: Telegram) -> None:
    for wish in ({}, {"kind": "boom"}, {"kind": "500", "times": 0}, {"kind": "500", "chat": "here"}):
        assert (await tg.ask("fault", wish))[0] == 400


async def test_the_fourth_message_in_a_second_is_one_too_many_for_a_chat() -> None:
    async with telegram(limits=True) as tg:
        for _ in range(3):
            assert await tg.ok("sendMessage", chat_id=GUANDI, text="x")
        body = await tg.call("sendMessage", chat_id=GUANDI, text="x")
        assert body["error_code"] == 429 and body["parameters"] == {"retry_after": 1}
        assert await tg.ok("sendMessage", chat_id=WATER, text="another chat is another matter")
        await asyncio.sleep(1.05)
        sent = await tg.ok("sendMessage", chat_id=GUANDI, text="x")
        at = {"chat_id": GUANDI, "message_id": sent["message_id"]}
        assert "retry after 1" in await tg.refusal("editMessageText", **at, text="edits count too")
        assert await tg.ok("setMessageReaction", **at, reaction=[]) and await tg.ok("deleteMessage", **at)
        told = await tg.see("violations")
        assert told["count"] == 2 and told["last"][1]["method"] == "editMessageText"
        await tg.do("limits", {"enforce": False})
        for _ in range(25):
            assert await tg.ok("sendMessage", chat_id=GUANDI, text="x")
        assert (await tg.see("violations"))["count"] == 2


async def test_thirty_a_second_is_the_limit_for_all_chats_together() -> None:
    async with telegram(limits=True) as tg:
        wishes = []
        for number in range(11):
            wish = {"title": str(number), "type": "supergroup", "members": [ZHANG]}
            chat = (await tg.do("chat", wish))["id"]
            await tg.do("join", {"as": ZHANG, "chat": chat, "admin": True})
            wishes += [chat] * 3
        bodies = await asyncio.gather(*(tg.call("sendMessage", chat_id=chat, text="x") for chat in wishes))
        assert sum(body["ok"] for body in bodies) == 30
        assert {entry["rule"] for entry in (await tg.see("violations"))["last"]} == {"30 a second in all"}


async def test_twenty_a_minute_is_the_limit_for_a_group_whatever_the_wound_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with telegram(limits=True) as tg:
        real = time.monotonic
        jump = 0.0
        monkeypatch.setattr("bot.sandbox.limits.time.monotonic", lambda: real() + jump)
        for _ in range(20):
            jump += 2
            assert await tg.ok("sendMessage", chat_id=GUANDI, text="x")
        jump += 2
        await tg.do("clock", {"advance": 3600})
        body = await tg.call("sendMessage", chat_id=GUANDI, text="x")
        assert body["error_code"] == 429 and 15 <= body["parameters"]["retry_after"] <= 21
        jump += 21
        assert await tg.ok("sendMessage", chat_id=GUANDI, text="x")


async def test_every_call_is_kept_with_its_request_and_answer(tg: Telegram) -> None:
    await tg.ok("sendMessage", chat_id=GUANDI, text="one")
    await tg.refusal("sendMessage", chat_id=1, text="two")
    log = await tg.see("calls")
    first, second = log["calls"]
    assert (first["method"], first["chat_id"], first["status"]) == ("sendMessage", GUANDI, 200)
    assert first["request"] == {"chat_id": GUANDI, "text": "one"} and first["answer"]["result"]["text"] == "one"
    assert second["status"] == 400 and second["answer"]["description"] == "Bad Request: chat not found"
    assert abs(first["at"] - time.time()) < 10
    await tg.ok("getMe")
    later = await tg.see(f"calls?since={log['next']}")
    assert [call["method"] for call in later["calls"]] == ["getMe"] and later["next"] == log["next"] + 1
    assert (await tg.see(f"calls?since={later['next']}"))["calls"] == []
    assert TOKEN not in json.dumps(log)


async def test_a_form_is_kept_in_the_log_with_its_true_types(tg: Telegram) -> None:
    fields = {"chat_id": str(OFFICE), "text": "x", "disable_notification": "true"}
    fields["reply_markup"] = '{"inline_keyboard": [[{"text": "a", "callback_data": "b"}]]}'
    async with tg.http.post(f"/bot{TOKEN}/sendMessage", data=fields) as answer:
        assert answer.status == 200
    request = (await tg.see("calls"))["calls"][0]["request"]
    assert request["chat_id"] == OFFICE and request["disable_notification"] is True
    assert request["reply_markup"]["inline_keyboard"][0][0]["text"] == "a"


async def test_the_logs_are_bounded(tg: Telegram, monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.sandbox.calls import Calls

    calls = Calls()
    for _ in range(20_500):
        calls.note("getMe", {}, {}, 200)
    told = calls.since(0)
    assert len(told["calls"]) == 20_000 and told["calls"][0]["n"] == 501 and told["next"] == 20_501
    assert calls.since(20_499)["calls"][0]["n"] == 20_499
    monkeypatch.setattr("bot.sandbox.messages.KEPT_IN_A_CHAT", 5)
    for number in range(8):
        await tg.ok("sendMessage", chat_id=GUANDI, text=str(number))
    assert [message["text"] for message in await tg.shown(GUANDI)] == ["3", "4", "5", "6", "7"]
