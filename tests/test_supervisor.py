"""systemd hears that the relay runs, that it lives, and that it stops; a loop that hangs is heard no more."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.supervisor import Supervisor
from tests.town import town

pytestmark = pytest.mark.once


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.setblocking(False)
        yield ear


def heard(ear: socket.socket) -> list[str]:
    told = []
    while True:
        try:
            told.append(ear.recv(200).decode())
        except BlockingIOError:
            return told


async def test_systemd_hears_of_the_start_the_life_and_the_end(
    tmp_path: Path, ear: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    async with town(tmp_path):
        await asyncio.sleep(1)
        told = heard(ear)
        assert told.count("READY=1") == 1 and told.count("WATCHDOG=1") >= 3 and "STOPPING=1" not in told
        # A loop that does not come round says nothing.
        time.sleep(0.5)  # noqa: ASYNC251 - that is what hanging means
        assert heard(ear).count("WATCHDOG=1") <= 1
        await asyncio.sleep(0.5)
        assert heard(ear).count("WATCHDOG=1") >= 2
    assert "STOPPING=1" in heard(ear)


@pytest.mark.parametrize(
    ("environment", "patience"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
async def test_only_what_is_meant_for_this_process_counts(environment: dict[str, str], patience: float) -> None:
    there = Supervisor({"NOTIFY_SOCKET": "/nowhere/at/all", **environment})
    assert there.patience == patience
    there.running()
    if not patience:
        await asyncio.wait_for(there.keep_alive(), 1)


async def test_without_systemd_nothing_is_said() -> None:
    alone = Supervisor({"WATCHDOG_USEC": "1000"})
    alone.running()
    alone.stopping()
    await asyncio.wait_for(alone.keep_alive(), 1)


async def test_an_abstract_address_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(f"\0relay-test-{id(object())}-{time.monotonic_ns()}")
        ear.setblocking(False)
        Supervisor({"NOTIFY_SOCKET": f"@{ear.getsockname()[1:].decode()}"}).running()
        assert heard(ear) == ["READY=1"]
