"""The way in under faults: polls that fail in every way, a second poller, a webhook of somebody's, a token that is
revoked, a start without network. Nothing is lost, nothing is taken in twice, and one line says what is wrong.
"""

import asyncio
import contextlib
import logging
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp
import pytest

from bot.app import App
from bot.channels.wire import UNSAID
from bot.opening import StartError
from bot.settings import load
from tests.gate import gate
from tests.street import CALL, UNIT_MAN, House, Street, Verdict, houses, hurrying, listening, played_once, street
from tests.test_faults_telegram import FAULTS, Fault
from tests.town import OPERATOR, PATIENCE, SLOWNESS, config, relay, words

# How Telegram fails has nothing to do with the database.
pytestmark = [pytest.mark.timeout(300), pytest.mark.once]

TOKEN = "700000001:a-token-of-the-town-0123456789"
HOUSE = houses(["001"])[0]
REFUSED = ("401", "404")
POLLS = [fault for fault in FAULTS if fault.name != "401"]


class Log(logging.Handler):
    """Keeps what the relay says of its polling."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(str(record.msg))

    def said(self, key: str) -> list[str]:
        return [line for line in self.lines if key in line]


@contextlib.contextmanager
def reading() -> Iterator[Log]:
    """What is logged as a warning or worse meanwhile."""
    with listening():
        log, root = Log(), logging.getLogger()
        before = root.level
        root.setLevel(logging.INFO)
        root.addHandler(log)
        try:
            yield log
        finally:
            root.removeHandler(log)
            root.setLevel(before)


@contextlib.asynccontextmanager
async def _running(home: Path) -> AsyncIterator[tuple[Street, App]]:
    """A street with one house, and its relay."""
    async with street(home, [HOUSE], running=False) as here, relay(home, here.base, LANGUAGE="en") as app:
        yield here, app


async def ready(app: App, http: aiohttp.ClientSession) -> dict[str, str]:
    """The troubles that /readyz names."""
    async with http.get(f"http://127.0.0.1:{app._settings.web_port}/readyz") as answer:
        told = await answer.json()
        assert answer.status == (503 if told["troubles"] else 200)
        return dict(told["troubles"])


async def polls(here: Street) -> list[float]:
    return [call["at"] for call in await here.calls() if call["method"] == "getUpdates"]


# --- a poll fails


async def _polled(home: Path) -> dict[str, Verdict]:
    """Each fault while photos come in: several relays side by side, in each one fault after the other."""
    verdicts: dict[str, Verdict] = {}

    async def one_after_the_other(part: list[Fault], own: Path) -> None:
        there = houses([f"{n:03}" for n in range(len(part))])
        async with street(own, there, hurry_is_on=True) as here:
            for fault, house in zip(part, there, strict=True):
                try:
                    verdicts[fault.name] = Verdict(told=await _one_poll(here, house, fault))
                except AssertionError as error:
                    verdicts[fault.name] = Verdict(str(error))

    with listening() as ear, hurrying(), patch.multiple("bot.polling", WAIT=2, GRACE=CALL - 2):
        async with asyncio.TaskGroup() as together:
            for n in range(PARTS):
                together.create_task(one_after_the_other(POLLS[n::PARTS], home / str(n)))
    verdicts[""] = Verdict("\n".join(ear.heard))
    return verdicts


async def _one_poll(here: Street, house: House, fault: Fault) -> dict[str, Any]:
    before = await polls(here)
    await here.post("fault", method="getUpdates", **{**fault.wish, "times": 1})
    # The poll that is open brings this photo; the one that is to acknowledge it fails, so it comes again.
    await here.report(house)
    await here.another(house)
    await here.until(lambda: _nothing_left(here), "the failure")
    await here.sees(house.unit, "又一个")
    await here.until(lambda: _acknowledged(here), "that all is acknowledged")
    await here.rest(*house.chats)
    numbers = [re.search(r"SD-\d{4}-\d{4}", words(each)) for each in await here.from_bot(house.unit)]
    shown = [found.group() for found in numbers if found]
    assert len(shown) == len(set(shown)) == 2, shown
    assert here.rows(f"select count(*) from incident where chat_id = {house.group}") == [(2,)]
    assert here.doubled(house) == 0
    at = (await polls(here))[len(before) :]
    if fault.patience:
        # The poll that was refused, then the seconds asked for.
        calls = [call for call in await here.calls() if call["method"] == "getUpdates" and call["status"] == 429]
        refused = calls[-1]["at"]
        assert not [each for each in at if refused < each < refused + fault.patience]
    return {"polls": len(at)}


async def _nothing_left(here: Street) -> bool:
    return not await here.faults(method="getUpdates")


async def _acknowledged(here: Street) -> bool:
    async with here.http.get(f"{here.base}/sandbox/pending") as answer:
        return (await answer.json())["updates"] == 0


PARTS = 4


@pytest.mark.parametrize("fault", POLLS, ids=lambda fault: fault.name)
def test_a_poll_that_fails_loses_nothing_and_takes_nothing_in_twice(
    fault: Fault, tmp_path_factory: pytest.TempPathFactory
) -> None:
    verdict = played_once(tmp_path_factory, "faults-polls", _polled)[fault.name]
    assert not verdict.wrong, verdict.wrong


def test_a_poll_that_fails_is_no_error_in_the_log(tmp_path_factory: pytest.TempPathFactory) -> None:
    verdict = played_once(tmp_path_factory, "faults-polls", _polled)[""]
    assert not verdict.wrong, verdict.wrong


async def test_while_polls_fail_readyz_says_so_and_what_is_due_goes_out(tmp_path: Path) -> None:
    with reading() as log, patch("bot.polling.LONGEST_PAUSE", 2.0):
        async with _running(tmp_path) as (here, app):
            await here.report(HOUSE)
            await here.card(HOUSE)
            await here.post("fault", method="getUpdates", kind="502page", times=9999)
            # Ends the open poll; what it brings is taken in.
            await here.another(HOUSE)

            async def red() -> bool:
                return "no answer from Telegram" in (await ready(app, here.http)).get("polling", "")

            await here.until(red, "the trouble")
            await here.wind(3 * 3600)
            # Nobody polls with success, and the reminder goes out all the same.
            await here.sees(HOUSE.unit, "should have been made safe")
            await here.lift()

            async def green() -> bool:
                return not await ready(app, here.http)

            await here.until(green, "the end of the trouble")
    assert len(log.said("polling_paused")) == 1 and len(log.said("polling_resumed")) == 1


async def test_an_address_that_knows_no_such_method_is_no_revoked_token(tmp_path: Path) -> None:
    """404 in the middle of running: somebody turned a server of the operator's around, not the token."""
    async with street(tmp_path, [HOUSE]) as here:
        await here.post("fault", method="getUpdates", kind="404:", times=2)
        await here.report(HOUSE)
        await here.another(HOUSE)
        await here.until(lambda: _nothing_left(here), "the failure")
        await here.sees(HOUSE.unit, "又一个")


