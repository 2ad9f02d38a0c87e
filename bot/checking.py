"""`check`: is everything there that the relay needs, and what is to be done where it is not?

One line a point. Whatever fails is a point of its own; nothing here changes anything, and nothing waits for long.
"""

import asyncio
import base64
import shutil
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

from sqlmodel import Session

from bot.alliance import AllianceError, read
from bot.clock import Clock
from bot.opening import answering, database_file, database_url, place_of, reason
from bot.services import aligning
from bot.services.picturing import Unreadable, opened
from bot.settings import Settings
from bot.telegram_points import Bound, telegram_points
from bot.workdays import ChinaWorkdays
from storage import chats
from storage.copying import unsound
from storage.examining import examine
from storage.migrating import head
from storage.restored import count_waiting
from storage.revisions import current, is_known
from storage.store import Store, open_store
from storage.tables import Binding, Community, District, Unit

Say = Callable[[str], None]

PATIENCE = 5.0
"""Seconds for a database to answer."""
ROOM = 500 << 20
"""Free bytes below which a day of reports with pictures and a backup may no longer fit."""
WHOLE = 512 << 20
"""Bytes up to which a database is read through; a larger one takes too long for a check."""
MADE = date(2026, 11, 1)
"""Before this program existed no clock can rightly be."""
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class Findings:
    """The lines, and whether all of them were good."""

    def __init__(self, say: Say) -> None:
        self._say, self.good = say, True

    def well(self, point: str) -> None:
        self._say(f"✓ {point}")

    def notice(self, point: str) -> None:
        """Worth knowing, and nothing to cure today."""
        self._say(f"○ {point}")

    def add(self, point: str, cure: str) -> None:
        """A point that is well when there is nothing to cure."""
        if cure:
            self.amiss(point, cure)
        else:
            self.well(point)

    def amiss(self, point: str, cure: str) -> None:
        self.good = False
        self._say(f"✗ {point}: {cure}")


async def check(settings: Settings, say: Say) -> bool:
    """Print one line for each point; whether all are well."""
    found = Findings(say)
    now = Clock().now()
    sandbox = settings.bot_token is None
    found.well(f"settings: read, the relay speaks {settings.language} in {settings.timezone}")
    await asyncio.to_thread(_folder, settings.data_dir, found)
    if not MADE <= now.date() < date(2100, 1, 1):
        found.amiss(f"clock: it says {now:%Y-%m-%d %H:%M} UTC", "set the machine's clock")
    _calendar(now.date(), found)
    await _decoder(found)
    store = await _database(settings, found, sandbox)
    try:
        with answering(settings):
            await _alliance(settings, store, found, sandbox)
            bound = await _chats(store, found) if store is not None else []
            if store is not None and (waiting := await store.read(count_waiting)):
                found.notice(f"restore: {waiting} messages wait for python -m bot resume")
    finally:
        if store is not None:
            await store.close()
    if settings.bot_token is None:
        found.well("Telegram: skipped, BOT_TOKEN is empty: the relay runs in its sandbox")
    else:
        async for point, cure in telegram_points(settings.bot_api_url, settings.bot_token.get_secret_value(), bound):
            found.add(point, cure)
    return found.good


def _folder(folder: Path, found: Findings) -> None:
    there = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as probe:
            probe.write(b"x")
        free = shutil.disk_usage(there).free
    except OSError as error:
        found.amiss(f"data folder: {folder} cannot be written ({error.strerror})", "name another in DATA_DIR")
        return
    if free < ROOM:
        cure = f"make room for {ROOM >> 20} MB, or name another in DATA_DIR"
        found.amiss(f"data folder: {folder} has {free >> 20} MB left", cure)
        return
    found.well(f"data folder: {folder} can be written, {free >> 30} GB free")


def _calendar(today: date, found: Findings) -> None:
    workdays = ChinaWorkdays()
    cure = "Monday to Friday stands in; upgrade to a version of alliance-relay that knows them"
    if workdays.is_estimated(date(today.year, 7, 1)):
        found.amiss(f"calendar: the holidays of {today.year} are not known", cure)
        return
    found.well(f"calendar: the holidays of {today.year} are known")
    following = today.year + 1
    if today.month >= 11 and workdays.is_estimated(date(following, 7, 1)):
        # China publishes them in November, this program's source some weeks later: worth knowing, no fault yet.
        found.notice(f"calendar: the holidays of {following} are not known yet; {cure}")


