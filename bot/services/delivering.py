"""Brings every post up to date: serial in each chat, in parallel across chats, within Telegram's limits.

A loop that is woken by commits. What it does not know the outcome of, it does again; a failure pauses its own post.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar, get_args

import structlog
from sqlmodel import Session

from bot.channels.outcome import Outcome, PictureData, Place, Refused, Shown, Unfit, Unknown, Wait
from bot.clock import Clock
from bot.domain.pace import Paces
from bot.services.desk import Desk, Ground
from bot.services.picturing import Later, Pictures
from bot.services.showing import Prepared, note, prepare, put_off, set_out
from bot.services.turns import Rank, Turns
from bot.views.content import Content, Menu, Reaction, Shape
from storage.posts import LAST, due_chats, first_due, held_chats, hold_chat, next_due, release_leases, sent_since
from storage.store import StorageAway, Store

log = structlog.get_logger()

AT_ONCE = 32
"""Calls on their way together: more were no faster (docs/decisions)."""
SLOW = 8
"""Of these, how many may be held by chats whose calls hang."""
HANGS = 10.0
"""Seconds after which a call hangs."""
WITHOUT_PICTURE = 5
"""Failed tries to fetch a picture after which the card goes out without it: late is worse than plain."""
LEARNING = 12
"""Times a card is rendered again because a file told a place or turned out to be no picture."""
Collected = list[tuple[str, PictureData]] | None
UNCOUNTED = LAST
"""Kinds whose calls are no messages: they count among all, not against a chat's twenty a minute."""
STALLED = 300.0
"""Seconds without a sign of life after which a chat with something due is not being served."""
MINUTE = timedelta(minutes=1)
IDLE = 30.0
"""Seconds after which it looks again although nothing woke it."""


PATIENCE = 2.0
"""Seconds after which a post that is not urgent is looked up again instead of waiting on for its turn."""


def _named(outcome: type[Outcome]) -> str:
    """As it is counted."""
    return outcome.__name__.lower()


def _first_due(session: Session, chat_id: int, now: datetime, uncounted: bool) -> tuple[int, str] | None:
    found = first_due(session, chat_id, now, UNCOUNTED if uncounted else ())
    return (found.ident, found.kind) if found else None


class Channel(Protocol):
    """How a post goes out; raises nothing, every failure is an outcome."""

    async def show(self, place: Place, shape: Shape, pictures: "list[tuple[str, PictureData]]") -> Outcome: ...


T = TypeVar("T")
Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]


