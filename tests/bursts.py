"""A crowd that posts more than Telegram lets the bot answer, and the watch that sees whom it keeps waiting.

The relay runs in a process of its own against the emulator with its limits on; a shop in another district, and one
in another community, keep reporting broken covers meanwhile.
"""

import asyncio
import contextlib
import io
import itertools
import json
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image

from bot.sandbox.server import Sandbox
from bot.sandbox.world import WORLD_FILE
from tests.schema import hold
from tests.test_story_reliability import Process
from tests.town import GUANDI, HEBIN, NANSHI, WATER, ZHANG, Town, alliance, config

COVER = "自来水井盖被压裂"
SAME = "门口垃圾成堆"
CLEAR = (
    *("门口垃圾成堆", "共享单车乱停", "纸箱堆在人行道占道", "店外经营摆摊", "路灯不亮", "人行道地砖破损"),
    *("绿化带树枝断了", "建筑垃圾渣土没清", "违法搭建", "地上积水", "通信箱门开着", "消火栓坏了", "电线杆歪了"),
)
"""Each names another kind than the one before; the last two are dangerous."""

XINHUA, XINHUA_WEST, XINHUA_OFFICE, XINHUA_WATER, XINHUA_PROPERTY = (-1001000000300 - n for n in range(5))
SUN = 500000301
NEIGHBOURS = tuple(500002001 + n for n in range(12))
"""Who report covers: the first half in 河滨, the others in the second community; so many that each has a new matter."""
CROWD = tuple(500001001 + n for n in range(20))

SECOND_COMMUNITY = f"""
[[community]]
key = "xinhua"
name = "新华社区"
prefix = "XH"
office_chat = {XINHUA_OFFICE}
secretaries = [{SUN}]
gather = "1s"
quiet_hours = ""
fallback_unit = "property"

[[community.district]]
key = "east"
name = "新华东街"
chats = [{XINHUA}]

[[community.district]]
key = "west"
name = "新华西街"
chats = [{XINHUA_WEST}]

[[community.unit]]
key = "water"
name = "新华水务"
chat = {XINHUA_WATER}
categories = ["cover.*"]

[[community.unit]]
key = "property"
name = "新华物业"
chat = {XINHUA_PROPERTY}
categories = ["*"]
"""


def crowded(home: Path) -> Path:
    """The example world with a second community and twenty more people, five in each of four groups."""
    seed = json.loads(WORLD_FILE.read_text(encoding="utf-8"))
    for person in (SUN, *NEIGHBOURS, *CROWD):
        seed["people"].append({"id": person, "first_name": f"店主{person % 1000}", "role": "", "language_code": "en"})
    for chat in (XINHUA, XINHUA_WEST, XINHUA_OFFICE, XINHUA_WATER, XINHUA_PROPERTY):
        seed["chats"].append({"id": chat, "type": "supergroup", "title": str(chat), "members": [SUN]})
    by_id = {chat["id"]: chat for chat in seed["chats"]}
    by_id[HEBIN]["members"] += NEIGHBOURS[:6]
    by_id[XINHUA]["members"] += NEIGHBOURS[6:]
    for n, person in enumerate(CROWD):
        by_id[home_of(n)]["members"].append(person)
    path = home / "world.json"
    path.write_text(json.dumps(seed), encoding="utf-8")
    return path


def home_of(n: int) -> int:
    """The group of the n-th of the crowd; the groups of those who report covers stay theirs alone."""
    return (GUANDI, NANSHI, XINHUA_WEST)[n % 3]


@dataclass
class Figures:
    """What a burst cost. Seconds unless said otherwise."""

    posted: int = 0
    posting: float = 0.0
    taken_in: float = 0.0
    """From the first photo until the last one was committed."""
    cards: list[float] = field(default_factory=list)
    """From a cover's report in another group to its card, one each."""
    eyes: list[float] = field(default_factory=list)
    """From a photo of the burst to its 👀, where it got one."""
    violations: int = -1
    calls: dict[str, int] = field(default_factory=dict)
    queue: int = 0
    """Most updates that were waiting at once."""
    due: int = 0
    """Most posts that were due at once."""
    memory: int = 0
    """Most memory of the relay's process, MB."""
    cpu: float = 0.0
    """Processor seconds of the relay until the last photo was in."""
    incidents: int = 0
    lost: int = -1
    doubled: int = -1

    def lines(self) -> Iterator[str]:
        yield f"photos {self.posted} posted in {self.posting:.0f} s, taken in {self.taken_in:.1f} s after the first"
        yield f"incidents {self.incidents}, photos lost {self.lost}, in two incidents {self.doubled}"
        yield f"from a cover elsewhere to its card: {_spread(self.cards)}"
        yield f"from a photo of the burst to its eyes: {_spread(self.eyes)}"
        yield f"violations {self.violations}, calls {sum(self.calls.values())} {self.calls}"
        yield f"queue {self.queue} updates, {self.due} posts due, memory {self.memory} MB, cpu {self.cpu:.1f} s"


