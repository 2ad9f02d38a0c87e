"""Issue 2, point 4: the card in the unit's chat, from its arrival to the photo that says done."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.acts import ACTS, LATER, Act, Role, Status
from bot.domain.rights import Matter, allowed
from tests.town import (
    GUANDI,
    LI,
    LIN,
    OFFICE,
    POWER,
    POWER_MAN,
    PROPERTY,
    PROPERTY_MAN,
    TELECOM,
    TELECOM_MAN,
    URBAN_MAN,
    WATER,
    WATER_MAN,
    ZHANG,
    labels,
    patient,
    words,
)
from tests.walks import COVER, data_of, says, walk

REASONS = ["Belongs to another unit", "Outside our area", "Nothing to be found there", "Private ground", "← Back"]


def unit_buttons(status: Status) -> set[str]:
    """What the table of acts gives a unit's card: all it may press; a comment is said, and undo is for a minute."""
    spoken = {Act.COMMENT, Act.UNDO} | LATER
    return {
        ACTS[act].label
        for act in allowed({Role.UNIT}, Matter(1, None, None, frozenset(), status), datetime.now(UTC))
        if act not in spoken
    }


async def test_the_card_says_what_where_and_until_when_and_not_who(tmp_path: Path) -> None:
    async with walk(tmp_path, patient) as t:
        then = await t.workday("09:00")
        await t.say(ZHANG, GUANDI, "/shop 张记面馆, 关帝路12号")
        await t.sees(GUANDI, "张记面馆", person=ZHANG)
        card = await t.report(COVER)
        await t.say(ZHANG, GUANDI, "", location={"latitude": 30.6777, "longitude": 121.0149})
        card = await t.sees(WATER, lambda message: "🗺 Map" in labels(message))
        text = words(card)
        assert f"SD-{then.year}-0001 Water manhole cover" in text
        assert "📍 关帝庙商圈 · 张记面馆, 关帝路12号" in text
        assert COVER in text
        assert "accept 09:30 · make safe 10:00 · repair 15:00" in text
        assert "left)" in text
        assert "Status: Dispatched · 水务公司" in text
        assert card["photo"]
        link = await t.post(
            "press", **{"as": WATER_MAN, "chat": WATER, "message_id": card["message_id"], "button": "🗺 Map"}
        )
        assert "30.677700" in link["url"] and "121.014900" in link["url"]
        # It rings, once; and it names no merchant to strangers.
        await t.settled()
        rung = await t.sent(WATER, "-0001")
        assert len(rung) == 1 and not rung[0].get("disable_notification")
        assert "张师傅" not in str(await t.from_bot(WATER))
        assert len(await t.from_bot(WATER)) == 1
        assert "张师傅" not in await t.history(WATER_MAN, WATER)
        assert "张师傅" in await t.history(LIN, OFFICE), "the secretary knows her people"
        assert not [chat for chat in (POWER, PROPERTY) if await t.from_bot(chat)]
        # The time that is left counts down where the card is looked at again.
        await t.minutes(23)
        await t.sees(WATER, lambda message: re.search("5 h 3[67] min left", words(message)) is not None)


