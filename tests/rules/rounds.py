"""Delivery on its rounds, on a clock that jumps: what only waits is over at once, so that minutes take milliseconds.

Everything is real but the ends: the rows (SQLite in memory), the loop of delivering, the limits. The channel writes
down what it is given and answers as the test says; pictures are found as the test says; time is the event loop's own.
"""

import asyncio
import selectors
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from sqlmodel import Session

from bot.channels.outcome import Outcome, Place, Shown
from bot.clock import Clock
from bot.services import delivering, turns
from bot.services.delivering import Delivery
from bot.services.picturing import Found
from bot.views.content import Content, Shape
from storage.store import StorageAway
from storage.tables import Post
from tests.rules.bench import GROUND, NOW, WATER_CHAT, Bench, fresh_session, other_session

T = TypeVar("T")
START = 1000.0
"""What the loop's clock shows at first: a long time after the machine was started."""


class _Jumps(selectors.DefaultSelector):
    """Never sleeps: moves the clock on by what the loop would have waited."""

    now = START

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found and timeout is None:
            raise RuntimeError("nothing will ever happen any more")
        if not found and timeout:
            self.now += timeout
        return found


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.jumps = _Jumps()
        super().__init__(self.jumps)

    def time(self) -> float:
        return self.jumps.now


class LoopClock(Clock):
    """The moment of the bench, plus what the loop has waited."""

    def now(self) -> Any:
        return NOW + timedelta(seconds=asyncio.get_running_loop().time() - START) + self.ahead


class InlineStore:
    """The bench's rows behind the store's two doors: a job is committed before `write` returns."""

    def __init__(self) -> None:
        self.on_commit: Callable[[frozenset[str]], None] | None = None
        self.away = 0
        """How many calls find the database away."""
        self.reads = self.writes = 0

    async def write(self, job: Callable[[Session], T]) -> T:
        await self._there()
        self.writes += 1
        with other_session() as session:
            value = job(session)
            session.commit()
            topics = frozenset(session.info.get("stirred", ()))
        if topics and self.on_commit is not None:
            self.on_commit(topics)
        return value

    async def read(self, job: Callable[[Session], T]) -> T:
        await self._there()
        self.reads += 1
        with other_session() as session:
            return job(session)

    async def close(self) -> None:
        pass

    async def _there(self) -> None:
        await asyncio.sleep(0)
        if self.away > 0:
            self.away -= 1
            raise StorageAway("away")


@dataclass(frozen=True)
class Call:
    """One call as it began: seconds after the start, and what it was given."""

    at: float
    place: Place
    shape: Shape
    pictures: tuple[Any, ...]

    @property
    def chat(self) -> int:
        return self.place.chat_id

    @property
    def text(self) -> str:
        return self.shape.text if isinstance(self.shape, Content) else ""


@dataclass
class Channel:
    """Takes everything, unless the test has said otherwise."""

    calls: list[Call] = field(default_factory=list)
    answers: dict[int, list[Outcome | Exception]] = field(default_factory=lambda: defaultdict(list))
    """Chat → what its next calls come to; after that they are shown."""
    takes: dict[int, float] = field(default_factory=dict)
    """Chat → seconds that a call takes there."""
    open: int = 0
    most: int = 0
    """Calls that were on their way together, at most."""
    during: Callable[[Call], Awaitable[None]] | None = None

    async def show(self, place: Place, shape: Shape, pictures: list[tuple[str, Any]]) -> Outcome:
        call = Call(asyncio.get_running_loop().time() - START, place, shape, tuple(pictures))
        self.calls.append(call)
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await asyncio.sleep(self.takes.get(place.chat_id, 0.01))
            if self.during is not None:
                await self.during(call)
        finally:
            self.open -= 1
        if self.answers[place.chat_id]:
            answer = self.answers[place.chat_id].pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return Shown((100 + len(self.calls),), "text")

    def to(self, chat: int) -> list[Call]:
        return [call for call in self.calls if call.chat == chat]


@dataclass
class Album:
    """Finds pictures as the test says: by key, what each asking comes to; else the picture's own name."""

    answers: dict[str, list[Found | Exception]] = field(default_factory=lambda: defaultdict(list))
    remembered: list[tuple[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def find(self, key: str) -> Found:
        await asyncio.sleep(0)
        if self.answers[key]:
            answer = self.answers[key].pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return Found(f"file of {key}")

    async def remember(self, key: str, file_id: str) -> None:
        self.remembered.append((key, file_id))

    async def refuse(self, key: str) -> None:
        self.refused.append(key)


class Round:
    """A delivery at work over the bench's rows."""

    def __init__(self) -> None:
        self.store, self.channel, self.pictures, self.clock = InlineStore(), Channel(), Album(), LoopClock()
        self.tasks: set[asyncio.Task[None]] = set()
        self.names: list[str] = []
        self.delivery = Delivery(self.store, GROUND, self.clock, self.channel, self.pictures, self._spawn)  # type: ignore[arg-type]
        self.store.on_commit = lambda topics: self.delivery.wake() if "posts" in topics else None

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        self.names.append(name)
        return task

    @property
    def seconds(self) -> float:
        return asyncio.get_running_loop().time() - START

    async def write(self, job: Callable[[Bench], T]) -> T:
        """Change rows while delivery is at work, as a commit of a service does, which wakes it."""

        def stirring(session: Session) -> T:
            session.info["stirred"] = {"posts"}
            return job(Bench(session, self.clock.now()))

        return await self.store.write(stirring)

    async def run(self, seconds: float) -> None:
        """Deliver for so long, then stop."""
        running = asyncio.create_task(self.delivery.run())
        await asyncio.sleep(seconds)
        await self.delivery.finish()
        await running

    def posts(self, chat: int | None = None) -> list[Post]:
        with other_session() as session:
            return Bench(session).posts(chat_id=chat)


def note(bench: Bench, name: str, chat: int = WATER_CHAT, **columns: Any) -> Post:
    """A sentence to be said in the chat, known by its name."""
    return bench.post(None, "note", subject=name, chat_id=chat, seq=0, args={"sentence": name}, **columns)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Play a scene on the alliance's rows: `play(rows, scene)`, where `rows` makes what is there before."""

    def _play(rows: Callable[[Bench], Any], scene: Callable[[Round], Coroutine[Any, Any, None]]) -> None:
        with fresh_session() as session:
            rows(Bench(session))
            session.commit()

        async def whole() -> None:
            loop = asyncio.get_running_loop()
            for module in (delivering, turns):
                monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=loop.time))
            here = Round()
            await scene(here)
            for task in here.tasks:
                assert task.done() and task.exception() is None

        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            runner.run(whole())

    return _play
