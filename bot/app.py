"""Wires everything together, once, and owns all that runs in the background."""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import structlog
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest, TelegramNotFound, TelegramUnauthorizedError
from aiogram.types import User
from aiohttp import web
from pydantic import SecretStr

from bot.alliance import AllianceError
from bot.auditor import PERIOD, Auditor
from bot.channels.telegram import Telegram
from bot.clock import Clock
from bot.instance import alone_on
from bot.nursery import Nursery
from bot.opening import StartError, apply_alliance, ground_of, open_database
from bot.polling import Intake, Polling, TokenRefused
from bot.sandbox.server import Sandbox
from bot.services.delivering import Delivery
from bot.services.desk import Ground
from bot.services.picturing import Pictures, Unreadable
from bot.settings import Settings
from bot.speech import LANGUAGES, Speech
from bot.ticker import Ticker
from bot.views.content import Screen
from bot.views.help import menu
from bot.web.health import health_app
from handlers.routes import dispatcher
from storage.store import StorageAway, Store

log = structlog.get_logger()

EXAMPLE = Path(__file__).parent / "example" / "alliance.toml"
SANDBOX_TOKEN = "700000001:sandbox-token-that-opens-nothing"  # noqa: S105 - the emulator takes any
DRAIN = 8.0
"""Seconds that what is in hand and what is on its way are given together when the program is told to stop: with the
closing of the database it ends within ten."""
LARGEST = 20 << 20
"""Bytes of a file that are fetched; Telegram's own server gives out no more, one of the operator's might."""
SILENT = 120.0
"""Seconds without an answered poll after which the relay does not call itself ready."""


def make_bot(settings: Settings, api: str | None = None) -> Bot:
    """The client for the Bot API at `api`, or as the settings say."""
    token = settings.bot_token.get_secret_value() if settings.bot_token else SANDBOX_TOKEN
    session = AiohttpSession(api=TelegramAPIServer.from_base(api or settings.bot_api_url), timeout=30)
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
        self._started = False

    async def run(self) -> None:
        """Until told to stop. Raises StartError."""
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(alone_on(self._settings.data_dir))
            settings, api = await self._sandboxed(stack)
            bot = make_bot(settings, api)
            stack.push_async_callback(bot.session.close)
            store = await open_database(settings)
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
        pictures = Pictures(store, clock, lambda file_id: download(bot, file_id))
        delivery = Delivery(store, ground, clock, channel, pictures, nursery.spawn)
        ticker = Ticker(store, ground, clock)
        auditor = Auditor(store, ground, clock, delivery.idle)
        routes = dispatcher()
        intake = Intake(bot, routes, store, ground, clock, bool(me.can_read_all_group_messages))
        polling = Polling(bot, intake, routes.resolve_used_update_types(), self._polled)

        def stirred(topics: frozenset[str]) -> None:
            if "posts" in topics:
                delivery.wake()
            if "timers" in topics:
                ticker.wake()

        store.on_commit = stirred
        await self._open_web(stack, settings, store, polling, auditor)
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
        if sandbox:
            self._say(f"No BOT_TOKEN: this is the sandbox. Open {base}/ in a browser.")
        await self.stopping.wait()
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
        pause = 1.0
        while True:
            try:
                me = await bot.get_me()
                # A webhook left over from another program would keep every update from us.
                await bot.delete_webhook()
                return me
            except (TelegramUnauthorizedError, TelegramNotFound, TelegramBadRequest) as error:
                raise StartError("BOT_TOKEN was refused by Telegram: copy it again from @BotFather") from error
            except (TelegramAPIError, TypeError, OSError, TimeoutError) as error:
                if pause == 1.0:
                    self._say(f"Telegram does not answer at {self._settings.bot_api_url}; trying again until it does.")
                log.info("telegram_away", error=type(error).__name__, pause=pause)
                if await self._stopped_within(pause):
                    raise StartError("stopped before Telegram answered") from error
                pause = min(pause * 2, 30.0)

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
        self, stack: contextlib.AsyncExitStack, settings: Settings, store: Store, polling: Polling, auditor: Auditor
    ) -> None:
        async def troubles() -> dict[str, str]:
            found = {**self.nursery.troubles, **auditor.troubles}
            if not self._started:
                found["start"] = "what the last run left behind is being looked through"
            if polling.trouble:
                found["polling"] = polling.trouble
            elif asyncio.get_running_loop().time() - self._last_poll > SILENT:
                found["polling"] = "no poll was answered for two minutes"
            try:
                await store.read(lambda session: session.connection().exec_driver_sql("SELECT 1").scalar())
            except StorageAway as error:
                found["storage"] = str(error)
            return found

        runner = web.AppRunner(health_app(troubles), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, settings.web_host, settings.web_port).start()
        except OSError as error:
            raise StartError(
                f"WEB_PORT {settings.web_port} cannot be used: {error.strerror}; choose another in config.env"
            ) from error

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
            try:
                await channel.offer(menu(screen, "private"), language=language)
            except (TelegramAPIError, TypeError, OSError, TimeoutError) as error:
                log.warning("menu_not_offered", error=type(error).__name__)

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


async def download(bot: Bot, file_id: str) -> bytes:
    """A file of Telegram's. Raises Unreadable when it can never be had, else what the network raised."""
    try:
        file = await bot.get_file(file_id)
    except TelegramBadRequest as error:
        raise Unreadable("Telegram does not give the file out") from error
    if (file.file_size or 0) > LARGEST:
        raise Unreadable("the file is larger than 20 MB")
    if file.file_path is None:
        raise Unreadable("Telegram does not say where the file is")
    found = await bot.download_file(file.file_path, timeout=60)
    if found is None:
        raise Unreadable("the file was empty")
    return found.read()


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
