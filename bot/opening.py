"""How every command gets at the settings' database and alliance file; knows no Telegram, so that upkeep starts fast."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from sqlite3 import Error as SqliteError
from zoneinfo import ZoneInfo

from bot import archive
from bot.alliance import Alliance, read
from bot.clock import Clock
from bot.instance import StartError as StartError
from bot.instance import alone_on
from bot.services import aligning, binding
from bot.services.desk import Desk, Ground
from bot.services.effects import call_secretary
from bot.services.forgetting import Keep
from bot.services.posting import post_up
from bot.settings import Settings
from bot.workdays import ChinaWorkdays
from storage import chats
from storage.copying import BackupError, copy_sqlite
from storage.examining import examine
from storage.migrating import head, migrate
from storage.revisions import current, is_known
from storage.store import Store, open_store


def ground_of(settings: Settings) -> Ground:
    return Ground(
        zone=ZoneInfo(settings.timezone),
        language=settings.language,
        workdays=ChinaWorkdays(),
        operators=frozenset(settings.admin_ids),
    )


def keep_of(settings: Settings) -> Keep:
    """How long each kind of data is kept."""
    kept = {each.name: getattr(settings, f"keep_{each.name}") for each in fields(Keep)}
    return Keep(**{name: timedelta(days=days) if days else None for name, days in kept.items()})


def database_file(settings: Settings) -> Path:
    return settings.data_dir / "relay.sqlite"


def database_url(settings: Settings) -> str:
    """Of PostgreSQL; empty for SQLite in DATA_DIR."""
    url = settings.database_url.get_secret_value()
    return "" if url.startswith("sqlite") else url


def place_of(settings: Settings) -> str:
    """The database in words: an address may hold a password."""
    return "DATABASE_URL" if database_url(settings) else str(database_file(settings))


async def open_database(settings: Settings, alone: bool = False, restoring: bool = False) -> Store:
    """The store, brought to this version's tables. `alone`: the caller holds DATA_DIR already; `restoring`: what is
    opened is what is being restored.

    Raises StartError when it cannot be reached or used, or when it must be migrated under a relay that runs.
    """
    url, path = database_url(settings), database_file(settings)
    with answering(settings):
        if not restoring:
            await asyncio.to_thread(_refuse_unfinished if url else _refuse_damaged, settings)
        revision = await current(url, path)
        if not is_known(revision):
            raise StartError(
                f"the database ({place_of(settings)}) is of a newer version: it is at {revision}, "
                f"this program works with {head()}; update the program"
            )
        if revision != head():
            with nullcontext() if alone else alone_on(settings.data_dir):
                if revision and not url and not restoring:
                    await asyncio.to_thread(_set_copy_aside, path)
                await migrate(url, path)
        return open_store(url, path)


def _refuse_damaged(settings: Settings) -> None:
    trouble, cure = examine(database_file(settings))
    if trouble:
        newest = archive.newest(settings.data_dir)
        raise StartError(
            f"the database cannot be used ({database_file(settings)}): {trouble}; {cure} "
            f"python -m bot restore {newest or 'FILE'}"
        )


def unfinished_restore(settings: Settings) -> Path:
    """The file that is there while a restore into PostgreSQL is not finished."""
    return settings.data_dir / "restore.unfinished"


def fingerprint(settings: Settings) -> str:
    """Tells one DATABASE_URL from another without saying it."""
    return sha256(database_url(settings).encode()).hexdigest()


def _refuse_unfinished(settings: Settings) -> None:
    mark = unfinished_restore(settings)
    if mark.exists() and mark.read_text("ascii") == fingerprint(settings):
        raise StartError(
            "the restore into the database in DATABASE_URL was not finished: name a new, empty one and restore again, "
            f"or the old one and delete {mark}"
        )


def copy_before(path: Path) -> Path:
    """Where the database is kept as it was before it was brought to this version's tables."""
    return path.with_name(f"{path.name}.before-{head()}")


def _set_copy_aside(path: Path) -> None:
    """Keep what an upgrade is about to change; of earlier upgrades nothing is kept."""
    kept = copy_before(path)
    fresh = kept.with_name(f".{kept.name}")
    fresh.unlink(missing_ok=True)
    copy_sqlite(path, fresh)
    fresh.replace(kept)
    for each in path.parent.glob(f"{path.name}.before-*"):
        if re.fullmatch(r"before-[0-9]+", each.name.rpartition(".")[2]) and each != kept:
            each.unlink()


@contextmanager
def answering(settings: Settings) -> Iterator[None]:
    """Whatever the database raises in here becomes one line: a StartError."""
    try:
        yield
    except (StartError, BackupError):
        raise
    except Exception as error:
        raise StartError(
            f"the database cannot be used ({place_of(settings)}): {reason(error)}; check that it runs, or restore a "
            "backup with python -m bot restore"
        ) from error


def reason(error: BaseException) -> str:
    """What a driver says, in one line and without the statement that SQLAlchemy adds."""
    told = " ".join(str(getattr(error, "orig", None) or error).split())[:160] or type(error).__name__
    hint = " (is DATA_DIR a folder that can be written?)" if _unopened(error) else ""
    return told + hint


def _unopened(error: BaseException) -> bool:
    found = getattr(error, "orig", None) or error
    return isinstance(found, SqliteError) and "unable to open" in str(found)


async def apply_alliance(
    store: Store, settings: Settings, path: Path, ground: Ground, clock: Clock, always: bool = False
) -> list[str]:
    """Apply the alliance file when it has changed since, or `always`; returns the differences. Raises AllianceError."""
    alliance = read(path)
    known = await store.read(aligning.applied_digest) == alliance.digest
    if known and not always:
        return []
    return await store.write(lambda session: _apply(Desk(session, ground, clock.now()), alliance, known))


def _apply(desk: Desk, alliance: Alliance, known: bool) -> list[str]:
    changes = aligning.align(desk.session, alliance, desk.now)
    for incident in chats.orphans(desk.session):
        # Its unit is at rest now: the secretary says where it goes.
        call_secretary(incident, "undelivered")
        desk.session.add(incident)
        post_up(desk, incident)
    if changes or not known:
        binding.show_menus(desk)
    return changes
