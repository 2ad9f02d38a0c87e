"""A street to test faults in: one relay, and for each case a house of its own with a group and a unit.

Cases live side by side, so what one of them waits for holds up no other; that this is so is part of what they show.
Holds no tests itself.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp
import pytest

from bot.domain import pace
from bot.logs import set_up
from bot.sandbox.server import Sandbox
from tests.schema import hold
from tests.town import BOT, OPERATOR, PATIENCE, SLOWNESS, Town, labels, relay, words

UNIT_MAN, SECRETARY = 500000201, 500000001
OFFICE = -1001000000001
COVER = "自来水井盖坏了"
"""A water cover: it files itself and goes to the house's own unit."""
CALL = 3 * SLOWNESS
"""Seconds after which the relay gives up a call, here."""


LOOKS = 0.25
"""Seconds between two looks at a chat."""


@dataclass(frozen=True)
class House:
    """One case's own chats and, its own person, who reports there."""

    name: str
    group: int
    unit: int
    person: int

    @property
    def unit_name(self) -> str:
        return f"Unit {self.name}"

    @property
    def chats(self) -> tuple[int, ...]:
        return self.group, self.unit, self.person


def houses(names: Sequence[str]) -> list[House]:
    return [House(name, -1002000000000 - n, -1003000000000 - n, 510000000 + n) for n, name in enumerate(names, start=1)]


class Street(Town):
    """A town of houses."""

    def __init__(self, base: str, http: aiohttp.ClientSession, home: Path, sandbox: Sandbox) -> None:
        super().__init__(base, http, home, sandbox)
        self._outside = 0
        self._winding = 0
        self._wound = asyncio.Event()

    async def messages(self, chat: int, person: int | None = None) -> list[dict[str, Any]]:
        """What stands in the chat now, oldest first; what is for one person alone too."""
        async with self.http.get(f"{self.base}/sandbox/state", params={"chat": str(chat)}) as answer:
            found = (await answer.json())["messages"][str(chat)]
        return [message for message in found if not message.get("deleted")]

    async def report(self, house: House, text: str = COVER, **fields: Any) -> dict[str, Any]:
        """Somebody posts a photo in the house's group; the (first) message."""
        return (await self.photo(house.person, house.group, f"{text} {house.name}".strip(), **fields))[0]

    async def another(self, house: House) -> dict[str, Any]:
        """Somebody else posts a photo in the same group: a matter of its own."""
        return (await self.photo(SECRETARY, house.group, f"又一个{COVER} {house.name}"))[0]

    async def card(self, house: House, wanted: str = "") -> dict[str, Any]:
        """The unit's card, once it says this."""
        return await self.sees(house.unit, lambda each: "SD-" in words(each) and wanted in words(each))

    async def line(self, house: House, wanted: str = "") -> dict[str, Any]:
        """The group's line, once it says this."""
        return await self.sees(house.group, lambda each: "SD-" in words(each) and wanted in words(each))

    async def until(self, holds: Callable[[], Awaitable[Any]], what: str, within: float = PATIENCE) -> Any:
        """Wait for a condition; returns what it returned."""
        end = asyncio.get_running_loop().time() + within
        while not (found := await holds()):
            assert asyncio.get_running_loop().time() < end, f"{what} never came about"
            await asyncio.sleep(LOOKS)
        return found

    async def sees(
        self,
        chat: int,
        wanted: str | Callable[[dict[str, Any]], bool],
        person: int | None = None,
        within: float = PATIENCE,
    ) -> dict[str, Any]:
        """As in a town, less often: dozens of cases look at the same time."""
        end = asyncio.get_running_loop().time() + within
        while True:
            shown = await self.from_bot(chat)
            for message in reversed(shown):
                if wanted(message) if callable(wanted) else wanted in words(message):
                    return message
            if asyncio.get_running_loop().time() > end:
                raise AssertionError(f"{wanted!r} never came to {chat}; there is: {[words(each) for each in shown]}")
            await asyncio.sleep(LOOKS)

    async def rest(self, *chats: int, within: float = PATIENCE) -> None:
        """Wait until nothing is owed to the chats any more."""
        ids = ",".join(str(each) for each in chats)
        owed = f"""select id, kind, state, due_at, error from post where chat_id in ({ids}) and due_at is not null
            and state not in ('gone', 'held', 'broken') and (shown < wanted or state != 'shown')"""

        async def nothing() -> bool:
            return not self.rows(owed)

        try:
            await self.until(nothing, "rest", within)
        except AssertionError:
            raise AssertionError(f"still owed: {self.rows(owed)}") from None

    def doubled(self, house: House) -> int:
        """How many messages may stand twice in the house's chats, by the relay's own count."""
        ids = ",".join(str(each) for each in house.chats)
        return int(self.rows(f"select coalesce(sum(doubled), 0) from post where chat_id in ({ids})")[0][0])

    async def faults(self, chat: int | None = None, method: str | None = None) -> int:
        """How many failures are still to come."""
        async with self.http.get(f"{self.base}/sandbox/fault") as answer:
            found = (await answer.json())["faults"]
        return sum(
            each["times"]
            for each in found
            if chat in (None, each["chat"]) and (method is None or each["method"] == method.lower())
        )

    async def lift(self, **named: Any) -> None:
        """Take back failures."""
        asked = {name: str(value) for name, value in named.items()}
        async with self.http.delete(f"{self.base}/sandbox/fault", params=asked) as answer:
            assert answer.status == 200

    def expect(self, cases: int) -> None:
        """So many cases will want the clock wound, or leave."""
        self._outside = cases

    def leave(self) -> None:
        """A case has ended, well or not: nobody waits for it at the clock."""
        self._outside -= 1
        self._wind_together()

    async def together(self, seconds: float) -> None:
        """Wind the clock once for all cases, when each has come here."""
        self._outside -= 1
        self._winding = max(self._winding, int(seconds))
        self._wind_together()
        await self._wound.wait()
        await self.wind(0)
        self._outside += 1

    def _wind_together(self) -> None:
        if self._outside <= 0 and self._winding and not self._wound.is_set():
            self.sandbox._platform.clock.advance(self._winding)
            self._wound.set()


