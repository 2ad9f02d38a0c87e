"""The database is locked, full, deleted or damaged while the relay runs: it waits, says so once, and loses nothing."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func
from sqlmodel import Session, select
from structlog.testing import capture_logs

from bot.app import App
from bot.channels.telegram import Telegram
from bot.opening import StartError
from bot.settings import load
from bot.views.content import Content
from storage import store as storing
from storage.migrating import migrate
from storage.tables import Note
from tests.town import (
    GUANDI,
    LI,
    NANSHI,
    PATIENCE,
    URBAN,
    WANG,
    WATER,
    WATER_MAN,
    ZHANG,
    Town,
    free_port,
    town,
    words,
)
from tests.walks import walk

pytestmark = pytest.mark.once
LONG = bool(os.environ.get("FAULTS_LONG"))
"""`FAULTS_LONG=1`: locks and loads as long as an operator would see them, instead of just long enough to show it."""
COVER = "自来水井盖坏了"
HOLD = """
import sqlite3, sys
base = sqlite3.connect(sys.argv[1], isolation_level=None)
base.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@asynccontextmanager
async def held(file: Path) -> AsyncIterator[None]:
    """Another process has begun to write to the file and does not end."""
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLD, str(file)), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert other.stdout is not None and await other.stdout.readline() == b"held\n"
        yield
    finally:
        other.terminate()
        await other.wait()


class Watched:
    """A town and the relay's own word about how it is."""

    def __init__(self, here: Town, port: int, logged: list[Any]) -> None:
        self.here, self.port, self.logged = here, port, logged

    async def ready(self) -> dict[str, str]:
        """What /readyz says is wrong; empty when nothing is."""
        async with self.here.http.get(f"http://127.0.0.1:{self.port}/readyz") as answer:
            told = await answer.json()
            assert (answer.status == 200) is told["ok"] is (not told["troubles"])
            return dict(told["troubles"])

    async def until_ready(self, fits: Callable[[dict[str, str]], bool], within: float = PATIENCE) -> dict[str, str]:
        end = time.monotonic() + within
        while not fits(found := await self.ready()):
            assert time.monotonic() < end, found
            await asyncio.sleep(0.05)
        return found

    async def pending(self) -> int:
        async with self.here.http.get(f"{self.here.base}/sandbox/pending") as answer:
            return int((await answer.json())["updates"])

    def said(self, key: str) -> list[Any]:
        return [each for each in self.logged if each["event"] == key]

    def no_traceback(self) -> None:
        assert [each for each in self.logged if each.get("exc_info") or "exception" in each] == []


@asynccontextmanager
async def watched(home: Path, **more: str) -> AsyncIterator[Watched]:
    port = free_port()
    with capture_logs() as logged:
        async with town(home, LANGUAGE="en", WEB_PORT=str(port), **more) as here:
            yield Watched(here, port, logged)


def numbers(messages: list[dict[str, Any]]) -> list[str]:
    """The incident that each message speaks of."""
    return sorted(words(each).split()[1] for each in messages if "SD-2026-" in words(each))


async def test_while_another_program_holds_the_database_nothing_is_acknowledged_lost_or_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience, lasts = (storing.LOCKED, 40.0) if LONG else (2.0, 4.0)
    monkeypatch.setattr(storing, "LOCKED", patience)
    async with watched(tmp_path) as seen:
        here = seen.here
        await here.photo(ZHANG, GUANDI, COVER)
        card = await here.sees(WATER, "SD-2026-0001")
        await here.photo(LI, GUANDI)
        await here.settled(quiet=0.2)
        async with held(tmp_path / "data" / "relay.sqlite"):
            until = time.monotonic() + lasts
            pressing = asyncio.create_task(here.press(WATER_MAN, WATER, card, "Accept", wait=lasts))
            await here.photo(ZHANG, GUANDI, f"{COVER} 又一个", media_group=False)
            await here.photo(WANG, NANSHI, "垃圾成堆", media_group=False)
            told = await seen.until_ready(bool)
            assert "another program holds it" in told["storage"]
            while time.monotonic() < until:
                assert await seen.pending() >= 3 and await seen.ready()
                await asyncio.sleep(0.2)
        await seen.until_ready(lambda troubles: not troubles)
        await here.sees(URBAN, "SD-2026-")
        await here.sees(WATER, "In hand")
        # The moment of the draft without words had come meanwhile.
        await here.sees(GUANDI, "哪一类", person=LI)
        await here.settled()
        assert await pressing in ("Done: Accept.", "")
        assert here.rows("select count(*) from incident where number is not null") == [(3,)]
        cards = numbers([*await here.from_bot(WATER), *await here.from_bot(URBAN)])
        assert cards == ["SD-2026-0001", "SD-2026-0002", "SD-2026-0003"]
        assert await seen.pending() == 0
        assert len(seen.said("storage_away")) == len(seen.said("storage_back")) == 1
        seen.no_traceback()


