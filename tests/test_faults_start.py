"""A start on a database that is damaged, another program's, or half migrated: one line, and nothing is made worse."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot import maintenance
from bot.instance import alone_on
from bot.opening import StartError, open_database
from bot.settings import Settings, load
from storage import migrating
from storage.copying import unsound
from storage.examining import examine
from storage.migrating import head, migrate
from tests.postgres import binaries
from tests.town import alliance, config

pytestmark = pytest.mark.once
LONG = bool(os.environ.get("FAULTS_LONG"))
"""`FAULTS_LONG=1`: a migration dies at each of its statements, not at each seventh."""
PAGE = 4096


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """A relay that has lived, with a backup beside it."""
    alliance(tmp_path)
    found = load(config(tmp_path, "http://127.0.0.1:9"))
    await maintenance.apply(found, found.alliance_file, lambda _text: None)
    await maintenance.backup(found, tmp_path / "kept.tar.gz", lambda _text: None)
    return found


def file_of(settings: Settings) -> Path:
    return settings.data_dir / "relay.sqlite"


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def zeroed(path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        (root,) = base.execute("SELECT rootpage FROM sqlite_master WHERE name = 'community'").fetchone()
    write(path, (root - 1) * PAGE, bytes(PAGE))


def write(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as opened:
        opened.seek(at)
        opened.write(content)


def of_another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE songs (name TEXT)")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (truncated, "malformed"),
        (zeroed, "community|malformed|zero|btreeInitPage|Tree"),
        (lambda path: write(path, 0, os.urandom(100)), "file is not a database"),
        (lambda path: path.write_text("dear diary\n" * 500, "utf-8"), "file is not a database"),
        (lambda path: write(path, 16, (1024).to_bytes(2, "big")), "malformed|not a database"),
        (of_another_program, "it is the database of another program"),
        (lambda path: os.truncate(path, 0), "it is empty"),
    ],
    ids=["truncated", "zeroed", "header", "text", "page size", "another program", "empty"],
)
async def test_a_damaged_database_is_refused_in_one_line_and_left_as_it_is(
    settings: Settings, harm: Callable[[Path], None], told: str
) -> None:
    file = file_of(settings)
    harm(file)
    before = file.read_bytes()
    with pytest.raises(StartError, match=told) as caught:
        await open_database(settings)
    line = str(caught.value)
    assert "\n" not in line and str(file) in line
    assert line.endswith(f"python -m bot restore {settings.data_dir.parent / 'kept.tar.gz'}")
    assert file.read_bytes() == before
    assert not list(settings.data_dir.glob("*.before-*"))


async def test_a_relay_that_cannot_start_ends_with_one_line_and_code_one(settings: Settings) -> None:
    truncated(file_of(settings))
    file = str(settings.data_dir.parent / "config.env")
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "bot", "run", "--config", file], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert "malformed" in done.stderr and "python -m bot restore" in done.stderr


async def test_a_damaged_index_is_found_by_the_check_that_reads_all(settings: Settings) -> None:
    file = file_of(settings)
    with closing(sqlite3.connect(file)) as base:
        base.execute("PRAGMA writable_schema = ON")
        # The index goes on as if it had never heard of the rows.
        base.execute(
            "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'post_chat')"
            " WHERE name = 'post_due'"
        )
        base.commit()
    assert unsound(file)
    with pytest.raises(maintenance.BackupError, match="damaged"):
        await maintenance.backup(settings, settings.data_dir.parent / "new.tar.gz", lambda _text: None)


def test_the_look_at_a_start_ends_in_time_however_large_the_base(tmp_path: Path) -> None:
    path = tmp_path / "relay.sqlite"
    asyncio.run(migrate("", path))
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
            " INSERT INTO note SELECT 'k' || i, hex(randomblob(400)) FROM n"
        )
    began = time.monotonic()
    assert examine(path, patience=0.01) == ("", "")
    assert time.monotonic() - began < 1.5


DYING = """
import asyncio, os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from storage.migrating import migrate

url, file, deadly, how = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
seen = 0

class Broken(Exception): ...

@event.listens_for(Engine, "before_cursor_execute")
def count(_connection, _cursor, statement, *_more):
    global seen
    if statement.lstrip()[:6].upper() in ("CREATE", "ALTER ", "DROP T", "DROP I", "INSERT", "UPDATE"):
        seen += 1
        if seen == deadly:
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise Broken

for n in range(1, 1000, deadly):
    # One process for each statement, forked from one that has everything loaded.
    pid = os.fork()
    if pid == 0:
        seen, deadly = 0, n
        try:
            asyncio.run(migrate(url, file))
        except Broken:
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    print(n, status, flush=True)
    if sys.stdin.readline() != "on\\n" or status == 0:
        break
