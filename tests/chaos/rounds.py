"""One round: emulator, relay and people; the relay is killed so many times, and the judge looks when all is at rest.

A kill comes at a random moment, starting included, or at a failpoint; the next start follows at once. The failpoint is
chosen among those that the load was seen to reach, those never died at first.
"""

import asyncio
import contextlib
import json
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from bot.opening import ground_of
from bot.settings import load as settings_of
from storage.posts import next_due
from storage.store import Store, open_store
from storage.timers import next_timer
from tests.chaos.judge import Case, Unknown, Verdict, judge, loaded
from tests.chaos.load import WINDS, Door, Load
from tests.chaos.nest import Child, Ended, Nest
from tests.chaos.victim import Death
from tests.databases import Database, Sqlite, file
from tests.schema import wrong_with_request
from tests.town import config, free_port

ALLIANCE = Path(__file__).with_name("alliance.toml")
LAG = 0.03
"""Most seconds a call takes to the emulator, and its answer back."""
REST = 0.5
"""Seconds without a call after which the relay is at rest."""
PATIENCE = 90.0
ALARMS = ("Traceback", "[warning", "[error", "[critical")
"""What no relay has a reason to say that is killed and started again, and no emulator either."""


@dataclass(frozen=True)
class Kill:
    """`how`: a failpoint, or `random`; `after`: seconds since the start; `missed`: the failpoint it did not get to."""

    how: str
    after: float
    missed: str = ""


@dataclass
class Deaths:
    """Which failpoints were died at so far, in all rounds of one run."""

    of: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)

    def choose(self, reached: dict[str, int], chance: random.Random) -> Death | None:
        """The next failpoint: of those a load was seen to reach one died at least often. None: none was reached yet."""
        known = [name for name, times in reached.items() if times]
        # The way from receipt to record first; what is wired at the start now and then.
        inner = [name for name in known if not name.startswith("bot/app.py")]
        known = inner if inner and chance.random() < 0.85 else known
        if not known:
            return None
        tried = Counter[str]()
        for name, times in (*self.of.items(), *self.missed.items()):
            tried[name.rsplit(" ", 1)[0]] += times

        def rank(name: str) -> tuple[int, int]:
            """Every await once, before any is died at in another phase."""
            return tried[name.rsplit(" ", 1)[0]], self.of[name] + self.missed[name]

        fewest = min(map(rank, known))
        name = chance.choice([name for name in known if rank(name) == fewest])
        # Half of them live for a while first: what is reached all the time is not only died at right after the start.
        return Death(name, chance.choice((0.0, chance.uniform(0.5, LIVING + 1))))


@dataclass
class Outcome:
    """What a round has shown."""

    home: Path
    seed: int
    kills: list[Kill] = field(default_factory=list)
    starting: list[float] = field(default_factory=list)
    """Seconds from each start to "is running"."""
    recovering: list[float] = field(default_factory=list)
    """Seconds from a start until every update that waited was acknowledged and every post due was out."""
    verdict: Verdict = field(default_factory=Verdict)
    seconds: float = 0.0


