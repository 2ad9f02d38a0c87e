"""Reports a second and processor time for each, in pairs with the bare reference; and how long one takes at leisure.

The reports wait in the emulator before the clock runs, so that posting them is in nobody's figures.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.town import GROUPS, STAFF, Stage, group, spread, stage, unit

REPORTS = 500
PAIRS = 5
LAG = 0.05
PER_SECOND = 10
SECONDS = 20
PATIENCE = 120.0


@dataclass(frozen=True)
class Run:
    """What one run gave: reports a second, ms of processor time a report, MB held in the end."""

    pace: float
    cpu: float
    memory: float
    emulator: float
    """ms of processor time a report that the emulator took: it is on the same machine."""


async def together(home: Path, ours: bool, lag: float = 0.0, reports: int = REPORTS) -> Run:
    """So many reports from all groups at once."""
    async with stage(home, ours, lag) as here:
        await _warm(here, ours)
        here.serves.pause()
        for first in range(0, reports, GROUPS):
            await asyncio.gather(*(here.report(n) for n in range(first, min(first + GROUPS, reports))))
        mark, cpu, emulator = await here.mark(), here.serves.cpu, here.server.cpu
        began = time.time()
        here.serves.go_on()
        cards = await _cards(here, ours, mark, reports)
        took = max(cards) - began
        await _rest(here)
        return Run(
            pace=reports / took,
            cpu=(here.serves.cpu - cpu) * 1000 / reports,
            memory=here.serves.memory,
            emulator=(here.server.cpu - emulator) * 1000 / reports,
        )


async def _warm(here: Stage, ours: bool) -> None:
    """A few reports first: nothing is imported or connected for the first time while the clock runs."""
    mark = await here.mark()
    for n in range(480, 500):
        await here.report(n)
    await _cards(here, ours, mark, 20)
    await _rest(here)


async def _cards(here: Stage, ours: bool, mark: int, wanted: int) -> list[float]:
    """When each report's card was sent."""
    chats = {unit(n) for n in range(GROUPS)} if ours else {STAFF}
    end = time.monotonic() + PATIENCE
    while True:
        found = [call["at"] for call in await here.calls("sendPhoto", mark) if call["chat_id"] in chats]
        if len(found) >= wanted:
            return found
        assert time.monotonic() < end, f"{len(found)} of {wanted} cards came"
        await asyncio.sleep(0.25)


async def _rest(here: Stage) -> None:
    """Until nothing was asked of the emulator for a second but updates."""
    seen, since = await here.mark(), time.monotonic()
    while time.monotonic() - since < 1.0:
        await asyncio.sleep(0.1)
        calls = (await here.get("calls", since=seen))["calls"]
        if any(call["method"] != "getUpdates" for call in calls):
            seen, since = await here.mark(), time.monotonic()


async def at_leisure(home: Path, ours: bool) -> list[float]:
    """Milliseconds from each update to its card at ten reports a second."""
    async with stage(home, ours) as here:
        await _warm(here, ours)
        mark, posted = await here.mark(), []
        for n in range(PER_SECOND * SECONDS):
            began = time.monotonic()
            posted.append(time.time())
            await here.report(n)
            await asyncio.sleep(max(0.0, 1 / PER_SECOND - (time.monotonic() - began)))
        await _cards(here, ours, mark, len(posted))
        calls = await here.calls("sendPhoto", mark)
        chats = {unit(n) for n in range(GROUPS)} if ours else {STAFF}
        cards = {_number(call["request"].get("caption", "")): call["at"] for call in calls if call["chat_id"] in chats}
        return [(cards[n] - at) * 1000 for n, at in enumerate(posted)]


def _number(caption: str) -> int:
    """Which report a card is of: its words end with the number."""
    line = next(line for line in caption.splitlines() if "井盖坏了" in line)
    return int("".join(sign for sign in line if sign.isdigit()))


async def table(home: Path) -> Iterator[tuple[str, str, str, str]]:
    """(what, ours, the reference, the ratio) of everything here."""
    rows = []
    for title, lag in ((f"{REPORTS} reports at once", 0.0), ("the same, answers take 50 ms", LAG)):
        ours, theirs = [], []
        for pair in range(PAIRS):
            ours.append(await together(home / f"ours {lag} {pair}", True, lag))
            theirs.append(await together(home / f"reference {lag} {pair}", False, lag))
        pairs = list(zip(ours, theirs, strict=True))
        for name, form in (("pace", ".0f"), ("cpu", ".2f"), ("memory", ".0f"), ("emulator", ".2f")):
            told = {"pace": "reports/s", "cpu": "ms CPU a report", "memory": "MB"}.get(name, "ms CPU of the emulator")
            ratios = [getattr(one, name) / getattr(other, name) for one, other in pairs if getattr(other, name)]
            rows.append(
                (
                    f"{title}: {told}",
                    spread([getattr(each, name) for each in ours], form),
                    spread([getattr(each, name) for each in theirs], form),
                    spread(ratios),
                )
            )
    waits = [sorted(await at_leisure(home / f"leisure {ours}", ours)) for ours in (True, False)]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        one, other = (each[int(len(each) * share)] for each in waits)
        rows.append(
            (f"at {PER_SECOND} reports/s: {name}, ms to the card", f"{one:.0f}", f"{other:.0f}", f"{one / other:.2f}")
        )
    return iter(rows)


__all__ = ["Run", "at_leisure", "group", "statistics", "table", "together"]
