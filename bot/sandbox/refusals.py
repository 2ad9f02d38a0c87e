"""Every "no" of the emulator is one exception, so that a method says it where it knows it and the door
alone turns it into Telegram's answer. The wordings are Telegram's own: bots match on them."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A request is refused with Telegram's error code, description and response parameters."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def answer(self) -> dict[str, Any]:
        """The body Telegram sends: ``{"ok": false, "error_code", "description"[, "parameters"]}``."""
        body: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = self.parameters
        return body


class Mistake(Exception):
    """A request to the control API cannot be done; one clear line says why."""

    def __init__(self, line: str, status: int = 400) -> None:
        super().__init__(line)
        self.line = line
        self.status = status


def bad(description: str, **parameters: int) -> Refusal:
    """A 400 in Telegram's words."""
    return Refusal(400, f"Bad Request: {description}", **parameters)


def forbidden(description: str) -> Refusal:
    """A 403 in Telegram's words."""
    return Refusal(403, f"Forbidden: {description}")


def conflict(description: str) -> Refusal:
    """A 409: somebody else already receives the updates."""
    return Refusal(409, f"Conflict: {description}")


def too_many(seconds: int) -> Refusal:
    """A 429 that names the seconds to wait, in the text and as a parameter."""
    return Refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