class Round:
    """One emulator with one relay, which is started again and again."""

    def __init__(self, nest: Nest, home: Path, database: Database, base: str, door: Door) -> None:
        self.nest, self.home, self.database, self.base, self.door = nest, home, database, base, door
        self.relay: Child | None = None
        self.started = 0.0
        self._said = 0

    def start(self, death: Death | None = None) -> None:
        self._said = self._log.stat().st_size if self._log.exists() else 0
        self.started = time.monotonic()
        self.relay = self.nest.hatch(
            "relay", self.home / "log.txt", "run", "--config", str(self.home / "config.env"), death=death
        )

    @property
    def _log(self) -> Path:
        return self.home / "log.txt"

    def log(self, since: int = 0) -> str:
        """What the relays have said, from that byte on."""
        if not self._log.exists():
            return ""
        with self._log.open("rb") as file:
            file.seek(since)
            return file.read().decode("utf-8", "replace")

    async def running(self) -> float:
        """Wait until the relay says that it runs; the seconds it took. Raises when it ends before."""
        ended = await self.ended(0)
        assert ended is None, f"the relay did not start, {ended}: {self.log(self._said)}"
        return time.monotonic() - self.started

    async def end(self, number: int) -> Ended:
        assert self.relay is not None
        return await asyncio.wait_for(self.relay.kill(number), PATIENCE)

    async def ended(self, within: float, from_its_start: bool = False) -> Ended | None:
        """How the relay ended, if it did so within these seconds since it runs, or since it was started."""
        assert self.relay is not None
        if not from_its_start:
            running = asyncio.ensure_future(self._runs())
            await asyncio.wait({self.relay.ended, running}, return_when=asyncio.FIRST_COMPLETED)
            running.cancel()
        await asyncio.wait({self.relay.ended}, timeout=within)
        return self.relay.ended.result() if self.relay.ended.done() else None

    async def _runs(self) -> None:
        while "is running as" not in self.log(self._said):
            assert time.monotonic() < self.started + PATIENCE, f"the relay never ran: {self.log(self._said)}"
            await asyncio.sleep(0.01)

    def on_its_way(self) -> "asyncio.Future[frozenset[Unknown]]":
        """First sends of which the killed relay did not know whether they arrived. The next one may be started at once:
        SQLite's files are copied before this returns; a server is asked as soon as it has heard of the death."""
        if isinstance(self.database, Sqlite):
            found = asyncio.get_running_loop().create_future()
            found.set_result(_unknown(lambda: self._copied(SENDING)))
            return found
        return asyncio.ensure_future(self._asked(time.time()))

    async def _asked(self, died: float) -> frozenset[Unknown]:
        """Once the server has heard of the death: until then it may still commit what it was told last."""
        still = (
            "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
            f"and backend_start < to_timestamp({died})"
        )
        while self.database.run(self.home, still)[0][0]:  # noqa: ASYNC110 - the server rings no bell
            await asyncio.sleep(0.005)
        return _unknown(lambda: self.database.run(self.home, SENDING))

    def _copied(self, asked: str) -> list[tuple[Any, ...]]:
        """Read in a copy of the files as the dead relay left them: the next start shall find them untouched."""
        there, here = file(self.home), self.home / "copied" / "relay.sqlite"
        if not there.exists():
            return []
        shutil.rmtree(here.parent, ignore_errors=True)
        here.parent.mkdir()
        for end in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{there}{end}", f"{here}{end}")
        with contextlib.closing(sqlite3.connect(here)) as base:
            return base.execute(asked).fetchall()

    async def calm(self, store: Store, within: float = PATIENCE) -> None:
        """Wait until no update waits, nothing is due, and the relay has asked nothing for a while."""
        end, seen, since = time.monotonic() + within, 1, time.monotonic()
        left = ""
        while time.monotonic() < end:
            pending = (await self.door.get("pending"))["updates"]
            calls = await self.door.get("calls", since=seen)
            seen = calls["next"]
            spoke = [call["method"] for call in calls["calls"] if call["method"] != "getUpdates"]
            due = await self._due(store)
            if pending or spoke or due:
                since = time.monotonic()
                left = f"{pending} updates, {due} due, last calls {spoke[-3:]}"
            elif time.monotonic() - since >= REST:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"the relay never came to rest: {left}; {self.home}")

    async def _due(self, store: Store) -> str:
        now = datetime.fromtimestamp((await self.door.get("clock"))["now"], UTC)
        posts, timers = await store.read(lambda session: (next_due(session), next_timer(session)))
        late = {"posts": posts, "timers": timers}
        return ", ".join(f"{name} since {at}" for name, at in late.items() if at is not None and at <= now)


SENDING = """select id, chat_id, kind, lease from post
    where state in ('sending', 'unknown') and lease is not null"""
"""The second of these where the next relay was faster than the question; the lease tells one attempt from another."""


def _unknown(ask: Callable[[], list[tuple[Any, ...]]]) -> frozenset[Unknown]:
    try:
        return frozenset(Unknown(*row) for row in ask())
    except Exception as error:
        # Killed before it had made its tables.
        if "no such table" in str(error) or "does not exist" in str(error):
            return frozenset()
        raise


