"""The other way to receive: Telegram posts each update to the bot's address until it answers 200, and an
answer may itself carry one call. One update at a time, in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp

from bot.sandbox.refusals import bad
from bot.sandbox.updates import Updates

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0

Reply = Callable[[dict[str, Any]], Awaitable[None]]


class Webhook:
    """Where updates are posted to, if anywhere."""

    def __init__(self, updates: Updates, on_reply: Reply) -> None:
        self._updates = updates
        self._on_reply = on_reply
        self._posting: asyncio.Task[None] | None = None
        self._something = asyncio.Event()
        self._secret = ""
        self._connections = 40
        self._last_error: tuple[int, str] | None = None
        self.url = ""

    async def set(self, asked: dict[str, Any]) -> bool:
        """setWebhook; an empty url removes it."""
        url: str = asked["url"]
        if url and not url.startswith(("https://", "http://")):
            raise bad("bad webhook: An HTTPS URL must be provided for webhook")
        await self.stop()
        if asked.get("drop_pending_updates"):
            self._updates.clear()
        self._updates.allow(asked.get("allowed_updates"))
        self._secret = asked.get("secret_token", "")
        self._connections = asked.get("max_connections", 40)
        self._last_error = None
        self.url = url
        if url:
            self._something.set()
            self._updates.on_push = self._something.set
            self._posting = asyncio.create_task(self._post_all(url), name="sandbox webhook")
        return True

    async def delete(self, asked: dict[str, Any]) -> bool:
        """deleteWebhook."""
        await self.stop()
        if asked.get("drop_pending_updates"):
            self._updates.clear()
        return True

    def info(self) -> dict[str, Any]:
        """getWebhookInfo."""
        info: dict[str, Any] = {
            "url": self.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self._updates),
        }
        if self.url:
            info["max_connections"] = self._connections
        if self._last_error is not None:
            info["last_error_date"], info["last_error_message"] = self._last_error
        if self._updates.allowed is not None:
            info["allowed_updates"] = self._updates.allowed
        return info

    async def stop(self) -> None:
        """Post no more."""
        self.url = ""
        self._updates.on_push = None
        posting, self._posting = self._posting, None
        if posting is not None:
            posting.cancel()
            # A webhook's own answer may ask for deleteWebhook; a task cannot wait for itself.
            if posting is not asyncio.current_task():
                with contextlib.suppress(asyncio.CancelledError):
                    await posting

    async def _post_all(self, url: str) -> None:
        headers = {"X-Telegram-Bot-Api-Secret-Token": self._secret} if self._secret else {}
        pause = FIRST_PAUSE
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            while True:
                update = self._updates.first()
                if update is None:
                    self._something.clear()
                    await self._something.wait()
                    continue
                wrong = await self._post(session, url, headers, update)
                if wrong is None:
                    self._updates.forget(update["update_id"] + 1)
                    pause = FIRST_PAUSE
                    continue
                self._last_error = (int(time.time()), wrong)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _post(
        self, session: aiohttp.ClientSession, url: str, headers: dict[str, str], update: dict[str, Any]
    ) -> str | None:
        try:
            async with session.post(url, json=update, headers=headers) as answer:
                body = await answer.read()
                if answer.status != 200:
                    return f"Wrong response from the webhook: {answer.status} {answer.reason}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"Connection failed: {type(error).__name__}"
        with contextlib.suppress(ValueError):
            reply = json.loads(body) if body else None
            if isinstance(reply, dict) and "method" in reply:
                await self._on_reply(reply)
        return None