# --- what a poll brings


async def test_one_update_that_is_none_stands_in_nobodys_way(tmp_path: Path) -> None:
    with listening() as ear:
        async with street(tmp_path, [HOUSE]) as here:
            await here.say(OPERATOR, OPERATOR, "/start")
            await here.sees(OPERATOR, "alliance-relay")
            await here.post("fault", method="getUpdates", kind="500", times=1)
            await here.report(HOUSE)
            await here.post("update", update={"message": {"message_id": "none", "date": "never", "chat": 5}})
            await here.post("update", update={"a_kind_of_next_year": {"id": 1}})
            await here.post("update", update={"message": None, "novelty": [1, {}]})
            await here.another(HOUSE)
            await here.sees(HOUSE.unit, "又一个")
            await here.until(lambda: _acknowledged(here), "that all is acknowledged")
            told = await here.sees(OPERATOR, "bot retry")
            assert re.search(r"\d{9}", words(told))
            assert here.rows("select count(*) from failed_update") == [(1,)]
            assert here.rows("select count(*) from incident") == [(2,)]
            await here.rest(OPERATOR, *HOUSE.chats)
            assert len(await here.from_bot(OPERATOR)) == 2
    # It is said, and kept; a program's traceback would help nobody.
    assert len(ear.heard) == 2 and not any("Traceback" in each for each in ear.heard), ear.heard