@contextlib.asynccontextmanager
async def opened(nest: Nest, home: Path, database: Database, lag: float = LAG) -> AsyncIterator[Round]:
    """An emulator, and the files of a relay that is not started yet. The emulator and the relay end with the block."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    emulator = nest.hatch("emulator", home / "emulator.txt", "sandbox", "--port", str(port), lag=lag)
    shutil.copyfile(ALLIANCE, home / "alliance.toml")
    config(home, base, LANGUAGE="en", LOG_LEVEL="INFO", DATABASE_URL=database.url)
    async with aiohttp.ClientSession() as http:
        door = Door(base, http)
        made = Round(nest, home, database, base, door)
        try:
            await _up(door, emulator, home)
            # Nobody waits for Telegram's limits here: the relay is told so too (tests.chaos.victim).
            await door.post("limits", enforce=False)
            yield made
        finally:
            for child in (made.relay, emulator):
                if child is not None:
                    await child.kill()


async def _up(door: Door, emulator: Child, home: Path) -> None:
    for _ in range(600):
        assert not emulator.ended.done(), (home / "emulator.txt").read_text()
        with contextlib.suppress(aiohttp.ClientError):
            await door.get("pending")
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the emulator never answered")


EARLY = 0.2
"""Which part of the random kills comes while the relay still starts."""
STARTING = 0.6
"""Most seconds after the start of such a kill."""
LIVING = 2.0
"""Most seconds that a relay lives once it runs, before a kill at a random moment."""
REACHING = 3.0
"""Seconds in which a failpoint should be reached once it runs; else the kill comes at that moment."""


async def play(
    nest: Nest,
    home: Path,
    database: Database,
    seed: int,
    kills: int,
    deaths: Deaths,
    share: float = 0.5,
    busy: float = 1.0,
) -> Outcome:
    """A round of so many kills, of which the part `share` is at failpoints.

    Raises AssertionError, naming `home`, when the judge finds anything.
    """
    outcome, began = Outcome(home, seed), time.monotonic()
    chance = random.Random(seed)
    async with opened(nest, home, database) as game:
        load = Load(game.door, seed, busy)
        living = asyncio.create_task(load.run())
        looking: list[asyncio.Future[frozenset[Unknown]]] = []
        try:
            for number in range(kills):
                outcome.kills.append(await _killed(game, deaths, chance, outcome, share, first=number == 0))
                looking.append(game.on_its_way())
        finally:
            load.stop()
            await living
        game.start()
        await game.running()
        await _recovered(game, outcome)
        unknown = frozenset().union(*await asyncio.gather(*looking))
        outcome.verdict = await judged(game, load, unknown)
    outcome.seconds = time.monotonic() - began
    findings = outcome.verdict.findings
    if findings:
        told = "\n".join(findings[:40])
        raise AssertionError(f"{len(findings)} findings, seed {seed}; everything is in {home}:\n{told}")
    return outcome


async def _killed(
    game: Round, deaths: Deaths, chance: random.Random, outcome: Outcome, share: float, first: bool
) -> Kill:
    """Start the relay and kill it. The `first` start makes the tables, and half of those are cut short."""
    death = deaths.choose(await game.nest.counts(), chance) if chance.random() < share else None
    early = chance.uniform(0, STARTING) if death is None and chance.random() < (0.5 if first else EARLY) else None
    living = REACHING if death else chance.uniform(0, LIVING)
    game.start(death)
    recovering = asyncio.create_task(_recovered(game, outcome))
    ended = await game.ended(early if early is not None else living, from_its_start=early is not None)
    recovering.cancel()
    after = time.monotonic() - game.started
    if ended is None:
        killed = await game.end(signal.SIGKILL)
        assert killed.code == -signal.SIGKILL, killed
        if death is not None and killed.died_at is None:
            deaths.missed[death.failpoint] += 1
            return Kill("random", after, death.failpoint)
        ended = killed
    if death is None:
        return Kill("random", after)
    assert ended == Ended(-signal.SIGKILL, death.failpoint), f"it ended by itself: {ended}, {game.log()[-2000:]}"
    deaths.of[death.failpoint] += 1
    return Kill(death.failpoint, after)


async def _recovered(game: Round, outcome: Outcome) -> None:
    """Note how long the start took, and until nothing waited to be taken in any more."""
    if await game.ended(0) is not None:
        return
    outcome.starting.append(time.monotonic() - game.started)
    while (await game.door.get("pending"))["updates"]:  # noqa: ASYNC110 - nor does the emulator
        await asyncio.sleep(0.01)
    outcome.recovering.append(time.monotonic() - game.started)


async def judged(game: Round, load: Load, unknown: frozenset[Unknown]) -> Verdict:
    """Let everything come to rest, stop the relay as its operator does, and look."""
    store = open_store(game.database.url, file(game.home))
    try:
        for wound in (0, *LAST_WINDS):
            await game.door.post("clock", advance=wound)
            await game.calm(store)
        ended = await game.end(signal.SIGTERM)
        state = await game.door.get("state", limit=1_000_000)
        case = Case(
            ground=ground_of(settings_of(game.home / "config.env")),
            now=datetime.fromtimestamp(state["now"], UTC),
            memory=load.memory,
            unknown=unknown,
            chats=loaded(state),
            winds=tuple(sorted({*WINDS, *LAST_WINDS})),
        )
        verdict = await store.read(lambda session: judge(session, case))
    finally:
        await store.close()
    calls = (await game.door.get("calls"))["calls"]
    verdict.findings += {wrong for call in calls if (wrong := wrong_with_request(call["method"], call["request"]))}
    verdict.expect(ended.code == 0, f"told to stop, it ended with {ended.code}")
    alarms = [line for line in game.log().splitlines() if any(alarm in line for alarm in ALARMS)]
    alarms += (game.home / "emulator.txt").read_text(encoding="utf-8").splitlines()[1:]
    verdict.expect(not alarms, f"the log says {len(alarms)} times: {alarms[:3]}")
    if verdict.findings:
        for name, kept in (("state", state), ("calls", calls)):
            (game.home / f"{name}.json").write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    return verdict


LAST_WINDS = (63, 330)
"""Past the minute for undo, and past the prompts that nobody answers."""
