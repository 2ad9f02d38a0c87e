"""A PostgreSQL for the tests: a cluster of their own, or the server in DATABASE_URL; each test has a fresh database."""

import asyncio
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import asyncpg
from sqlalchemy.engine import URL, make_url

from storage.migrating import migrate
from tests.town import free_port

T = TypeVar("T")

MISSING = "PostgreSQL is not installed here and no DATABASE_URL is given; .ci/run installs it"


def binaries() -> Path | None:
    """Where PostgreSQL's programs are, or None when it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


def _as_postgres(*command: str) -> None:
    """PostgreSQL refuses to run as root; CI is root."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    done = subprocess.run([*prefix, *command], check=False, capture_output=True, cwd="/", text=True)
    assert done.returncode == 0, f"{command[0]}: {done.stdout} {done.stderr}"


@contextmanager
def cluster(home: Path) -> Iterator[str]:
    """The URL of an empty database."""
    programs = binaries()
    assert programs is not None, MISSING
    data, port = home / "pg", free_port()
    data.mkdir()
    if os.geteuid() == 0:
        shutil.chown(data, "postgres")
        for parent in (home, *home.parents):
            if parent == Path("/tmp") or parent == parent.parent:
                break
            parent.chmod(parent.stat().st_mode | 0o011)
    _as_postgres(f"{programs}/initdb", "-D", str(data), "-A", "trust", "-U", "relay", "--no-sync", "-E", "UTF8")
    options = f"-p {port} -h 127.0.0.1 -k {data} -c fsync=off -c full_page_writes=off -c shared_buffers=16MB"
    _as_postgres(f"{programs}/pg_ctl", "-D", str(data), "-o", options, "-l", f"{data}/log", "-w", "start")
    try:
        yield f"postgresql+asyncpg://relay@127.0.0.1:{port}/postgres"
    finally:
        _as_postgres(f"{programs}/pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")


class Postgres:
    """One test's database."""

    def __init__(self, server: "Server", url: URL) -> None:
        self._server, self._address = server, url
        self._line: asyncpg.Connection | None = None
        self.url = url.render_as_string(hide_password=False)

    def run(self, home: Path, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._server.wait(self._fetch(statement))]

    async def _fetch(self, statement: str) -> list[Any]:
        self._line = self._line or await _connect(self._address)
        return list(await self._line.fetch(statement))

    async def hang_up(self) -> None:
        if self._line is not None:
            await self._line.close()


class Server:
    """Gives out databases, copied from one that was migrated once. Speaks in a thread of its own, so that a test can
    ask for rows in the middle of its loop."""

    def __init__(self, url: str) -> None:
        self._url, self._name = make_url(url), f"relay_test_{secrets.token_hex(4)}"
        self._given = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postgres of the tests", daemon=True)
        self._thread.start()
        self._line = self.wait(_connect(self._url))
        template = self._url.set(database=self._name)
        self._order(f"CREATE DATABASE {self._name}")
        self.wait(migrate(template.render_as_string(hide_password=False), Path("unused")))

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    @contextmanager
    def fresh(self, empty: bool = False) -> Iterator[Postgres]:
        """A database with this version's tables, or with none; dropped afterwards, whoever still uses it."""
        self._given += 1
        name = f"{self._name}_{self._given}"
        self._order(f"CREATE DATABASE {name} TEMPLATE {'template0' if empty else self._name}")
        made = Postgres(self, self._url.set(database=name))
        try:
            yield made
        finally:
            self.wait(made.hang_up())
            self._order(f"DROP DATABASE {name} WITH (FORCE)")

    def _order(self, statement: str) -> None:
        self.wait(self._line.execute(statement))

    def close(self) -> None:
        self._order(f"DROP DATABASE {self._name} WITH (FORCE)")
        self.wait(self._line.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def serving(given: str) -> Iterator[Server]:
    """The server at the address that is given, or, where there is none, a cluster that ends with the tests."""
    if given:
        with _closing(Server(given)) as server:
            yield server
        return
    # Not below pytest's own folder, which another run may close to the user that PostgreSQL runs as.
    with (
        TemporaryDirectory(prefix="relay-postgres-", dir="/tmp") as home,
        cluster(Path(home)) as url,
        _closing(Server(url)) as server,
    ):
        yield server


@contextmanager
def _closing(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.close()


async def _connect(url: URL) -> asyncpg.Connection:
    """As the relay connects, with what the address says of host, port and TLS."""
    host, ssl = url.query.get("host"), url.query.get("ssl")
    return await asyncpg.connect(
        host=url.host or host, port=url.port, user=url.username, password=url.password, database=url.database, ssl=ssl
    )
