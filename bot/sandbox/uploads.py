"""Files that come with a request, and what they become: a photo is decoded in a thread before the method
runs, so that the method itself never waits and each call takes effect in one step."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from bot.sandbox.files import Files
from bot.sandbox.pictures import Rendition, developed
from bot.sandbox.refusals import bad

ATTACHED: Final = "attach://"
PHOTO_BYTES: Final = 10 * 1024 * 1024
FILE_BYTES: Final = 50 * 1024 * 1024


@dataclass(slots=True)
class Upload:
    """One file of a multipart request; ``renditions`` once it was developed as a photo."""

    content: bytes
    name: str
    mime_type: str | None = None
    renditions: tuple[Rendition, ...] | None = None


Uploads = dict[str, Upload]


async def develop(params: dict[str, Any], uploads: Uploads) -> None:
    """Decode all attached files that are to be photos; raises Refusal (400) for what is no picture."""
    for reference in _photos(params):
        upload = uploads.get(reference.removeprefix(ATTACHED))
        if upload is not None and reference.startswith(ATTACHED) and upload.renditions is None:
            if len(upload.content) > PHOTO_BYTES:
                raise bad("file is too big")
            upload.renditions = await asyncio.to_thread(developed, upload.content, by_bot=True)


def photo(files: Files, uploads: Uploads, reference: str) -> list[dict[str, Any]]:
    """The PhotoSize array that ``attach://name`` or a file_id stands for; raises Refusal (400)."""
    if not reference.startswith(ATTACHED):
        sizes: list[dict[str, Any]] = files.media(reference, "photo")
        return sizes
    upload = _attached(uploads, reference)
    return files.photo(upload.renditions or ())


def document(files: Files, uploads: Uploads, reference: str) -> dict[str, Any]:
    """The Document that ``attach://name`` or a file_id stands for; raises Refusal (400)."""
    if not reference.startswith(ATTACHED):
        return dict(files.media(reference, "document"))
    upload = _attached(uploads, reference)
    if len(upload.content) > FILE_BYTES:
        raise bad("file is too big")
    return files.document(upload.content, upload.name, upload.mime_type)


def live_photo(files: Files, uploads: Uploads, film: str, still: str) -> dict[str, Any]:
    """The LivePhoto made of a film and a still; raises Refusal (400)."""
    if not film.startswith(ATTACHED):
        return dict(files.media(film, "video"))
    _attached(uploads, film)
    return files.live_photo(_attached(uploads, still).renditions or ())


def _attached(uploads: Uploads, reference: str) -> Upload:
    upload = uploads.get(reference.removeprefix(ATTACHED))
    if upload is None:
        raise bad("wrong file identifier/HTTP URL specified")
    if not upload.content:
        raise bad("file must be non-empty")
    return upload


def _photos(params: dict[str, Any]) -> Iterator[str]:
    if type(params.get("photo")) is str:
        yield params["photo"]
    media = params.get("media")
    for item in media if type(media) is list else [media] if type(media) is dict else []:
        if item.get("type") == "photo":
            yield item["media"]
        elif item.get("type") == "live_photo" and "photo" in item:
            yield item["photo"]
