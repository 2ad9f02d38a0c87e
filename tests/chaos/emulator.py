"""The emulator behind a slow line: a call takes a while to get there, and its answer a while to come back.

Without the lag hardly a call would ever be on its way when the relay is killed. The emulator gives up a call whose
caller has died, so a call cut off on its way there never arrives, and one cut off on its way back has been done.
"""

import asyncio
import random

from aiohttp import web

from bot.__main__ import main
from bot.sandbox.botapi import BotApi


def live(arguments: list[str], lag: float) -> int:
    """Be `python -m bot ARGUMENTS` with up to `lag` seconds each way; returns its exit code."""
    honest = BotApi.call

    async def call(self: BotApi, request: web.BaseRequest, path: str) -> web.StreamResponse:
        await asyncio.sleep(random.uniform(0, lag))
        answer = await honest(self, request, path)
        await asyncio.sleep(random.uniform(0, lag))
        return answer

    BotApi.call = call  # type: ignore[method-assign]
    return main(arguments)
