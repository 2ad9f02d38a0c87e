"""Starts relays and emulators in a moment: everything is imported once, and each start is a fork of that.

What is forked has no thread and no event loop yet; it goes through `bot.__main__.main` like any other start. The nest
is the only one who ends its children, so that no process id is ever used after somebody else may have got it.
"""

import asyncio
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import failpoints
from tests.chaos.failpoints import ROOT, Board
from tests.chaos.victim import Death


@dataclass(frozen=True)
class Ended:
    """How a process ended: `code` as in subprocess (negative: by that signal), `died_at` when at a failpoint."""

    code: int
    died_at: str | None = None


@dataclass
class Child:
    """One process of the nest's, seen from the test."""

    nest: "Nest"
    number: int
    ended: "asyncio.Future[Ended]"

    async def kill(self, number: int = signal.SIGKILL) -> Ended:
        """Send it a signal, unless it has ended already, and wait for its end."""
        self.nest.tell(do="signal", child=self.number, signal=int(number))
        return await self.ended


@dataclass
class Nest:
    """The test's side: a process that keeps everything imported, spoken to in lines of JSON."""

    process: asyncio.subprocess.Process
    failpoints: tuple[str, ...] = ()
    codes: dict[str, str] = field(default_factory=dict)
    """The line of source each await stands in."""
    _children: dict[int, Child] = field(default_factory=dict)
    _counting: "list[asyncio.Future[list[int]]]" = field(default_factory=list)

    def tell(self, **wish: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(wish).encode() + b"\n")

    def hatch(self, kind: str, log: Path, *arguments: str, death: Death | None = None, **options: Any) -> Child:
        """Start a `relay` or an `emulator` with these arguments of `python -m bot`; what it says goes into `log`."""
        child = Child(self, len(self._children) + 1, asyncio.get_running_loop().create_future())
        self._children[child.number] = child
        die = [self.failpoints.index(death.failpoint), death.after] if death is not None else None
        self.tell(
            do="hatch", child=child.number, kind=kind, log=str(log), arguments=arguments, die=die, options=options
        )
        return child

    async def counts(self) -> dict[str, int]:
        """How often each failpoint was reached so far, by all relays together."""
        future: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._counting.append(future)
        self.tell(do="count")
        return dict(zip(self.failpoints, await future, strict=True))

    async def listen(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            told = json.loads(line)
            if "counts" in told:
                self._counting.pop(0).set_result(told["counts"])
            else:
                died = told["died_at"]
                ended = Ended(told["code"], self.failpoints[died] if died is not None else None)
                self._children[told["ended"]].ended.set_result(ended)


@contextlib.asynccontextmanager
async def nest() -> AsyncIterator[Nest]:
    """A nest for as long as the block lasts; whatever still runs in it then is killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.chaos.nest"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
        cwd=ROOT,
    )
    assert process.stdin is not None and process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    found = Nest(process, tuple(ready["failpoints"]), ready["codes"])
    listening = asyncio.create_task(found.listen())
    try:
        yield found
    finally:
        process.stdin.close()
        await process.wait()
        await listening


class _Server:
    """The nest's own side: forks, signals and reaps."""

    def __init__(self) -> None:
        self._board = Board()
        self._pids: dict[int, int] = {}
        self._boards: dict[int, Board] = {}

    def serve(self) -> None:
        waking, woken = os.pipe()
        for end in (waking, woken):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._say(failpoints=failpoints.FAILPOINTS, codes={point.name: point.code for point in failpoints.POINTS})
        rest = b""
        while True:
            ready, _, _ = select.select([0, waking], [], [])
            if waking in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(waking, 4096)
                self._reap()
            if 0 in ready:
                read = os.read(0, 65536)
                if not read:
                    break
                *lines, rest = (rest + read).split(b"\n")
                for line in lines:
                    self._do(json.loads(line))
        for pid in self._pids.values():
            os.kill(pid, signal.SIGKILL)
        for pid in self._pids.values():
            os.waitpid(pid, 0)

    def _say(self, **told: Any) -> None:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()

    def _do(self, wish: dict[str, Any]) -> None:
        if wish["do"] == "count":
            self._say(counts=self._board.counts())
        elif wish["do"] == "hatch":
            self._hatch(wish)
        elif wish["child"] in self._pids:
            os.kill(self._pids[wish["child"]], wish["signal"])

    def _hatch(self, wish: dict[str, Any]) -> None:
        number = wish["child"]
        own = self._boards[number] = Board()
        pid = os.fork()
        if pid:
            self._pids[number] = pid
            return
        code = 1
        try:
            code = self._be(wish, own)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _be(self, wish: dict[str, Any], own: Board) -> int:
        """In the child: leave everything of the nest's behind, then be what was asked for."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.closerange(3, 256)
        failpoints.arm(_Both(self._board, own), *(wish["die"] or ()))
        return _KINDS[wish["kind"]](wish["arguments"], **wish["options"])

    def _reap(self) -> None:
        for number, pid in list(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._pids[number]
                board = self._boards.pop(number)
                self._say(ended=number, code=os.waitstatus_to_exitcode(status), died_at=board.died_at)
                board.close()


class _Both(Board):
    """Counts for all relays together, the death for this one alone."""

    def __init__(self, together: Board, own: Board) -> None:
        super().__init__(together.memory)
        self._own = own

    @property
    def died_at(self) -> int | None:
        return self._own.died_at

    @died_at.setter
    def died_at(self, failpoint: int) -> None:
        self._own.died_at = failpoint


def _relay(arguments: list[str]) -> int:
    from tests.chaos.victim import live

    return live(arguments)


def _emulator(arguments: list[str], lag: float) -> int:
    from tests.chaos.emulator import live

    return live(arguments, lag)


_EARLY = (
    "alembic.command",
    "bot.__main__",
    "bot.app",
    "bot.sandbox.pictures",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "asyncpg",
    "storage.migrating",
    "tests.chaos.emulator",
)
"""Whatever a start would import."""
_KINDS: dict[str, Callable[..., int]] = {"relay": _relay, "emulator": _emulator}


def main() -> None:
    failpoints.install()
    for name in _EARLY:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    _Server().serve()


if __name__ == "__main__":
    main()
