"""What an operator does to the relay's data from the command line: apply, migrate, back up, restore.

None of it talks to Telegram, and none of it imports aiogram, which takes seconds to load.
"""

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bot import archive
from bot.alliance import read
from bot.archive import Manifest
from bot.clock import Clock
from bot.forgetting import forget_again, overwrite
from bot.instance import alone_on
from bot.opening import (
    answering,
    apply_alliance,
    database_file,
    database_url,
    fingerprint,
    ground_of,
    open_database,
    place_of,
    unfinished_restore,
)
from bot.services.restoring import Settled, settle
from bot.settings import Settings
from storage.copying import (
    BackupError,
    Figures,
    copy_sqlite,
    dump_postgres,
    load_postgres,
    make_single,
    see_empty,
    unsound,
)
from storage.examining import examine
from storage.migrating import head
from storage.revisions import current, is_known

Say = Callable[[str], None]

ABANDONED = 86_400.0
"""Seconds after which nobody is still at work on a folder of a backup or a restore."""


async def apply(settings: Settings, file: Path, say: Say) -> None:
    """Bring the database to what `file` says. Raises AllianceError, with nothing applied, or StartError."""
    file = await asyncio.to_thread(file.absolute)
    read(file)
    store = await open_database(settings)
    try:
        with answering(settings):
            changes = await apply_alliance(store, settings, file, ground_of(settings), Clock(), always=True)
    finally:
        await store.close()
    for change in changes:
        say(change)
    if not changes:
        say("nothing to change")
    if await asyncio.to_thread(_is_another, file, settings.alliance_file):
        say(f"the next run applies ALLIANCE_FILE, which says otherwise: {settings.alliance_file}")


def _is_another(file: Path, own: Path) -> bool:
    return own.is_file() and own.read_bytes() != file.read_bytes()


async def migrate_only(settings: Settings, say: Say) -> None:
    """Bring the database to this version's tables. Raises StartError."""
    with answering(settings):
        before = await current(database_url(settings), database_file(settings))
    await (await open_database(settings)).close()
    say(f"the database is at {head()} already" if before == head() else f"the database: {before or 'new'} → {head()}")


async def backup(settings: Settings, dest: Path, say: Say) -> None:
    """Write one file with everything that cannot be made again, while the relay runs. Raises BackupError."""
    now = Clock().now()
    url, path = database_url(settings), database_file(settings)
    target = await asyncio.to_thread(_target, dest, now)
    with _beside(target, "backup") as folder:
        name = archive.POSTGRES if url else archive.SQLITE
        if url:
            figures = await dump_postgres(url, folder / name)
        else:
            figures = await asyncio.to_thread(copy_sqlite, path, folder / name)
        manifest = await asyncio.to_thread(_write, settings, folder, name, figures, now, target)
        await asyncio.to_thread(archive.remember, settings.data_dir, target)
    with_it = " and ".join(each for each in manifest.members if each != name) or "nothing else"
    say(
        f"backed up to {target}: {figures.incidents} incidents, {figures.posts} posts, revision {figures.revision}, "
        f"with {with_it}"
    )


def _target(dest: Path, now: datetime) -> Path:
    dest = dest.expanduser().resolve()
    if not dest.exists() and not dest.name.endswith((".tar.gz", ".tgz")) and dest.parent.is_dir():
        # A name without an ending means a folder: as a file it would be overwritten by the next night's backup.
        dest.mkdir()
    if dest.is_dir():
        return dest / f"relay-backup-{now:%Y%m%dT%H%M%SZ}.tar.gz"
    if not dest.parent.is_dir():
        raise BackupError(f"DEST: there is no folder {dest.parent}: make it first")
    if dest.exists() and not (dest.is_file() and archive.is_backup(dest)):
        raise BackupError(f"DEST: {dest} is there already and is no backup: name another file")
    return dest


def _write(settings: Settings, folder: Path, database: str, figures: Figures, now: datetime, target: Path) -> Manifest:
    for name, own in ((archive.KEY, settings.data_dir / archive.KEY), (archive.ALLIANCE, settings.alliance_file)):
        if own.is_file():
            shutil.copyfile(own, folder / name)
    manifest = Manifest(
        format=archive.FORMAT,
        made=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        database=database,
        revision=figures.revision,
        incidents=figures.incidents,
        posts=figures.posts,
        members={each.name: archive.member(each) for each in sorted(folder.iterdir(), key=lambda each: each.name)},
    )
    packed = folder / "packed"
    archive.pack(packed, folder, manifest)
    if archive.unpack(packed, None) != manifest:
        raise BackupError("what was written is not what was read: is the disk sound?")
    packed.replace(target)
    _sync_folder(target.parent)
    return manifest


async def restore(settings: Settings, src: Path, say: Say) -> None:
    """Put a backup in the place of what is there, which is kept beside it. Raises BackupError or StartError."""
    src = await asyncio.to_thread(lambda: src.expanduser().absolute())
    now = Clock().now()
    with alone_on(settings.data_dir), _beside(settings.data_dir / archive.SQLITE, "restore") as folder:
        manifest = await asyncio.to_thread(archive.unpack, src, folder)
        _check_fit(manifest, settings)
        if database_url(settings):
            settled = await _settle_postgres(settings, folder, manifest, now)
        else:
            settled = await _settle_sqlite(settings, folder, manifest, now)
        await asyncio.to_thread(_put_in_place, settings, folder, f"{now:%Y%m%dT%H%M%SZ}", say)
        await asyncio.to_thread(unfinished_restore(settings).unlink, missing_ok=True)
    counts = f"{manifest.incidents} incidents and {manifest.posts} posts"
    say(f"restored {counts} as of {manifest.made} to {place_of(settings)}")
    if settled.numbers:
        say(
            f"numbers go on after {', '.join(settled.numbers)}: those between may have been given out since, and stand "
            "in the chats"
        )
    if settled.held:
        say(
            f"{settled.held} messages that may have gone out since wait: python -m bot resume sends them, "
            "--list shows them, --drop lets them be"
        )


