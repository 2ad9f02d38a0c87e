"""What a district's group sees, and above all what it does not: one reaction, one line, questions for one alone."""

import io
from pathlib import Path
from typing import Any

from PIL import Image

from tests.town import (
    BOT,
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
    ZHANG,
    ZHAO,
    Town,
    english_town,
    labels,
    patient,
    picture,
    town,
    words,
)

SENT = ("sendMessage", "sendPhoto", "sendMediaGroup", "sendDocument")
LIKELIEST = [
    "❓ Manhole cover (whose?)",
    "🚧 Pavement obstruction",
    "🛵 Bicycles and scooters blocking",
    "🚮 Exposed rubbish",
]


async def sent_to(there: Town, chat: int) -> list[dict[str, Any]]:
    """Every message the bot has ever sent to the chat, those since deleted and those for one person included."""
    return [call for call in await there.calls() if call["chat_id"] == chat and call["method"] in SENT]


async def nobody_else_sees(there: Town, chat: int, text: str, person: int) -> bool:
    return not any(text in words(message) for message in await there.from_bot(chat, person))


async def unsure_photo(there: Town, person: int = MARIA, chat: int = GUANDI) -> tuple[dict[str, Any], dict[str, Any]]:
    """A photo without a word, and the prompt that its author gets when gathering is over."""
    [photo] = await there.photo(person, chat, samples=("rubbish",))
    await there.reaction(chat, photo["message_id"], ["👀"])
    assert await there.from_bot(chat, person) == []
    await there.wind(GATHER + 1)
    return photo, await there.sees(chat, "What is it?", person=person)


