"""Does again what was set aside: poison updates go through the same handlers.

A replay writes rows and says nothing itself; the running relay, or the next one that starts, brings the posts out.
"""

import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from aiogram import Bot
from aiogram.client.session.base import BaseSession
from aiogram.methods import TelegramMethod
from aiogram.types import User
from sqlmodel import Session

from bot.app import SANDBOX_TOKEN
from bot.clock import Clock
from bot.logs import redacted
from bot.opening import answering, ground_of, open_database
from bot.services.desk import Desk, Ground
from bot.settings import Settings
from handlers.door import Door, HandledBefore
from handlers.reading import update_of
from handlers.recent import Recent
from handlers.routes import dispatcher
from storage.store import StorageAway, Store
from storage.tables import FailedUpdate, Handled
from storage.updates import failed_updates

Say = Callable[[str], None]
T = TypeVar("T")


class CallsNobody(RuntimeError):
    """A replay makes no call to Telegram."""


class _Silent(BaseSession):
    """A session that reaches nothing."""

    async def close(self) -> None:
        pass

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:  # noqa: ASYNC109
        raise CallsNobody(f"{type(method).__name__} in a replay")

    async def stream_content(self, *args: Any, **more: Any) -> AsyncGenerator[bytes, None]:
        raise CallsNobody("a download in a replay")
        yield b""


class _Mute(Bot):
    """The bot as handlers need it, without a voice."""

    async def me(self) -> User:
        # Without a username every mention is taken for its own: what was set aside had come to it.
        return User(id=self.id, is_bot=True, first_name="relay")


@dataclass
class _SecondDoor(Door):
    """The way in for an update that was set aside: its row goes in the transaction that brings its effects."""

    async def do(self, work: Callable[[Desk], T]) -> T:
        if self.done:
            raise RuntimeError("an update is handled in one transaction")
        self.done = True
        now = self.clock.now()

        def job(session: Session) -> T:
            if not _take_out(session, self.update_id):
                raise HandledBefore
            session.merge(Handled(update_id=self.update_id, at=now))
            session.flush()
            return work(Desk(session, self.ground, now))

        return await self.store.write(job)


async def retry(settings: Settings, say: Say) -> bool:
    """Handle again what was set aside, oldest first; whether nothing is left.

    Raises StartError when the database cannot be used.
    """
    store = await open_database(settings)
    try:
        with answering(settings):
            return await _Replay(store, settings, say).run()
    finally:
        await store.close()


class _Replay:
    def __init__(self, store: Store, settings: Settings, say: Say) -> None:
        self._store, self._say = store, say
        token = settings.bot_token.get_secret_value() if settings.bot_token else SANDBOX_TOKEN
        self._bot, self._routes = _Mute(token, session=_Silent()), dispatcher()
        self._ground: Ground = ground_of(settings)
        self._clock, self._recent = Clock(), Recent()

    async def run(self) -> bool:
        waiting = [row.update_id for row in await self._store.read(failed_updates)]
        failing = 0
        for update_id in waiting:
            failing += not await self._again(update_id)
        if not waiting:
            self._say("no update is set aside")
        elif failing:
            self._say(f"{len(waiting) - failing} of {len(waiting)} updates were handled, {failing} still set aside")
        else:
            self._say(f"all {len(waiting)} updates were handled")
        return not failing

    async def _again(self, update_id: int) -> bool:
        try:
            await self._feed(update_id)
        except HandledBefore:
            self._say(f"update {update_id}: handled meanwhile")
        except StorageAway:
            raise
        except Exception as error:
            told = " ".join(redacted(f"{type(error).__name__}: {error}").split())[:500]
            await self._store.write(partial(_note_failure, update_id=update_id, told=told))
            self._say(f"update {update_id}: fails again: {told[:160]}")
            return False
        else:
            self._say(f"update {update_id}: handled")
        return True

    async def _feed(self, update_id: int) -> None:
        raw = await self._store.read(partial(_raw, update_id=update_id))
        update = update_of(json.loads(raw), self._bot)
        door = _SecondDoor(self._store, self._ground, self._clock, self._recent, update_id, self._bot.id)
        # What comes back is the answer to a press; whoever pressed has long gone.
        await self._routes.feed_update(self._bot, update, door=door)
        # No handler wanted to write: then that is what handling it comes to.
        await self._store.write(partial(_take_out, update_id=update_id))


def _raw(session: Session, update_id: int) -> str:
    row = session.get(FailedUpdate, update_id)
    if row is None:
        raise HandledBefore
    return row.raw


def _take_out(session: Session, update_id: int) -> bool:
    """Remove the row of an update that was set aside; False when somebody else has done it."""
    row = session.get(FailedUpdate, update_id, with_for_update=True)
    if row is None:
        return False
    session.delete(row)
    session.flush()
    return True


def _note_failure(session: Session, update_id: int, told: str) -> None:
    row = session.get(FailedUpdate, update_id)
    if row is not None:
        row.error = told
        session.add(row)
