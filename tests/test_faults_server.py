"""PostgreSQL goes for a minute, is cut off, or refuses: the relay waits, and does nothing twice."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlmodel import Session
from structlog.testing import capture_logs

from storage.migrating import migrate
from storage.store import PostgresStore, StorageAway, StorageDamaged
from storage.tables import Note
from tests import databases
from tests.postgres import _as_postgres, binaries, cluster
from tests.test_faults_database import Watched, numbers
from tests.town import GUANDI, NANSHI, WANG, WATER, ZHANG, free_port, town

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed here; .ci/run installs it"),
]
LONG = bool(os.environ.get("FAULTS_LONG"))
COVER = "自来水井盖坏了"


class Machine:
    """A server of this module's own: it is stopped and started."""

    def __init__(self, url: str, data: Path) -> None:
        self.url, self._data = url, data
        self._address = make_url(url)

    def stop(self) -> None:
        _as_postgres(f"{binaries()}/pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def start(self) -> None:
        options = f"-p {self._address.port} -h 127.0.0.1 -k {self._data} -c fsync=off"
        _as_postgres(
            *(f"{binaries()}/pg_ctl", "-D", str(self._data), "-o", options, "-l", f"{self._data}/log", "-w", "start")
        )

    async def order(self, *statements: str, database: str = "postgres") -> None:
        line = await self.connect(database)
        try:
            for each in statements:
                await line.execute(each)
        finally:
            await line.close()

    async def connect(self, database: str) -> asyncpg.Connection:
        return await asyncpg.connect(host="127.0.0.1", port=self._address.port, user="relay", database=database)

    async def cut(self) -> None:
        """End every connection but the one that says so."""
        await self.order(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    def database(self, name: str, user: str = "relay") -> str:
        return self._address.set(database=name, username=user).render_as_string(hide_password=False)


class At:
    """One database of the machine, as a town asks it for rows in the middle of its loop."""

    def __init__(self, machine: Machine, name: str) -> None:
        self.url, self._machine, self._name = machine.database(name), machine, name

    def run(self, home: Path, statement: str) -> list[tuple[Any, ...]]:
        with ThreadPoolExecutor(1) as beside:
            return beside.submit(asyncio.run, self._fetch(statement)).result()

    async def _fetch(self, statement: str) -> list[tuple[Any, ...]]:
        line = await self._machine.connect(self._name)
        try:
            return [tuple(each) for each in await line.fetch(statement)]
        finally:
            await line.close()


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    # Not below pytest's own folder, which another run may close to the user that PostgreSQL runs as.
    with TemporaryDirectory(prefix="relay-faults-", dir="/tmp") as home, cluster(Path(home)) as url:
        yield Machine(url, Path(home) / "pg")


@pytest.fixture
async def fresh(machine: Machine, request: pytest.FixtureRequest) -> str:
    """The name of a database with this version's tables."""
    name = f"t{abs(hash(request.node.name)) % 10**9}"
    await machine.order(f"CREATE DATABASE {name}")
    await migrate(machine.database(name), Path("unused"))
    return name


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(url)
    try:
        yield store
    finally:
        await store.close()


async def insisted(store: PostgresStore, number: int) -> None:
    """As the intake does: until it is committed, and not once more when it was committed already."""

    def job(session: Session) -> None:
        if session.get(Note, f"done:{number}") is not None:
            return
        session.add(Note(key=f"done:{number}", value=""))
        session.flush()
        session.execute(text("UPDATE note SET value = (value::int + 1)::text WHERE key = 'count'"))

    while True:
        try:
            await store.write(job)
            return
        except StorageAway:
            await asyncio.sleep(0.02)


async def test_a_job_whose_connection_dies_around_its_commit_is_done_once(machine: Machine, fresh: str) -> None:
    jobs = 2000 if LONG else 120
    async with opened(machine.database(fresh)) as store:
        await store.write(lambda session: session.add(Note(key="count", value="0")))
        over, cuts = asyncio.Event(), 0

        async def keep_cutting() -> None:
            nonlocal cuts
            while not over.is_set():
                await machine.cut()
                cuts += 1
                await asyncio.sleep(0.005)

        cutting = asyncio.create_task(keep_cutting())
        waiting = iter(range(jobs))

        async def work() -> None:
            for number in waiting:
                await insisted(store, number)

        await asyncio.gather(*(work() for _ in range(4)))
        over.set()
        await cutting
        assert cuts >= 5
        found = await store.read(lambda session: session.get_one(Note, "count").value)
        done = await store.read(
            lambda session: session.execute(text("SELECT count(*) FROM note WHERE key LIKE 'done:%'")).scalar()
        )
        assert (found, done) == (str(jobs), jobs)


async def test_a_server_that_crashes_and_recovers_is_away_and_nothing_else(machine: Machine, fresh: str) -> None:
    """Refused connections, "the database system is starting up", lost connections: all are the same to who waits."""
    over = asyncio.Event()
    async with opened(machine.database(fresh)) as store:
        await store.write(lambda session: session.add(Note(key="a", value="")))

        async def keep_asking() -> None:
            while not over.is_set():
                with suppress(StorageAway):
                    await store.write(lambda session: session.merge(Note(key="b", value=str(time.time_ns()))) and None)
                await asyncio.sleep(0)

        asking = [asyncio.create_task(keep_asking()) for _ in range(4)]
        for _ in range(2):
            await asyncio.to_thread(machine.stop)
            await asyncio.sleep(0.2)
            assert store.health.trouble
            await asyncio.to_thread(machine.start)
        end = time.monotonic() + 20
        while store.health.trouble:
            assert time.monotonic() < end, store.health.trouble
            await asyncio.sleep(0.05)
        over.set()
        await asyncio.gather(*asking)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("53100", StorageAway),
        ("53200", StorageAway),
        ("57014", StorageAway),
        ("57P01", StorageAway),
        ("25006", StorageAway),
        ("40001", StorageAway),
        ("40P01", StorageAway),
        ("58030", StorageAway),
        ("XX001", StorageDamaged),
    ],
)
async def test_what_the_server_says_of_itself_is_no_fault_of_the_job(
    machine: Machine, fresh: str, state: str, kind: type[StorageAway]
) -> None:
    """Disk full, out of memory, statement timeout, shutting down, read only, serialisation, deadlock, I/O, damage."""
    trip = f"DO $$ BEGIN RAISE EXCEPTION 'in trouble' USING ERRCODE = '{state}'; END $$"
    async with opened(machine.database(fresh)) as store:
        with pytest.raises(StorageAway) as caught:
            await store.write(lambda session: session.execute(text(trip)) and None)
        assert type(caught.value) is kind
        with pytest.raises(Exception, match="division by zero") as own:
            await store.write(lambda session: session.execute(text("SELECT 1 / 0")) and None)
        assert not isinstance(own.value, StorageAway)
        await store.write(lambda session: session.add(Note(key="after", value="")))
        assert not store.health.trouble


