"""Issue 2, point 10: Chinese and English, the chat's first, then the person's, then the default."""

from pathlib import Path

from tests.test_story_setup import offered
from tests.town import GUANDI, LI, LIN, MARIA, NANSHI, OFFICE, WANG, WATER, WATER_MAN, ZHANG, labels, words
from tests.walks import COVER, says, walk

HAN = range(0x4E00, 0x9FFF)


def chinese(text: str) -> bool:
    return any(ord(sign) in HAN for sign in text)


async def test_one_chat_speaks_english_while_the_rest_stays_chinese(tmp_path: Path) -> None:
    async with walk(tmp_path, LANGUAGE="zh") as t:
        card = await t.report(COVER)
        assert "上水井盖" in words(card) and "接单" in labels(card)
        assert all(chinese(label) for label in labels(card))
        assert "状态" in words(card) or "已派遣" in words(card)
        await t.say(ZHANG, GUANDI, "/language en")
        await t.settled()
        assert "上水井盖" in words(await t.sees(GUANDI, "-0001")), "a shop owner does not set the group's language"
        await t.post("member", **{"as": LIN, "chat": WATER})
        await t.say(LIN, WATER, "/language en")
        await t.sees(WATER, "From now on in English.", person=LIN)
        await t.report("下水道井盖没了", person=WANG, chat=NANSHI)
        english = await t.sees(WATER, says("-0002"))
        assert "Sewer manhole cover" in words(english)
        assert labels(english) == ["Accept", "Made safe", "Done", "Not ours"]
        assert "污水井盖" in words(await t.sees(NANSHI, "-0002"))
        await t.press(WATER_MAN, WATER, english, "Accept")
        await t.sees(WATER, says("-0002", "In hand"))
        await t.sees(NANSHI, says("-0002", "处置中"))
        await t.mended(english)
        office = await t.sees(OFFICE, says("-0002", "污水井盖", button="确认结案"))
        assert "退回返工" in labels(office)
        assert (await offered(t, WATER))["open"] == "what is open"
        assert chinese((await offered(t, OFFICE))["open"]) and chinese((await offered(t, GUANDI))["my"])


async def test_a_person_is_answered_in_their_own_language_in_private(tmp_path: Path) -> None:
    async with walk(tmp_path, phones={ZHANG: "zh-hans", LI: "fr"}, LANGUAGE="zh") as t:
        for person, wanted in ((MARIA, "You have not reported anything yet."), (ZHANG, ""), (LI, "")):
            await t.say(person, person, "/my")
            told = words(await t.sees(person, lambda each: bool(words(each))))
            assert wanted in told and chinese(told) == (not wanted), told
        # And in the one they choose, whatever their phone says.
        await t.say(ZHANG, ZHANG, "/language en")
        await t.sees(ZHANG, "From now on in English.")
        await t.say(ZHANG, ZHANG, "/my")
        await t.sees(ZHANG, "You have not reported anything yet.")
        await t.say(ZHANG, ZHANG, "/language fr")
        await t.sees(ZHANG, "Write /language zh or /language en.")
        # The group stays as it is.
        await t.report(person=ZHANG)
        assert "上水井盖" in words(await t.sees(GUANDI, "-0001"))
        await t.say(ZHANG, ZHANG, "/my")
        await t.sees(ZHANG, says("Your reports", "Water manhole cover"))


async def test_a_press_is_answered_in_the_language_of_its_chat(tmp_path: Path) -> None:
    async with walk(tmp_path, phones={WATER_MAN: "zh-hans"}, LANGUAGE="zh") as t:
        card = await t.report()
        told = await t.press(WATER_MAN, WATER, card, "已处置")
        assert chinese(told) and "照片" in told
        await t.say(LIN, OFFICE, "/language en")
        await t.sees(OFFICE, "From now on in English.", person=LIN)
        await t.mended(card)
        shown = await t.sees(OFFICE, says("水务公司 says it is done. Please check.", button="Confirm"))
        assert "Water manhole cover" in words(shown)
        assert await t.press(LIN, OFFICE, shown, "Confirm") == "Done: Confirm."
        await t.sees(WATER, "结案")
        await t.sees(GUANDI, says("-0001", "结案"))
