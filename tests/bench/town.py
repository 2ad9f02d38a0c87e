"""The town that is measured: twenty groups with a unit each, five hundred shops, and the processes that serve them."""

import asyncio
import contextlib
import json
import os
import signal
import statistics
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.town import config, free_port

GROUPS = 20
SHOPS = 25
"""In each group."""
SECRETARY = 500000001
OFFICE, STAFF = -1001000000001, -1001000000002
CAPTION = "自来水井盖坏了"
"""Files itself, and goes to the group's own unit."""
TICK = os.sysconf("SC_CLK_TCK")


def group(n: int) -> int:
    return -1002000000000 - n


def unit(n: int) -> int:
    return -1003000000000 - n


def shop(n: int) -> int:
    return 510000000 + n


def world(home: Path) -> Path:
    people = [{"id": SECRETARY, "first_name": "Secretary", "role": "", "language_code": "zh"}]
    people += [
        {"id": shop(n), "first_name": f"店主{n}", "role": "", "language_code": "zh"} for n in range(GROUPS * SHOPS)
    ]
    chats = [{"id": each, "type": "supergroup", "title": str(each), "members": [SECRETARY]} for each in (OFFICE, STAFF)]
    for n in range(GROUPS):
        members = [shop(n + GROUPS * k) for k in range(SHOPS)]
        chats.append({"id": group(n), "type": "supergroup", "title": f"商圈{n}", "members": [SECRETARY, *members]})
        chats.append({"id": unit(n), "type": "supergroup", "title": f"水务{n}", "members": [SECRETARY]})
    path = home / "world.json"
    bot = {"id": 700000001, "first_name": "一针千线", "username": "alliance_relay_bot"}
    path.write_text(json.dumps({"bot": bot, "people": people, "chats": chats}), encoding="utf-8")
    return path


def alliance(home: Path) -> None:
    parts = [
        f'[[community]]\nkey = "sd"\nname = "社区"\nprefix = "SD"\noffice_chat = {OFFICE}\n'
        f'secretaries = [{SECRETARY}]\ngather = "1s"\nquiet_hours = ""\nquota = 0\n'
    ]
    for n in range(GROUPS):
        parts.append(f'[[community.district]]\nkey = "d{n}"\nname = "商圈{n}"\nchats = [{group(n)}]\n')
        parts.append(
            f'[[community.unit]]\nkey = "u{n}"\nname = "水务{n}"\nchat = {unit(n)}\n'
            f'categories = ["cover.water"]\ndistricts = ["d{n}"]\n'
        )
    (home / "alliance.toml").write_text("\n".join(parts), encoding="utf-8")


class Process:
    """A program that says when it runs; its processor time and memory are read from the system."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, *command: str, log: Path) -> "Process":
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *command, stdout=asyncio.subprocess.PIPE, stderr=file
            )
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while b"is running" not in (line := await process.stdout.readline()):
                assert line, f"{command} ended: {log.read_text(encoding='utf-8')}"
        return cls(process)

    @property
    def cpu(self) -> float:
        """Seconds of processor time, its threads included."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    @property
    def memory(self) -> float:
        """Megabytes that it holds, shared libraries counted in part."""
        lines = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    async def end(self) -> None:
        if self._process.returncode is None:
            self.go_on()
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), 30)


@dataclass
class Stage:
    """An emulator, what serves it, and the people."""

    home: Path
    base: str
    http: aiohttp.ClientSession
    server: Process
    serves: Process

    async def post(self, name: str, **wish: Any) -> dict[str, Any]:
        async with self.http.post(f"{self.base}/sandbox/{name}", json=wish) as answer:
            told = await answer.json()
            assert answer.status == 200, told
            return dict(told)

    async def get(self, name: str, **asked: Any) -> dict[str, Any]:
        async with self.http.get(f"{self.base}/sandbox/{name}", params=asked) as answer:
            return dict(await answer.json())

    async def report(self, n: int) -> int:
        """The n-th report: a photo in the n-th group, counted round; its message id there."""
        told = await self.post("send", **_photo(n))
        return int(told["messages"][0]["message_id"])

    async def calls(self, method: str, since: int = 0) -> list[dict[str, Any]]:
        found = (await self.get("calls", since=since))["calls"]
        return [call for call in found if call["method"] == method and call["status"] == 200]

    async def mark(self) -> int:
        return int((await self.get("calls", since=1 << 40))["next"])


def _photo(n: int) -> dict[str, Any]:
    return {"as": shop(n), "chat": group(n % GROUPS), "text": f"{CAPTION} {n}", "samples": ["cover"]}


@contextlib.asynccontextmanager
async def stage(home: Path, ours: bool, lag: float = 0.0, **settings: str) -> AsyncIterator[Stage]:
    """The relay, or (not `ours`) the reference, serving a fresh town. `lag`: seconds each answer takes."""
    home.mkdir(parents=True)
    port = free_port()
    log = home / "log.txt"
    server = await Process.start("tests.bench.emulator", str(world(home)), str(port), str(lag), log=log)
    base = f"http://127.0.0.1:{port}"
    try:
        if ours:
            alliance(home)
            path = config(home, base, DATABASE_URL="", **settings)
            serves = await Process.start("tests.bench.relay", "run", "--config", str(path), log=log)
        else:
            serves = await Process.start("tests.bench.reference", base, str(STAFF), log=log)
        try:
            async with aiohttp.ClientSession() as http:
                yield Stage(home, base, http, server, serves)
        finally:
            await serves.end()
    finally:
        await server.end()


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Median, and in brackets the least and the most."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"