async def _decoder(found: Findings) -> None:
    """The child process that opens pictures, given one pixel."""
    try:
        with tempfile.TemporaryFile() as pixel:
            pixel.write(PIXEL)
            await opened("clean", [pixel])
    except (Unreadable, OSError):
        cure = "run make setup again; the memory limit of the machine may be too low for it"
        found.amiss("pictures: the decoder does not work", cure)
    else:
        found.well("pictures: the decoder works")


async def _database(settings: Settings, found: Findings, sandbox: bool) -> Store | None:
    url, path, place = database_url(settings), database_file(settings), place_of(settings)
    if sandbox and not url and not await asyncio.to_thread(path.exists):
        found.well("database: skipped, the sandbox makes its own")
        return None
    if not url:
        wrong, cure = await asyncio.to_thread(examine, path)
        if wrong:
            found.amiss(f"database: {place} cannot be used ({wrong})", f"{cure} python -m bot restore FILE")
            return None
    try:
        async with asyncio.timeout(PATIENCE):
            revision = await current(url, path)
            trouble = await asyncio.to_thread(_damage, path) if revision and not url else ""
    except TimeoutError:
        found.amiss(f"database: {place} does not answer", "check that it runs and is not locked by another program")
        return None
    except Exception as error:
        cure = "check that it runs, or restore a backup with python -m bot restore"
        found.amiss(f"database: {place} cannot be used ({reason(error)})", cure)
        return None
    if trouble:
        found.amiss(f"database: {place} is damaged ({trouble})", "restore a backup with python -m bot restore")
    elif not is_known(revision):
        cure = "update the program"
        found.amiss(f"database: {place} is at {revision}, newer than this program ({head()})", cure)
    elif revision != head():
        cure = "python -m bot migrate brings it there (run does so by itself)"
        if not revision:
            found.notice(f"database: {place} is still empty; the first start makes its tables")
        else:
            found.amiss(f"database: {place} is at {revision}, not at {head()}", cure)
    else:
        found.well(f"database: {place} is at {revision}")
        return open_store(url, path)
    return None


def _damage(path: Path) -> str:
    return unsound(path) if path.stat().st_size < WHOLE else ""


async def _alliance(settings: Settings, store: Store | None, found: Findings, sandbox: bool) -> None:
    file = settings.alliance_file
    if sandbox and not await asyncio.to_thread(file.exists):
        found.well("alliance file: skipped, the sandbox has its own")
        return
    try:
        alliance = read(file)
    except AllianceError as error:
        found.amiss("alliance file", str(error))
        return
    if store is None or await store.read(aligning.applied_digest) != alliance.digest:
        cure = f"python -m bot apply {file} applies it (run does so by itself)"
        found.amiss(f"alliance file: {file.name} is not applied as it is", cure)
        return
    found.well(f"alliance file: {file.name} is applied, {len(alliance.communities)} communities")


async def _chats(store: Store, found: Findings) -> list[Bound]:
    """Check who is without a chat; returns the bound chats with what they are."""

    def look(session: Session) -> tuple[list[tuple[str, str]], list[Bound]]:
        troubles = []
        for community in chats.communities(session):
            if chats.secretaries_of(session, community.ident) and chats.office_of(session, community.ident) is None:
                cure = "write office_chat in the alliance file, or /bind in the secretaries' group"
                troubles.append((f"community {community.key}: its secretaries have no office chat", cure))
            for unit in chats.units_of(session, community.ident):
                if chats.chat_of_unit(session, unit.ident) is None:
                    # A contact alone is not served yet: its incidents would wait at the secretary's.
                    cure = "write chat in the alliance file, or /bind in the unit's group"
                    troubles.append((f"unit {community.key}/{unit.key}: it has no chat", cure))
        return troubles, [_bound(session, each) for each in chats.bindings(session)]

    troubles, bound = await store.read(look)
    for point, cure in troubles:
        found.amiss(point, cure)
    if not troubles:
        found.well("alliance: every secretary has an office chat, every unit a chat")
    return bound


def _bound(session: Session, binding: Binding) -> Bound:
    if binding.district_id:
        role = f"district {session.get_one(District, binding.district_id).key}"
    elif binding.unit_id:
        role = f"unit {session.get_one(Unit, binding.unit_id).key}"
    else:
        role = f"office of {session.get_one(Community, binding.community_id).key}"
    return Bound(binding.chat_id, role, must_see=bool(binding.district_id))