async def test_a_server_that_only_reads_after_a_failover_is_away_until_it_writes(machine: Machine, fresh: str) -> None:
    async with opened(machine.database(fresh)) as store:
        await machine.order(f"ALTER DATABASE {fresh} SET default_transaction_read_only = on")
        with pytest.raises(StorageAway, match="read-only transaction"):
            await store.write(lambda session: session.add(Note(key="a", value="")))
        # Reading works, and so does a job that changes nothing: the trouble stays.
        assert await store.read(lambda session: session.get(Note, "a")) is None
        await store.write(lambda session: None)
        assert "read-only" in store.health.trouble
        await machine.order(f"ALTER DATABASE {fresh} RESET default_transaction_read_only")
        await machine.cut()
        end = time.monotonic() + 10
        while store.health.trouble and time.monotonic() < end:
            with suppress(StorageAway):
                await store.write(lambda session: session.merge(Note(key="a", value=str(time.time_ns()))) and None)
        assert not store.health.trouble


async def test_a_server_with_no_connection_left_is_away(machine: Machine, fresh: str) -> None:
    await machine.order("DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN")
    await machine.order("GRANT ALL ON ALL TABLES IN SCHEMA public TO guest", database=fresh)
    await machine.order("ALTER ROLE guest CONNECTION LIMIT 0")
    async with opened(machine.database(fresh, "guest")) as store:
        with pytest.raises(StorageAway, match="too many connections"):
            await store.write(lambda session: session.add(Note(key="a", value="")))
        await machine.order("ALTER ROLE guest CONNECTION LIMIT -1")
        await store.write(lambda session: session.add(Note(key="a", value="")))
    await machine.order("DROP OWNED BY guest", database=fresh)
    await machine.order("DROP ROLE guest")


async def test_a_relay_whose_server_goes_and_is_cut_off_under_load_loses_and_doubles_nothing(
    machine: Machine, fresh: str, tmp_path: Path
) -> None:
    port = free_port()
    with capture_logs() as logged, databases.on(At(machine, fresh)):
        async with town(tmp_path, LANGUAGE="en", WEB_PORT=str(port)) as here:
            seen = Watched(here, port, logged)
            await here.settled()

            async def report(number: int) -> None:
                person, chat = ((ZHANG, GUANDI), (WANG, NANSHI))[number % 2]
                await here.photo(person, chat, f"{COVER} {number}", media_group=False)
                await here.wind(2)

            for n in range(3):
                await report(n)
                await machine.cut()
            stopping = asyncio.create_task(asyncio.to_thread(machine.stop))
            for n in range(3, 6):
                await report(n)
            await stopping
            assert await seen.until_ready(lambda troubles: "storage" in troubles)
            assert await seen.pending() > 0
            await asyncio.to_thread(machine.start)
            await seen.until_ready(lambda troubles: not troubles, within=40)
            await here.sees(WATER, "SD-2026-0006", within=40)
            await here.settled(quiet=2)
            doubled = here.rows("SELECT coalesce(sum(doubled), 0) FROM post")
            filed = here.rows("SELECT number FROM incident ORDER BY number")
            assert [row[0] for row in filed] == [f"SD-2026-{n:04d}" for n in range(1, 7)]
            cards = numbers(await here.from_bot(WATER))
            assert sorted(set(cards)) == [row[0] for row in filed] and len(cards) - 6 <= doubled[0][0]
            assert not seen.said("update_set_aside") and not seen.said("loop_failed")
            assert 1 <= len(seen.said("storage_away")) <= 5
            seen.no_traceback()
