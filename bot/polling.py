"""Receives updates and loses none: they are read raw, handled serially in each chat, and acknowledged after the commit.

aiogram's own polling acknowledges what it has handed out, not what was handled; hence this loop.
"""

import asyncio
import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.methods.base import TelegramMethod
from pydantic import ValidationError

from bot.clock import Clock
from bot.domain.words import N_
from bot.logs import redacted
from bot.services.desk import Desk, Ground
from bot.services.posting import add_notice
from handlers.door import Door, HandledBefore
from handlers.reading import update_of
from handlers.recent import Recent
from storage.store import StorageAway, Store
from storage.tables import FailedUpdate, Handled

log = structlog.get_logger()

WAIT = 25
"""Seconds Telegram holds a poll open."""
PROBE = 1
"""Seconds a poll is held open that is to show whether a trouble is over."""
GRACE = 10
"""Seconds beyond that for its answer to arrive."""
BATCH = 100
AT_ONCE = 32
TRIES = 2
"""An update that fails twice is poison: it is set aside, so that those behind it are served."""
ANSWER = 10.0
"""Seconds after which the answer to a press is of no use any more (Telegram's "query is too old")."""
ANSWER_TRY = 4
"""Seconds after which one attempt at it is given up."""
ATTEMPTS = 8
ANSWERS = 16
"""Answers on their way together: they may hang and must not take the connections from the cards."""
LONGEST_PAUSE = 30.0
ALONE = 5
"""Seconds between looks whether another program still polls, and for which a poll must last to show that none does."""
AGAIN = 60.0
"""Seconds within which a webhook that is set again was not set by mistake."""
TWICE = "another program polls with this token: stop it, this one goes on by itself when it is alone"
HOOKED = "another program has set a webhook for this token: it was removed, stop that program"


class TokenRefused(Exception):
    """Telegram does not know the token."""


class NoUpdate(Exception):
    """No update of Telegram's: it bears no number, so it cannot be acknowledged either."""

    def __init__(self) -> None:
        super().__init__("it bears no number")


class RawUpdates(TelegramMethod[list[Any]]):
    """getUpdates without aiogram's validation: one update it cannot read must not block the others."""

    __returning__ = list[Any]
    __api_method__ = "getUpdates"

    offset: int | None = None
    limit: int = BATCH
    timeout: int = WAIT
    allowed_updates: list[str] | None = None


