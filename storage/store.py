"""The one door to the database: jobs that load, decide and write run one after the other and commit in groups.

A job is a plain function of a session. With SQLite all writing jobs run in one thread; those that wait while a
commit is on its way go into the next one together, so that durability costs one sync for many reports. With
PostgreSQL each job is a transaction of its own.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import Session

T = TypeVar("T")
Job = Callable[[Session], T]
Listener = Callable[[frozenset[str]], None]

GROUP = 128
"""Most jobs in one commit: past this the wait of the first outweighs the sync that is saved."""
RACES = 5


class StorageAway(Exception):
    """The database does not answer; what was asked was not done and must be asked again."""


class Store(Protocol):
    """Where rows are kept. `write` commits before it returns; `read` sees committed rows only."""

    on_commit: Listener | None

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


def sqlite_engine(path: Path, writing: bool) -> Engine:
    """An engine that starts its transactions itself: the driver's own habit is to begin too late."""
    engine = create_engine(
        f"sqlite:///{path}", connect_args={"check_same_thread": False, "timeout": 30, "isolation_level": None}
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
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
        self._writer = sqlite_engine(path, writing=True)
        self._reader = sqlite_engine(path, writing=False)
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(2, "storage-read")
        self._thread = threading.Thread(target=self._work, name="storage-write", daemon=True)
        self._thread.start()

    async def write(self, job: Job[T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.put(_Waiting(job, future, loop))
        # Shielded: once handed over, the job may be committed although the caller has gone away.
        return await asyncio.shield(future)

    async def read(self, job: Job[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, job)

    def _read(self, job: Job[T]) -> T:
        try:
            with self._reader.connect() as connection, Session(connection, expire_on_commit=False) as session:
                return job(session)
        except (OperationalError, InterfaceError) as error:
            raise StorageAway(_one_line(error)) from error

    async def close(self) -> None:
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
        try:
            with self._writer.connect() as connection, connection.begin():
                for waiting in group:
                    try:
                        value, stirred = _nested(connection, waiting.job)
                        done.append((waiting, value, None))
                        topics |= stirred
                    except (OperationalError, InterfaceError):
                        raise
                    except Exception as error:
                        done.append((waiting, None, error))
        except Exception as error:
            away = StorageAway(_one_line(error))
            away.__cause__ = error
            done = [(waiting, None, away) for waiting in group]
            topics = frozenset()
        for waiting, value, failure in done:
            # The loop may be closed already when the program ends in a hurry.
            with suppress(RuntimeError):
                waiting.loop.call_soon_threadsafe(_settle, waiting.future, value, failure)
        if topics and self.on_commit is not None:
            with suppress(RuntimeError):
                group[0].loop.call_soon_threadsafe(self.on_commit, topics)


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
        self._engine: AsyncEngine = create_async_engine(url, pool_size=8, max_overflow=4, pool_pre_ping=True)

    async def write(self, job: Job[T]) -> T:
        for race in range(RACES):
            try:
                value, topics = await self._transact(job)
            except (StaleDataError, DBAPIError) as error:
                # Somebody else decided first: the job looks at the rows as they are now.
                if race == RACES - 1 or not _was_a_race(error):
                    raise
                continue
            if topics and self.on_commit is not None:
                self.on_commit(topics)
            return value
        raise AssertionError("unreachable")

    async def _transact(self, job: Job[T]) -> tuple[T, frozenset[str]]:
        def whole(connection: Any) -> tuple[T, frozenset[str]]:
            with Session(connection, expire_on_commit=False) as session:
                value = job(session)
                session.commit()
                return value, _stirred(session)

        try:
            async with self._engine.connect() as connection:
                return await connection.run_sync(whole)
        except (OperationalError, InterfaceError, OSError) as error:
            raise StorageAway(_one_line(error)) from error
        except PoolTimeout as error:
            raise StorageAway("no free connection") from error
        except DBAPIError as error:
            # 08 connection, 53 out of resources, 57 shutting down or starting up.
            if error.connection_invalidated or _state(error)[:2] in ("08", "53", "57"):
                raise StorageAway(_one_line(error)) from error
            raise

    async def read(self, job: Job[T]) -> T:
        value, _ = await self._transact(job)
        return value

    async def close(self) -> None:
        await self._engine.dispose()


def _was_a_race(error: Exception) -> bool:
    """Lost to another transaction: version moved on, deadlock, serialisation, the same row inserted twice."""
    return isinstance(error, StaleDataError) or _state(error) in ("40P01", "40001", "23505")


def _state(error: Exception) -> str:
    """PostgreSQL's five-character code, as its driver gives it; empty when there is none."""
    return str(getattr(getattr(error, "orig", None), "sqlstate", "") or "")


def _one_line(error: BaseException) -> str:
    origin = getattr(error, "orig", None) or error
    return " ".join(str(origin).split())[:200]
