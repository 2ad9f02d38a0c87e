"""The database that a test runs on: a SQLite file in the test's folder, or a PostgreSQL database of its own.

`tests/conftest.py` chooses; town(), walk(), relay(), config() and opened() take what was chosen.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from storage.migrating import migrate
from storage.store import Store, open_store

KINDS = ("sqlite", "postgres")


class Database(Protocol):
    url: str
    """As DATABASE_URL has it; empty for SQLite."""

    def run(self, home: Path, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement beside the relay and commit it; its rows, if it has any."""
        ...


class Sqlite:
    """The file in DATA_DIR that is used when DATABASE_URL is empty."""

    url = ""

    def run(self, home: Path, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"{file(home).as_uri()}?mode=rw", uri=True, timeout=30)) as base, base:
            return base.execute(statement).fetchall()


_chosen: Database = Sqlite()


def chosen() -> Database:
    """The database of the test that runs now."""
    return _chosen


@contextmanager
def on(database: Database) -> Iterator[None]:
    global _chosen
    before, _chosen = _chosen, database
    try:
        yield
    finally:
        _chosen = before


def file(home: Path) -> Path:
    """Where a relay at `home` keeps its SQLite."""
    return home / "data" / "relay.sqlite"


async def opened(home: Path) -> Store:
    """The rows of a relay at `home`, with the tables of this version and nothing else running on them."""
    await migrate(chosen().url, file(home))
    return open_store(chosen().url, file(home))