class Intake:
    """Takes in updates, wherever they come from; returns when their effects are committed or they are set aside."""

    def __init__(
        self,
        bot: Bot,
        routes: Dispatcher,
        store: Store,
        ground: Ground,
        clock: Clock,
        reads_all: bool,
        spawn: Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"],
    ) -> None:
        self._bot, self._routes, self._store, self._spawn = bot, routes, store, spawn
        self._ground, self._clock, self._reads_all = ground, clock, reads_all
        self._recent = Recent()
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._answers_at_once = asyncio.Semaphore(ANSWERS)
        self._answering: set[asyncio.Task[None]] = set()
        self._kinds = frozenset(routes.resolve_used_update_types())
        self.tally: Counter[str] = Counter(taken=0, again=0, set_aside=0)
        """What became of an update (taken, again, set_aside) → how often."""
        self.behind = 0.0
        """Seconds between the last message's own time and its being taken in; 0 once nothing waits any more."""

    async def take_all(self, updates: list[Any]) -> None:
        """A batch: one chat's updates in their order, different chats side by side. Raises nothing, whatever came."""
        chats: dict[int, list[Any]] = {}
        for raw in updates:
            chats.setdefault(_chat_of(raw), []).append(raw)
        async with asyncio.TaskGroup() as together:
            for own in chats.values():
                together.create_task(self._chat(own))

    async def _chat(self, updates: list[Any]) -> None:
        async with self._at_once:
            for raw in updates:
                await self.take(raw)

    async def take(self, raw: Any) -> None:
        """One update. While the database is away it waits: nothing is acknowledged that is not kept."""
        failures, pause = 0, 0.5
        while True:
            try:
                await self._feed(raw)
                self._took(raw)
                return
            except HandledBefore:
                self.tally["again"] += 1
                return
            except StorageAway as error:
                log.debug("waits_for_storage", where="intake", error=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 15.0)
            except Exception as error:
                failures += 1
                if failures < TRIES and not isinstance(error, ValidationError):
                    continue
                if await self._set_aside(raw, error):
                    self.tally["set_aside"] += 1
                    return

    def _took(self, raw: dict[str, Any]) -> None:
        self.tally["taken"] += 1
        message = raw.get("message")
        sent = message.get("date") if isinstance(message, dict) else None
        if isinstance(sent, int):
            self.behind = max(self._clock.now().timestamp() - sent, 0.0)

    async def _feed(self, raw: Any) -> None:
        if number_of(raw) is None:
            raise NoUpdate
        if not any(raw.get(kind) is not None for kind in self._kinds):
            # What nobody here asked for: left over from another program's polls, or a kind newer than this version.
            return
        update = update_of(raw, self._bot)
        door = Door(
            self._store, self._ground, self._clock, self._recent, update.update_id, self._bot.id, self._reads_all
        )
        answer = await self._routes.feed_update(self._bot, update, door=door)
        if isinstance(answer, TelegramMethod):
            # Nobody waits for it: an answer that hangs would hold up the updates of all.
            answering = self._spawn(self._answer(answer), "answer")
            self._answering.add(answering)
            answering.add_done_callback(self._answering.discard)

    async def answered(self) -> None:
        """Wait until the presses taken in so far are answered, or it is too late for them."""
        if self._answering:
            await asyncio.wait(set(self._answering))

    async def _answer(self, answer: TelegramMethod[Any]) -> None:
        """Answer a press. The press has been done; if the answer comes too late for Telegram, that is all."""
        try:
            async with asyncio.timeout(ANSWER), self._answers_at_once:
                for _ in range(ATTEMPTS):
                    if await self._try_answer(answer):
                        return
                    await asyncio.sleep(0.5)
        except TimeoutError:
            log.info("press_not_answered", error="nobody heard it in time")

    async def _try_answer(self, answer: TelegramMethod[Any]) -> bool:
        """Whether that is over with. Said twice it would harm nobody: Telegram shows the first answer."""
        try:
            await self._bot(answer, request_timeout=ANSWER_TRY)
        except TelegramRetryAfter as error:
            await asyncio.sleep(error.retry_after)
            return False
        except TelegramBadRequest as error:
            log.info("press_not_answered", error=error.message[:120])
        except Exception as error:
            log.info("press_answered_again", error=redacted(str(error))[:120])
            return False
        return True

    async def _set_aside(self, raw: Any, error: Exception) -> bool:
        """Whether that is over with: it is kept, or it cannot be. Whatever is wrong with it, it stops nothing."""
        update_id, told = kept_as(raw), _told(error)
        if isinstance(error, ValidationError | NoUpdate):
            log.error("update_set_aside", update_id=update_id, error=told)
        else:
            log.exception("update_set_aside", update_id=update_id)
        try:
            await self._store.write(
                lambda session: set_aside(Desk(session, self._ground, self._clock.now()), raw, told)
            )
        except StorageAway:
            await asyncio.sleep(1.0)
            return False
        except Exception:
            log.exception("update_not_kept", update_id=update_id)
        else:
            log.error("update_kept_for_retry", update_id=update_id)
        return True


def number_of(raw: Any) -> int | None:
    """The update's number; None for what bears none that Telegram could have given."""
    found = raw.get("update_id") if isinstance(raw, dict) else None
    # A bool is an int to Python, and no database takes a larger number.
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 1 << 63 else None


def kept_as(raw: Any) -> int:
    """The number that a poison update is kept under: its own, or one below zero that is the same each time it comes."""
    known = number_of(raw)
    if known is not None:
        return known
    return -1 - int.from_bytes(hashlib.blake2b(json.dumps(raw).encode(), digest_size=7).digest())


def _told(error: Exception) -> str:
    """What went wrong, in words that can be stored and hold nothing of what people wrote."""
    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_url=False, include_context=False)
        text = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found)
    else:
        text = str(error)
    told = redacted(f"{type(error).__name__}: {text}").replace("\0", "")[:500]
    return told.encode("utf-8", "backslashreplace").decode()


def set_aside(desk: Desk, raw: Any, told: str) -> None:
    """Keep a poison update whole, mark it handled, and tell the operators."""
    update_id = kept_as(raw)
    desk.session.merge(FailedUpdate(update_id=update_id, raw=json.dumps(raw), error=told, at=desk.now))
    desk.session.merge(Handled(update_id=update_id, at=desk.now))
    for operator in desk.ground.operators:
        add_notice(
            desk,
            operator,
            "note",
            # Once an hour: a flood of them is no reason for a flood of messages, and /readyz counts them.
            f"failed:{desk.now:%Y%m%d%H}",
            sentence=N_(
                "Updates that could not be handled were kept, {update} the first. python -m bot retry tries them again."
            ),
            values={"update": str(update_id)},
        )


