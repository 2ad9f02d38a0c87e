"""Issue 3, point 3, as people see it: a shop that reports very much, and a unit that gets very much at once."""

import re
from pathlib import Path
from unittest.mock import patch

from bot.domain import pace
from bot.services.holding import MINUTE
from tests.bursts import CLEAR, upload
from tests.town import (
    CHEN,
    GUANDI,
    LI,
    LIN,
    MARIA,
    NANSHI,
    OFFICE,
    PROPERTY,
    URBAN,
    URBAN_MAN,
    WANG,
    WATER,
    ZHANG,
    english_town,
    labels,
    words,
)

SLOW = ((1, 1.0),)


async def test_the_secretary_lets_go_what_one_shop_reported_beyond_its_quota(tmp_path: Path) -> None:
    def few(text: str) -> str:
        assert "quota = 20" in text and f"secretaries = [{LIN}, {CHEN}]" in text
        return text.replace("quota = 20", "quota = 2").replace(f"[{LIN}, {CHEN}]", f"[{LIN}]")

    async with english_town(tmp_path, few) as there:
        posted = [(await upload(there, ZHANG, GUANDI, said))[0] for said in CLEAR[:6]]
        # What may hurt somebody waits for nobody's tap.
        await upload(there, ZHANG, GUANDI, "自来水井盖坏了")
        await there.sees(WATER, "-0007")
        notice = await there.sees(OFFICE, "wait for you: 4.")
        await there.settled()
        # The cover does not wait, and may have come after the list was written.
        assert re.search(r"has reported [67] matters within an hour. Those past 2 wait for you: 4\.", words(notice))
        assert len(await there.from_bot(OFFICE)) == 1
        for message in posted:
            await there.reaction(GUANDI, message["message_id"], ["👀"])
        told = [words(each) for each in await there.from_bot(GUANDI)]
        assert sorted(each[:12] for each in told) == ["SD-2026-0001", "SD-2026-0002", "SD-2026-0007"]

        # Somebody in the office who is no secretary changes nothing.
        assert "not yours" in await there.press(CHEN, OFFICE, notice, "Dispatch all")
        await there.press(LIN, OFFICE, notice, "1")
        # One of them, opened from the list: a card with its picture and the units to choose from.
        sheet = await there.sees(OFFICE, lambda message: "-0003" in words(message) and bool(message.get("photo")))
        assert any("综合执法中队" in label for label in labels(sheet))
        assert await there.press(LIN, OFFICE, notice, "Dispatch all") == "4 go on their way."
        await there.gone(OFFICE, "wait for you")
        await there.settled()
        shown = [words(each) for chat in (URBAN, PROPERTY) for each in await there.from_bot(chat)]
        for number in range(3, 7):
            assert len([each for each in shown if f"-{number:04d}" in each]) <= 1
        assert there.rows("select count(*) from incident where status = 'dispatched'") == [(7,)]
        assert there.rows("select count(*) from timer where kind = 'go'") == [(0,)]


async def test_a_unit_and_a_group_that_get_sixty_at_once_are_not_buried(tmp_path: Path) -> None:
    async with english_town(tmp_path) as there:
        with patch.multiple(pace, GROUP=SLOW):
            sent = 0
            for said in ("共享单车乱停", "门口垃圾成堆") * 10:
                for person, chat in ((ZHANG, GUANDI), (LI, GUANDI), (MARIA, GUANDI)):
                    sent += 1
                    await upload(there, person, chat, said)
            listed = await there.sees(URBAN, "new incidents", within=60)
            # A cover elsewhere is on its card at once.
            await upload(there, WANG, NANSHI, "自来水井盖坏了")
            await there.sees(WATER, "Water manhole cover", within=10)
            told = await there.sees(GUANDI, "more incidents were reported here", within=60)
            assert not labels(told) and "张" not in words(told)
            count = there.rows("select count(*) from post where kind = 'card' and state = 'held'")[0][0]
            assert 0 < count <= sent - MINUTE
            held = there.rows(
                "select number from incident join post on post.incident_id = incident.id"
                " where kind = 'card' and state = 'held' order by post.id limit 1"
            )[0][0]
            assert held in words(await there.sees(URBAN, held))
            await there.press(URBAN_MAN, URBAN, listed, "1")
            await there.sees(URBAN, lambda message: held in words(message) and bool(message.get("photo")), within=60)
            cards = [each for each in await there.from_bot(URBAN) if held in words(each) and each.get("photo")]
            assert len(cards) == 1
