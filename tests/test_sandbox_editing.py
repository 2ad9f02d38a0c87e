"""What the bot changes afterwards: edits, deletions, reactions, messages that only one person sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.test_sandbox_kit import GUANDI, LI, WANG, ZHANG, Telegram, picture, telegram

NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)


@pytest.fixture
async def tg() -> AsyncIterator[Telegram]:
    async with telegram() as client:
        yield client


def at(message: dict[str, Any]) -> dict[str, Any]:
    return {"chat_id": message["chat"]["id"], "message_id": message["message_id"]}


async def test_an_edit_changes_text_and_takes_the_buttons_away_unless_given_again(tg: Telegram) -> None:
    sent = await tg.buttons(GUANDI, "a")
    edited = await tg.ok("editMessageText", **at(sent), text="<b>new</b>", parse_mode="HTML")
    assert edited["text"] == "new" and "reply_markup" not in edited and edited["edit_date"] >= sent["date"]
    assert edited["message_id"] == sent["message_id"]
    assert (await tg.shown(GUANDI))[-1]["entities"] == [{"type": "bold", "offset": 0, "length": 3}]


async def test_an_edit_that_changes_nothing_is_refused(tg: Telegram) -> None:
    sent = await tg.buttons(GUANDI, "a")
    same = {"text": "choose", "reply_markup": sent["reply_markup"]}
    assert await tg.refusal("editMessageText", **at(sent), **same) == NOT_MODIFIED
    assert await tg.refusal("editMessageReplyMarkup", **at(sent), reply_markup=sent["reply_markup"]) == NOT_MODIFIED
    assert await tg.ok("editMessageText", **at(sent), text="choose")
    assert await tg.refusal("editMessageText", **at(sent), text="<b></b>choose ", parse_mode="HTML") == NOT_MODIFIED


async def test_only_the_bots_own_existing_messages_are_edited(tg: Telegram) -> None:
    theirs = await tg.say(ZHANG, GUANDI, "mine")
    assert await tg.refusal("editMessageText", **at(theirs), text="x") == "Bad Request: message can't be edited"
    lost = {"chat_id": GUANDI, "message_id": 1}
    assert await tg.refusal("editMessageText", **lost, text="x") == "Bad Request: message to edit not found"
    assert await tg.refusal("editMessageText", text="x") == "Bad Request: message identifier is not specified"
    sent = await tg.ok("sendMessage", chat_id=GUANDI, text="x")
    assert await tg.ok("deleteMessage", **at(sent))
    assert await tg.refusal("editMessageText", **at(sent), text="y") == "Bad Request: message to edit not found"


async def test_text_and_caption_are_not_taken_for_each_other(tg: Telegram) -> None:
    file_id = (await tg.say(ZHANG, GUANDI, samples=["cover"]))["photo"][0]["file_id"]
    photo = await tg.ok("sendPhoto", chat_id=GUANDI, photo=file_id, caption="a")
    text = await tg.ok("sendMessage", chat_id=GUANDI, text="a")
    assert (
        await tg.refusal("editMessageText", **at(photo), text="b")
        == "Bad Request: there is no text in the message to edit"
    )
    assert (
        await tg.refusal("editMessageCaption", **at(text), caption="b")
        == "Bad Request: there is no caption in the message to edit"
    )
    assert (await tg.ok("editMessageCaption", **at(photo), caption="b"))["photo"] == photo["photo"]
    assert "caption" not in await tg.ok("editMessageCaption", **at(photo))
    assert "too long" in await tg.refusal("editMessageCaption", **at(photo), caption="x" * 1025)


async def test_a_text_message_becomes_a_photo(tg: Telegram) -> None:
    sent = await tg.buttons(GUANDI, "a")
    media = {"type": "photo", "media": "attach://f", "caption": "now"}
    fields = {**at(sent), "media": media, "reply_markup": sent["reply_markup"]}
    edited = (await tg.form("editMessageMedia", fields, {"f": picture()}))["result"]
    assert "text" not in edited and edited["caption"] == "now" and len(edited["photo"]) == 2
    again = {"type": "photo", "media": edited["photo"][0]["file_id"], "caption": "now"}
    refusal = await tg.refusal("editMessageMedia", **at(sent), media=again, reply_markup=sent["reply_markup"])
    assert refusal == NOT_MODIFIED


async def test_an_update_already_queued_keeps_what_was_true_then(tg: Telegram) -> None:
    sent = await tg.buttons(GUANDI, "a")
    await tg.press(ZHANG, GUANDI, sent["message_id"], "a", wait=0)
    await tg.ok("editMessageText", **at(sent), text="later")
    assert (await tg.updates())[0]["callback_query"]["message"]["text"] == "choose"


async def test_nothing_older_than_48_hours_is_deleted(tg: Telegram) -> None:
    old = await tg.ok("sendMessage", chat_id=GUANDI, text="old")
    await tg.do("clock", {"advance": 48 * 3600 + 5})
    new = await tg.ok("sendMessage", chat_id=GUANDI, text="new")
    assert await tg.refusal("deleteMessage", **at(old)) == "Bad Request: message can't be deleted for everyone"
    assert await tg.ok("editMessageText", **at(old), text="still editable")
    assert await tg.ok("deleteMessage", **at(new))
    assert await tg.refusal("deleteMessage", **at(new)) == "Bad Request: message to delete not found"
    assert [message.get("deleted") for message in await tg.shown(GUANDI)] == [None, True]


async def test_others_messages_are_deleted_by_an_administrator_only(tg: Telegram) -> None:
    first = await tg.say(ZHANG, GUANDI, "one")
    second = await tg.say(ZHANG, GUANDI, "two")
    assert await tg.ok("deleteMessage", **at(first))
    await tg.do("membership", {"as": ZHANG, "chat": GUANDI, "status": "member"})
    assert await tg.refusal("deleteMessage", **at(second)) == "Bad Request: message can't be deleted"
    numbers = [1, first["message_id"], second["message_id"]]
    assert await tg.ok("deleteMessages", chat_id=GUANDI, message_ids=numbers)
    assert [message.get("deleted") for message in await tg.shown(GUANDI)][:2] == [True, None]


@pytest.mark.parametrize("emoji", ["✅", "⏳", "📷", "x", ""])
async def test_a_reaction_outside_telegrams_list_is_refused(tg: Telegram, emoji: str) -> None:
    message = await tg.say(ZHANG, GUANDI, "hello")
    reaction = [{"type": "emoji", "emoji": emoji}]
    assert await tg.refusal("setMessageReaction", **at(message), reaction=reaction) == "Bad Request: REACTION_INVALID"


async def test_a_reaction_is_one_and_takes_the_place_of_the_one_before(tg: Telegram) -> None:
    message = await tg.say(ZHANG, GUANDI, "hello")
    for emoji in ("👀", "👍", "👌", "✍", "🫡", "💯", "🙏"):
        assert await tg.ok("setMessageReaction", **at(message), reaction=[{"type": "emoji", "emoji": emoji}])
        assert (await tg.shown(GUANDI))[0]["reactions"] == [emoji]
    two = [{"type": "emoji", "emoji": "👀"}, {"type": "emoji", "emoji": "👍"}]
    assert await tg.refusal("setMessageReaction", **at(message), reaction=two) == "Bad Request: REACTIONS_TOO_MANY"
    assert await tg.ok("setMessageReaction", **at(message), reaction=[])
    assert (await tg.shown(GUANDI))[0]["reactions"] == []
    lost = {"chat_id": GUANDI, "message_id": 1, "reaction": two[:1]}
    assert await tg.refusal("setMessageReaction", **lost) == "Bad Request: message to react not found"


async def test_a_reaction_on_an_album_lands_on_its_first_message(tg: Telegram) -> None:
    await tg.say(ZHANG, GUANDI, samples=["cover", "light"])
    last = (await tg.shown(GUANDI))[1]
    assert await tg.ok("setMessageReaction", **at(last), reaction=[{"type": "emoji", "emoji": "👀"}])
    assert [message["reactions"] for message in await tg.shown(GUANDI)] == [["👀"], []]


async def test_an_ephemeral_message_is_seen_by_its_receiver_alone(tg: Telegram) -> None:
    only = {"receiver_user_id": ZHANG}
    sent = await tg.buttons(GUANDI, "a", ephemeral_message_parameters=only)
    assert sent["message_id"] == 0 and sent["receiver_user"]["id"] == ZHANG
    assert [message["text"] for message in await tg.shown(GUANDI, ZHANG)] == ["choose"]
    assert await tg.shown(GUANDI, LI) == []
    assert [message["receiver_user"]["id"] for message in await tg.shown(GUANDI)] == [ZHANG]
    await tg.ok("sendMessage", chat_id=GUANDI, text="for all")
    assert [message["text"] for message in await tg.shown(GUANDI, LI)] == ["for all"]


async def test_an_ephemeral_message_is_edited_pressed_and_deleted_by_its_own_id(tg: Telegram) -> None:
    sent = await tg.buttons(GUANDI, "a", ephemeral_message_parameters={"receiver_user_id": ZHANG})
    number = sent["ephemeral_message_id"]
    this = {"chat_id": GUANDI, "receiver_user_id": ZHANG, "ephemeral_message_id": number}
    wish = {"as": ZHANG, "chat": GUANDI, "ephemeral_message_id": number, "data": "a", "wait": 0}
    await tg.do("press", wish)
    query = (await tg.updates())[0]["callback_query"]
    assert query["message"]["ephemeral_message_id"] == number and query["data"] == "a"
    assert (await tg.ask("press", {**wish, "as": LI}))[0] == 404
    assert await tg.ok("editEphemeralMessageText", **this, text="done") is True
    assert await tg.refusal("editEphemeralMessageText", **this, text="done") == NOT_MODIFIED
    assert (await tg.ask("press", wish))[0] == 404
    fields = {**this, "media": {"type": "photo", "media": "attach://f"}}
    assert (await tg.form("editEphemeralMessageMedia", fields, {"f": picture()}))["result"] is True
    assert await tg.ok("editEphemeralMessageCaption", **this, caption="c") is True
    keyboard = {"inline_keyboard": [[{"text": "b", "callback_data": "b"}]]}
    assert await tg.ok("editEphemeralMessageReplyMarkup", **this, reply_markup=keyboard) is True
    shown = (await tg.shown(GUANDI, ZHANG))[0]
    assert shown["caption"] == "c" and shown["reply_markup"] == keyboard
    assert await tg.ok("deleteEphemeralMessage", **this) is True
    assert await tg.refusal("deleteEphemeralMessage", **this) == "Bad Request: message to delete not found"
    assert (await tg.shown(GUANDI, ZHANG))[0]["deleted"] is True


async def test_ephemeral_messages_are_for_members_of_groups_and_only_where_allowed(tg: Telegram) -> None:
    async def to(receiver: int, chat: int) -> str:
        only = {"receiver_user_id": receiver}
        return await tg.refusal("sendMessage", chat_id=chat, text="x", ephemeral_message_parameters=only)

    assert await to(WANG, GUANDI) == "Bad Request: USER_NOT_PARTICIPANT"
    await tg.say(ZHANG, ZHANG, "/start")
    assert "only to groups" in await to(ZHANG, ZHANG)
    await tg.do("ephemeral", {"allowed": False})
    assert await to(ZHANG, GUANDI) == "Bad Request: EPHEMERAL_NOT_ALLOWED"
    await tg.do("ephemeral", {"allowed": True})
    file_id = (await tg.say(ZHANG, GUANDI, samples=["cover"]))["photo"][0]["file_id"]
    only = {"receiver_user_id": ZHANG}
    assert (await tg.ok("sendPhoto", chat_id=GUANDI, photo=file_id, ephemeral_message_parameters=only))["photo"]


async def test_an_ephemeral_answer_stands_in_place_of_the_message_pressed(tg: Telegram) -> None:
    sent = await tg.buttons(GUANDI, "a")
    press = await tg.press(ZHANG, GUANDI, sent["message_id"], "a", wait=0)
    wish = {"callback_query_id": press["id"], "replace_callback_query_message": True}
    only = {"receiver_user_id": ZHANG, **wish}
    await tg.ok("sendMessage", chat_id=GUANDI, text="why?", ephemeral_message_parameters=only)
    assert (await tg.shown(GUANDI, ZHANG))[-1]["replaces"] == sent["message_id"]
    other = {"receiver_user_id": LI, **wish}
    refusal = await tg.refusal("sendMessage", chat_id=GUANDI, text="x", ephemeral_message_parameters=other)
    assert "query ID is invalid" in refusal
