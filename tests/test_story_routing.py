"""Who gets it: category and district name the unit, and where they name none a person does."""

from pathlib import Path

from tests.town import (
    CHEN,
    GUANDI,
    HEBIN,
    LIN,
    MARIA,
    NANSHI,
    OFFICE,
    POWER,
    PROPERTY,
    TELECOM,
    URBAN,
    WANG,
    WATER,
    WATER_MAN,
    ZHAO,
    english_town,
    labels,
    picture,
    words,
)

UNITS = ["水务公司", "供电所", "综合执法中队", "通信公司", "物业红管家"]


def unrouted(text: str) -> str:
    return text.replace('fallback_unit = "property"', 'fallback_unit = ""')


async def test_the_narrowest_route_wins_and_what_has_none_goes_to_the_fallback_unit(tmp_path: Path) -> None:
    def routes(text: str) -> str:
        text = text.replace(
            'categories = ["cover.telecom", "telecom.box"]\ndistricts = ["*"]',
            'categories = ["cover.*", "rubbish"]\ndistricts = ["nanshi", "hebin"]',
        )
        return text.replace('"power", "light"', '"power", "light", "rubbish"').replace(
            '"light", "rubbish", "cover.light", "pole"]\ndistricts = ["*"]',
            '"light", "rubbish", "cover.light", "pole"]\ndistricts = ["guandi", "nanshi"]',
        )

    async with english_town(tmp_path, routes) as there:
        posted = [
            # A named category beats a group of categories, whatever the districts say.
            (ZHAO, HEBIN, "Water manhole cover broken", WATER),
            # The group of categories holds in its own districts …
            (WANG, NANSHI, "Gas manhole cover is missing", TELECOM),
            # … and nowhere else: there it is the fallback unit's.
            (MARIA, GUANDI, "Heating manhole cover is loose", PROPERTY),
            # A named district beats "*": urban management has rubbish everywhere, others have it here.
            (MARIA, GUANDI, "Garbage bags everywhere", POWER),
            (ZHAO, HEBIN, "Rubbish by the bridge", TELECOM),
            # Of two that name the district the first in the file has it.
            (WANG, NANSHI, "Litter on the square", POWER),
            (WANG, NANSHI, "Scooters on the pavement", URBAN),
        ]
        for person, chat, said, _ in posted:
            await there.photo(person, chat, said)
        for _, _, said, unit in posted:
            card = await there.sees(unit, said)
            assert labels(card) == ["Accept", "Made safe", "Done", "Not ours"]
        await there.settled()
        for unit in (WATER, POWER, URBAN, TELECOM, PROPERTY):
            shown = sorted(words(message) for message in await there.from_bot(unit))
            wanted = [said for _, _, said, where in posted if where == unit]
            assert len(shown) == len(wanted)
            assert all(any(said in card for card in shown) for said in wanted)
        assert await there.from_bot(OFFICE) == []


