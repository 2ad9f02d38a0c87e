"""Pictures lose things on their way through Telegram: size, EXIF, the exact bytes. The emulator re-encodes
them as Telegram does, so that a bot which needs the GPS of a photo learns here that only files keep it."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps

from bot.sandbox.refusals import bad

LONGEST_SIDE: Final = 1280
SIDES: Final = (320, 800, LONGEST_SIDE)
MOST_PIXELS: Final = 50_000_000
BOT_SIDES: Final = 10_000
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")

_REMEMBERED: Final = 32


@dataclass(frozen=True, slots=True)
class Rendition:
    """One size of a photo: JPEG bytes, width and height in pixels."""

    content: bytes
    width: int
    height: int


_known: OrderedDict[bytes, tuple[Rendition, ...]] = OrderedDict()
_lock = threading.Lock()


def developed(content: bytes, *, by_bot: bool) -> tuple[Rendition, ...]:
    """The two or three sizes of an uploaded picture, smallest first, without EXIF; raises Refusal (400).

    A bot's picture may measure 10,000 in width and height together; people's apps shrink theirs first.
    Slow (tens of milliseconds): run it in a thread. The last few answers are remembered, because a load
    driver posts the same picture thousands of times.
    """
    key = hashlib.blake2b(content, digest_size=16).digest() + bytes([by_bot])
    with _lock:
        known = _known.get(key)
        if known is not None:
            _known.move_to_end(key)
            return known
    fresh = _develop(content, BOT_SIDES if by_bot else MOST_PIXELS)
    with _lock:
        _known[key] = fresh
        while len(_known) > _REMEMBERED:
            _known.popitem(last=False)
    return fresh


def _develop(content: bytes, most_sides: int) -> tuple[Rendition, ...]:
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            width, height = opened.size
            crooked = width + height > most_sides or max(width, height) > 20 * min(width, height)
            if crooked or width * height > MOST_PIXELS:
                raise bad("PHOTO_INVALID_DIMENSIONS")
            opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            picture: Image.Image = _upright(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise bad("IMAGE_PROCESS_FAILED") from None
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    longest = max(picture.size)
    sides = [side for side in SIDES if side < longest][-2:] or [max(longest // 2, 1)]
    return tuple(_rendition(picture, side) for side in (*sides, longest))


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # bad EXIF raises half a dozen kinds of errors; the picture itself is fine
        return picture


def _rendition(picture: Image.Image, side: int) -> Rendition:
    small = picture
    if side < max(picture.size):
        small = picture.copy()
        small.thumbnail((side, side))
    out = io.BytesIO()
    small.info.clear()
    small.save(out, "JPEG", quality=82)
    return Rendition(out.getvalue(), small.width, small.height)
