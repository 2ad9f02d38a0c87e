"""An act is taken back before anybody knows whether the change it made has arrived: what stands there must be what the
rows say, although the rows say what they said before.
"""

from pathlib import Path

import pytest

from tests.street import OFFICE, UNIT_MAN, houses, street
from tests.town import labels, words

pytestmark = [pytest.mark.timeout(120), pytest.mark.once]


async def test_a_change_that_arrived_unheard_is_taken_back_too(tmp_path: Path) -> None:
    (house,) = houses(["001"])
    async with street(tmp_path, [house]) as here:
        await here.report(house)
        await here.line(house)
        card = await here.card(house)
        await here.press(UNIT_MAN, house.unit, card, "Accept")
        await here.card(house, "In hand")
        await here.line(house, "In hand")
        await here.rest(*house.chats)
        for method, chat in (("editMessageCaption", house.unit), ("editMessageText", house.group)):
            # Carried out, and the answer lost; what follows is not carried out until the undo has come.
            await here.post("fault", method=method, chat=chat, kind="reset_after", delivered=True, times=1)
            await here.post("fault", method=method, chat=chat, kind="reset_before", times=3)
        await here.press(UNIT_MAN, house.unit, card, "Done")
        card = await here.card(house, "To be checked")
        await here.line(house, "To be checked")
        assert "Undo" in labels(card)
        await here.press(UNIT_MAN, house.unit, card, "Undo")
        await here.rest(*house.chats, OFFICE)
        assert "In hand" in words(await here.card(house))
        assert "In hand" in words(await here.line(house))
        assert not await here.faults(), "the failures were met"
