"""Every failure that Telegram or the way to it may give, at every method the relay calls: nothing is lost, what is
shown in the end is right, what may stand there twice is counted, and nobody in a shop hears of it.

A table of failures times a table of errands; each cell is a case with a house of its own (`tests/street.py`).
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.channels.wire import UNSAID
from tests.street import (
    CALL,
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

pytestmark = [pytest.mark.timeout(400), pytest.mark.once]

SHOP_READS = re.compile(
    r"SD-\d{4}-\d{4} .+|Got it\. What is it\?.*|Not a report, then\..*|Your reports.*|You have no reports.*", re.DOTALL
)
"""All that the group and the person ever read in these errands."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong. `known`: the relay can tell that it was not carried out. `delivered`: it was.
    `patience`: seconds for which the chat must be left alone."""

    name: str
    kind: str
    known: bool = False
    delivered: bool = False
    times: int = 2
    patience: float = 0
    more: tuple[tuple[str, Any], ...] = ()

    @property
    def wish(self) -> dict[str, Any]:
        return {"kind": self.kind, "times": self.times, "delivered": self.delivered, **dict(self.more)}


FAULTS = (
    Fault("429", "429", known=True, times=1, patience=2, more=(("retry_after", 2),)),
    Fault("429 said in words alone", "429text", known=True, times=1, patience=2, more=(("retry_after", 2),)),
    Fault("429 and nothing else", "429bare", known=True, times=1, patience=UNSAID),
    Fault("500", "500"),
    Fault("500 without a word", "500bare"),
    Fault("502 page", "502page"),
    Fault("502 page although delivered", "502page", delivered=True),
    Fault("404", "404:", known=True),
    Fault("401", "401:", known=True),
    Fault("redirect", "redirect", known=True),
    Fault("200 and a page", "html"),
    Fault("200 and nothing", "empty", delivered=True),
    Fault("200 cut short", "truncated", delivered=True),
    Fault("200 of another shape", "shape", delivered=True),
    Fault("200 without a result", "null", delivered=True),
    Fault("200 in broken gzip", "gzip", delivered=True),
    Fault("200 that is no text", "binary", delivered=True),
    Fault("too slow an answer", "slow", delivered=True, times=1, more=(("seconds", CALL * 3),)),
    Fault("no answer", "timeout", times=1, more=(("seconds", CALL * 5),)),
    Fault("no answer although delivered", "timeout", delivered=True, times=1, more=(("seconds", CALL * 5),)),
    Fault("reset before", "reset_before"),
    Fault("reset after", "reset_after", delivered=True),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
ALL = os.environ.get("FAULTS") == "all"
"""`FAULTS=all`: every failure at every method. Else what the wire makes the same of is left out where nothing is sent
for the first time; the sends meet every one of them always."""
ALIKE = {"429 said in words alone", "500 without a word", "502 page although delivered", "200 in broken gzip"}
ALIKE |= {"200 and nothing", "200 and a page", "200 that is no text", "no answer although delivered", "401"}
BRIEFLY = tuple(name for name in BY_NAME if ALL or name not in ALIKE)

Strike = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Errand:
    """Something the relay does. `method` in the house's `chat` is what the failure hits. `first`: it sends a message
    that was not there before. `stands`: how many messages of the bot's the group, the unit and the person see in the
    end when nothing has doubled."""

    run: Callable[[Street, House, Strike], Awaitable[None]]
    method: str
    chat: str
    stands: tuple[int, int, int]
    first: bool = False
    faults: tuple[str, ...] = BRIEFLY


async def _card(here: Street, house: House, strike: Strike) -> None:
    await strike()
    await here.report(house)
    await here.line(house)
    assert (await here.card(house, COVER_OF(house)))["photo"]


def COVER_OF(house: House) -> str:
    return f"自来水井盖坏了 {house.name}"


async def _line(here: Street, house: House, strike: Strike) -> None:
    await _card(here, house, strike)


async def _reaction(here: Street, house: House, strike: Strike) -> None:
    await strike()
    photo = await here.report(house)

    async def seen() -> bool:
        return any(
            each["message_id"] == photo["message_id"] and each.get("reactions") == ["👀"]
            for each in await here.messages(house.group)
        )

    await here.until(seen, "👀")
    await here.card(house)
    await here.line(house)


async def _known(here: Street, house: House) -> dict[str, Any]:
    """A report that has reached everybody; its card."""
    await here.report(house)
    await here.line(house)
    card = await here.card(house)
    await here.rest(*house.chats)
    return card


async def _accept(here: Street, house: House, strike: Strike) -> None:
    card = await _known(here, house)
    await strike()
    await here.press(UNIT_MAN, house.unit, card, "Accept")
    await here.card(house, "In hand")
    await here.line(house, "In hand")


async def _answered(here: Street, house: House, strike: Strike) -> None:
    card = await _known(here, house)
    await strike()
    await here.press(UNIT_MAN, house.unit, card, "Accept", wait=0)
    await here.card(house, "In hand")
    await here.line(house, "In hand")
    await here.until(lambda: _none_left(here, house), "the answer")


async def _none_left(here: Street, house: House) -> bool:
    return not await here.faults(house.unit)


async def _closed(here: Street, house: House, strike: Strike) -> None:
    card = await _known(here, house)
    await here.press(UNIT_MAN, house.unit, card, "Done")
    check = await here.sees(OFFICE, lambda each: COVER_OF(house) in words(each) and "Confirm" in labels(each))
    await here.rest(*house.chats)
    await strike()
    await here.press(SECRETARY, OFFICE, check, "Confirm")
    assert (await here.sees(house.group, lambda each: "Closed" in words(each) and bool(each.get("photo"))))["photo"]
    await here.card(house, "Closed")


async def _album(here: Street, house: House, strike: Strike) -> None:
    await strike()
    await here.report(house, samples=("cover", "light", "rubbish"))

    async def pictures() -> bool:
        return sum(1 for each in await here.from_bot(house.unit) if each.get("media_group_id")) >= 2

    await here.until(pictures, "the album")
    await here.line(house)


async def _sheet(here: Street, house: House, strike: Strike) -> None:
    card = await _known(here, house)
    number = re.search(r"SD-\d{4}-\d{4}", words(card))
    assert number is not None
    await here.say(UNIT_MAN, house.unit, f"/i {number.group()}")
    first = (await here.sees(house.unit, "reported it"))["message_id"]
    await here.rest(*house.chats)
    await strike()
    await here.say(UNIT_MAN, house.unit, f"/i {number.group()}")

    async def replaced() -> bool:
        sheets = [each["message_id"] for each in await here.from_bot(house.unit) if "reported it" in words(each)]
        return len(sheets) == 1 and sheets != [first]

    await here.until(replaced, "the second sheet alone")


async def _asked(here: Street, house: House, strike: Strike) -> None:
    await strike()
    await here.report(house, text="")
    prompt = await here.sees(house.group, "What is it?")
    assert prompt["ephemeral_message_id"] and prompt["receiver_user"]["id"] == house.person


async def _prompt(here: Street, house: House) -> dict[str, Any]:
    photo = await here.photo(house.person, house.group)
    assert photo
    prompt = await here.sees(house.group, "What is it?")
    await here.rest(*house.chats)
    return prompt


async def _took_back(here: Street, house: House, strike: Strike) -> None:
    prompt = await _prompt(here, house)
    await strike()
    await here.press(house.person, house.group, prompt, button(prompt, "Not a report"))
    await here.sees(house.group, "Nothing is kept")


async def _forgotten(here: Street, house: House, strike: Strike) -> None:
    prompt = await _prompt(here, house)
    await here.press(house.person, house.group, prompt, button(prompt, "Not a report"))
    await here.sees(house.group, "Nothing is kept")
    await here.rest(*house.chats)
    await strike()
    await here.together(70)
    await here.gone(house.group, "Nothing is kept")


async def _menu(here: Street, house: House, strike: Strike) -> None:
    await strike()
    await here.say(SECRETARY, house.unit, "/language zh")

    async def offered() -> bool:
        async with here.http.get(f"{here.base}/sandbox/commands") as answer:
            lists = (await answer.json())["lists"]
        wanted = {"type": "chat", "chat_id": house.unit}
        return any(each["scope"] == wanted and "查找" in str(each["commands"]) for each in lists)

    await here.until(offered, "the menu")


async def _private(here: Street, house: House, strike: Strike) -> None:
    await here.say(house.person, house.person, "/start")
    await here.sees(house.person, "alliance-relay")
    await here.rest(*house.chats)
    await strike()
    await here.say(house.person, house.person, "/my")
    await here.sees(house.person, "report")

    async def listed() -> bool:
        return len(await here.from_bot(house.person)) >= 2

    await here.until(listed, "the list")


async def _file(here: Street, house: House, strike: Strike) -> None:
    await strike()
    await here.report(house, as_file=True)
    await here.line(house)
    card = await here.card(house)
    assert card.get("photo") and "could not be read" not in words(card), words(card)


ON_FILES = ("429", "500", "502 page", "404", "redirect", "200 cut short", "200 and nothing", "200 and a page")
ON_FILES += ("200 of another shape", "too slow an answer", "no answer", "reset before")
ERRANDS = {
    "sendPhoto": Errand(_card, "sendPhoto", "unit", (1, 1, 0), first=True, faults=tuple(BY_NAME)),
    "sendMessage": Errand(_line, "sendMessage", "group", (1, 1, 0), first=True, faults=tuple(BY_NAME)),
    "sendMediaGroup": Errand(_album, "sendMediaGroup", "unit", (1, 2, 0), first=True, faults=tuple(BY_NAME)),
    "sendMessage, ephemeral": Errand(_asked, "sendMessage", "group", (1, 0, 0), first=True, faults=tuple(BY_NAME)),
    "sendMessage, private": Errand(_private, "sendMessage", "person", (0, 0, 2), first=True, faults=tuple(BY_NAME)),
    "setMessageReaction": Errand(_reaction, "setMessageReaction", "group", (1, 1, 0)),
    "editMessageCaption": Errand(_accept, "editMessageCaption", "unit", (1, 1, 0)),
    "editMessageText": Errand(_accept, "editMessageText", "group", (1, 1, 0)),
    "editMessageMedia": Errand(_closed, "editMessageMedia", "group", (1, 1, 0)),
    "editEphemeralMessageText": Errand(_took_back, "editEphemeralMessageText", "group", (1, 0, 0)),
    "deleteMessage": Errand(_sheet, "deleteMessage", "unit", (1, 2, 0)),
    "deleteEphemeralMessage": Errand(_forgotten, "deleteEphemeralMessage", "group", (0, 0, 0)),
    "answerCallbackQuery": Errand(_answered, "answerCallbackQuery", "unit", (1, 1, 0)),
    "setMyCommands": Errand(_menu, "setMyCommands", "unit", (0, 1, 0)),
    "getFile": Errand(_file, "getFile", "group", (1, 1, 0), faults=ON_FILES),
    "file": Errand(_file, "file", "group", (1, 1, 0), faults=ON_FILES),
}
PLAYS = {
    "sending": ("sendPhoto", "sendMessage", "sendMediaGroup", "sendMessage, ephemeral", "sendMessage, private"),
    "editing": ("editMessageCaption", "editMessageText", "editMessageMedia", "editEphemeralMessageText"),
    "others": ("setMessageReaction", "deleteMessage", "answerCallbackQuery", "setMyCommands", "getFile", "file"),
    "forgetting": ("deleteEphemeralMessage",),
}
"""Errands that are run in one street; the last one's cases wind the clock, together."""
AT_ONCE = 32
CELLS = [(play, errand, fault) for play, own in PLAYS.items() for errand in own for fault in ERRANDS[errand].faults]


