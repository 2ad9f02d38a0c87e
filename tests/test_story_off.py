"""Off the air for three days, through the real door: what is said when the relay is started again, by night or by day.

At most one reminder for each incident, saying how late it is; in the night only of what is dangerous; what was not
delivered goes out as it is now; whatever waited for minutes waits no longer.
"""

import re
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from tests.town import GUANDI, LI, MARIA, NANSHI, OFFICE, POWER, POWER_MAN, URBAN, WANG, WATER, ZHANG, labels, words
from tests.walks import COVER, ZONE, Walk, says, walk

GOODS = "占道堆物, 路过不去"
QUIET = 'quiet_hours = "21:30-07:00"'


def change(text: str) -> str:
    """Quiet nights, a minute of gathering, and two hours to accept what blocks the pavement."""
    text = text.replace('quiet_hours = ""', QUIET).replace('gather = "1s"', 'gather = "60s"')
    return text + '\n[categories."obstruction"]\naccept = "2h"\nrepair = "8h"\n'


async def wind_to(t: Walk, day: date, clock: time) -> None:
    """Wind, ahead or back, to that reading of the clock on the wall."""
    await t.wind((datetime.combine(day, clock, ZONE) - await t.local()).total_seconds())


async def about(t: Walk, chat: int, number: str) -> list[str]:
    """What the messages without a picture say there about the incident."""
    return [words(each) for each in await t.standing(chat, number) if not each.get("photo")]


async def sent_since(t: Walk, before: int) -> list[dict[str, Any]]:
    """Requests that have put a new message somewhere."""
    return [each["request"] for each in (await t.calls())[before:] if each["method"].startswith("send")]


CASES = [
    # From the evening of a Thursday until 03:00 of a Sunday that China works; checks are asked for at its opening.
    (date(2026, 9, 17), date(2026, 9, 20), time(3), date(2026, 9, 20)),
    # From the Friday before the long week-end of the Tomb-Sweeping until 10:00 of the Monday, which is part of it.
    (date(2026, 4, 3), date(2026, 4, 6), time(10), date(2026, 4, 7)),
]


@pytest.mark.once
@pytest.mark.parametrize(("stopped", "started", "clock", "checked"), CASES, ids=["03:00", "10:00"])
async def test_three_days_off_are_told_in_one_reminder_each(
    tmp_path: Path, stopped: date, started: date, clock: time, checked: date
) -> None:
    async with walk(tmp_path, change, running=False) as t:
        await wind_to(t, stopped, time(17))
        async with t.running():
            await t.report(COVER)
            await t.report(GOODS, person=WANG, chat=NANSHI, at=URBAN)
            light = await t.report("路灯不亮了", person=LI, at=POWER)
            await t.mended(light, person=POWER_MAN, chat=POWER)
            await t.sees(OFFICE, says("-0003", "heck"))
            await t.photo(MARIA, GUANDI)
            await t.settled()
            await t.minutes(1.1)
            await t.sees(GUANDI, lambda each: bool(each.get("ephemeral_message_id")), person=MARIA)
            # One more that is being gathered still when the power goes.
            await t.photo(ZHANG, GUANDI)
            await t.settled()
            assert sorted(t.rows("SELECT kind FROM timer WHERE kind IN ('gather', 'answer')")) == [
                ("answer",),
                ("gather",),
            ]
        before = len(await t.calls())
        await wind_to(t, started, clock)
        night = clock < time(7)
        async with t.running():
            await t.sees(WATER, lambda each: "-0001" in words(each) and not each.get("photo"))
            await t.settled(quiet=0.8)
            (late,) = await about(t, WATER, "-0001")
            assert re.search(r"2 d \d+ h", late), late
            assert len(await about(t, URBAN, "-0002")) == (0 if night else 1)
            sent = await sent_since(t, before)
            assert len([each for each in sent if each["chat_id"] == WATER]) == 1
            assert not [each for each in sent if each["chat_id"] == POWER], "it has done its part"
            # The prompt whose five minutes are long over is gone, and the secretary has the draft; the one that was
            # still gathering is asked about now.
            prompts = [each for each in await t.from_bot(GUANDI, MARIA) if each.get("ephemeral_message_id")]
            assert not prompts
            await t.sees(OFFICE, "What is it")
            await t.sees(GUANDI, lambda each: bool(each.get("ephemeral_message_id")), person=ZHANG)
            assert not await t.standing(OFFICE, "done, says the unit"), "a check waits for a working day's opening"
            if night:
                await wind_to(t, started, time(7, 0, 5))
                await t.sees(URBAN, lambda each: "-0002" in words(each) and not each.get("photo"))
                await t.settled(quiet=0.5)
            (goods,) = await about(t, URBAN, "-0002")
            assert re.search(r"[12] d( \d+ h)?", goods), goods
            await wind_to(t, checked, time(8, 29))
            await t.settled(quiet=0.5)
            assert not await t.standing(OFFICE, "done, says the unit")
            await wind_to(t, checked, time(8, 31))
            await t.sees(OFFICE, says("-0003", "done, says the unit"))
            await t.settled(quiet=0.5)
            assert len(await t.sent(OFFICE, "-0003", "done, says the unit")) == 1


@pytest.mark.once
async def test_what_could_not_be_delivered_goes_out_as_it_is_now_and_not_as_it_was(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as t:
        await wind_to(t, date(2026, 9, 17), time(17))
        async with t.running():
            await t.post("fault", chat=GUANDI, kind="502page", times=1000, delivered=False)
            card = await t.report(COVER)
            await t.press(500000201, WATER, card, "Accept")
            await t.sees(WATER, "In hand")
            await t.mended(card)
            check = await t.sees(OFFICE, says("-0001", button="Confirm"))
            assert "Confirm" in labels(check)
            assert not await t.from_bot(GUANDI)
        async with t.http.delete(f"{t.base}/sandbox/fault") as cleared:
            assert cleared.status == 200
        before = len(await t.calls())
        await wind_to(t, date(2026, 9, 20), time(10))
        async with t.running():
            await t.sees(GUANDI, says("-0001", "says it is done"))
            await t.settled(quiet=0.6)
            lines = [each for each in await sent_since(t, before) if each["chat_id"] == GUANDI]
            assert len(lines) == 1, "one line that says how it stands, not three days of history"
            assert not [each for each in await sent_since(t, before) if each["chat_id"] == WATER]
