"""Logs with stable keys, as text or JSON; a secret never gets in, wherever it was said."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import structlog

TOKEN = re.compile(r"\d{6,}(?::|%3A)[\w-]{20,}", re.IGNORECASE)
"""What a bot token looks like; some libraries put it into the text of an exception."""
USER = re.compile(r"(?<=://)[^/\s@\"']+@")
"""Who somebody is to a server, with the password, as an address has it."""
SHORTEST = 8
"""Of a secret that is looked for everywhere: a shorter one may be a word like any other."""
_hidden: list[re.Pattern[str]] = []


def hide(*secrets: str) -> None:
    """Say none of these from now on, in place of those named before: tokens, keys, addresses with a password."""
    wanted: set[str] = set()
    for secret in filter(None, secrets):
        number, colon, half = secret.partition(":")
        if "://" in secret:
            wanted.add(unquote(urlsplit(secret).password or ""))
        elif colon and number.isdigit():
            # Whatever was cut off it: its beginning is known.
            wanted |= {half, rf"\b{number}(?::|%3[Aa])[\w%-]+"}
        else:
            wanted.add(secret)
    known = [each if each.startswith(r"\b") else _anyhow(each) for each in wanted if len(each) >= SHORTEST]
    _hidden[:] = [re.compile("|".join(sorted(known, key=len, reverse=True)))] if known else []


def _anyhow(secret: str) -> str:
    """A pattern for a secret as it is, as an address writes it, and as JSON and Python do, however often."""
    quoted = "".join(rf"\\*{re.escape(sign)}" if sign in "\"'\\" else re.escape(sign) for sign in secret)
    return f"{quoted}|{re.escape(quote(secret, safe=''))}"


def redacted(text: str) -> str:
    """`text` without any bot token, any password of an address, or what `hide` was told."""
    text = TOKEN.sub("<token>", USER.sub("***@", text))
    for pattern in _hidden:
        text = pattern.sub("<secret>", text)
    return text


def _redact(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = redacted(value)
    return event


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def set_up(level: str, form: str) -> None:
    """Send every log, ours and the libraries', to standard error in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # Never with local variables: they hold tokens and what people wrote.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _RedactingFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # A tick that takes longer than a second is no news: the next one finds what is due.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    for noisy in ("aiogram.event", "aiohttp.access", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