async def _play(play: str, home: Path) -> dict[str, Verdict]:
    """All cells of a play in one street; the verdict "" is on the log."""
    cells = [(errand, fault) for each, errand, fault in CELLS if each == play]
    own = dict(zip(cells, houses([f"{n:03}" for n in range(len(cells))]), strict=True))
    places = asyncio.Semaphore(AT_ONCE)
    with listening() as ear:
        async with street(home, list(own.values())) as here:
            here.expect(len(own))

            async def live(errand: str, fault: str) -> str:
                async with places:
                    return await _lived(here, ERRANDS[errand], BY_NAME[fault], own[errand, fault])

            wrong = await asyncio.gather(*(live(*cell) for cell in cells))
            calls = await here.calls()
            office = [words(each) for each in await here.from_bot(OFFICE)]
            verdicts = {
                f"{errand}|{fault}": Verdict(found) for (errand, fault), found in zip(cells, wrong, strict=True)
            }
            for errand, fault in cells:
                verdict = verdicts[f"{errand}|{fault}"]
                try:
                    if not verdict.wrong:
                        house = own[errand, fault]
                        verdict.told = await _judged(here, ERRANDS[errand], BY_NAME[fault], house, calls, office)
                except AssertionError as error:
                    verdict.wrong = str(error)
    verdicts[""] = Verdict("\n".join(ear.heard))
    return verdicts


