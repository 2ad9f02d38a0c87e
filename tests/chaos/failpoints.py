"""Lets the relay die at any await between receipt and record, without a hook in the program.

The watched modules are read as they stand and compiled with each `await` wrapped; nothing on disk changes. An await can
be died at before it begins, while it is suspended, and when it has come back but nothing after it has run.
"""

import ast
import builtins
import importlib.abc
import importlib.machinery
import mmap
import os
import signal
import sys
import time
import types
from collections.abc import Awaitable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WATCHED = (
    "bot/app.py",
    "bot/polling.py",
    "bot/ticker.py",
    "bot/channels/telegram.py",
    "bot/services/delivering.py",
    "bot/services/picturing.py",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "handlers").glob("*.py")),
    "storage/store.py",
)
PHASES = ("before", "during", "after")
COMMIT = "COMMIT"
"""The commit of a transaction that wrote something: asked for in the storage thread, away from every await."""
_HOOK, _GUARD = "__failpoint__", "__failpoint_guard__"


@dataclass(frozen=True)
class Point:
    """One await. `name` is `bot/polling.py:118`, with `enter` or `exit` for an `async with`; `code` is its line."""

    name: str
    code: str


def _nodes(tree: ast.AST) -> list[ast.AST]:
    """The awaits of a module in the order in which they stand, each `async with` twice: coming in and going out."""
    found = [node for node in ast.walk(tree) if isinstance(node, (ast.Await, ast.withitem, ast.AsyncFor))]
    inside = {id(item) for node in ast.walk(tree) if isinstance(node, ast.AsyncWith) for item in node.items}
    assert not any(isinstance(node, ast.AsyncFor) for node in found), "an async for needs a way of its own here"
    kept = [node for node in found if isinstance(node, ast.Await) or id(node) in inside]
    return sorted(kept, key=_place)


def _place(node: Any) -> tuple[int, int]:
    at = node if isinstance(node, ast.Await) else node.context_expr
    return at.lineno, at.col_offset


_SOURCES = {file: (ROOT / file).read_text(encoding="utf-8") for file in WATCHED}
"""Read once: what is numbered is what is compiled, though somebody may save a file meanwhile."""


def _named(file: str) -> Iterator[Point]:
    source = _SOURCES[file]
    lines, seen = source.splitlines(), dict[int, int]()
    for node in _nodes(ast.parse(source)):
        line = _place(node)[0]
        seen[line] = seen.get(line, 0) + 1
        name = f"{file}:{line}" + (f"#{seen[line]}" if seen[line] > 1 else "")
        code = lines[line - 1].strip()
        if isinstance(node, ast.Await):
            yield Point(name, code)
        else:
            yield Point(f"{name} enter", code)
            yield Point(f"{name} exit", code)


POINTS: tuple[Point, ...] = (*(point for file in WATCHED for point in _named(file)), Point(COMMIT, "COMMIT"))
FAILPOINTS: tuple[str, ...] = tuple(f"{point.name} {phase}" for point in POINTS for phase in PHASES)
"""Every place to die at, by its number in the shared counts."""
FIRST = {file: next((n for n, point in enumerate(POINTS) if point.name.startswith(f"{file}:")), 0) for file in WATCHED}
SIZE = 4 * (len(FAILPOINTS) + 1)
"""Bytes of shared memory: how often each was reached, and where this process died (its number plus one)."""


class Board:
    """What outlives a process killed by itself: how often each failpoint was reached, and at which it died."""

    def __init__(self, memory: mmap.mmap | None = None) -> None:
        self.memory = memory or mmap.mmap(-1, SIZE)
        self._cells = memoryview(self.memory).cast("I")

    def count(self, failpoint: int) -> None:
        self._cells[failpoint] += 1

    def counts(self) -> list[int]:
        return list(self._cells[: len(FAILPOINTS)])

    @property
    def died_at(self) -> int | None:
        return self._cells[len(FAILPOINTS)] - 1 if self._cells[len(FAILPOINTS)] else None

    @died_at.setter
    def died_at(self, failpoint: int) -> None:
        self._cells[len(FAILPOINTS)] = failpoint + 1

    def close(self) -> None:
        self._cells.release()
        self.memory.close()


class _Armed:
    """Where this process is to die, and from when on."""

    board: Board | None = None
    failpoint = -1
    since = 0.0


def arm(board: Board, failpoint: int | None = None, after: float = 0.0) -> None:
    """Count on `board` from now on, and die when `failpoint` is reached, `after` seconds from now at the earliest."""
    _Armed.board, _Armed.failpoint = board, -1 if failpoint is None else failpoint
    _Armed.since = time.monotonic() + after


