"""Whatever comes in, nothing gets stuck: each update is handled, left alone or set aside, and the screens stay whole.

`FUZZ=100000` in the environment feeds so many; in `make test` it is a small number, the same ones each time.
"""

import asyncio
import collections
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot
from aiogram.methods import TelegramMethod
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bot.polling import Polling, RawUpdates, kept_as, number_of
from tests.fuzz.ground import make_ground
from tests.fuzz.mill import TOKEN, Mill, copied
from tests.fuzz.schema import DEFS, NOW, anything
from tests.fuzz.updates import NO_UPDATES, Cooked, Kitchen, Recipe, batches
from tests.fuzz.wire import Stood, Wire, chat, person
from tests.town import LI

LONG = int(os.environ.get("FUZZ", "0"))
UPDATES = LONG or 1500
"""How many updates the mill is fed."""
SHARES = 2
"""Tests they are spread over, for as many processors."""
TOLD = 5_000
"""After how many of them the long form says how far it is."""
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
        # The second time long enough for whatever gathers, and for a question that nobody answers.
        for piece, seconds in ((recipes[:half], 3), (recipes[half:], 400)):
            batch = [each for recipe in piece for each in recipe(kitchen)]
            for each in batch:
                note(ascii(each.raw)[:600])
            await mill.take([each.raw for each in batch])
            fed += batch
            await mill.turn(seconds)
        hold(mill, fed, figures)
    finally:
        await mill.close()


def hold(mill: Mill, fed: list[Cooked], figures: Figures) -> None:
    """What must be true now."""
    wrong = mill.wrong()
    assert not wrong, "\n".join(wrong)
    aside, handled = mill.set_aside(), mill.handled()
    # Under a number that something broken came with, too, nobody can tell which of the two it was.
    spoiled = {kept_as(each.raw) for each in fed if not each.real}
    bad = {
        kept_as(each.raw): aside[kept_as(each.raw)]
        for each in fed
        if each.real and kept_as(each.raw) in aside and kept_as(each.raw) not in spoiled
    }
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


@pytest.mark.timeout(0 if LONG else 300)
@pytest.mark.parametrize("share", range(SHARES))
def test_no_update_gets_stuck_and_no_screen_breaks(tmp_path: Path, share: int) -> None:
    stood = asyncio.run(make_ground(tmp_path / "ground"))
    figures = Figures()

    @seed(share + (time.time_ns() if LONG else 0))
    @settings(
        max_examples=max(UPDATES // BATCH // SHARES, 1),
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(batches(BATCH))
    def feed(recipes: list[Recipe]) -> None:
        before = figures.fed // TOLD
        asyncio.run(grind(copied(tmp_path / "ground", tmp_path / "work"), stood, recipes, figures))
        if LONG and figures.fed // TOLD > before:
            print(f"\nshare {share}: {figures}", flush=True)

    feed()
    print(f"\n{figures}")


class Script(Wire):
    """A server that answers polls with what it was told to, as text, and then has the polling stopped."""

    def __init__(self, answers: list[str]) -> None:
        super().__init__()
        self.answers, self.offsets = list(answers), []
        self.polling: Polling | None = None

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:  # noqa: ASYNC109
        if not isinstance(method, RawUpdates):
            return await super().make_request(bot, method, timeout)
        self.offsets.append(method.offset)
        if not self.answers:
            assert self.polling is not None
            self.polling.stop()
            return []
        return self.check_response(bot, method, 200, self.answers.pop(0)).result


def answer(*updates: Any) -> str:
    return json.dumps({"ok": True, "result": list(updates)})


def said(number: Any, text: str = "/my") -> dict[str, Any]:
    message = {"message_id": 1, "date": NOW, "chat": chat(LI), "from": person(LI), "text": text}
    return {"update_id": number, "message": message}


GARBAGE = [
    "",
    "<html>502</html>",
    "{",
    "null",
    "[]",
    '{"ok": true}',
    '{"ok": true, "result": null}',
    '{"ok": true, "result": {}}',
    '{"ok": true, "result": "updates"}',
    '{"ok": true, "result": 7}',
    "[" * 100_000,
    answer(None, 7, "x", []),
    answer({}, {"update_id": None}, {"update_id": "12"}, {"update_id": 2**64}, {"message": {}}),
]
"""Answers to a poll in which there is nothing that can be acknowledged."""


async def test_a_poll_that_brings_garbage_moves_no_offset_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests = []

    async def rest(_self: Polling) -> None:
        rests.append(1)

    monkeypatch.setattr(Polling, "_rest_longer", rest)
    await make_ground(tmp_path)
    mill = Mill(tmp_path)
    script = Script([*GARBAGE, answer(7, said(501), None, {"update_id": 502}, said(503)), *GARBAGE, answer(said(504))])
    polling = Polling(Bot(TOKEN, session=script), mill.intake, ["message"], lambda: None, lambda: None)
    script.polling = polling
    try:
        await polling.run()
        assert script.offsets == [None] * (len(GARBAGE) + 1) + [504] * (len(GARBAGE) + 1) + [505]
        # Each that brought nothing was followed by a pause, and nothing that could be handled was left out.
        assert len(rests) >= 2 * len(GARBAGE)
        assert {501, 503, 504} <= mill.handled() and 502 not in mill.set_aside()
        assert all(number < 0 and "no number" in why for number, why in mill.set_aside().items())
    finally:
        await mill.close()


def test_what_is_drawn_is_what_the_schema_allows() -> None:
    """The mill's own grain: an update that the schema does not allow would prove nothing."""
    validator = Draft202012Validator({"$ref": "#/$defs/Update", "$defs": DEFS})

    @settings(max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def hold_one(data: Any) -> None:
        update = anything(data.draw, "Update")
        against = next(validator.iter_errors(update), None)
        assert against is None, against

    hold_one()


@pytest.mark.parametrize("raw", NO_UPDATES, ids=repr)
def test_what_is_no_update_is_kept_under_the_same_number_each_time(raw: Any) -> None:
    number = kept_as(raw)
    assert number == kept_as(json.loads(json.dumps(raw)))
    assert (number >= 0) == (number_of(raw) is not None) and -(1 << 63) <= number < 1 << 63
