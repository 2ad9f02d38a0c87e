"""Which revision a database is at, asked without changing it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from storage.migrating import alembic_config


def is_known(revision: str) -> bool:
    """Whether this version of the program can work with `revision`; a newer one it does not know."""
    if not revision:
        return True
    return any(each.revision == revision for each in ScriptDirectory.from_config(alembic_config()).walk_revisions())


async def current(url: str, path: Path) -> str:
    """The revision of the database (see `storage.store.open_store` for which); empty where there are no tables.

    Raises sqlite3.Error, OSError or what SQLAlchemy raises when it cannot be read.
    """
    if not url:
        return await asyncio.to_thread(_of_file, path)
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            found = await connection.run_sync(
                lambda each: MigrationContext.configure(each).get_current_revision(),
            )
            return found or ""
    finally:
        await engine.dispose()


def _of_file(path: Path) -> str:
    if not path.exists() or path.stat().st_size == 0:
        return ""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=5)) as base:
        if base.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
            return ""
        row = base.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else ""
