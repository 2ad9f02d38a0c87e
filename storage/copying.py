"""A whole database as one file, taken while others write to it, and put back."""

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

REVISION = "SELECT version_num FROM alembic_version"
INCIDENTS = "SELECT count(*) FROM incident"
POSTS = "SELECT count(*) FROM post"
_SSL = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class BackupError(Exception):
    """A backup cannot be written or restored; the text is one line that says why and what to do."""


@dataclass(frozen=True)
class Figures:
    """What is in a copy, counted in the copy's own snapshot."""

    revision: str
    incidents: int
    posts: int


def copy_sqlite(source: Path, target: Path) -> Figures:
    """Copy `source`, as it is at one moment, into the single file `target`, and see that the copy is sound."""
    if not source.exists() or source.stat().st_size == 0:
        raise BackupError(f"there is no database at {source}: nothing to back up")
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, timeout=30)) as base:
            target.touch(0o600)
            with closing(sqlite3.connect(target)) as copy:
                # In one step: a reader of WAL holds up no writer, and sees nothing of what is written meanwhile.
                base.backup(copy, pages=-1)
        make_single(target)
    except sqlite3.Error as error:
        raise BackupError(f"the database {source} cannot be copied: {error}; python -m bot check says more") from error
    if trouble := unsound(target):
        raise BackupError(f"the database {source} is damaged, nothing was written: {trouble}")
    return figures(target)


def make_single(path: Path) -> None:
    """Have everything in `path` itself, nothing in a log beside it. The relay turns the log on again."""
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode=DELETE")


def unsound(path: Path) -> str:
    """What SQLite finds wrong with the file; empty when it is sound."""
    try:
        with closing(sqlite3.connect(path)) as base:
            found = str(base.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return str(error)
    return "" if found == "ok" else " ".join(found.split())[:160]


def figures(path: Path) -> Figures:
    try:
        with closing(sqlite3.connect(path)) as base:
            revision, incidents, posts = (base.execute(each).fetchone()[0] for each in (REVISION, INCIDENTS, POSTS))
    except (sqlite3.Error, TypeError) as error:
        raise BackupError(f"this is no database of the relay: {error}") from error
    return Figures(str(revision), int(incidents), int(posts))


async def dump_postgres(url: str, target: Path) -> Figures:
    """Write the PostgreSQL at `url` to `target` in pg_dump's custom format, as it is at one moment."""
    tool = _tool("pg_dump")
    engine = create_async_engine(url, isolation_level="REPEATABLE READ")
    try:
        async with engine.connect() as connection:

            async def ask(query: str) -> Any:
                return (await connection.execute(text(query))).scalar_one()

            # pg_dump looks through the same snapshot in which is counted.
            snapshot = str(await ask("SELECT pg_export_snapshot()"))
            counted = Figures(str(await ask(REVISION)), int(await ask(INCIDENTS)), int(await ask(POSTS)))
            options = ("--format=custom", "--no-owner", "--no-privileges", "--no-password")
            await _run(url, tool, *options, f"--snapshot={snapshot}", f"--file={target}")
    except BackupError:
        raise
    except Exception as error:
        raise BackupError(f"the database in DATABASE_URL cannot be copied: {_one_line(error)}") from error
    finally:
        await engine.dispose()
    await _run(url, _tool("pg_restore"), "--list", str(target))
    return counted


async def see_empty(url: str) -> None:
    """Raise BackupError when there is anything in the database at `url`, or no way to it."""
    engine = create_async_engine(url)
    try:
        tables = await _tables(engine)
    except Exception as error:
        raise BackupError(f"the database in DATABASE_URL cannot be reached: {_one_line(error)}") from error
    finally:
        await engine.dispose()
    if tables:
        raise BackupError(
            f"the database in DATABASE_URL is not empty ({tables} tables): make a new one with createdb and name that"
        )


async def load_postgres(url: str, source: Path) -> None:
    """Put a dump into the empty database at `url`, whole or not at all."""
    tool = _tool("pg_restore")
    database = make_url(url).database or ""
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-password")
    await _run(url, tool, *options, f"--dbname={database}", str(source))


async def _tables(engine: AsyncEngine) -> int:
    query = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    async with engine.connect() as connection:
        return int((await connection.execute(text(query))).scalar_one())


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BackupError(f"PostgreSQL's {name} is not on PATH: install it (Debian: apt install postgresql-client)")
    return found


async def _run(url: str, tool: str, *arguments: str) -> None:
    """Run one of PostgreSQL's tools; the password goes by the environment, where `ps` does not show it."""
    child = await asyncio.create_subprocess_exec(
        tool,
        *arguments,
        env={**os.environ, **_connection(url)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await child.communicate()
    if child.returncode != 0:
        lines = told.decode(errors="replace").split("\n")
        raise BackupError(f"{Path(tool).name} failed: {' '.join(lines[0].split())[:200]}")


def _connection(url: str) -> dict[str, str]:
    """What libpq is to know of `url`, as its environment variables."""
    parts = make_url(url)
    host = parts.host or parts.query.get("host")
    ssl = parts.query.get("ssl") or parts.query.get("sslmode")
    wanted = {
        "PGHOST": host if isinstance(host, str) else None,
        "PGPORT": str(parts.port) if parts.port else None,
        "PGUSER": parts.username,
        "PGPASSWORD": str(parts.password) if parts.password is not None else None,
        "PGDATABASE": parts.database,
        "PGSSLMODE": ssl if ssl in _SSL and isinstance(ssl, str) else None,
        "PGCONNECT_TIMEOUT": "10",
        "LC_MESSAGES": "C",
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _one_line(error: BaseException) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())[:160]
