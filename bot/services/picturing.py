"""Finds the picture behind a key: one Telegram has, a file cleaned of what it tells about its owner, or a pair."""

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import structlog
from sqlmodel import Session

from bot import channels
from bot.channels.outcome import PictureData
from bot.clock import Clock
from bot.domain.acts import OPEN
from storage.posts import bump
from storage.store import Store
from storage.tables import Incident, Part, Picture

log = structlog.get_logger()

Download = Callable[[str, BinaryIO], Awaitable[None]]
"""(file id, where to write it); raises on failure. To a file, not to memory: it may have 20 MB, and ten may come."""
WORK = Path(channels.__file__).with_name("picture_work.py")
JPEG = b"\xff\xd8\xff"
SECONDS = 20
"""Until a decoder that does not end is ended; of the processor it gets fewer (`bot.channels.picture_work`)."""
GIVEN_UP = 4
"""Times a file may not be given out before it never will be."""
FETCHED = 4
"""Pictures fetched at the same time: they wait on disk, a slow one in nobody's way."""


class Unreadable(Exception):
    """The file is no picture that can be opened."""


class Unavailable(Exception):
    """The file is not given out, now or for ever: the platform says the same of both."""


class Later(Exception):
    """The file may be asked for again after so many seconds, not before."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.0f} s of patience")
        self.seconds = seconds


class Ended(Unreadable):
    """The decoder was ended by a signal: by what is in the file, or by somebody who knows nothing of it."""


@dataclass(frozen=True)
class Found:
    """`learned`: opening it told something that belongs on the card (a place), so the card is rendered again."""

    picture: PictureData | None
    learned: bool = False


class Pictures:
    def __init__(self, store: Store, clock: Clock, download: Download) -> None:
        self._store, self._clock, self._download = store, clock, download
        self._fetching = asyncio.Semaphore(FETCHED)
        # One decoder at a time: what two may take adds up to more than a small machine has.
        self._opening = asyncio.Lock()
        self._refusals: Counter[str] = Counter()
        """How often Telegram has refused what was offered for a key."""
        self._missed: Counter[str] = Counter()
        """How often a file was not given out."""

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
        self._refusals.pop(key, None)
        await self._store.write(lambda session: _keep(session, key, file_id))

    async def refuse(self, key: str) -> None:
        """Telegram does not take what was offered for the key. Next time it is fetched and made anew; what is refused
        then too is left out: a part for good, which the card says, and of a pair the newer half stands for it."""
        self._refusals[key] += 1
        log.warning("picture_refused", key=key, times=self._refusals[key])
        await self._store.write(lambda session: _forget(session, key))
        if key.startswith("part:") and self._refusals[key] > 1:
            part_id = int(key.removeprefix("part:"))
            await self._store.write(lambda session: self._give_up(session, part_id))

    async def _part(self, part: Part) -> Found:
        if part.media != "document" and not self._refusals[f"part:{part.id}"]:
            return Found(part.file_id)
        cached = await self._cached(f"clean:{part.id}")
        if cached:
            return Found(cached)
        try:
            place, picture = await self._run("clean", [part.file_id])
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
        if self._refusals[key] > 1:
            return await self._part(parts[-1]) if self._refusals[key] == 2 else Found(None)
        try:
            _, picture = await self._run("pair", [part.file_id for part in parts])
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

    async def _run(self, work: str, file_ids: Sequence[str]) -> tuple[list[float] | None, bytes]:
        with ExitStack() as stack:
            async with self._fetching:
                files = [stack.enter_context(TemporaryFile()) for _ in file_ids]
                for file_id, file in zip(file_ids, files, strict=True):
                    await self._fetch(file_id, file)
            async with self._opening:
                try:
                    return await opened(work, files)
                except Ended as error:
                    log.warning("decoder_ended", work=work, told=str(error))
                    return await opened(work, files)

    async def _fetch(self, file_id: str, file: BinaryIO) -> None:
        try:
            await self._download(file_id, file)
        except Unavailable as error:
            self._missed[file_id] += 1
            if self._missed[file_id] < GIVEN_UP:
                raise
            raise Unreadable(str(error)) from error


async def opened(work: str, files: Sequence[BinaryIO]) -> tuple[list[float] | None, bytes]:
    """What the decoder makes of the files: the place in the first one's EXIF, and a JPEG. Raises Unreadable."""
    for file in files:
        file.flush()
        file.seek(0)
    numbers = [file.fileno() for file in files]
    with TemporaryFile() as result:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(WORK), work, *map(str, numbers)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=result,
            stderr=asyncio.subprocess.DEVNULL,
            # Nothing of ours goes along, no setting and no connection: a decoder that is taken over finds no token.
            pass_fds=numbers,
            env={},
            cwd="/",
        )
        try:
            code = await asyncio.wait_for(child.wait(), SECONDS)
        except TimeoutError:
            raise Unreadable("it took too long to open") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        result.seek(0)
        header, _, picture = result.read().partition(b"\n")
    if code == -signal.SIGXCPU:
        raise Unreadable("it took too long to open")
    if code < 0:
        raise Ended(f"the decoder ended with {code}")
    told = _header(header)
    # What it says is believed as far as it is what we asked for: it has read a stranger's file.
    if code != 0 or "place" not in told or not picture.startswith(JPEG):
        raise Unreadable(str(told.get("error", "it cannot be opened"))[:60])
    return _place(told["place"]), picture


def _header(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _place(told: Any) -> list[float] | None:
    """[latitude, longitude] in degrees, or None for anything else."""
    if not isinstance(told, list) or len(told) != 2 or not all(isinstance(each, float) for each in told):
        return None
    return told if abs(told[0]) <= 90 and abs(told[1]) <= 180 else None


def _keep(session: Session, key: str, file_id: str) -> None:
    """A picture that was uploaded goes by this id from now on."""
    kind, _, number = key.partition(":")
    part = session.get(Part, int(number)) if kind == "part" else None
    if part is not None and part.media != "document":
        # A photo is shown by the id it came with; that one is refused, and this one stands in its place.
        part.file_id = file_id
        session.add(part)
        return
    session.merge(Picture(key=f"clean:{number}" if kind == "part" else key, file_id=file_id))


def _forget(session: Session, key: str) -> None:
    kind, _, number = key.partition(":")
    kept = session.get(Picture, f"clean:{number}" if kind == "part" else key)
    if kept is not None:
        session.delete(kept)


def _loaded(session: Session, part_id: int) -> Part | None:
    return session.get(Part, part_id)
