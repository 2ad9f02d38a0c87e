"""What the bot sends: whole messages come back, and what Telegram would refuse is refused in its words."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image

from tests.test_sandbox_kit import GUANDI, LIN, TOKEN, ZHANG, Telegram, picture, telegram


@pytest.fixture
async def tg() -> AsyncIterator[Telegram]:
    async with telegram() as client:
        yield client


def keys(*buttons: dict[str, Any]) -> dict[str, Any]:
    return {"inline_keyboard": [list(buttons)]}


async def test_html_comes_back_as_plain_text_with_entities_in_utf16_units(tg: Telegram) -> None:
    sent = await tg.ok(
        "sendMessage",
        chat_id=GUANDI,
        parse_mode="HTML",
        text="🔴 <b>SD-<i>2026</i></b> &lt;ok&gt; <a href='https://x.cn/?a=1&amp;b=2'>here</a> "
        '<pre><code class="language-py">x</code></pre><blockquote expandable>q</blockquote>'
        '<span class="tg-spoiler">s</span><tg-spoiler>t</tg-spoiler> <u>u</u><s>v</s><code>w</code>',
    )
    assert sent["text"] == "🔴 SD-2026 <ok> here xqst uvw"
    assert [(mark["type"], mark["offset"], mark["length"]) for mark in sent["entities"]] == [
        ("bold", 3, 7),
        ("italic", 6, 4),
        ("text_link", 16, 4),
        ("pre", 21, 1),
        ("expandable_blockquote", 22, 1),
        ("spoiler", 23, 1),
        ("spoiler", 24, 1),
        ("underline", 26, 1),
        ("strikethrough", 27, 1),
        ("code", 28, 1),
    ]
    assert sent["entities"][2]["url"] == "https://x.cn/?a=1&b=2"
    assert sent["entities"][3]["language"] == "py"


@pytest.mark.parametrize(
    ("html", "complaint"),
    [
        ("<b>open", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b>a</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("a</b>", "Unexpected end tag at byte offset 1"),
        ("字<div>a</div>", 'Unsupported start tag "div" at byte offset 3'),
        ("1 < 2", 'Unsupported start tag "" at byte offset 2'),
        ("<b", "Unclosed start tag at byte offset 0"),
    ],
)
async def test_broken_html_is_refused_with_the_place(tg: Telegram, html: str, complaint: str) -> None:
    refusal = await tg.refusal("sendMessage", chat_id=GUANDI, text=html, parse_mode="HTML")
    assert refusal == f"Bad Request: can't parse entities: {complaint}"


async def test_white_space_at_the_ends_goes_and_entities_move_with_the_text(tg: Telegram) -> None:
    sent = await tg.ok("sendMessage", chat_id=GUANDI, text="  <b> bold </b> \n", parse_mode="HTML")
    assert sent["text"] == "bold"
    assert sent["entities"] == [{"type": "bold", "offset": 0, "length": 4}]


async def test_lengths_are_counted_in_utf16_units_after_parsing(tg: Telegram) -> None:
    assert await tg.ok("sendMessage", chat_id=GUANDI, text="<b>" + "x" * 4096 + "</b>", parse_mode="HTML")
    assert await tg.ok("sendMessage", chat_id=GUANDI, text="🔴" * 2048)
    long = await tg.refusal("sendMessage", chat_id=GUANDI, text="🔴" * 2048 + "x")
    assert long == "Bad Request: message is too long"
    photo = (await tg.say(ZHANG, GUANDI, samples=["cover"]))["photo"][0]["file_id"]
    assert await tg.ok("sendPhoto", chat_id=GUANDI, photo=photo, caption="字" * 1024)
    long = await tg.refusal("sendPhoto", chat_id=GUANDI, photo=photo, caption="字" * 1025)
    assert long == "Bad Request: message caption is too long"


@pytest.mark.parametrize("text", ["", "  \n", "<b></b>", "<b> </b>"])
async def test_an_empty_text_is_refused(tg: Telegram, text: str) -> None:
    assert (
        await tg.refusal("sendMessage", chat_id=GUANDI, text=text, parse_mode="HTML")
        == "Bad Request: message text is empty"
    )


async def test_a_lone_surrogate_is_refused(tg: Telegram) -> None:
    assert (
        await tg.refusal("sendMessage", chat_id=GUANDI, text="a\ud800b")
        == "Bad Request: strings must be encoded in UTF-8"
    )


async def test_a_parameter_that_is_unknown_missing_or_of_a_wrong_type_is_refused(tg: Telegram) -> None:
    fine = {"chat_id": GUANDI, "text": "x"}
    assert 'unknown parameter "colour" of sendMessage' in await tg.refusal("sendMessage", **fine, colour="red")
    assert await tg.refusal("sendMessage", text="x") == "Bad Request: chat_id is empty"
    assert await tg.refusal("sendMessage", chat_id=GUANDI) == "Bad Request: message text is empty"
    assert 'missing required parameter "photo"' in await tg.refusal("sendPhoto", chat_id=GUANDI)
    assert 'wrong parameter "text"' in await tg.refusal("sendMessage", chat_id=GUANDI, text=5)
    wrong = await tg.refusal("sendMessage", **fine, reply_markup=keys({"text": "a", "callbackdata": "b"}))
    assert "inline_keyboard" in wrong and "reply_markup" in wrong
    assert 'unknown field "colour"' in await tg.refusal("sendMessage", **fine, link_preview_options={"colour": "red"})
    assert (await tg.call("sendMessage", **fine, message_thread_id=None))["ok"]


async def test_a_method_that_does_not_exist_is_not_found_and_one_not_emulated_says_so(tg: Telegram) -> None:
    async with tg.http.post(f"/bot{TOKEN}/sendTelegram") as answer:
        assert answer.status == 404
        assert (await answer.json())["description"] == "Not Found"
    body = await tg.call("sendDice", chat_id=GUANDI)
    assert body["error_code"] == 404 and "sendDice" in body["description"]


@pytest.mark.parametrize(
    ("button", "refusal"),
    [
        ({"text": "a", "callback_data": "x" * 65}, "BUTTON_DATA_INVALID"),
        ({"text": "a", "callback_data": "字" * 22}, "BUTTON_DATA_INVALID"),
        ({"text": "a", "callback_data": ""}, "BUTTON_DATA_INVALID"),
        ({"text": " ", "callback_data": "x"}, "BUTTON_TEXT_EMPTY"),
        ({"text": "a"}, "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"),
        ({"text": "a", "url": "nowhere"}, "inline keyboard button URL 'nowhere' is invalid: Wrong HTTP URL"),
        ({"text": "a", "web_app": {"url": "https://x.cn"}}, "BUTTON_TYPE_INVALID"),
        ({"text": "a", "callback_data": "x", "style": "purple"}, "BUTTON_STYLE_INVALID"),
    ],
)
async def test_a_button_over_its_limits_is_refused(tg: Telegram, button: dict[str, Any], refusal: str) -> None:
    got = await tg.refusal("sendMessage", chat_id=GUANDI, text="x", reply_markup=keys(button))
    assert got == f"Bad Request: {refusal}"


async def test_a_hundred_buttons_are_taken_and_one_more_is_not(tg: Telegram) -> None:
    row = [{"text": "a", "callback_data": "x" * 64}] * 10
    assert await tg.ok("sendMessage", chat_id=GUANDI, text="x", reply_markup={"inline_keyboard": [row] * 10})
    more = {"inline_keyboard": [row] * 10 + [row[:1]]}
    assert "too long" in await tg.refusal("sendMessage", chat_id=GUANDI, text="x", reply_markup=more)


async def test_an_uploaded_picture_comes_back_in_sizes_without_its_exif(tg: Telegram) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif[0x0112] = 6  # turned by a quarter
    big = picture(4000, 3000, exif=exif)
    body = await tg.form("sendPhoto", {"chat_id": GUANDI, "photo": "attach://f", "caption": "字"}, {"f": big})
    sizes = body["result"]["photo"]
    assert [(size["width"], size["height"]) for size in sizes] == [(240, 320), (600, 800), (960, 1280)]
    assert len({size["file_id"] for size in sizes} | {size["file_unique_id"] for size in sizes}) == 6
    path = (await tg.ok("getFile", file_id=sizes[2]["file_id"]))["file_path"]
    async with tg.http.get(f"/file/bot{TOKEN}/{path}") as answer:
        content = await answer.read()
    with Image.open(io.BytesIO(content)) as opened:
        assert (opened.format, opened.size, dict(opened.getexif())) == ("JPEG", (960, 1280), {})
    assert len(content) == sizes[2]["file_size"]


async def test_a_picture_is_sent_again_by_any_of_its_file_ids(tg: Telegram) -> None:
    photo = (await tg.say(ZHANG, GUANDI, samples=["light"]))["photo"]
    for size in photo:
        assert (await tg.ok("sendPhoto", chat_id=GUANDI, photo=size["file_id"]))["photo"] == photo
    wrong = "Bad Request: wrong file identifier/HTTP URL specified"
    assert await tg.refusal("sendPhoto", chat_id=GUANDI, photo="AgAC-unknown") == wrong
    assert await tg.refusal("sendPhoto", chat_id=GUANDI, photo="attach://nothing") == wrong
    document = (await tg.say(ZHANG, GUANDI, samples=["light"], as_file=True))["document"]["file_id"]
    assert (
        await tg.refusal("sendPhoto", chat_id=GUANDI, photo=document)
        == "Bad Request: can't use file of type Document as Photo"
    )


async def test_what_is_no_picture_is_refused_as_a_photo_but_taken_as_a_document(tg: Telegram) -> None:
    fields: dict[str, Any] = {"chat_id": GUANDI, "photo": "attach://f"}
    assert (await tg.form("sendPhoto", fields, {"f": b"text"}))["description"].endswith("IMAGE_PROCESS_FAILED")
    narrow = await tg.form("sendPhoto", fields, {"f": picture(2100, 100)})
    assert narrow["description"].endswith("PHOTO_INVALID_DIMENSIONS")
    sent = await tg.form("sendDocument", {"chat_id": GUANDI, "document": "attach://f"}, {"f": b"text"})
    document = sent["result"]["document"]
    assert (document["file_name"], document["mime_type"], document["file_size"]) == ("f.jpg", "image/jpeg", 4)
    direct = await tg.form("sendDocument", {"chat_id": GUANDI}, {"document": b"12345"})
    assert direct["result"]["document"]["file_size"] == 5


async def test_a_file_over_20_megabytes_can_be_sent_but_not_fetched(tg: Telegram) -> None:
    sent = await tg.form("sendDocument", {"chat_id": GUANDI}, {"document": bytes(20 * 1024 * 1024 + 1)})
    file_id = sent["result"]["document"]["file_id"]
    assert await tg.refusal("getFile", file_id=file_id) == "Bad Request: file is too big"
    assert "wrong file_id" in await tg.refusal("getFile", file_id="x")
    async with tg.http.get(f"/file/bot{TOKEN}/photos/none.jpg") as answer:
        assert answer.status == 404


async def test_an_album_is_two_to_ten_messages_with_one_group_id(tg: Telegram) -> None:
    known = (await tg.say(ZHANG, GUANDI, samples=["light"]))["photo"][0]["file_id"]
    media = [
        {"type": "photo", "media": "attach://one", "caption": "<b>a</b>", "parse_mode": "HTML"},
        {"type": "photo", "media": known},
    ]
    body = await tg.form("sendMediaGroup", {"chat_id": GUANDI, "media": media}, {"one": picture()})
    first, second = body["result"]
    assert first["media_group_id"] == second["media_group_id"]
    assert second["message_id"] == first["message_id"] + 1
    assert first["caption"] == "a" and "caption" not in second
    for wrong in (media[1:], [media[1]] * 11):
        assert "2 to 10" in await tg.refusal("sendMediaGroup", chat_id=GUANDI, media=wrong)
    with_keys = await tg.refusal("sendMediaGroup", chat_id=GUANDI, media=media, reply_markup=keys())
    assert 'unknown parameter "reply_markup"' in with_keys


async def test_a_reply_quotes_one_level_and_a_lost_one_is_refused_unless_allowed(tg: Telegram) -> None:
    first = await tg.say(ZHANG, GUANDI, "one")
    second = await tg.say(ZHANG, GUANDI, "two", reply_to=first["message_id"])
    reply = {"message_id": second["message_id"]}
    sent = await tg.ok("sendMessage", chat_id=GUANDI, text="three", reply_parameters=reply)
    assert sent["reply_to_message"]["text"] == "two" and "reply_to_message" not in sent["reply_to_message"]
    lost = {"message_id": 1}
    assert (
        await tg.refusal("sendMessage", chat_id=GUANDI, text="x", reply_parameters=lost)
        == "Bad Request: message to be replied not found"
    )
    lost["allow_sending_without_reply"] = True
    sent = await tg.ok("sendMessage", chat_id=GUANDI, text="x", reply_parameters=lost)
    assert "reply_to_message" not in sent


async def test_nobody_is_written_to_who_has_not_spoken_to_the_bot(tg: Telegram) -> None:
    body = await tg.call("sendMessage", chat_id=LIN, text="hello")
    assert (body["error_code"], body["description"]) == (
        403,
        "Forbidden: bot can't initiate conversation with a user",
    )
    await tg.say(LIN, LIN, "/start")
    assert (await tg.ok("sendMessage", chat_id=LIN, text="hello"))["chat"]["type"] == "private"
    await tg.do("membership", {"as": LIN, "chat": LIN, "status": "kicked"})
    assert await tg.refusal("sendMessage", chat_id=LIN, text="x") == "Forbidden: bot was blocked by the user"


async def test_a_chat_that_does_not_exist_is_not_found(tg: Telegram) -> None:
    for chat_id in (-1, 42, "@somebody"):
        assert await tg.refusal("sendMessage", chat_id=chat_id, text="x") == "Bad Request: chat not found"


async def test_places_and_live_photos_are_sent_as_the_schema_says(tg: Telegram) -> None:
    venue = await tg.ok(
        "sendVenue", chat_id=GUANDI, latitude=30.6, longitude=121.0, title="面馆", address="中山路 12 号"
    )
    assert venue["venue"]["location"] == venue["location"] == {"latitude": 30.6, "longitude": 121.0}
    assert (await tg.ok("sendLocation", chat_id=GUANDI, latitude=1.5, longitude=2))["location"]["latitude"] == 1.5
    assert "wrong latitude" in await tg.refusal("sendLocation", chat_id=GUANDI, latitude=91, longitude=2)
    live = await tg.form(
        "sendLivePhoto",
        {"chat_id": GUANDI, "live_photo": "attach://a", "photo": "attach://b"},
        {"a": b"film", "b": picture()},
    )
    assert live["result"]["live_photo"]["photo"] == live["result"]["photo"]


async def test_a_sent_message_is_seen_at_once_by_all_who_look(tg: Telegram) -> None:
    async with tg.http.get("/sandbox/events") as stream:
        sent = await tg.ok("sendMessage", chat_id=GUANDI, text="hello")
        lines = []
        async with asyncio.timeout(5):
            async for line in stream.content:
                lines.append(line.decode().strip())
                if lines[-1].startswith("data:"):
                    break
    assert "event: message" in lines
    assert f'"message_id": {sent["message_id"]}' in lines[-1]


async def test_what_is_refused_leaves_no_message(tg: Telegram) -> None:
    await tg.refusal("sendMessage", chat_id=GUANDI, text="x", reply_markup=keys({"text": "a"}))
    await tg.refusal("sendMessage", chat_id=GUANDI, text="x", reply_parameters={"message_id": 1})
    assert await tg.shown(GUANDI) == []
