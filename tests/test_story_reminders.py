"""Issue 2, point 7: reminders as DOMAIN.md has them. Who hears what, when, how often, and when no more."""

import re
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.town import (
    GUANDI,
    LI,
    LIN,
    NANSHI,
    OFFICE,
    POWER,
    STREET,
    URBAN,
    URBAN_MAN,
    WANG,
    WATER,
    WATER_MAN,
    ZHANG,
    labels,
    words,
)
from tests.walks import COVER, Walk, says, walk

GOODS = "占道堆物, 路过不去"
"""An obstruction: not dangerous, the urban management's; its limits as `slow` sets them."""


def slow(accept: str, repair: str, quiet: str = "") -> Callable[[str], str]:
    """Natural limits for obstructions, and perhaps quiet hours."""

    def change(text: str) -> str:
        text = text.replace('quiet_hours = ""', f'quiet_hours = "{quiet}"')
        return text + f'\n[categories."obstruction"]\naccept = "{accept}"\nrepair = "{repair}"\n'

    return change


async def only_reminder(t: Walk, chat: int, wanted: str, number: str = "-0001") -> int:
    """The reminder that says this; it is the only message beside the incident's card. Returns its id."""
    await t.sees(chat, says(number, wanted))
    await t.settled()
    about = [each for each in await t.standing(chat, number) if not each.get("photo")]
    assert len(about) == 1 and wanted in words(about[0]), [words(each) for each in about]
    return int(about[0]["message_id"])


