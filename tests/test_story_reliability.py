"""What was promised is kept: poison, limits, a token that never leaks.

What a kill does is in test_chaos.py, what Telegram's and the network's faults do in test_faults_*.py.
"""

import asyncio
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.sandbox.server import Sandbox
from tests import databases
from tests.schema import hold
from tests.town import (
    GUANDI,
    NANSHI,
    OPERATOR,
    URBAN,
    URBAN_MAN,
    WANG,
    WATER,
    ZHANG,
    Town,
    alliance,
    config,
    relay,
    town,
    words,
)

COVER = "自来水井盖坏了"
TOKEN = "700000001:a-token-of-the-town-0123456789"


class Process:
    """The relay as its operator runs it: a process of its own, that can be killed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with (self.home / "log.txt").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "bot", "run", "--config", str(self.home / "config.env")),
                stdout=log,
                stderr=log,
                env={**os.environ, "LOG_LEVEL": "DEBUG"},
            )

    async def running(self, times: int) -> None:
        """Wait until it has started for the so-manieth time: on a busy machine that takes seconds."""
        for _ in range(600):
            if self.log.count("is running as") >= times:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(self.log)

    async def kill(self, number: int = signal.SIGKILL) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return await asyncio.wait_for(self._process.wait(), 15)

    @property
    def log(self) -> str:
        return (self.home / "log.txt").read_text(encoding="utf-8")

    def rows(self, query: str) -> list[Any]:
        return databases.chosen().run(self.home, query)


@asynccontextmanager
async def outside(home: Path):  # type: ignore[no-untyped-def]
    """A sandbox that outlives the relay."""
    alliance(home)
    sandbox = Sandbox(limits=False)
    base = await sandbox.start()
    config(home, base, LANGUAGE="en", LOG_LEVEL="DEBUG")
    process = Process(home)
    try:
        async with aiohttp.ClientSession() as http:
            here = Town(base, http, home, sandbox)
            yield here, process
            hold(await here.calls())
    finally:
        if process._process is not None and process._process.returncode is None:
            await process.kill()
        await sandbox.stop()


async def test_a_poison_update_is_set_aside_and_those_behind_it_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.services import receiving

    honest = receiving.take_picture

    def trip(desk, binding, incoming, words_before=""):  # type: ignore[no-untyped-def]
        if "毒" in incoming.text:
            raise RuntimeError("a mistake in the program")
        return honest(desk, binding, incoming, words_before)

    monkeypatch.setattr(receiving, "take_picture", trip)
    async with town(tmp_path, LANGUAGE="en") as here:
        await here.say(OPERATOR, OPERATOR, "/start")
        await here.photo(ZHANG, GUANDI, f"毒 {COVER}")
        await here.photo(ZHANG, GUANDI, COVER)
        await here.sees(WATER, "SD-2026-0001")
        told = await here.sees(OPERATOR, "bot retry", person=OPERATOR)
        assert re.search(r"\d{9}", words(told))
        kept = here.rows("select raw, error from failed_update")
        assert len(kept) == 1 and "毒" in kept[0][0].encode().decode("unicode_escape", "ignore") + kept[0][0]
        assert "a mistake in the program" in kept[0][1]


async def test_the_limits_are_obeyed_and_a_backlog_becomes_a_list(tmp_path: Path) -> None:
    """Forty rubbish reports while the relay was off: cards go out as the limits allow, the rest as one list."""
    alliance(tmp_path)
    sandbox = Sandbox(limits=True)
    base = await sandbox.start()
    try:
        async with aiohttp.ClientSession() as http:
            here = Town(base, http, tmp_path, sandbox)
            for n in range(40):
                person, chat = ((ZHANG, GUANDI), (WANG, NANSHI))[n % 2]
                await here.photo(person, chat, f"垃圾成堆 {n}", samples=("rubbish",), media_group=False)
                await here.wind(2)
            async with relay(tmp_path, base, LANGUAGE="en"):
                listed = await here.sees(URBAN, "new incidents", within=40)
                number = re.search(r"SD-2026-\d{4}", words(listed))
                assert number is not None
                before = {each["message_id"] for each in await here.from_bot(URBAN)}
                await here.press(URBAN_MAN, URBAN, listed, "1")
                opened = await here.sees(
                    URBAN, lambda each: number.group() in words(each) and each["message_id"] not in before, within=70
                )
                assert opened.get("photo")
                assert here.rows("select count(*) from incident") == [(40,)]
                async with http.get(f"{base}/sandbox/violations") as answer:
                    assert (await answer.json())["count"] == 0
            hold(await here.calls())
    finally:
        await sandbox.stop()


async def test_the_token_is_in_no_log_whatever_fails(tmp_path: Path) -> None:
    async with outside(tmp_path) as (here, process):
        await process.start()
        await here.post("fault", kind="500", times=1)
        await here.post("fault", method="file", kind="500", times=1)
        await here.photo(ZHANG, GUANDI, COVER, as_file=True)
        await here.sees(WATER, "SD-2026-0001")
        await process.kill(signal.SIGTERM)
        assert "alliance-relay is running" in process.log
        assert TOKEN not in process.log and TOKEN.split(":")[1] not in process.log