def _spread(found: list[float]) -> str:
    if not found:
        return "none"
    return f"{len(found)}, median {statistics.median(found):.2f} s, longest {max(found):.2f} s"


class Burst(Town):
    """A town under a burst, with the relay outside."""

    def __init__(self, base: str, http: aiohttp.ClientSession, home: Path, sandbox: Sandbox, relay: Process) -> None:
        super().__init__(base, http, home, sandbox)
        self.relay = relay
        self.figures = Figures()
        self.sent: dict[tuple[int, int], float] = {}
        """(chat, message) of each photo of the burst → when it was posted."""
        self._covers: list[tuple[str, int, float]] = []
        self._began = self._spent = 0.0

    async def pour(self, photos: int, seconds: float, who: Callable[[int], tuple[int, int, str, int]]) -> None:
        """Post `photos` photos evenly over `seconds`. `who`: (person, chat, words, pieces) of the n-th message."""
        self._began = began = time.time()
        self._spent = self.relay.cpu()
        done = n = 0
        while done < photos:
            person, chat, text, pieces = who(n)
            late = began + seconds * done / photos - time.time()
            if late > 0:
                await asyncio.sleep(late)
            at = time.time()
            for message in await upload(self, person, chat, text, pieces):
                self.sent[chat, int(message["message_id"])] = at
            done, n = done + pieces, n + 1
        self.figures.posted, self.figures.posting = done, time.time() - began

    async def cover(self, person: int, chat: int, unit: int) -> None:
        """A dangerous report of somebody else's, whose card is watched for."""
        at = time.time()
        message = (await upload(self, person, chat, COVER))[0]
        self._covers.append((str(message["photo"][-1]["file_id"]), unit, at))
        self.sent[chat, int(message["message_id"])] = at

    async def others(self, every: float) -> None:
        """Covers break elsewhere, again and again, until cancelled."""
        for pair in itertools.cycle(zip(NEIGHBOURS[:6], NEIGHBOURS[6:], strict=True)):
            for person, chat, unit in zip(pair, (HEBIN, XINHUA), (WATER, XINHUA_WATER), strict=True):
                await self.cover(person, chat, unit)
                await asyncio.sleep(every)

    async def watch(self) -> None:
        """Note how far behind the relay is, once a second, until cancelled."""
        while True:
            async with self.http.get(f"{self.base}/sandbox/pending") as answer:
                self.figures.queue = max(self.figures.queue, (await answer.json())["updates"])
            now = int(time.time() * 1000)
            due = self.relay.rows(f"select count(*) from post where due_at <= {now}")[0][0]
            self.figures.due = max(self.figures.due, due)
            await asyncio.sleep(1.0)

    async def taken_in(self, within: float) -> None:
        """Wait until each photo is a part of an incident; notes when the last one was."""
        end = time.time() + within
        while self.missing():
            assert time.time() < end, f"{len(self.missing())} of {len(self.sent)} photos are not in yet"
            await asyncio.sleep(0.1)
        self.figures.taken_in = time.time() - self._began
        self.figures.cpu = self.relay.cpu() - self._spent

    def missing(self) -> set[tuple[int, int]]:
        return set(self.sent) - set(self.relay.rows("select chat_id, message_id from part"))

    async def delivered(self, within: float) -> None:
        """Wait until each cover that was reported elsewhere has its card."""
        end = time.time() + within
        while len(await self._cards()) < len(self._covers):
            assert time.time() < end, f"{len(self._covers)} covers, cards after {await self._cards()}"
            await asyncio.sleep(0.2)

    async def _cards(self) -> list[float]:
        sent = {(each["chat_id"], each["request"].get("photo")): each["at"] for each in reversed(await self.calls())}
        return [sent[unit, photo] - at for photo, unit, at in self._covers if (unit, photo) in sent]

    async def endure(
        self, photos: int, seconds: float, who: Callable[[int], tuple[int, int, str, int]], every: float
    ) -> Figures:
        """The whole burst, until every photo is in and every cover that broke elsewhere meanwhile has its card."""
        watching = [asyncio.create_task(self.watch()), asyncio.create_task(self.others(every))]
        try:
            await self.pour(photos, seconds, who)
            await self.taken_in(within=4 * seconds + 60)
        finally:
            for task in reversed(watching):
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        await self.delivered(within=60)
        return await self.reckon()

    async def reckon(self) -> Figures:
        """The figures so far."""
        found, calls = self.figures, await self.calls()
        found.cards = await self._cards()
        seen = {
            (e["chat_id"], e["request"].get("message_id")): e["at"]
            for e in reversed(calls)
            if "Reaction" in e["method"]
        }
        found.eyes = [at - self.sent[key] for key, at in seen.items() if key in self.sent]
        found.calls = {}
        for each in calls:
            if each["method"] not in ("getUpdates", "getMe", "deleteWebhook", "setMyCommands"):
                found.calls[each["method"]] = found.calls.get(each["method"], 0) + 1
        async with self.http.get(f"{self.base}/sandbox/violations") as answer:
            found.violations = (await answer.json())["count"]
        rows = self.relay.rows("select chat_id, message_id, incident_id from part")
        found.lost = len(self.missing())
        found.doubled = len(rows) - len({row[:2] for row in rows})
        found.incidents = self.relay.rows("select count(*) from incident")[0][0]
        found.memory = self.relay.memory()
        return found


