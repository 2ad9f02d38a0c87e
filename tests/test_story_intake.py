"""What people post in a district's group and what becomes of it: one matter, one incident, nothing lost or mixed up."""

import io
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from bot.sandbox import pictures
from tests.town import (
    GATHER,
    GUANDI,
    HEBIN,
    LI,
    LIN,
    MARIA,
    NANSHI,
    OFFICE,
    POWER,
    PROPERTY,
    URBAN,
    WANG,
    WATER,
    WATER_MAN,
    ZHAO,
    Town,
    english_town,
    labels,
    picture,
    words,
)

UNIT_ACTS = ["Accept", "Made safe", "Done", "Not ours"]


async def incidents(there: Town) -> int:
    return int(there.rows("SELECT count(*) FROM incident")[0][0])


async def test_a_photo_with_clear_words_becomes_a_card_for_the_unit_and_its_words_may_still_change(
    tmp_path: Path,
) -> None:
    async with english_town(tmp_path) as there:
        [photo] = await there.photo(MARIA, GUANDI, "Water manhole cover cracked by a truck")
        card = await there.sees(WATER, "-0001")
        for piece in (
            "Water manhole cover",
            "关帝庙商圈",
            "“Water manhole cover cracked by a truck”",
            "accept",
            "left)",
        ):
            assert piece in words(card)
        assert labels(card) == UNIT_ACTS
        assert picture(card) == picture(photo)
        await there.reaction(GUANDI, photo["message_id"], ["👀"])
        line = await there.sees(GUANDI, "-0001")

        await there.edit(
            MARIA, GUANDI, photo["message_id"], caption="Water manhole cover <cracked> & open, by the school gate"
        )
        changed = await there.sees(WATER, "“Water manhole cover <cracked> & open, by the school gate”")
        assert changed["message_id"] == card["message_id"]
        assert "by a truck" not in words(changed)

        await there.say(LI, GUANDI, "I put a cone there", reply_to=photo["message_id"])
        remark = await there.sees(WATER, "a merchant: I put a cone there")
        assert remark["message_id"] == card["message_id"]
        await there.photo(LI, GUANDI, samples=("cover",), reply_to=line["message_id"])
        await there.say(WATER_MAN, WATER, "On our way", reply_to=card["message_id"])
        await there.sees(WATER, "水务公司: On our way")

        await there.say(LIN, OFFICE, "/i 1")
        sheet = words(await there.sees(OFFICE, "reported it"))
        for entry in ("reported it", "changed the words", "wrote: I put a cone there", "added a picture", "On our way"):
            assert entry in sheet
        assert len(await there.from_bot(GUANDI)) == 1
        assert await incidents(there) == 1