"""


class Dying:
    """A migration that is killed, or fails, at its first statement, then at a later one, until it comes through."""

    def __init__(self, url: str, file: Path, how: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", DYING, url, str(file), str(1 if LONG else 7), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __iter__(self) -> Iterator[int]:
        """The number of each statement it died at; ends when it came through."""
        assert self._process.stdin is not None and self._process.stdout is not None
        while True:
            number, status = self._process.stdout.readline().split()
            if int(status) == 0:
                break
            assert int(status) in (signal.SIGKILL, 3 << 8), status
            yield int(number)
            self._process.stdin.write("on\n")
            self._process.stdin.flush()
        self._process.communicate("off\n", timeout=30)


@pytest.mark.parametrize("how", ["kill", "fail"])
@pytest.mark.parametrize("begun", ["", "0001"])
def test_a_migration_that_ends_at_any_statement_leaves_the_base_as_it_was(tmp_path: Path, how: str, begun: str) -> None:
    file = tmp_path / "relay.sqlite"
    if begun:
        asyncio.run(migrate("", file, begun))
    before = schema(file) if begun else []
    times = 0
    for _ in Dying("", file, how):
        times += 1
        assert schema(file) == before
    assert times >= (1 if begun else 5)
    assert revision(file) == head() and not unsound(file)


def schema(file: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(file)) as base:
        return base.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def revision(file: Path) -> str:
    with closing(sqlite3.connect(file)) as base:
        return str(base.execute("SELECT version_num FROM alembic_version").fetchone()[0])


@pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed here; .ci/run installs it")
def test_a_migration_killed_at_any_statement_leaves_postgresql_as_it_was(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with request.getfixturevalue("server").fresh(empty=True) as made:
        times = 0
        for _ in Dying(made.url, tmp_path / "unused", "kill"):
            times += 1
            assert made.run(tmp_path, TABLES) == []
        assert times >= 5
        assert made.run(tmp_path, "SELECT version_num FROM alembic_version") == [(head(),)]


TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


@pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed here; .ci/run installs it")
async def test_of_two_that_migrate_postgresql_at_once_both_come_through(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with request.getfixturevalue("server").fresh(empty=True) as made:
        await asyncio.gather(*(asyncio.to_thread(asyncio.run, migrate(made.url, tmp_path)) for _ in range(4)))
        assert made.run(tmp_path, "SELECT version_num FROM alembic_version") == [(head(),)]


async def test_of_two_that_migrate_sqlite_at_once_both_come_through(tmp_path: Path) -> None:
    file = tmp_path / "relay.sqlite"
    await asyncio.gather(*(asyncio.to_thread(asyncio.run, migrate("", file)) for _ in range(4)))
    assert revision(file) == head() and not unsound(file)


async def test_before_a_base_is_migrated_it_is_copied_and_only_the_last_copy_stays(tmp_path: Path) -> None:
    alliance(tmp_path)
    settings = load(config(tmp_path, "http://127.0.0.1:9"))
    file = file_of(settings)
    await migrate("", file, "0001")
    before = schema(file)
    for old in ("relay.sqlite.before-0001", "relay.sqlite.before-restore-20260101T000000Z"):
        (settings.data_dir / old).write_bytes(b"older")
    await (await open_database(settings)).close()
    copy = settings.data_dir / f"relay.sqlite.before-{head()}"
    assert revision(file) == head() and schema(copy) == before and not unsound(copy)
    assert sorted(each.name for each in settings.data_dir.glob("*.before-*")) == [
        copy.name,
        "relay.sqlite.before-restore-20260101T000000Z",
    ]
    copied = copy.stat().st_mtime_ns
    await (await open_database(settings)).close()
    assert copy.stat().st_mtime_ns == copied


async def test_nobody_migrates_under_a_relay_that_runs(tmp_path: Path) -> None:
    alliance(tmp_path)
    settings = load(config(tmp_path, "http://127.0.0.1:9"))
    await migrate("", file_of(settings), "0001")
    with alone_on(settings.data_dir), pytest.raises(StartError, match="stop it first"):
        await maintenance.migrate_only(settings, lambda _text: None)
    assert revision(file_of(settings)) == "0001"


async def test_a_row_that_refers_to_nothing_stops_a_migration(tmp_path: Path) -> None:
    file = tmp_path / "relay.sqlite"
    await migrate("", file, "0001")
    with closing(sqlite3.connect(file)) as base, base:
        base.execute("INSERT INTO timer VALUES (77, 'remind', 0, 0)")
    with pytest.raises(ValueError, match="a row of timer refers to a row of incident that is not there"):
        await migrating.migrate("", file)
    assert revision(file) == "0001"
