"""Fetches what people sent from Telegram's file server: to a file, never more of it than Telegram itself gives out."""

from typing import BinaryIO, cast

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramRetryAfter
from aiohttp import ClientResponseError

from bot.channels.wire import UNSAID
from bot.services.picturing import Later, Unavailable, Unreadable

LARGEST = 20 << 20
"""Bytes of a file that are fetched; Telegram's own server gives out no more, one of the operator's might."""
ASKING = 10
"""Seconds for the answer where a file is."""
PATIENCE = 20
"""Seconds for a file to arrive: nothing else goes out in its chat meanwhile."""


class _Bounded:
    """A file that takes so many bytes: what Telegram says of a file's size is one thing, what arrives is another."""

    def __init__(self, target: BinaryIO) -> None:
        self._target, self._left = target, LARGEST

    @property
    def taken(self) -> int:
        return LARGEST - self._left

    def write(self, piece: bytes) -> int:
        self._left -= len(piece)
        if self._left < 0:
            raise Unreadable("the file is larger than 20 MB")
        return self._target.write(piece)

    def flush(self) -> None:
        self._target.flush()

    def seek(self, place: int) -> int:
        return self._target.seek(place)


async def download(bot: Bot, file_id: str, target: BinaryIO) -> None:
    """A file of Telegram's, into `target`. Raises Unreadable when it can never be had, Unavailable when perhaps it
    can, Later when it may not be asked for yet, else what the network raised."""
    target.seek(0)
    target.truncate()
    try:
        file = await bot.get_file(file_id, request_timeout=ASKING)
    except TelegramBadRequest as error:
        if "too big" in error.message:
            raise Unreadable("the file is larger than 20 MB") from error
        raise Unavailable("Telegram does not give the file out") from error
    except TelegramRetryAfter as error:
        raise Later(error.retry_after) from error
    if (file.file_size or 0) > LARGEST:
        raise Unreadable("the file is larger than 20 MB")
    if file.file_path is None:
        raise Unreadable("Telegram does not say where the file is")
    arrived = _Bounded(target)
    try:
        await bot.download_file(file.file_path, cast(BinaryIO, arrived), timeout=PATIENCE)
    except ClientResponseError as error:
        if error.status == 429:
            raise Later(UNSAID) from error
        raise
    if file.file_size is not None and arrived.taken != file.file_size:
        # Cut short, or a page of somebody's in its place: that is no fault of the file.
        raise ConnectionError("another number of bytes came than Telegram had said")