async def test_the_unit_is_reminded_before_at_and_after_and_the_office_hears_once(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.workday("09:00")
        card = await t.report(COVER)
        await t.minutes(22)
        await t.settled()
        assert len(await t.from_bot(WATER)) == 1, "three quarters of the half hour are not over yet"
        await t.minutes(1)
        soon = await only_reminder(t, WATER, "left to accept it.")
        assert not await t.from_bot(OFFICE)
        await t.minutes(8)
        due = await only_reminder(t, WATER, "too long to be accepted.")
        assert due != soon
        told = await t.sees(OFFICE, says("-0001", "Past its limit."))
        assert "Reassign" in labels(told)
        rung = await t.sent(WATER, "left to accept it") + await t.sent(WATER, "too long to be accepted")
        assert len(rung) == 2 and not any(each.get("disable_notification") for each in rung)
        await t.minutes(20)
        await t.settled()
        assert len(await t.sent(OFFICE)) == 1
        assert len(await t.from_bot(GUANDI, LI)) == 1, "the group hears nothing of it"
        # Accepting stops that clock at once; what reminds next is the place that is not safe.
        await t.press(WATER_MAN, WATER, card, "Accept")
        await t.gone(WATER, "to be accepted")
        await t.gone(OFFICE, "Past its limit.")
        await t.minutes(12)
        await only_reminder(t, WATER, "place")


async def test_the_ladder_slows_down_and_the_street_hears_after_twice_the_limit(tmp_path: Path) -> None:
    async with walk(tmp_path, slow("4h", "8h")) as t:
        await t.workday("09:00")
        card = await t.report(GOODS, at=URBAN)
        await t.press(URBAN_MAN, URBAN, card, "Accept")
        await t.sees(URBAN, "In hand")
        heard: list[float] = []
        last, hour = 0, 0.0
        # A look every few hours, until two days and a half are over: at which of them is there a new reminder?
        for step in [5.9, 0.2, 1.8, 0.2, 2, 2, 2, 1.8, 0.2, 2, 2, 12, 4, 20, 4]:
            await t.hours(step)
            hour += step
            await t.settled()
            about = [each for each in await t.standing(URBAN, "-0001") if not each.get("photo")]
            assert len(about) <= 1, "never two for one incident"
            if about and about[0]["message_id"] != last:
                last = about[0]["message_id"]
                heard.append(round(hour, 1))
            assert bool(await t.standing(STREET, "-0001")) == (hour > 16), hour
        assert heard[0] == 6.1 and heard[1] == 8.1, "at three quarters and at the limit"
        gaps = [round(later - sooner, 1) for sooner, later in pairwise(heard[1:])]
        assert 4 <= len(gaps) <= 6 and gaps == sorted(gaps) and gaps[-1] >= 3 * gaps[0], heard
        street = words((await t.standing(STREET, "-0001"))[-1])
        assert "水洞埭社区: 综合执法中队 has not finished this in twice its time." in street
        assert len(await t.sent(OFFICE, "Past its limit")) == 1
        # Done: every reminder goes at once, in the street's chat too, and the office gets its check.
        await t.mended(card, person=URBAN_MAN, chat=URBAN)
        await t.sees(OFFICE, says("-0001", "Please check."))
        await t.gone(STREET, "has not finished")
        await t.gone(URBAN, "over its time")


async def test_the_office_hears_of_the_repair_limit_though_accepting_was_late_too(tmp_path: Path) -> None:
    async with walk(tmp_path, slow("1h", "8h")) as t:
        await t.workday("09:00")
        card = await t.report(GOODS, at=URBAN)
        await t.minutes(61)
        await t.sees(OFFICE, says("-0001", "Past its limit."))
        await t.press(URBAN_MAN, URBAN, card, "Accept")
        await t.gone(OFFICE, "Past its limit.")
        await t.hours(7)
        await t.sees(URBAN, "over its time")
        await t.sees(OFFICE, says("-0001", "Past its limit."))
        await t.settled()
        assert len(await t.standing(OFFICE, "Past its limit.")) == 1


async def test_quiet_hours_hold_back_all_but_what_is_dangerous(tmp_path: Path) -> None:
    async with walk(tmp_path, slow("2h", "30h", "21:30-07:00")) as t:
        await t.workday("20:30")
        await t.report(GOODS, at=URBAN)
        await t.hours(1.25)
        await t.report(COVER, person=WANG, chat=NANSHI)
        await t.hours(0.45)
        # 22:12: both are past three quarters of their time to be accepted.
        await t.sees(WATER, says("-0002", "left to accept it."))
        await t.settled()
        assert len(await t.from_bot(URBAN)) == 1
        await t.hours(8.75)
        # 06:57: the obstruction is past its limit since 22:30, and nobody was woken for it.
        await t.sees(WATER, says("-0002", "over its time."))
        await t.settled()
        assert len(await t.from_bot(URBAN)) == 1 and not await t.standing(OFFICE, "-0001")
        await t.hours(0.1)
        await t.sees(URBAN, says("-0001", "too long to be accepted."))
        await t.sees(OFFICE, says("-0001", "Past its limit."))
        await t.settled()
        assert len(await t.sent(URBAN)) == 2, "the card, and one reminder for the whole night"


async def test_a_reminder_goes_at_once_with_what_it_was_about(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.workday("09:00")
        first, second = await t.report(COVER), await t.report("下水道井盖没了", person=WANG, chat=NANSHI)
        third = await t.report("雨水井盖破了", person=LI)
        await t.minutes(23)
        for number in ("-0001", "-0002", "-0003"):
            await t.sees(WATER, says(number, "left to accept it."))
        await t.press(WATER_MAN, WATER, first, "Accept")
        await t.mended(second)
        await t.say(LIN, OFFICE, "/i 3")
        sheet = await t.sees(OFFICE, says("-0003", button="More"))
        await t.press(LIN, OFFICE, sheet, "More")
        await t.press(LIN, OFFICE, await t.sees(OFFICE, says("-0003", button="Void")), "Void")
        menu = await t.sees(OFFICE, says("-0003", button="Filed by mistake"))
        await t.press(LIN, OFFICE, menu, "Filed by mistake")
        await t.gone(WATER, "left to accept it.")
        assert len(await t.from_bot(WATER)) == 3, "the three cards are left"
        await t.wind(60)
        await t.press(WATER_MAN, WATER, await t.sees(WATER, says("-0001", button="Made safe")), "Made safe")
        await t.press(LIN, OFFICE, await t.sees(OFFICE, says("-0002", button="Confirm")), "Confirm")
        await t.sees(WATER, says("-0002", "Closed"))
        await t.hours(4)
        await t.settled()
        assert len(await t.from_bot(WATER)) == 3, "closed and void ones say no more, and the safe one has time"
        await t.hours(0.5)
        await only_reminder(t, WATER, "left to fix it.")
        await t.mended(first)
        await t.gone(WATER, "left to fix it.")
        del third


async def test_what_waits_to_be_checked_reminds_the_office_each_working_day(tmp_path: Path) -> None:
    async with walk(tmp_path, slow("4h", "20d", "21:30-07:00")) as t:
        await t.workday("10:00")
        card = await t.report(GOODS, at=URBAN)
        await t.mended(card, person=URBAN_MAN, chat=URBAN)
        await t.sees(OFFICE, says("-0001", "Please check."))
        await t.hours(9)
        await t.settled()
        assert len(await t.sent(OFFICE)) == 1
        last = 0
        for _ in range(3):
            await t.workday("08:00")
            await t.settled()
            before = len(await t.sent(OFFICE, "done, says the unit"))
            await t.workday("08:40")
            said = await only_reminder(t, OFFICE, "done, says the unit.")
            assert said != last and len(await t.sent(OFFICE, "done, says the unit")) == before + 1
            last = said
        assert await t.sent(OFFICE, "too long to be checked") and len(await t.sent(OFFICE, "done, says")) == 3
        assert len(await t.from_bot(URBAN)) == 1, "the unit has done its part and is left in peace"
        await t.press(LIN, OFFICE, await t.sees(OFFICE, says(button="Confirm")), "Confirm")
        await t.gone(OFFICE, "done, says the unit")
        await t.wind(4 * 86400)
        await t.settled()
        assert len(await t.sent(OFFICE, "done, says")) == 3


async def test_after_days_of_silence_each_incident_reminds_once_and_says_how_late(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as t:
        async with t.running():
            await t.workday("09:00")
            await t.report(COVER)
            second = await t.report("下水道井盖没了", person=WANG, chat=NANSHI)
            await t.press(WATER_MAN, WATER, second, "Accept")
            third = await t.report("雨水井盖破了", person=LI)
            await t.mended(third)
            await t.sees(OFFICE, says("-0003", "Please check."))
            await t.settled()
        before = len(await t.calls())
        await t.wind(3 * 86400)
        await t.say(ZHANG, GUANDI, "/my")
        async with t.running():
            await t.sees(WATER, lambda message: "-0001" in words(message) and not message.get("photo"))
            await t.sees(OFFICE, says("-0003", "done, says the unit"))
            await t.sees(GUANDI, "Your reports", person=ZHANG)
            await t.settled()
            since = [each for each in (await t.calls())[before:] if each["method"].startswith("send")]
            to_unit = [each["request"] for each in since if each["chat_id"] == WATER]
            assert len(to_unit) == 2, to_unit
            late = sorted(each["text"] for each in to_unit)
            assert all(re.search(r"2 d \d+ h|3 d", each) for each in late), late
            assert "-0001" in late[0] and "-0002" in late[1]
            street = [each for each in since if each["chat_id"] == STREET]
            assert len(street) == 2, "one for each that is past twice its limit"
            office = [
                each["request"].get("text") or each["request"]["caption"] for each in since if each["chat_id"] == OFFICE
            ]
            assert len(office) == 3 and sum("done, says the unit" in each for each in office) == 1
            assert sum("Past its limit." in each for each in office) == 2
            # And it goes on from there, at its slow pace.
            await t.hours(2)
            await t.settled()
            after = [each for each in (await t.calls())[before:] if each["method"].startswith("send")]
            assert len([each for each in after if each["chat_id"] == WATER]) == 2


async def test_the_street_is_told_which_limit_was_passed_twice_over(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.workday("09:00")
        await t.report(COVER)
        # After 61 minutes twice the half hour to accept it is over, but the place is late by a minute only.
        await t.minutes(61)
        await t.sees(WATER, "made safe")
        await t.settled()
        for told in [words(each) for each in await t.standing(STREET, "-0001")]:
            assert "has not finished" not in told and "accepted" in told, told


async def test_a_step_missed_by_day_and_found_at_night_waits_for_the_morning_without_a_stir(tmp_path: Path) -> None:
    """Found by playing: the timer was set to a moment in the past and fired at full speed all night."""
    async with walk(tmp_path, lambda text: text.replace('quiet_hours = ""', 'quiet_hours = "21:30-07:00"')) as t:
        await t.workday("15:00")
        await t.report("路灯不亮了", at=POWER)
        await t.settled()
        await t.wind(7.5 * 3600)
        await t.settled()
        ((at,),) = t.rows("select next_at from timer where kind = 'remind'")
        assert datetime.fromtimestamp(at / 1000, ZoneInfo("Asia/Shanghai")).strftime("%H:%M") == "07:00"
        assert not [each for each in await t.from_bot(POWER) if "left to" in words(each) or "too long" in words(each)]


async def test_a_draft_that_nobody_sorts_comes_up_again_each_working_day(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.workday("10:00")
        await t.photo(ZHANG, GUANDI)
        await t.settled()
        await t.minutes(1)
        await t.settled()
        await t.minutes(6)
        draft = await t.sees(OFFICE, "What is it? Nobody has said.")
        await t.workday("08:31")
        await t.sees(OFFICE, "has waited")
        await t.settled()
        assert len([each for each in await t.from_bot(OFFICE) if "has waited" in words(each)]) == 1
        await t.press(LIN, OFFICE, draft, next(each for each in labels(draft) if "Manhole" in each))
        await t.gone(OFFICE, "has waited")
