"""Secrets: a canary for each is put where an operator puts it, and whatever then fails, it sings nowhere else: not on a
terminal, not in a log, a message, a row, a backup or an answer over HTTP."""

import json
import logging
import signal
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import structlog

from bot import logs
from bot.__main__ import main
from bot.sandbox.server import Sandbox
from tests import databases
from tests.test_story_reliability import Process
from tests.town import GUANDI, LIN, OFFICE, OPERATOR, WATER, WATER_MAN, ZHANG, Town, alliance, config

TOKEN = "700000001:CANARYTOKEN-abcdefghijklmnopqr_st"
HALF = TOKEN.split(":")[1]
PASSWORD = "CANARYPASSWORD"
DEAD = f"postgresql+asyncpg://relay:{PASSWORD}@127.0.0.1:1/none"
SECRETS = {
    "BOT_TOKEN": TOKEN,
    "SECRET_KEY": "CANARYSECRETKEY0123456789",
    "WEBHOOK_SECRET": "CANARYWEBHOOKSECRET",
}
FAULTS = {
    "getUpdates": ("502page", "reset_before"),
    "sendPhoto": ("500", "reset_after", "truncated"),
    "sendMessage": ("502page", "429", "400:Bad Request: odd"),
    "getFile": ("500bare",),
    "file": ("500", "truncated"),
    "answerCallbackQuery": ("500", "400:Bad Request: odd"),
    "setMyCommands": ("502page",),
}
REPORTS = 3


def with_password(url: str) -> str:
    """A database's address with a password in it, which a server that trusts its machine does not ask for."""
    return url.replace("://relay@", f"://relay:{PASSWORD}@") if url else ""


def sings(told: bytes) -> list[bytes]:
    """The lines in which any secret, or a good part of one, stands."""
    parts = {*SECRETS.values(), HALF, quote(TOKEN, safe=""), HALF[:14], HALF[-14:], PASSWORD, "CANARY"}
    return [line[:300] for line in told.splitlines() for part in parts if part.encode() in line]


def kept(home: Path) -> Iterator[tuple[str, bytes]]:
    """What lies below, unpacked where it is packed; the settings are where secrets are."""
    for path in sorted(home.rglob("*")):
        if path.is_file() and path.name != "config.env":
            yield str(path), path.read_bytes()
            if tarfile.is_tarfile(path):
                with tarfile.open(path) as tar:
                    for member in tar:
                        found = tar.extractfile(member)
                        yield f"{path}:{member.name}", found.read() if found else b""


async def test_nothing_sings_while_everything_fails(tmp_path: Path) -> None:
    alliance(tmp_path)
    sandbox = Sandbox(limits=False)
    base = await sandbox.start()
    settings = {**SECRETS, "LANGUAGE": "en", "LOG_LEVEL": "DEBUG"}
    if databases.chosen().url:
        settings["DATABASE_URL"] = with_password(databases.chosen().url)
    config(tmp_path, base, **settings)
    process = Process(tmp_path)
    try:
        async with aiohttp.ClientSession() as http:
            here = Town(base, http, tmp_path, sandbox)
            await here.post("fault", method="getMe", kind="502page", times=1)
            await process.start()
            await process.running(1)
            await fail_in_every_way(here)
            poison(sandbox)
            await here.say(OPERATOR, OPERATOR, "/start")
            await here.photo(ZHANG, GUANDI, "自来水井盖坏了 last")
            await here.sees(WATER, "last", within=60)
            ports = [line for line in (tmp_path / "config.env").read_text().splitlines() if line.startswith("WEB_PORT")]
            for page in ("healthz", "readyz", "nothing", "%2e%2e/config.env"):
                async with http.get(f"http://127.0.0.1:{ports[0].partition('=')[2]}/{page}") as answer:
                    assert sings(await answer.read()) == []
            await process.kill(signal.SIGTERM)
            told = json.dumps([await here.calls(), await here.state()], ensure_ascii=False)
        assert sings(told.encode()) == []
        assert len(process.log) > 2000 and "update_set_aside" in process.log
        assert {name: sings(content) for name, content in kept(tmp_path) if sings(content)} == {}
    finally:
        with suppress(AssertionError, ProcessLookupError):
            await process.kill()
        await sandbox.stop()


async def fail_in_every_way(here: Town) -> None:
    """Reports, presses and commands while every method fails, each in its ways."""
    for method, kinds in FAULTS.items():
        for kind in kinds:
            await here.post("fault", method=method, kind=kind, times=1)
    for number in range(REPORTS):
        await here.photo(ZHANG, GUANDI, f"自来水井盖坏了 {number}", as_file=True)
        await here.wind(2)
        await here.say(LIN, OFFICE, "/open")
    cards = []
    for number in range(REPORTS):
        cards.append(await here.sees(WATER, f"坏了 {number}", within=60))
    for card in cards:
        await here.post("press", **{
            "as": WATER_MAN, "chat": WATER, "message_id": card["message_id"], "data": "a:1:accept:", "forged": True,
            "wait": 0,
        })  # fmt: skip
    for line in ("/help", "/my", "/stats", "/find 1", "/i 1", "/bind", "/shop a, b", "/language en"):
        await here.say(LIN, OFFICE, line)
    # Files that are no longer there: the address with the token in it is in what the library says of that.
    for stored in here.sandbox._platform.files._by_path.copy():
        here.sandbox._platform.files._by_path.pop(stored)
    await here.photo(ZHANG, GUANDI, "路灯不亮", as_file=True, media_group="late")
    await here.settled(within=60)


