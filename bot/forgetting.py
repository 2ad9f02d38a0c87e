"""`forget USER_ID`: erases a person from rows, files and coming backups, and from older backups when they are restored.

Knows no Telegram: what stands in the chats is brought up to date by the relay, running or at its next start.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlmodel import Session

from bot.alliance import AllianceError, read
from bot.clock import Clock
from bot.opening import answering, database_file, database_url, ground_of, open_database
from bot.services.desk import Desk
from bot.services.forgetting import digest, forget, still_open
from bot.settings import Settings, secret_key
from storage.erasing import Erased, everybody
from storage.store import Store

Say = Callable[[str], None]

LIST = "forgotten"
"""File in DATA_DIR: a line for each who was forgotten, with a digest that tells nobody who it was."""
COPIES = "relay.sqlite.before-*"
"""Whole databases that a restore or an upgrade has put aside."""


class _Shown(Exception):
    """Nothing was to be changed: only counted."""

    def __init__(self, done: Erased, numbers: list[str]) -> None:
        self.done, self.numbers = done, numbers


async def forget_person(settings: Settings, user_id: int, say: Say, show: bool = False) -> None:
    """Erase the person; with `show`, only say what is kept. Raises StartError."""
    store = await open_database(settings)
    try:
        with answering(settings):
            done, numbers = await _erase(store, settings, user_id, show)
    finally:
        await store.close()
    _tell(user_id, done, numbers, say, show)
    for place in await asyncio.to_thread(_named_in_files, settings, user_id):
        say(f"{user_id} still stands in {place}: take it out there, or it comes back")
    if show:
        return
    await asyncio.to_thread(_remember, settings, user_id, Clock().now())
    for copy in await asyncio.to_thread(_drop_copies, settings.data_dir):
        say(f"removed {copy}, an older copy of the database")
    if not database_url(settings) and not await asyncio.to_thread(overwrite, database_file(settings)):
        say("the database is busy: its free pages keep traces until this is run again with the relay stopped")


async def _erase(store: Store, settings: Settings, user_id: int, show: bool) -> tuple[Erased, list[str]]:
    ground, now = ground_of(settings), Clock().now()

    def job(session: Session) -> tuple[Erased, list[str]]:
        desk = Desk(session, ground, now, "forget")
        done = forget(desk, user_id)
        numbers = still_open(desk, done)
        if show:
            raise _Shown(done, numbers)
        return done, numbers

    try:
        return await store.write(job)
    except _Shown as shown:
        return shown.done, shown.numbers


def _tell(user_id: int, done: Erased, numbers: list[str], say: Say, show: bool) -> None:
    if not done.rows:
        say(f"nothing is kept about {user_id}")
        return
    rows = ", ".join(f"{table} {count}" for table, count in sorted(done.rows.items()))
    say(f"{'kept about' if show else 'forgot'} {user_id}: {rows}")
    if numbers:
        say(f"still open, without name, words and pictures from now on: {', '.join(numbers)}")


def _named_in_files(settings: Settings, user_id: int) -> list[str]:
    found = []
    if user_id in settings.admin_ids:
        found.append("ADMIN_IDS")
    try:
        alliance = read(settings.alliance_file) if settings.alliance_file.exists() else None
    except AllianceError:
        # It cannot be applied either, so nobody comes back by it.
        return found
    if alliance is not None and str(user_id) in settings.alliance_file.read_text(encoding="utf-8"):
        found.append(str(settings.alliance_file))
    return found


def _remember(settings: Settings, user_id: int, now: datetime) -> None:
    line = f"{digest(secret_key(settings), user_id)} {now.isoformat()}\n"
    file = settings.data_dir / LIST
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="ascii") as written:
        written.write(line)


async def forget_again(settings: Settings, store: Store, now: datetime) -> int:
    """After a restore: those who were forgotten since the backup was made are forgotten anew; returns how many."""
    file = settings.data_dir / LIST
    if not file.exists():
        return 0
    key, listed = secret_key(settings), {line.split()[0] for line in file.read_text("ascii").splitlines() if line}
    back = [each for each in await store.read(everybody) if digest(key, each) in listed]
    ground = ground_of(settings)
    for user_id in back:
        await store.write(lambda session, each=user_id: forget(Desk(session, ground, now, "forget"), each))  # type: ignore[misc]
    return len(back)


def _drop_copies(folder: Path) -> list[str]:
    found = sorted(folder.glob(COPIES))
    for each in found:
        each.unlink()
    return [each.name for each in found]


def overwrite(path: Path) -> bool:
    """Write the file anew without what was deleted; False when others hold it for too long."""
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as base:
        try:
            base.execute("VACUUM")
            busy, *_ = base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            return False
    return not busy
