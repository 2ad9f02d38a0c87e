"""One call to the Bot API, and each way in which it can fail as a kind of error that tells whether it was carried out.

aiogram's own session follows redirects, takes a 429 without parameters for a riddle, and lets a page of a gateway, a
body that is no text or a 500 without a word out as errors of five different families.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any, cast

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramEntityTooLarge,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods.base import TelegramMethod, TelegramType
from aiohttp import ClientConnectorError, ClientError, ClientTimeout, ConnectionTimeoutError

UNSAID = 5.0
"""Seconds of patience when Telegram asks for some without saying how much."""
LONGEST = 7 * 86_400.0
CONNECT = 10.0
"""Seconds within which a connection must come about."""
_SAID = re.compile(rb"retry after (\d+)")


class NotCarriedOut(TelegramNetworkError):
    """The call never reached the Bot API, or was turned away before anything was done."""


class Wire(AiohttpSession):
    """Raises what aiogram's session raises, and NotCarriedOut where it is sure that nothing was done."""

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,  # noqa: ASYNC109 - aiogram's signature
    ) -> TelegramType:
        session = await self.create_session()
        url = self.api.api_url(token=bot.token, method=method.__api_method__)
        form = self.build_form_data(bot=bot, method=method)
        total = float(self.timeout if timeout is None else timeout)
        patience = ClientTimeout(total=total, sock_connect=min(CONNECT, total / 2))
        try:
            async with session.post(url, data=form, timeout=patience, allow_redirects=False) as answer:
                body = await answer.read()
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise NotCarriedOut(method, type(error).__name__) from error
        except (ClientError, OSError, TimeoutError) as error:
            # Only the name: the text of some of them holds the address, and with it the token.
            raise TelegramNetworkError(method, type(error).__name__) from error
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            # Something inside the library was cancelled, not we.
            raise TelegramNetworkError(method, "cancelled inside") from error
        return self._read(bot, method, answer.status, answer.headers, body)

    def _read(
        self, bot: Bot, method: TelegramMethod[TelegramType], status: int, headers: Mapping[str, str], body: bytes
    ) -> TelegramType:
        if status == 429:
            told = body.decode(errors="replace")[:200]
            raise TelegramRetryAfter(method, told, retry_after=cast(int, _patience(body, headers)))
        if status == 413:
            raise TelegramEntityTooLarge(method, "request entity too large")
        if 300 <= status < 400:
            raise NotCarriedOut(method, f"redirected ({status})")
        try:
            response = self.check_response(bot, method, status, body.decode())
        except (ClientDecodeError, UnicodeDecodeError) as error:
            if 400 <= status < 500:
                # A page of somebody between us and Telegram: it was not let through.
                raise NotCarriedOut(method, f"a page with {status}") from error
            raise TelegramNetworkError(method, f"no Bot API answer ({status})") from error
        except TypeError as error:
            # A 5xx without a description.
            raise TelegramServerError(method, str(status)) from error
        except TelegramAPIError as error:
            if type(error) is TelegramAPIError and 400 <= status < 500:
                raise NotCarriedOut(method, f"{status} {error.message}") from error
            raise
        if response.result is None:
            raise TelegramNetworkError(method, "an answer without a result")
        return response.result


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _patience(body: bytes, headers: Mapping[str, str]) -> float:
    """The seconds asked for: as a parameter, in words, in a header, or as many as seem decent."""
    for found in (_parameter(body), _SAID.search(body), headers.get("Retry-After", "")):
        seconds = found.group(1).decode() if isinstance(found, re.Match) else str(found or "")
        if seconds.isdecimal() and int(seconds) > 0:
            return min(float(seconds), LONGEST)
    return UNSAID


def _parameter(body: bytes) -> Any:
    try:
        return json.loads(body)["parameters"]["retry_after"]
    except (ValueError, KeyError, TypeError):
        return None