def poison(sandbox: Sandbox) -> None:
    """Updates nobody can read."""
    for broken in ({"message_id": 1}, {"message_id": "x", "date": [], "chat": 7}, {}):
        sandbox._platform.updates.push("message", broken)


COMMANDS: list[list[str]] = [
    ["check"],
    ["migrate"],
    ["apply", "alliance.toml"],
    ["apply", "broken.toml"],
    ["apply", "missing.toml"],
    ["backup", "more"],
    ["backup", "damaged"],
    ["restore", "backups"],
    ["restore", "damaged"],
    ["restore", "missing"],
    ["retry"],
    ["run"],
]
PLACES: dict[str, dict[str, str]] = {
    "as it should be": {},
    "a database that is away": {"DATABASE_URL": DEAD},
    "a database of no port": {"DATABASE_URL": DEAD.replace(":1/", ":none/")},
    "a database of another kind": {"DATABASE_URL": DEAD.replace("postgresql+asyncpg", "mysql")},
    "a token that is none": {"BOT_TOKEN": "CANARY:TOKEN"},
    "an address with a password": {"BOT_API_URL": f"http://relay:{PASSWORD}@127.0.0.1:1"},
    "an address with the token": {"BOT_API_URL": f"http://127.0.0.1:1/bot{TOKEN}"},
}


@pytest.mark.once
@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_no_command_sings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], level: str
) -> None:
    alliance(tmp_path)
    (tmp_path / "broken.toml").write_text(f'[[community]]\nname = "{HALF}\n', encoding="utf-8")
    # Nothing listens there: every call fails, and what fails knows the address with the token in it.
    config(tmp_path, "http://127.0.0.1:1", **SECRETS, LOG_LEVEL=level)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOG_LEVEL", level)
    main(["apply", "alliance.toml", "--config", "config.env"])
    for folder in ("backups", "more"):
        (tmp_path / folder).mkdir()
    main(["backup", "backups", "--config", "config.env"])
    whole = next((tmp_path / "backups").iterdir())
    (tmp_path / "damaged").write_bytes(whole.read_bytes()[:-400])
    told = capfd.readouterr()
    for place, change in PLACES.items():
        with monkeypatch.context() as here:
            for key, value in change.items():
                here.setenv(key, value)
            for command in COMMANDS:
                if command == ["run"] and not place.startswith("a token"):
                    continue
                with suppress(SystemExit):
                    main([*command, "--config", "config.env"])
                told = capfd.readouterr()
                assert sings((told.out + told.err).encode()) == [], (place, command)
    assert {name: sings(content) for name, content in kept(tmp_path) if "broken" not in name and sings(content)} == {}


@pytest.fixture
def hidden() -> Iterator[None]:
    logs.hide(TOKEN, DEAD, SECRETS["SECRET_KEY"], 'quo"ted\\CANARY', "")
    yield
    logs.hide()


@pytest.mark.once
@pytest.mark.usefixtures("hidden")
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_log_says_no_secret_however_it_is_put(capfd: pytest.CaptureFixture[str], form: str) -> None:
    logs.set_up("DEBUG", form)
    log = structlog.get_logger()
    said: list[Any] = [
        TOKEN,
        f"https://api.telegram.org/file/bot{TOKEN}/photos/1.jpg",
        quote(TOKEN, safe=""),
        quote(f"https://x/bot{TOKEN}/y", safe=""),
        HALF,
        TOKEN[:30],
        DEAD,
        f"could not connect to {DEAD!r}",
        [TOKEN, {"address": DEAD}],
        (TOKEN.encode(), Path(f"/bot{TOKEN}")),
        ValueError(TOKEN),
        SECRETS["SECRET_KEY"],
        'quo"ted\\CANARY',
        repr('quo"ted\\CANARY'),
    ]
    for each in said:
        log.info("said", what=each)
        log.info(str(each))
        logging.getLogger("a library").warning("said %s", each)
        logging.getLogger("a library").warning("said %r", each, extra={"more": each})
        try:
            raise RuntimeError(str(each)) from ValueError(each)
        except RuntimeError:
            log.exception("failed")
            logging.getLogger("a library").exception("failed")
    told = capfd.readouterr().err
    assert told.count("said") >= 3 * len(said) and "Traceback" in told
    assert sings(told.encode()) == []


@pytest.mark.once
def test_what_is_no_secret_is_said_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    logs.hide(TOKEN, DEAD, "")
    try:
        for line in ("127.0.0.1:43210", "SD-2026-0042 12:30:05", "http://127.0.0.1:8080/readyz", "relay", "none"):
            assert logs.redacted(line) == line
    finally:
        logs.hide()
