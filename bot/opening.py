"""How every command gets at the settings' database and alliance file; knows no Telegram, so that upkeep starts fast."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Error as SqliteError
from zoneinfo import ZoneInfo

from bot.alliance import Alliance, read
from bot.clock import Clock
from bot.services import aligning, binding
from bot.services.desk import Desk, Ground
from bot.services.effects import call_secretary
from bot.services.posting import post_up
from bot.settings import Settings
from bot.workdays import ChinaWorkdays
from storage import chats
from storage.copying import BackupError
from storage.migrating import head, migrate
from storage.revisions import current, is_known
from storage.store import Store, open_store


class StartError(Exception):
    """The program cannot start; the text is one line that says why and what to do."""


def ground_of(settings: Settings) -> Ground:
    return Ground(
        zone=ZoneInfo(settings.timezone),
        language=settings.language,
        workdays=ChinaWorkdays(),
        operators=frozenset(settings.admin_ids),
    )


def database_file(settings: Settings) -> Path:
    return settings.data_dir / "relay.sqlite"


def database_url(settings: Settings) -> str:
    """Of PostgreSQL; empty for SQLite in DATA_DIR."""
    url = settings.database_url.get_secret_value()
    return "" if url.startswith("sqlite") else url


def place_of(settings: Settings) -> str:
    """The database in words: an address may hold a password."""
    return "DATABASE_URL" if database_url(settings) else str(database_file(settings))


async def open_database(settings: Settings) -> Store:
    """The store, brought to this version's tables. Raises StartError when it cannot be reached or used."""
    url, path = database_url(settings), database_file(settings)
    with answering(settings):
        revision = await current(url, path)
        if not is_known(revision):
            raise StartError(
                f"the database ({place_of(settings)}) is of a newer version: it is at {revision}, "
                f"this program works with {head()}; update the program"
            )
        await migrate(url, path)
        return open_store(url, path)


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