async def test_an_incident_is_one_line_in_its_group_from_the_first_moment_to_before_and_after(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        [photo] = await there.photo(MARIA, GUANDI, "Water manhole cover broken")
        line = await there.sees(GUANDI, "-0001")
        assert line["reply_to_message"]["message_id"] == photo["message_id"]
        assert "Water manhole cover · 水务公司 · Dispatched · to be fixed by" in words(line)
        assert labels(line) == []
        await there.reaction(GUANDI, photo["message_id"], ["👀"])

        card = await there.sees(WATER, "-0001")
        await there.press(WATER_MAN, WATER, card, "Accept")
        await there.sees(GUANDI, "水务公司 · In hand · to be fixed by")
        [after] = await there.photo(WATER_MAN, WATER, samples=("fixed",), reply_to=card["message_id"])
        asked = await there.sees(GUANDI, "The unit says it is done. How does it look?")
        assert labels(asked) == ["Fixed", "Half", "Not fixed"]
        await there.reaction(GUANDI, photo["message_id"], ["👀"])
        check = await there.sees(OFFICE, "Please check")
        await there.press(LIN, OFFICE, check, "Confirm")
        closed = await there.sees(GUANDI, "Closed, took")
        await there.reaction(GUANDI, photo["message_id"], ["👌"])

        assert labels(closed) == []
        assert closed["message_id"] == line["message_id"]
        pair = Image.open(io.BytesIO(await there.download(closed["photo"][-1]["file_id"])))
        assert pair.width > 1.8 * pair.height, "before and after stand side by side"
        assert picture(closed) not in (picture(photo), picture(after), "")
        assert len(await there.from_bot(GUANDI)) == 1
        [only] = await sent_to(there, GUANDI)
        assert only["request"]["disable_notification"] is True
        for message in (line, asked, closed):
            assert "!" not in words(message)


async def test_a_crooked_life_is_told_in_the_same_line(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        [photo] = await there.photo(MARIA, GUANDI, "Water manhole cover broken")
        card = await there.sees(WATER, "-0001")
        await there.press(WATER_MAN, WATER, card, "Not ours")
        reasons = await there.sees(WATER, lambda message: "Belongs to another unit" in labels(message))
        await there.press(WATER_MAN, WATER, reasons, "Belongs to another unit")
        await there.sees(GUANDI, "Water manhole cover · Filed")
        asked = await there.sees(OFFICE, "水务公司 says it is not theirs")
        await there.press(LIN, OFFICE, asked, "物业红管家")
        await there.sees(GUANDI, "物业红管家 · Dispatched")
        again = await there.sees(PROPERTY, "-0001")
        assert picture(again) == picture(photo)
        sheet = await there.say(LIN, OFFICE, "/i 1")
        shown = await there.sees(OFFICE, lambda message: message["message_id"] > sheet["message_id"])
        await there.press(LIN, OFFICE, shown, "More")
        more = await there.sees(OFFICE, lambda message: "Void" in labels(message))
        await there.press(LIN, OFFICE, more, "Void")
        why = await there.sees(OFFICE, lambda message: "Filed by mistake" in labels(message))
        await there.press(LIN, OFFICE, why, "Filed by mistake")
        await there.sees(GUANDI, "Water manhole cover · Void")
        assert len(await sent_to(there, GUANDI)) == 1
        assert len(await there.from_bot(GUANDI)) == 1


async def test_an_unclear_photo_is_asked_about_in_front_of_nobody_but_its_author(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        photo, prompt = await unsure_photo(there)
        assert prompt.get("ephemeral_message_id")
        assert labels(prompt) == [*LIKELIEST, "Other kinds", "Not a report"]
        assert await nobody_else_sees(there, GUANDI, "What is it?", LI)
        assert await there.from_bot(OFFICE) == []

        told = await there.press(MARIA, GUANDI, prompt, "🚮")
        assert "-0001" in told
        card = await there.sees(URBAN, "-0001")
        assert picture(card) == picture(photo)
        await there.sees(GUANDI, "Exposed rubbish · 综合执法中队 · Dispatched")
        thanks = await there.sees(GUANDI, "is on its way", person=MARIA)
        assert labels(thanks) == ["Undo"]

        # A slip of the finger: everything goes back, and the right kind is behind "Other kinds".
        assert "Taken back" in await there.press(MARIA, GUANDI, thanks, "Undo")
        again = await there.sees(GUANDI, "What is it?", person=MARIA)
        await there.gone(URBAN, "-0001")
        await there.gone(GUANDI, "-0001")
        await there.press(MARIA, GUANDI, again, "Other kinds")
        kinds = await there.sees(GUANDI, lambda message: len(labels(message)) > 20, person=MARIA)
        assert labels(kinds)[-1] == "← Back"
        await there.press(MARIA, GUANDI, kinds, "🌳")
        await there.sees(PROPERTY, "-0001")
        line = await there.sees(GUANDI, "Planting · 物业红管家 · Dispatched")
        assert line["reply_to_message"]["message_id"] == photo["message_id"]

        await there.wind(61)
        await there.gone(GUANDI, "is on its way")
        assert len(await there.from_bot(GUANDI)) == 1
        assert await there.from_bot(OFFICE) == []


async def test_words_that_answer_the_question_file_it_and_chatter_does_not(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        photo, _ = await unsure_photo(there)
        await there.say(MARIA, GUANDI, "Anybody seen my umbrella?")
        await there.say(LI, GUANDI, "The street light is out too")
        await there.settled()
        assert there.rows("SELECT number FROM incident") == [(None,)]
        await there.say(MARIA, GUANDI, "A tree has come down")
        card = await there.sees(PROPERTY, "“A tree has come down”")
        assert picture(card) == picture(photo)
        await there.sees(GUANDI, "Planting · 物业红管家")
        await there.gone(GUANDI, "What is it?")
        await there.wind(700)
        await there.settled()
        assert len(await there.from_bot(GUANDI)) == 1
        assert not any("umbrella" in words(message) for message in await there.from_bot(PROPERTY))


async def test_what_is_not_a_report_leaves_no_trace(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        photo, prompt = await unsure_photo(there)
        await there.press(MARIA, GUANDI, prompt, "Not a report")
        await there.reaction(GUANDI, photo["message_id"], [])
        sorry = await there.sees(GUANDI, "Nothing is kept", person=MARIA)
        await there.press(MARIA, GUANDI, sorry, "Undo")
        again = await there.sees(GUANDI, "What is it?", person=MARIA)
        await there.reaction(GUANDI, photo["message_id"], ["👀"])
        await there.press(MARIA, GUANDI, again, "Not a report")
        await there.reaction(GUANDI, photo["message_id"], [])
        await there.sees(GUANDI, "Nothing is kept", person=MARIA)
        await there.wind(61)
        await there.gone(GUANDI, "Nothing is kept")

        await there.settled()
        assert await there.from_bot(GUANDI) == []
        for chat in (OFFICE, URBAN, PROPERTY):
            assert await sent_to(there, chat) == []
        assert there.rows("SELECT * FROM part") == []
        assert there.rows("SELECT reporter_id, latitude, place FROM incident") == [(None, None, "")]
        # The five minutes of the prompt have no sequel.
        await there.wind(600)
        await there.settled()
        assert await there.from_bot(OFFICE) == []


async def test_a_late_piece_of_an_album_that_was_no_report_brings_nothing_back(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        album = await there.photo(MARIA, GUANDI, samples=("bikes", "bikes"), media_group="5500")
        await there.reaction(GUANDI, album[0]["message_id"], ["👀"])
        await there.settled()
        await there.wind(GATHER + 1)
        prompt = await there.sees(GUANDI, "What is it?", person=MARIA)
        await there.press(MARIA, GUANDI, prompt, "Not a report")
        await there.reaction(GUANDI, album[0]["message_id"], [])
        await there.photo(MARIA, GUANDI, samples=("bikes",), media_group="5500")
        await there.settled()
        await there.wind(61)
        await there.settled()
        await there.wind(600)
        await there.settled()
        assert await there.from_bot(GUANDI) == []
        assert await there.from_bot(OFFICE) == []
        assert all(not message["reactions"] for message in await there.messages(GUANDI))
        assert there.rows("SELECT * FROM part") == []


async def test_a_question_nobody_answers_goes_to_the_office_and_the_group_sees_nothing(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        first, _ = await unsure_photo(there)
        second, _ = await unsure_photo(there, WANG, NANSHI)
        assert await there.from_bot(OFFICE) == []
        await there.wind(301)
        drafts = [
            await there.sees(OFFICE, lambda message, shown=shown: picture(message) == picture(shown))
            for shown in (first, second)
        ]
        for draft in drafts:
            assert "New, not yet sorted" in words(draft) and "What is it? Nobody has said." in words(draft)
            assert labels(draft) == [*LIKELIEST, "Other kinds", "Not a report", "More"]
        for chat in (GUANDI, NANSHI):
            await there.gone(chat, "What is it?")
            assert await there.from_bot(chat) == []

        await there.press(LIN, OFFICE, drafts[0], "🛵")
        card = await there.sees(URBAN, "-0001")
        assert picture(card) == picture(first)
        await there.sees(GUANDI, "Bicycles and scooters blocking · 综合执法中队")
        await there.press(LIN, OFFICE, drafts[1], "Not a report")
        await there.reaction(NANSHI, second["message_id"], [])
        await there.settled()
        assert await there.from_bot(NANSHI) == []


async def test_where_only_ordinary_messages_go_the_question_removes_itself(tmp_path: Path) -> None:
    async with english_town(tmp_path, ephemeral=False) as there:
        photo, prompt = await unsure_photo(there)
        other, _ = await unsure_photo(there, WANG, NANSHI)
        assert prompt["reply_to_message"]["message_id"] == photo["message_id"]
        assert (await sent_to(there, GUANDI))[-1]["request"]["disable_notification"] is True
        assert "not yours" in await there.press(LI, GUANDI, prompt, "🚮")
        assert "not yours" in await there.press(LI, GUANDI, prompt, "Other kinds")
        assert "not yours" in await there.press(LI, GUANDI, prompt, "Not a report")
        assert there.rows("SELECT count(*) FROM incident WHERE number IS NOT NULL") == [(0,)]

        await there.press(MARIA, GUANDI, prompt, "🚮")
        await there.sees(GUANDI, "Exposed rubbish · 综合执法中队")
        await there.sees(GUANDI, "is on its way")
        await there.wind(61)
        await there.gone(GUANDI, "is on its way")
        assert len(await there.from_bot(GUANDI)) == 1
        await there.wind(301)
        await there.sees(OFFICE, lambda message: picture(message) == picture(other))
        await there.gone(NANSHI, "What is it?")
        assert await there.from_bot(NANSHI) == []


async def test_chatter_stickers_and_forwarded_words_leave_no_trace_and_no_row(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        await there.settled()
        before = len([call for call in await there.calls() if call["method"] != "getUpdates"])
        said = await there.say(MARIA, GUANDI, "Who has change for a hundred?")
        await there.say(LI, GUANDI, "I do", reply_to=said["message_id"])
        await there.say(LI, GUANDI, "The street light is out again, somebody should report it")
        await there.post("send", **{"as": MARIA, "chat": GUANDI, "sticker": True})
        await there.say(LI, GUANDI, "New manhole covers half price", forward="A stranger")
        await there.post("send", **{"as": WANG, "chat": NANSHI, "location": {"latitude": 30.7, "longitude": 121.0}})
        await there.edit(MARIA, GUANDI, said["message_id"], text="Who has change for fifty?")
        await there.say(WATER_MAN, WATER, "Lunch at twelve")
        await there.photo(WATER_MAN, WATER, "My new car", samples=("bikes",))
        await there.settled()
        await there.wind(GATHER + 1)
        await there.settled()
        after = [call["method"] for call in await there.calls() if call["method"] != "getUpdates"][before:]
        assert after == []
        for table in ("incident", "part", "event", "person"):
            assert there.rows(f"SELECT * FROM {table}") == []
        assert there.rows("SELECT * FROM post WHERE kind != 'menu'") == []


async def test_an_anonymous_administrators_photo_is_taken_and_nobody_is_asked_in_the_group(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        await there.photo(LIN, GUANDI, "Water manhole cover broken", anonymous=True)
        card = await there.sees(WATER, "-0001")
        assert "林书记" not in words(card)
        [quiet] = await there.photo(LIN, NANSHI, samples=("rubbish",), anonymous=True)
        await there.reaction(NANSHI, quiet["message_id"], ["👀"])
        await there.wind(GATHER + 1)
        draft = await there.sees(OFFICE, "What is it? Nobody has said.")
        assert picture(draft) == picture(quiet)
        assert await there.from_bot(NANSHI) == []
        await there.say(LIN, GUANDI, "/my", anonymous=True)
        await there.sees(GUANDI, "I cannot tell who you are")
        await there.wind(121)
        await there.gone(GUANDI, "I cannot tell who you are")
        # A channel that is linked to the group and another bot are treated alike: the office decides, nobody is asked.
        await strangers_photo(there, {"id": 777000, "is_bot": False, "first_name": "Telegram"}, channel=True)
        await there.wind(GATHER + 1)
        await there.sees(
            OFFICE, lambda message: "Nobody has said" in words(message) and picture(message) != picture(draft)
        )
        assert await sent_to(there, HEBIN) == []


async def test_another_bots_photo_makes_nobody_see_a_question(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        await strangers_photo(there, {"id": BOT + 5, "is_bot": True, "first_name": "Weather bot"})
        await there.wind(GATHER + 1)
        await there.settled()
        assert await sent_to(there, HEBIN) == []
        # And people are asked as quietly as ever afterwards.
        _, prompt = await unsure_photo(there, ZHAO, HEBIN)
        assert prompt.get("ephemeral_message_id")


async def strangers_photo(there: Town, sender: dict[str, Any], channel: bool = False) -> None:
    """A photo in HEBIN by no person of the town: taken from one that somebody posted elsewhere."""
    [shown] = await there.photo(ZHAO, ZHAO, samples=("bikes",))
    platform = there.sandbox._platform
    chat = platform.world.chats[HEBIN]
    content: dict[str, Any] = {"photo": shown["photo"], "caption": "Our spring collection"}
    if channel:
        content["sender_chat"] = {"id": -1001500000001, "type": "channel", "title": "Fashion"}
        content["is_automatic_forward"] = True
    platform.deliver(chat, platform.put(chat, sender, content))
    await there.settled()


async def test_in_a_group_with_topics_everything_stays_in_the_topic_it_began_in(tmp_path: Path) -> None:
    def topics(seed: dict[str, Any]) -> None:
        hebin = next(chat for chat in seed["chats"] if chat["id"] == HEBIN)
        hebin |= {"is_forum": True, "topics": ["Repairs", "Small talk"]}

    async with english_town(tmp_path, seed=topics) as there:
        await there.photo(ZHAO, HEBIN, "Street light is out", samples=("light",), thread=102)
        await there.sees(POWER, "-0001")
        line = await there.sees(HEBIN, "-0001")
        assert line["message_thread_id"] == 102
        await there.wind(GATHER + 1)
        await there.photo(ZHAO, HEBIN, samples=("light",), thread=101)
        await there.settled()
        await there.wind(GATHER + 1)
        prompt = await there.sees(HEBIN, "What is it?", person=ZHAO)
        assert prompt["message_thread_id"] == 101
        await there.say(ZHAO, HEBIN, "/my", thread=102)
        mine = await there.sees(HEBIN, "Your reports", person=ZHAO)
        assert mine["message_thread_id"] == 102
        # Said outright, not left to the message it answers: that one may have been deleted by then.
        threads = [call["request"].get("message_thread_id") for call in await sent_to(there, HEBIN)]
        assert threads == [102, 101, 102]


async def test_the_town_reads_all_of_this_in_chinese(tmp_path: Path) -> None:
    async with town(tmp_path, patient) as there:
        [photo] = await there.photo(ZHANG, GUANDI, "自来水井盖被货车压裂,有学生路过")
        card = await there.sees(WATER, "上水井盖")
        assert labels(card) == ["接单", "已设警示", "已处置", "不归我管"]
        await there.sees(GUANDI, "上水井盖 · 水务公司 · 已派遣")
        await there.photo(WATER_MAN, WATER, samples=("fixed",), reply_to=card["message_id"])
        asked = await there.sees(GUANDI, lambda message: labels(message) == ["已修好", "修了一半", "没修好"])
        await there.press(LI, GUANDI, asked, "已修好")
        check = await there.sees(OFFICE, "群里 1 人说已修好")
        assert labels(check)[:2] == ["确认结案", "退回返工"]
        await there.press(LIN, OFFICE, check, "确认结案")
        await there.sees(GUANDI, "已结案")
        await there.reaction(GUANDI, photo["message_id"], ["👌"])
        # One whose phone speaks English is asked in English; her neighbour in Chinese.
        await there.photo(MARIA, GUANDI, samples=("rubbish",))
        await there.photo(WANG, NANSHI, samples=("rubbish",))
        await there.settled()
        await there.wind(GATHER + 1)
        hers = await there.sees(GUANDI, lambda message: "Not a report" in labels(message), person=MARIA)
        assert "What is it?" in words(hers)
        await there.sees(NANSHI, lambda message: "不是上报" in labels(message), person=WANG)


async def test_what_was_no_report_leaves_nobody_in_the_rows(tmp_path: Path) -> None:
    """Not even who it was: a picture that turned out to be chat is nobody's history."""
    async with english_town(tmp_path, lambda text: text.replace('intake = "ask"', 'intake = "keyword"')) as here:
        await here.photo(LI, GUANDI, "今天的新款")
        await here.settled()
        await here.wind(25)
        await here.settled()
        assert here.rows("select status, author_id, reporter_id from incident") == [("void", 0, None)]
        for table in ("part", "event", "person"):
            assert here.rows(f"select count(*) from {table}") == [(0,)], table


async def test_a_remark_put_in_other_words_shows_the_newest(tmp_path: Path) -> None:
    async with english_town(tmp_path) as here:
        photo = (await here.photo(ZHANG, GUANDI, "自来水井盖坏了"))[0]
        await here.sees(WATER, "SD-2026-0001")
        said = await here.say(LI, GUANDI, "两天前就这样", reply_to=photo["message_id"])
        await here.sees(WATER, "两天前就这样")
        await here.edit(LI, GUANDI, said["message_id"], text="三天前就这样")
        await here.sees(WATER, "三天前就这样")
        await here.gone(WATER, "两天前")


async def test_every_picture_taken_in_shows_that_it_was_seen(tmp_path: Path) -> None:
    """A single picture that joined the one before it would otherwise look as if nobody had seen it."""
    async with english_town(tmp_path) as here:
        first = (await here.photo(ZHANG, GUANDI, "自来水井盖坏了"))[0]
        second = (await here.photo(ZHANG, GUANDI))[0]
        for each in (first, second):
            await here.reaction(GUANDI, each["message_id"], ["👀"])
        line = await here.sees(GUANDI, "SD-2026-0001")
        assert labels(line) == ["Split"]
        await here.press(ZHANG, GUANDI, line, "Split")
        prompt = await here.sees(GUANDI, "What is it?", person=ZHANG)
        await here.press(ZHANG, GUANDI, prompt, "Not a report")
        await here.wind(61)
        await here.reaction(GUANDI, second["message_id"], [])
        await here.reaction(GUANDI, first["message_id"], ["👀"])
