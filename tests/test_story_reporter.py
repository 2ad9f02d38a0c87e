"""The reporter's side: is it fixed, what became of mine, and a minute to take back a mistaken press."""

from pathlib import Path
from typing import Any

from tests.town import (
    CHEN,
    GATHER,
    GUANDI,
    LI,
    LIN,
    MARIA,
    NANSHI,
    OFFICE,
    POWER,
    URBAN,
    URBAN_MAN,
    WANG,
    WATER,
    WATER_MAN,
    Town,
    english_town,
    labels,
    picture,
    words,
)


def data_of(message: dict[str, Any], label: str) -> str:
    """What the button with this label sends, for a press on a phone that has not seen the change yet."""
    rows = message["reply_markup"]["inline_keyboard"]
    return str(next(button["callback_data"] for row in rows for button in row if button["text"] == label))


async def resolved(there: Town, said: str = "Water manhole cover broken") -> dict[str, Any]:
    """An incident that its unit calls done; the group's line, which asks."""
    await there.photo(MARIA, GUANDI, said)
    card = await there.sees(WATER, said)
    await there.photo(WATER_MAN, WATER, samples=("fixed",), reply_to=card["message_id"])
    return await there.sees(GUANDI, "How does it look?")


async def test_the_reporter_and_the_neighbours_say_whether_it_is_fixed_and_the_office_counts(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        line = await resolved(there)
        assert labels(line) == ["Fixed", "Half", "Not fixed"]
        check = await there.sees(OFFICE, "水务公司 says it is done. Please check.")
        assert "In the group" not in words(check)

        assert "Thank you" in await there.press(MARIA, GUANDI, line, "Not fixed")
        assert "Thank you" in await there.press(LI, GUANDI, line, "Fixed")
        await there.sees(OFFICE, "In the group: Fixed 1 · Not fixed 1")
        assert "already" in await there.press(LI, GUANDI, line, "Fixed")
        assert "Thank you" in await there.press(MARIA, GUANDI, line, "Half")
        counted = await there.sees(OFFICE, "In the group: Fixed 1 · Half 1")
        assert counted["message_id"] == check["message_id"]
        assert "Maria" not in words(await there.sees(GUANDI, "Fixed 1 · Half 1"))

        # Neither a merchant of another district nor the unit itself, however they come by the button.
        fixed = data_of(line, "Fixed")
        for stranger, chat in ((WANG, NANSHI), (WATER_MAN, WATER)):
            told = await there.press(stranger, chat, line, "", data=fixed, forged=True)
            assert told == "This is not yours to do."
        await there.settled()
        assert "In the group: Fixed 1 · Half 1" in words((await there.from_bot(OFFICE))[-1])
        assert there.rows("SELECT status FROM incident") == [("resolved",)], "an answer is never a change by itself"

        # Sent back and done again: the question is asked anew, from nothing.
        await there.press(LIN, OFFICE, counted, "Send back")
        reasons = await there.sees(OFFICE, lambda message: "Only half fixed" in labels(message))
        await there.press(LIN, OFFICE, reasons, "Only half fixed")
        card = await there.sees(WATER, "Sent back: Only half fixed")
        await there.sees(GUANDI, "In hand")
        await there.photo(WATER_MAN, WATER, samples=("fixed",), reply_to=card["message_id"])
        again = await there.sees(GUANDI, "How does it look?")
        assert "Fixed 1" not in words(again)
        await there.press(MARIA, GUANDI, again, "Fixed")
        await there.sees(OFFICE, lambda message: "In the group: Fixed 1 · the reporter: Fixed" in words(message))

        final = await there.sees(OFFICE, lambda message: "Confirm" in labels(message))
        await there.press(LIN, OFFICE, final, "Confirm")
        await there.sees(GUANDI, "Closed, took")
        late = await there.press(LI, GUANDI, again, "", data=fixed, forged=True)
        assert late.startswith("A little late:") and "confirmed it" in late
        assert len(await there.from_bot(GUANDI)) == 1


async def test_my_shows_each_person_their_own_reports_and_to_nobody_else(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        await there.photo(MARIA, GUANDI, "Water manhole cover broken")
        await there.photo(LI, GUANDI, "Street light is out", samples=("light",))
        await there.sees(POWER, "Street light")
        await there.say(MARIA, GUANDI, "/my")
        mine = await there.sees(GUANDI, "Your reports", person=MARIA)
        assert mine.get("ephemeral_message_id")
        assert "Water manhole cover" in words(mine) and "Street light" not in words(mine)
        assert labels(mine) == ["1"]
        assert not any("Your reports" in words(each) for each in await there.from_bot(GUANDI, LI))
        await there.say(LI, LI, "/my")
        hers = await there.sees(LI, "Your reports")
        assert "Street light" in words(hers) and "Water manhole" not in words(hers)
        await there.say(WANG, WANG, "/my")
        await there.sees(WANG, "You have not reported anything yet")

        await there.press(LI, LI, hers, "1")
        sheet = await there.sees(LI, "reported it")
        assert picture(sheet)
        # Her look at it is nothing to the group.
        await there.press(MARIA, GUANDI, mine, "1")
        await there.sees(GUANDI, "reported it", person=MARIA)
        assert not any("reported it" in words(each) for each in await there.from_bot(GUANDI, LI))
        await there.wind(125)
        await there.gone(GUANDI, "Your reports")
        await there.settled()
        assert len(await there.from_bot(GUANDI)) == 2
        assert any("Your reports" in words(each) for each in await there.from_bot(LI))


async def test_a_unit_takes_back_a_mistaken_press_within_a_minute_and_not_later(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        await there.photo(MARIA, GUANDI, "Water manhole cover broken")
        card = await there.sees(WATER, "-0001")
        await there.press(WATER_MAN, WATER, card, "Accept")
        accepted = await there.sees(WATER, lambda message: "Undo" in labels(message))
        assert "In hand" in words(accepted)
        undo = data_of(accepted, "Undo")
        # Whoever stands elsewhere may not take it back for them.
        assert "Too late to undo" in await there.press(LI, GUANDI, accepted, "", data=undo, forged=True)
        assert "Taken back" in await there.press(WATER_MAN, WATER, accepted, "Undo")
        back = await there.sees(WATER, "Status: Dispatched")
        assert labels(back) == ["Accept", "Made safe", "Done", "Not ours"]
        await there.sees(GUANDI, "水务公司 · Dispatched")

        # A photo of something else resolved it; the office's card goes again.
        await there.photo(WATER_MAN, WATER, "Lunch", samples=("rubbish",), reply_to=card["message_id"])
        done = await there.sees(WATER, "To be checked")
        await there.sees(OFFICE, "Please check")
        await there.press(WATER_MAN, WATER, done, "Undo")
        await there.sees(WATER, "Status: Dispatched")
        await there.gone(OFFICE, "Please check")
        # Nor does that photo prove anything now.
        again = await there.sees(WATER, lambda message: "Done" in labels(message))
        assert "photo of the finished work" in await there.press(WATER_MAN, WATER, again, "Done")

        await there.press(WATER_MAN, WATER, again, "Accept")
        late = await there.sees(WATER, lambda message: "Undo" in labels(message))
        await there.wind(61)
        await there.sees(WATER, lambda message: "In hand" in words(message) and "Undo" not in labels(message))
        assert "Too late to undo" in await there.press(WATER_MAN, WATER, late, "", data=undo, forged=True)
        assert there.rows("SELECT status FROM incident") == [("accepted",)]


async def test_a_unit_takes_back_that_it_was_not_theirs(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        await there.photo(MARIA, GUANDI, "Water manhole cover broken")
        card = await there.sees(WATER, "-0001")
        await there.press(WATER_MAN, WATER, card, "Not ours")
        reasons = await there.sees(WATER, lambda message: "Private ground" in labels(message))
        await there.press(WATER_MAN, WATER, reasons, "Private ground")
        await there.sees(OFFICE, "says it is not theirs")
        slip = await there.sees(WATER, lambda message: "Undo" in labels(message))
        await there.press(WATER_MAN, WATER, slip, "Undo")
        back = await there.sees(WATER, "Status: Dispatched")
        assert labels(back) == ["Accept", "Made safe", "Done", "Not ours"]
        await there.gone(OFFICE, "says it is not theirs")
        await there.sees(GUANDI, "水务公司 · Dispatched")


async def test_a_secretary_takes_back_a_mistaken_press_within_a_minute_and_not_later(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        line = await resolved(there)
        photo = line["reply_to_message"]["message_id"]
        check = await there.sees(OFFICE, "Please check")
        await there.press(LIN, OFFICE, check, "Confirm")
        closed = await there.sees(OFFICE, lambda message: labels(message) == ["Undo"])
        await there.reaction(GUANDI, photo, ["👌"])
        undo = data_of(closed, "Undo")
        assert "by whoever took it" in await there.press(CHEN, OFFICE, closed, "Undo")
        assert "Taken back" in await there.press(LIN, OFFICE, closed, "Undo")
        asked = await there.sees(OFFICE, "Please check")
        assert labels(asked)[:2] == ["Confirm", "Send back"]
        reopened = await there.sees(GUANDI, "How does it look?")
        assert labels(reopened) == ["Fixed", "Half", "Not fixed"]
        await there.reaction(GUANDI, photo, ["👀"])

        await there.press(LIN, OFFICE, asked, "Confirm")
        await there.sees(GUANDI, "Closed, took")
        await there.reaction(GUANDI, photo, ["👌"])
        await there.wind(61)
        await there.settled()
        assert all("Undo" not in labels(message) for message in await there.from_bot(OFFICE))
        assert "Too late to undo" in await there.press(LIN, OFFICE, closed, "", data=undo, forged=True)
        assert there.rows("SELECT status FROM incident") == [("closed",)]
        assert len(await there.from_bot(GUANDI)) == 1


async def test_a_secretary_takes_back_that_a_draft_was_no_report(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        [photo] = await there.photo(MARIA, GUANDI, samples=("rubbish",))
        await there.reaction(GUANDI, photo["message_id"], ["👀"])
        await there.wind(GATHER + 1)
        await there.sees(GUANDI, "What is it?", person=MARIA)
        await there.wind(301)
        draft = await there.sees(OFFICE, "Nobody has said")
        await there.press(LIN, OFFICE, draft, "Not a report")
        await there.reaction(GUANDI, photo["message_id"], [])
        slip = await there.sees(OFFICE, lambda message: "Undo" in labels(message))
        await there.press(LIN, OFFICE, slip, "Undo")
        again = await there.sees(OFFICE, "Nobody has said")
        assert picture(again) == picture(photo)
        await there.reaction(GUANDI, photo["message_id"], ["👀"])
        await there.press(LIN, OFFICE, again, "Not a report")
        await there.wind(61)
        await there.gone(OFFICE, "Draft")
        await there.settled()
        assert there.rows("SELECT * FROM part") == []
        assert await there.from_bot(OFFICE) == []


async def test_a_reporter_can_no_longer_take_back_what_the_unit_has_in_hand(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        [photo] = await there.photo(MARIA, GUANDI, samples=("cover",))
        await there.reaction(GUANDI, photo["message_id"], ["👀"])
        await there.wind(GATHER + 1)
        prompt = await there.sees(GUANDI, "What is it?", person=MARIA)
        await there.press(MARIA, GUANDI, prompt, "🚮")
        thanks = await there.sees(GUANDI, "is on its way", person=MARIA)
        undo = data_of(thanks, "Undo")
        card = await there.sees(URBAN, "-0001")
        assert "not yours" in await there.press(URBAN_MAN, URBAN, card, "", data="a:1:confirm:", forged=True)
        await there.press(URBAN_MAN, URBAN, card, "Accept")
        line = await there.sees(GUANDI, "In hand")
        told = await there.press(MARIA, GUANDI, line, "", data=undo, forged=True)
        assert "Too late to undo" in told
        await there.settled()
        assert there.rows("SELECT status FROM incident") == [("accepted",)]
        assert all("Undo" not in labels(message) for message in await there.from_bot(GUANDI))


async def test_a_secretary_takes_back_a_wrong_unit_and_a_wrong_dismissal(tmp_path: Path) -> None:
    async with english_town(tmp_path, lambda text: text.replace('dispatch = "auto"', 'dispatch = "approve"')) as there:
        await there.photo(MARIA, GUANDI, "Water manhole cover broken")
        asked = await there.sees(OFFICE, "Where should it go?")
        await there.press(LIN, OFFICE, asked, "供电所")
        await there.sees(POWER, "-0001")
        slip = await there.sees(OFFICE, lambda message: "Undo" in labels(message))
        await there.press(LIN, OFFICE, slip, "Undo")
        await there.gone(POWER, "-0001")
        again = await there.sees(OFFICE, "Where should it go?")
        await there.sees(GUANDI, "Water manhole cover · Filed")

        await there.press(LIN, OFFICE, again, "More")
        more = await there.sees(OFFICE, lambda message: "Dismiss" in labels(message))
        await there.press(LIN, OFFICE, more, "Dismiss")
        reasons = await there.sees(OFFICE, lambda message: "Not a public matter" in labels(message))
        await there.press(LIN, OFFICE, reasons, "Not a public matter")
        await there.sees(GUANDI, "Water manhole cover · Dismissed")
        wrong = await there.sees(OFFICE, lambda message: "Undo" in labels(message))
        await there.press(LIN, OFFICE, wrong, "Undo")
        await there.sees(GUANDI, "Water manhole cover · Filed")
        right = await there.sees(OFFICE, "Where should it go?")
        await there.press(LIN, OFFICE, right, "水务公司")
        await there.sees(WATER, "-0001")
        assert len(await there.from_bot(GUANDI)) == 1


async def test_a_reporter_asks_to_reopen_what_was_closed_and_the_secretary_decides(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        await resolved(there)
        check = await there.sees(OFFICE, "Please check")
        await there.press(LIN, OFFICE, check, "Confirm")
        await there.sees(GUANDI, "Closed, took")
        await there.wind(3600)
        await there.say(MARIA, MARIA, "/my")
        mine = await there.sees(MARIA, "Closed, took")
        await there.press(MARIA, MARIA, mine, "1")
        sheet = await there.sees(MARIA, lambda message: "Ask to reopen" in labels(message))
        assert "Thank you" in await there.press(MARIA, MARIA, sheet, "Ask to reopen")
        asked = await there.sees(OFFICE, "The reporter asks to reopen it")
        await there.sees(GUANDI, "Closed, took")
        await there.press(LIN, OFFICE, asked, "Reopen")
        again = await there.sees(WATER, "Reopened by the secretary")
        assert labels(again) == ["Made safe", "Done", "Not ours"]
        line = await there.sees(GUANDI, "水务公司 · In hand")
        await there.reaction(GUANDI, line["reply_to_message"]["message_id"], ["👀"])
        assert len(await there.from_bot(GUANDI)) == 1
