"""Wires everything together, once, and owns all that runs in the background."""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import chain, repeat
from pathlib import Path

import aiohttp
import structlog
from aiogram import Bot
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.types import User
from aiohttp import web
from pydantic import SecretStr

from bot.alliance import AllianceError
from bot.auditor import PERIOD, Auditor
from bot.channels.telegram import Telegram
from bot.channels.wire import Wire
from bot.clock import Clock
from bot.fetching import download
from bot.instance import alone_on
from bot.logs import redacted
from bot.metering import Meters
from bot.nursery import Nursery
from bot.opening import StartError, apply_alliance, ground_of, keep_of, open_database
from bot.polling import Intake, Polling, TokenRefused
from bot.sandbox.server import Sandbox
from bot.services.delivering import Delivery
from bot.services.desk import Desk, Ground
from bot.services.operators import another_polls, was_away
from bot.services.picturing import Pictures
from bot.settings import Settings
from bot.speech import LANGUAGES, Speech
from bot.supervisor import Supervisor
from bot.ticker import Ticker
from bot.views.content import Screen
from bot.views.help import menu
from bot.web.health import health_app
from bot.web.metrics import Measured
from handlers.routes import dispatcher
from storage.store import StorageAway, Store
from storage.updates import try_out

log = structlog.get_logger()

