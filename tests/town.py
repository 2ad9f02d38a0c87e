"""A town to test in: the real emulator, the real relay, people who write and press over HTTP."""

import asyncio
import contextlib
import json
import os
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp
import asyncpg

from bot.app import App
from bot.domain import pace
from bot.sandbox.server import Sandbox
from bot.sandbox.world import WORLD_FILE
from bot.settings import load
from tests import databases
from tests.schema import hold

EXAMPLE = Path(__file__).parent.parent / "bot" / "example" / "alliance.toml"

GUANDI, NANSHI, HEBIN = -1001000000101, -1001000000102, -1001000000103
WATER, POWER, URBAN, TELECOM, PROPERTY = (-1001000000200 - n for n in range(1, 6))
OFFICE, STREET = -1001000000001, -1001000000002
ZHANG, LI, MARIA, WANG, ZHAO = 500000101, 500000102, 500000103, 500000104, 500000105
LIN, CHEN, ZHOU = 500000001, 500000002, 500000003
WATER_MAN, POWER_MAN, URBAN_MAN, TELECOM_MAN, PROPERTY_MAN = (500000200 + n for n in range(1, 6))
OPERATOR = 500000900
BOT = 700000001

SLOWNESS = float(os.environ.get("TOWN_SLOWNESS", "1"))
"""How many times slower than two quiet cores the machine is: what a test holds against the clock grows with it."""
PATIENCE = 60 * SLOWNESS
"""Seconds that something may take to come about; a test that passes never waits as long."""
GATHER = 20
"""Seconds, in a `patient` alliance."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Town:
    """The sandbox as people see it."""

    def __init__(self, base: str, http: aiohttp.ClientSession, home: Path, sandbox: Sandbox) -> None:
        self.base, self.http, self.home, self.sandbox = base, http, home, sandbox
        self._seen = 1

    async def post(self, door: str, **fields: Any) -> dict[str, Any]:
        async with self.http.post(f"{self.base}/sandbox/{door}", json=fields) as answer:
            told = await answer.json()
            assert answer.status == 200, told
            return dict(told)

    async def say(self, person: int, chat: int, text: str, **fields: Any) -> dict[str, Any]:
        sent = await self.post("send", **{"as": person, "chat": chat, "text": text, **fields})
        return dict(sent["messages"][0])

    async def photo(
        self, person: int, chat: int, text: str = "", samples: tuple[str, ...] = ("cover",), **fields: Any
    ) -> list[dict[str, Any]]:
        """One message for each picture; several are an album unless media_group=False."""
        sent = await self.post("send", **{"as": person, "chat": chat, "text": text, "samples": list(samples), **fields})
        return list(sent["messages"])

    async def edit(self, person: int, chat: int, message_id: int, **fields: Any) -> None:
        await self.post("edit", **{"as": person, "chat": chat, "message_id": message_id, **fields})

    async def press(self, person: int, chat: int, message: dict[str, Any], button: str, **fields: Any) -> str:
        """Press the button with this label (or its beginning); returns the answer's text."""
        key = "ephemeral_message_id" if message.get("ephemeral_message_id") else "message_id"
        label = next((each for each in labels(message) if each == button or each.startswith(button)), button)
        pressed = await self.post("press", **{"as": person, "chat": chat, key: message[key], "button": label, **fields})
        return str((pressed.get("answer") or {}).get("text") or "")

    async def wind(self, seconds: float) -> None:
        await self.post("clock", advance=seconds)

    async def state(self, person: int | None = None) -> dict[str, Any]:
        asked = {"as": str(person)} if person else {}
        async with self.http.get(f"{self.base}/sandbox/state", params=asked) as answer:
            return dict(await answer.json())

    async def messages(self, chat: int, person: int | None = None) -> list[dict[str, Any]]:
        """What stands in the chat now, oldest first."""
        found = (await self.state(person))["messages"].get(str(chat), [])
        return [message for message in found if not message.get("deleted")]

    async def from_bot(self, chat: int, person: int | None = None) -> list[dict[str, Any]]:
        return [each for each in await self.messages(chat, person) if each.get("from", {}).get("id") == BOT]

    async def sees(
        self,
        chat: int,
        wanted: str | Callable[[dict[str, Any]], bool],
        person: int | None = None,
        within: float = PATIENCE,
    ) -> dict[str, Any]:
        """Wait until the bot shows a message that fits; the newest of them."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within
        shown: list[dict[str, Any]] = []
        while loop.time() < end:
            shown = await self.from_bot(chat, person)
            for message in reversed(shown):
                if wanted(message) if callable(wanted) else wanted in words(message):
                    return message
            await asyncio.sleep(0.03)
        raise AssertionError(f"{wanted!r} never came to {chat}; there is: {[words(each) for each in shown]}")

    async def gone(self, chat: int, wanted: str, within: float = PATIENCE) -> None:
        """Wait until no message of the bot's in the chat says this."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within
        while loop.time() < end:
            if not any(wanted in words(each) for each in await self.from_bot(chat)):
                return
            await asyncio.sleep(0.03)
        raise AssertionError(f"{wanted!r} is still in {chat}")

    async def reaction(self, chat: int, message_id: int, wanted: list[str], within: float = PATIENCE) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + within
        seen: Any = None
        while loop.time() < end:
            seen = next(
                (each.get("reactions") or [] for each in await self.messages(chat) if each["message_id"] == message_id),
                None,
            )
            if seen == wanted:
                return
            await asyncio.sleep(0.03)
        raise AssertionError(f"the reaction is {seen}, not {wanted}")

    async def calls(self) -> list[dict[str, Any]]:
        async with self.http.get(f"{self.base}/sandbox/calls", params={"since": "0"}) as answer:
            return list((await answer.json())["calls"])

    async def download(self, file_id: str) -> bytes:
        """A file as the Bot API gives it out."""
        token = "700000001:a-token-of-the-town-0123456789"
        async with self.http.get(f"{self.base}/bot{token}/getFile", params={"file_id": file_id}) as answer:
            path = (await answer.json())["result"]["file_path"]
        async with self.http.get(f"{self.base}/file/bot{token}/{path}") as answer:
            assert answer.status == 200
            return await answer.read()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the relay's database holds; a statement that changes something is committed."""
        return databases.chosen().run(self.home, query)

    async def called(self, times: int, within: float = PATIENCE) -> None:
        """Wait until the bot has sent or changed something so many times more."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within

        async def count() -> int:
            return len(
                [each for each in await self.calls() if each["method"].startswith(("send", "edit", "setMessage"))]
            )

        before = await count()
        while await count() < before + times:
            assert loop.time() < end, "the bot did nothing"
            await asyncio.sleep(0.01)

    async def settled(self, quiet: float = 0.1, within: float = PATIENCE) -> None:
        """Wait until every update is acknowledged, nothing is due, and the bot has made no call for a while."""
        loop = asyncio.get_running_loop()
        end = since = loop.time()
        end += within
        while loop.time() < end:
            if await self._at_work():
                since = loop.time()
            elif loop.time() - since >= quiet:
                return
            await asyncio.sleep(0.03)
        raise AssertionError("the bot never came to rest")

    async def _at_work(self) -> bool:
        """Whether the relay has something to do, or has done something since this was asked last."""
        async with self.http.get(f"{self.base}/sandbox/pending") as answer:
            pending = (await answer.json())["updates"]
        async with self.http.get(f"{self.base}/sandbox/clock") as answer:
            now = int((await answer.json())["now"] * 1000)
        async with self.http.get(f"{self.base}/sandbox/calls", params={"since": str(self._seen)}) as answer:
            told = await answer.json()
        self._seen = told["next"]
        called = any(call["method"] != "getUpdates" for call in told["calls"])
        return bool(pending) or called or self._due(now)

    def _due(self, now: int) -> bool:
        try:
            ((posts, timers),) = self.rows(
                f"select (select count(*) from post where due_at <= {now} or state = 'sending'),"
                f" (select count(*) from timer where next_at <= {now})"
            )
        except (sqlite3.Error, asyncpg.PostgresError):
            # The relay is still making its tables.
            return True
        return bool(posts or timers)


def words(message: dict[str, Any]) -> str:
    return str(message.get("text") or message.get("caption") or "")


def labels(message: dict[str, Any]) -> list[str]:
    rows = (message.get("reply_markup") or {}).get("inline_keyboard", [])
    return [str(button["text"]) for row in rows for button in row]


def alliance(home: Path, change: Callable[[str], str] = lambda text: text) -> Path:
    """The example alliance with a short gathering time, changed as the test needs it."""
    text = EXAMPLE.read_text(encoding="utf-8").replace('gather = "15s"', 'gather = "1s"')
    text = text.replace('quiet_hours = "21:30-07:00"', 'quiet_hours = ""')
    path = home / "alliance.toml"
    path.write_text(change(text), encoding="utf-8")
    return path


def config(home: Path, base: str, **more: str) -> Path:
    lines = {
        "BOT_TOKEN": "700000001:a-token-of-the-town-0123456789",
        "BOT_API_URL": base,
        "ALLIANCE_FILE": str(home / "alliance.toml"),
        "DATA_DIR": str(home / "data"),
        "ADMIN_IDS": str(OPERATOR),
        "DATABASE_URL": databases.chosen().url,
        "WEB_PORT": str(free_port()),
        "LOG_LEVEL": "WARNING",
        **more,
    }
    path = home / "config.env"
    path.write_text("".join(f"{key}={value}\n" for key, value in lines.items()), encoding="utf-8")
    return path


@contextlib.asynccontextmanager
async def relay(home: Path, base: str, **more: str) -> AsyncIterator[App]:
    """The relay itself, running against the sandbox at `base`, from the moment at which it says something."""
    told = asyncio.Event()
    app = App(load(config(home, base, **more)), lambda _text: told.set())
    running = asyncio.create_task(app.run())
    telling = asyncio.create_task(told.wait())
    await asyncio.wait({running, telling}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    telling.cancel()
    try:
        yield app
    finally:
        app.stopping.set()
        await asyncio.wait_for(running, 15)


@contextlib.asynccontextmanager
async def town(
    home: Path,
    change: Callable[[str], str] = lambda text: text,
    limits: bool = False,
    ephemeral: bool = True,
    world: Path | None = None,
    **more: str,
) -> AsyncIterator[Town]:
    """Sandbox and relay together."""
    alliance(home, change)
    sandbox = Sandbox(world, limits=limits, ephemeral=ephemeral)
    base = await sandbox.start()
    try:
        async with aiohttp.ClientSession() as http, relay(home, base, **more):
            here = Town(base, http, home, sandbox)
            yield here
            hold(await here.calls())
    finally:
        await sandbox.stop()


def english(home: Path, change: Callable[[dict[str, Any]], None] = lambda seed: None) -> Path:
    """A world in which every phone speaks English, changed as the test needs it."""
    seed = json.loads(WORLD_FILE.read_text(encoding="utf-8"))
    for person in seed["people"]:
        person["language_code"] = "en"
    change(seed)
    path = home / "world.json"
    path.write_text(json.dumps(seed), encoding="utf-8")
    return path


def patient(text: str) -> str:
    """Gathering lasts until the test winds the clock by GATHER, however busy the machine is."""
    return text.replace('gather = "1s"', f'gather = "{GATHER}s"')


@contextlib.asynccontextmanager
async def english_town(
    home: Path,
    change: Callable[[str], str] = lambda text: text,
    seed: Callable[[dict[str, Any]], None] = lambda seed: None,
    ephemeral: bool = True,
    **more: str,
) -> AsyncIterator[Town]:
    """A town that speaks English in every chat and on every phone, with a `patient` alliance.

    A chat takes ten messages a second there: what the limits do to a story is told by others.
    """
    quick = ((10, 1.0),)
    opened = town(
        home,
        lambda text: change(patient(text)),
        ephemeral=ephemeral,
        world=english(home, seed),
        LANGUAGE="en",
        **more,
    )
    with patch.multiple(pace, GROUP=quick, PRIVATE=quick):
        async with opened as there:
            yield there


def picture(message: dict[str, Any]) -> str:
    """Which picture the message shows: equal for the same one in two chats; empty for none."""
    return str(message["photo"][-1]["file_unique_id"]) if message.get("photo") else ""