# --- somebody else has the token


@contextlib.asynccontextmanager
async def rival(base: str, http: aiohttp.ClientSession) -> AsyncIterator[list[int]]:
    """Another program that polls with the same token, again and again; the statuses it gets."""
    statuses: list[int] = []

    async def poll() -> None:
        while True:
            async with http.post(f"{base}/bot{TOKEN}/getUpdates", json={"timeout": 25}) as answer:
                statuses.append(answer.status)
                await answer.read()
            # It handles what it got: asking at once would bring the same.
            await asyncio.sleep(0.05)

    polling = asyncio.create_task(poll())
    try:
        yield statuses
    finally:
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)


async def test_a_second_poller_is_left_alone_until_it_stops(tmp_path: Path) -> None:
    alone = 2
    with reading() as log, patch("bot.polling.ALONE", alone):
        async with _running(tmp_path) as (here, app):
            await here.say(OPERATOR, OPERATOR, "/start")
            await here.sees(OPERATOR, "alliance-relay")
            await here.report(HOUSE)
            await here.card(HOUSE)
            async with rival(here.base, here.http) as statuses:

                async def red() -> bool:
                    return "another program polls" in (await ready(app, here.http)).get("polling", "")

                await here.until(red, "the trouble")
                told = await here.sees(OPERATOR, "Another program fetches this bot's messages")
                # What is due goes on being sent.
                await here.wind(3 * 3600)
                await here.sees(HOUSE.unit, "should have been made safe")
                began, before = time.time(), len(statuses)
                await here.until(lambda: _times(statuses, before + 2), "that the other one was disturbed twice")
                assert await red()
                own = [
                    call["at"]
                    for call in await here.calls()
                    if call["method"] == "getUpdates" and "allowed_updates" in call["request"]
                ]
                asked = [each for each in own if each > began]
                assert len(asked) <= (time.time() - began) / alone + 2, "it asks too often"
                # It is not lost what comes now: this other program acknowledges nothing.
                await here.another(HOUSE)
            ended = time.monotonic()
            await here.sees(HOUSE.unit, "又一个")

            async def green() -> bool:
                return not await ready(app, here.http)

            await here.until(green, "the end of the trouble")
            assert time.monotonic() - ended < 4 * alone + 5 * SLOWNESS
            await here.rest(OPERATOR, *HOUSE.chats)
            notes = [words(each) for each in await here.from_bot(OPERATOR)]
            assert [words(told)] == notes[1:], notes
            numbers = [re.search(r"SD-\d{4}-\d{4}", words(each)) for each in await here.from_bot(HOUSE.unit)]
            assert {found.group() for found in numbers if found} == {"SD-2026-0001", "SD-2026-0002"}
            assert here.rows("select count(*), sum(doubled) from post where kind = 'card'") == [(2, 0)]
    paused = log.said("polling_paused")
    assert len(paused) == 1 and "stop it" in paused[0] and len(log.said("polling_resumed")) == 1


async def _times(statuses: list[int], wanted: int) -> bool:
    return len(statuses) >= wanted


async def test_a_webhook_of_somebody_elses_is_removed(tmp_path: Path) -> None:
    with reading() as log, patch("bot.polling.ALONE", 1):
        async with _running(tmp_path) as (here, app):
            await here.say(OPERATOR, OPERATOR, "/start")
            await here.sees(OPERATOR, "alliance-relay")
            await _hook(here)
            await here.until(lambda: _unhooked(here), "that it is removed")
            await here.report(HOUSE)
            await here.card(HOUSE)
            assert len(log.said("webhook_removed")) == 1 and not log.said("polling_paused")
            # Set again at once, it is no mistake but a rival.
            await _hook(here)
            await here.sees(OPERATOR, "Another program fetches this bot's messages")
            assert "webhook" in (await ready(app, here.http))["polling"]
            await here.until(lambda: _unhooked(here), "that it is removed again")
            await here.another(HOUSE)
            await here.sees(HOUSE.unit, "又一个")

            async def green() -> bool:
                return not await ready(app, here.http)

            await here.until(green, "the end of the trouble")


