"""Backups under load, on full disks, and killed: each holds every commit up to one moment, or there is none.

`FAULTS_LONG=1 … -k figures -s` prints what a backup and a restore cost with ten thousand incidents.
"""

import asyncio
import os
import signal
import sqlite3
import sys
import time
from contextlib import closing
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session

from bot import archive, maintenance
from bot.clock import Clock
from bot.opening import StartError, open_database, unfinished_restore
from bot.settings import Settings, load
from storage.copying import BackupError, unsound
from storage.store import Store
from storage.tables import Community, Event, Incident, Note, Part, Post, Timer
from tests.postgres import binaries
from tests.test_faults_database import Disk, small
from tests.town import GUANDI, WATER, ZHANG, alliance, config

pytestmark = pytest.mark.once
LONG = bool(os.environ.get("FAULTS_LONG"))
needs_postgres = pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed here; .ci/run installs it")


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    alliance(tmp_path)
    found = load(config(tmp_path, "http://127.0.0.1:9"))
    await maintenance.apply(found, found.alliance_file, lambda _text: None)
    return found


class Writing:
    """Somebody who writes numbered rows one after the other, and knows what was committed and how long it took."""

    def __init__(self, store: Store) -> None:
        self._store, self._ending = store, False
        self.committed = 0
        self.longest = 0.0
        self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        for number in count(1):
            if self._ending:
                return
            began = time.monotonic()
            await self._store.write(
                lambda session, number=number: session.add(Note(key=f"n:{number}", value="x" * 300))  # type: ignore[misc]
            )
            self.longest = max(self.longest, time.monotonic() - began)
            self.committed = number

    async def reached(self, number: int) -> None:
        while self.committed < number:
            assert not self._task.done(), self._task
            await asyncio.sleep(0.005)

    async def end(self) -> None:
        self._ending = True
        await self._task


def is_prefix(numbers: list[int], at_least: int, at_most: int) -> bool:
    """Whether these are all the numbers up to one of them."""
    return numbers == list(range(1, len(numbers) + 1)) and at_least <= len(numbers) <= at_most


async def test_a_backup_has_every_commit_before_it_and_none_after_a_gap(settings: Settings, tmp_path: Path) -> None:
    store = await open_database(settings)
    writing = Writing(store)
    for turn in range(20 if LONG else 3):
        await writing.reached(writing.committed + 50)
        before, target = writing.committed, tmp_path / f"{turn}.tar.gz"
        # As the operator does it: another process, beside the relay.
        await commanded(tmp_path, "backup", str(target))
        after = writing.committed
        (tmp_path / str(turn)).mkdir()
        archive.unpack(target, tmp_path / str(turn))
        copy = tmp_path / str(turn) / "relay.sqlite"
        with closing(sqlite3.connect(copy)) as base:
            found = [
                int(row[0][2:]) for row in base.execute("SELECT key FROM note WHERE key LIKE 'n:%' ORDER BY rowid")
            ]
        assert is_prefix(found, before, after + 1) and not unsound(copy), (before, len(found), after)
    await writing.end()
    await store.close()
    print(f"longest write while backups ran: {writing.longest * 1000:.0f} ms of {writing.committed} writes")
    assert writing.longest < 10


async def commanded(home: Path, *arguments: str) -> str:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments, "--config", str(home / "config.env")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await child.communicate()
    assert child.returncode == 0, told
    return told.decode()