class Delivery:
    def __init__(
        self, store: Store, ground: Ground, clock: Clock, channel: Channel, pictures: Pictures, spawn: Spawn
    ) -> None:
        self._store, self._ground, self._clock = store, ground, clock
        self._channel, self._pictures, self._spawn = channel, pictures, spawn
        self._woken = asyncio.Event()
        self._paces = Paces()
        self._turns = Turns(self._paces, AT_ONCE)
        self._slow = asyncio.Semaphore(SLOW)
        self._hanging: set[int] = set()
        """Chats whose last call took long: together they get few of the places."""
        self._busy: set[int] = set()
        self._quiet = asyncio.Event()
        self._ending = False
        self.tally: Counter[str] = Counter(dict.fromkeys(("doubled", *(_named(each) for each in get_args(Outcome))), 0))
        """What a call came to → how often; `doubled`: first sends that were repeated after an unknown outcome."""
        self._since = time.monotonic()
        self._beats: dict[int, float] = {}
        """When the worker of a chat last showed that it is at work."""

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    def idle(self, chats: Collection[int]) -> list[int]:
        """Those of the chats, in which something is due, that no worker is serving."""
        before = time.monotonic() - STALLED
        return [each for each in chats if max(self._since, self._beats.get(each, 0.0)) < before]

    async def finish(self) -> None:
        """Take up nothing new; return when what is on its way has arrived."""
        self._ending = True
        self.wake()
        while self._busy:
            self._quiet.clear()
            await self._quiet.wait()

    def release(self, session: Session) -> None:
        """At the start, before anything else looks at posts: what the last process was sending is unknown now."""
        release_leases(session, self._clock.now())

    async def run(self) -> None:
        """For ever."""
        await self._persist(self.release)
        now = self._clock.now()
        for chat_id, until in (await self._persist(lambda session: held_chats(session, now))).items():
            self._paces.chat(chat_id).block(time.monotonic() + (until - now).total_seconds())
        # What the last process said within the minute counts for Telegram, whoever says the rest.
        minute = await self._persist(lambda session: sent_since(session, now - MINUTE, UNCOUNTED))
        for chat_id, at in minute:
            self._paces.spend(chat_id, time.monotonic() - max((now - at).total_seconds(), 0.0))
        while not self._ending:
            self._woken.clear()
            try:
                pause = await self._look()
            except StorageAway as error:
                log.debug("waits_for_storage", where="delivering", error=str(error))
                pause = 2.0
            try:
                await asyncio.wait_for(self._woken.wait(), pause)
            except TimeoutError:
                continue

    async def _look(self) -> float:
        """Start a worker for each chat with something due; returns the seconds until it is worth looking again."""
        now = self._clock.now()
        busy = tuple(self._busy)

        def look(session: Session) -> tuple[list[int], datetime | None]:
            return due_chats(session, now, busy), next_due(session)

        waiting, following = await self._store.read(look)
        for chat_id in waiting:
            if chat_id not in self._busy:
                self._busy.add(chat_id)
                self._spawn(self._chat(chat_id), f"deliver {chat_id}")
        if following is None or following <= now:
            # What is due now is in workers' hands; they wake this loop when they are done.
            return IDLE
        return min((following - now).total_seconds() + 0.01, IDLE)

    async def _chat(self, chat_id: int) -> None:
        """One chat's posts, one after the other, until nothing is due there."""
        try:
            while not self._ending and (post_id := await self._next(chat_id)) is not None:
                await self._bring(post_id, chat_id)
        except StorageAway as error:
            log.debug("waits_for_storage", where="delivering", chat=chat_id, error=str(error))
            await asyncio.sleep(2.0)
        except Exception:
            log.exception("delivery_failed", chat=chat_id)
            await asyncio.sleep(5.0)
        finally:
            self._busy.discard(chat_id)
            self._quiet.set()
            self.wake()

    async def _next(self, chat_id: int) -> int | None:
        """The chat's most pressing post, once the limits allow a call there."""
        while not self._ending:
            self._beats[chat_id] = time.monotonic()
            now = self._clock.now()
            found = await self._store.read(partial(_first_due, chat_id=chat_id, now=now, uncounted=False))
            if found is None:
                return None
            asked = self._paces.chat(chat_id).blocked(time.monotonic())
            if asked > 0:
                # Telegram asked for patience in this chat: that goes for a reaction too.
                await asyncio.sleep(min(asked, 5.0))
                continue
            wait = 0.0 if found[1] in UNCOUNTED else self._paces.chat(chat_id).wait(time.monotonic())
            if wait > 0:
                # The chat may get no message now; a reaction it may.
                found = await self._store.read(partial(_first_due, chat_id=chat_id, now=now, uncounted=True))
            if wait <= 0 or found is not None:
                return found[0] if found else None
            # Looked up again afterwards: something more urgent may have come meanwhile.
            await asyncio.sleep(min(wait, 5.0))
        return None

    async def _bring(self, post_id: int, chat_id: int) -> None:
        """One post. Whatever fails over it pauses it alone."""
        try:
            await self._show(post_id, chat_id)
        except StorageAway:
            raise
        except Exception:
            log.exception("post_failed", post=post_id, chat=chat_id)
            now = self._clock.now()
            await self._persist(lambda session: put_off(Desk(session, self._ground, now), post_id))

    async def _show(self, post_id: int, chat_id: int) -> None:
        """Bring the post up to date."""
        prepared, pictures = await self._ready(post_id)
        if prepared is None:
            return
        if pictures is None and prepared.attempts < WITHOUT_PICTURE:
            await self._note(prepared, Unknown("picture", sent_maybe=False))
            return
        uncounted = isinstance(prepared.shape, (Reaction, Menu))
        rank = Rank.LAST if uncounted else Rank.URGENT if prepared.urgent else Rank.ORDINARY
        outcome: Outcome = Wait(0.0)
        lane = self._slow if chat_id in self._hanging else contextlib.nullcontext()
        async with lane, self._turns.turn(rank, None if uncounted else chat_id, PATIENCE) as mine:
            if mine:
                if prepared.sends:
                    await self._set_out(prepared)
                # Counted here: a slow commit before it must not carry the call into another second.
                mine.begin()
                began = time.monotonic()
                outcome = await self._channel.show(prepared.place, prepared.shape, pictures or [])
                self.tally[_named(type(outcome))] += 1
                hangs = time.monotonic() - began > HANGS
                (self._hanging.add if hangs else self._hanging.discard)(chat_id)
        if isinstance(outcome, Unfit):
            await self._pictures.refuse(outcome.key)
        if isinstance(outcome, Shown) and pictures is None:
            outcome = replace(outcome, without=outcome.without | {"unfetched"})
        if isinstance(outcome, Wait) and outcome.seconds > 0:
            await self._leave_alone(chat_id, outcome.seconds)
        elif not isinstance(outcome, Shown | Wait):
            say = log.warning if isinstance(outcome, Refused) else log.info
            say("post_outcome", post=post_id, chat=chat_id, outcome=type(outcome).__name__, told=str(outcome))
        await self._note(prepared, outcome)

    async def _leave_alone(self, chat_id: int, seconds: float) -> None:
        """No call to the chat for so long; kept too, that a start within that time keeps to it."""
        log.info("patience_asked", chat=chat_id, seconds=seconds)
        self._paces.chat(chat_id).block(time.monotonic() + seconds)
        until = self._clock.now() + timedelta(seconds=seconds)
        await self._persist(lambda session: hold_chat(session, chat_id, until))

    async def _ready(self, post_id: int) -> tuple[Prepared | None, Collected]:
        """The post rendered and its pictures at hand; no pictures (None) when one could not be fetched now."""
        prepared = await self._prepare(post_id)
        for _ in range(LEARNING):
            if prepared is None:
                return None, []
            try:
                pictures = await self._collect(prepared)
            except StorageAway:
                raise
            except Later as later:
                await self._note(prepared, Wait(later.seconds))
                return None, []
            except Exception as error:
                log.warning("picture_not_fetched", post=post_id, error=type(error).__name__)
                return prepared, None
            if pictures is not None:
                return prepared, pictures
            # Opening one told something that belongs on the card.
            prepared = await self._prepare(post_id)
        return prepared, None

    async def _prepare(self, post_id: int) -> Prepared | None:
        now = self._clock.now()
        return await self._persist(lambda session: prepare(Desk(session, self._ground, now), post_id))

    async def _set_out(self, prepared: Prepared) -> None:
        """Written last of all: what a kill leaves unknown is what was on its way, not what was being made ready."""
        now = self._clock.now()
        again = await self._persist(lambda session: set_out(Desk(session, self._ground, now), prepared.post_id))
        self.tally["doubled"] += again

    async def _note(self, prepared: Prepared, outcome: Outcome) -> None:
        now = self._clock.now()
        await self._persist(lambda session: note(Desk(session, self._ground, now), prepared, outcome))
        if isinstance(outcome, Shown):
            for key, file_id in outcome.file_ids.items():
                await self._pictures.remember(key, file_id)

    async def _collect(self, prepared: Prepared) -> list[tuple[str, PictureData]] | None:
        """The pictures of the content. None: fetching one told something that changes the card."""
        if not isinstance(prepared.shape, Content):
            return []
        found = []
        learned = False
        for key in prepared.shape.pictures:
            picture = await self._pictures.find(key)
            learned = learned or picture.learned
            if picture.picture is not None:
                found.append((key, picture.picture))
        return None if learned else found

    async def _persist(self, job: Callable[[Session], T]) -> T:
        """Write, and keep at it while the database is away: what was sent must be noted before anything else."""
        while True:
            try:
                return await self._store.write(job)
            except StorageAway as error:
                log.debug("waits_for_storage", where="delivering", error=str(error))
                await asyncio.sleep(1.0)
