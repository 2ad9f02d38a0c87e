"""The one door to the database: jobs that load, decide and write run one after the other and commit in groups.

A job is a plain function of a session. With SQLite all writing jobs run in one thread; those that wait while a
commit is on its way go into the next one together, so that durability costs one sync for many reports. With
PostgreSQL each job is a transaction of its own.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, QueuePool, RootTransaction, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import Session

from storage.away import Health, StorageAway, StorageDamaged, postgres_trouble, sqlite_trouble, sqlstate
from storage.examining import rescued
from storage.timing import Spans

__all__ = ["Job", "PostgresStore", "SqliteStore", "StorageAway", "StorageDamaged", "Store", "open_store", "stir"]

T = TypeVar("T")
Job = Callable[[Session], T]
Listener = Callable[[frozenset[str]], None]

GROUP = 128
"""Most jobs in one commit: past this the wait of the first outweighs the sync that is saved."""
RACES = 5
LOCKED = 30.0
"""Seconds to wait for another program that holds the SQLite file."""
SLICE = 1.0
"""Seconds of it at a time: between two, the writer sees whether it is to end."""
ANSWER = 30.0
"""Seconds for PostgreSQL to answer one statement: a server that hangs is as good as gone."""


class Store(Protocol):
    """Where rows are kept. `write` commits before it returns; `read` sees committed rows only."""

    on_commit: Listener | None
    health: Health
    times: Mapping[str, Spans]
    """`read`, `write` → how long they took, waiting for their turn included."""

    async def write(self, job: Job[T]) -> T: ...
    async def read(self, job: Job[T]) -> T: ...
    async def close(self) -> None: ...


def stir(session: Session, topic: str) -> None:
    """Let those who wait for `topic` (posts, timers) look again once this job is committed."""
    session.info.setdefault("stirred", set()).add(topic)


def _stirred(session: Session) -> frozenset[str]:
    return frozenset(session.info.get("stirred", ()))


def open_store(url: str, path: Path) -> "Store":
    """SQLite in the file `path` when `url` is empty, else the PostgreSQL at `url`."""
    return PostgresStore(url) if url else SqliteStore(path)


@dataclass
class _Waiting:
    job: Job[Any]
    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop


def sqlite_engine(path: Path, writing: bool, create: bool = True, patience: float = LOCKED) -> Engine:
    """An engine that starts its transactions itself: the driver's own habit is to begin too late.

    Without `create` a file that is not there is an error, never a new and empty database. `patience`: seconds.
    """
    address = f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=patience, check_same_thread=False, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


class SqliteStore:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.on_commit: Listener | None = None
        self.health = Health()
        self.times: Mapping[str, Spans] = {"read": Spans(), "write": Spans()}
        self._path, self._file = path, _identity(path)
        self._rescued = False
        self._writer = sqlite_engine(path, writing=True, create=False, patience=SLICE)
        self._reader = sqlite_engine(path, writing=False, create=False, patience=5 * SLICE)
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closing = False
        self._readers = ThreadPoolExecutor(2, "storage-read")
        self._thread = threading.Thread(target=self._work, name="storage-write", daemon=True)
        self._thread.start()

    async def write(self, job: Job[T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.put(_Waiting(job, future, loop))
        with self.times["write"].measured():
            # Shielded: once handed over, the job may be committed although the caller has gone away.
            return await asyncio.shield(future)

    async def read(self, job: Job[T]) -> T:
        with self.times["read"].measured():
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, job)

    def _read(self, job: Job[T]) -> T:
        try:
            with self._reader.connect() as connection, Session(connection, expire_on_commit=False) as session:
                return job(session)
        except Exception as error:
            if trouble := sqlite_trouble(error):
                self.health.fell(trouble)
                raise trouble from error
            raise

    async def close(self) -> None:
        self._closing = True
        self._waiting.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        self._readers.shutdown()
        self._writer.dispose()
        self._reader.dispose()

    def _work(self) -> None:
        ending = False
        while not ending:
            group: list[_Waiting] = []
            first = self._waiting.get()
            ending = first is None
            if first is not None:
                group.append(first)
            while len(group) < GROUP and not ending:
                try:
                    following = self._waiting.get_nowait()
                except queue.Empty:
                    break
                ending = following is None
                if following is not None:
                    group.append(following)
            if group:
                self._commit(group)

    def _commit(self, group: list[_Waiting]) -> None:
        done: list[tuple[_Waiting, Any, BaseException | None]] = []
        topics: frozenset[str] = frozenset()
        wrote = 0
        try:
            with self._writer.connect() as connection, self._begin(connection):
                before = _changes(connection)
                for waiting in group:
                    try:
                        value, stirred = _nested(connection, waiting.job)
                        done.append((waiting, value, None))
                        topics |= stirred
                    except Exception as error:
                        if sqlite_trouble(error):
                            # Whatever the others have done in this transaction may be rolled back already.
                            raise
                        done.append((waiting, None, error))
                wrote = _changes(connection) - before
        except Exception as error:
            away = _away(error)
            self.health.fell(away)
            done = [(waiting, None, away) for waiting in group]
            topics, wrote = frozenset(), 0
        if wrote:
            # A transaction that changed nothing goes through on a full disk as well.
            self.health.rose()
        for waiting, value, failure in done:
            # The loop may be closed already when the program ends in a hurry.
            with suppress(RuntimeError):
                waiting.loop.call_soon_threadsafe(_settle, waiting.future, value, failure)
        if topics and self.on_commit is not None:
            with suppress(RuntimeError):
                group[0].loop.call_soon_threadsafe(self.on_commit, topics)

    def _begin(self, connection: Connection) -> RootTransaction:
        """Begin, waiting in short pieces for whoever holds the file: who wants to end need not wait for them."""
        end = time.monotonic() + LOCKED
        while True:
            try:
                transaction = connection.begin()
                break
            except Exception as error:
                away = sqlite_trouble(error)
                if away is None or not _is_busy(error) or self._closing or time.monotonic() >= end:
                    raise
                self.health.fell(away)
        if (ghost := self._ghost(connection)) is None:
            return transaction
        # Before the copy is made: nobody can copy what is being written.
        transaction.rollback()
        raise StorageAway(f"{ghost}{self._rescue(connection) if _identity(self._path) != self._file else ''}")

    def _ghost(self, connection: Connection) -> str | None:
        """Files that are deleted or replaced go on being written to, and are gone with the process; None for none."""
        log = _identity(self._path.with_name(f"{self._path.name}-wal"))
        known = connection.info.setdefault("log", log)
        if _identity(self._path) != self._file:
            return f"{self._path} was deleted or replaced while the relay ran"
        if log != known:
            # What is in the log goes into the database itself when the last connection closes.
            return f"{self._path}-wal was deleted while the relay ran: start the relay again"
        return None

    def _rescue(self, connection: Connection) -> str:
        """Copy what the deleted database held to a file of another name, once; returns where it is."""
        target = rescued(self._path)
        if not self._rescued and not target.exists():
            try:
                with closing(sqlite3.connect(target)) as copy:
                    _driver(connection).backup(copy)
            except sqlite3.Error as error:
                return f", and what it held could not be saved: {error}"
            self._rescued = True
        if not self._rescued:
            return f": move {target.name} away, which is in the place where what it held would be saved"
        return f": stop the relay and give {target.name}, a copy of it, that name; or restore a backup"


def _away(error: Exception) -> StorageAway:
    if isinstance(error, StorageAway):
        return error
    away = sqlite_trouble(error) or StorageAway(f"{type(error).__name__}: {error}")
    away.__cause__ = error
    return away


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file has this name; None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _driver(connection: Connection) -> sqlite3.Connection:
    found = connection.connection.driver_connection
    if not isinstance(found, sqlite3.Connection):
        raise TypeError(f"no connection of SQLite's: {found!r}")
    return found


def _changes(connection: Connection) -> int:
    """Rows that the connection has changed since it was opened."""
    return _driver(connection).total_changes


def _is_busy(error: BaseException) -> bool:
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return int(code or 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _nested(connection: Any, job: Job[T]) -> tuple[T, frozenset[str]]:
    with Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint") as session:
        value = job(session)
        session.commit()
        return value, _stirred(session)


def _settle(future: "asyncio.Future[Any]", value: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)


class PostgresStore:
    def __init__(self, url: str) -> None:
        self.on_commit: Listener | None = None
        self.health = Health()
        self.times: Mapping[str, Spans] = {"read": Spans(), "write": Spans()}
        self._engine: AsyncEngine = create_async_engine(
            url,
            pool_size=8,
            max_overflow=4,
            pool_pre_ping=True,
            connect_args={"timeout": 10, "command_timeout": ANSWER},
        )
        self._losers = asyncio.Lock()

    async def write(self, job: Job[T]) -> T:
        with self.times["write"].measured():
            return await self._write(job)

    async def _write(self, job: Job[T]) -> T:
        for race in range(RACES):
            try:
                # Who has lost once goes in single file: many who lose together would only lose to each other again.
                async with self._losers if race else nullcontext():
                    value, topics = await self._transact(job, writing=True)
            except (StaleDataError, DBAPIError) as error:
                # Somebody else decided first: the job looks at the rows as they are now.
                if not _was_a_race(error):
                    raise
                if race == RACES - 1:
                    if sqlstate(error) == TWICE:
                        raise
                    raise StorageAway("too many decide at once") from error
                continue
            if topics and self.on_commit is not None:
                self.on_commit(topics)
            return value
        raise AssertionError("unreachable")

    async def _transact(self, job: Job[T], writing: bool) -> tuple[T, frozenset[str]]:
        def whole(connection: Any) -> tuple[T, frozenset[str], bool]:
            with Session(connection, expire_on_commit=False) as session:
                value = job(session)
                session.flush()
                # Asked only in trouble: a transaction that changed nothing goes through on a full disk as well.
                wrote = writing and bool(self.health.trouble) and bool(session.execute(_WROTE).scalar())
                session.commit()
                return value, _stirred(session), wrote

        try:
            async with self._engine.connect() as connection:
                value, stirred, wrote = await connection.run_sync(whole)
        except PoolTimeout as error:
            away = StorageAway("no free connection")
            self.health.fell(away)
            raise away from error
        except Exception as error:
            if trouble := postgres_trouble(error):
                self.health.fell(trouble)
                raise trouble from error
            raise
        if wrote:
            self.health.rose()
        return value, stirred

    async def read(self, job: Job[T]) -> T:
        with self.times["read"].measured():
            value, _ = await self._transact(job, writing=False)
        return value

    async def close(self) -> None:
        # A server that hangs answers no farewell either.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._engine.dispose(), 2.0)


TWICE = "23505"
"""The same row inserted by two."""
_WROTE = text("SELECT txid_current_if_assigned() IS NOT NULL")


def _was_a_race(error: Exception) -> bool:
    """Lost to another transaction: version moved on, deadlock, serialisation, the same row inserted twice."""
    return isinstance(error, StaleDataError) or sqlstate(error) in ("40P01", "40001", TWICE)