EXAMPLE = Path(__file__).parent / "example" / "alliance.toml"
SANDBOX_TOKEN = "700000001:sandbox-token-that-opens-nothing"  # noqa: S105 - the emulator takes any
DRAIN = 8.0
"""Seconds that what is in hand and what is on its way are given together when the program is told to stop: with the
closing of the database it ends within ten."""
ANSWERS_WITHIN = 2.0
"""Seconds in which the database answers the question whether it does."""
WORTH_TELLING = 60.0
"""Seconds the database must have been away for the operators to be told afterwards."""
CALL = 30
"""Seconds after which a call that hangs is given up; whether it was carried out nobody knows then."""
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds between the questions at the start whether Telegram is there."""
SILENT = 120.0
"""Seconds without an answered poll after which the relay does not call itself ready."""


def make_bot(settings: Settings, api: str | None = None) -> Bot:
    """The client for the Bot API at `api`, or as the settings say."""
    token = settings.bot_token.get_secret_value() if settings.bot_token else SANDBOX_TOKEN
    session = Wire(api=TelegramAPIServer.from_base(api or settings.bot_api_url), timeout=CALL)
    return Bot(token, session=session)


class App:
    """The running relay."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings, self._say = settings, say
        self.clock = Clock()
        self.nursery = Nursery()
        self.stopping = asyncio.Event()
        self._last_poll = asyncio.get_running_loop().time()
        self._fatal: str = ""
        self._trial: asyncio.Task[None] | None = None
        self._started = False
        self._away = ""
        """What keeps the start waiting."""

    async def run(self) -> None:
        """Until told to stop. Raises StartError."""
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(alone_on(self._settings.data_dir))
            settings, api = await self._sandboxed(stack)
            bot = make_bot(settings, api)
            stack.push_async_callback(bot.session.close)
            store = await open_database(settings, alone=True)
            stack.push_async_callback(store.close)
            # Closed before the store: what runs in the background must not outlive it.
            stack.push_async_callback(self.nursery.close)
            await self._serve(stack, settings, bot, store, sandbox=api is not None)

    async def _sandboxed(self, stack: contextlib.AsyncExitStack) -> tuple[Settings, str | None]:
        """Without a token: a sandbox of its own, with the example alliance and a database of its own."""
        settings = self._settings
        if settings.bot_token is not None:
            return settings, None
        sandbox = Sandbox()
        try:
            api = await sandbox.start(settings.web_host, settings.sandbox_port)
        except OSError as error:
            raise StartError(f"SANDBOX_PORT {settings.sandbox_port} cannot be used: {error.strerror}") from error
        stack.push_async_callback(sandbox.stop)
        # The chats of a sandbox live as long as its process; rows about earlier ones would speak of nothing.
        home = settings.data_dir / "sandbox"
        shutil.rmtree(home, ignore_errors=True)
        own = {"data_dir": home, "alliance_file": EXAMPLE, "admin_ids": (500000900,), "database_url": SecretStr("")}
        return settings.model_copy(update=own), api

    async def _serve(
        self, stack: contextlib.AsyncExitStack, settings: Settings, bot: Bot, store: Store, sandbox: bool
    ) -> None:
        clock, nursery = self.clock, self.nursery
        me = await self._greet(bot)
        base = bot.session.api.base.split("/bot{")[0]
        winds = (sandbox or _is_loopback(settings.bot_api_url)) and await self._wind(base)
        ground = replace(ground_of(settings), bot_username=me.username or "")
        await self._alliance(store, settings, ground)
        channel = Telegram(bot)
        pictures = Pictures(store, clock, partial(download, bot))
        delivery = Delivery(store, ground, clock, channel, pictures, nursery.spawn)
        ticker = Ticker(store, ground, clock, keep_of(settings))
        auditor = Auditor(store, ground, clock, delivery.idle)
        routes = dispatcher()
        intake = Intake(bot, routes, store, ground, clock, bool(me.can_read_all_group_messages), nursery.spawn)

        def met_rival() -> None:
            nursery.spawn(self._told(store, ground, another_polls), "telling the operators")

        polling = Polling(bot, intake, routes.resolve_used_update_types(), self._polled, met_rival)

        def stirred(topics: frozenset[str]) -> None:
            if "posts" in topics:
                delivery.wake()
            if "timers" in topics:
                ticker.wake()

        store.on_commit = stirred
        loop = asyncio.get_running_loop()
        store.health.on_back = lambda seconds: loop.call_soon_threadsafe(self._storage_back, store, ground, seconds)
        meters = Meters(store, clock, intake, delivery, ticker)
        await self._open_web(stack, settings, store, polling, auditor, meters)
        # A kill is no fault: what it left unknown is delivery's, and no news to the auditor.
        with contextlib.suppress(StorageAway):
            await store.write(delivery.release)
        # What a fault has left behind is set right before anything is sent or reminded of.
        await auditor.look()
        ticker.every(PERIOD, "audit", auditor.look)
        nursery.keep("delivering", delivery.run)
        ticker.start()
        stack.callback(ticker.stop)
        nursery.spawn(ticker.tidy(), "tidy")
        nursery.spawn(self._offer_menus(channel, clock, ground), "menus")
        if winds:
            nursery.keep("sandbox clock", lambda: self._follow(base, ticker, delivery))
        self._started = True
        receiving = nursery.keep("polling", lambda: self._poll(polling))
        self._say(f"alliance-relay is running as @{me.username}.")
        supervisor = Supervisor()
        supervisor.running()
        nursery.keep("signs of life", supervisor.keep_alive)
        if sandbox:
            self._say(f"No BOT_TOKEN: this is the sandbox. Open {base}/ in a browser.")
        await self.stopping.wait()
        supervisor.stopping()
        end = asyncio.get_running_loop().time() + DRAIN
        polling.stop()
        await asyncio.wait({receiving}, timeout=DRAIN / 2)
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        await self._drain(delivery, end)
        if self._fatal:
            raise StartError(self._fatal)

    async def _greet(self, bot: Bot) -> User:
        """Ask who we are, patiently: a network that is away at the start comes back."""
        pauses = chain(PAUSES, repeat(PAUSES[-1]))
        while True:
            try:
                # Kept by the bot: or the first command that names it would ask again, and fail where that fails.
                me = await bot.me()
                # A webhook left over from another program would keep every update from us.
                await bot.delete_webhook()
                return me
            except (TelegramUnauthorizedError, TelegramNotFound, TelegramBadRequest) as error:
                raise StartError("BOT_TOKEN was refused by Telegram: copy it again from @BotFather") from error
            except Exception as error:
                # Whatever came instead of an answer: it is not there yet.
                pause = error.retry_after if isinstance(error, TelegramRetryAfter) else next(pauses)
                if not self._away:
                    self._away = f"Telegram does not answer at {self._settings.bot_api_url}"
                    self._say(f"{self._away}; trying again until it does.")
                log.info("telegram_away", error=redacted(str(error))[:120], pause=pause)
                if await self._stopped_within(pause):
                    raise StartError("stopped before Telegram answered") from error

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _alliance(self, store: Store, settings: Settings, ground: Ground) -> None:
        path = settings.alliance_file
        if not path.exists():
            self._say(f"There is no alliance file yet: copy bot/example/alliance.toml to {path} and edit it.")
            return
        try:
            changes = await apply_alliance(store, settings, path, ground, self.clock)
        except AllianceError as error:
            raise StartError(str(error)) from error
        if changes:
            log.info("alliance_applied", changes=len(changes))
        for change in changes:
            log.debug("alliance_changed", change=change)

    async def _open_web(
        self,
        stack: contextlib.AsyncExitStack,
        settings: Settings,
        store: Store,
        polling: Polling,
        auditor: Auditor,
        meters: Meters,
    ) -> None:
        async def troubles() -> dict[str, str]:
            found = {**self.nursery.troubles, **auditor.troubles}
            if not self._started:
                found["start"] = "what the last run left behind is being looked through"
            if polling.trouble:
                found["polling"] = polling.trouble
            elif asyncio.get_running_loop().time() - self._last_poll > SILENT:
                found["polling"] = "no poll was answered for two minutes"
            if trouble := await self._storage_trouble(store):
                found["storage"] = trouble
            return found

        async def measured() -> Measured:
            return await meters.read(len(await troubles()))

        runner = web.AppRunner(health_app(troubles, measured), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, settings.web_host, settings.web_port).start()
        except OSError as error:
            raise StartError(
                f"WEB_PORT {settings.web_port} cannot be used: {error.strerror}; choose another in config.env"
            ) from error

    async def _storage_trouble(self, store: Store) -> str:
        """What keeps the database from reading or writing. A trouble may be over without anybody having asked again:
        it is tried out here."""
        if self._trial is None or self._trial.done():
            self._trial = self.nursery.spawn(_try_out(store), "trying the database")
        done, _ = await asyncio.wait({self._trial}, timeout=ANSWERS_WITHIN)
        return store.health.trouble if done else store.health.trouble or "the database does not answer"

    def _storage_back(self, store: Store, ground: Ground, seconds: float) -> None:
        """The operators hear of a database that was away for long: until now nothing could be told."""
        if seconds >= WORTH_TELLING:
            self.nursery.spawn(self._told(store, ground, partial(was_away, seconds=seconds)), "telling the operators")

    async def _told(self, store: Store, ground: Ground, tell: Callable[[Desk], None]) -> None:
        now = self.clock.now()
        with contextlib.suppress(StorageAway):
            await store.write(lambda session: tell(Desk(session, ground, now)))

    def _polled(self) -> None:
        self._last_poll = asyncio.get_running_loop().time()

    async def _poll(self, polling: Polling) -> None:
        try:
            await polling.run()
        except TokenRefused:
            self._fatal = "BOT_TOKEN is no longer accepted by Telegram: it was revoked or mistyped"
            self.stopping.set()

    async def _offer_menus(self, channel: Telegram, clock: Clock, ground: Ground) -> None:
        """The commands of private chats, in each language."""
        for language in (None, *LANGUAGES):
            screen = Screen(Speech(language or ground.language), clock.now(), ground.zone)
            for pause in chain((1.0, 5.0, 30.0), repeat(300.0)):
                try:
                    await channel.offer(menu(screen, "private"), language=language)
                    break
                except TelegramRetryAfter as error:
                    await asyncio.sleep(error.retry_after)
                except TelegramBadRequest as error:
                    log.warning("menu_not_offered", error=error.message[:120])
                    break
                except Exception as error:
                    log.info("menu_offered_again", error=type(error).__name__, pause=pause)
                    await asyncio.sleep(pause)

    async def _wind(self, base: str) -> bool:
        """Before anything is done: put our clock to where a sandbox's is. False: the server there is no sandbox."""
        async with aiohttp.ClientSession() as session:
            for _ in range(5):
                try:
                    offset = await _offset(session, base, 0.0, 0.0)
                except (aiohttp.ClientError, TimeoutError):
                    await asyncio.sleep(0.2)
                    continue
                self.clock.ahead = timedelta(seconds=offset or 0.0)
                return offset is not None
        return False

    async def _follow(self, base: str, ticker: Ticker, delivery: Delivery) -> None:
        """A sandbox winds its clock forward; so do we. Any other server has no such door, and that ends it."""
        async with aiohttp.ClientSession() as session:
            # Sent back exactly as it came: rounded, it would never be the one the sandbox waits to change.
            after = self.clock.ahead.total_seconds()
            while True:
                try:
                    offset = await _offset(session, base, after, 25.0)
                except (aiohttp.ClientError, TimeoutError):
                    await asyncio.sleep(1.0)
                    continue
                if offset is None:
                    return
                if offset != after:
                    after = offset
                    self.clock.ahead = timedelta(seconds=offset)
                    ticker.wake()
                    await ticker.tick()
                    delivery.wake()

    async def _drain(self, delivery: Delivery, end: float) -> None:
        """Let what is on its way arrive, until `end` on the loop's clock."""
        try:
            await asyncio.wait_for(delivery.finish(), max(0.1, end - asyncio.get_running_loop().time()))
        except TimeoutError:
            log.warning("drain_ended", told="messages still wait; they go out after the next start")


async def _try_out(store: Store) -> None:
    with contextlib.suppress(StorageAway):
        await store.read(lambda session: session.connection().exec_driver_sql("SELECT 1").scalar())
        if store.health.trouble:
            await store.write(try_out)


async def _offset(session: aiohttp.ClientSession, base: str, after: float, patience: float) -> float | None:
    """By how many seconds the sandbox's clock is ahead; waits up to `patience` for that to differ from `after`.

    None when the server there has no such door. Raises aiohttp.ClientError, TimeoutError.
    """
    asked = {"after": str(after), "timeout": str(patience)}
    patient = aiohttp.ClientTimeout(total=patience + 5)
    async with session.get(f"{base}/sandbox/clock", params=asked, timeout=patient) as answer:
        return float((await answer.json())["offset"]) if answer.status == 200 else None


def _is_loopback(url: str) -> bool:
    return any(f"//{host}" in url for host in ("127.0.0.1", "localhost", "[::1]"))


async def run(settings: Settings, say: Callable[[str], None]) -> None:
    """Run until SIGINT or SIGTERM. Raises StartError."""
    app = App(settings, say)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, app.stopping.set)
    await app.run()
