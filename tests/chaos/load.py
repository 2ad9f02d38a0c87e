"""People at work while the relay is killed: they report, press, answer and show what they mended, and remember it all.

What they do goes through the emulator's doors only. Each remembers what was said back: a press without an answer may
have been done or not, and whoever still sees the button presses it again.
"""

import asyncio
import io
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from PIL import Image

from tests.town import (
    BOT,
    CHEN,
    GUANDI,
    HEBIN,
    LI,
    LIN,
    MARIA,
    NANSHI,
    OFFICE,
    POWER,
    POWER_MAN,
    PROPERTY,
    PROPERTY_MAN,
    STREET,
    TELECOM,
    TELECOM_MAN,
    URBAN,
    URBAN_MAN,
    WANG,
    WATER,
    WATER_MAN,
    ZHANG,
    ZHAO,
    ZHOU,
    words,
)

Message = dict[str, Any]

SHOPS = {ZHANG: GUANDI, LI: GUANDI, MARIA: GUANDI, WANG: NANSHI, ZHAO: HEBIN}
UNITS = {
    WATER_MAN: WATER,
    POWER_MAN: POWER,
    URBAN_MAN: URBAN,
    TELECOM_MAN: TELECOM,
    PROPERTY_MAN: PROPERTY,
}
OFFICES = {LIN: OFFICE, CHEN: OFFICE, ZHOU: STREET}
SAID = {
    GUANDI: ("自来水井盖坏了", "路灯不亮", "垃圾成堆", "占道堆物"),
    NANSHI: ("自来水井盖坏了", "路灯不亮", "电动车乱停放", "垃圾成堆"),
    HEBIN: ("通讯井盖破了", "路面破损", "绿化带里树倒了"),
}
"""Words that name one kind of matter clearly."""
GATHER = 1
APART = GATHER + 2
"""Seconds between two reports of one author, by the emulator's clock: less would make one matter of them."""
VIEW = 14
"""Messages of each chat that people look back on."""
WINDS = (4, 4, 20, 62, 62, 320, 1500)
"""By how many seconds the clock is wound now and then: undo ends, prompts expire, limits near."""
WAIT = 1.5
"""Seconds somebody waits for the answer to a press."""


@dataclass(frozen=True)
class Report:
    """One matter as its author posted it: one picture or an album."""

    author: int
    chat: int
    messages: tuple[int, ...]
    clear: bool


@dataclass(frozen=True)
class Reply:
    """An answer to a message of the bot's or to one's own: words, or `picture` of the work."""

    person: int
    chat: int
    message: int
    answered: str
    """What stood on the message that was answered."""
    picture: bool


@dataclass(frozen=True)
class Press:
    """`outcome`: done, refused, said (nothing but a menu, or noted already), lost (no answer came)."""

    person: int
    chat: int
    incident: int
    act: str
    choice: str
    outcome: str
    told: str


@dataclass
class Memory:
    """All that was done, as far as those who did it know."""

    reports: list[Report] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)
    chatter: list[tuple[int, int]] = field(default_factory=list)
    """(chat, message) of words that belong to nothing, or perhaps to the picture before them."""

    def acts(self) -> int:
        return len(self.replies) + len(self.presses)


class Door:
    """The emulator's own doors."""

    def __init__(self, base: str, http: aiohttp.ClientSession) -> None:
        self._base, self._http = base, http

    async def get(self, door: str, **asked: Any) -> dict[str, Any]:
        async with self._http.get(f"{self._base}/sandbox/{door}", params=asked) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def post(self, door: str, **wish: Any) -> dict[str, Any]:
        async with self._http.post(f"{self._base}/sandbox/{door}", json=wish) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def forget_faults(self) -> None:
        """Take back all failures that were ordered."""
        async with self._http.delete(f"{self._base}/sandbox/fault") as answer:
            assert answer.status == 200

    async def press(self, **wish: Any) -> dict[str, Any] | None:
        """The answer, `{}` when none came in time, or None when the button is no longer there."""
        async with self._http.post(f"{self._base}/sandbox/press", json={**wish, "wait": WAIT}) as answer:
            told = await answer.json()
            if answer.status == 404:
                return None
            assert answer.status == 200, told
            return dict(told["answer"] or {})

    async def say(self, person: int, chat: int, text: str, files: Sequence[bytes] = (), **fields: Any) -> list[Message]:
        """Post words or pictures; several are an album. Nothing when the message to answer has gone meanwhile."""
        form = aiohttp.FormData()
        for name, value in {"as": person, "chat": chat, "text": text, **fields}.items():
            form.add_field(name, str(value))
        for number, file in enumerate(files):
            form.add_field("photo", file, filename=f"{number}.jpg", content_type="image/jpeg")
        async with self._http.post(f"{self._base}/sandbox/send", data=form) as answer:
            told = await answer.json()
            if answer.status == 404 and "reply_to" in fields:
                return []
            assert answer.status == 200, told
            return list(told["messages"])


