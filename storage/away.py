"""When the database does not do what it is asked: which errors say so, and who hears of it, once.

Whoever waits for the database asks again and says nothing; one line when it goes and one when it is back are enough.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Lock

import structlog

log = structlog.get_logger()

Back = Callable[[float], object]
"""Hears, when writing works again, for how many seconds it did not. Called from any thread."""


class StorageAway(Exception):
    """The database does not answer; what was asked was not done and must be asked again."""


class StorageDamaged(StorageAway):
    """The database cannot be read any more; asking again helps only once a backup is in its place."""


CURE = "stop the relay and put a backup in its place with python -m bot restore FILE"
_SQLITE = {
    sqlite3.SQLITE_BUSY: "another program holds it: see which one, and end that",
    sqlite3.SQLITE_LOCKED: "another program holds it: see which one, and end that",
    sqlite3.SQLITE_NOMEM: "the machine is out of memory",
    sqlite3.SQLITE_READONLY: "see who may write in DATA_DIR",
    sqlite3.SQLITE_INTERRUPT: "",
    sqlite3.SQLITE_IOERR: "see whether the disk is well",
    sqlite3.SQLITE_FULL: "make room on the disk of DATA_DIR",
    sqlite3.SQLITE_CANTOPEN: "see who may read and write in DATA_DIR",
    sqlite3.SQLITE_PROTOCOL: "",
}
"""SQLite's result codes that say nothing about the job → what to do."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_POSTGRES = ("08", "28", "3D", "53", "57", "58", "25006", "25P03", "42501", "55P03")
"""Beginnings of PostgreSQL's codes that say nothing about the job: connection, who may log in, no such database, out of
resources, shutting down or starting up, the system, a server that only reads, a session ended, rights, a lock."""
_POSTGRES_DAMAGED = ("XX001", "XX002")


def sqlite_trouble(error: BaseException) -> StorageAway | None:
    """What an error tells of the database; None when the job itself is at fault."""
    for each in _behind(error):
        code = getattr(each, "sqlite_errorcode", None)
        if code is None:
            continue
        kind = int(code) & 0xFF
        if kind in _DAMAGED:
            return StorageDamaged(f"{one_line(each)}: {CURE}")
        if kind in _SQLITE:
            return StorageAway(": ".join(filter(None, (one_line(each), _SQLITE[kind]))))
    return None


def postgres_trouble(error: BaseException) -> StorageAway | None:
    """What an error tells of the server; None when the job itself is at fault."""
    for each in _behind(error):
        state = sqlstate(each)
        if state in _POSTGRES_DAMAGED:
            return StorageDamaged(f"{one_line(each)}: {CURE}")
        if state.startswith(_POSTGRES) or getattr(each, "connection_invalidated", False):
            return StorageAway(one_line(each))
        if isinstance(each, OSError):
            return StorageAway(one_line(each))
    return None


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's five-character code, as its driver gives it; empty when there is none."""
    return str(getattr(getattr(error, "orig", None) or error, "sqlstate", None) or "")


def one_line(error: BaseException) -> str:
    """What the driver said, without the statement that SQLAlchemy adds."""
    origin = getattr(error, "orig", None) or error
    return " ".join(str(origin).split())[:200] or type(origin).__name__


def _behind(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it: what fails while something is rolled back hides what had failed before."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [getattr(each, "orig", None), each.__cause__, each.__context__]


class Health:
    """Whether the database takes what is written. Asked and told from any thread."""

    def __init__(self) -> None:
        self.trouble = ""
        """What is wrong now, in one line; empty when all is well."""
        self.on_back: Back | None = None
        self._since = 0.0
        self._lock = Lock()

    def fell(self, trouble: StorageAway) -> None:
        """It did not do what it was asked."""
        with self._lock:
            news, self.trouble = not self.trouble, str(trouble)
            if news:
                self._since = time.monotonic()
        if news:
            log.error("storage_away", told=str(trouble))

    def rose(self) -> None:
        """Something was written."""
        with self._lock:
            told, self.trouble = self.trouble, ""
            seconds = time.monotonic() - self._since
        if told:
            log.warning("storage_back", after=round(seconds, 1), told=told)
            if self.on_back is not None:
                # The loop may be closed already when the program ends in a hurry.
                with suppress(RuntimeError):
                    self.on_back(seconds)
