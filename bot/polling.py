"""Receives updates and loses none: they are read raw, handled serially in each chat, and acknowledged after the commit.

aiogram's own polling acknowledges what it has handed out, not what was handled; hence this loop.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import structlog
from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramConflictError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.methods.base import TelegramMethod
from aiogram.types import Update
from pydantic import ValidationError

from bot.clock import Clock
from bot.domain.words import N_
from bot.logs import redacted
from bot.services.desk import Desk, Ground
from bot.services.posting import add_notice
from handlers.door import Door, HandledBefore
from handlers.recent import Recent
from storage.store import StorageAway, Store
from storage.tables import FailedUpdate, Handled

log = structlog.get_logger()

WAIT = 25
"""Seconds Telegram holds a poll open."""
BATCH = 100
AT_ONCE = 32
TRIES = 2
"""An update that fails twice is poison: it is set aside, so that those behind it are served."""


class TokenRefused(Exception):
    """Telegram does not know the token."""


class RawUpdates(TelegramMethod[list[dict[str, Any]]]):
    """getUpdates without aiogram's validation: one update it cannot read must not block the others."""

    __returning__ = list[dict[str, Any]]
    __api_method__ = "getUpdates"

    offset: int | None = None
    limit: int = BATCH
    timeout: int = WAIT
    allowed_updates: list[str] | None = None


class Intake:
    """Takes in updates, wherever they come from; returns when their effects are committed or they are set aside."""

    def __init__(self, bot: Bot, routes: Dispatcher, store: Store, ground: Ground, clock: Clock, reads_all: bool):
        self._bot, self._routes, self._store = bot, routes, store
        self._ground, self._clock, self._reads_all = ground, clock, reads_all
        self._recent = Recent()
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def take_all(self, updates: list[dict[str, Any]]) -> None:
        """A batch: one chat's updates in their order, different chats side by side."""
        chats: dict[int, list[dict[str, Any]]] = {}
        for raw in updates:
            chats.setdefault(_chat_of(raw), []).append(raw)
        async with asyncio.TaskGroup() as together:
            for own in chats.values():
                together.create_task(self._chat(own))

    async def _chat(self, updates: list[dict[str, Any]]) -> None:
        async with self._at_once:
            for raw in updates:
                await self.take(raw)

    async def take(self, raw: dict[str, Any]) -> None:
        """One update. While the database is away it waits: nothing is acknowledged that is not kept."""
        failures, pause = 0, 0.5
        while True:
            try:
                await self._feed(raw)
                return
            except HandledBefore:
                return
            except StorageAway as error:
                log.error("storage_away", where="intake", error=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 15.0)
            except Exception as error:
                failures += 1
                if failures < TRIES and not isinstance(error, ValidationError):
                    continue
                log.exception("update_set_aside", update_id=raw.get("update_id"))
                if await self._set_aside(raw, error):
                    return

    async def _feed(self, raw: dict[str, Any]) -> None:
        update = Update.model_validate(raw, context={"bot": self._bot})
        door = Door(
            self._store, self._ground, self._clock, self._recent, update.update_id, self._bot.id, self._reads_all
        )
        answer = await self._routes.feed_update(self._bot, update, door=door)
        if isinstance(answer, TelegramMethod):
            await self._answer(answer)

    async def _answer(self, answer: TelegramMethod[Any]) -> None:
        """Answer a press. The press has been done; if the answer comes too late for Telegram, that is all."""
        try:
            await self._bot(answer, request_timeout=10)
        except Exception as error:
            log.info("press_not_answered", error=redacted(str(error))[:120])

    async def _set_aside(self, raw: dict[str, Any], error: Exception) -> bool:
        update_id = int(raw.get("update_id", 0))
        told = redacted(f"{type(error).__name__}: {error}")[:500]
        try:
            await self._store.write(
                lambda session: set_aside(Desk(session, self._ground, self._clock.now()), raw, told)
            )
        except StorageAway:
            await asyncio.sleep(1.0)
            return False
        log.error("update_kept_for_retry", update_id=update_id)
        return True


def set_aside(desk: Desk, raw: dict[str, Any], told: str) -> None:
    """Keep a poison update whole, mark it handled, and tell the operators."""
    update_id = int(raw.get("update_id", 0))
    desk.session.merge(FailedUpdate(update_id=update_id, raw=json.dumps(raw), error=told, at=desk.now))
    desk.session.merge(Handled(update_id=update_id, at=desk.now))
    for operator in desk.ground.operators:
        add_notice(
            desk,
            operator,
            "note",
            f"failed:{update_id}",
            sentence=N_("Update {update} could not be handled and was kept. python -m bot retry tries it again."),
            values={"update": str(update_id)},
        )


def _chat_of(raw: dict[str, Any]) -> int:
    """The chat an update belongs to, read from the raw form; 0 where it has none."""
    for kind in ("message", "edited_message", "my_chat_member"):
        if isinstance(raw.get(kind), dict):
            return _id(raw[kind].get("chat"))
    query = raw.get("callback_query")
    if isinstance(query, dict) and isinstance(query.get("message"), dict):
        return _id(query["message"].get("chat"))
    return 0


def _id(chat: Any) -> int:
    found = chat.get("id") if isinstance(chat, dict) else None
    return found if isinstance(found, int) else 0


class Polling:
    def __init__(self, bot: Bot, intake: Intake, kinds: list[str], on_poll: Callable[[], None]) -> None:
        self._bot, self._intake, self._kinds, self._on_poll = bot, intake, kinds, on_poll
        self._offset: int | None = None
        self._stopping = asyncio.Event()
        self.trouble = ""

    def stop(self) -> None:
        """Take nothing new; the batch in hand is finished, and the presses in it are answered."""
        self._stopping.set()

    async def run(self) -> None:
        """Until stopped. The offset moves only when everything below it is committed. Raises TokenRefused."""
        pause = 1.0
        while not self._stopping.is_set():
            try:
                updates = await self._poll()
            except TelegramUnauthorizedError as error:
                raise TokenRefused from error
            except TelegramConflictError:
                self._say("another program polls with this token; waiting until it stops")
                await asyncio.sleep(10)
                continue
            except TelegramNotFound as error:
                raise TokenRefused from error
            except TelegramRetryAfter as error:
                await asyncio.sleep(error.retry_after)
                continue
            except (TelegramAPIError, TypeError, OSError, TimeoutError) as error:
                self._say(f"no answer from Telegram ({type(error).__name__}); trying again")
                await asyncio.sleep(pause)
                pause = min(pause * 2, 30.0)
                continue
            pause = 1.0
            if self.trouble:
                log.info("polling_resumed")
                self.trouble = ""
            self._on_poll()
            if updates:
                await self._intake.take_all(updates)
                self._offset = max(int(raw["update_id"]) for raw in updates) + 1

    async def _poll(self) -> list[dict[str, Any]]:
        """One poll; none when it is to stop meanwhile."""
        asked = RawUpdates(offset=self._offset, allowed_updates=self._kinds)
        poll = asyncio.ensure_future(self._bot(asked, request_timeout=WAIT + 10))
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({poll, stop}, return_when=asyncio.FIRST_COMPLETED)
            return await poll if poll.done() else []
        finally:
            for task in (poll, stop):
                task.cancel()

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.warning("polling_paused", told=trouble)
        self.trouble = trouble