def drawings(chance: random.Random, many: int = 12) -> list[bytes]:
    """Small pictures, no two alike."""
    made = []
    for _ in range(many):
        picture = Image.new("RGB", (160, 120), tuple(chance.randrange(256) for _ in range(3)))
        picture.paste(tuple(chance.randrange(256) for _ in range(3)), (20, 20, 90, 90))
        out = io.BytesIO()
        picture.save(out, "JPEG")
        made.append(out.getvalue())
    return made


def buttons(message: Message) -> Iterator[str]:
    """What the message's buttons send: `a:7:accept:`."""
    for row in (message.get("reply_markup") or {}).get("inline_keyboard", []):
        for button in row:
            if "callback_data" in button:
                yield str(button["callback_data"])


class Load:
    """Everybody of two communities, each going about their own until `stop`. `pace` above 1: busier."""

    def __init__(self, door: Door, seed: int, pace: float = 1.0) -> None:
        self.door, self.memory = door, Memory()
        self._seed, self._pace = seed, pace
        self._view: dict[int, list[Message]] = {}
        self._now = 0.0
        self._stopping = asyncio.Event()
        self._spoke: dict[int, float] = {}
        self._pictures = drawings(random.Random(seed))
        self._count = 0

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Until stopped; then everybody finishes what is in hand."""
        async with asyncio.TaskGroup() as people:
            people.create_task(self._look())
            for person in SHOPS:
                people.create_task(self._live(person, self._reporting))
            for person in UNITS:
                people.create_task(self._live(person, self._mending))
            for person in OFFICES:
                people.create_task(self._live(person, self._deciding))
            people.create_task(self._live(0, self._winding))

    async def _look(self) -> None:
        while not self._stopping.is_set():
            state = await self.door.get("state", limit=VIEW)
            self._now = state["now"]
            self._view = {
                int(chat): [each for each in messages if not each.get("deleted")]
                for chat, messages in state["messages"].items()
            }
            await self._pause(0.15)

    async def _live(self, person: int, step: Callable[[int, random.Random], Awaitable[None]]) -> None:
        chance = random.Random(f"{self._seed}:{person}")
        while not self._stopping.is_set():
            await self._pause(chance.uniform(0.2, 1.2) / self._pace)
            if self._view and not self._stopping.is_set():
                await step(person, chance)

    async def _pause(self, seconds: float) -> None:
        with_end = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({with_end}, timeout=seconds)
        with_end.cancel()

    def _from_bot(self, chat: int) -> list[Message]:
        return [each for each in self._view.get(chat, []) if each.get("from", {}).get("id") == BOT]

    # Shops

    async def _reporting(self, person: int, chance: random.Random) -> None:
        chat = SHOPS[person]
        if chance.random() < 0.5 and await self._answer_prompt(person, chat, chance):
            return
        if chance.random() < 0.25 and await self._say_fixed(person, chat, chance):
            return
        if self._now < self._spoke.get(person, 0) + APART:
            return
        await self._report(person, chat, chance)
        if chance.random() < 0.15:
            await self._pause(0.1)
            said = (await self.door.say(person, chat, f"有学生路过 {self._number()}"))[0]
            self._heard(person, said)
            self.memory.chatter.append((chat, said["message_id"]))

    async def _report(self, person: int, chat: int, chance: random.Random) -> None:
        kind = chance.choices(("clear", "album", "unclear", "file"), (8, 2, 3, 1))[0]
        text = "" if kind == "unclear" else f"{chance.choice(SAID[chat])} 第{self._number()}个"
        files = chance.sample(self._pictures, chance.randint(2, 4) if kind == "album" else 1)
        more = {"as_file": 1} if kind == "file" else {}
        sent = await self.door.say(person, chat, text, files, **more)
        self._heard(person, sent[-1])
        messages = tuple(each["message_id"] for each in sent)
        self.memory.reports.append(Report(person, chat, messages, kind != "unclear"))

    def _heard(self, person: int, message: Message) -> None:
        self._spoke[person] = max(self._spoke.get(person, 0), message["date"])

    def _number(self) -> int:
        self._count += 1
        return self._count

    async def _answer_prompt(self, person: int, chat: int, chance: random.Random) -> bool:
        """Tell what the picture shows, or that it is no report."""
        for message in self._from_bot(chat):
            if message.get("receiver_user", {}).get("id") == person:
                offered = [data for data in buttons(message) if ":file:" in data or ":not_a_report:" in data]
                if offered:
                    weights = [1 if ":not_a_report:" in data else 2 for data in offered]
                    await self._press(person, chat, message, chance.choices(offered, weights)[0])
                    return True
        return False

    async def _say_fixed(self, person: int, chat: int, chance: random.Random) -> bool:
        for message in reversed(self._from_bot(chat)):
            asked = [data for data in buttons(message) if ":say_fixed:" in data]
            if asked:
                await self._press(person, chat, message, chance.choice(asked))
                return True
            if "-2" in words(message) and message["message_id"] and chance.random() < 0.1:
                await self._reply(person, chat, message, f"还没有人来看 {self._number()}")
                return True
        return False

    # Units

    async def _mending(self, person: int, chance: random.Random) -> None:
        chat = UNITS[person]
        message = self._some_with_buttons(chat, chance)
        if message is None:
            return
        if any(":resolve:" in data for data in buttons(message)) and chance.random() < 0.35:
            text = chance.choice(("", f"修好 {self._number()}"))
            await self._reply(person, chat, message, text, chance.choice(self._pictures))
        elif chance.random() < 0.08:
            await self._reply(person, chat, message, f"先放了警示牌 {self._number()}")
        else:
            await self._press_some(person, chat, message, chance)

    def _some_with_buttons(self, chat: int, chance: random.Random) -> Message | None:
        found = [each for each in self._from_bot(chat) if any(True for _ in buttons(each))]
        return chance.choice(found) if found else None

    async def _reply(self, person: int, chat: int, message: Message, text: str, *pictures: bytes) -> None:
        for sent in await self.door.say(person, chat, text, pictures, reply_to=message["message_id"]):
            self._heard(person, sent)
            self.memory.replies.append(Reply(person, chat, sent["message_id"], words(message), bool(pictures)))

    # Offices

    async def _deciding(self, person: int, chance: random.Random) -> None:
        message = self._some_with_buttons(OFFICES[person], chance)
        if message is not None:
            await self._press_some(person, OFFICES[person], message, chance)

    async def _press_some(self, person: int, chat: int, message: Message, chance: random.Random) -> None:
        # Nobody splits: each report here is one matter, and is counted as one.
        offered = [data for data in buttons(message) if ":split:" not in data]
        weights = [_WEIGHTS.get(data.split(":")[2], 3) if data.startswith("a:") else 0.4 for data in offered]
        if offered:
            await self._press(person, chat, message, chance.choices(offered, weights)[0])

    async def _press(self, person: int, chat: int, message: Message, data: str) -> None:
        key = "ephemeral_message_id" if message.get("ephemeral_message_id") else "message_id"
        answer = await self.door.press(**{"as": person, "chat": chat, key: message[key], "data": data})
        kind, incident, act, choice = data.split(":", 3)
        if answer is None or kind != "a":
            return
        told = str(answer.get("text") or "")
        outcome = "refused" if answer.get("show_alert") else "done" if told else "said" if answer else "lost"
        self.memory.presses.append(Press(person, chat, int(incident), act, choice, outcome, told))

    # The clock

    async def _winding(self, _nobody: int, chance: random.Random) -> None:
        """Now and then a minute goes by at once, and sometimes half an hour."""
        await self._pause(chance.uniform(1, 3))
        await self.door.post("clock", advance=chance.choice(WINDS))


_WEIGHTS: dict[str, float] = {
    "accept": 8,
    "make_safe": 3,
    "resolve": 1,
    "return": 1,
    "undo": 0.5,
    "confirm": 8,
    "send_back": 1,
    "void": 0.3,
    "dismiss": 0.3,
    "not_a_report": 0.5,
}
"""How readily people press what."""
