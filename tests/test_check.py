"""`check` says in one line a point what is there and what is not, and how to mend it."""

import shutil
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web

from bot import asking, checking, maintenance
from bot.sandbox.server import Sandbox
from bot.settings import Settings, load
from tests import databases
from tests.town import EXAMPLE, GUANDI, alliance, config

TOKEN = "700000001:a-token-of-the-town-0123456789"


@pytest.fixture(autouse=True)
def a_day_in_june(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calendar's answer must not depend on the day of the test."""
    on_day(monkeypatch, datetime(2027, 1, 10, tzinfo=UTC))
    monkeypatch.setattr(checking.ChinaWorkdays, "is_estimated", lambda _self, day: day.year > 2027)


@pytest.fixture
def decoder() -> None:
    """Asked for by a test in which the decoder is the matter."""


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the decoder is not the matter, its process is not started."""

    async def unasked(_found: checking.Findings) -> None:
        pass

    if "decoder" not in request.fixturenames:
        monkeypatch.setattr(checking, "_decoder", unasked)


def on_day(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(checking, "Clock", lambda: SimpleNamespace(now=lambda: now))


@pytest.fixture
async def sandbox() -> AsyncIterator[tuple[Sandbox, str]]:
    running = Sandbox(limits=False)
    base = await running.start()
    yield running, base
    await running.stop()


async def prepared(home: Path, base: str, **more: str) -> Settings:
    alliance(home)
    settings = load(config(home, base, **more))
    await maintenance.apply(settings, settings.alliance_file, lambda _text: None)
    return settings


async def checked(settings: Settings) -> tuple[bool, list[str]]:
    said: list[str] = []
    good = await checking.check(settings, said.append)
    assert all(each[:2] in ("✓ ", "○ ", "✗ ") and "\n" not in each and TOKEN not in each for each in said), said
    assert good == (not any(each.startswith("✗") for each in said))
    return good, said


def amiss(said: list[str]) -> list[str]:
    return [each for each in said if each.startswith("✗")]


def change(settings: Settings, statement: str) -> None:
    databases.chosen().run(settings.data_dir.parent, statement)


@pytest.mark.usefixtures("decoder")
async def test_where_all_is_well_every_point_says_so(sandbox: tuple[Sandbox, str], tmp_path: Path) -> None:
    good, said = await checked(await prepared(tmp_path, sandbox[1]))
    assert good, amiss(said)
    points = [each[2:].partition(":")[0].partition(" ")[0] for each in said]
    assert points[:9] == [
        "settings",
        "data",
        "calendar",
        "pictures",
        "database",
        "alliance",
        "alliance",
        "token",
        "clock",
    ]
    assert points[9] == "privacy" and points[10:] == ["chat"] * 10
    assert any(f'chat {GUANDI} (district guandi): "关帝庙商圈", the bot is' in each for each in said)


@pytest.mark.once
@pytest.mark.usefixtures("decoder")
async def test_without_a_token_the_sandbox_needs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLE.parents[2]))
    good, said = await checked(load(None))
    assert good and sum("skipped" in each for each in said) == 3
    assert list(tmp_path.iterdir()) == [], "check leaves nothing behind"


@pytest.mark.once
async def test_a_new_installation_is_told_what_to_do(sandbox: tuple[Sandbox, str], tmp_path: Path) -> None:
    settings = load(config(tmp_path, sandbox[1]))
    _, said = await checked(settings)
    assert any("is still empty; the first start makes its tables" in each for each in said)
    assert any("no such file: copy bot/example/alliance.toml there" in each for each in amiss(said))


async def test_a_chat_that_lost_the_bot_and_one_that_hides_its_photos_are_named(
    sandbox: tuple[Sandbox, str], tmp_path: Path
) -> None:
    settings = await prepared(tmp_path, sandbox[1])
    world = sandbox[0]._platform.world
    world.can_read_all = False
    world.chats[-1001000000101].bot_status = "member"
    world.chats[-1001000000102].bot_status = "kicked"
    world.chats[-1001000000103].bot_status = "administrator"
    world.chats[-1001000000201].bot_status = "member"
    _, said = await checked(settings)
    told = sorted(amiss(said), reverse=True)
    assert len(told) == 2
    assert "chat -1001000000102" in told[0] and "add the bot to the group" in told[0]
    assert "chat -1001000000101" in told[1] and "does not see its photos: make it an administrator" in told[1]
    assert any(each.startswith("✓ privacy mode: on") for each in said)


async def test_an_alliance_file_that_is_wrong_or_not_applied_is_told(
    sandbox: tuple[Sandbox, str], tmp_path: Path
) -> None:
    settings = await prepared(tmp_path, sandbox[1])
    text = settings.alliance_file.read_text("utf-8")
    settings.alliance_file.write_text(text + "# more\n", "utf-8")
    _, said = await checked(settings)
    assert "python -m bot apply" in amiss(said)[0]
    settings.alliance_file.write_text(text + "wrong\n", "utf-8")
    _, said = await checked(settings)
    assert "alliance.toml, line" in amiss(said)[0]


async def test_who_has_no_chat_is_named(sandbox: tuple[Sandbox, str], tmp_path: Path) -> None:
    settings = await prepared(tmp_path, sandbox[1])
    change(settings, "DELETE FROM binding WHERE chat_id IN (-1001000000001, -1001000000201, -1001000000202)")
    change(settings, "UPDATE unit SET contact = 'mailto:a@example.org' WHERE key = 'power'")
    _, said = await checked(settings)
    told = amiss(said)
    # A contact is no chat: nothing is sent there yet.
    named = ["✗ community shuidongdai", "✗ unit shuidongdai/water", "✗ unit shuidongdai/power"]
    assert [each.partition(":")[0] for each in told] == named


@pytest.mark.once
async def test_a_database_that_cannot_be_used_is_told(sandbox: tuple[Sandbox, str], tmp_path: Path) -> None:
    settings = await prepared(tmp_path, sandbox[1])
    change(settings, "UPDATE alembic_version SET version_num = '9999'")
    _, said = await checked(settings)
    assert "newer than this program" in amiss(said)[0]
    (settings.data_dir / "relay.sqlite").write_bytes(b"dead" * 4096)
    _, said = await checked(settings)
    assert "file is not a database" in amiss(said)[0] and "bot restore" in amiss(said)[0]
    dead = load(config(tmp_path, sandbox[1], DATABASE_URL="postgresql+asyncpg://a:canary-word@127.0.0.1:1/x"))
    _, said = await checked(dead)
    assert amiss(said)[0].startswith("✗ database: DATABASE_URL cannot be used")
    assert not any("canary" in each for each in said)


async def test_the_next_year_is_asked_for_from_november_on(
    sandbox: tuple[Sandbox, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = await prepared(tmp_path, sandbox[1])
    for month, wanted in ((10, 0), (11, 1)):
        on_day(monkeypatch, datetime(2027, month, 1, tzinfo=UTC))
        good, said = await checked(settings)
        assert good and len([each for each in said if each.startswith("○")]) == wanted
    assert any("the holidays of 2028 are not known yet" in each for each in said)
    on_day(monkeypatch, datetime(2028, 3, 1, tzinfo=UTC))
    good, said = await checked(settings)
    assert not good and "the holidays of 2028 are not known" in amiss(said)[0]


@pytest.mark.usefixtures("decoder")
async def test_a_machine_that_is_short_of_something_is_told(
    sandbox: tuple[Sandbox, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = await prepared(tmp_path, sandbox[1])
    on_day(monkeypatch, datetime(1970, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=100 << 20))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    _, said = await checked(settings)
    assert [each.partition(":")[0] for each in amiss(said)] == ["✗ data folder", "✗ clock", "✗ pictures"]
    _, said = await checked(settings.model_copy(update={"data_dir": Path("/proc/relay")}))
    assert "/proc/relay cannot be written" in amiss(said)[0]


@asynccontextmanager
async def server(status: int, body: str, **headers: str) -> AsyncIterator[str]:
    """Answers everything in one way."""

    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, text=body, headers=headers)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (401, '{"ok": false, "error_code": 401, "description": "Unauthorized"}', "copy BOT_TOKEN again"),
        (404, '{"ok": false, "error_code": 404, "description": "Not Found"}', "copy BOT_TOKEN again"),
        (500, '{"ok": false, "error_code": 500, "description": "Internal"}', "answered 500 Internal"),
        (502, "<html>Bad Gateway", "what answers there is no Bot API"),
        (200, "[1]", "what answers there is no Bot API"),
    ],
)
async def test_what_telegram_says_no_with_is_one_line(tmp_path: Path, status: int, body: str, told: str) -> None:
    async with server(status, body) as base:
        _, said = await checked(await prepared(tmp_path, base))
    assert len(amiss(said)) == 1 and told in said[-1]


async def test_a_clock_that_is_off_is_told(tmp_path: Path) -> None:
    me = '{"ok": true, "result": {"id": 1, "username": "x", "can_read_all_group_messages": true}}'
    async with server(200, me, Date="Mon, 23 Nov 2020 12:00:00 GMT") as base:
        settings = await prepared(tmp_path, base)
        change(settings, "DELETE FROM binding")
        change(settings, "DELETE FROM secretary")
        change(settings, "UPDATE unit SET active = false")
        _, said = await checked(settings)
    (told,) = amiss(said)
    assert "s ahead of Telegram's: set the machine's clock" in told


async def test_without_a_network_one_line_says_so_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE", 0.3)
    settings = await prepared(tmp_path, "http://127.0.0.1:1")
    _, said = await checked(settings)
    assert amiss(said) == [
        "✗ Telegram: http://127.0.0.1:1 cannot be reached (Connection refused): check the network and BOT_API_URL"
    ]
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        _, said = await checked(settings.model_copy(update={"bot_api_url": address}))
    assert "no answer within 0.3 s" in amiss(said)[0] and len(amiss(said)) == 1
    answered = threading.Event()
    monkeypatch.setattr(asking.socket, "getaddrinfo", lambda *_: answered.wait(60))
    _, said = await checked(settings.model_copy(update={"bot_api_url": "https://nowhere.invalid"}))
    assert "the name was not found within 0.3 s" in amiss(said)[0]
    answered.set()


@pytest.mark.once
def test_the_longest_check_ends_within_fifteen_seconds() -> None:
    """Name, one answer, and the database: what is waited for when nobody answers at all."""
    assert 2 * asking.PATIENCE + checking.PATIENCE <= 15
