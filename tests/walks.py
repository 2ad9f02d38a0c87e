"""A town with a clock on the wall, and the first steps with which many stories begin."""

import asyncio
import contextlib
import html
import re
from collections.abc import AsyncIterator, Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import aiohttp

from bot.app import App
from bot.sandbox.server import Sandbox
from bot.workdays import ChinaWorkdays
from tests.schema import hold
from tests.town import GUANDI, PATIENCE, WATER, WATER_MAN, ZHANG, Town, alliance, english, labels, relay, words

ZONE = ZoneInfo("Asia/Shanghai")
WORKDAYS = ChinaWorkdays()
COVER = "自来水井盖被货车压裂"
"""A water cover: dangerous, the water company's; accept 30 m, safe 60 m, repair 6 h."""


class Walk(Town):
    """A town whose relay can be stopped and started again, in which one knows what time it is."""

    def __init__(
        self, base: str, http: aiohttp.ClientSession, home: Path, sandbox: Sandbox, settings: dict[str, str]
    ) -> None:
        super().__init__(base, http, home, sandbox)
        self.app: App | None = None
        self._settings = settings

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The relay runs, on whatever it has kept since the last time."""
        async with relay(self.home, self.base, **self._settings) as app:
            self.app = app
            try:
                yield
            finally:
                self.app = None

    async def wind(self, seconds: float) -> None:
        """Wind the clock forward and wait until the relay, where one runs, has heard of it."""
        offset = (await self.post("clock", advance=seconds))["offset"]
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE
        while self.app is not None and abs(self.app.clock.ahead.total_seconds() - offset) > 0.001:
            assert loop.time() < end, "the relay never heard of the wound clock"
            await asyncio.sleep(0.01)

    async def minutes(self, amount: float) -> None:
        await self.wind(amount * 60)

    async def hours(self, amount: float) -> None:
        await self.wind(amount * 3600)

    async def local(self) -> datetime:
        """What the clock on the wall shows."""
        return datetime.fromtimestamp(float((await self.state())["now"]), ZONE)

    async def workday(self, clock: str) -> datetime:
        """Wind to that time (`09:00`) of the next day that is worked."""
        now = await self.local()
        then = datetime.combine(now.date(), time.fromisoformat(clock), ZONE)
        while then <= now or not WORKDAYS.is_workday(then.date()):
            then += timedelta(days=1)
        await self.wind((then - now).total_seconds())
        return then

    async def report(
        self, text: str = COVER, person: int = ZHANG, chat: int = GUANDI, at: int = WATER, **fields: Any
    ) -> dict[str, Any]:
        """Somebody reports; the card as it reached the unit."""
        photo = (await self.photo(person, chat, text, **fields))[0]
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE
        while loop.time() < end:
            found = [each for each in await self.from_bot(at) if text in words(each)]
            if found:
                return {**found[-1], "reported": photo}
            await asyncio.sleep(0.03)
        raise AssertionError(f"no card about {text!r} came to {at}")

    async def mended(self, card: dict[str, Any], person: int = WATER_MAN, chat: int = WATER, text: str = "") -> None:
        """The unit answers its card with a photo of the work."""
        await self.photo(person, chat, text, samples=("fixed",), reply_to=card["message_id"])

    async def forge(self, person: int, chat: int, message: dict[str, Any], data: str) -> str:
        """A press with made-up data on a message; returns the answer's text."""
        wish = {"as": person, "chat": chat, "message_id": message["message_id"], "data": data, "forged": True}
        pressed = await self.post("press", **wish)
        return str((pressed.get("answer") or {}).get("text") or "")

    async def standing(self, chat: int, *wanted: str, person: int | None = None) -> list[dict[str, Any]]:
        """The bot's messages in the chat now that say all of this."""
        return [each for each in await self.from_bot(chat, person) if says(*wanted)(each)]

    async def sent(self, chat: int, *wanted: str) -> list[dict[str, Any]]:
        """The requests with which the bot has sent a new message to the chat that says all of this."""
        found = []
        for call in await self.calls():
            request = call["request"]
            if call["method"].startswith("send") and call["status"] == 200 and request.get("chat_id") == chat:
                text = html.unescape(re.sub("<[^>]+>", "", request.get("text") or request.get("caption") or ""))
                if all(each in text for each in wanted):
                    found.append(request)
        return found

    async def sheet(self, person: int, chat: int, number: str = "1") -> dict[str, Any]:
        """The card that /i opens, as it stands when the bot has come to rest."""
        asked = (await self.say(person, chat, f"/i {number}"))["message_id"]
        await self.sees(chat, lambda each: each["message_id"] > asked and "reported it" in words(each))
        await self.settled()
        return (await self.standing(chat, "reported it"))[-1]

    async def history(self, person: int, chat: int, number: str = "1") -> str:
        """What /i tells of an incident."""
        return words(await self.sheet(person, chat, number))


def says(*wanted: str, button: str = "", without: str = "\0") -> Callable[[dict[str, Any]], bool]:
    """Whether a message says all of this, has this button, and does not say that."""

    def fits(message: dict[str, Any]) -> bool:
        text = words(message)
        return (
            all(each in text for each in wanted) and (not button or button in labels(message)) and without not in text
        )

    return fits


def data_of(message: dict[str, Any], label: str) -> str:
    """What the button sends."""
    rows = (message.get("reply_markup") or {}).get("inline_keyboard", [])
    return next(str(each["callback_data"]) for row in rows for each in row if str(each["text"]).startswith(label))


@contextlib.asynccontextmanager
async def walk(
    home: Path,
    change: Callable[[str], str] = lambda text: text,
    running: bool = True,
    phones: dict[int, str] | None = None,
    **settings: str,
) -> AsyncIterator[Walk]:
    """The sandbox, in which every phone but `phones` speaks English, and the relay, which does by default."""

    def speak(seed: dict[str, Any]) -> None:
        for person in seed["people"]:
            person["language_code"] = (phones or {}).get(person["id"], "en")

    alliance(home, change)
    sandbox = Sandbox(english(home, speak), limits=False)
    base = await sandbox.start()
    # Nobody waits for Telegram's limits here (one message a second in a group): they have stories of their own.
    try:
        with patch.multiple("bot.domain.pace", GROUP=((1000, 1.0),), PRIVATE=((1000, 1.0),)):
            async with aiohttp.ClientSession() as http:
                here = Walk(base, http, home, sandbox, {"LANGUAGE": "en", **settings})
                async with here.running() if running else contextlib.nullcontext():
                    yield here
                hold(await here.calls())
    finally:
        await sandbox.stop()
