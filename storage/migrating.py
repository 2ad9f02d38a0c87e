"""Brings a database to the tables of this version, step by step, each step in a transaction."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from storage.store import sqlite_engine

_HERE = Path(__file__).parent / "migrations"


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
                await connection.run_sync(move)
        finally:
            await engine.dispose()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    local = sqlite_engine(path, writing=True)
    try:
        with local.begin() as sync_connection:
            move(sync_connection)
    finally:
        local.dispose()
