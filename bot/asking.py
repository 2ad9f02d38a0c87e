"""Asks the Bot API a few plain questions for `check`, without aiogram: it starts at once and every wait has an end."""

import asyncio
import os
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp

PATIENCE = 4.0
"""Seconds for one answer."""


class NoAnswer(Exception):
    """Nobody answers there, or not as the Bot API does; the text never holds the address with the token in it."""


class Refused(Exception):
    """The Bot API said no: `code` and `told` are its own."""

    def __init__(self, code: int, told: str) -> None:
        super().__init__(told)
        self.code, self.told = code, told


class Asking:
    """`drift` is how far the server's clock is ahead of ours, once it has answered."""

    def __init__(self, http: aiohttp.ClientSession, base: str, token: str) -> None:
        self._http, self._base, self._token = http, base, token
        self.drift: timedelta | None = None

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of `method`. Raises NoAnswer or Refused."""
        try:
            async with self._http.post(
                f"{self._base}/bot{self._token}/{method}",
                json=params,
                timeout=aiohttp.ClientTimeout(total=PATIENCE),
                allow_redirects=False,
            ) as answer:
                self._look_at_clock(answer.headers.get("Date", ""))
                told = await answer.json(content_type=None)
        except TimeoutError:
            raise NoAnswer(f"no answer within {PATIENCE:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(_why(error)) from None
        except ValueError:
            raise NoAnswer("what answers there is no Bot API") from None
        if not isinstance(told, dict) or "ok" not in told:
            raise NoAnswer("what answers there is no Bot API")
        if not told["ok"]:
            raise Refused(int(told.get("error_code", 0)), str(told.get("description", "")))
        result = told.get("result")
        return result if isinstance(result, dict) else {}

    def _look_at_clock(self, date: str) -> None:
        try:
            self.drift = parsedate_to_datetime(date) - datetime.now(UTC)
        except (ValueError, TypeError):
            self.drift = None


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientSSLError):
        return "the certificate is not valid"
    number = getattr(getattr(error, "os_error", error), "errno", None)
    return os.strerror(number) if number and number > 0 else type(error).__name__


async def find_host(base: str) -> None:
    """Raise NoAnswer when the name in `base` is not found in time.

    In a thread that nobody waits for: looking up a name without a network can take minutes, and the interpreter would
    wait for it at its end.
    """
    parts = urlsplit(base)
    loop, found = asyncio.get_running_loop(), asyncio.Event()
    troubles: list[str] = []

    def tell() -> None:
        with suppress(RuntimeError):  # the loop may have ended long ago
            loop.call_soon_threadsafe(found.set)

    def look() -> None:
        try:
            socket.getaddrinfo(parts.hostname, parts.port or 443)
        except (OSError, UnicodeError) as error:
            troubles.append(str(getattr(error, "strerror", error)))
        tell()

    threading.Thread(target=look, daemon=True, name="find-host").start()
    try:
        await asyncio.wait_for(found.wait(), PATIENCE)
    except TimeoutError:
        raise NoAnswer(f"the name was not found within {PATIENCE:g} s") from None
    if troubles:
        raise NoAnswer(f"the name was not found: {troubles[0]}")
