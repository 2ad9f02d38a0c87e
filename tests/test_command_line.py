"""The command line as a shell sees it: an exit code, words on standard output, at most one line of complaint."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.settings import Settings
from storage.migrating import head
from tests.town import EXAMPLE, alliance, config, free_port, town

# What the commands do on PostgreSQL is told by the tests of what they call.
pytestmark = pytest.mark.once

ROOT = EXAMPLE.parents[2]
TOKEN = "700000001:a-token-of-the-town-0123456789"
ASIDE = {name.upper() for name in Settings.model_fields}


@dataclass
class Done:
    code: int
    out: str
    error: str

    @property
    def complaint(self) -> str:
        """The one line on standard error."""
        assert "Traceback" not in self.error + self.out and TOKEN not in self.error + self.out
        assert len(self.error.splitlines()) == 1, self.error
        return self.error.strip()


def start(folder: Path, *arguments: str, **more: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if name not in ASIDE}
    return subprocess.Popen(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def end(process: "subprocess.Popen[str]") -> Done:
    try:
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()
    return Done(process.returncode, out, error)


def bot(folder: Path, *arguments: str, **more: str) -> Done:
    return end(start(folder, *arguments, **more))


@contextmanager
def taken_port() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield str(taken.getsockname()[1])


def prepared(home: Path, **more: str) -> Path:
    """A folder with config.env and alliance.toml, and a Bot API at which nobody answers."""
    home.mkdir(parents=True, exist_ok=True)
    alliance(home)
    config(home, "http://127.0.0.1:1", **more)
    return home


def test_a_day_of_upkeep(tmp_path: Path) -> None:
    """Commands in their order with what they say; the first in a terminal that knows no arrow."""
    here = prepared(tmp_path)
    assert bot(here, "migrate", PYTHONIOENCODING="ascii") == Done(0, f"the database: new ? {head()}\n", "")
    applied = bot(here, "apply", "alliance.toml")
    assert (applied.code, applied.error) == (0, "") and "+ unit shuidongdai/water\n" in applied.out
    saved = bot(here, "backup", ".")
    assert (saved.code, saved.error) == (0, "")
    (file,) = tmp_path.glob("relay-backup-*.tar.gz")
    restored = bot(here, "restore", file.name)
    assert (restored.code, restored.error) == (0, "") and "restored 0 incidents and 10 posts" in restored.out


def test_check_ends_with_one_when_something_is_amiss(tmp_path: Path) -> None:
    began = time.monotonic()
    done = bot(prepared(tmp_path), "check")
    assert (done.code, done.error) == (1, "") and time.monotonic() - began < 15
    assert all(line[:2] in ("✓ ", "○ ", "✗ ") for line in done.out.splitlines())
    assert sum("cannot be reached" in line for line in done.out.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("walk",), "invalid choice: 'walk'"),
        (("apply",), "required: file"),
        (("backup", "a", "b"), "unrecognized arguments: b"),
        (("sandbox", "--port", "many"), "invalid int value: 'many'"),
    ],
)
def test_a_command_that_is_none_is_one_line(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    done = bot(tmp_path, *arguments)
    assert done.code == 2 and told in done.complaint and done.out == ""


def test_settings_that_cannot_be_used_are_one_line(tmp_path: Path) -> None:
    for text, told in (
        ("WEB_PORT=many\n", 'WEB_PORT: "many" is not a port'),
        ("# one\n\nBOT_TOKE=x\n", "config.env, line 3: unknown setting BOT_TOKE: did you mean BOT_TOKEN?"),
        (f"BOT_TOKEN={TOKEN} and more\n", "BOT_TOKEN"),
        (f"DATA_DIR={tmp_path}/config.env\n", "is a file: name a folder"),
    ):
        (tmp_path / "config.env").write_text(text, "utf-8")
        done = bot(tmp_path, "migrate")
        assert done.code == 1 and told in done.complaint
    done = bot(tmp_path, "migrate", "--config", "other.env")
    assert done.code == 1 and "--config other.env: no such file" in done.complaint


def test_files_that_cannot_be_used_are_one_line(tmp_path: Path) -> None:
    here = prepared(tmp_path)
    (here / "broken.toml").write_text('[[community]]\nkey = "a\n', "utf-8")
    (here / "data").mkdir()
    (here / "data" / "relay.sqlite").write_bytes(b"dead" * 4096)
    nobody = "postgresql+asyncpg://a:canary@127.0.0.1:1/x"
    cases: list[tuple[tuple[str, ...], dict[str, str], str]] = [
        (("apply", "broken.toml"), {}, "broken.toml, line 2: not valid TOML"),
        (("migrate",), {}, "file is not a database"),
        (("restore", "alliance.toml"), {}, "is no backup of the relay"),
        (("restore", "alliance.toml"), {"DATA_DIR": "/proc/relay"}, "/proc/relay cannot be written"),
        (("migrate",), {"DATABASE_URL": nobody}, "the database cannot be used (DATABASE_URL)"),
    ]
    processes = [start(here, *arguments, **more) for arguments, more, _ in cases]
    for (arguments, _, told), done in zip(cases, map(end, processes), strict=True):
        assert done.code == 1 and told in done.complaint and done.out == "", arguments
        assert "canary" not in done.error


async def test_what_cannot_start_says_why_in_one_line(tmp_path: Path) -> None:
    """As processes, beside a relay that runs; two more are below, in this process, which has the library loaded."""
    running = tmp_path / "running"
    running.mkdir()
    with taken_port() as port:
        async with town(running):
            processes = {
                r"a relay is running on .*/data \(process \d+\): stop it first": start(running, "run"),
                rf"a relay is running on .*/data \(process {os.getpid()}\)": start(running, "restore", "alliance.toml"),
                rf"port {port} on 127.0.0.1 is taken": start(running, "sandbox", "--port", port),
            }
            found = {told: await asyncio.to_thread(end, process) for told, process in processes.items()}
    for told, done in found.items():
        assert done.code == 1 and re.search(told, done.complaint), done.error


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process as a command: nothing of ours in its environment."""
    for name in ASIDE:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("own")
def test_a_dead_database_or_a_taken_port_stops_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with taken_port() as port:
        here = prepared(tmp_path / "port", BOT_TOKEN="", SANDBOX_PORT=port)
        assert main(["run", "--config", str(here / "config.env")]) == 1
        assert re.fullmatch(rf"SANDBOX_PORT {port} cannot be used.*\n", capsys.readouterr().err)
        here = prepared(tmp_path / "web", BOT_TOKEN="", SANDBOX_PORT=str(free_port()), WEB_PORT=port)
        assert main(["run", "--config", str(here / "config.env")]) == 1
        assert re.fullmatch(rf"WEB_PORT {port} cannot be used.*\n", capsys.readouterr().err)
    here = prepared(tmp_path / "dead")
    (here / "data").mkdir()
    (here / "data" / "relay.sqlite").write_bytes(b"dead" * 4096)
    for command in ("run", "retry"):
        assert main([command, "--config", str(here / "config.env")]) == 1
        told = capsys.readouterr()
        assert told.out == "" and re.fullmatch(r"the database cannot be used .*file is not a database.*\n", told.err)


@pytest.mark.usefixtures("own")
def test_the_settings_file_may_be_named_before_or_after_the_command(tmp_path: Path) -> None:
    file = str(prepared(tmp_path) / "config.env")
    assert main(["--config", file, "migrate"]) == 0
    assert (tmp_path / "data" / "relay.sqlite").exists()
    assert main(["migrate", "--config", file]) == 0