def reach(failpoint: int) -> None:
    board = _Armed.board
    if board is None:
        return
    board.count(failpoint)
    if failpoint == _Armed.failpoint and time.monotonic() >= _Armed.since:
        board.died_at = failpoint
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)  # never: the signal is delivered first


class _Suspensions:
    """The awaitable as its task sees it, counting each time it hands back to the loop."""

    def __init__(self, inner: Any, failpoint: int) -> None:
        self._inner, self._failpoint = inner, failpoint

    def __iter__(self) -> "_Suspensions":
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        yielded = self._inner.send(value)
        reach(self._failpoint)
        return yielded

    def throw(self, *error: Any) -> Any:
        yielded = self._inner.throw(*error)
        reach(self._failpoint)
        return yielded

    def close(self) -> None:
        self._inner.close()


@types.coroutine
def _await(point: int, awaitable: Any) -> Any:
    first = point * len(PHASES)
    reach(first)
    inner = awaitable.__await__() if hasattr(awaitable, "__await__") else awaitable
    result = yield from _Suspensions(inner, first + 1)
    reach(first + 2)
    return result


class _Guard:
    """An `async with` whose coming in and going out are failpoints."""

    def __init__(self, point: int, manager: Any) -> None:
        self._point, self._manager = point, manager

    def __aenter__(self) -> Awaitable[Any]:
        return _await(self._point, type(self._manager).__aenter__(self._manager))

    def __aexit__(self, *error: Any) -> Awaitable[Any]:
        return _await(self._point + 1, type(self._manager).__aexit__(self._manager, *error))


class _Wrapping(ast.NodeTransformer):
    """Puts the hook around each await, numbered as in POINTS."""

    def __init__(self, tree: ast.AST, first: int) -> None:
        self._numbers: dict[int, int] = {}
        for node in _nodes(tree):
            self._numbers[id(node)] = first
            first += 1 if isinstance(node, ast.Await) else 2

    def visit_Await(self, node: ast.Await) -> ast.AST:
        number = self._numbers[id(node)]
        self.generic_visit(node)
        node.value = self._call(_HOOK, number, node.value)
        return node

    def visit_withitem(self, node: ast.withitem) -> ast.AST:
        number = self._numbers.get(id(node))
        self.generic_visit(node)
        if number is not None:
            node.context_expr = self._call(_GUARD, number, node.context_expr)
        return node

    def _call(self, hook: str, number: int, around: ast.expr) -> ast.expr:
        made = ast.Call(ast.Name(hook, ast.Load()), [ast.Constant(number), around], [])
        return ast.fix_missing_locations(ast.copy_location(made, around))


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles the source as it stands with the hooks in; reads and writes no bytecode."""

    def get_code(self, fullname: str) -> types.CodeType:
        path = self.get_filename(fullname)
        file = str(Path(path).relative_to(ROOT))
        tree = ast.parse(_SOURCES[file], path)
        made: types.CodeType = compile(_Wrapping(tree, FIRST[file]).visit(tree), path, "exec", dont_inherit=True)
        return made


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> Any:
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None or not spec.origin.startswith(str(ROOT)):
            return None
        if str(Path(spec.origin).relative_to(ROOT)) not in FIRST:
            return None
        spec.loader = _Loader(fullname, spec.origin)
        return spec


_writing: ContextVar[bool] = ContextVar("writing", default=False)


def install() -> None:
    """From now on the watched modules are imported with failpoints. To be called before any of them is."""
    early = [file for file in WATCHED if file.removesuffix(".py").replace("/", ".") in sys.modules]
    assert not early, f"imported before the failpoints were installed: {early}"
    setattr(builtins, _HOOK, _await)
    setattr(builtins, _GUARD, _Guard)
    sys.meta_path.insert(0, _Finder())
    _watch_commits()


def _watch_commits() -> None:
    from sqlalchemy import Engine, event
    from sqlalchemy.engine.default import DefaultDialect

    at = next(n for n, point in enumerate(POINTS) if point.name == COMMIT) * len(PHASES)
    honest = DefaultDialect.do_commit

    @event.listens_for(Engine, "before_cursor_execute")
    def executing(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE"):
            connection.info["wrote"] = True

    @event.listens_for(Engine, "commit")
    def committing(connection: Any) -> None:
        _writing.set(bool(connection.info.pop("wrote", False)))

    def do_commit(self: Any, connection: Any) -> None:
        wrote = _writing.get()
        if wrote:
            reach(at)
        honest(self, connection)
        if wrote:
            reach(at + 2)

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
