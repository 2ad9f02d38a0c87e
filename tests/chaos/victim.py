"""The relay as its operator runs it, in a process that may be told where to die.

`python -m tests.chaos.victim --die-at "bot/services/delivering.py:178 after" run --config FILE` is one such process by
hand. `--die-at "FAILPOINT@3.5"` lets it live for so many seconds first; `--points` lists the failpoints.
"""

import argparse
import sys
from dataclasses import dataclass

from tests.chaos import failpoints


@dataclass(frozen=True)
class Death:
    """To die when this failpoint is reached, `after` seconds from the start at the earliest."""

    failpoint: str
    after: float = 0.0


def hurried() -> None:
    """No waiting for Telegram's limits (one message a second in a group): they have tests of their own."""
    from bot.domain import pace

    pace.GROUP = pace.PRIVATE = ((1000, 1.0),)


def live(arguments: list[str]) -> int:
    """Be the relay, `python -m bot ARGUMENTS`; returns its exit code."""
    from bot.__main__ import main

    hurried()
    return main(arguments)


def _told(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.victim", description=__doc__)
    parser.add_argument("--die-at", default="", metavar="FAILPOINT[@SECONDS]")
    parser.add_argument("--points", action="store_true", help="list the failpoints")
    return parser.parse_known_args(arguments)


def main(arguments: list[str]) -> int:
    told, rest = _told(arguments)
    if told.points:
        print("\n".join(failpoints.FAILPOINTS))
        return 0
    failpoints.install()
    name, _, after = told.die_at.partition("@")
    failpoints.arm(failpoints.Board(), failpoints.FAILPOINTS.index(name) if name else None, float(after or 0))
    return live(rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
