"""Whatever comes in, nothing gets stuck: each update is handled, left alone or set aside, and the screens stay whole.

`FUZZ=100000` in the environment feeds so many; in `make test` it is a small number, the same ones each time.
"""

import asyncio
import collections
import os
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from bot.polling import kept_as
from tests.fuzz.ground import make_ground
from tests.fuzz.mill import Mill, copied
from tests.fuzz.wire import Stood
from tests.fuzz.updates import Cooked, Kitchen, Recipe, batches

LONG = int(os.environ.get("FUZZ", "0"))
UPDATES = LONG or 1500
"""How many updates the mill is fed."""
BATCH = 24
"""Recipes of one example; an album makes several updates, a reply to nothing none."""


class Figures:
    """What became of all that was fed."""

    def __init__(self) -> None:
        self.fed = self.handled = self.aside = self.chatter = self.again = 0
        self.why: collections.Counter[str] = collections.Counter()
        self.began = time.monotonic()

    def __str__(self) -> str:
        seconds = time.monotonic() - self.began
        lines = [
            f"{self.fed} updates in {seconds:.0f} s ({self.fed / seconds:.0f}/s): {self.handled} handled,"
            f" {self.chatter} left no trace, {self.again} delivered again, {self.aside} set aside"
        ]
        return "\n".join([*lines, *(f"  {count} × {why}" for why, count in self.why.most_common())])


async def grind(home: Path, stood: Stood, recipes: list[Recipe], figures: Figures) -> None:
    mill = Mill(home, stood)
    try:
        kitchen = Kitchen(mill)
        fed: list[Cooked] = []
        half = len(recipes) // 2
        for piece in (recipes[:half], recipes[half:]):
            batch = [each for recipe in piece for each in recipe(kitchen)]
            await mill.take([each.raw for each in batch])
            fed += batch
            await mill.turn(3)
        await mill.turn(400)
        hold(mill, fed, figures)
    finally:
        await mill.close()


def hold(mill: Mill, fed: list[Cooked], figures: Figures) -> None:
    """What must be true now."""
    wrong = mill.wrong()
    assert not wrong, "\n".join(wrong)
    aside, handled = mill.set_aside(), mill.handled()
    bad = {kept_as(each.raw): aside[kept_as(each.raw)] for each in fed if each.real and kept_as(each.raw) in aside}
    assert not bad, f"Telegram could send this, and it was set aside: {bad}"
    lost = [each.raw for each in fed if each.real and acts(each.raw) and kept_as(each.raw) not in handled]
    assert not lost, f"somebody acted, and it left no trace: {lost}"
    ids = {kept_as(each.raw) for each in fed}
    figures.fed += len(fed)
    figures.aside += len(ids & aside.keys())
    figures.handled += len(ids & handled - aside.keys())
    figures.again += len(fed) - len(ids)
    figures.chatter += len(ids - handled)
    figures.why.update(why[:70] for number, why in aside.items() if number in ids)


def acts(raw: dict[str, Any]) -> bool:
    """Whether it is no chatter by its very kind: a press on a message, or news of where the bot is."""
    news = raw.get("my_chat_member", {}).get("chat", {}).get("type") in ("private", "group", "supergroup")
    return bool(raw.get("callback_query", {}).get("message")) or news


def test_no_update_gets_stuck_and_no_screen_breaks(tmp_path: Path) -> None:
    stood = asyncio.run(make_ground(tmp_path / "ground"))
    figures = Figures()

    @settings(
        max_examples=max(UPDATES // BATCH, 1),
        deadline=None,
        database=None,
        derandomize=not LONG,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(batches(BATCH))
    def feed(recipes: list[Recipe]) -> None:
        asyncio.run(grind(copied(tmp_path / "ground", tmp_path / "work"), stood, recipes, figures))

    feed()
    print(f"\n{figures}")
