"""Apply, migrate, back up, restore: what an operator does to the rows, and what happens when it cannot be done."""

import asyncio
import dataclasses
import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot import archive, maintenance
from bot.alliance import AllianceError
from bot.instance import alone_on
from bot.opening import StartError, open_database
from bot.settings import Settings, load, secret_key
from storage.copying import BackupError
from storage.migrating import head
from storage.tables import Note
from tests.postgres import Server
from tests.town import alliance, config

# About the file of SQLite, but for those at the end, which are about PostgreSQL.
pytestmark = pytest.mark.once


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    alliance(tmp_path)
    return load(config(tmp_path, "http://127.0.0.1:9"))


@pytest.fixture
def said() -> list[str]:
    return []


def rows(settings: Settings, query: str) -> list[Any]:
    with closing(sqlite3.connect(settings.data_dir / "relay.sqlite")) as base:
        return base.execute(query).fetchall()


def change(settings: Settings, statement: str) -> None:
    with closing(sqlite3.connect(settings.data_dir / "relay.sqlite")) as base, base:
        base.execute(statement)


def rewrite(path: Path, edit: Callable[[dict[str, bytes]], None], kind: bytes = tarfile.REGTYPE) -> Path:
    """A copy of the backup with its members edited, the manifest as it was unless that is edited too."""
    with tarfile.open(path) as tar:
        members = {each.name: (tar.extractfile(each) or io.BytesIO()).read() for each in tar}
    edit(members)
    other = path.with_name("edited.tar.gz")
    with tarfile.open(other, "w:gz") as tar:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            if kind != tarfile.REGTYPE and name != archive.MANIFEST:
                header.type, header.linkname, header.size = kind, "/etc/passwd", 0
            tar.addfile(header, io.BytesIO(content))
    return other


def left_over(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if each.name.startswith(".")]


async def backed_up(settings: Settings, said: list[str]) -> Path:
    """A backup of an alliance as it was applied. Made once; each test gets a copy of the database and of the file."""
    home, made = settings.data_dir.parent, settings.data_dir.parent.parent / "made-once"
    if not made.exists():
        await maintenance.apply(settings, settings.alliance_file, said.append)
        await maintenance.backup(settings, home / "one.tar.gz", said.append)
        said.clear()
        made.mkdir()
        shutil.copy(settings.data_dir / "relay.sqlite", made)
        shutil.copy(home / "one.tar.gz", made)
    settings.data_dir.mkdir(exist_ok=True)
    shutil.copy(made / "relay.sqlite", settings.data_dir)
    return Path(shutil.copy(made / "one.tar.gz", home))


async def test_apply_prints_each_difference_and_then_that_there_is_none(settings: Settings, said: list[str]) -> None:
    await maintenance.apply(settings, settings.alliance_file, said.append)
    assert "+ community shuidongdai" in said
    assert rows(settings, "SELECT count(*) FROM post WHERE kind = 'menu'") == rows(
        settings, "SELECT count(*) FROM binding"
    )
    said.clear()
    await maintenance.apply(settings, settings.alliance_file, said.append)
    assert said == ["nothing to change"]


async def test_apply_undoes_what_was_bound_from_a_chat_although_the_file_is_the_same(
    settings: Settings, said: list[str]
) -> None:
    await maintenance.apply(settings, settings.alliance_file, said.append)
    change(settings, "UPDATE community SET name = 'else' WHERE key = 'danghu'")
    said.clear()
    await maintenance.apply(settings, settings.alliance_file, said.append)
    assert said == ["~ community danghu: name 'else' → '当湖街道'"]