async def test_people_are_not_named_to_the_group_or_the_unit(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        [photo] = await there.photo(MARIA, GUANDI, "Water manhole cover cracked")
        await there.sees(WATER, "-0001")
        await there.say(LI, GUANDI, "It rattles all night", reply_to=photo["message_id"])
        await there.sees(WATER, "It rattles all night")
        await there.say(WATER_MAN, WATER, "/i 1")
        await there.sees(WATER, "reported it")
        await there.say(LI, GUANDI, "/i 1")
        await there.sees(GUANDI, "reported it", person=LI)
        for chat in (WATER, GUANDI):
            for message in await there.from_bot(chat):
                assert "Maria" not in words(message)
                assert "李姐" not in words(message)


async def test_an_album_is_one_incident_and_every_picture_reaches_the_unit_however_its_parts_arrive(
    tmp_path: Path,
) -> None:
    async with english_town(tmp_path) as there:
        album = await there.photo(MARIA, GUANDI, "Water manhole cover broken", samples=("cover", "cover", "cover"))
        early = await there.photo(WANG, NANSHI, samples=("light", "light"), media_group="7700")
        await there.reaction(NANSHI, early[0]["message_id"], ["👀"])
        # The part that carries the words comes in a batch of its own.
        last = await there.photo(WANG, NANSHI, "Street light is out", samples=("light",), media_group="7700")
        card = await there.sees(WATER, "-0001")
        other = await there.sees(POWER, "-0002")
        assert picture(card) == picture(album[0])
        assert picture(other) == picture(early[0])
        await there.settled()
        await there.wind(GATHER + 2)
        for shown in album[1:]:
            await there.sees(WATER, lambda message, shown=shown: picture(message) == picture(shown))
        for shown in (early[1], last[0]):
            await there.sees(POWER, lambda message, shown=shown: picture(message) == picture(shown))
        # And one straggler long after the gathering time.
        [straggler] = await there.photo(WANG, NANSHI, samples=("light",), media_group="7700")
        await there.sees(POWER, lambda message: picture(message) == picture(straggler))

        await there.reaction(GUANDI, album[0]["message_id"], ["👀"])
        await there.settled()
        for chat, posted in ((WATER, album), (POWER, [*early, *last, straggler])):
            shown = [picture(message) for message in await there.from_bot(chat)]
            assert sorted(shown) == sorted(picture(message) for message in posted)
        for chat in (GUANDI, NANSHI):
            assert len(await there.from_bot(chat)) == 1
        assert await incidents(there) == 2
        assert await there.from_bot(OFFICE) == []


async def test_single_photos_of_one_author_gather_and_split_makes_two_of_them(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        posted = await there.photo(
            MARIA, GUANDI, "Water manhole cover broken", samples=("cover", "cover", "bikes"), media_group=False
        )
        line = await there.sees(GUANDI, lambda message: "Split" in labels(message))
        assert "-0001" in words(line)
        await there.settled()
        assert await incidents(there) == 1

        assert "not yours" in await there.press(LI, GUANDI, line, "Split")
        assert await incidents(there) == 1
        assert "Split" in await there.press(MARIA, GUANDI, line, "Split")
        prompt = await there.sees(GUANDI, "What is it?", person=MARIA)
        await there.press(MARIA, GUANDI, prompt, "🛵")
        card = await there.sees(URBAN, "-0002")
        assert picture(card) == picture(posted[2])
        await there.reaction(GUANDI, posted[2]["message_id"], ["👀"])
        second = await there.sees(GUANDI, "-0002")
        assert second["reply_to_message"]["message_id"] == posted[2]["message_id"]

        await there.wind(GATHER + 2)
        await there.sees(WATER, lambda message: picture(message) == picture(posted[1]))
        await there.settled()
        shown = {picture(message) for message in await there.from_bot(WATER)}
        assert shown == {picture(posted[0]), picture(posted[1])}


async def test_two_authors_and_two_matters_of_one_author_are_never_mixed(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        [cover] = await there.photo(MARIA, GUANDI, "Water manhole cover broken")
        [bags] = await there.photo(LI, GUANDI, samples=("rubbish",))
        [bikes] = await there.photo(MARIA, GUANDI, "Scooters parked on the pavement", samples=("bikes",))
        await there.say(LI, GUANDI, "Garbage bags since Monday")
        water = await there.sees(WATER, "Water manhole cover broken")
        scooters = await there.sees(URBAN, "Scooters parked")
        rubbish = await there.sees(URBAN, "Garbage bags since Monday")
        assert [picture(water), picture(scooters), picture(rubbish)] == [picture(cover), picture(bikes), picture(bags)]
        for card in (water, scooters, rubbish):
            assert sum(said in words(card) for said in ("Water manhole", "Scooters", "Garbage")) == 1
        for photo in (cover, bags, bikes):
            line = await there.sees(
                GUANDI, lambda line, photo=photo: line["reply_to_message"]["message_id"] == photo["message_id"]
            )
            assert "Split" not in labels(line)
        await there.settled()
        assert await incidents(there) == 3
        assert len(await there.from_bot(GUANDI)) == 3


async def test_words_and_places_just_before_and_just_after_a_photo_belong_to_it(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        await there.say(MARIA, GUANDI, "Street light is out at the corner")
        [lamp] = await there.photo(MARIA, GUANDI, samples=("light",))
        card = await there.sees(POWER, "“Street light is out at the corner”")
        assert picture(card) == picture(lamp)

        await there.photo(WANG, NANSHI, samples=("cover",), live=True)
        await there.say(WANG, NANSHI, "Sewer manhole cover is loose")
        sewer = await there.sees(WATER, "Sewer manhole cover is loose")
        assert picture(sewer)
        await there.post("send", **{"as": WANG, "chat": NANSHI, "location": {"latitude": 30.7, "longitude": 121.02}})
        mapped = await there.sees(WATER, lambda message: labels(message)[:1] == ["🗺 Map"])
        url = mapped["reply_markup"]["inline_keyboard"][0][0]["url"]
        assert "30.7" in url and "121.02" in url

        await there.photo(ZHAO, HEBIN, "Tree has fallen", samples=("rubbish",))
        venue = {"title": "South Bridge", "address": "Hebin Road 3", "latitude": 30.68, "longitude": 121.01}
        await there.post("send", **{"as": ZHAO, "chat": HEBIN, "venue": venue})
        tree = await there.sees(PROPERTY, "South Bridge Hebin Road 3")
        assert "🗺 Map" in labels(tree)
        assert await incidents(there) == 3

        # Once nothing gathers any more, words and places are conversation; and words of long ago are not the photo's.
        await there.say(LI, GUANDI, "Our street light is out, by the way")
        await there.wind(GATHER + 1)
        await there.settled()
        before = len(await there.calls())
        await there.say(ZHAO, HEBIN, "It was the wind last night")
        await there.post("send", **{"as": WANG, "chat": NANSHI, "location": {"latitude": 1.0, "longitude": 2.0}})
        await there.settled()
        told = [call for call in (await there.calls())[before:] if call["method"] != "getUpdates"]
        assert told == []
        assert await incidents(there) == 3
        [late] = await there.photo(LI, GUANDI, samples=("rubbish",))
        await there.reaction(GUANDI, late["message_id"], ["👀"])
        assert there.rows("SELECT status, category FROM incident ORDER BY id DESC LIMIT 1") == [("draft", "")]


async def test_a_caption_corrected_while_it_gathers_decides_what_it_is(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        [photo] = await there.photo(MARIA, GUANDI, "Look at tihs ligt", samples=("light",))
        await there.reaction(GUANDI, photo["message_id"], ["👀"])
        assert await there.from_bot(GUANDI) == []
        await there.edit(MARIA, GUANDI, photo["message_id"], caption="Look, the street light is out")
        await there.sees(POWER, "Look, the street light is out")
        # Words in reply to one's own photo are words of the report.
        [bikes] = await there.photo(WANG, NANSHI, samples=("bikes",))
        await there.say(WANG, NANSHI, "Scooters again", reply_to=bikes["message_id"])
        await there.sees(URBAN, "“Scooters again”")
        await there.wind(GATHER + 1)
        await there.settled()
        assert len(await there.from_bot(GUANDI)) == 1
        assert len(await there.from_bot(NANSHI)) == 1


async def post_file(there: Town, person: int, chat: int, text: str, content: bytes) -> None:
    form = aiohttp.FormData({"as": str(person), "chat": str(chat), "text": text, "as_file": "true"})
    form.add_field("photo", content, filename="picture.jpg", content_type="image/jpeg")
    async with there.http.post(f"{there.base}/sandbox/send", data=form) as answer:
        assert answer.status == 200, await answer.text()


def talkative(content: bytes) -> set[str]:
    """What a picture tells beside its pixels."""
    image = Image.open(io.BytesIO(content))
    told = {"exif", "comment", "photoshop", "xmp", "icc_profile"} & set(image.info)
    return told | ({"EXIF"} if image.getexif() else set())


async def test_an_image_sent_as_a_file_gives_its_place_and_is_shown_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded: list[bytes] = []

    def developed(content: bytes, *, by_bot: bool) -> Any:
        uploaded.append(content)
        return pictures.developed(content, by_bot=by_bot)

    # What the relay itself sends counts: Telegram takes the EXIF off a photo, but not before it has it.
    monkeypatch.setattr("bot.sandbox.uploads.developed", developed)
    async with english_town(tmp_path) as there:
        [file] = await there.photo(MARIA, GUANDI, "Water manhole cover broken", as_file=True)
        assert "EXIF" in talkative(await there.download(file["document"]["file_id"]))
        card = await there.sees(WATER, lambda message: "🗺 Map" in labels(message))
        url = card["reply_markup"]["inline_keyboard"][0][0]["url"]
        assert "30.677" in url and "121.014" in url
        shown = await there.download(card["photo"][-1]["file_id"])
        assert Image.open(io.BytesIO(shown)).size == (1280, 960)
        assert not talkative(shown)
        methods = [call["method"] for call in await there.calls() if call["chat_id"] == WATER]
        assert "sendDocument" not in methods
        assert methods.count("sendPhoto") == 1

        # An album of files, and one with a remark in it: each picture is opened and cleaned.
        await there.photo(ZHAO, HEBIN, "Scooters here", samples=("bikes", "cover"), as_file=True)
        remark = io.BytesIO()
        Image.new("RGB", (400, 300), "green").save(remark, "JPEG", comment=b"taken by Maria, behind the shop")
        assert talkative(remark.getvalue())
        await post_file(there, LI, GUANDI, "Garbage bags", remark.getvalue())
        await there.sees(URBAN, "Scooters here")
        assert picture(await there.sees(URBAN, "Garbage bags"))
        await there.settled()
        await there.wind(GATHER + 2)
        await there.sees(URBAN, lambda message: picture(message) != "" and not words(message))
        assert len(uploaded) == 4
        assert not any(talkative(content) for content in uploaded)

        # What is no picture is said to be none, and the report goes its way.
        await post_file(there, WANG, NANSHI, "Litter", b"\xff\xd8\xff no picture at all")
        broken = await there.sees(URBAN, "could not be read")
        assert not picture(broken)
        assert "Litter" in words(broken)


async def test_report_takes_up_an_earlier_photo_or_words_alone_where_photos_count_only_by_keyword(
    tmp_path: Path,
) -> None:
    def keyword(text: str) -> str:
        return text.replace('intake = "ask"', 'intake = "keyword"')

    async with english_town(tmp_path, keyword) as there:
        [lamp] = await there.photo(MARIA, GUANDI, "On my way home", samples=("light",))
        [lunch] = await there.photo(WANG, NANSHI, "Our new noodles, come and try", samples=("rubbish",))
        await there.photo(ZHAO, HEBIN, "Water manhole cover broken")
        await there.sees(WATER, "-0001")
        await there.settled()
        await there.wind(GATHER + 1)
        await there.settled()
        for chat in (GUANDI, NANSHI):
            assert await there.from_bot(chat) == []
            assert all(not message["reactions"] for message in await there.messages(chat))
        assert there.rows("SELECT text FROM part WHERE text NOT LIKE 'Water%'") == []

        await there.say(LI, GUANDI, "/report street light is out", reply_to=lamp["message_id"])
        card = await there.sees(POWER, "-0002")
        assert picture(card) == picture(lamp)
        assert "street light is out" in words(card)
        await there.reaction(GUANDI, lamp["message_id"], ["👀"])
        line = await there.sees(GUANDI, "-0002")
        assert line["reply_to_message"]["message_id"] == lamp["message_id"]
        await there.say(MARIA, GUANDI, "/report", reply_to=lamp["message_id"])
        await there.sees(GUANDI, lambda told: "-0002 already" in words(told), person=MARIA)

        await there.say(WANG, NANSHI, "/report garbage bags behind the market")
        alone = await there.sees(URBAN, "garbage bags behind the market")
        assert not picture(alone)
        assert labels(alone) == UNIT_ACTS
        await there.say(WANG, NANSHI, "/report")
        hint = await there.sees(NANSHI, "Reply to a photo with /report", person=WANG)
        assert hint.get("ephemeral_message_id")
        assert all("Reply to a photo" not in words(each) for each in await there.from_bot(NANSHI, person=LIN))
        await there.wind(125)
        await there.gone(NANSHI, "Reply to a photo")
        await there.gone(GUANDI, "already")
        assert [len(await there.from_bot(chat)) for chat in (GUANDI, NANSHI, HEBIN)] == [1, 1, 1]
        assert all(
            not message["reactions"] for message in await there.messages(NANSHI) if picture(message) == picture(lunch)
        )


async def test_report_in_the_same_breath_as_its_photo_counts(tmp_path: Path) -> None:
    async with english_town(tmp_path, lambda text: text.replace('intake = "ask"', 'intake = "keyword"')) as there:
        [lamp] = await there.photo(MARIA, GUANDI, samples=("light",))
        await there.say(MARIA, GUANDI, "/report street light is out", reply_to=lamp["message_id"])
        card = await there.sees(POWER, "street light is out")
        assert picture(card) == picture(lamp)
        # Without words it is a report all the same, and its author is asked what it is.
        [photo] = await there.photo(WANG, NANSHI, "On my way home", samples=("bikes",))
        await there.say(WANG, NANSHI, "/report", reply_to=photo["message_id"])
        await there.reaction(NANSHI, photo["message_id"], ["👀"])
        await there.wind(GATHER + 1)
        prompt = await there.sees(NANSHI, "What is it?", person=WANG)
        assert prompt.get("ephemeral_message_id")
        await there.press(WANG, NANSHI, prompt, "🛵")
        assert picture(await there.sees(URBAN, "-0002")) == picture(photo)


async def test_report_as_the_caption_of_a_photo_reports_that_photo(tmp_path: Path) -> None:
    async with english_town(tmp_path, lambda text: text.replace('intake = "ask"', 'intake = "keyword"')) as there:
        lamps = await there.photo(MARIA, GUANDI, "/report street light is out", samples=("light", "light"))
        card = await there.sees(POWER, "“street light is out”")
        assert picture(card) == picture(lamps[0])
        [bikes] = await there.photo(WANG, NANSHI, "/report", samples=("bikes",))
        await there.reaction(NANSHI, bikes["message_id"], ["👀"])
        await there.settled()
        await there.wind(GATHER + 2)
        await there.sees(POWER, lambda message: picture(message) == picture(lamps[1]))
        await there.sees(NANSHI, "What is it?", person=WANG)
        assert len(await there.from_bot(NANSHI)) == 1
        assert await incidents(there) == 2


async def test_a_place_sent_in_reply_later_still_puts_the_incident_on_the_map(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        await there.photo(MARIA, GUANDI, "Water manhole cover broken")
        card = await there.sees(WATER, "-0001")
        assert "🗺 Map" not in labels(card)
        line = await there.sees(GUANDI, "-0001")
        await there.wind(600)
        spot = {"latitude": 30.71, "longitude": 121.03}
        await there.post("send", **{"as": MARIA, "chat": GUANDI, "location": spot, "reply_to": line["message_id"]})
        await there.sees(WATER, lambda message: "🗺 Map" in labels(message))
        await there.say(LIN, OFFICE, "/i 1")
        assert "added a picture" not in words(await there.sees(OFFICE, "-0001"))


async def test_where_every_photo_counts_nobody_is_asked(tmp_path: Path) -> None:
    async with english_town(tmp_path, lambda text: text.replace('intake = "ask"', 'intake = "all"')) as there:
        [photo] = await there.photo(MARIA, GUANDI, "Look at this", samples=("rubbish",))
        await there.reaction(GUANDI, photo["message_id"], ["👀"])
        assert await there.from_bot(PROPERTY) == []
        await there.wind(GATHER + 1)
        card = await there.sees(PROPERTY, "-0001")
        assert "Other" in words(card)
        await there.sees(GUANDI, "-0001")
        await there.settled()
        assert len(await there.from_bot(GUANDI)) == 1
        assert await there.from_bot(OFFICE) == []
