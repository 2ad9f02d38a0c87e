"""The command line. Each command answers in words and an exit code; no traceback reaches a terminal."""

import argparse
import asyncio
import io
import logging
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from bot.settings import Settings, SettingsError, load, secret_values

OK, WRONG, MISUSED = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal of another encoding is no reason to end
    options = _parser().parse_args(arguments)
    try:
        return _COMMANDS[options.command](options)
    except (SettingsError, ConnectionError) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return OK
    except Exception as error:
        if os.environ.get("LOG_LEVEL", "").upper() == "DEBUG":
            return _fail(traceback.format_exc())
        name = type(error).__name__
        return _fail(_told(error) if name in _PLAIN else f"{name}: {_told(error)} (LOG_LEVEL=DEBUG shows more)")


_PLAIN = {"StartError", "AllianceError", "BackupError", "StorageAway", "SystemExit"}
"""Errors whose text is a sentence for the operator already."""


def _told(error: BaseException) -> str:
    from bot.logs import redacted

    return redacted(" ".join(str(error).split()))[:400]


def _fail(text: str) -> int:
    from bot.logs import redacted

    print(redacted(text), file=sys.stderr)
    return WRONG


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, as every command's complaint is."""
        self.exit(MISUSED, f"{' '.join(message.split())} ({self.prog} --help tells more)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m bot", description="alliance-relay: one needle, a thousand threads")
    told_config = "settings file (default: config.env here)"
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    parser.set_defaults(command="run", config=None)

    def command(name: str, told: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=told, description=told)
        # Left out here, it must not overrule the one that may stand before the command.
        made.add_argument("--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help=told_config)
        return made

    parser.add_argument("--config", type=Path, metavar="FILE", help=told_config)
    command("run", "run the relay (the default); without BOT_TOKEN: the sandbox")
    command("check", "check settings, token, rights in each chat, calendar, database")
    command("apply", "apply an alliance file and print the difference").add_argument("file", type=Path)
    command("migrate", "bring the database to this version's tables")
    command("backup", "write a backup of the database and files").add_argument("dest", type=Path)
    command("restore", "restore a backup").add_argument("src", type=Path)
    command("retry", "handle updates again that were set aside")
    resume = command("resume", "send the messages that wait since a restore")
    instead = resume.add_mutually_exclusive_group()
    instead.add_argument("--list", action="store_true", help="only show them")
    instead.add_argument("--drop", action="store_true", help="do not send them: they went out before")
    forget = command("forget", "erase a person from rows, files and coming backups")
    forget.add_argument("user_id", type=_user, metavar="USER_ID", help="the person's Telegram user id")
    forget.add_argument("--show", action="store_true", help="only say what is kept, change nothing")
    sandbox = command("sandbox", "run the Bot API emulator alone")
    sandbox.add_argument("--host", default="127.0.0.1")
    sandbox.add_argument("--port", type=int, default=8081)
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    from bot import logs

    settings = load(options.config)
    logs.hide(*secret_values(settings))
    logs.set_up(settings.log_level, settings.log_format)
    # What Python itself has to say goes the same way.
    logging.captureWarnings(True)
    return settings


def _run(options: argparse.Namespace) -> int:
    settings = _settings(options)
    from bot.app import run

    asyncio.run(run(settings, _say))
    return OK


def _say(text: str) -> None:
    from bot.logs import redacted

    print(redacted(text), flush=True)


def _check(options: argparse.Namespace) -> int:
    settings = _settings(options)
    from bot.checking import check

    return OK if asyncio.run(check(settings, _say)) else WRONG


def _apply(options: argparse.Namespace) -> int:
    settings = _settings(options)
    from bot.maintenance import apply

    asyncio.run(apply(settings, options.file, _say))
    return OK


def _migrate(options: argparse.Namespace) -> int:
    settings = _settings(options)
    from bot.maintenance import migrate_only

    asyncio.run(migrate_only(settings, _say))
    return OK


def _backup(options: argparse.Namespace) -> int:
    settings = _settings(options)
    from bot.maintenance import backup

    asyncio.run(backup(settings, options.dest, _say))
    return OK


def _restore(options: argparse.Namespace) -> int:
    settings = _settings(options)
    from bot.maintenance import restore

    asyncio.run(restore(settings, options.src, _say))
    return OK


def _retry(options: argparse.Namespace) -> int:
    settings = _settings(options)
    from bot.retrying import retry

    return OK if asyncio.run(retry(settings, _say)) else WRONG


def _user(given: str) -> int:
    """A Telegram user id."""
    if not given.isascii() or not given.isdigit() or not 0 < int(given) < 1 << 53:
        raise argparse.ArgumentTypeError(f'"{given[:40]}" is no Telegram user id: write a positive number')
    return int(given)


def _forget(options: argparse.Namespace) -> int:
    settings = _settings(options)
    from bot.forgetting import forget_person

    asyncio.run(forget_person(settings, options.user_id, _say, options.show))
    return OK


def _resume(options: argparse.Namespace) -> int:
    settings = _settings(options)
    from bot.resuming import resume

    asyncio.run(resume(settings, _say, drop=options.drop, look=options.list))
    return OK


def _sandbox(options: argparse.Namespace) -> int:
    from bot.sandbox.server import serve

    asyncio.run(serve(options.host, options.port))
    return OK


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "check": _check,
    "apply": _apply,
    "migrate": _migrate,
    "backup": _backup,
    "restore": _restore,
    "retry": _retry,
    "resume": _resume,
    "forget": _forget,
    "sandbox": _sandbox,
}

if __name__ == "__main__":
    sys.exit(main())
