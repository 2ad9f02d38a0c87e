"""What Telegram refuses, in its own words, and what becomes of it: something is left away, fetched anew, put off or
told to those who can mend it; nothing is lost, nothing doubles, and no shop hears of it.
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import databases
from tests.street import (
    OFFICE,
    SECRETARY,
    UNIT_MAN,
    House,
    Street,
    Verdict,
    button,
    houses,
    listening,
    played_once,
    street,
)
from tests.town import labels, words

pytestmark = pytest.mark.timeout(300)

Case = Callable[[Street, House], Awaitable[None]]
CASES: dict[str, Case] = {}
ALWAYS = 9999
ALL = os.environ.get("FAULTS") == "all"
"""`FAULTS=all`: on PostgreSQL as well."""


def case(*told: str) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
    """A case for each refusal, in Telegram's words; the function is given them."""

    def register(lives: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        for each in told:
            name = lives.__name__.replace("_", " ")
            CASES[f"{name}: {each}" if len(told) > 1 else name] = partial(_given, lives, each)
        return lives

    return register


async def _given(lives: Callable[..., Awaitable[None]], told: str, here: Street, house: House) -> None:
    await lives(here, house, told)


# --- the chat is gone, or closed to the bot


@case("403:", "403:bot is not a member of the supergroup chat", "400:chat not found", "400:PEER_ID_INVALID")
async def a_unit_that_has_put_the_bot_out_gets_its_card_when_it_is_back(here: Street, house: House, told: str) -> None:
    await here.post("fault", chat=house.unit, kind=told, times=ALWAYS)
    await here.report(house)
    await here.line(house)
    await _office(here, f"no longer in {house.unit_name}")
    await _office(here, f"could not be delivered to {house.unit_name}")
    # A second report changes nothing about it, and is said no second time.
    await here.another(house)
    await here.rest(*house.chats)
    assert await _said(here, f"no longer in {house.unit_name}") == 1
    assert await here.from_bot(house.unit) == []
    await here.lift(chat=house.unit)
    for status in ("left", "administrator"):
        await here.post("membership", **{"as": UNIT_MAN, "chat": house.unit, "status": status})
    await here.until(lambda: _cards(here, house.unit, 2), "both cards")
    await here.rest(*house.chats, OFFICE)
    await here.gone(OFFICE, f"could not be delivered to {house.unit_name}")
    assert here.doubled(house) == 0


@case("400:chat not found")
async def a_chat_that_is_there_again_without_a_word_is_noticed_by_the_next_message(
    here: Street, house: House, told: str
) -> None:
    await here.post("fault", chat=house.unit, kind=told, times=ALWAYS)
    await here.report(house)
    await _office(here, f"could not be delivered to {house.unit_name}")
    await here.rest(*house.chats)
    await here.lift(chat=house.unit)
    await here.another(house)
    await here.until(lambda: _cards(here, house.unit, 2), "both cards")
    await here.gone(OFFICE, f"could not be delivered to {house.unit_name}")
    # Whoever presses there acts for the unit again.
    card = (await here.from_bot(house.unit))[-1]
    await here.press(UNIT_MAN, house.unit, card, "Accept")
    await here.card(house, "In hand")


MUTED = (
    "400:not enough rights to send text messages to the chat",
    "400:have no rights to send a message",
    "400:CHAT_WRITE_FORBIDDEN",
    "403:CHAT_WRITE_FORBIDDEN",
    "400:CHAT_RESTRICTED",
    "400:CHAT_SEND_PLAIN_FORBIDDEN",
    "400:need administrator rights in the channel chat",
)


@case(*MUTED)
async def a_chat_in_which_the_bot_may_not_write_is_told_of_once_and_tried_again(
    here: Street, house: House, told: str
) -> None:
    await here.post("fault", chat=house.unit, kind=told, times=ALWAYS)
    await here.report(house)
    await _office(here, f"may not write in {house.unit_name}")
    await _office(here, f"could not be delivered to {house.unit_name}")
    await here.another(house)
    await here.until(lambda: _waits(here, house.unit, 2), "two cards that wait")
    assert await _said(here, f"may not write in {house.unit_name}") == 1
    await here.lift(chat=house.unit)
    # The bot's rights are given back: Telegram says so.
    for status in ("member", "administrator"):
        await here.post("membership", **{"as": UNIT_MAN, "chat": house.unit, "status": status})
    await here.until(lambda: _cards(here, house.unit, 2), "both cards")
    await here.gone(OFFICE, f"could not be delivered to {house.unit_name}")
    assert here.doubled(house) == 0


@case("400:have no rights to send a message")
async def a_chat_that_is_opened_without_a_word_gets_all_that_waits_with_the_next_card(
    here: Street, house: House, told: str
) -> None:
    await here.post("fault", chat=house.unit, kind=told, times=ALWAYS)
    await here.report(house)
    await here.another(house)
    await here.until(lambda: _waits(here, house.unit, 2), "two cards that wait")
    await here.lift(chat=house.unit)
    await here.another(house)
    await here.until(lambda: _cards(here, house.unit, 3), "all three cards")


@case("400:not enough rights to send photos to the chat", "400:CHAT_SEND_PHOTOS_FORBIDDEN")
async def a_chat_without_photos_gets_its_card_in_words(here: Street, house: House, told: str) -> None:
    for method in ("sendPhoto", "sendMediaGroup", "editMessageMedia"):
        await here.post("fault", chat=house.unit, method=method, kind=told, times=ALWAYS)
    await here.report(house, samples=("cover", "light"))
    card = await here.card(house)
    assert "photo" not in card and {"Accept", "Done"} <= set(labels(card))
    await _office(here, f"may not send photos in {house.unit_name}")
    await here.rest(*house.chats)
    await here.press(UNIT_MAN, house.unit, card, "Accept")
    card = await here.card(house, "In hand")
    assert "photo" not in card
    assert await _said(here, f"may not send photos in {house.unit_name}") == 1
    assert len(await here.from_bot(house.unit)) == 1 and here.doubled(house) == 0
    # As soon as it may, the next change brings the picture.
    await here.lift(chat=house.unit)
    await here.press(UNIT_MAN, house.unit, card, "Made safe")
    await here.sees(house.unit, lambda each: "made safe" in words(each) and bool(each.get("photo")))


@case("400:message thread not found", "400:TOPIC_CLOSED", "400:TOPIC_DELETED")
async def a_topic_that_is_closed_or_gone_gives_way_to_the_group(here: Street, house: House, told: str) -> None:
    await here.say(SECRETARY, house.unit, "/bind", thread=101)
    menu = await here.sees(house.unit, "What is this chat?")
    await here.press(SECRETARY, house.unit, menu, button(menu, f"🔧 {house.unit_name}"))
    await here.rest(*house.chats)
    await here.post("fault", chat=house.unit, method="sendPhoto", kind=told, times=1)
    await here.report(house)
    assert "message_thread_id" not in await here.card(house)
    await _office(here, f"topic of {house.unit_name} is closed or gone")
    await here.another(house)
    await here.until(lambda: _cards(here, house.unit, 2), "both cards")
    sent = [call["request"].get("message_thread_id") for call in await _calls(here, house.unit, "sendPhoto")]
    # Asked for in the topic once; from then on the rows know better.
    assert sent == [101, None, None] and here.doubled(house) == 0


# --- one thing about a message will not do


@case("400:message to be replied not found", "400:replied message not found")
async def a_line_whose_photo_is_gone_stands_by_itself(here: Street, house: House, told: str) -> None:
    await here.post("fault", chat=house.group, method="sendMessage", kind=told)
    await here.report(house)
    assert "reply_to_message" not in await here.line(house)
    assert len(await here.from_bot(house.group)) == 1 and here.doubled(house) == 0


@case('400:can\'t parse entities: unsupported start tag "b" at byte offset 5')
async def a_card_whose_marks_are_not_read_goes_out_plain(here: Street, house: House, told: str) -> None:
    await here.post("fault", chat=house.unit, method="sendPhoto", kind=told)
    await here.post("fault", chat=house.unit, method="editMessageCaption", kind=told)
    await here.post("fault", chat=house.group, method="sendMessage", kind=told)
    await here.report(house, "自来水井盖坏了 <b>&")
    card, line = await here.card(house), await here.line(house)
    assert "“自来水井盖坏了 <b>& " in words(card) and "caption_entities" not in card
    assert re.match(r"SD-\d{4}-\d{4} Water", words(line))
    await here.press(UNIT_MAN, house.unit, card, "Accept")
    assert "“自来水井盖坏了 <b>& " in words(await here.card(house, "In hand"))
    assert len(await here.from_bot(house.unit)) == 1 and here.doubled(house) == 0


PICTURES = (
    "400:wrong file identifier/HTTP URL specified",
    "400:wrong remote file identifier specified: wrong padding in the string",
    "400:PHOTO_INVALID_DIMENSIONS",
    "400:MEDIA_EMPTY",
    "400:IMAGE_PROCESS_FAILED",
    "400:FILE_REFERENCE_EXPIRED",
    "413:",
)


@case(*PICTURES)
async def a_picture_that_is_refused_is_fetched_and_uploaded(here: Street, house: House, told: str) -> None:
    await here.post("fault", chat=house.unit, method="sendPhoto", kind=told)
    await here.report(house)
    card = await here.card(house)
    assert card["photo"] and "could not be read" not in words(card)
    # From now on it goes by the id of what was uploaded.
    number = re.search(r"SD-\d{4}-\d{4}", words(card))
    assert number is not None
    await here.say(UNIT_MAN, house.unit, f"/i {number.group()}")
    sheet = await here.sees(house.unit, "reported it")
    assert sheet["photo"][-1]["file_unique_id"] == card["photo"][-1]["file_unique_id"]
    assert len(await _calls(here, house.unit, "sendPhoto")) == 3 and here.doubled(house) == 0


@case("400:PHOTO_INVALID_DIMENSIONS")
async def a_picture_that_is_refused_again_is_left_out_and_the_card_says_so(
    here: Street, house: House, told: str
) -> None:
    await here.post("fault", chat=house.unit, method="sendPhoto", kind=told, times=2)
    await here.report(house)
    card = await here.card(house, "A picture could not be read; the original is in the group.")
    assert "photo" not in card and {"Accept", "Done"} <= set(labels(card))
    await here.press(UNIT_MAN, house.unit, card, "Accept")
    await here.card(house, "In hand")
    assert len(await here.from_bot(house.unit)) == 1 and here.doubled(house) == 0


@case("400:wrong file identifier/HTTP URL specified")
async def a_picture_that_is_refused_in_an_edit_is_uploaded(here: Street, house: House, told: str) -> None:
    card = await _known(here, house)
    check = await _resolved(here, house, card)
    await here.post("fault", chat=house.group, method="editMessageMedia", kind=told)
    await here.press(SECRETARY, OFFICE, check, "Confirm")
    await here.sees(house.group, lambda each: "Closed" in words(each) and bool(each.get("photo")))
    assert len(await here.from_bot(house.group)) == 1


@case('400:failed to send message #2 with the error message "WRONG_FILE_IDENTIFIER"', "400:MEDIA_EMPTY")
async def an_album_with_a_bad_picture_goes_out_one_by_one(here: Street, house: House, told: str) -> None:
    await here.post("fault", chat=house.unit, method="sendMediaGroup", kind=told, times=ALWAYS)
    await here.report(house, samples=("cover", "light", "rubbish", "bikes"))

    async def all_four() -> bool:
        return sum("photo" in each for each in await here.from_bot(house.unit)) == 4

    await here.until(all_four, "all four pictures")
    await here.rest(*house.chats)
    shown = [each["photo"][-1]["file_unique_id"] for each in await here.from_bot(house.unit)]
    assert len(set(shown)) == 4 and here.doubled(house) == 0


# --- what was to be changed is not as remembered


@case("reset_after")
async def of_two_cards_the_one_whose_buttons_are_known_lives_on(here: Street, house: House, told: str) -> None:
    await here.post("fault", chat=house.unit, method="sendPhoto", kind=told)
    await here.report(house)
    await here.card(house)
    await here.rest(*house.chats)
    shown = await here.from_bot(house.unit)
    assert len(shown) == 2 and here.doubled(house) == 1
    await here.press(UNIT_MAN, house.unit, shown[-1], "Accept")
    await here.card(house, "In hand")
    assert len(await here.from_bot(house.unit)) == 2


@case("400:message to edit not found", "400:message can't be edited", "400:MESSAGE_ID_INVALID")
async def a_card_that_cannot_be_changed_is_sent_anew(here: Street, house: House, told: str) -> None:
    card = await _known(here, house)
    await here.post("fault", chat=house.unit, method="editMessageCaption", kind=told)
    await here.press(UNIT_MAN, house.unit, card, "Accept")
    fresh = await here.card(house, "In hand")
    assert fresh["message_id"] != card["message_id"] and fresh["photo"]
    await here.press(UNIT_MAN, house.unit, fresh, "Made safe")
    await here.card(house, "made safe")
    assert here.doubled(house) == 0


@case("400:message is not modified: specified new message content and reply markup are exactly the same")
async def an_edit_that_changes_nothing_is_as_good_as_done(here: Street, house: House, told: str) -> None:
    card = await _known(here, house)
    await here.post("fault", chat=house.unit, method="editMessageCaption", kind=told)
    await here.press(UNIT_MAN, house.unit, card, "Accept")
    await here.line(house, "In hand")
    await here.rest(*house.chats)
    assert len(await _calls(here, house.unit, "editMessageCaption")) == 1
    await here.press(UNIT_MAN, house.unit, card, "Made safe")
    await here.card(house, "made safe")
    assert len(await here.from_bot(house.unit)) == 1


@case("reset_after")
async def a_line_that_got_its_picture_unheard_is_known_by_its_form(here: Street, house: House, told: str) -> None:
    """The edit that brought the picture was carried out, its answer lost, and reopening takes the picture back."""
    card = await _known(here, house)
    check = await _resolved(here, house, card)
    await here.post("fault", chat=house.group, method="editMessageMedia", kind=told)
    await here.press(SECRETARY, OFFICE, check, "Confirm")
    await here.sees(house.group, lambda each: "Closed" in words(each) and bool(each.get("photo")))
    await here.rest(*house.chats)
    form = here.rows(f"select form from post where chat_id = {house.group} and kind = 'line'")
    assert form == [("photo",)]


@case("400:message can't be deleted for everyone")
async def a_sheet_that_cannot_be_deleted_shrinks(here: Street, house: House, told: str) -> None:
    card = await _known(here, house)
    number = re.search(r"SD-\d{4}-\d{4}", words(card))
    assert number is not None
    await here.say(UNIT_MAN, house.unit, f"/i {number.group()}")
    first = await here.sees(house.unit, "reported it")
    await here.rest(*house.chats)
    await here.post("fault", chat=house.unit, method="deleteMessage", kind=told)
    await here.say(UNIT_MAN, house.unit, f"/i {number.group()}")

    async def shrunk() -> bool:
        old = next(each for each in await here.from_bot(house.unit) if each["message_id"] == first["message_id"])
        return "reported it" not in words(old) and not labels(old)

    await here.until(shrunk, "a small message")


# --- decoration, presses, private chats, files


@case("400:REACTION_INVALID", "400:message to react not found", "400:reactions are not allowed in the chat")
async def a_group_without_reactions_has_its_line(here: Street, house: House, told: str) -> None:
    await here.post("fault", chat=house.group, method="setMessageReaction", kind=told, times=ALWAYS)
    await here.report(house)
    await here.line(house)
    await here.card(house)
    await here.rest(*house.chats)
    assert len(await _calls(here, house.group, "setMessageReaction")) == 1


@case("400:query is too old and response timeout expired or query ID is invalid")
async def a_press_whose_answer_comes_too_late_is_done_all_the_same(here: Street, house: House, told: str) -> None:
    card = await _known(here, house)
    await here.post("fault", chat=house.unit, method="answerCallbackQuery", kind=told, times=ALWAYS)
    await here.press(UNIT_MAN, house.unit, card, "Accept", wait=0)
    await here.card(house, "In hand")
    await here.line(house, "In hand")
    assert await here.faults(house.unit) == ALWAYS - 1


@case(
    "403:bot was blocked by the user",
    "403:user is deactivated",
    "403:bot can't initiate conversation with a user",
    "400:chat not found",
)
async def a_person_who_cannot_be_reached_is_no_trouble_to_others(here: Street, house: House, told: str) -> None:
    await here.say(house.person, house.person, "/start")
    await here.sees(house.person, "alliance-relay")
    await here.post("fault", chat=house.person, kind=told)
    await here.say(house.person, house.person, "/my")
    await here.until(lambda: _broken(here, house.person), "a message that is given up")
    for status in ("kicked", "member"):
        await here.post("membership", **{"as": house.person, "chat": house.person, "status": status})
    # Whoever lets the bot in again reads what they had asked for.
    await here.sees(house.person, lambda each: "alliance-relay" not in words(each))
    assert len(await here.from_bot(house.person)) == 2 and here.doubled(house) == 0


@case("400:file is too big", "400:wrong file_id or the file is temporarily unavailable")
async def a_file_that_is_not_given_out_is_missing_on_the_card_and_it_says_so(
    here: Street, house: House, told: str
) -> None:
    await here.post("fault", chat=house.group, method="getFile", kind=told, times=ALWAYS)
    await here.report(house, as_file=True)
    card = await here.card(house, "A picture could not be read; the original is in the group.")
    assert "photo" not in card
    assert len(await here.from_bot(house.unit)) == 1 and here.doubled(house) == 0


@case("400:wrong file_id or the file is temporarily unavailable")
async def a_file_that_is_given_out_a_little_later_is_on_the_card(here: Street, house: House, told: str) -> None:
    await here.post("fault", chat=house.group, method="getFile", kind=told, times=2)
    await here.report(house, as_file=True)
    card = await here.card(house)
    assert card["photo"] and "could not be read" not in words(card)


# --- helpers


async def _office(here: Street, wanted: str) -> dict[str, Any]:
    return await here.sees(OFFICE, wanted)


async def _said(here: Street, wanted: str) -> int:
    return sum(wanted in words(each) for each in await here.from_bot(OFFICE))


async def _cards(here: Street, chat: int, count: int) -> bool:
    shown = [re.search(r"SD-\d{4}-\d{4}", words(each)) for each in await here.from_bot(chat)]
    numbers = [found.group() for found in shown if found]
    assert len(numbers) == len(set(numbers)), numbers
    return len(numbers) == count


async def _waits(here: Street, chat: int, count: int) -> bool:
    """Whether so many cards wait for the chat with a moment at which they are tried again."""
    query = (
        f"select count(*) from post where chat_id = {chat} and kind = 'card' and attempts > 0 and due_at is not null"
    )
    return bool(here.rows(query) == [(count,)])


async def _broken(here: Street, chat: int) -> bool:
    return bool(here.rows(f"select 1 from post where chat_id = {chat} and state = 'broken'"))


async def _calls(here: Street, chat: int, method: str) -> list[dict[str, Any]]:
    return [each for each in await here.calls() if each["chat_id"] == chat and each["method"] == method]


async def _known(here: Street, house: House) -> dict[str, Any]:
    """A report that has reached everybody; its card."""
    await here.report(house)
    await here.line(house)
    card = await here.card(house)
    await here.rest(*house.chats)
    return card


async def _resolved(here: Street, house: House, card: dict[str, Any]) -> dict[str, Any]:
    """The unit says that it is done; the office's card."""
    await here.press(UNIT_MAN, house.unit, card, "Done")
    check = await here.sees(OFFICE, lambda each: house.unit_name in words(each) and "Confirm" in labels(each))
    await here.rest(*house.chats)
    return check


# --- the play


AT_ONCE = 24


async def _play(home: Path) -> dict[str, Verdict]:
    own = dict(zip(CASES, houses([f"{n:03}" for n in range(len(CASES))]), strict=True))
    places = asyncio.Semaphore(AT_ONCE)
    topics = {"is_forum": True, "topics": [{"id": 101, "name": "repairs"}]}
    forums = {str(house.unit): topics for name, house in own.items() if "topic" in name}
    with listening() as ear:
        async with street(home, list(own.values()), chats=forums) as here:

            async def live(name: str) -> Verdict:
                async with places:
                    house = own[name]
                    try:
                        await CASES[name](here, house)
                        assert not await _strange(here, house.group)
                    except Exception as error:
                        shown = {each: [words(every) for every in await here.from_bot(each)] for each in house.chats}
                        return Verdict(f"{type(error).__name__}: {error}\nshown: {shown}")
                    return Verdict()

            verdicts = dict(zip(own, await asyncio.gather(*map(live, own)), strict=True))
    verdicts[""] = Verdict("\n".join(ear.heard))
    return verdicts


async def _strange(here: Street, group: int) -> list[str]:
    """What the shops read that is no line of theirs."""
    said = [words(each) for each in await here.from_bot(group)]
    return [each for each in said if not re.match(r"SD-\d{4}-\d{4} ", each)]


def _verdicts(factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    kind = "postgres" if databases.chosen().url else "sqlite"
    return played_once(factory, f"faults-refusals-{kind}", _play)


@pytest.mark.parametrize("database", databases.KINDS if ALL else databases.KINDS[:1], indirect=True)
@pytest.mark.parametrize("name", CASES)
def test_a_refusal(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    verdict = _verdicts(tmp_path_factory)[name]
    assert not verdict.wrong, verdict.wrong


def test_a_refusal_is_no_error_in_the_log(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert not _verdicts(tmp_path_factory)[""].wrong
