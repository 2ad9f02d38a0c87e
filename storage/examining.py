"""Looks whether a SQLite file is what it should be before anything is done with it, and changes nothing in it.

A file that is damaged can be told from a new one only here: SQLite itself takes an empty file for a new database, and
another program's tables for no hindrance.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Timer

from storage.away import sqlite_trouble

PATIENCE = 2.0
"""Seconds for looking at a start: some hundred megabytes. `check` and every backup read all of it."""
OURS = {"alembic_version", "incident", "handled"}
DAMAGED = "it was left as it is; put a backup in its place with"
"""Before the command that does it."""


def rescued(path: Path) -> Path:
    """Where a relay whose database was deleted under it has saved what it held."""
    return path.with_name(f"{path.name}.before-deletion")


def examine(path: Path, patience: float = PATIENCE) -> tuple[str, str]:
    """What is wrong with the database file and what to do; both empty when nothing was found within `patience`."""
    log = path.with_name(f"{path.name}-wal")
    if not path.exists():
        for left, told in ((rescued(path), "a copy of it"), (log, "which belongs to it")):
            if left.exists() and left.stat().st_size:
                return f"it is not there, but {left.name}, {told}, is", "put it back, or restore a backup with"
        return "", ""
    if path.stat().st_size == 0:
        return "it is empty", "if nothing was ever in it, delete it; else put a backup in its place with"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as base:
            return _look(base, patience)
    except sqlite3.Error as error:
        trouble = sqlite_trouble(error)
        if trouble is None or error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return _told(str(error)), DAMAGED
        # It cannot be read now, or not within the time: whoever opens it for work says so.
        return "", ""


def _look(base: sqlite3.Connection, patience: float) -> tuple[str, str]:
    tables = {row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and not tables >= OURS:
        return "it is the database of another program", "name another folder in DATA_DIR, or restore a backup with"
    watch = Timer(patience, base.interrupt)
    watch.start()
    try:
        found = str(base.execute("PRAGMA quick_check(1)").fetchone()[0])
    finally:
        watch.cancel()
        watch.join()
    return ("", "") if found == "ok" else (_told(found), DAMAGED)


def _told(found: str) -> str:
    return " ".join(found.split())[:160]