@needs_postgres
async def test_a_backup_of_postgresql_has_every_commit_before_it_and_none_after_a_gap(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server = request.getfixturevalue("server")
    alliance(tmp_path)
    with server.fresh() as made:
        settings = load(config(tmp_path, "http://127.0.0.1:9", DATABASE_URL=made.url))
        store = await open_database(settings)
        writing = Writing(store)
        for turn in range(10 if LONG else 2):
            await writing.reached(writing.committed + 50)
            before, target = writing.committed, tmp_path / f"{turn}.tar.gz"
            await maintenance.backup(settings, target, lambda _text: None)
            after = writing.committed
            with server.fresh(empty=True) as other:
                there = load(config(tmp_path, "http://127.0.0.1:9", DATABASE_URL=other.url))
                await maintenance.restore(there, target, lambda _text: None)
                rows = await asyncio.to_thread(other.run, tmp_path, "SELECT key FROM note WHERE key LIKE 'n:%'")
                assert is_prefix(sorted(int(row[0][2:]) for row in rows), before, after + 1)
        await writing.end()
        await store.close()
        print(f"longest write while pg_dump ran: {writing.longest * 1000:.0f} ms of {writing.committed} writes")


async def test_a_backup_that_finds_no_room_is_one_line_and_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    refused = 0
    for size in range(60, 700, 80):
        with small(folder, f"{size}k"):
            try:
                await maintenance.backup(settings, folder / "x.tar.gz", lambda _text: None)
            except BackupError as error:
                refused += 1
                assert "\n" not in str(error) and list(folder.iterdir()) == [], error
    assert refused >= 3


async def test_a_restore_that_finds_no_room_leaves_the_old_database_in_its_place(
    settings: Settings, tmp_path: Path
) -> None:
    backup = tmp_path / "x.tar.gz"
    await maintenance.backup(settings, backup, lambda _text: None)
    there = settings.model_copy(update={"data_dir": tmp_path / "small"})
    there.data_dir.mkdir()
    refused = 0
    for free in range(0, 1600, 100):
        with small(there.data_dir, "4m"):
            await (await open_database(there)).close()
            with closing(sqlite3.connect(there.data_dir / "relay.sqlite")) as base, base:
                base.execute("INSERT INTO note VALUES ('old', 'yes')")
            Disk(there.data_dir).full()
            with (there.data_dir / "filler").open("r+b") as filler:
                filler.truncate(max(0, (there.data_dir / "filler").stat().st_size - (free << 10)))
            try:
                await maintenance.restore(there, backup, lambda _text: None)
            except (BackupError, StartError) as error:
                refused += 1
                assert "\n" not in str(error) and "is no backup" not in str(error)
                Disk(there.data_dir).room()
                assert noted(there.data_dir / "relay.sqlite") == "old", error
                assert not list(there.data_dir.glob(".relay-*"))
    assert refused >= 3


def noted(file: Path) -> str:
    """Which of the two bases this is, if it is whole."""
    assert not unsound(file)
    with closing(sqlite3.connect(file)) as base:
        return "old" if base.execute("SELECT 1 FROM note WHERE key = 'old'").fetchone() else "new"


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from bot import maintenance
from bot.settings import load

settings, backup = load(Path(sys.argv[1])), Path(sys.argv[2])
deadly = int(sys.argv[3])
seen = 0

def watch(event, given):
    global seen
    written = event == "open" and isinstance(given[1], str) and given[1][:1] in "wax"
    if event in ("os.rename", "os.link", "os.remove", "os.truncate", "shutil.copyfile", "sqlite3.connect") or written:
        seen += 1
        if seen == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
asyncio.run(maintenance.restore(settings, backup, lambda text: None))
os._exit(0)
"""


@pytest.mark.parametrize("crashed", [False, True], ids=["closed", "crashed"])
async def test_a_restore_killed_anywhere_leaves_the_old_database_or_the_new_one(
    settings: Settings, tmp_path: Path, crashed: bool
) -> None:
    backup, file = tmp_path / "x.tar.gz", settings.data_dir / "relay.sqlite"
    await maintenance.backup(settings, backup, lambda _text: None)
    with closing(sqlite3.connect(file)) as base, base:
        base.execute("INSERT INTO note VALUES ('old', 'yes')")
    kept = {each.name: each.read_bytes() for each in settings.data_dir.iterdir() if each.is_file()}
    if crashed:
        kept = left_by_a_crash(file, kept)
    seen = set()
    # All steps have to be gone through at the end, where the files change places; far before it nothing is touched.
    for deadly in range(1, 200, 1 if LONG else 4):
        for each in settings.data_dir.iterdir():
            if each.is_file():
                each.unlink()
        for name, content in kept.items():
            (settings.data_dir / name).write_bytes(content)
        done = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", KILLED, str(tmp_path / "config.env"), str(backup), str(deadly))
        )
        ended = await done.wait()
        seen.add(noted(file))
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
    assert ended == 0 and seen == {"old", "new"}


def left_by_a_crash(file: Path, kept: dict[str, bytes]) -> dict[str, bytes]:
    """The old base as kill -9 leaves it: what says that it is the old one stands in its log alone."""
    with closing(sqlite3.connect(file, isolation_level=None)) as base:
        base.execute("DELETE FROM note WHERE key = 'old'")
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        base.execute("INSERT INTO note VALUES ('old', 'yes')")
        return {each.name: each.read_bytes() for each in file.parent.iterdir() if each.is_file()}


@needs_postgres
async def test_a_relay_does_not_start_on_a_postgresql_that_was_restored_by_half(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alliance(tmp_path)
    server = request.getfixturevalue("server")
    with server.fresh() as made, server.fresh(empty=True) as other, server.fresh(empty=True) as third:
        settings = load(config(tmp_path, "http://127.0.0.1:9", DATABASE_URL=made.url))
        await maintenance.backup(settings, tmp_path / "x.tar.gz", lambda _text: None)
        there = load(config(tmp_path, "http://127.0.0.1:9", DATABASE_URL=other.url))

        async def killed(*_given: Any) -> Any:
            raise KeyboardInterrupt

        monkeypatch.setattr(maintenance, "_settle", killed)
        with pytest.raises(KeyboardInterrupt):
            await maintenance.restore(there, tmp_path / "x.tar.gz", lambda _text: None)
        with pytest.raises(StartError, match="was not finished: name a new, empty one"):
            await open_database(there)
        await (await open_database(settings)).close()
        monkeypatch.undo()
        last = load(config(tmp_path, "http://127.0.0.1:9", DATABASE_URL=third.url))
        await maintenance.restore(last, tmp_path / "x.tar.gz", lambda _text: None)
        await (await open_database(last)).close()
        assert not unfinished_restore(last).exists()


async def test_the_figures_of_a_backup_and_a_restore(settings: Settings, tmp_path: Path) -> None:
    incidents, still_open = (10_000, 300) if LONG else (300, 20)
    store = await open_database(settings)
    now = Clock().now()
    for start in range(0, incidents, 500):
        last = min(start + 500, incidents)
        await store.write(lambda session, a=start, b=last: lived(session, now, a, b, still_open))  # type: ignore[misc]
    await store.close()
    began = time.monotonic()
    await commanded(tmp_path, "backup", str(tmp_path / "x.tar.gz"))
    saved = time.monotonic() - began
    (settings.data_dir / "relay.sqlite").unlink()
    began = time.monotonic()
    told = await commanded(tmp_path, "restore", str(tmp_path / "x.tar.gz"))
    print(f"{incidents} incidents, {still_open} with a reminder overdue: backup {saved:.1f} s, ", end="")
    print(f"restore {time.monotonic() - began:.1f} s; {(tmp_path / 'x.tar.gz').stat().st_size >> 10} KB")
    assert f"restored {incidents} incidents" in told and "wait: python -m bot resume" in told


def lived(session: Session, now: Any, start: int, last: int, still_open: int) -> None:
    """Incidents with what belongs to them, the first `still_open` of them open and with a reminder that is overdue."""
    community = session.get_one(Community, 2)
    for n in range(start, last):
        at = now - timedelta(days=1, seconds=n)
        waits = n < still_open
        incident = Incident(
            community_id=community.ident,
            number=f"SD-2026-{n + 1:04d}",
            status="dispatched" if waits else "closed",
            category="cover.water",
            chat_id=GUANDI,
            message_id=n + 1,
            author_id=ZHANG,
            reporter_id=ZHANG,
            created_at=at,
            gather_until=at,
            filed_at=at,
            dispatched_at=at,
            accept_due=at + timedelta(minutes=30),
            repair_due=at + timedelta(hours=6),
            reminded_at=at,
            unit_id=1,
            cards=1,
        )
        session.add(incident)
        session.flush()
        own = {"incident_id": incident.ident, "subject": f"incident:{incident.id}", "wanted": 1, "shown": 1}
        session.add(
            Part(
                incident_id=incident.ident,
                chat_id=GUANDI,
                message_id=n + 1,
                user_id=ZHANG,
                role="report",
                text="自来水井盖坏了",
                at=at,
            )
        )
        for kind, chat in (("card", WATER), ("line", GUANDI), ("reaction", GUANDI)):
            session.add(Post(kind=kind, chat_id=chat, seq=1, state="shown", message_ids=[n], form="text", **own))
        for act in ("file", "dispatch"):
            session.add(
                Event(
                    incident_id=incident.ident, community_id=community.ident, at=at, act=act, actor_id=0, after="filed"
                )
            )
        if waits:
            session.add(Timer(incident_id=incident.ident, kind="remind", next_at=at + timedelta(minutes=22)))