async def test_a_file_with_a_mistake_changes_nothing(settings: Settings, said: list[str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(settings.alliance_file.read_text("utf-8") + "\nnonsense = 1\n", "utf-8")
    with pytest.raises(AllianceError) as caught:
        await maintenance.apply(settings, wrong, said.append)
    assert "wrong.toml, line" in str(caught.value) and "\n" not in str(caught.value)
    assert said == [] and not (settings.data_dir / "relay.sqlite").exists()


async def test_applying_another_file_than_the_settings_name_is_said(
    settings: Settings, said: list[str], tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(settings.alliance_file.read_text("utf-8").replace("当湖街道", "别的街道"), "utf-8")
    await maintenance.apply(settings, other, said.append)
    assert said[-1].startswith("the next run applies ALLIANCE_FILE")


async def test_migrate_says_from_where_to_where(settings: Settings, said: list[str]) -> None:
    await maintenance.migrate_only(settings, said.append)
    await maintenance.migrate_only(settings, said.append)
    assert said == [f"the database: new → {head()}", f"the database is at {head()} already"]


async def test_a_database_of_a_newer_version_is_left_alone(settings: Settings, said: list[str]) -> None:
    await maintenance.migrate_only(settings, said.append)
    change(settings, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StartError, match="newer version"):
        await maintenance.migrate_only(settings, said.append)


async def test_a_backup_is_one_file_for_its_owner_alone(settings: Settings, said: list[str], tmp_path: Path) -> None:
    key = secret_key(settings)
    await maintenance.apply(settings, settings.alliance_file, said.append)
    said.clear()
    folder = tmp_path / "backups"
    folder.mkdir()
    await maintenance.backup(settings, folder, said.append)
    (written,) = folder.iterdir()
    assert written.name.startswith("relay-backup-2") and written.name.endswith("Z.tar.gz")
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert said[0].startswith(f"backed up to {written}: 0 incidents, 10 posts, revision {head()}") and len(said) == 1
    with tarfile.open(written) as tar:
        assert sorted(tar.getnames()) == ["alliance.toml", "manifest.json", "relay.sqlite", "secret.key"]
        source = tar.extractfile("secret.key")
        assert source is not None and source.read().decode() == key
    assert archive.unpack(written, None).posts == 10


async def test_a_backup_taken_while_others_write_shows_one_moment(
    settings: Settings, said: list[str], tmp_path: Path
) -> None:
    """Each transaction writes two rows; a copy with an odd one would have been cut through."""
    store = await open_database(settings)
    stopping, written, moved = False, 0, asyncio.Event()

    def pair(session: Any) -> None:
        name = uuid.uuid4().hex
        session.add_all(Note(key=f"{side}{name}", value="x" * 2000) for side in "ab")

    async def keep_writing() -> None:
        nonlocal written
        while not stopping:
            await store.write(pair)
            written += 1
            moved.set()

    writers = [asyncio.create_task(keep_writing()) for _ in range(8)]
    counts = []
    for turn in range(4):
        before = written
        while written < before + 20:
            moved.clear()
            await moved.wait()
        target = tmp_path / f"{turn}.tar.gz"
        await maintenance.backup(settings, target, said.append)
        (tmp_path / str(turn)).mkdir()
        archive.unpack(target, tmp_path / str(turn))
        with closing(sqlite3.connect(tmp_path / str(turn) / "relay.sqlite")) as base:
            assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            sides = base.execute("SELECT substr(key, 1, 1), count(*) FROM note GROUP BY 1").fetchall()
        assert len({count for _, count in sides}) == 1
        counts.append(sides[0][1])
    stopping = True
    await asyncio.gather(*writers)
    await store.close()
    assert counts == sorted(counts) and counts[-1] > counts[0] > 0
    assert left_over(tmp_path) == []


async def test_a_backup_after_a_crash_has_what_was_committed(settings: Settings, said: list[str]) -> None:
    """What was committed is in the log beside the database, which nobody has closed."""
    await maintenance.migrate_only(settings, said.append)
    crash = (
        "import os, sqlite3, sys; base = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "base.execute('PRAGMA journal_mode=WAL');"
        "base.execute(\"INSERT INTO note VALUES ('kept', 'yes')\"); os._exit(9)"
    )
    file = str(settings.data_dir / "relay.sqlite")
    await (await asyncio.create_subprocess_exec(sys.executable, "-c", crash, file)).wait()
    target = settings.data_dir.parent / "after.tar.gz"
    await maintenance.backup(settings, target, said.append)
    await maintenance.restore(settings, target, said.append)
    assert rows(settings, "SELECT value FROM note WHERE key = 'kept'") == [("yes",)]


async def test_what_cannot_be_backed_up_is_one_line(settings: Settings, said: list[str], tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="nothing to back up"):
        await maintenance.backup(settings, tmp_path / "x.tar.gz", said.append)
    assert not (settings.data_dir / "relay.sqlite").exists()
    await maintenance.migrate_only(settings, said.append)
    for dest, told in (
        (tmp_path / "none" / "x.tar.gz", "there is no folder"),
        (settings.data_dir / "relay.sqlite", "is no backup"),
        (Path("/dev/null"), "is no backup"),
        (Path("/proc/x.tar.gz"), "cannot read or write"),
    ):
        with pytest.raises(BackupError, match=told) as caught:
            await maintenance.backup(settings, dest, said.append)
        assert "\n" not in str(caught.value)
    (settings.data_dir / "relay.sqlite").write_bytes(b"not a database at all" * 1000)
    with pytest.raises(BackupError, match="cannot be copied"):
        await maintenance.backup(settings, tmp_path / "x.tar.gz", said.append)
    assert not (tmp_path / "x.tar.gz").exists() and left_over(tmp_path) == []


async def test_a_damaged_page_is_found_before_it_replaces_a_good_backup(settings: Settings, said: list[str]) -> None:
    target = await backed_up(settings, said)
    before = target.read_bytes()
    file = settings.data_dir / "relay.sqlite"
    content = bytearray(file.read_bytes())
    (root,) = rows(settings, "SELECT rootpage FROM sqlite_master WHERE name = 'community'")[0]
    content[(root - 1) * 4096 + 8 : root * 4096] = os.urandom(4096 - 8)
    file.write_bytes(content)
    with pytest.raises(BackupError, match="damaged"):
        await maintenance.backup(settings, target, said.append)
    assert target.read_bytes() == before


async def test_a_restore_brings_back_what_was_there_and_keeps_what_is(settings: Settings, said: list[str]) -> None:
    key = secret_key(settings)
    await backed_up(settings, said)
    target = settings.data_dir.parent / "with-key.tar.gz"
    await maintenance.backup(settings, target, said.append)
    said.clear()
    file = settings.alliance_file.read_text("utf-8")
    change(settings, "DELETE FROM unit")
    (settings.data_dir / "secret.key").write_text("another key of enough letters", "ascii")
    settings.alliance_file.write_text(file + "# changed\n", "utf-8")
    await maintenance.restore(settings, target, said.append)
    assert rows(settings, "SELECT count(*) FROM unit") == [(5,)]
    assert secret_key(settings) == key and settings.alliance_file.read_text("utf-8") == file
    kept = sorted(each.name.partition(".before-restore-")[0] for each in settings.data_dir.glob("*.before-restore-*"))
    assert kept == ["relay.sqlite", "secret.key"]
    assert [each.startswith("the ") and ".before-restore-" in each for each in said[:3]] == [True] * 3
    assert said[3].startswith("restored 0 incidents and 10 posts as of 2") and len(said) == 4
    assert rows(settings, "SELECT count(*) FROM note WHERE key = 'restored'") == [(1,)]
    assert left_over(settings.data_dir) == [] and left_over(settings.data_dir.parent) == []


async def test_a_restore_into_an_empty_folder_needs_nothing_moved(
    settings: Settings, said: list[str], tmp_path: Path
) -> None:
    target = await backed_up(settings, said)
    fresh = settings.model_copy(update={"data_dir": tmp_path / "new" / "data"})
    await maintenance.restore(fresh, target, said.append)
    assert len(rows(fresh, "SELECT * FROM community")) == 2
    assert not any(".before-restore-" in each for each in said)


async def test_a_stray_log_never_meets_the_restored_database(settings: Settings, said: list[str]) -> None:
    target = await backed_up(settings, said)
    log = settings.data_dir / "relay.sqlite-wal"
    log.write_bytes(b"of another database")
    await maintenance.restore(settings, target, said.append)
    assert not log.exists()
    assert len(rows(settings, "SELECT * FROM community")) == 2


async def test_after_a_restore_nothing_is_sent_again_by_itself(settings: Settings, said: list[str]) -> None:
    """Ten posts in every state; what is set and not sent, and what stands behind a list, is left as it is."""
    await backed_up(settings, said)
    change(settings, "UPDATE post SET kind = 'note', due_at = 1 WHERE id <= 7")
    change(settings, "UPDATE post SET kind = 'album', state = 'shown', due_at = 1 WHERE id = 8")
    change(settings, "UPDATE post SET digest = 'said'")
    for number, state in enumerate(("sending", "unknown", "shown", "broken", "held", "gone"), 1):
        change(settings, f"UPDATE post SET state = '{state}' WHERE id = {number}")
    target = settings.data_dir.parent / "two.tar.gz"
    await maintenance.backup(settings, target, said.append)
    await maintenance.restore(settings, target, said.append)
    assert said[-1].startswith("5 messages that may have gone out since wait: python -m bot resume sends them")
    held = rows(settings, "SELECT id, error FROM post WHERE state = 'held' AND due_at IS NULL ORDER BY id")
    assert held == [
        (1, "held by a restore, unknown"),
        (2, "held by a restore, unknown"),
        *((number, "held by a restore") for number in (4, 7, 8)),
    ]
    others = rows(settings, "SELECT id, kind, state FROM post WHERE error NOT LIKE 'held%' ORDER BY id")
    assert others[:3] == [(3, "note", "shown"), (5, "note", "held"), (6, "note", "gone")]
    assert {each[1:] for each in others[3:5]} == {("menu", "due")}
    # What stands there may say more by now: it is not taken for shown.
    assert rows(settings, "SELECT digest FROM post WHERE id = 3") == [("",)]
    # The operator's own message is new and goes out.
    assert others[5][1:] == ("note", "due") and len(others) == 6


async def test_a_restore_is_refused_while_a_relay_runs_on_the_folder(settings: Settings, said: list[str]) -> None:
    target = await backed_up(settings, said)
    with alone_on(settings.data_dir), pytest.raises(StartError, match=rf"process {os.getpid()}\): stop it first"):
        await maintenance.restore(settings, target, said.append)
    await maintenance.restore(settings, target, said.append)


def _flip(members: dict[str, bytes]) -> None:
    content = bytearray(members["relay.sqlite"])
    content[5000] ^= 1
    members["relay.sqlite"] = bytes(content)


def _manifest(**fields: Any) -> Callable[[dict[str, bytes]], None]:
    def edit(members: dict[str, bytes]) -> None:
        members["manifest.json"] = json.dumps({**json.loads(members["manifest.json"]), **fields}).encode()

    return edit


def _outside(members: dict[str, bytes]) -> None:
    """The manifest itself vouches for a name with a path in it."""
    told = json.loads(members["manifest.json"])
    told["members"]["../escaped"] = dataclasses.asdict(archive.Member(1, "0"))
    members["manifest.json"] = json.dumps(told).encode()
    members["../escaped"] = b"x"


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (_flip, "damaged: relay.sqlite is not what was backed up"),
        (lambda members: members.pop("relay.sqlite"), "relay.sqlite is missing"),
        (lambda members: members.pop("manifest.json"), "does not begin with a manifest"),
        (lambda members: members.update({"../../escaped": b"x"}), "is in no backup"),
        (lambda members: members.update({"/tmp/escaped": b"x"}), "is in no backup"),
        (_outside, "is in no backup"),
        (_manifest(format=2), "has format 2, this program reads 1"),
        (_manifest(revision="9999"), "newer version"),
        (_manifest(made="\x1b[31mred"), "makes no sense"),
        (_manifest(members=[]), "is no backup of the relay"),
    ],
)
async def test_a_backup_that_is_not_as_it_was_written_is_refused(
    settings: Settings, said: list[str], edit: Callable[[dict[str, bytes]], None], told: str
) -> None:
    target = rewrite(await backed_up(settings, said), edit)
    before = {each.name for each in settings.data_dir.iterdir()}
    with pytest.raises(BackupError, match=told) as caught:
        await maintenance.restore(settings, target, said.append)
    assert "\n" not in str(caught.value) and said == []
    assert {each.name for each in settings.data_dir.iterdir()} == before | {"relay.lock"}
    assert not list(settings.data_dir.parent.parent.rglob("escaped"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE])
async def test_a_member_that_is_no_plain_file_is_refused(settings: Settings, said: list[str], kind: bytes) -> None:
    target = rewrite(await backed_up(settings, said), lambda members: None, kind)
    with pytest.raises(BackupError, match="is in no backup"):
        await maintenance.restore(settings, target, said.append)


async def test_half_a_backup_and_no_backup_are_refused(settings: Settings, said: list[str], tmp_path: Path) -> None:
    target = await backed_up(settings, said)
    half = tmp_path / "half.tar.gz"
    half.write_bytes(target.read_bytes()[: target.stat().st_size // 2])
    for src in (half, settings.alliance_file, tmp_path / "none", tmp_path):
        with pytest.raises(BackupError):
            await maintenance.restore(settings, src, said.append)
    assert said == []


async def test_a_backup_of_another_kind_of_database_is_refused(settings: Settings, said: list[str]) -> None:
    target = await backed_up(settings, said)

    def other(members: dict[str, bytes]) -> None:
        told = json.loads(members["manifest.json"])
        told["database"] = "relay.pgdump"
        told["members"]["relay.pgdump"] = told["members"].pop("relay.sqlite")
        members["manifest.json"] = json.dumps(told).encode()
        members["relay.pgdump"] = members.pop("relay.sqlite")

    with pytest.raises(BackupError, match="backup of a PostgreSQL database: name one in DATABASE_URL"):
        await maintenance.restore(settings, rewrite(target, other), said.append)


def test_a_folder_is_held_by_one_and_let_go(tmp_path: Path) -> None:
    with (
        alone_on(tmp_path / "data"),
        pytest.raises(StartError, match="a relay is running on"),
        alone_on(tmp_path / "data"),
    ):
        pass
    with alone_on(tmp_path / "data"):
        pass


def test_upkeep_loads_no_telegram() -> None:
    """aiogram takes seconds to load, and whoever restores a backup at night waits for each of them."""
    look = "import sys, bot.__main__, bot.maintenance; print([each for each in sys.modules if each[:7] == 'aiogram'])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_postgresql_goes_out_and_comes_back(server: Server, said: list[str], tmp_path: Path) -> None:
    alliance(tmp_path)
    with server.fresh() as full, server.fresh(empty=True) as empty:
        settings = load(config(tmp_path, "http://127.0.0.1:9", DATABASE_URL=full.url))
        fresh = load(config(tmp_path, "http://127.0.0.1:9", DATABASE_URL=empty.url))
        await _goes_out_and_comes_back(settings, fresh, said, tmp_path)


async def _goes_out_and_comes_back(settings: Settings, fresh: Settings, said: list[str], tmp_path: Path) -> None:
    await maintenance.apply(settings, settings.alliance_file, said.append)
    target = tmp_path / "pg.tar.gz"
    await maintenance.backup(settings, target, said.append)
    assert f"0 incidents, 10 posts, revision {head()}" in said[-1]
    with pytest.raises(BackupError, match="not empty"):
        await maintenance.restore(settings, target, said.append)
    await maintenance.restore(fresh, target, said.append)
    assert said[-1].startswith("restored 0 incidents and 10 posts as of 2")
    store = await open_database(fresh)
    assert await store.read(lambda session: session.get_one(Note, "restored").value.endswith("Z"))
    await store.close()


async def test_a_tool_that_is_missing_is_named(
    said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(config(tmp_path, "http://127.0.0.1:9", DATABASE_URL="postgresql+asyncpg://nobody@127.0.0.1:1/none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="pg_dump is not on PATH: install it"):
        await maintenance.backup(settings, tmp_path / "x.tar.gz", said.append)