async def test_without_route_and_fallback_the_secretary_chooses_the_unit(tmp_path: Path) -> None:
    async with english_town(tmp_path, unrouted) as there:
        [photo] = await there.photo(MARIA, GUANDI, "Gas manhole cover is missing")
        asked = await there.sees(OFFICE, "-0001")
        assert "No unit is responsible for this. Where should it go?" in words(asked)
        assert "Gas manhole cover" in words(asked) and "关帝庙商圈" in words(asked)
        assert picture(asked) == picture(photo)
        assert labels(asked) == [*UNITS, "More"]
        line = await there.sees(GUANDI, "Gas manhole cover · Filed")
        for unit in (WATER, POWER, URBAN, TELECOM, PROPERTY):
            assert await there.from_bot(unit) == []

        assert "Sent to 水务公司" in await there.press(LIN, OFFICE, asked, "水务公司")
        card = await there.sees(WATER, "-0001")
        assert picture(card) == picture(photo)
        await there.sees(GUANDI, lambda message: "水务公司 · Dispatched" in words(message))
        assert [message["message_id"] for message in await there.from_bot(GUANDI)] == [line["message_id"]]
        done = await there.sees(OFFICE, lambda message: "水务公司" not in labels(message))
        assert "Where should it go?" not in words(done)
        assert done["message_id"] == asked["message_id"]

        # Not theirs after all: the office hears it, and the unit that refused is marked.
        await there.press(WATER_MAN, WATER, card, "Not ours")
        reasons = await there.sees(WATER, lambda message: "Outside our area" in labels(message))
        await there.press(WATER_MAN, WATER, reasons, "Outside our area")
        again = await there.sees(OFFICE, "水务公司 says it is not theirs")
        assert again["message_id"] != asked["message_id"], "an edit rings nobody's phone"
        assert "水务公司 ✗" in labels(again)
        assert "Not theirs, they said: 水务公司" in words(again)
        await there.press(CHEN, OFFICE, again, "物业红管家")
        await there.sees(PROPERTY, "-0001")
        await there.gone(WATER, "-0001")


async def test_where_dispatch_is_approved_nothing_leaves_before_the_secretary_says_so(tmp_path: Path) -> None:
    def approve(text: str) -> str:
        return text.replace('dispatch = "auto"', 'dispatch = "approve"')

    async with english_town(tmp_path, approve) as there:
        [photo] = await there.photo(MARIA, GUANDI, "Water manhole cover broken")
        asked = await there.sees(OFFICE, "Where should it go?")
        assert picture(asked) == picture(photo)
        assert sorted(labels(asked)) == sorted([*UNITS, "More"])
        assert labels(asked)[0] == "水务公司"
        await there.sees(GUANDI, "Water manhole cover · Filed")
        await there.settled()
        assert await there.from_bot(WATER) == []

        await there.photo(WANG, NANSHI, "Scooters on the pavement")
        second = await there.sees(OFFICE, "-0002")
        assert labels(second)[0] == "综合执法中队", "one tap to confirm: the unit the route names stands first"

        await there.press(LIN, OFFICE, asked, "水务公司")
        card = await there.sees(WATER, "-0001")
        assert labels(card) == ["Accept", "Made safe", "Done", "Not ours"]
        await there.sees(GUANDI, "水务公司 · Dispatched")
        # The deputy is a moment later than the secretary.
        data = asked["reply_markup"]["inline_keyboard"][0][1]["callback_data"]
        late = await there.press(CHEN, OFFICE, asked, "", data=data, forged=True)
        assert "A little late" in late
        await there.settled()
        assert await there.from_bot(POWER) == []
        assert len(await there.from_bot(WATER)) == 1


async def test_a_unit_that_cannot_be_reached_is_named_to_the_office(tmp_path: Path) -> None:
    def robot_only(text: str) -> str:
        return text.replace("chat = -1001000000204", 'contact = "mailto:duty@telecom.example"')

    async with english_town(tmp_path, robot_only) as there:
        await there.photo(MARIA, GUANDI, "Telecom manhole cover broken")
        await there.sees(OFFICE, "could not be delivered to 通信公司")
        # A chat the bot was put out of while the card was on its way.
        await there.post("membership", **{"as": WATER_MAN, "chat": WATER, "status": "kicked"})
        await there.settled()
        await there.photo(ZHAO, HEBIN, "Water manhole cover broken")
        lost = await there.sees(OFFICE, "could not be delivered to 水务公司")
        assert "Reassign" in labels(lost)
        await there.press(LIN, OFFICE, lost, "Reassign")
        menu = await there.sees(OFFICE, lambda message: "物业红管家" in labels(message))
        await there.press(LIN, OFFICE, menu, "物业红管家")
        await there.sees(PROPERTY, "Water manhole cover")
        await there.sees(HEBIN, "物业红管家 · Dispatched")
