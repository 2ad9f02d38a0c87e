"""Nothing lost, nothing doubled, while the relay is killed again and again: the short form of `make chaos`."""

import asyncio
import contextlib
import dis
import signal
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import databases
from tests.chaos import failpoints
from tests.chaos.load import Load
from tests.chaos.nest import Ended, nest
from tests.chaos.rounds import ALARMS, Deaths, judged, opened, play
from tests.databases import Database, Sqlite

KILLS = 20
DRAIN = 10.0
SLACK = 2.0
"""Seconds beside the drain for whatever else ends, on a busy machine."""

every_database = pytest.mark.parametrize("kind", databases.KINDS)


@contextlib.contextmanager
def fresh(kind: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database, as a first start finds it."""
    if kind == "sqlite":
        yield Sqlite()
        return
    with request.getfixturevalue("server").fresh(empty=True) as made:
        yield made


@every_database
async def test_killed_twenty_times_under_load_it_loses_and_doubles_nothing(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Two relays side by side, each killed at random moments and at failpoints; the judge says what it found."""
    deaths = Deaths()
    async with nest() as found:
        with fresh(kind, request) as one, fresh(kind, request) as other:
            outcomes = await asyncio.gather(
                *(
                    play(found, tmp_path / str(seed), database, seed, KILLS // 2, deaths)
                    for seed, database in ((1, one), (2, other))
                )
            )
    kills = [kill for outcome in outcomes for kill in outcome.kills]
    verdicts = [outcome.verdict for outcome in outcomes]
    assert len(kills) == KILLS and len(deaths.of) >= KILLS // 5, kills
    assert sum(verdict.reports for verdict in verdicts) >= KILLS
    told, seen = sum(each.doubled_told for each in verdicts), sum(each.doubled_seen for each in verdicts)
    assert seen <= told == sum(each.unknown for each in verdicts)


@every_database
async def test_told_to_stop_under_load_it_ends_what_is_on_its_way_and_loses_nothing(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with nest() as found:
        with fresh(kind, request) as database:
            async with opened(found, tmp_path, database, lag=0.15) as game:
                load = Load(game.door, seed=3, pace=2.0)
                living = asyncio.create_task(load.run())
                for _ in range(3):
                    game.start()
                    await game.running()
                    await asyncio.sleep(2.0)
                    asked = time.monotonic()
                    ended = await game.end(signal.SIGTERM)
                    assert time.monotonic() - asked < DRAIN + SLACK
                    assert ended == Ended(0)
                    # Nothing is left of which the next start would not know whether it arrived.
                    assert await game.on_its_way() == frozenset()
                load.stop()
                await living
                game.start()
                verdict = await judged(game, load, frozenset())
    assert not verdict.findings, "\n".join(verdict.findings)
    assert verdict.doubled_told == verdict.doubled_seen == 0 < verdict.reports


async def test_told_to_stop_while_telegram_hangs_it_waits_ten_seconds_and_no_longer(tmp_path: Path) -> None:
    async with nest() as found, opened(found, tmp_path, Sqlite()) as game:
        load = Load(game.door, seed=4, pace=2.0)
        living = asyncio.create_task(load.run())
        await game.door.post("fault", method="sendPhoto", kind="timeout", seconds=600, times=1000)
        game.start()
        await game.running()
        while len(Sqlite().run(tmp_path, "select id from post where state = 'sending'")) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        asked = time.monotonic()
        assert await game.end(signal.SIGTERM) == Ended(0)
        assert time.monotonic() - asked < DRAIN + SLACK
        load.stop()
        await living
        hung = await game.on_its_way()
        said = [line for line in game.log().splitlines() if any(alarm in line for alarm in ALARMS)]
        assert hung and all("drain_ended" in line for line in said), said
        (tmp_path / "log.txt").unlink()
        await game.door.forget_faults()
        game.start()
        verdict = await judged(game, load, hung)
    assert not verdict.findings, "\n".join(verdict.findings)
    # None of them arrived; nobody could know that.
    assert (verdict.doubled_told, verdict.doubled_seen) == (len(hung), 0)


def _awaits(code: types.CodeType) -> Iterator[tuple[int, Any]]:
    """(kind, place in the source) of each: 0 an await, 1 and 2 the two ends of an `async with`."""
    for instruction in dis.get_instructions(code):
        if instruction.opname == "GET_AWAITABLE":
            yield instruction.arg or 0, instruction.positions
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _awaits(constant)


def test_every_await_of_the_watched_modules_is_a_failpoint() -> None:
    """Counted in another way: by what the compiler makes of the modules."""
    for file in failpoints.WATCHED:
        code: Any = compile((failpoints.ROOT / file).read_text(encoding="utf-8"), file, "exec")
        seen = list(_awaits(code))
        # A loop's condition is compiled twice; two managers of one `async with` share their place.
        found = {0: len({place for kind, place in seen if not kind}), 1: sum(kind == 1 for kind, _ in seen)}
        known = [point.name for point in failpoints.POINTS if point.name.startswith(f"{file}:")]
        entered = [name for name in known if name.endswith(" enter")]
        assert len(entered) == found[1], file
        assert len(known) - 2 * len(entered) == found[0], file
