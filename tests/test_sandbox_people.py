"""What people do and what the bot gets of it: words, pictures, albums, places, presses."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from PIL import Image

from tests.test_sandbox_kit import GUANDI, LI, TOKEN, WANG, WATER, ZHANG, Telegram, picture, telegram, wrong_with


@pytest.fixture
async def tg() -> AsyncIterator[Telegram]:
    async with telegram() as client:
        yield client


async def content_of(tg: Telegram, file_id: str) -> bytes:
    path = (await tg.ok("getFile", file_id=file_id))["file_path"]
    async with tg.http.get(f"/file/bot{TOKEN}/{path}") as answer:
        assert answer.status == 200
        return await answer.read()


async def test_several_pictures_are_one_album_of_separate_updates(tg: Telegram) -> None:
    wish = {"as": ZHANG, "chat": GUANDI, "text": "井盖坏了", "samples": ["cover", "cover", "bikes"]}
    sent = (await tg.do("send", wish))["messages"]
    messages = [update["message"] for update in await tg.updates()]
    assert len(messages) == len({message["message_id"] for message in messages}) == 3
    assert len({message["media_group_id"] for message in messages}) == 1
    assert [message.get("caption") for message in messages] == ["井盖坏了", None, None]
    assert [message["message_id"] for message in sent] == [message["message_id"] for message in messages]
    first, second = [await content_of(tg, message["photo"][-1]["file_id"]) for message in messages[:2]]
    assert first != second


async def test_an_album_may_be_named_or_refused(tg: Telegram) -> None:
    first = await tg.say(ZHANG, GUANDI, samples=["cover"], media_group="1234567")
    second = await tg.say(ZHANG, GUANDI, samples=["light"], media_group="1234567")
    assert first["media_group_id"] == second["media_group_id"] == "1234567"
    assert "media_group_id" not in await tg.say(ZHANG, GUANDI, samples=["cover", "light"], media_group=False)
    assert "media_group_id" not in await tg.say(ZHANG, GUANDI, samples=["cover"])


async def test_own_pictures_come_as_multipart(tg: Telegram) -> None:
    form = aiohttp.FormData()
    for name, value in {"as": str(ZHANG), "chat": str(GUANDI), "text": "mine", "samples": "[]"}.items():
        form.add_field(name, value)
    for number in range(2):
        form.add_field("photo", picture(1600 + number, 900), filename=f"{number}.jpg", content_type="image/jpeg")
    async with tg.http.post("/sandbox/send", data=form) as answer:
        messages = (await answer.json())["messages"]
    assert [message["photo"][-1]["width"] for message in messages] == [1280, 1280]
    assert messages[0]["media_group_id"] == messages[1]["media_group_id"]
    form = aiohttp.FormData({"as": str(ZHANG), "chat": str(GUANDI), "as_file": "false"})
    form.add_field("photo", b"no picture", filename="a.jpg")
    async with tg.http.post("/sandbox/send", data=form) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "a.jpg is not a picture that Telegram takes")


async def test_a_picture_as_a_file_keeps_every_byte_and_its_place(tg: Telegram) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    original = picture(exif=exif)
    form = aiohttp.FormData({"as": str(ZHANG), "chat": str(GUANDI), "as_file": "true"})
    form.add_field("photo", original, filename="IMG_1.jpg", content_type="image/jpeg")
    async with tg.http.post("/sandbox/send", data=form) as answer:
        document = (await answer.json())["messages"][0]["document"]
    assert (document["file_name"], document["mime_type"]) == ("IMG_1.jpg", "image/jpeg")
    assert document["file_id"] != document["file_unique_id"]
    assert await content_of(tg, document["file_id"]) == original
    cover = (await tg.say(ZHANG, GUANDI, samples=["cover"], as_file=True))["document"]
    with Image.open(io.BytesIO(await content_of(tg, cover["file_id"]))) as opened:
        gps = opened.getexif().get_ifd(0x8825)
    degrees = [float(part[0] + part[1] / 60 + part[2] / 3600) for part in (gps[2], gps[4])]
    assert degrees == pytest.approx([30.6777, 121.0149], abs=1e-4) and (gps[1], gps[3]) == ("N", "E")


async def test_all_samples_are_pictures_and_an_unknown_one_is_named(tg: Telegram) -> None:
    names = ["cover", "fixed", "obstruction", "bikes", "rubbish", "light"]
    sent = (await tg.do("send", {"as": ZHANG, "chat": GUANDI, "samples": names}))["messages"]
    assert {message["photo"][-1]["width"] for message in sent} == {1280}
    status, body = await tg.ask("send", {"as": ZHANG, "chat": GUANDI, "samples": ["cat"]})
    assert status == 400 and "'cat'" in body["error"]


async def test_the_page_shows_a_picture_by_its_file_id(tg: Telegram) -> None:
    photo = (await tg.say(ZHANG, GUANDI, samples=["cover"]))["photo"][0]
    async with tg.http.get(f"/sandbox/file/{photo['file_id']}") as answer:
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert len(await answer.read()) == photo["file_size"]
    assert (await tg.ask("file/none", method="GET"))[0] == 404


async def test_a_live_photo_a_sticker_a_place_and_a_forward_fit_the_schema(tg: Telegram) -> None:
    live = await tg.say(ZHANG, GUANDI, samples=["cover"], live=True)
    assert live["live_photo"]["photo"] == live["photo"]
    assert (await tg.say(ZHANG, GUANDI, sticker=True))["sticker"]["type"] == "regular"
    spot = {"latitude": 30.67, "longitude": 121.01}
    assert (await tg.say(ZHANG, GUANDI, location=spot))["location"] == spot
    venue = await tg.say(ZHANG, GUANDI, venue={**spot, "title": "面馆", "address": "中山路"})
    assert venue["venue"]["title"] == "面馆" and venue["location"] == spot
    forward = {"chat": GUANDI, "message_id": live["message_id"]}
    copied = await tg.say(ZHANG, GUANDI, forward=forward)
    assert copied["forward_origin"]["sender_user"]["id"] == ZHANG and copied["photo"] == live["photo"]
    hidden = await tg.say(ZHANG, GUANDI, "hearsay", forward="Somebody")
    assert hidden["forward_origin"]["type"] == "hidden_user" and hidden["text"] == "hearsay"
    assert len(await tg.updates()) == 6  # the kit has held each against the schema


async def test_a_command_is_marked_as_one_and_plain_words_are_not(tg: Telegram) -> None:
    command = await tg.say(ZHANG, GUANDI, "/report@alliance_relay_bot 井盖")
    assert command["entities"] == [{"type": "bot_command", "offset": 0, "length": 26}]
    assert "entities" not in await tg.say(ZHANG, GUANDI, "see /report")
    assert "entities" not in await tg.say(ZHANG, GUANDI, "/")


async def test_an_anonymous_administrator_has_the_chat_as_sender(tg: Telegram) -> None:
    message = await tg.say(ZHANG, GUANDI, "order!", anonymous=True)
    assert message["sender_chat"]["id"] == GUANDI
    assert (message["from"]["id"], message["from"]["username"]) == (1087968824, "GroupAnonymousBot")


async def test_a_reply_and_a_topic_travel_with_the_message(tg: Telegram) -> None:
    first = await tg.say(ZHANG, GUANDI, "one")
    assert (await tg.say(LI, GUANDI, "two", reply_to=first["message_id"]))["reply_to_message"]["text"] == "one"
    wish = {"title": "论坛", "type": "supergroup", "members": [ZHANG], "is_forum": True, "topics": ["井盖", "灯"]}
    forum = (await tg.do("chat", wish))["id"]
    await tg.do("join", {"as": ZHANG, "chat": forum, "admin": True})
    threads = next(chat["topics"] for chat in (await tg.see("state"))["chats"] if chat["id"] == forum)
    asked = await tg.say(ZHANG, forum, "here", thread=threads[1]["id"])
    assert asked["is_topic_message"] and asked["chat"]["is_forum"]
    reply = {"message_id": asked["message_id"]}
    answered = await tg.ok("sendMessage", chat_id=forum, text="x", reply_parameters=reply)
    assert answered["message_thread_id"] == threads[1]["id"]
    refusal = await tg.refusal("sendMessage", chat_id=forum, text="x", message_thread_id=9)
    assert refusal == "Bad Request: message thread not found"
    assert (await tg.ask("send", {"as": ZHANG, "chat": forum, "text": "x", "thread": 9}))[0] == 404


async def test_a_correction_comes_as_an_edited_message(tg: Telegram) -> None:
    text = await tg.say(ZHANG, GUANDI, "井改")
    photo = await tg.say(ZHANG, GUANDI, "灯", samples=["light"])
    await tg.new_updates()
    await tg.do("edit", {"as": ZHANG, "chat": GUANDI, "message_id": text["message_id"], "text": "井盖"})
    await tg.do("edit", {"as": ZHANG, "chat": GUANDI, "message_id": photo["message_id"], "caption": "路灯"})
    edits = [update["edited_message"] for update in await tg.updates()]
    assert [edit.get("text") or edit.get("caption") for edit in edits] == ["井盖", "路灯"]
    assert all(edit["edit_date"] >= edit["date"] for edit in edits) and edits[1]["photo"] == photo["photo"]
    wish = {"as": LI, "chat": GUANDI, "message_id": text["message_id"], "text": "x"}
    assert (await tg.ask("edit", wish))[1]["error"] == "李姐 did not write that message"


async def test_a_press_waits_for_its_answer_and_carries_the_message(tg: Telegram) -> None:
    sent = await tg.buttons(GUANDI, "接单")
    press = tg.press(ZHANG, GUANDI, sent["message_id"], "接单")
    query = await tg.pressed()
    assert (query["data"], query["from"]["id"]) == ("接单", ZHANG)
    assert query["message"]["message_id"] == sent["message_id"]
    assert not press.done()
    assert await tg.ok("answerCallbackQuery", callback_query_id=query["id"], text="好", show_alert=True)
    assert await press == {"id": query["id"], "answer": {"text": "好", "show_alert": True}}


async def test_a_press_nobody_answers_ends_with_none(tg: Telegram) -> None:
    sent = await tg.buttons(GUANDI, "a")
    assert (await tg.press(ZHANG, GUANDI, sent["message_id"], "a", wait=0.05))["answer"] is None


async def test_an_answer_after_fifteen_seconds_is_refused(tg: Telegram) -> None:
    sent = await tg.buttons(GUANDI, "a")
    press = await tg.press(ZHANG, GUANDI, sent["message_id"], "a", wait=0)
    assert "MESSAGE_TOO_LONG" in await tg.refusal("answerCallbackQuery", callback_query_id=press["id"], text="字" * 201)
    await tg.do("clock", {"advance": 16})
    old = "Bad Request: query is too old and response timeout expired or query ID is invalid"
    assert await tg.refusal("answerCallbackQuery", callback_query_id=press["id"]) == old
    assert await tg.refusal("answerCallbackQuery", callback_query_id="1") == old


async def test_a_button_that_is_not_there_now_cannot_be_pressed_unless_forged(tg: Telegram) -> None:
    sent = await tg.buttons(GUANDI, "a")
    at = {"chat_id": GUANDI, "message_id": sent["message_id"]}
    await tg.ok("editMessageText", **at, text="gone")
    wish: dict[str, Any] = {"as": WANG, "chat": GUANDI, "message_id": sent["message_id"], "data": "a", "wait": 0}
    status, body = await tg.ask("press", {**wish, "as": ZHANG})
    assert status == 404 and "no such button" in body["error"]
    assert (await tg.ask("press", wish))[1]["error"] == "王阿姨 is not a member of 关帝庙商圈"
    await tg.do("press", {**wish, "forged": True})
    await tg.do("press", {**wish, "forged": True, "message_id": 7, "data": "b"})
    queries = [update["callback_query"] for update in await tg.updates()]
    assert [query["data"] for query in queries] == ["a", "b"]
    assert queries[1]["message"] == {"chat": queries[0]["message"]["chat"], "message_id": 7, "date": 0}


async def test_a_button_with_an_address_opens_it_and_tells_the_bot_nothing(tg: Telegram) -> None:
    markup = {"inline_keyboard": [[{"text": "map", "url": "https://x.cn/"}]]}
    sent = await tg.ok("sendMessage", chat_id=GUANDI, text="x", reply_markup=markup)
    assert await tg.press(ZHANG, GUANDI, sent["message_id"], "map") == {"url": "https://x.cn/"}
    assert await tg.updates() == []


async def test_a_bot_that_is_no_administrator_hears_commands_and_replies_only(tg: Telegram) -> None:
    mine = await tg.ok("sendMessage", chat_id=GUANDI, text="x")
    await tg.do("membership", {"as": ZHANG, "chat": GUANDI, "status": "member"})
    await tg.new_updates()
    await tg.say(ZHANG, GUANDI, "chatter")
    await tg.say(ZHANG, GUANDI, samples=["cover"])
    await tg.say(ZHANG, GUANDI, "/stats@another_bot")
    await tg.say(ZHANG, GUANDI, "/stats")
    await tg.say(ZHANG, GUANDI, "/stats@Alliance_Relay_Bot now")
    await tg.say(ZHANG, GUANDI, "yes", reply_to=mine["message_id"])
    heard = [update["message"]["text"] for update in await tg.new_updates()]
    assert heard == ["/stats", "/stats@Alliance_Relay_Bot now", "yes"]
    assert (await tg.ok("getMe"))["can_read_all_group_messages"] is False
    await tg.do("membership", {"as": ZHANG, "chat": GUANDI, "status": "member", "can_read": True})
    assert (await tg.ok("getMe"))["can_read_all_group_messages"] is True
    await tg.say(ZHANG, GUANDI, "chatter")
    assert [update["message"]["text"] for update in await tg.updates()] == ["chatter"]
    await tg.do("membership", {"as": ZHANG, "chat": WATER, "status": "member"})
    await tg.new_updates()
    await tg.say(500000201, WATER, "the setting counts from the next time the bot comes in")
    assert await tg.updates() == []


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"as": 1, "chat": GUANDI, "text": "x"}, "there is no person 1"),
        ({"as": ZHANG, "chat": 1, "text": "x"}, "there is no chat 1"),
        ({"chat": GUANDI, "text": "x"}, '"as" is missing'),
        ({"as": "me", "chat": GUANDI, "text": "x"}, '"as" is not a whole number'),
        ({"as": ZHANG, "chat": GUANDI}, "there is nothing to send"),
        ({"as": ZHANG, "chat": GUANDI, "text": "x" * 4097}, "message is too long"),
        ({"as": ZHANG, "chat": GUANDI, "words": "x"}, "unknown field 'words'"),
        ({"as": ZHANG, "chat": GUANDI, "text": "x", "reply_to": 1}, "there is no message to reply to"),
        ({"as": ZHANG, "chat": WATER, "text": "x"}, "张师傅 is not a member of 水务公司值班"),
        ({"as": ZHANG, "chat": GUANDI, "location": {"latitude": "north"}}, '"latitude" is not a number'),
        ({"as": ZHANG, "chat": GUANDI, "location": 5}, '"location" is not an object'),
    ],
)
async def test_a_wish_that_cannot_be_is_answered_with_one_clear_line(
    tg: Telegram, wish: dict[str, Any], error: str
) -> None:
    status, body = await tg.ask("send", wish)
    assert status in (400, 404) and body == {"error": error}


async def test_the_state_holds_the_world_and_a_person_sees_no_others_private_chat(tg: Telegram) -> None:
    await tg.say(ZHANG, ZHANG, "/start")
    state = await tg.see("state")
    assert len(state["people"]) == 14 and len(state["chats"]) == 10 + 14
    assert state["bot"]["username"] == "alliance_relay_bot" and state["offset"] == 0
    assert state["messages"][str(ZHANG)][0]["text"] == "/start"
    group = next(chat for chat in state["chats"] if chat["id"] == GUANDI)
    assert group["bot_status"] == "administrator" and ZHANG in group["members"]
    seen = await tg.see(f"state?as={LI}")
    assert [chat["id"] for chat in seen["chats"] if chat["type"] == "private"] == [LI]
    assert str(ZHANG) not in seen["messages"] and str(WATER) in seen["messages"]


async def test_the_stream_tells_each_change_to_those_who_may_see_it(tg: Telegram) -> None:
    async def heard(person: str, count: int) -> list[tuple[str, dict[str, Any]]]:
        events = []
        async with tg.http.get(f"/sandbox/events{person}") as stream:
            opened.release()
            async for line in stream.content:
                if line.startswith(b"data: "):
                    event = json.loads(line[6:])
                    events.append((event["type"], event))
                    if len(events) == count:
                        return events
        return events

    opened = asyncio.Semaphore(0)
    zhang = asyncio.create_task(heard(f"?as={ZHANG}", 9))
    li = asyncio.create_task(heard(f"?as={LI}", 7))
    await opened.acquire()
    await opened.acquire()
    theirs = await tg.say(ZHANG, GUANDI, "one")
    here = {"chat_id": GUANDI, "message_id": theirs["message_id"]}
    await tg.ok("setMessageReaction", **here, reaction=[{"type": "emoji", "emoji": "👀"}])
    only = {"receiver_user_id": ZHANG}
    await tg.ok("sendMessage", chat_id=GUANDI, text="quiet", ephemeral_message_parameters=only)
    sent = await tg.buttons(GUANDI, "a")
    await tg.new_updates()
    press = tg.press(ZHANG, GUANDI, sent["message_id"], "a")
    query = await tg.pressed()
    await tg.ok("answerCallbackQuery", callback_query_id=query["id"], text="ok")
    await press
    await tg.ok("editMessageText", chat_id=GUANDI, message_id=sent["message_id"], text="b")
    await tg.ok("deleteMessage", **here)
    await tg.do("clock", {"advance": 60})
    await tg.do("membership", {"as": LI, "chat": GUANDI, "status": "member"})
    async with asyncio.timeout(5):
        saw = await zhang
        assert [kind for kind, _ in saw] == [
            *("message", "reaction", "message", "message", "answer", "edited", "deleted", "clock", "chat")
        ]
        assert saw[1][1]["reactions"] == ["👀"] and saw[4][1]["text"] == "ok"
        assert saw[6][1]["message"]["deleted"] is True and saw[7][1]["offset"] == 60
        others = [kind for kind, _ in await li]
        assert others == ["message", "reaction", "message", "edited", "deleted", "clock", "chat"]


async def test_every_message_that_people_make_fits_the_schema(tg: Telegram) -> None:
    await tg.say(ZHANG, GUANDI, "one", anonymous=True)
    await tg.say(ZHANG, GUANDI, samples=["cover"], as_file=True)
    for message in await tg.shown(GUANDI):
        del message["reactions"]
        assert wrong_with("Message", message) is None
    assert wrong_with("Message", {"message_id": 1}) is not None