def _check_fit(manifest: Manifest, settings: Settings) -> None:
    wanted = archive.POSTGRES if database_url(settings) else archive.SQLITE
    if manifest.database != wanted:
        cure = "leave DATABASE_URL empty" if manifest.database == archive.SQLITE else "name one in DATABASE_URL"
        kind = "SQLite" if manifest.database == archive.SQLITE else "PostgreSQL"
        raise BackupError(f"this is the backup of a {kind} database: {cure}")
    if not is_known(manifest.revision):
        raise BackupError(
            f"the backup is of a newer version: it is at {manifest.revision}, this program works with {head()}; "
            "update the program"
        )


async def _settle_sqlite(settings: Settings, folder: Path, manifest: Manifest, now: datetime) -> Settled:
    """Everything that can fail is done to the copy, before anything is touched."""
    copy = folder / archive.SQLITE
    if trouble := await asyncio.to_thread(unsound, copy):
        raise BackupError(f"the database in the backup is damaged: {trouble}; take another backup")
    settled = await _settle(settings.model_copy(update={"data_dir": folder}), settings, manifest, now)
    await asyncio.to_thread(overwrite, copy)
    await asyncio.to_thread(make_single, copy)
    return settled


async def _settle_postgres(settings: Settings, folder: Path, manifest: Manifest, now: datetime) -> Settled:
    """Loading is one transaction, and what follows others: a relay must not start on what is in between."""
    url, mark = database_url(settings), unfinished_restore(settings)
    await see_empty(url)
    await asyncio.to_thread(mark.write_text, fingerprint(settings), "ascii")
    try:
        await load_postgres(url, folder / archive.POSTGRES)
    except BackupError:
        await asyncio.to_thread(mark.unlink)
        raise
    return await _settle(settings, settings, manifest, now)


async def _settle(settings: Settings, home: Settings, manifest: Manifest, now: datetime) -> Settled:
    """Bring the restored database to this version's tables and to this moment, and hold what it would send.

    Who was forgotten since the backup was made is forgotten anew: the list of them is at `home`.
    """
    store = await open_database(settings, alone=True, restoring=True)
    try:
        with answering(settings):
            await forget_again(home, store, now)
            return await settle(store, ground_of(settings), manifest.moment, now)
    finally:
        await store.close()


def _put_in_place(settings: Settings, folder: Path, stamp: str, say: Say) -> None:
    with ExitStack() as stack:
        swaps = []
        for name, target in (
            (archive.KEY, settings.data_dir / archive.KEY),
            (archive.ALLIANCE, settings.alliance_file),
        ):
            fresh = folder / name
            if not fresh.exists() or (target.is_file() and target.read_bytes() == fresh.read_bytes()):
                continue
            # To its own folder first: across file systems nothing can be renamed.
            target.parent.mkdir(parents=True, exist_ok=True)
            staged = target.with_name(f".{target.name}.restore-{stamp}")
            stack.callback(staged.unlink, missing_ok=True)
            shutil.copyfile(fresh, staged)
            staged.chmod(0o600 if name == archive.KEY else 0o644)
            swaps.append((staged, target))
        if (folder / archive.SQLITE).exists():
            swaps.append((folder / archive.SQLITE, database_file(settings)))
        for staged, target in swaps:
            # Nothing is ever without its file: the old one gets a second name, then the new one takes the first.
            _keep_old(target, stamp, say)
            staged.replace(target)
            _sync_folder(target.parent)


def _keep_old(target: Path, stamp: str, say: Say) -> None:
    """Give what is in the way another name too, less the log beside a database: it must never meet another one."""
    kept = target.with_name(f"{target.name}.before-restore-{stamp}")
    if target.name == archive.SQLITE:
        _without_log(target, kept)
    if target.exists():
        try:
            kept.hardlink_to(target)
        except OSError:  # some file systems know no such thing
            shutil.copy2(target, kept)
        say(f"the {target.name} that was there is now {kept.name}")


def _without_log(target: Path, kept: Path) -> None:
    """Have what is in the log beside the database in the database itself; where it is damaged, move the log aside."""
    if target.exists() and not examine(target)[0]:
        with suppress(sqlite3.Error):
            make_single(target)
    for suffix in ("-wal", "-shm"):
        old = target.with_name(target.name + suffix)
        if old.exists():
            old.replace(kept.with_name(kept.name + suffix))


@contextmanager
def _beside(target: Path, work: str) -> Iterator[Path]:
    """A folder of one's own on the file system of `target`, gone afterwards; a disk's refusal becomes one line."""
    try:
        _sweep(target.parent, f".relay-{work}-")
        with TemporaryDirectory(dir=target.parent, prefix=f".relay-{work}-") as made:
            yield Path(made)
    except OSError as error:
        where = error.filename2 or error.filename or target.parent
        raise BackupError(f"cannot read or write {where}: {error.strerror or error}") from error


def _sweep(folder: Path, beginning: str) -> None:
    """Remove what a run that was killed has left behind; one that still runs is younger than a day."""
    for left in folder.glob(f"{beginning}*"):
        if time.time() - left.stat().st_mtime > ABANDONED:
            shutil.rmtree(left, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    """A rename is safe against a power cut once the folder is synced."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems know no such thing
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
