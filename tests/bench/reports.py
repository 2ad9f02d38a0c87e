"""Reports a second and processor time for each, in pairs with the bare reference.

The reports wait in the emulator before the clock runs, so that posting them is in nobody's figures.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.town import GROUPS, STAFF, Stage, spread, stage, unit

REPORTS = 500
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


async def pairs(home: Path, count: int) -> Iterator[tuple[str, str, str, str]]:
    """(what, ours, the reference, ours by the reference's), of so many runs in turn."""
    ours, theirs = [], []
    for pair in range(count):
        ours.append(await together(home / f"ours {pair}", True))
        theirs.append(await together(home / f"reference {pair}", False))
    rows = []
    for name, told, form in FIGURES:
        one, other = ([getattr(each, name) for each in runs] for runs in (ours, theirs))
        rows.append(
            (told, spread(one, form), spread(other, form), spread([a / b for a, b in zip(one, other, strict=True)]))
        )
    return iter(rows)


FIGURES = (
    ("pace", "reports/s", ".0f"),
    ("cpu", "ms of processor a report", ".2f"),
    ("memory", "MB held in the end", ".0f"),
    ("emulator", "ms of the emulator's a report", ".2f"),
)