def _chat_of(raw: Any) -> int:
    """The chat an update belongs to, read from the raw form; 0 where it has none."""
    if not isinstance(raw, dict):
        return 0
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
    """Asks for updates until it is stopped. `trouble` says what keeps it from getting them."""

    def __init__(
        self,
        bot: Bot,
        intake: Intake,
        kinds: list[str],
        on_poll: Callable[[], None],
        on_rival: Callable[[], None],
    ) -> None:
        self._bot, self._intake, self._kinds, self._on_poll, self._on_rival = bot, intake, kinds, on_poll, on_rival
        self._offset: int | None = None
        self._stopping = asyncio.Event()
        self._pause = 1.0
        self._rival_at: float | None = None
        """When the last poll began after another program had been met; None: nobody else polls."""
        self._unhooked_at = float("-inf")
        self.trouble = ""

    def stop(self) -> None:
        """Take nothing new; the batch in hand is finished, and the presses in it are answered."""
        self._stopping.set()

    async def run(self) -> None:
        """Until stopped. The offset moves only when everything below it is committed. Raises TokenRefused."""
        while not self._stopping.is_set():
            began = _now()
            try:
                updates = await self._poll()
            except TelegramUnauthorizedError as error:
                raise TokenRefused from error
            except TelegramConflictError as error:
                await self._met_rival(error)
            except TelegramRetryAfter as error:
                self._say(f"Telegram asks for {error.retry_after} s of patience")
                await self._rest(error.retry_after)
            except Exception as error:
                # A page instead of JSON, an answer of another shape or in no known letters is no answer either.
                told = error.message if isinstance(error, TelegramAPIError) else type(error).__name__
                self._say(f"no answer from Telegram ({redacted(told)[:80]}); trying again")
                await self._rest_longer()
            else:
                await self._take(updates, began)
        await self._intake.answered()

    async def _take(self, updates: list[Any], began: float) -> None:
        self._on_poll()
        numbers = [number for number in map(number_of, updates) if number is not None]
        if updates and not numbers:
            self._say("updates without numbers come from Telegram; trying again")
        elif self._is_alone():
            self._all_well()
        await self._intake.take_all(updates)
        if not updates:
            self._intake.behind = 0.0
        if numbers:
            self._offset = max(numbers) + 1
            self._pause = 1.0
        elif updates or _now() - began < 1.0:
            # Nothing in it can be acknowledged, or an empty answer came at once: asking again at once would bring the
            # same, at full speed.
            await self._rest_longer()
        else:
            self._pause = 1.0

    async def _met_rival(self, error: TelegramConflictError) -> None:
        """Another program takes the updates too: it is left alone for a while, and what is due goes on being sent."""
        hooked = "webhook" in error.message.lower()
        if hooked and _now() - self._unhooked_at > AGAIN:
            # Left over, or set by mistake: without it they come to us again.
            self._unhooked_at = _now()
            log.warning("webhook_removed", told=HOOKED)
            await self._unhook()
            return
        if self._rival_at is None:
            self._say(HOOKED if hooked else TWICE)
            self._on_rival()
        await self._rest(ALONE)
        if hooked:
            await self._unhook()
        self._rival_at = _now()

    async def _unhook(self) -> None:
        try:
            await self._bot.delete_webhook()
        except TelegramRetryAfter as error:
            await self._rest(error.retry_after)
        except Exception as error:
            log.info("webhook_not_removed", error=type(error).__name__)
            await self._rest_longer()

    def _is_alone(self) -> bool:
        """Whether nobody else polls: two take turns in breaking off each other's polls, so one that lasts tells."""
        return self._rival_at is None or _now() - self._rival_at >= ALONE - 0.5

    def _all_well(self) -> None:
        self._rival_at = None
        if self.trouble:
            log.info("polling_resumed")
            self.trouble = ""

    async def _poll(self) -> list[Any]:
        """One poll; none when it is to stop meanwhile."""
        # After a trouble the first poll is a short one: it shows sooner that all is well.
        wait = ALONE if self._rival_at is not None else PROBE if self.trouble else WAIT
        asked = RawUpdates(offset=self._offset, allowed_updates=self._kinds, timeout=wait)
        poll = asyncio.ensure_future(self._bot(asked, request_timeout=wait + GRACE))
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({poll, stop}, return_when=asyncio.FIRST_COMPLETED)
            updates = await poll if poll.done() else []
        finally:
            for task in (poll, stop):
                task.cancel()
        if not isinstance(updates, list):
            raise TypeError("an answer without a list of updates")
        return updates

    async def _rest_longer(self) -> None:
        await self._rest(self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    async def _rest(self, seconds: float) -> None:
        """Ask nothing for so long; a stop ends it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _say(self, trouble: str) -> None:
        if self._rival_at is not None:
            return
        if not self.trouble:
            log.warning("polling_paused", told=trouble)
        elif trouble != self.trouble:
            log.debug("polling_still_paused", told=trouble)
        self.trouble = trouble


def _now() -> float:
    return asyncio.get_running_loop().time()