async def _hook(here: Street) -> None:
    async with here.http.post(f"{here.base}/bot{TOKEN}/setWebhook", json={"url": "http://127.0.0.1:9/"}) as answer:
        assert (await answer.json())["ok"]


async def _unhooked(here: Street) -> bool:
    async with here.http.post(f"{here.base}/bot{TOKEN}/getWebhookInfo") as answer:
        return not (await answer.json())["result"]["url"]


async def test_a_revoked_token_ends_the_program_with_one_line_and_loses_nothing(tmp_path: Path) -> None:
    async with street(tmp_path, [HOUSE], running=False) as here:
        config(tmp_path, here.base, LANGUAGE="en")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run", "--config", str(tmp_path / "config.env")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "LOG_LEVEL": "WARNING"},
        )
        try:
            assert process.stdout is not None
            assert b"is running" in await asyncio.wait_for(process.stdout.readline(), PATIENCE)
            # The token is revoked: an open poll may still bring a photo, and nothing can be sent.
            await here.post("fault", kind="401:", times=9999)
            await here.report(HOUSE)
            await here.until(lambda: _taken_in(here), "the incident")
            await here.post("fault", method="getUpdates", kind="401:", times=9999)
            await here.say(HOUSE.person, HOUSE.group, "this ends the open poll")
            out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 1
        assert err.decode().strip() == "BOT_TOKEN is no longer accepted by Telegram: it was revoked or mistyped", err
        assert b"Traceback" not in out
        assert here.rows("select count(*) from incident") == [(1,)] and await here.from_bot(HOUSE.unit) == []
        await here.lift()
        async with relay(tmp_path, here.base, LANGUAGE="en"):
            await here.card(HOUSE)
            await here.line(HOUSE)
            await here.rest(*HOUSE.chats)
            assert len(await here.from_bot(HOUSE.unit)) == 1 and here.doubled(HOUSE) == 0


async def _taken_in(here: Street) -> bool:
    return bool(here.rows("select 1 from incident"))


# --- the start


async def _starts(home: Path, base: str, said: list[str], then: Callable[[App], Awaitable[None]], **more: str) -> None:
    """Start the relay; `then` is awaited once it runs."""
    app = App(load(config(home, base, LANGUAGE="en", **more)), said.append)
    running = asyncio.create_task(app.run())
    try:
        await then(app)
    finally:
        app.stopping.set()
        await asyncio.wait_for(running, 15)


LEFT_OUT = (*REFUSED, "no answer although delivered", "429 said in words alone", "429 and nothing else")
STARTS = [fault for fault in FAULTS if fault.name not in LEFT_OUT]


@pytest.mark.parametrize("method", ["getMe", "deleteWebhook"])
async def test_the_start_outlasts_whatever_comes_instead_of_an_answer(tmp_path: Path, method: str) -> None:
    said: list[str] = []
    with listening() as ear, patch("bot.app.PAUSES", (0.02,)):
        async with street(tmp_path, [HOUSE], running=False) as here:
            for fault in STARTS:
                await here.post("fault", method=method, **{**fault.wish, "times": 1})

            with patch("bot.app.CALL", CALL / 3):
                await _starts(tmp_path, here.base, said, lambda app: _first_card(here, HOUSE))
            calls = [call for call in await here.calls() if call["method"] == method]
            assert len(calls) == len(STARTS) + 1
            for fault, call, following in zip(STARTS, calls, calls[1:], strict=False):
                assert following["at"] - call["at"] >= fault.patience, fault.name
    assert [line for line in said if "Telegram" in line] == [
        f"Telegram does not answer at {here.base}; trying again until it does."
    ]
    assert not ear.heard, ear.heard


