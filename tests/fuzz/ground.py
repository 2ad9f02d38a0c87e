"""Where every example of the mill begins: three communities, and incidents in every stage with their cards shown."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session

from bot.alliance import read
from bot.services import aligning, binding
from bot.services.desk import Desk
from storage.migrating import migrate
from storage.store import open_store
from tests.fuzz.mill import FILE, GROUND, Mill
from tests.fuzz.schema import NOW
from tests.fuzz.wire import Stood, chat, person
from tests.town import EXAMPLE, GUANDI, LIN, NANSHI, OFFICE, URBAN, URBAN_MAN, WANG, WATER, WATER_MAN, ZHANG

# Another community beside those of the example: what happens there is nobody else's business.
HEXI, HEXI_OFFICE, HEXI_UNIT, HEXI_SECRETARY = -1001000000301, -1001000000302, -1001000000303, 500000301
OTHER = f"""
[[community]]
key = "hexi"
name = "河西社区"
prefix = "HX"
office_chat = {HEXI_OFFICE}
secretaries = [{HEXI_SECRETARY}]
dispatch = "approve"
intake = "all"
proof = "optional"
language = "en"
fallback_unit = "hands"

[[community.district]]
key = "west"
name = "West Street"
chats = [{HEXI}]

[[community.unit]]
key = "hands"
name = "Many Hands"
chat = {HEXI_UNIT}
members = [500000302]
categories = ["*"]
"""


async def make_ground(home: Path) -> Stood:
    """A database with the alliance and its first incidents in it; what stands in the chats then."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "alliance.toml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8") + OTHER, encoding="utf-8")
    await migrate("", home / FILE)
    store = open_store("", home / FILE)
    now = datetime.fromtimestamp(NOW - 7200, UTC)

    def apply(session: Session) -> None:
        aligning.align(session, read(path), now)
        binding.show_menus(Desk(session, GROUND, now))

    await store.write(apply)
    await store.close()
    mill = Mill(home, at=now)
    try:
        await _live(Street(mill))
        assert mill.wrong() == []
        return mill.wire.stood
    finally:
        await mill.close()


class Street:
    """People who write and press, one after the other; `rest` lets the relay show what follows from it."""

    def __init__(self, mill: Mill, first: int = 1) -> None:
        self.mill = mill
        self._next = first

    async def write(self, user_id: int, chat_id: int, **content: Any) -> dict[str, Any]:
        """A message; it is taken in."""
        self._next += 1
        sent = int(self.mill.clock.at.timestamp())
        body = {"message_id": self._next, "date": sent, "chat": chat(chat_id), "from": person(user_id), **content}
        await self._take({"message": body})
        return body

    async def photo(self, user_id: int, chat_id: int, caption: str, **content: Any) -> dict[str, Any]:
        picture = [{"file_id": f"f{self._next}", "file_unique_id": f"u{self._next}", "width": 1280, "height": 960}]
        return await self.write(user_id, chat_id, photo=picture, caption=caption, **content)

    async def edit(self, message: dict[str, Any], **content: Any) -> None:
        await self._take({"edited_message": {**message, **content, "edit_date": message["date"] + 1}})

    async def press(self, user_id: int, message: dict[str, Any], data: str) -> None:
        self._next += 1
        query = {"id": str(self._next), "from": person(user_id), "chat_instance": "1", "message": message, "data": data}
        await self._take({"callback_query": query})

    def newest(self, chat_id: int, *said: str) -> dict[str, Any]:
        """The bot's newest message in the chat that says all of this."""
        stood = [*self.mill.wire.stood.messages.values(), *self.mill.wire.stood.ephemeral.values()]
        texts = [(each, each.get("text") or each.get("caption", "")) for each in stood if each["chat"]["id"] == chat_id]
        return next(each for each, text in reversed(texts) if all(word in text for word in said))

    async def _take(self, content: dict[str, Any]) -> None:
        self._next += 1
        await self.mill.take([{"update_id": self._next, **content}])

    async def rest(self, seconds: float = 1) -> None:
        await self.mill.turn(seconds)


async def _live(street: Street) -> None:
    """Seven incidents: dispatched, accepted, to be checked, closed, returned, a draft, and one of another community."""
    for caption in ("自来水井盖坏了", "自来水井盖翘起", "自来水井盖丢了", "自来水井盖碎了"):
        await street.photo(ZHANG, GUANDI, caption)
        await street.rest(20)
    for number in (2, 3, 4):
        await street.press(WATER_MAN, street.newest(WATER, f"SD-2026-000{number}"), f"a:{number}:accept:")
    await street.rest()
    for number in (3, 4):
        await street.photo(WATER_MAN, WATER, "好了", reply_to_message=street.newest(WATER, f"SD-2026-000{number}"))
    await street.rest()
    await street.press(LIN, street.newest(OFFICE, "SD-2026-0004"), "a:4:confirm:")
    await street.photo(WANG, NANSHI, "垃圾成堆")
    await street.rest(20)
    await street.press(URBAN_MAN, street.newest(URBAN, "SD-2026-0005"), "a:5:return:owner")
    await street.photo(ZHANG, GUANDI, "")
    await street.photo(600000001, HEXI, "broken light")
    await street.rest(20)
    await street.write(LIN, OFFICE, text="/open")
    await street.write(LIN, OFFICE, text="/i 1")
    await street.write(LIN, OFFICE, text="/bind")
    await street.rest()
