"""The auditor: rows are broken behind the relay's back; it sets right what it can, says it; /readyz tells the rest."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.auditor import AGAIN, Auditor
from bot.clock import Clock
from bot.logs import set_up
from bot.opening import ground_of
from bot.settings import load
from tests import databases
from tests.town import GUANDI, LIN, OFFICE, OPERATOR, PATIENCE, WATER, WATER_MAN, ZHANG, words
from tests.walks import Walk, says, walk


def broken(here: Walk, *statements: str) -> None:
    """Change rows as a fault or a mistake would."""
    for statement in statements:
        assert here.rows(f"{statement} RETURNING 1"), statement


async def readiness(here: Walk) -> tuple[int, dict[str, str]]:
    port = re.search(r"WEB_PORT=(\d+)", (here.home / "config.env").read_text(encoding="utf-8"))
    assert port is not None
    try:
        async with here.http.get(f"http://127.0.0.1:{port.group(1)}/readyz") as answer:
            return answer.status, (await answer.json())["troubles"]
    except aiohttp.ClientConnectorError:
        return 0, {}


@asynccontextmanager
async def up(here: Walk) -> AsyncIterator[None]:
    """The relay, started to the end of its first audit."""
    async with here.running():
        for _ in range(int(PATIENCE / 0.05)):
            status, told = await readiness(here)
            if status and "start" not in told:
                break
            await asyncio.sleep(0.05)
        yield


async def accepted(here: Walk) -> None:
    """One incident in the unit's hands, and nothing on its way."""
    card = await here.report()
    await here.press(WATER_MAN, WATER, card, "Accept")
    await here.sees(WATER, "In hand")
    await here.settled()


