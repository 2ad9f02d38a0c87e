"""Brings a database to the tables of this version, in one transaction: it is done whole, or it was not begun."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import create_async_engine

from storage.store import sqlite_engine

_HERE = Path(__file__).parent / "migrations"
_LOCK = text("SELECT pg_advisory_xact_lock(7308895159)")
"""Any number that nobody else locks: of two that migrate at once, the second waits and finds it done."""


def alembic_config(connection: Any = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The revision this version of the program works with."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head() or ""


async def migrate(url: str, path: Path, target: str = "head") -> None:
    """Upgrade (or, for a lower `target`, downgrade) the database; see `storage.store.open_store` for which."""

    def move(connection: Any) -> None:
        config = alembic_config(connection)
        if target == "base":
            command.downgrade(config, target)
        else:
            command.upgrade(config, target)

    if url:
        engine = create_async_engine(url)
        try:
            async with engine.begin() as connection:
                await connection.execute(_LOCK)
                await connection.run_sync(move)
        finally:
            await engine.dispose()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    local = sqlite_engine(path, writing=True)

    @event.listens_for(local, "connect")
    def _unbind(connection: Any, _record: Any) -> None:
        # A table that is made anew is dropped first, and what refers to its rows would be in the way.
        connection.execute("PRAGMA foreign_keys=OFF")

    try:
        with local.begin() as sync_connection:
            move(sync_connection)
            _see_references(sync_connection)
    finally:
        local.dispose()


def _see_references(connection: Connection) -> None:
    """Raise ValueError, and so leave the database as it was, when a row refers to one that is gone."""
    astray = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if astray is not None:
        raise ValueError(f"a row of {astray[0]} refers to a row of {astray[2]} that is not there")
