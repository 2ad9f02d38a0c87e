"""The emulator in a process of its own, without limits, and as slow to answer as is wished.

`python -m tests.bench.emulator WORLD PORT SECONDS`
"""

import asyncio
import sys
from pathlib import Path

from aiohttp import web

from bot.sandbox import server
from bot.sandbox.botapi import BotApi


def slow(seconds: float) -> None:
    """Every answer takes so long, as over a network; polls wait by themselves."""
    honest = BotApi.call

    async def call(self: BotApi, request: web.BaseRequest, path: str) -> web.StreamResponse:
        if not path.endswith("getUpdates"):
            await asyncio.sleep(seconds)
        return await honest(self, request, path)

    BotApi.call = call  # type: ignore[method-assign]


async def main(world: str, port: str, seconds: str) -> None:
    if float(seconds):
        slow(float(seconds))
    sandbox = server.Sandbox(Path(world), limits=False)
    print("is running at", await sandbox.start("127.0.0.1", int(port)), flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await sandbox.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