async def _lived(here: Street, errand: Errand, fault: Fault, house: House) -> str:
    """What went wrong while the case was lived through; empty when nothing did."""
    chat = getattr(house, errand.chat)

    async def strike() -> None:
        await here.post("fault", method=errand.method, chat=chat, **fault.wish)

    try:
        await errand.run(here, house, strike)
        await here.rest(*house.chats)
    except Exception as error:
        shown = {each: [words(every) for every in await here.from_bot(each)] for each in house.chats}
        return f"{type(error).__name__}: {error}\nshown: {shown}"
    finally:
        here.leave()
    return ""


async def _judged(
    here: Street, errand: Errand, fault: Fault, house: House, calls: list[dict[str, Any]], office: list[str]
) -> dict[str, Any]:
    """Hold the house's chats, rows and calls against what must be; raises AssertionError. Returns the figures."""
    chat = getattr(house, errand.chat)
    assert not await here.faults(chat), "the failure was never met"
    ids = ",".join(str(each) for each in house.chats)
    counted = here.rows(f"select coalesce(sum(doubled), 0) from post where chat_id in ({ids})")[0][0]
    doubles = 0
    for each, wanted in zip(house.chats, errand.stands, strict=True):
        shown = await here.from_bot(each)
        doubles += len(_calls_behind(shown)) - wanted
        strange = [
            words(message) for message in shown if each == house.group and not SHOP_READS.fullmatch(words(message))
        ]
        assert not strange, f"the shop reads {strange}"
    unsure = fault.times if errand.first and not fault.known else 0
    assert counted == unsure, f"{counted} counted as perhaps doubled, {unsure} were"
    assert doubles == (unsure if fault.delivered else 0), f"{doubles} stand there twice"
    broken = here.rows(f"select kind, state, error from post where chat_id in ({ids}) and state = 'broken'")
    assert not broken, broken
    trouble = [each for each in office if house.name in each and ("not be delivered" in each or "The bot" in each)]
    assert not trouble, trouble
    files = {each["document"]["file_id"] for each in await here.messages(house.group) if "document" in each}
    own = [call for call in calls if chat == _chat_of(call) or call["request"].get("file_id") in files]
    if errand.method == "getFile":
        # Asked of no chat: while it is waited for, the chat is served.
        own = [call for call in own if call["method"] == "getFile"]
    for at in [call["at"] for call in own if call["status"] == 429]:
        early = [call["method"] for call in own if at < call["at"] < at + fault.patience]
        assert not early, f"{early} although patience was asked for"
    hits = [call["at"] for call in own if call["method"] == errand.method]
    resumed = round(hits[fault.times] - hits[fault.times - 1], 2) if len(hits) > fault.times else None
    return {"doubles": doubles, "counted": counted, "resumed": resumed}


def _calls_behind(shown: list[dict[str, Any]]) -> set[Any]:
    """Messages, an album as one."""
    return {each.get("media_group_id") or (each.get("ephemeral_message_id"), each["message_id"]) for each in shown}


def _chat_of(call: dict[str, Any]) -> Any:
    return call["chat_id"] or (call["request"].get("scope") or {}).get("chat_id")


def _verdicts(factory: pytest.TempPathFactory, play: str) -> dict[str, Verdict]:
    return played_once(factory, f"faults-{play}", lambda home: _play(play, home))


@pytest.mark.parametrize(("play", "errand", "fault"), CELLS, ids=[f"{each[1]}-{each[2]}" for each in CELLS])
def test_nothing_is_lost_and_what_doubled_is_counted(
    play: str, errand: str, fault: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    verdict = _verdicts(tmp_path_factory, play)[f"{errand}|{fault}"]
    assert not verdict.wrong, verdict.wrong


@pytest.mark.parametrize("play", PLAYS)
def test_a_failure_that_is_expected_is_no_error_in_the_log(play: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    verdict = _verdicts(tmp_path_factory, play)[""]
    assert not verdict.wrong, verdict.wrong
