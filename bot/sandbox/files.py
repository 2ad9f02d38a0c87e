"""What was uploaded, under the names Telegram gives it: a durable file_id to send and fetch it by, a
file_unique_id to recognise it by, and a path to download it from."""

from __future__ import annotations

import mimetypes
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.sandbox.pictures import Rendition
from bot.sandbox.refusals import bad

DOWNLOAD_LIMIT: Final = 20 * 1024 * 1024
MOST_BYTES: Final = 1024 * 1024 * 1024
"""Beyond this the oldest files are forgotten: a load test must not fill the memory."""

_PREFIXES: Final = {"photo": "AgACAgUAAx", "document": "BQACAgUAAx", "video": "BAACAgUAAx", "sticker": "CAACAgUAAx"}


@dataclass(slots=True)
class StoredFile:
    """One file: ``media`` is the part of a message it stands for (a photo's sizes, a Document...), ``chat`` where
    a person sent it."""

    file_id: str
    unique_id: str
    path: str
    kind: str
    content: bytes
    mime_type: str
    media: Any = None
    chat: int | None = None


class Files:
    """All files of this process, by id and by path."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, StoredFile] = OrderedDict()
        self._by_path: dict[str, StoredFile] = {}
        self._bytes = 0
        self._sharing: dict[int, int] = {}  # how many files share one bytes object
        self._count = 0

    def photo(self, renditions: Sequence[Rendition]) -> list[dict[str, Any]]:
        """Keep a photo; returns its array of PhotoSize."""
        sizes: list[dict[str, Any]] = []
        for rendition in renditions:
            stored = self._keep("photo", rendition.content, "image/jpeg", ".jpg")
            stored.media = sizes
            sizes.append(
                {
                    "file_id": stored.file_id,
                    "file_unique_id": stored.unique_id,
                    "width": rendition.width,
                    "height": rendition.height,
                    "file_size": len(rendition.content),
                }
            )
        return sizes

    def document(self, content: bytes, name: str, mime_type: str | None = None) -> dict[str, Any]:
        """Keep a file byte for byte; returns its Document."""
        mime_type = mime_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        extension = "." + name.rsplit(".", 1)[1] if "." in name else ""
        stored = self._keep("document", content, mime_type, extension)
        stored.media = {
            "file_id": stored.file_id,
            "file_unique_id": stored.unique_id,
            "file_name": name,
            "mime_type": mime_type,
            "file_size": len(content),
        }
        return dict(stored.media)

    def live_photo(self, renditions: Sequence[Rendition]) -> dict[str, Any]:
        """Keep a live photo (its short film is only a stub of bytes); returns its LivePhoto."""
        sizes = self.photo(renditions)
        stored = self._keep("video", b"\0\0\0\x18ftypmp42" + secrets.token_bytes(64), "video/mp4", ".mp4")
        stored.media = {
            "file_id": stored.file_id,
            "file_unique_id": stored.unique_id,
            "width": sizes[-1]["width"],
            "height": sizes[-1]["height"],
            "duration": 3,
            "mime_type": "video/mp4",
            "file_size": len(stored.content),
            "photo": sizes,
        }
        return dict(stored.media)

    def sticker(self, content: bytes, side: int) -> dict[str, Any]:
        """Keep a sticker; returns its Sticker."""
        stored = self._keep("sticker", content, "image/webp", ".webp")
        stored.media = {
            "file_id": stored.file_id,
            "file_unique_id": stored.unique_id,
            "type": "regular",
            "width": side,
            "height": side,
            "is_animated": False,
            "is_video": False,
            "emoji": "👍",
            "file_size": len(content),
        }
        return dict(stored.media)

    def stand_in(self, chat: int, content: dict[str, Any]) -> None:
        """Remember in which chat a person sent the files of a message: failures may be ordered for one chat alone."""
        for part in (content.get("document"), *content.get("photo", ())):
            stored = self._by_id.get(part["file_id"]) if part else None
            if stored is not None:
                stored.chat = chat

    def known(self, file_id: str) -> StoredFile | None:
        """The file of that id, or None."""
        return self._by_id.get(file_id)

    def at(self, path: str) -> StoredFile | None:
        """The file a getFile path leads to, or None."""
        return self._by_path.get(path)

    def media(self, file_id: str, kind: str) -> Any:
        """The message part that a file_id stands for; raises Refusal (400) for another kind or no such id."""
        stored = self._by_id.get(file_id)
        if stored is None:
            raise bad("wrong file identifier/HTTP URL specified")
        if stored.kind != kind:
            raise bad(f"can't use file of type {stored.kind.capitalize()} as {kind.capitalize()}")
        return stored.media

    def _keep(self, kind: str, content: bytes, mime_type: str, extension: str) -> StoredFile:
        self._count += 1
        stored = StoredFile(
            file_id=_PREFIXES[kind] + secrets.token_urlsafe(36),
            unique_id="AQAD" + secrets.token_urlsafe(9),
            path=f"{kind}s/file_{self._count}{extension}",
            kind=kind,
            content=content,
            mime_type=mime_type,
        )
        self._by_id[stored.file_id] = stored
        self._by_path[stored.path] = stored
        self._count_bytes(content, 1)
        while self._bytes > MOST_BYTES and len(self._by_id) > 1:
            _, oldest = self._by_id.popitem(last=False)
            del self._by_path[oldest.path]
            self._count_bytes(oldest.content, -1)
        return stored

    def _count_bytes(self, content: bytes, by: int) -> None:
        before = self._sharing.get(id(content), 0)
        after = before + by
        if before == 0:
            self._bytes += len(content)
        if after:
            self._sharing[id(content)] = after
        else:
            del self._sharing[id(content)]
            self._bytes -= len(content)
