"""getUpdates and webhooks: what is not acknowledged comes again, what is too old does not come at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.test_sandbox_kit import GUANDI, TOKEN, ZHANG, Telegram, telegram


@pytest.fixture
async def tg() -> AsyncIterator[Telegram]:
    async with telegram() as client:
        yield client


async def test_an_update_comes_again_until_a_higher_offset_is_asked_for(tg: Telegram) -> None:
    await tg.say(ZHANG, GUANDI, "one")
    await tg.say(ZHANG, GUANDI, "two")
    first = await tg.updates()
    assert [update["message"]["text"] for update in first] == ["one", "two"]
    assert await tg.updates() == first
    assert await tg.updates(offset=first[0]["update_id"]) == first
    assert await tg.updates(offset=first[1]["update_id"]) == first[1:]
    assert await tg.updates(offset=first[1]["update_id"] + 1) == []
    assert await tg.updates() == []
    assert (await tg.see("pending"))["updates"] == 0


async def test_a_limit_hands_out_the_oldest_and_keeps_the_rest(tg: Telegram) -> None:
    for text in "abc":
        await tg.say(ZHANG, GUANDI, text)
    assert [update["message"]["text"] for update in await tg.updates(limit=2)] == ["a", "b"]
    assert (await tg.see("pending"))["updates"] == 3


async def test_a_negative_offset_forgets_all_but_the_last_updates(tg: Telegram) -> None:
    for text in "abc":
        await tg.say(ZHANG, GUANDI, text)
    assert [update["message"]["text"] for update in await tg.updates(offset=-1)] == ["c"]
    assert (await tg.see("pending"))["updates"] == 1


async def test_a_long_poll_ends_when_something_comes_and_not_before(tg: Telegram) -> None:
    began = time.monotonic()
    poll = asyncio.create_task(tg.updates(timeout=20))
    await asyncio.sleep(0.1)
    assert not poll.done()
    await tg.say(ZHANG, GUANDI, "now")
    assert (await poll)[0]["message"]["text"] == "now"
    assert time.monotonic() - began < 3


async def test_a_long_poll_is_empty_when_its_time_is_over(tg: Telegram) -> None:
    began = time.monotonic()
    assert await tg.updates(timeout=1) == []
    assert 0.9 < time.monotonic() - began < 3


async def test_the_earlier_of_two_pollers_is_told_to_stop(tg: Telegram) -> None:
    earlier = asyncio.create_task(tg.call("getUpdates", timeout=20))
    await asyncio.sleep(0.1)
    later = asyncio.create_task(tg.updates(timeout=20))
    refused = await earlier
    assert refused["error_code"] == 409
    assert refused["description"].startswith("Conflict: terminated by other getUpdates request")
    await tg.say(ZHANG, GUANDI, "for the later one")
    assert len(await later) == 1


async def test_allowed_updates_are_remembered_until_named_anew(tg: Telegram) -> None:
    await tg.updates(allowed_updates=["callback_query"])
    await tg.updates()
    await tg.say(ZHANG, GUANDI, "unasked for")
    assert await tg.updates() == []
    await tg.updates(allowed_updates=[])
    await tg.say(ZHANG, GUANDI, "asked for")
    assert [update["message"]["text"] for update in await tg.updates()] == ["asked for"]


async def test_ids_begin_at_the_present_second_and_not_at_one(tg: Telegram) -> None:
    message = await tg.say(ZHANG, GUANDI, "hello")
    update = (await tg.updates())[0]
    assert abs(update["update_id"] - time.time()) < 60
    assert 1_000_000 < message["message_id"] < 2**31


async def test_a_press_is_dropped_after_150_seconds_but_the_words_stay(tg: Telegram) -> None:
    sent = await tg.buttons(GUANDI, "go")
    await tg.say(ZHANG, GUANDI, "words")
    press = tg.press(ZHANG, GUANDI, sent["message_id"], "go", wait=0)
    assert (await press)["answer"] is None
    await tg.do("clock", {"advance": 140})
    assert len(await tg.updates()) == 2
    await tg.do("clock", {"advance": 11})
    assert [sorted(update)[0] for update in await tg.updates()] == ["message"]


async def test_after_a_day_even_words_are_gone(tg: Telegram) -> None:
    await tg.say(ZHANG, GUANDI, "words")
    await tg.do("clock", {"advance": 86_300})
    assert len(await tg.updates()) == 1
    await tg.do("clock", {"advance": 200})
    assert await tg.updates() == []


async def test_a_token_of_another_shape_is_refused(tg: Telegram) -> None:
    for token in ("", "abc", "12", "12:", "12:ab!c"):
        async with tg.http.get(f"/bot{token}/getMe") as answer:
            assert answer.status == 401, token
    async with tg.http.get("/bot1:x/GETME") as answer:
        assert answer.status == 200


async def test_requests_may_be_queries_forms_or_json(tg: Telegram) -> None:
    async with tg.http.get(f"/bot{TOKEN}/sendMessage?chat_id={GUANDI}&text=a%26b") as answer:
        assert (await answer.json())["result"]["text"] == "a&b"
    async with tg.http.post(f"/bot{TOKEN}/sendmessage", data={"chat_id": str(GUANDI), "text": "字"}) as answer:
        assert (await answer.json())["result"]["text"] == "字"
    async with tg.http.post(f"/bot{TOKEN}/sendMessage", data=b"{", headers={"Content-Type": "application/json"}) as no:
        assert no.status == 400


async def test_a_webhook_gets_each_update_until_it_answers_200(tg: Telegram) -> None:
    got: list[tuple[str, str]] = []
    done = asyncio.Event()

    async def receive(request: web.BaseRequest) -> web.Response:
        update = await request.json()
        got.append((update["message"]["text"], request.headers["X-Telegram-Bot-Api-Secret-Token"]))
        if len(got) == 1:
            return web.Response(status=500)
        if len(got) == 3:
            done.set()
        return web.json_response({"method": "sendMessage", "chat_id": GUANDI, "text": "re: " + got[-1][0]})

    runner = web.ServerRunner(web.Server(receive, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        assert await tg.ok("setWebhook", url=url, secret_token="s3cret")
        info = await tg.ok("getWebhookInfo")
        assert info["url"] == url
        assert (await tg.refusal("getUpdates")).startswith("Conflict: can't use getUpdates method while webhook")
        await tg.say(ZHANG, GUANDI, "one")
        await tg.say(ZHANG, GUANDI, "two")
        await asyncio.wait_for(done.wait(), 5)
        assert got == [("one", "s3cret"), ("one", "s3cret"), ("two", "s3cret")]
        for _ in range(50):
            shown = [message["text"] for message in await tg.shown(GUANDI)]
            if shown == ["one", "two", "re: one", "re: two"]:
                break
            await asyncio.sleep(0.02)
        assert shown == ["one", "two", "re: one", "re: two"]
        assert await tg.ok("deleteWebhook")
        assert await tg.updates() == []
    finally:
        await tg.ok("deleteWebhook")
        await runner.cleanup()
