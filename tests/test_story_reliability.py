"""What was promised is kept: kill -9, redelivery, poison, faults of the network, limits, a token that never leaks."""

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
    WATER_MAN,
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


async def test_killed_again_and_again_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Reports keep coming while the process is killed; each has exactly one incident and one card."""
    async with outside(tmp_path) as (here, process):
        sent = 0
        for kill in range(3):
            await process.start()
            await process.running(kill + 1)
            for _ in range(2):
                for person, chat in ((ZHANG, GUANDI), (WANG, NANSHI)):
                    sent += 1
                    await here.photo(person, chat, f"{COVER} 第{sent}个", media_group=False)
                # Past the gathering time, so that each picture is a matter of its own.
                await here.wind(2)
            # At another moment each time: while it takes in, while it sends, while it waits for an answer.
            await here.called(kill + 1)
            await asyncio.sleep(0.02 * kill)
            await process.kill()
        await process.start()
        await here.sees(WATER, f"{sent:04d}", within=40)
        await here.settled(quiet=2.5, within=40)
        numbers = [row[0] for row in process.rows("select number from incident")]
        assert sorted(numbers) == [f"SD-2026-{n:04d}" for n in range(1, sent + 1)]
        behind = process.rows("select id from post where shown < wanted and state not in ('gone', 'held', 'broken')")
        assert behind == []
        cards = [re.search(r"SD-2026-\d{4}", words(each)) for each in await here.from_bot(WATER)]
        shown = [found.group() for found in cards if found]
        doubled = process.rows("select coalesce(sum(doubled), 0) from post")[0][0]
        assert set(shown) == set(numbers)
        assert len(shown) - len(set(shown)) <= doubled
        assert await process.kill(signal.SIGTERM) == 0


async def test_an_update_that_is_delivered_again_does_nothing(tmp_path: Path) -> None:
    async with town(tmp_path, LANGUAGE="en") as here:
        # The poll that would acknowledge the photo is lost on its way, so the emulator hands it out again.
        await here.post("fault", method="getUpdates", kind="reset_before", times=2)
        await here.photo(ZHANG, GUANDI, COVER)
        await here.sees(WATER, "SD-2026-0001")
        await here.settled(within=15)
        assert len([each for each in await here.from_bot(WATER) if "SD-2026" in words(each)]) == 1


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


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "429", "retry_after": 1},
        {"kind": "500"},
        {"kind": "502page"},
        {"kind": "reset_before"},
    ],
    ids=lambda fault: fault["kind"],
)
async def test_a_card_that_telegram_did_not_take_goes_out_again(tmp_path: Path, fault: dict[str, Any]) -> None:
    async with town(tmp_path, LANGUAGE="en") as here:
        await here.post("fault", method="sendPhoto", times=2, **fault)
        await here.photo(ZHANG, GUANDI, COVER)
        await here.sees(WATER, "SD-2026-0001", within=15)
        await here.settled()
        assert len([each for each in await here.from_bot(WATER) if "SD-2026" in words(each)]) == 1


async def test_a_card_whose_answer_was_lost_may_double_and_is_counted(tmp_path: Path) -> None:
    async with town(tmp_path, LANGUAGE="en") as here:
        await here.post("fault", method="sendPhoto", chat=WATER, times=1, kind="reset_after")
        await here.photo(ZHANG, GUANDI, COVER)
        await here.sees(WATER, "SD-2026-0001")
        await here.settled(quiet=3, within=15)
        shown = [each for each in await here.from_bot(WATER) if "SD-2026" in words(each)]
        counted = here.rows("select sum(doubled) from post where kind = 'card'")[0][0]
        assert len(shown) == 2 and counted == 1
        # The one whose buttons are known is the one that lives on.
        await here.press(WATER_MAN, WATER, shown[-1], "Accept")
        await here.sees(WATER, "In hand")


async def test_a_card_that_somebody_deleted_comes_back_with_the_next_change(tmp_path: Path) -> None:
    async with town(tmp_path, LANGUAGE="en") as here:
        await here.photo(ZHANG, GUANDI, COVER)
        card = await here.sees(WATER, "SD-2026-0001")
        await here.settled()
        fault = "400:Bad Request: message to edit not found"
        await here.post("fault", chat=WATER, method="editMessageCaption", kind=fault, times=1)
        await here.press(WATER_MAN, WATER, card, "Accept")
        again = await here.sees(
            WATER, lambda each: "In hand" in words(each) and each["message_id"] != card["message_id"]
        )
        assert again["photo"]


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
