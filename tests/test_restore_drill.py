"""The whole drill: everything is lost, a backup is put in its place, and nobody hears anything a second time.

The relay is the real one against the emulator, the commands are the command line's, and nothing waits but real time:
the limits are seconds.
"""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.__main__ import main
from bot.sandbox.server import Sandbox
from bot.services import acting, drafting
from tests import databases
from tests.schema import hold
from tests.town import (
    CHEN,
    GUANDI,
    LI,
    LIN,
    MARIA,
    NANSHI,
    OFFICE,
    OPERATOR,
    POWER,
    STREET,
    URBAN,
    URBAN_MAN,
    WANG,
    WATER,
    WATER_MAN,
    ZHANG,
    Town,
    alliance,
    config,
    english,
    relay,
    words,
)

COVER = "自来水井盖坏了"
LIMITS = """
[categories."cover.water"]
accept = "1s"
safe = "2s"
repair = "3s"
[categories.light]
accept = "2s"
repair = "3s"
"""
"""The last step but one of its ladder is the street's, at six seconds; the next one comes an hour later."""


class Drill:
    def __init__(self, here: Town, says: Callable[[], str]) -> None:
        self.here, self._says = here, says

    async def bot(self, *arguments: str, code: int = 0) -> str:
        """What the command says."""
        config(self.here.home, self.here.base, LANGUAGE="en")
        self._says()
        given = [*arguments, "--config", str(self.here.home / "config.env")]
        found = await asyncio.to_thread(main, given)
        told = self._says()
        assert found == code, told
        return told

    async def mark(self) -> int:
        """Where the emulator's list of calls ends now."""
        calls = await self.here.calls()
        return int(calls[-1]["n"]) if calls else 0

    async def rung(self, since: int) -> list[tuple[int, str]]:
        """Whom the bot has sent something new, and what."""
        return [
            (each["request"]["chat_id"], str(each["request"].get("text") or each["request"].get("caption") or ""))
            for each in await self.here.calls()
            if each["n"] > since and each["method"].startswith("send") and each["status"] == 200
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with relay(self.here.home, self.here.base, LANGUAGE="en"):
            yield


@pytest.fixture
async def drill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Drill]:
    for module in (drafting, acting):
        monkeypatch.setattr(module, "ANSWER_WITHIN", timedelta(seconds=2))
    alliance(tmp_path, lambda text: text + LIMITS)
    sandbox = Sandbox(english(tmp_path), limits=False)
    base = await sandbox.start()
    try:
        async with aiohttp.ClientSession() as http:
            here = Town(base, http, tmp_path, sandbox)

            def says() -> str:
                told = capsys.readouterr()
                return told.out + told.err

            yield Drill(here, says)
            hold(await here.calls())
    finally:
        await sandbox.stop()


@pytest.fixture
def another(request: pytest.FixtureRequest) -> Iterator[databases.Database]:
    """The database in the place of the one that is lost."""
    if not databases.chosen().url:
        yield databases.Sqlite()
        return
    with request.getfixturevalue("server").fresh(empty=True) as made:
        yield made


async def lived_and_lost(drill: Drill) -> tuple[Path, list[dict[str, Any]]]:
    """A day in ten seconds with a backup at its beginning; then everything is lost. The backup, and the cards that
    stood with the water company."""
    here = drill.here
    backup = here.home / "drill.tar.gz"
    async with drill.running():
        await here.say(OPERATOR, OPERATOR, "/start")
        await here.sees(OPERATOR, "You run this relay", person=OPERATOR)
        # One card that will not go out before the backup is made.
        await here.post("fault", chat=URBAN, method="sendPhoto", kind="reset_before", times=1000)
        await here.photo(WANG, NANSHI, "垃圾成堆", samples=("rubbish",))
        await here.sees(NANSHI, "SD-2026-0001")
        await here.photo(ZHANG, GUANDI, COVER)
        await here.sees(WATER, "SD-2026-0002")
        await here.photo(MARIA, GUANDI, "路灯不亮", samples=("light",))
        await here.sees(POWER, "SD-2026-0003")
        # And one matter that still gathers.
        draft = (await here.photo(LI, GUANDI))[0]
        await here.reaction(GUANDI, draft["message_id"], ["👀"])
        assert "backed up to" in await drill.bot("backup", str(backup))
        await clear_faults(here)
        await here.sees(URBAN, "SD-2026-0001", within=30)
        # What fell due after the backup: the prompt, the secretary's two cards, every step of the ladder.
        await here.sees(OFFICE, "New, not yet sorted")
        await here.sees(OFFICE, "SD-2026-0002")
        await here.photo(ZHANG, GUANDI, f"{COVER} 第二个", media_group=False)
        lost = await here.sees(WATER, "SD-2026-0004")
        await here.press(WATER_MAN, WATER, lost, "Accept")
        await here.say(LIN, OFFICE, "/open")
        await here.say(CHEN, OFFICE, "/i 1")
        await here.sees(OFFICE, "reported it")
        await here.sees(STREET, "SD-2026-0002")
        await here.sees(STREET, "SD-2026-0003")
        accepted = await here.sees(URBAN, "SD-2026-0001")
        await here.press(URBAN_MAN, URBAN, accepted, "Accept")
        await here.sees(NANSHI, lambda each: "SD-2026-0001" in words(each) and "In hand" in words(each))
        await here.settled()
        cards = [each for each in await here.from_bot(WATER) if "SD-2026-" in words(each) and each.get("photo")]
    shutil.rmtree(here.home / "data")
    return backup, cards