async def test_it_ends_within_ten_seconds_although_another_program_holds_the_database(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with here.running():
            await here.report()
            await here.settled()
            other = held(tmp_path / "data" / "relay.sqlite")
            await other.__aenter__()
            await here.photo(WANG, NANSHI, "垃圾成堆")
            await asyncio.sleep(0.5)
            began = time.monotonic()
        assert time.monotonic() - began < 10
        await other.__aexit__(None, None, None)
        async with here.running():
            await here.sees(URBAN, "SD-2026-0002")
            await here.settled()
        assert here.rows("select count(*) from incident") == [(2,)]


class Pages:
    """SQLite itself may not grow the database: SQLITE_FULL, wherever the test runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        honest = storing.sqlite_engine

        def engine(*given: Any, **more: Any) -> Any:
            made = honest(*given, **more)
            event.listen(made, "connect", lambda raw, _record: self._raw.append(raw))
            return made

        self._raw: list[sqlite3.Connection] = []
        monkeypatch.setattr(storing, "sqlite_engine", engine)

    def full(self) -> None:
        for raw in self._raw:
            (used,) = raw.execute("PRAGMA page_count").fetchone()
            raw.execute(f"PRAGMA max_page_count = {used}")

    def room(self) -> None:
        for raw in self._raw:
            raw.execute("PRAGMA max_page_count = 1000000")


class Disk:
    """A file system of a few megabytes with nothing left on it."""

    def __init__(self, folder: Path) -> None:
        self._filler = folder / "filler"

    def full(self) -> None:
        with self._filler.open("ab", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(b"x" * 4096)

    def room(self) -> None:
        self._filler.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """What a relay at `tmp_path` has its database on."""
    folder = tmp_path / "data"
    folder.mkdir()
    with small(folder):
        yield Disk(folder)


@contextmanager
def small(folder: Path, size: str = "6m") -> Iterator[None]:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a small file system here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_with_a_full_disk_it_waits_says_so_and_goes_on_when_there_is_room(tmp_path: Path, disk: Disk) -> None:
    async with watched(tmp_path) as seen:
        here = seen.here
        await here.photo(ZHANG, GUANDI, COVER)
        card = await here.sees(WATER, "SD-2026-0001")
        await here.settled(quiet=0.2)
        await here.wind(2)
        disk.full()
        for n in range(5):
            person, chat = ((ZHANG, GUANDI), (WANG, NANSHI))[n % 2]
            await here.photo(person, chat, f"{COVER} {n} {'很长的话' * 200}", media_group=False)
            # Past the gathering time, so that each picture is a matter of its own.
            await here.wind(2)
        pressing = asyncio.create_task(here.press(WATER_MAN, WATER, card, "Accept", wait=20))
        told = await seen.until_ready(bool)
        assert told == {"storage": "database or disk is full: make room on the disk of DATA_DIR"}
        waiting = await seen.pending()
        assert waiting > 0
        await asyncio.sleep(1)
        assert await seen.ready() == told and await seen.pending() >= waiting
        disk.room()
        await seen.until_ready(lambda troubles: not troubles)
        await here.sees(WATER, "SD-2026-0006")
        await here.sees(WATER, "In hand")
        await pressing
        await here.settled()
        assert numbers(await here.from_bot(WATER)) == [f"SD-2026-{n:04d}" for n in range(1, 7)]
        assert await seen.pending() == 0
        assert here.rows("select sum(doubled) from post") == [(0,)]
        assert len(seen.said("storage_away")) == len(seen.said("storage_back")) == 1
        seen.no_traceback()


async def test_what_was_sent_when_the_disk_filled_up_is_noted_when_there_is_room_and_not_sent_again(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Telegram.show

    async def show(self: Telegram, place: Any, shape: Any, pictures: Any) -> Any:
        outcome = await honest(self, place, shape, pictures)
        if place.chat_id == WATER and isinstance(shape, Content):
            disk.full()
        return outcome

    async with watched(tmp_path) as seen:
        monkeypatch.setattr(Telegram, "show", show)
        await seen.here.photo(ZHANG, GUANDI, COVER)
        await seen.here.sees(WATER, "SD-2026-0001")
        assert "make room" in (await seen.until_ready(bool))["storage"]
        assert seen.here.rows("select state from post where kind = 'card'") == [("sending",)]
        monkeypatch.setattr(Telegram, "show", honest)
        disk.room()
        await seen.until_ready(lambda troubles: not troubles)
        await seen.here.settled()
        assert seen.here.rows("select state, doubled from post where kind = 'card'") == [("shown", 0)]
        assert len(await seen.here.from_bot(WATER)) == 1


async def test_when_a_commit_of_many_finds_no_room_none_of_them_is_done_by_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = Pages(monkeypatch)
    await migrate("", tmp_path / "relay.sqlite")
    store = storing.SqliteStore(tmp_path / "relay.sqlite")

    def pair(number: int) -> storing.Job[None]:
        """Two rows, the second of which finds no room sometimes."""

        def job(session: Session) -> None:
            session.add(Note(key=f"a{number}", value="x" * 500))
            session.flush()
            session.add(Note(key=f"b{number}", value="x" * 500))

        return job

    await store.write(lambda session: session.add(Note(key="first", value="x")))
    pages.full()
    # More than two groups, handed over at once.
    outcomes = await asyncio.gather(*(store.write(pair(n)) for n in range(300)), return_exceptions=True)
    assert {type(each) for each in outcomes} == {storing.StorageAway} and store.health.trouble
    pages.room()
    await asyncio.gather(*(store.write(pair(n)) for n in range(300)))
    assert not store.health.trouble
    found = await store.read(lambda session: session.exec(select(func.count()).select_from(Note)).one())
    assert found == 601
    await store.close()


async def test_a_folder_that_is_away_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    async with watched(tmp_path) as seen:
        await seen.here.settled()
        (tmp_path / "data").rename(tmp_path / "elsewhere")
        await seen.here.photo(ZHANG, GUANDI, COVER)
        assert "was deleted or replaced" in (await seen.until_ready(bool))["storage"]
        (tmp_path / "elsewhere").rename(tmp_path / "data")
        await seen.here.sees(WATER, "SD-2026-0001")
        await seen.until_ready(lambda troubles: not troubles)
        seen.no_traceback()


async def test_a_database_deleted_under_the_relay_is_saved_and_not_written_to_any_more(tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "data" / "relay.sqlite"
    async with walk(tmp_path, running=False, WEB_PORT=str(port)) as here:
        async with here.running():
            await here.report()
            await here.settled()
            file.unlink()
            seen = Watched(here, port, [])
            await here.photo(WANG, NANSHI, "垃圾成堆")
            told = (await seen.until_ready(bool))["storage"]
            assert "was deleted or replaced" in told and "relay.sqlite.before-deletion" in told
            assert await seen.pending() == 1 and not file.exists()
        # A start makes no new database in its place.
        refused = App(load(tmp_path / "config.env"), lambda _text: None)
        with pytest.raises(StartError, match=r"is not there, but relay\.sqlite\.before-deletion, a copy of it, is"):
            await refused.run()
        file.with_name("relay.sqlite.before-deletion").rename(file)
        async with here.running():
            await here.sees(URBAN, "SD-2026-0002")
            assert here.rows("select number from incident order by id") == [("SD-2026-0001",), ("SD-2026-0002",)]


async def test_a_log_deleted_under_the_relay_costs_nothing_that_was_committed(tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "data" / "relay.sqlite-wal"
    async with walk(tmp_path, running=False, WEB_PORT=str(port)) as here:
        async with here.running():
            await here.report()
            await here.settled()
            log.unlink()
            seen = Watched(here, port, [])
            await here.photo(WANG, NANSHI, "垃圾成堆")
            assert "start the relay again" in (await seen.until_ready(bool))["storage"]
            assert await seen.pending() == 1
        async with here.running():
            await here.sees(URBAN, "SD-2026-0002")
            assert here.rows("pragma integrity_check") == [("ok",)]
            assert here.rows("select number from incident order by id") == [("SD-2026-0001",), ("SD-2026-0002",)]


async def test_a_database_that_is_damaged_while_it_runs_stops_the_intake_and_names_the_cure(tmp_path: Path) -> None:
    file = tmp_path / "data" / "relay.sqlite"
    async with watched(tmp_path) as seen:
        await seen.here.photo(ZHANG, GUANDI, COVER)
        await seen.here.sees(WATER, "SD-2026-0001")
        await seen.here.settled()
        with closing(sqlite3.connect(file)) as base:
            base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with file.open("r+b") as opened:
            opened.seek(4096)
            opened.write(os.urandom(file.stat().st_size - 4096))
        await seen.here.photo(WANG, NANSHI, "垃圾成堆")
        told = (await seen.until_ready(bool))["storage"]
        assert "malformed" in told and "python -m bot restore" in told
        asked = len(seen.logged)
        await asyncio.sleep(3)
        assert await seen.pending() > 0 and len(seen.logged) - asked < 20
        assert len(seen.said("storage_away")) == 1 and not seen.said("update_set_aside")
        seen.no_traceback()