async def test_the_buttons_are_exactly_the_acts_allowed_in_each_status(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        card = await t.report()
        assert labels(card) == ["Accept", "Made safe", "Done", "Not ours"]
        assert set(labels(card)) == unit_buttons(Status.DISPATCHED)
        assert await t.press(WATER_MAN, WATER, card, "Accept")
        card = await t.sees(WATER, says("In hand", button="Undo"))
        await t.wind(61)
        card = await t.sees(WATER, lambda message: "Undo" not in labels(message))
        assert set(labels(card)) == unit_buttons(Status.ACCEPTED)
        await t.press(WATER_MAN, WATER, card, "Made safe")
        await t.sees(WATER, "made safe")
        await t.wind(61)
        card = await t.sees(WATER, lambda message: "Undo" not in labels(message))
        assert set(labels(card)) == unit_buttons(Status.ACCEPTED) - {"Made safe"}
        await t.mended(card)
        await t.sees(WATER, "To be checked")
        await t.wind(61)
        card = await t.sees(WATER, lambda message: not labels(message))
        assert unit_buttons(Status.RESOLVED) == set()
        await t.press(LIN, OFFICE, await t.sees(OFFICE, says(button="Confirm")), "Confirm")
        card = await t.sees(WATER, "Closed")
        assert labels(card) == []


async def test_made_safe_is_stamped_once_and_stops_its_clock(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.workday("09:00")
        card = await t.report()
        assert "make safe 10:00" in words(card)
        await t.minutes(5)
        data = data_of(card, "Made safe")
        assert await t.press(WATER_MAN, WATER, card, "Made safe") == "Done: Made safe."
        card = await t.sees(WATER, "made safe 09:05")
        assert "make safe 10:00" not in words(card) and "repair 15:00" in words(card)
        assert "In hand" in words(card)
        await t.minutes(2)
        assert await t.forge(WATER_MAN, WATER, card, data) not in ("", "Done: Made safe.")
        await t.minutes(120)
        await t.settled()
        assert not await t.sent(WATER, "make the place safe") and not await t.sent(WATER, "made safe", "ago")
        told = await t.history(LIN, OFFICE)
        assert "made safe 09:05" in told
        assert told.count("made the place safe") == 1


async def test_done_wants_a_photo_of_the_work_and_a_photo_says_done(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        card = await t.report()
        told = await t.press(WATER_MAN, WATER, card, "Done")
        assert told == "Please reply to this card with a photo of the finished work. That counts as done."
        await t.settled()
        assert "Dispatched" in words((await t.from_bot(WATER))[-1]) and not await t.from_bot(OFFICE)
        # Words are a remark; they resolve nothing, and the office can read them.
        await t.say(WATER_MAN, WATER, "明天带新井盖来", reply_to=card["message_id"])
        await t.sees(WATER, says("✎ 水务公司: 明天带新井盖来", "Dispatched"))
        assert "明天带新井盖来" in await t.history(LIN, OFFICE)
        assert not await t.standing(GUANDI, "明天带新井盖来")
        await t.mended(card, text="装好了")
        await t.sees(WATER, "To be checked")
        shown = await t.sees(OFFICE, says("水务公司 says it is done. Please check.", button="Confirm"))
        assert shown["photo"]
        assert len(await t.from_bot(WATER)) == 1


async def test_done_is_enough_where_no_proof_is_wanted(tmp_path: Path) -> None:
    async with walk(tmp_path, lambda text: text.replace('proof = "required"', 'proof = "optional"')) as t:
        card = await t.report()
        assert await t.press(WATER_MAN, WATER, card, "Done") == "Thank you. The secretary will check it."
        await t.sees(OFFICE, says("Please check.", button="Confirm"))
        await t.sees(WATER, "To be checked")


async def test_an_album_comes_as_a_card_with_its_photos_and_an_album_mends_once(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        card = await t.report(samples=("cover", "cover", "cover"))
        assert card["photo"]
        await t.wind(3)
        await t.sees(WATER, lambda message: "media_group_id" in message)
        await t.settled()
        shown = await t.from_bot(WATER)
        assert len(shown) == 3 and len([each for each in shown if labels(each)]) == 1
        assert [bool(each.get("photo")) for each in shown] == [True] * 3
        # The unit answers one of the album's pictures with an album of its own: that is done, once.
        picture = next(each for each in shown if "media_group_id" in each)
        await t.photo(WATER_MAN, WATER, "好了", samples=("fixed", "fixed"), reply_to=picture["message_id"])
        await t.sees(OFFICE, says(button="Confirm"))
        await t.settled()
        assert len(await t.sent(OFFICE)) == 1
        told = await t.history(LIN, OFFICE)
        assert told.count("says it is done") == 1


async def test_not_ours_asks_why_and_takes_the_card_away(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        card = await t.report(samples=("cover", "cover"))
        await t.wind(3)
        await t.settled()
        assert len(await t.from_bot(WATER)) == 2
        await t.press(WATER_MAN, WATER, card, "Not ours")
        menu = await t.sees(WATER, says(button="Private ground"))
        assert labels(menu) == REASONS
        await t.press(WATER_MAN, WATER, menu, "← Back")
        card = await t.sees(WATER, says(button="Not ours"))
        assert labels(card) == ["Accept", "Made safe", "Done", "Not ours"] and not await t.from_bot(OFFICE)
        await t.press(WATER_MAN, WATER, card, "Not ours")
        menu = await t.sees(WATER, says(button="Private ground"))
        await t.press(WATER_MAN, WATER, menu, "Belongs to another unit")
        await t.sees(WATER, lambda message: labels(message) == ["Undo"])
        asked = await t.sees(OFFICE, "水务公司 says it is not theirs. Where should it go?")
        assert "水务公司 ✗" in labels(asked) and "供电所" in labels(asked)
        await t.wind(61)
        await t.gone(WATER, "-0001")
        await t.settled()
        assert await t.from_bot(WATER) == []
        assert "Belongs to another unit" in await t.history(LIN, OFFICE)
        # The reminder clock is the office's now: the unit that refused hears nothing more of it.
        await t.press(LIN, OFFICE, await t.sees(OFFICE, says("Where should it go?", button="物业红管家")), "物业红管家")
        fresh = await t.sees(PROPERTY, "-0001")
        assert labels(fresh) == ["Accept", "Made safe", "Done", "Not ours"]
        assert "Not theirs, they said: 水务公司" in words(await t.sees(OFFICE, "物业红管家"))
        assert not await t.from_bot(WATER)
        await t.sees(GUANDI, says("-0001", "物业红管家"))
        assert len(await t.standing(GUANDI, "-0001")) == 1


async def test_a_card_that_goes_to_another_unit_takes_its_reminder_with_it(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.workday("09:00")
        first, second = await t.report(), await t.report("路灯不亮了", at=POWER)
        await t.minutes(23)
        await t.sees(WATER, "left to accept it")
        await t.press(WATER_MAN, WATER, first, "Not ours")
        menu = await t.sees(WATER, says(button="Private ground"))
        await t.press(WATER_MAN, WATER, menu, "Private ground")
        await t.gone(WATER, "left to accept it")
        await t.wind(61)
        await t.gone(WATER, "-0001")
        # A light: four working hours to accept it; the secretary reassigns it past three quarters of them.
        await t.workday("17:25")
        await t.sees(POWER, says("-0002", "to be accepted."))
        await t.say(LIN, OFFICE, "/i 2")
        sheet = await t.sees(OFFICE, says("-0002", button="Reassign"))
        await t.press(LIN, OFFICE, sheet, "Reassign")
        menu = await t.sees(OFFICE, says("-0002", button="通信公司"))
        assert "供电所" not in labels(menu)
        await t.press(LIN, OFFICE, menu, "通信公司")
        await t.sees(TELECOM, says("-0002", button="Accept"))
        await t.gone(POWER, "-0002")
        await t.settled()
        assert await t.from_bot(POWER) == []
        # Whoever had it has no say any more.
        told = await t.forge(POWER_MAN, POWER, second, data_of(second, "Accept"))
        assert told == "This is not yours to do."
        assert "Dispatched · 通信公司" in words((await t.from_bot(TELECOM))[0])


async def test_of_two_who_press_at_once_the_second_is_told_who_was_first(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        await t.post("member", **{"as": URBAN_MAN, "chat": WATER})
        card = await t.report()
        told = await asyncio.gather(
            t.press(WATER_MAN, WATER, card, "Accept"), t.press(URBAN_MAN, WATER, card, "Accept")
        )
        late = next(each for each in told if each != "Done: Accept.")
        assert "Done: Accept." in told and late.startswith("A little late: ") and "accepted it" in late
        await t.sees(WATER, "In hand")
        # A stale button, pressed on a phone that has not been looked at for an hour.
        await t.hours(1)
        told_again = await t.forge(URBAN_MAN, WATER, card, data_of(card, "Accept"))
        assert "accepted it" in told_again
        await t.settled()
        assert (await t.history(LIN, OFFICE)).count("accepted it") == 1


async def test_nobody_without_the_role_can_press_however_the_press_is_made(tmp_path: Path) -> None:
    async with walk(tmp_path, _two_communities) as t:
        card = await t.report()
        line = await t.sees(GUANDI, "-0001")
        accept, done = data_of(card, "Accept"), data_of(card, "Done")
        nothing = "This is not yours to do."
        assert await t.forge(ZHANG, GUANDI, line, accept) == nothing
        assert await t.forge(POWER_MAN, POWER, {"message_id": 1}, accept) == nothing
        assert await t.forge(ZHANG, ZHANG, {"message_id": 1}, accept) == nothing
        # Another community's unit, and its secretary.
        assert await t.forge(PROPERTY_MAN, PROPERTY, {"message_id": 1}, done) == nothing
        assert await t.forge(TELECOM_MAN, TELECOM, {"message_id": 1}, accept.replace("accept", "reassign")) == nothing
        assert await t.forge(TELECOM_MAN, TELECOM, {"message_id": 1}, accept.replace("accept", "void")) == nothing
        # A unit cannot do what is the secretary's, nor a secretary what is the unit's.
        assert await t.forge(WATER_MAN, WATER, card, accept.replace("accept", "confirm")) == nothing
        assert await t.forge(LIN, OFFICE, {"message_id": 1}, accept) == nothing
        for data in ("a:99999:accept:", "a:x:accept:", "x", "a:1:explode:", "m:1:return:", "a:1:return:owner", "🙂"):
            assert await t.forge(LI, GUANDI, line, data), data
        await t.settled()
        assert words((await t.from_bot(WATER))[-1]) == words(card) and len(await t.from_bot(WATER)) == 1
        assert [await t.from_bot(chat) for chat in (OFFICE, POWER, TELECOM, PROPERTY)] == [[], [], [], []]
        assert words(await t.sees(GUANDI, "-0001")) == words(line)


def _two_communities(text: str) -> str:
    """The telecom company's chat is another community's office, the property's its unit."""
    head = text.split('[[community.unit]]\nkey = "telecom"')[0]
    return head.replace('fallback_unit = "property"', 'fallback_unit = "urban"') + (
        '[[community]]\nkey = "xincang"\nname = "新仓社区"\nprefix = "XC"\n'
        f"office_chat = {TELECOM}\nsecretaries = [{TELECOM_MAN}]\n"
        f'[[community.unit]]\nkey = "xcwater"\nname = "新仓水务"\nchat = {PROPERTY}\n'
        'categories = ["cover.water"]\ndistricts = ["*"]\n'
    )


async def test_another_community_sees_nothing_of_it(tmp_path: Path) -> None:
    async with walk(tmp_path, _two_communities) as t:
        await t.report()
        year = (await t.local()).year
        for person, chat in ((TELECOM_MAN, TELECOM), (PROPERTY_MAN, PROPERTY)):
            await t.say(person, chat, f"/i SD-{year}-0001")
            await t.sees(chat, f"There is no incident SD-{year}-0001 that you can see here.", person=person)
            await t.say(person, chat, "/find 井盖")
            await t.sees(chat, "Nothing found for “井盖”.")
            await t.say(person, chat, "/open")
            await t.sees(chat, "Nothing is open.")
            assert await t.forge(person, chat, {"message_id": 1}, "o:1::") == "This is not yours to see."


async def test_only_the_listed_members_act_for_a_unit_that_lists_them(tmp_path: Path) -> None:
    async with walk(tmp_path, lambda text: text.replace("members = []", f"members = [{WATER_MAN}]")) as t:
        await t.post("member", **{"as": URBAN_MAN, "chat": WATER})
        card = await t.report()
        assert await t.press(URBAN_MAN, WATER, card, "Accept") == "This is not yours to do."
        await t.photo(URBAN_MAN, WATER, "好了", samples=("fixed",), reply_to=card["message_id"])
        await t.photo(WATER_MAN, WATER, "匿名", samples=("fixed",), reply_to=card["message_id"], anonymous=True)
        await t.settled()
        assert "Dispatched" in words((await t.from_bot(WATER))[-1]) and not await t.from_bot(OFFICE)
        assert await t.press(WATER_MAN, WATER, card, "Accept") == "Done: Accept."
        await t.sees(WATER, "In hand")


@pytest.mark.parametrize("status", [Status.DISPATCHED, Status.ACCEPTED])
def test_the_table_gives_a_unit_what_the_stories_press(status: Status) -> None:
    assert {"Done", "Not ours", "Made safe"} <= unit_buttons(status)


async def test_a_later_shop_moves_no_incident(tmp_path: Path) -> None:
    """Found by a newcomer: the unit would have driven to the shop's new address."""
    async with walk(tmp_path) as t:
        await t.say(ZHANG, ZHANG, "/shop 张记面馆，中山路12号")
        await t.sees(ZHANG, "中山路12号", person=ZHANG)
        card = await t.report()
        assert "张记面馆, 中山路12号" in words(card)
        await t.say(ZHANG, ZHANG, "/shop 新张记，人民路1号")
        await t.sees(ZHANG, "人民路1号", person=ZHANG)
        await t.press(WATER_MAN, WATER, card, "Accept")
        changed = await t.sees(WATER, "In hand")
        assert "中山路12号" in words(changed) and "人民路" not in words(changed)


async def test_what_a_unit_writes_is_seen_and_reaches_the_office(tmp_path: Path) -> None:
    async with walk(tmp_path) as t:
        card = await t.report()
        await t.press(WATER_MAN, WATER, card, "Accept")
        said = await t.say(WATER_MAN, WATER, "管道要等水务来疏通", reply_to=card["message_id"])
        await t.reaction(WATER, said["message_id"], ["👀"])
        note = await t.sees(OFFICE, "水务公司 writes:")
        assert "管道要等水务来疏通" in words(note) and "Reassign" in labels(note)