async def clear_faults(here: Town) -> None:
    async with here.http.delete(f"{here.base}/sandbox/fault", json={}) as answer:
        assert answer.status == 200


async def test_after_a_restore_nobody_hears_anything_a_second_time(drill: Drill, another: databases.Database) -> None:
    backup, cards = await lived_and_lost(drill)
    with databases.on(another):
        await restored(drill, backup, cards)
        if not another.url:
            await restored_and_dropped(drill, backup)


async def restored(drill: Drill, backup: Path, cards: list[dict[str, Any]]) -> None:
    """Everybody goes on, and hears the rest when the operator says so."""
    here, mark = drill.here, await drill.mark()
    told = await drill.bot("restore", str(backup))
    assert "numbers go on after SD-2026-0200" in told and "messages that may have gone out since wait" in told
    # A card that was taken away after the backup was made is not to come back either.
    await here.post("fault", chat=POWER, kind="400:Bad Request: message to edit not found", times=1)
    async with drill.running():
        await here.sees(OPERATOR, "python -m bot resume", person=OPERATOR)
        await here.settled(quiet=1)
        assert [chat for chat, _ in await drill.rung(mark)] == [OPERATOR]
        # What was done in the hours that are lost still stands there: it is set right with the next change.
        shown = await here.sees(NANSHI, "SD-2026-0001")
        assert "In hand" in words(shown)
        await here.say(WANG, NANSHI, "还在那里", reply_to=shown["message_id"])
        await here.sees(NANSHI, lambda each: "SD-2026-0001" in words(each) and "In hand" not in words(each))
        # Work goes on meanwhile: a new report, and an act on a card that was known.
        await here.photo(WANG, NANSHI, "垃圾又成堆", samples=("rubbish",))
        fresh = await here.sees(URBAN, "SD-2026-0201")
        assert await here.press(WATER_MAN, WATER, cards[0], "Accept") == "Done: Accept."
        await here.sees(WATER, lambda each: "SD-2026-0002" in words(each) and "In hand" in words(each))
        # What is lost is lost: its card stands there, and its buttons are nobody else's.
        assert "not yours to do" in await here.press(WATER_MAN, WATER, cards[-1], "Made safe")
        assert await here.press(URBAN_MAN, URBAN, fresh, "Accept") == "Done: Accept."
        await here.settled()
        mark = await drill.mark()
        listed = await drill.bot("resume", "--list")
        assert f"card SD-2026-0001 → 综合执法中队 ({URBAN})" in listed and "reminder SD-2026-0002" in listed
        await here.settled(quiet=1)
        assert await drill.rung(mark) == []
        assert "are let go" in await drill.bot("resume")
    async with drill.running():
        await here.settled(quiet=1)
        rung = await drill.rung(mark)
        assert {(URBAN, "SD-2026-0001"), (POWER, "SD-2026-0003")} <= {
            (chat, number) for chat, text in rung for number in re.findall(r"SD-2026-\d{4}", text)
        }
        assert here.rows("select count(*) from post where error like 'held%'") == [(0,)]
        assert "no message waits" in await drill.bot("resume")


async def restored_and_dropped(drill: Drill, backup: Path) -> None:
    """The same once more, and this time the operator knows that all of it went out."""
    here = drill.here
    shutil.rmtree(here.home / "data")
    await drill.bot("restore", str(backup))
    mark = await drill.mark()
    assert "are not sent" in await drill.bot("resume", "--drop")
    async with drill.running():
        await here.sees(OPERATOR, "python -m bot resume", person=OPERATOR)
        await here.settled(quiet=1)
        assert [chat for chat, _ in await drill.rung(mark)] == [OPERATOR]
        # A card that nobody knows any more comes anew with the incident's next change.
        known = {each["message_id"] for each in await here.from_bot(URBAN)}
        line = await here.sees(NANSHI, "SD-2026-0001")
        await here.say(WANG, NANSHI, "还在那里", reply_to=line["message_id"])
        await here.sees(URBAN, lambda each: "SD-2026-0001" in words(each) and each["message_id"] not in known)
