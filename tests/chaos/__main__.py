"""The long form: `make chaos`, with KILLS, DATABASE (sqlite, postgres, both) and SEED.

Rounds of twenty kills, two side by side, until there were as many as wished for on each database; then a table, the
failpoints that no load reached, and exit code 1 when a round had findings. What a failing round left stays on disk.
"""

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import make_url

from tests.chaos.nest import Nest, nest
from tests.chaos.rounds import Deaths, Outcome, play
from tests.databases import Database, Sqlite
from tests.postgres import binaries, serving

KILLS = 20
"""In one round."""
SIDE_BY_SIDE = 2
SHARE = 0.75
"""Which part of the kills comes at a failpoint: there are some four hundred to die at."""

Fresh = Callable[[], AbstractContextManager[Database]]


@dataclass
class Campaign:
    """All rounds on one kind of database."""

    kind: str
    outcomes: list[Outcome] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    deaths: Deaths = field(default_factory=Deaths)
    reached: dict[str, int] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def rows(self) -> Iterator[tuple[str, str]]:
        kills = [kill for outcome in self.outcomes for kill in outcome.kills]
        verdicts = [outcome.verdict for outcome in self.outcomes]
        told, seen = sum(each.doubled_told for each in verdicts), sum(each.doubled_seen for each in verdicts)
        at_random = sum(kill.how == "random" for kill in kills)
        awaits = {name.rsplit(" ", 1)[0] for name in self.reached}
        reached = {name.rsplit(" ", 1)[0] for name, times in self.reached.items() if times}
        died = {name.rsplit(" ", 1)[0] for name in self.deaths.of}
        yield "kills", f"{len(kills)}: {at_random} at random moments, {len(kills) - at_random} at failpoints"
        yield "rounds, failed", f"{len(self.outcomes) + len(self.failed)}, {len(self.failed)}"
        yield "awaits: all, reached, died at", f"{len(awaits)}, {len(reached)}, {len(died)}"
        yield (
            "failpoints: all, reached, died at",
            (f"{len(self.reached)}, {sum(map(bool, self.reached.values()))}, {len(self.deaths.of)}"),
        )
        yield (
            "reports, incidents",
            f"{sum(each.reports for each in verdicts)}, {sum(each.incidents for each in verdicts)}",
        )
        yield "presses and replies", str(sum(each.acts for each in verdicts))
        yield "events, posts", f"{sum(each.events for each in verdicts)}, {sum(each.posts for each in verdicts)}"
        yield "lost, done twice, shown wrongly", "0" if not self.failed else "see the failed rounds"
        yield "first sends on their way at a kill", str(sum(each.unknown for each in verdicts))
        yield "doubled: counted by the relay, seen in the chats", f"{told}, {seen}"
        yield "counted, but it never arrived", str(told - seen)
        yield "start to running, s", _spread([second for each in self.outcomes for second in each.starting])
        yield "start to nothing waiting, s", _spread([second for each in self.outcomes for second in each.recovering])
        yield "took, s", f"{self.seconds:.0f}"


def _spread(seconds: list[float]) -> str:
    return f"p50 {statistics.median(seconds):.2f}, max {max(seconds):.2f} ({len(seconds)})" if seconds else "-"


async def campaign(kind: str, kills: int, seed: int, fresh: Fresh, home: Path) -> Campaign:
    """So many kills on fresh databases of one kind."""
    made, began = Campaign(kind), time.monotonic()
    waiting = [(seed * 1000 + number, min(KILLS, kills - number * KILLS)) for number in range(-(-kills // KILLS))]
    async with nest() as found:
        await asyncio.gather(*(_rounds(made, found, waiting, fresh, home) for _ in range(SIDE_BY_SIDE)))
        made.reached, made.codes = await found.counts(), found.codes
    made.seconds = time.monotonic() - began
    return made


async def _rounds(made: Campaign, found: Nest, waiting: list[tuple[int, int]], fresh: Fresh, home: Path) -> None:
    while waiting:
        seed, kills = waiting.pop(0)
        here = home / f"{made.kind}-{seed}"
        with fresh() as database:
            try:
                outcome = await play(found, here, database, seed, kills, made.deaths, SHARE)
            except AssertionError as error:
                made.failed.append(f"{error}")
                keep(database, here)
                print(f"{made.kind} {seed}: FAILED, everything is in {here}\n{error}", flush=True)
                continue
        made.outcomes.append(outcome)
        verdict = outcome.verdict
        print(
            f"{made.kind} {seed}: {len(outcome.kills)} kills, {verdict.reports} reports, {verdict.acts} acts, "
            f"doubled {verdict.doubled_told}/{verdict.doubled_seen}, {outcome.seconds:.0f} s",
            flush=True,
        )
        shutil.rmtree(here)


def keep(database: Database, here: Path) -> None:
    """A server's rows beside the rest of a round that failed: the database itself is dropped."""
    if database.url:
        address = make_url(database.url).set(drivername="postgresql").render_as_string(hide_password=False)
        programs = binaries()
        dump = programs / "pg_dump" if programs else Path("pg_dump")
        subprocess.run([dump, "--inserts", "-f", here / "rows.sql", address], check=False)


def tell(made: Campaign) -> None:
    """The table, and what no kill came to."""
    print(f"\n{made.kind}")
    for name, value in made.rows():
        print(f"  {name:<50} {value}")
    never = [name for name in made.codes if not any(times for at, times in made.reached.items() if _of(at, name))]
    alive = [
        name
        for name in made.codes
        if name not in never and not any(times for at, times in made.deaths.of.items() if _of(at, name))
    ]
    for title, names in (("Awaits that this load never reached", never), ("Reached, never died at", alive)):
        print(f"\n  {title}: {len(names)}")
        for name in names:
            print(f"    {name:<45} {made.codes[name][:100]}")


def _of(failpoint: str, await_: str) -> bool:
    return failpoint.rsplit(" ", 1)[0] == await_


@contextlib.contextmanager
def _sqlite() -> Iterator[Database]:
    yield Sqlite()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    told = parser.parse_args()
    # What names the tests' server must not reach the relays that are started here.
    given = os.environ.pop("DATABASE_URL", "")
    home = Path(tempfile.mkdtemp(prefix="relay-chaos-"))
    print(f"seed {told.seed}; {told.kills} kills on each database; what fails stays in {home}", flush=True)
    made = []
    if told.database in ("sqlite", "both"):
        made.append(asyncio.run(campaign("sqlite", told.kills, told.seed, _sqlite, home)))
    if told.database in ("postgres", "both"):
        with serving(given) as server:
            fresh = lambda: server.fresh(empty=True)  # noqa: E731
            made.append(asyncio.run(campaign("postgres", told.kills, told.seed, fresh, home)))
    for each in made:
        tell(each)
    failed = sum(len(each.failed) for each in made)
    if not failed:
        home.rmdir()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
