"""Finds the picture behind a key: one Telegram has, a file cleaned of what it tells about its owner, or a pair."""

import asyncio
import json
import os
import struct
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from sqlmodel import Session

from bot.channels.outcome import PictureData
from bot.clock import Clock
from bot.domain.acts import OPEN
from storage.posts import bump
from storage.store import Store
from storage.tables import Incident, Part, Picture

log = structlog.get_logger()

Download = Callable[[str], Awaitable[bytes]]
"""file id → bytes; raises on failure."""
SECONDS = 30
TOGETHER = 2
"""Pictures opened at the same time: more would only share two cores and add up in memory."""


class Unreadable(Exception):
    """The file is no picture that can be opened."""


@dataclass(frozen=True)
class Found:
    """`learned`: opening it told something that belongs on the card (a place), so the card is rendered again."""

    picture: PictureData | None
    learned: bool = False


class Pictures:
    def __init__(self, store: Store, clock: Clock, download: Download) -> None:
        self._store, self._clock, self._download = store, clock, download
        self._work = asyncio.Semaphore(TOGETHER)

    async def find(self, key: str) -> Found:
        """The picture for `part:5` or `pair:5:9`. None in it: it cannot be had, and the card goes without."""
        kind, *ids = key.split(":")
        parts = await self._store.read(lambda session: [_loaded(session, int(each)) for each in ids])
        if any(part is None for part in parts):
            return Found(None)
        known = [part for part in parts if part is not None]
        return await (self._pair(key, known) if kind == "pair" else self._part(known[0]))

    async def remember(self, key: str, file_id: str) -> None:
        """Telegram has it now: it is not uploaded twice."""
        if key.startswith("part:"):
            key = "clean:" + key.removeprefix("part:")
        await self._store.write(lambda session: session.merge(Picture(key=key, file_id=file_id)) and None)

    async def _part(self, part: Part) -> Found:
        if part.media != "document":
            return Found(part.file_id)
        cached = await self._cached(f"clean:{part.id}")
        if cached:
            return Found(cached)
        try:
            place, picture = await self._run("clean", [await self._download(part.file_id)])
        except Unreadable as error:
            log.warning("picture_unreadable", part=part.id, reason=str(error))
            await self._store.write(lambda session: self._give_up(session, part.ident))
            return Found(None, learned=True)
        learned = False
        if place is not None:
            learned = await self._store.write(lambda session: self._learn(session, part.incident_id, place))
        return Found(picture, learned)

    async def _pair(self, key: str, parts: list[Part]) -> Found:
        cached = await self._cached(key)
        if cached:
            return Found(cached)
        try:
            sides = [await self._download(part.file_id) for part in parts]
            _, picture = await self._run("pair", sides)
        except Unreadable as error:
            log.warning("pair_unreadable", key=key, reason=str(error))
            return await self._part(parts[-1])
        return Found(picture)

    async def _cached(self, key: str) -> str | None:
        def look(session: Session) -> str | None:
            row = session.get(Picture, key)
            return row.file_id if row else None

        return await self._store.read(look)

    def _learn(self, session: Session, incident_id: int, place: list[float]) -> bool:
        incident = session.get(Incident, incident_id)
        if incident is None or incident.latitude is not None:
            return False
        incident.latitude, incident.longitude = place
        session.add(incident)
        bump(session, incident_id, self._clock.now())
        return True

    def _give_up(self, session: Session, part_id: int) -> None:
        part = session.get_one(Part, part_id)
        part.unreadable = True
        session.add(part)
        incident = session.get(Incident, part.incident_id)
        if incident is not None and incident.status in OPEN:
            bump(session, incident.ident, self._clock.now())

    async def _run(self, work: str, pictures: list[bytes]) -> tuple[list[float] | None, bytes]:
        async with self._work:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot.channels.picture_work",
                work,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                # Nothing of ours goes along: a decoder that is taken over finds no token.
                env={name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "VIRTUAL_ENV")},
            )
            framed = b"".join(struct.pack(">I", len(picture)) + picture for picture in pictures)
            try:
                out, _ = await asyncio.wait_for(child.communicate(framed), SECONDS)
            except TimeoutError:
                raise Unreadable("it took too long to open") from None
            finally:
                if child.returncode is None:
                    child.kill()
                    await child.wait()
        header, _, body = out.partition(b"\n")
        told: dict[str, Any] = json.loads(header) if header else {"error": f"the decoder ended with {child.returncode}"}
        if child.returncode != 0 or not body:
            raise Unreadable(str(told.get("error", "it cannot be opened")))
        return told.get("place"), body


def _loaded(session: Session, part_id: int) -> Part | None:
    return session.get(Part, part_id)
