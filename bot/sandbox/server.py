"""The emulator as a server: one world behind one address, with a door for the bot, one for the page and
the tests, and the page itself. Nothing leaves the process and nothing is kept after it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from aiohttp import web

from bot.sandbox.botapi import BotApi
from bot.sandbox.control import Control
from bot.sandbox.platform import Platform
from bot.sandbox.requests import BODY_LIMIT

STATIC: Final = Path(__file__).with_name("static")


class Sandbox:
    """The emulator: one world, one HTTP server. Once stopped it stays stopped; its world went with it."""

    def __init__(self, world: Path | None = None, *, limits: bool = True, ephemeral: bool = True) -> None:
        self._platform = Platform(world, limits=limits, ephemeral=ephemeral)
        self._botapi = BotApi(self._platform)
        self._control = Control(self._platform)
        self._runner: web.ServerRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Serve; returns the base URL such as ``http://127.0.0.1:8081``. Raises OSError when the port is taken."""
        if self._runner is not None:
            raise RuntimeError("the sandbox is already started")
        server = web.Server(
            self._answer,
            request_factory=_request,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=75.0,
        )
        runner = web.ServerRunner(server, shutdown_timeout=0.3)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        bound = runner.addresses[0]
        return f"http://[{host}]:{bound[1]}" if ":" in host else f"http://{host}:{bound[1]}"

    async def stop(self) -> None:
        """Stop within a second, open polls and streams included."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        self._platform.updates.close()
        self._platform.events.close_all()
        self._platform.clock.wake()
        self._botapi.closing.set()
        await self._botapi.webhook.stop()
        await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        if path.startswith("/bot"):
            return await self._botapi.call(request, path[4:] if "%" not in path else unquote(path[4:]))
        if path.startswith("/sandbox/static/"):
            return _static(unquote(path[16:]))
        if path.startswith("/sandbox/"):
            return await self._control.answer(request, unquote(path[9:]))
        if path.startswith("/file/bot"):
            return await self._botapi.download(request, unquote(path[9:]))
        if path in ("/", "/index.html"):
            return _static("index.html")
        return web.Response(status=404, text="404: Not Found")


async def serve(host: str, port: int) -> None:
    """Run the sandbox alone until SIGINT or SIGTERM; prints one line with the page's address.

    Raises SystemExit with one clear line when the port is taken.
    """
    sandbox = Sandbox()
    try:
        address = await sandbox.start(host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise SystemExit(f"port {port} on {host} is taken; name another with --port") from None
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stopping.set)
    print(f"sandbox: open {address}/ in a browser", flush=True)  # noqa: T201 - this line is the interface
    try:
        await stopping.wait()
    finally:
        await sandbox.stop()


def _static(name: str) -> web.StreamResponse:
    file = (STATIC / name).resolve()
    if not file.is_relative_to(STATIC.resolve()) or not file.is_file():
        return web.Response(status=404, text="404: Not Found")
    return web.FileResponse(file, headers={"Cache-Control": "no-cache"})


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=BODY_LIMIT)