class Ear(logging.Handler):
    """Hears what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(f"{record.getMessage()} {record.exc_text or record.exc_info or ''}"[:2000])


@contextlib.contextmanager
def listening() -> Iterator[Ear]:
    """What is logged as an error meanwhile."""
    set_up("ERROR", "text")
    ear = Ear()
    logging.getLogger().addHandler(ear)
    try:
        yield ear
    finally:
        logging.getLogger().removeHandler(ear)


def _alliance(there: Sequence[House], proof: str) -> str:
    head = f"""
[[community]]
key = "sd"
name = "Community"
prefix = "SD"
office_chat = {OFFICE}
secretaries = [{SECRETARY}]
gather = "1s"
proof = "{proof}"
quiet_hours = ""
"""
    parts = [
        f"""
[[community.district]]
key = "d{n}"
name = "District {house.name}"
chats = [{house.group}]
[[community.unit]]
key = "u{n}"
name = "Unit {house.name}"
chat = {house.unit}
categories = ["cover.water"]
districts = ["d{n}"]
"""
        for n, house in enumerate(there)
    ]
    return head + "".join(parts)


def _world(there: Sequence[House], **changes: Any) -> dict[str, Any]:
    names = {UNIT_MAN: "Zhou", SECRETARY: "Lin", OPERATOR: "Operator"}
    names |= {house.person: f"Person {house.name}" for house in there}
    chats = [{"id": OFFICE, "type": "supergroup", "title": "Office", "members": [SECRETARY]}]
    for house in there:
        chats.append({"id": house.group, "title": f"Group {house.name}", "members": [house.person, SECRETARY]})
        chats.append({"id": house.unit, "title": f"Unit {house.name}", "members": [UNIT_MAN, SECRETARY]})
    for chat in chats:
        chat.setdefault("type", "supergroup")
        chat.update(changes.get(str(chat["id"]), {}))
    return {
        "bot": {"id": BOT, "first_name": "Relay", "username": "alliance_relay_bot"},
        "people": [
            {"id": key, "first_name": name, "role": "person", "language_code": "en"} for key, name in names.items()
        ],
        "chats": chats,
    }


@contextlib.contextmanager
def hurrying(patience: float = CALL, quick: bool = True) -> Iterator[None]:
    """The relays that are started meanwhile give up calls soon, and wait for no limits if they are `quick`."""
    much = ((1000, 1.0),)
    with contextlib.ExitStack() as stack:
        if quick:
            stack.enter_context(patch.multiple(pace, ALL=much, GROUP=much, PRIVATE=much))
        # The office is everybody's here: its cards are no backlog.
        stack.enter_context(patch("bot.services.holding.MINUTE", 1000))
        stack.enter_context(patch("bot.app.CALL", patience))
        stack.enter_context(patch.multiple("bot.fetching", ASKING=patience, PATIENCE=patience))
        yield


@contextlib.asynccontextmanager
async def street(
    home: Path,
    there: Sequence[House],
    proof: str = "optional",
    running: bool = True,
    quick: bool = True,
    patience: float = CALL,
    hurry_is_on: bool = False,
    change: Callable[[str], str] = lambda text: text,
    chats: dict[str, Any] | None = None,
    **settings: str,
) -> AsyncIterator[Street]:
    """The sandbox with these houses, and the relay unless it is to be started later.

    `quick`: nobody waits for Telegram's limits (they have stories of their own). `patience`: seconds after which the
    relay gives up a call. `hurry_is_on`: whoever opens several streets at once has seen to both.
    """
    home.mkdir(parents=True, exist_ok=True)
    (home / "alliance.toml").write_text(change(_alliance(there, proof)), encoding="utf-8")
    world = home / "world.json"
    world.write_text(json.dumps(_world(there, **(chats or {}))), encoding="utf-8")
    sandbox = Sandbox(world, limits=False)
    base = await sandbox.start()
    try:
        with contextlib.nullcontext() if hurry_is_on else hurrying(patience, quick):
            async with aiohttp.ClientSession() as http:
                here = Street(base, http, home, sandbox)
                async with relay(home, base, LANGUAGE="en", **settings) if running else contextlib.nullcontext():
                    yield here
                hold(await here.calls())
    finally:
        await sandbox.stop()


@dataclass
class Verdict:
    """What became of one case: empty when all was right."""

    wrong: str = ""
    told: dict[str, Any] = field(default_factory=dict)


BROKE_OFF = "the play broke off"
Play = Callable[[Path], Awaitable[dict[str, Verdict]]]


def played_once(factory: pytest.TempPathFactory, name: str, play: Play) -> dict[str, Verdict]:
    """The verdicts of a play. Played by the first process that asks: pytest may spread its cases over several."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    kept = shared / f"{name}.json"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            try:
                found = asyncio.run(play(shared / name))
            except Exception:
                # Told to every case that asks: played again for each it would take hours.
                found = {BROKE_OFF: Verdict(traceback.format_exc())}
            written = {case: [verdict.wrong, verdict.told] for case, verdict in found.items()}
            kept.write_text(json.dumps(written), encoding="utf-8")
        read = json.loads(kept.read_text(encoding="utf-8"))
    assert BROKE_OFF not in read, read[BROKE_OFF][0]
    return {case: Verdict(wrong, told) for case, (wrong, told) in read.items()}


def button(message: dict[str, Any], beginning: str) -> str:
    """The label of the button that begins so."""
    return next(each for each in labels(message) if beginning in each)
