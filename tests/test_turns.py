"""One queue for all chats: what is urgent waits behind nobody, and the limit that holds for all is never passed."""

import asyncio
import time
from unittest.mock import patch

import pytest

from bot.domain import pace
from bot.domain.pace import Paces
from bot.services.turns import Rank, Turns

QUICK = ((10, 0.2),)
"""Ten in a fifth of a second, so that the tests are not about waiting."""


@pytest.fixture
def quick():  # type: ignore[no-untyped-def]
    with patch.multiple(pace, ALL=QUICK, GROUP=((1000, 1.0),), SLACK=0.01):
        yield


class Calls:
    """Who was let through, and when."""

    def __init__(self, at_once: int = 32) -> None:
        self.turns = Turns(Paces(), at_once)
        self.order: list[str] = []
        self.moments: list[float] = []
        self.together = self.most = 0

    async def call(
        self, name: str, rank: Rank = Rank.ORDINARY, chat: int | None = -1, lasts: float = 0.0, before: float = 0.0
    ) -> bool:
        async with self.turns.turn(rank, chat, patience=20.0) as mine:
            if mine:
                await asyncio.sleep(before)
                mine.begin()
                self.order.append(name)
                self.moments.append(time.monotonic())
                self.together += 1
                self.most = max(self.most, self.together)
                await asyncio.sleep(lasts)
                self.together -= 1
        return mine is not None


async def test_an_urgent_call_goes_before_hundreds_that_were_there_first(quick: None) -> None:
    calls = Calls()
    waiting = [asyncio.create_task(calls.call(f"reaction {n}", Rank.LAST, None)) for n in range(60)]
    waiting += [asyncio.create_task(calls.call(f"line {n}", Rank.ORDINARY, -n)) for n in range(1, 60)]
    await asyncio.sleep(0.05)
    before = len(calls.order)
    await calls.call("urgent", Rank.URGENT, -500)
    # The very next one, although 109 were there before it.
    assert calls.order.index("urgent") == before
    await asyncio.gather(*waiting)
    lines = [at for at, name in enumerate(calls.order) if name.startswith("line")]
    # The first reactions were let through while nothing else waited; after that they are last.
    assert not any(name.startswith("reaction") for name in calls.order[lines[0] : lines[-1]])
    # First come, first served within a rank.
    assert [name for name in calls.order if name.startswith("line")] == [f"line {n}" for n in range(1, 60)]


async def test_the_limit_for_all_is_kept_by_any_number_of_chats(quick: None) -> None:
    calls = Calls()
    await asyncio.gather(*(calls.call(str(n), Rank(n % 3), -n - 1) for n in range(80)))
    most = max(sum(start <= at < start + 0.2 for at in calls.moments) for start in calls.moments)
    assert len(calls.order) == 80 and most <= 10


async def test_a_call_that_starts_late_is_counted_when_it_starts(quick: None) -> None:
    """What each does first (a commit) takes another time; still no fifth of a second sees more than ten calls."""
    calls = Calls()
    await asyncio.gather(*(calls.call(str(n), chat=-n - 1, before=0.15 * (n % 3 == 0)) for n in range(60)))
    most = max(sum(start <= at < start + 0.2 for at in calls.moments) for start in calls.moments)
    assert len(calls.order) == 60 and most <= 10


async def test_a_turn_that_is_not_used_leaves_its_place_to_others(quick: None) -> None:
    calls = Calls()
    for _ in range(30):
        async with calls.turns.turn(Rank.ORDINARY, -1, patience=1.0) as mine:
            assert mine is not None
    began = time.monotonic()
    await asyncio.gather(*(calls.call(str(n), chat=-1) for n in range(10)))
    assert time.monotonic() - began < 0.15


async def test_so_many_are_on_their_way_together_and_no_more(quick: None) -> None:
    calls = Calls(at_once=3)
    await asyncio.gather(*(calls.call(str(n), chat=-n - 1, lasts=0.02) for n in range(12)))
    assert calls.most == 3 and calls.together == 0


async def test_who_turns_away_leaves_no_gap_and_is_not_counted(quick: None) -> None:
    calls = Calls(at_once=1)
    long = asyncio.create_task(calls.call("long", lasts=0.3))
    await asyncio.sleep(0.01)
    async with calls.turns.turn(Rank.ORDINARY, -2, patience=0.02) as mine:
        assert not mine
    stopped = asyncio.create_task(calls.call("stopped"))
    await asyncio.sleep(0.01)
    stopped.cancel()
    assert await asyncio.gather(stopped, return_exceptions=True) != [True]
    assert await long and await calls.call("next")
    assert calls.order == ["long", "next"]


async def test_a_call_that_fails_gives_its_place_back(quick: None) -> None:
    calls = Calls(at_once=1)
    with pytest.raises(RuntimeError):
        async with calls.turns.turn(Rank.ORDINARY, -1, patience=1.0):
            raise RuntimeError("no")
    assert await calls.call("next")
