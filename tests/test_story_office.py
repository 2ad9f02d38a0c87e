"""Issue 2, point 5: what the secretary is shown and asked, and the lists, searches and numbers anybody may ask for."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.domain.acts import ACTS, LATER, Act, Role, Status
from bot.domain.rights import Matter, allowed
from tests.town import (
    CHEN,
    GUANDI,
    LI,
    LIN,
    NANSHI,
    OFFICE,
    OPERATOR,
    POWER,
    PROPERTY,
    PROPERTY_MAN,
    STREET,
    WANG,
    WATER,
    WATER_MAN,
    ZHANG,
    ZHOU,
    labels,
    words,
)
from tests.walks import COVER, Walk, data_of, says, walk

PLACES = {"← Back", "History", "More", "Undo", "🗺 Map"}
"""Buttons that lead somewhere and change nothing, or take back for a minute."""


def approving(text: str) -> str:
    return text.replace('dispatch = "auto"', 'dispatch = "approve"')


def office_acts(status: Status) -> set[str]:
    """What the table gives a secretary, less what is said instead of pressed, and splitting a single picture."""
    spoken = {Act.COMMENT, Act.UNDO, Act.SPLIT} | LATER
    return {
        ACTS[act].label
        for act in allowed({Role.SECRETARY}, Matter(1, None, None, frozenset(), status), datetime.now(UTC))
        if act not in spoken
    }


async def sheet_of(t: Walk, number: str = "1") -> dict[str, Any]:
    """The card that /i opens for the secretary, newest."""
    return await t.sheet(LIN, OFFICE, number)


async def offered(t: Walk) -> set[str]:
    """The acts a secretary finds on a fresh card, behind More as well; a unit's or category's name is its act."""
    await t.wind(61)
    sheet = await sheet_of(t)
    first = set(labels(sheet))
    if "More" in first:
        await t.press(LIN, OFFICE, sheet, "More")
        behind = await t.sees(
            OFFICE, lambda each: each["message_id"] == sheet["message_id"] and "History" in labels(each)
        )
        first |= set(labels(behind))
        assert "← Back" in labels(behind)
    known = {rule.label for rule in ACTS.values()}
    found = {label for label in first if label in known}
    found |= {"Dispatch"} if "供电所" in first else set()
    assert first - known - PLACES <= {"供电所", "水务公司", "综合执法中队", "通信公司", "物业红管家"}, first
    return found - PLACES


async def choose(t: Walk, person: int, chat: int, message: dict[str, Any], act: str, reason: str) -> None:
    """Press an act that wants a reason, then the reason."""
    await t.press(person, chat, message, act)
    shown = await t.sees(chat, lambda each: each["message_id"] == message["message_id"] and reason in labels(each))
    assert "← Back" in labels(shown)
    await t.press(person, chat, shown, reason)


async def test_the_secretary_finds_exactly_the_acts_of_the_table_in_each_status(tmp_path: Path) -> None:
    async with walk(tmp_path, approving) as t:
        await t.photo(ZHANG, GUANDI, COVER)
        asked = await t.sees(OFFICE, says("Where should it go?", button="水务公司"))
        assert await offered(t) == office_acts(Status.FILED) - {"Reassign"}
        assert not await t.from_bot(WATER)
        await t.press(LIN, OFFICE, asked, "水务公司")
        card = await t.sees(WATER, "-0001")
        assert await offered(t) == office_acts(Status.DISPATCHED)
        await t.press(WATER_MAN, WATER, card, "Accept")
        await t.sees(WATER, "In hand")
        assert await offered(t) == office_acts(Status.ACCEPTED)
        await t.mended(card)
        await t.sees(WATER, "To be checked")
        assert await offered(t) == office_acts(Status.RESOLVED) == {"Confirm", "Send back"}
        await t.press(LIN, OFFICE, await t.sees(OFFICE, says("Please check.", button="Confirm")), "Confirm")
        await t.sees(WATER, "Closed")
        assert await offered(t) == office_acts(Status.CLOSED) == {"Reopen"}


async def test_sent_back_is_a_new_card_that_rings_and_says_why(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.workday("09:00")
        card = await t.report()
        await t.mended(card)
        check = await t.sees(OFFICE, says("水务公司 says it is done. Please check.", button="Send back"))
        assert check["photo"]
        before = check["photo"][-1]
        assert before["width"] > before["height"], "before and after stand side by side"
        # What the secretary writes to her card, the unit reads on its own; the group does not.
        await t.say(LIN, OFFICE, "路面没扫干净", reply_to=check["message_id"])
        await t.sees(WATER, "✎ secretary: 路面没扫干净")
        assert not await t.standing(GUANDI, "路面没扫干净")
        await t.minutes(10)
        await choose(t, LIN, OFFICE, check, "Send back", "Only half fixed")
        again = await t.sees(WATER, says("↩ Sent back: Only half fixed", "In hand"))
        assert again["message_id"] != card["message_id"]
        await t.settled()
        rung = await t.sent(WATER, "-0001")
        assert len(rung) == 2 and not rung[1].get("disable_notification")
        assert len(await t.standing(WATER, "-0001")) == 1
        assert set(labels(again)) == {"Made safe", "Done", "Not ours"}
        # The old photo proves nothing any more.
        assert (await t.press(WATER_MAN, WATER, again, "Done")).startswith("Please reply to this card with a photo")
        await t.mended(again)
        second = await t.sees(OFFICE, says("Please check.", button="Confirm"))
        assert second["message_id"] != check["message_id"]
        await t.gone(WATER, "Sent back")
        assert len(await t.standing(OFFICE, "-0001")) == 1
        # Two secretaries: who comes second is told, and changes nothing.
        told = await asyncio.gather(
            t.press(LIN, OFFICE, second, "Confirm"), t.forge(CHEN, OFFICE, second, data_of(second, "Confirm"))
        )
        assert "Done: Confirm." in told
        late = next(each for each in told if each != "Done: Confirm.")
        assert late.startswith("A little late: ") and late.endswith("confirmed it.")
        assert "confirmed it" in await t.forge(CHEN, OFFICE, second, data_of(second, "Send back"))
        line = await t.sees(GUANDI, "Closed, took")
        assert line["photo"]
        await t.settled()
        history = await t.history(LIN, OFFICE)
        assert history.count("confirmed it") == 1 and "sent it back(Only half fixed)" in history.replace(" (", "(")


async def test_closed_is_reopened_within_fourteen_days_and_not_after(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await _closed(t)
        await t.wind(13 * 86400)
        sheet = await sheet_of(t)
        assert "Reopen" in labels(sheet)
        stale = data_of(sheet, "Reopen")
        assert await t.press(LIN, OFFICE, sheet, "Reopen") == "Done: Reopen."
        card = await t.sees(WATER, says("Reopened by the secretary.", "In hand"))
        assert {"Done", "Not ours"} <= set(labels(card))
        await t.mended(card)
        await t.press(LIN, OFFICE, await t.sees(OFFICE, says("Please check.", button="Confirm")), "Confirm")
        await t.sees(WATER, "Closed")
        await t.wind(14 * 86400 + 60)
        sheet = await sheet_of(t)
        assert "Closed" in words(sheet) and "Reopen" not in labels(sheet)
        told = await t.forge(LIN, OFFICE, sheet, stale)
        assert told and told != "Done: Reopen."
        await t.settled()
        assert not await t.standing(WATER, "In hand")


async def _closed(t: Walk) -> None:
    card = await t.report()
    await t.mended(card)
    await t.press(LIN, OFFICE, await t.sees(OFFICE, says("Please check.", button="Confirm")), "Confirm")
    await t.sees(WATER, "Closed")


async def test_the_reporter_asks_to_reopen_and_the_secretary_does(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await _closed(t)
        await t.wind(61)
        await t.say(ZHANG, ZHANG, "/my")
        mine = await t.sees(ZHANG, "Your reports")
        await t.press(ZHANG, ZHANG, mine, "1")
        own = await t.sees(ZHANG, says("-0001", button="Ask to reopen"))
        assert set(labels(own)) == {"Ask to reopen"}
        await t.press(ZHANG, ZHANG, own, "Ask to reopen")
        asked = await t.sees(OFFICE, says("The reporter asks to reopen it.", button="Reopen"))
        await t.press(ZHANG, ZHANG, own, "Ask to reopen")
        await t.settled()
        assert len(await t.sent(OFFICE, "asks to reopen")) == 1
        assert "Closed" in words(await t.sees(WATER, "-0001"))
        await t.press(LIN, OFFICE, asked, "Reopen")
        await t.sees(WATER, says("Reopened by the secretary.", "In hand"))
        # Somebody else's report is not theirs to see or to reopen.
        assert await t.forge(WANG, WANG, {"message_id": 1}, "o:1::") == "This is not yours to see."
        assert await t.forge(WANG, WANG, {"message_id": 1}, "a:1:ask_reopen:") == "This is not yours to do."


async def test_dismissed_and_voided_with_a_reason_everybody_can_read(tmp_path: Path) -> None:
    async with walk(tmp_path, approving) as t:
        await t.photo(ZHANG, GUANDI, COVER)
        asked = await t.sees(OFFICE, says("Where should it go?", button="More"))
        await t.press(LIN, OFFICE, asked, "More")
        behind = await t.sees(OFFICE, says("-0001", button="Dismiss"))
        await choose(t, LIN, OFFICE, behind, "Dismiss", "Already being dealt with")
        await t.sees(OFFICE, says("-0001", "Dismissed"))
        await t.sees(GUANDI, says("-0001", "Dismissed"))
        assert not await t.from_bot(WATER)
        # A second one is dispatched, then voided: the unit's card says so and can do nothing any more.
        await t.photo(WANG, NANSHI, "下水道井盖没了")
        asked = await t.sees(OFFICE, says("-0002", button="水务公司"))
        await t.press(LIN, OFFICE, asked, "水务公司")
        card = await t.sees(WATER, says("-0002", button="Accept"))
        sheet = await sheet_of(t, "2")
        await t.press(LIN, OFFICE, sheet, "More")
        behind = await t.sees(OFFICE, says("-0002", "reported it", button="Void"))
        await choose(t, LIN, OFFICE, behind, "Void", "Filed by mistake")
        gone = await t.sees(WATER, says("-0002", "Void"))
        assert labels(gone) == []
        told = await t.forge(WATER_MAN, WATER, card, data_of(card, "Accept"))
        assert told.startswith("A little late: ") and "voided it" in told and "Filed by mistake" in told
        await t.sees(NANSHI, says("-0002", "Void"))
        # Nothing reminds of it for ever after.
        await t.wind(5 * 86400)
        await t.settled()
        assert not await t.sent(WATER, "to accept it") and not await t.sent(WATER, "to be accepted")
        assert len(await t.sent(STREET)) == 0


async def test_what_no_unit_is_responsible_for_is_the_secretarys_to_place(tmp_path: Path) -> None:
    async with walk(tmp_path, lambda text: text.replace('fallback_unit = "property"\n', "")) as t:
        await t.photo(ZHANG, GUANDI, "热力井盖翘起来了")
        asked = await t.sees(OFFICE, "No unit is responsible for this. Where should it go?")
        assert "Heating manhole cover" in words(asked) and asked["photo"]
        assert len([each for each in labels(asked) if each not in PLACES]) == 5, "each of the five units"
        await t.sees(GUANDI, says("-0001", "Filed"))
        # Nobody places it: that is late too, and it is the office that hears it, once.
        await t.minutes(31)
        await t.sees(OFFICE, "too long to be accepted.")
        await t.settled()
        assert len(await t.standing(OFFICE, "-0001")) == 2 and not await t.from_bot(STREET)
        assert await t.press(LIN, OFFICE, asked, "供电所") == "Sent to 供电所."
        await t.sees(POWER, says("-0001", button="Accept"))
        await t.gone(OFFICE, "too long to be accepted.")


async def test_a_unit_that_lost_the_bot_is_heard_of_and_gets_its_card_when_it_is_back(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.post("membership", **{"as": WATER_MAN, "chat": WATER, "status": "kicked"})
        await t.sees(OFFICE, "The bot is no longer in 水务公司.")
        await t.photo(ZHANG, GUANDI, COVER)
        told = await t.sees(OFFICE, "The card could not be delivered to 水务公司.")
        assert "-0001" in words(told) and "Reassign" in labels(told)
        await t.settled()
        assert len(await t.standing(OFFICE, "no longer in")) == 1 and len(await t.standing(OFFICE, "-0001")) == 1
        assert not await t.from_bot(WATER)
        await t.post("membership", **{"as": WATER_MAN, "chat": WATER, "status": "administrator"})
        await t.sees(WATER, says("-0001", button="Accept"))
        await t.gone(OFFICE, "could not be delivered")
        assert len(await t.standing(WATER, "-0001")) == 1


KINDS = (("自来水井盖坏", WATER), ("路灯不亮", POWER), ("人行道地砖破损", PROPERTY))


async def test_the_queue_is_paged_by_urgency_and_every_line_opens_its_card(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.workday("09:00")
        for at in range(10):
            text, chat = KINDS[at % 3]
            await t.report(f"{text} {at}号", at=chat)
        # 0, 3, 6, 9 are covers (6 h), 1, 4, 7 lights (24 h), 2, 5, 8 pavement (3 working days); 5 comes back.
        card = await t.sees(PROPERTY, "5号")
        await choose(t, PROPERTY_MAN, PROPERTY, card, "Not ours", "Outside our area")
        await t.gone(PROPERTY, "5号")
        await t.say(LIN, OFFICE, "/open")
        queue = await t.sees(OFFICE, "Open: 10 · page 1 of 2")
        assert _numbers(queue) == [6, 1, 4, 7, 10, 2, 5, 8]
        assert labels(queue) == [*"12345678", "›"]
        assert re.search(
            r"2\. 🔴 SD-\d{4}-0001 Water manhole cover · 关帝庙商圈 · 水务公司 · (5 h 59 min|6 h) left", words(queue)
        )
        await t.press(CHEN, OFFICE, queue, "›")
        second = await t.sees(OFFICE, "page 2 of 2")
        assert second["message_id"] == queue["message_id"]
        assert _numbers(second) == [3, 9] and labels(second) == ["1", "2", "‹"]
        await t.press(LIN, OFFICE, second, "2")
        opened = await t.sees(OFFICE, says("-0009", "8号", "reported it", button="Reassign"))
        assert opened["photo"] and opened["message_id"] != queue["message_id"]
        await t.press(LIN, OFFICE, second, "‹")
        first = await t.sees(OFFICE, "page 1 of 2")
        await t.press(LIN, OFFICE, second, "2")
        await t.settled()
        assert len(await t.standing(OFFICE, "8号", "reported it")) == 1, "a card opened twice stands once"
        # A unit's queue is its own; nobody else turns the page or opens a line.
        await t.say(WATER_MAN, WATER, "/open")
        own = await t.sees(WATER, "Open: 4")
        assert _numbers(own) == [1, 4, 7, 10]
        assert await t.forge(WANG, NANSHI, {"message_id": 1}, data_of(first, "1")) == "This is not yours to see."
        assert await t.forge(ZHANG, ZHANG, {"message_id": 1}, data_of(own, "3")) == ""
        assert await t.forge(LI, LI, {"message_id": 1}, data_of(own, "3")) == "This is not yours to see."


def _numbers(message: dict[str, Any]) -> list[int]:
    return [int(found) for found in re.findall(r"SD-\d{4}-0*(\d+)", words(message))]


async def test_find_looks_into_words_shops_places_and_numbers_and_takes_every_sign_as_it_is(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.say(WANG, NANSHI, "/shop 王记_豆浆, 南街3号")
        await t.sees(NANSHI, "王记_豆浆", person=WANG)
        await t.report("自来水井盖坏 100%堵死")
        await t.report("路灯不亮了", at=POWER)
        await t.report("地砖破损绊倒人", person=WANG, chat=NANSHI, at=PROPERTY)
        year = (await t.local()).year
        for asked, found in (
            ("100%", [1]),
            ("%", [1]),
            ("_", [3]),
            ("路灯", [2]),
            ("豆浆", [3]),
            ("南街3号", [3]),
            (f"{year}-0002", [2]),
            (f"sd-{year}-0003", [3]),
            ("破损", [3]),
        ):
            await t.say(LIN, OFFICE, f"/find {asked}")
            told = await t.sees(OFFICE, f"Found for “{asked}”")
            assert _numbers(told) == found, asked
        await t.press(LIN, OFFICE, told, "1")
        await t.sees(OFFICE, says("-0003", "王记_豆浆", "reported it"))
        for asked in ("没有的", "<b>", "\\", "' OR 1=1 --"):
            await t.say(LIN, OFFICE, f"/find {asked}")
            await t.sees(OFFICE, f"Nothing found for “{asked}”.")
        await t.say(LIN, OFFICE, "/find")
        await t.sees(OFFICE, "Write what to look for after the command")
        # A unit finds its own.
        await t.say(WATER_MAN, WATER, "/find 路灯")
        await t.sees(WATER, "Nothing found for “路灯”.")


async def test_one_incident_is_found_by_its_number_long_or_short(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.report()
        year = (await t.local()).year
        for asked in (f"SD-{year}-0001", "1", "0001", f"{year}-1", f"sd-{year}-1"):
            await t.say(LIN, OFFICE, f"/i {asked}")
            await t.settled()
            assert len(await t.standing(OFFICE, "-0001", "reported it")) == 1, asked
        for asked in ("2", f"SD-{year - 1}-0001", "XX-1", "eins", "1; DROP TABLE incident", "9" * 30):
            await t.say(LIN, OFFICE, f"/i {asked}")
            await t.sees(OFFICE, f"There is no incident {asked[:40]} that you can see here.", person=LIN)
        await t.say(LIN, OFFICE, "/i")
        await t.sees(OFFICE, "Write the number after the command", person=LIN)
        # In private the secretary writes the whole number; the street sees what lies below it.
        await t.say(LIN, LIN, f"/i SD-{year}-0001")
        await t.sees(LIN, says("-0001", "reported it", button="Reassign"))
        await t.say(ZHOU, STREET, f"/i SD-{year}-0001")
        seen = await t.sees(STREET, says("-0001", "reported it"))
        assert set(labels(seen)) <= PLACES, "the street may look, not act"


async def test_the_numbers_of_the_month_are_counted(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        then = await t.workday("09:00")
        while then.day > 20:
            then = await t.workday("09:00")
        await _closed(t)
        await t.report("路灯不亮了", at=POWER)
        await t.report("自来水井盖又坏", person=LI)
        await t.hours(7)
        await t.say(LIN, OFFICE, "/stats")
        told = words(await t.sees(OFFICE, f"{then:%Y-%m}"))
        assert "Filed 3 · closed 1 · open now 2 · overdue 1" in told
        assert "Resolved rate 50" in told and "(1/2)" in told
        assert "水务公司: 2 · " in told and "供电所: 1 · on time – · score –" in told
        await t.say(WATER_MAN, WATER, "/stats")
        own = words(await t.sees(WATER, f"{then:%Y-%m}"))
        assert "Filed 2 · closed 1 · open now 1 · overdue 1" in own and "供电所" not in own


async def test_strangers_and_shop_owners_get_no_lists_and_the_group_sees_nothing_of_their_asking(
    tmp_path: Path,
) -> None:
    async with walk(tmp_path) as t:
        await t.report()
        await t.settled()
        year = (await t.local()).year
        no = "This is for the office and the units. /my shows your own reports."
        for asked in ("/open", "/stats", "/find 井盖"):
            await t.say(ZHANG, GUANDI, asked)
            await t.sees(GUANDI, no, person=ZHANG)
            await t.say(LI, LI, asked)
            await t.sees(LI, no)
        assert not await t.standing(GUANDI, "This is for the office", person=LI)
        await t.say(LI, LI, f"/i SD-{year}-0001")
        await t.sees(LI, f"There is no incident SD-{year}-0001 that you can see here.")
        await t.say(OPERATOR, OPERATOR, "/open")
        await t.sees(OPERATOR, no)
        await t.say(LIN, LIN, "/open")
        await t.sees(LIN, "Open: 1")
        await t.say(ZHOU, STREET, "/open")
        await t.sees(STREET, "Open: 1")
        await t.settled()
        assert len(await t.standing(GUANDI, "", person=LI)) == 1, "only the line of the report"