@pytest.mark.parametrize(
    ("statement", "promise"),
    [
        ("DELETE FROM timer WHERE kind = 'remind'", "clock_without_reminder"),
        ("UPDATE incident SET reminded_at = reminded_at + 86400000", "reminder_in_the_future"),
    ],
)
async def test_an_incident_without_its_next_reminder_gets_it_again(
    tmp_path: Path, statement: str, promise: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up("WARNING", "text")
    async with walk(tmp_path, running=False) as here:
        await here.workday("09:00")
        async with up(here):
            await accepted(here)
            wanted = here.rows("SELECT next_at FROM timer WHERE kind = 'remind'")
        broken(here, statement)
        async with up(here):
            assert here.rows("SELECT count(*) FROM timer WHERE kind = 'remind'") == [(1,)]
            if promise == "clock_without_reminder":
                assert here.rows("SELECT next_at FROM timer WHERE kind = 'remind'") == wanted
            await here.hours(4.6)
            await here.sees(WATER, "left to fix")
            assert (await readiness(here))[0] == 200
    assert f"promise={promise}" in capsys.readouterr().err


async def test_a_message_that_was_never_made_is_made(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with up(here):
            await accepted(here)
        broken(
            here,
            "DELETE FROM shown WHERE post_id IN (SELECT id FROM post WHERE kind = 'line')",
            "DELETE FROM post WHERE kind = 'line'",
        )
        before = len(await here.standing(GUANDI, "SD-2026-0001"))
        async with up(here):
            await here.settled()
            assert len(await here.standing(GUANDI, "SD-2026-0001")) == before + 1


async def test_a_draft_that_nobody_waits_for_comes_to_the_secretary(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with up(here):
            await here.photo(ZHANG, GUANDI, "看这里")
            await here.sees(GUANDI, lambda each: bool(each.get("ephemeral_message_id")), person=ZHANG)
            await here.settled()
        broken(here, "DELETE FROM timer")
        async with up(here):
            await here.sees(OFFICE, "not yet sorted")


async def test_a_post_that_nothing_would_look_at_moves_again(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with up(here):
            await accepted(here)
        broken(here, "UPDATE post SET wanted = wanted + 1, due_at = NULL, digest = '' WHERE kind = 'card'")
        async with up(here):
            await here.settled()
            assert here.rows("SELECT shown - wanted FROM post WHERE kind = 'card'") == [(0,)]


async def test_a_reminder_about_what_is_over_is_taken_away(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with up(here):
            card = await here.report()
            await here.mended(card)
            check = await here.sees(OFFICE, says("check", button="Confirm"))
            await here.press(LIN, OFFICE, check, "Confirm")
            await here.sees(GUANDI, "Closed")
            await here.settled()
        broken(here, "INSERT INTO timer (incident_id, kind, next_at, pace) VALUES (1, 'remind', 9999999999999, 0)")
        async with up(here):
            assert here.rows("SELECT count(*) FROM timer WHERE kind = 'remind'") == [(0,)]


async def test_a_card_that_was_refused_untold_calls_the_secretary(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with up(here):
            await accepted(here)
        broken(here, "UPDATE post SET state = 'broken', due_at = NULL WHERE kind = 'card'")
        async with up(here):
            await here.sees(OFFICE, "SD-2026-0001")
            assert here.rows("SELECT need FROM incident") == [("undelivered",)]


async def test_the_operator_is_told_once_what_was_repaired(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with up(here):
            await here.say(OPERATOR, OPERATOR, "/start")
            await accepted(here)
        for _ in range(2):
            broken(here, "DELETE FROM timer WHERE kind = 'remind'")
            async with up(here):
                await here.sees(OPERATOR, "clock_without_reminder", person=OPERATOR)
                await here.settled()
        told = [each for each in await here.from_bot(OPERATOR, OPERATOR) if "not as it should be" in words(each)]
        assert len(told) == 1


async def test_a_clock_that_was_ahead_and_is_set_right_holds_nothing_up(tmp_path: Path) -> None:
    """Reported and accepted while the clock was three days ahead; then it is right: the reminder comes in time."""
    async with walk(tmp_path, running=False) as here:
        await here.workday("09:00")
        await here.hours(72)
        async with up(here):
            await accepted(here)
            repair_due = here.rows("SELECT repair_due FROM incident")[0][0]
        await here.hours(-72)
        async with up(here):
            assert abs(here.rows("SELECT repair_due FROM incident")[0][0] - repair_due + 72 * 3_600_000) < 60_000
            await here.hours(4.6)
            await here.sees(WATER, "left to fix")
            assert len(await here.sent(WATER, "left to fix")) == 1


async def test_a_clock_that_runs_on_and_is_set_back_while_it_runs(tmp_path: Path) -> None:
    async with walk(tmp_path) as here:
        await here.workday("09:00")
        await accepted(here)
        await here.hours(1)
        card = await here.sees(WATER, "In hand")
        await here.hours(-1)
        await here.mended(card)
        await here.sees(OFFICE, says("check", button="Confirm"))


async def test_updates_that_were_set_aside_keep_readyz_red(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with up(here):
            await here.settled()
            assert (await readiness(here)) == (200, {})
        broken(here, "INSERT INTO failed_update (update_id, raw, error, at) VALUES (7, '{}', 'a mistake', 0)")
        async with up(here):
            status, told = await readiness(here)
            assert status == 503 and "bot retry" in told["audit: updates"]


async def test_what_breaks_again_and_again_turns_readyz_red(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with up(here):
            await accepted(here)
        settings = load(here.home / "config.env")
        store = await databases.opened(here.home)
        auditor = Auditor(store, ground_of(settings), Clock(), lambda _chats: [])
        try:
            for _ in range(AGAIN):
                assert auditor.troubles == {}
                broken(here, "DELETE FROM timer WHERE kind = 'remind'")
                await auditor.look()
            assert auditor.troubles == {"audit: breaks again": "clock_without_reminder"}
        finally:
            await store.close()


async def test_a_chat_that_nobody_serves_turns_readyz_red(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with up(here):
            await accepted(here)
        broken(here, "UPDATE post SET wanted = wanted + 1, due_at = due_at, state = 'due' WHERE kind = 'card'")
        long_ago = int((datetime.now(UTC) - timedelta(hours=1)).timestamp() * 1000)
        broken(here, f"UPDATE post SET due_at = {long_ago} WHERE kind = 'card'")
        store = await databases.opened(here.home)
        asked: list[Any] = []

        def idle(chats: Any) -> list[int]:
            asked.append(tuple(chats))
            return list(chats)

        auditor = Auditor(store, ground_of(load(here.home / "config.env")), Clock(), idle)
        try:
            await auditor.look()
        finally:
            await store.close()
        assert asked == [(WATER,)]
        assert auditor.troubles == {"audit: posts": "due for long in 1 chats that nobody serves"}


async def test_what_is_on_its_way_for_too_long_is_sent_again_once_that_is_sure(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with up(here):
            await accepted(here)
        store, clock = await databases.opened(here.home), Clock()
        auditor = Auditor(store, ground_of(load(here.home / "config.env")), clock, lambda _chats: [])
        lease = int(clock.now().timestamp() * 1000)
        broken(here, f"UPDATE post SET state = 'sending', lease = {lease}, due_at = 1 WHERE kind = 'card'")
        asked = "SELECT state FROM post WHERE kind = 'card'"
        try:
            # The clock leaps while a call is on its way, which then arrives.
            clock.ahead += timedelta(hours=1)
            await auditor.look()
            assert here.rows(asked) == [("sending",)]
            broken(here, f"UPDATE post SET lease = {lease + 1} WHERE kind = 'card'")
            await auditor.look()
            assert here.rows(asked) == [("sending",)] and auditor._mended == []
            await auditor.look()
            assert here.rows(asked) == [("unknown",)]
            assert [name for _, name, _ in auditor._mended] == ["post_long_sending"]
        finally:
            await store.close()


async def test_what_was_decided_while_the_auditor_waited_is_not_in_the_future(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that keeps it waiting for longer than it forgives a clock."""
    async with walk(tmp_path, running=False) as here:
        async with up(here):
            await accepted(here)
        store, clock = await databases.opened(here.home), Clock()
        auditor = Auditor(store, ground_of(load(here.home / "config.env")), clock, lambda _chats: [])
        plain = {"read": store.read, "write": store.write}

        async def late(way: str, job: Any) -> Any:
            clock.ahead += timedelta(minutes=2)
            told = int((clock.now() - timedelta(seconds=1)).timestamp() * 1000)
            broken(here, f"UPDATE incident SET reminded_at = {told}")
            return await plain[way](job)

        for way in plain:
            monkeypatch.setattr(store, way, partial(late, way))
        before = here.rows("SELECT next_at FROM timer WHERE kind = 'remind'")
        try:
            await auditor.look()
        finally:
            await store.close()
        assert auditor._mended == []
        assert here.rows("SELECT next_at FROM timer WHERE kind = 'remind'") == before