class Watched(Process):
    """The relay's process, and what it costs."""

    def memory(self) -> int:
        """The most it has had, MB."""
        assert self._process is not None
        lines = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024

    def cpu(self) -> float:
        """Processor seconds since it started."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def burst_town(
    home: Path, change: Callable[[str], str] = lambda text: text, gather: str = "15s", **more: str
) -> AsyncIterator[Burst]:
    """The crowded world with its limits on, and the relay as a process of its own."""
    alliance(home, lambda text: change((text + SECOND_COMMUNITY).replace('gather = "1s"', f'gather = "{gather}"')))
    sandbox = Sandbox(crowded(home), limits=True)
    base = await sandbox.start()
    config(home, base, LANGUAGE="en", **more)
    process = Watched(home)
    try:
        async with aiohttp.ClientSession() as http:
            await process.start()
            await process.running(1)
            here = Burst(base, http, home, sandbox, process)
            yield here
            hold(await here.calls())
    finally:
        if process._process is not None and process._process.returncode is None:
            await process.kill()
        await sandbox.stop()


def one_person(words: Callable[[int], str], pieces: int = 1) -> Callable[[int], tuple[int, int, str, int]]:
    """Everything from 张师傅 in one group."""
    return lambda n: (ZHANG, GUANDI, words(n), pieces)


def twenty_people(words: Callable[[int], str], pieces: int = 1) -> Callable[[int], tuple[int, int, str, int]]:
    """One after the other, each in their own group."""
    return lambda n: (CROWD[n % len(CROWD)], home_of(n % len(CROWD)), words(n // len(CROWD)), pieces)


async def upload(
    there: Town, person: int, chat: int, text: str, pieces: int = 1, **fields: str
) -> list[dict[str, Any]]:
    """Post a photo, or an album of `pieces`, as quickly as the emulator takes it: always the same small picture."""
    form = aiohttp.FormData()
    for name, value in {"as": str(person), "chat": str(chat), "text": text, **fields}.items():
        form.add_field(name, value)
    for _ in range(pieces):
        form.add_field("photo", _small_picture(), filename="p.jpg", content_type="image/jpeg")
    async with there.http.post(f"{there.base}/sandbox/send", data=form) as answer:
        told = await answer.json()
        assert answer.status == 200, told
    return list(told["messages"])


@cache
def _small_picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (320, 240), (120, 90, 60)).save(out, "JPEG")
    return out.getvalue()