async def _first_card(here: Street, house: House) -> None:
    await here.report(house)
    await here.sees(house.unit, "SD-2026-0001", within=2 * PATIENCE)


@pytest.mark.parametrize("kind", ["401:", "404:"])
async def test_a_token_that_nobody_knows_ends_the_start_with_one_line(tmp_path: Path, kind: str) -> None:
    async with street(tmp_path, [HOUSE], running=False) as here:
        await here.post("fault", method="getMe", kind=kind)
        app = App(load(config(tmp_path, here.base)), lambda _text: None)
        with pytest.raises(StartError, match="BOT_TOKEN was refused by Telegram: copy it again from @BotFather"):
            await asyncio.wait_for(app.run(), 15)


async def test_a_relay_that_starts_before_the_network_takes_up_work_when_it_comes(tmp_path: Path) -> None:
    said: list[str] = []
    with listening() as ear, patch("bot.app.PAUSES", (0.05,)):
        async with street(tmp_path, [HOUSE], running=False) as here, gate(here.base) as way:

            async def work(app: App) -> None:
                await here.until(lambda: _length(said), "the line that says so")
                await here.report(HOUSE)
                await asyncio.sleep(0.3)
                assert len(said) == 1 and here.base not in said[0] and way.base in said[0]
                await way.open()
                await here.card(HOUSE)
                await here.line(HOUSE)
                await here.rest(*HOUSE.chats)
                assert here.doubled(HOUSE) == 0

            await _starts(tmp_path, way.base, said, work)
    assert said[0] == f"Telegram does not answer at {way.base}; trying again until it does."
    assert said[1].startswith("alliance-relay is running") and not ear.heard


async def _length(said: list[str]) -> bool:
    return bool(said)


async def test_a_name_that_nobody_knows_is_waited_for_and_a_stop_ends_it(tmp_path: Path) -> None:
    said: list[str] = []
    async with street(tmp_path, [HOUSE], running=False):
        app = App(load(config(tmp_path, "http://no-such-host.invalid")), said.append)
        running = asyncio.create_task(app.run())
        for _ in range(400):
            await asyncio.sleep(0 if said else 0.05)
        app.stopping.set()
        with pytest.raises(StartError, match="stopped before Telegram answered"):
            await asyncio.wait_for(running, 15)
    assert said == ["Telegram does not answer at http://no-such-host.invalid; trying again until it does."]


async def test_a_telegram_that_is_off_for_a_while_costs_nothing(tmp_path: Path) -> None:
    """Connections are refused: whatever was tried meanwhile was surely not sent."""
    with reading() as log:
        async with street(tmp_path, [HOUSE], running=False) as here, gate(here.base) as way:
            await way.open()
            async with relay(tmp_path, way.base, LANGUAGE="en") as app:
                await here.report(HOUSE)
                card = await here.card(HOUSE)
                await here.rest(*HOUSE.chats)
                await way.shut()

                async def red() -> bool:
                    return "no answer from Telegram" in (await ready(app, here.http)).get("polling", "")

                await here.until(red, "the trouble")
                # Reminders fall due, a photo and a press come in, all while nobody answers.
                await here.another(HOUSE)
                await here.press(UNIT_MAN, HOUSE.unit, card, "Accept", wait=0)
                app.clock.ahead += type(app.clock.ahead)(hours=3)
                await here.until(lambda: _tried(here), "a try that failed")
                await way.open()
                await here.sees(HOUSE.unit, "又一个")
                await here.sees(HOUSE.unit, "In hand")

                async def green() -> bool:
                    return not await ready(app, here.http)

                await here.until(green, "the end of the trouble")
                await here.rest(*HOUSE.chats)
                assert here.doubled(HOUSE) == 0
                shown = [words(each) for each in await here.from_bot(HOUSE.unit)]
                assert len([each for each in shown if "💬" in each]) == 2, shown
    assert len(log.said("polling_paused")) == 1 and not log.said("Traceback")


async def _tried(here: Street) -> bool:
    return bool(here.rows("select 1 from post where attempts > 0"))


def test_patience_that_is_not_said_is_some() -> None:
    assert UNSAID >= 1
