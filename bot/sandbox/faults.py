"""Failures on order: a test says which call shall fail and how, and sees whether the bot loses or doubles
anything. Some kinds fail before the call took effect, some after, as on a real network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from bot.sandbox.refusals import Mistake, Refusal, too_many

KINDS: Final = frozenset(
    {
        *("429", "429text", "429bare", "403"),
        *("500", "500bare", "502page", "html", "redirect"),
        *("truncated", "empty", "gzip", "binary", "shape", "null", "slow"),
        *("timeout", "reset_before", "reset_after"),
    }
)
_DELIVERED: Final = frozenset({"truncated", "empty", "gzip", "binary", "shape", "null", "slow", "reset_after"})
_WORDED: Final = re.compile(r"([45]\d\d):(.*)", re.DOTALL)
_NAMES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    500: "Internal Server Error",
}


@dataclass(slots=True)
class Fault:
    """One ordered failure: of a method or any, in a chat or any, so many times.

    ``delivered``: the call takes effect all the same (by default for what says 200 or breaks off afterwards).
    """

    kind: str
    method: str | None
    chat: int | None
    times: int
    retry_after: int
    seconds: float
    delivered: bool

    def refusal(self) -> Refusal | None:
        """What the call is refused with, or None when the failure is of the wire and not of the answer."""
        if self.kind == "429":
            return too_many(self.retry_after)
        if self.kind == "429text":
            return Refusal(429, f"Too Many Requests: retry after {self.retry_after}")
        if self.kind == "403":
            if self.chat is not None and self.chat > 0:
                return Refusal(403, "Forbidden: bot was blocked by the user")
            return Refusal(403, "Forbidden: bot was kicked from the supergroup chat")
        worded = _WORDED.fullmatch(self.kind)
        if worded is None:
            return None
        code, told = int(worded[1]), worded[2].strip()
        name = _NAMES.get(code, "Error")
        told = told.removeprefix(name).removeprefix(":").strip()
        return Refusal(code, f"{name}: {told}" if told else name)


class Faults:
    """The failures still to come, in the order they were asked for."""

    def __init__(self) -> None:
        self.ordered: list[Fault] = []

    def order(self, wish: dict[str, Any]) -> Fault:
        """Order a failure; raises Mistake when its kind or numbers make no sense."""
        kind = str(wish.get("kind", ""))
        if kind not in KINDS and not _WORDED.fullmatch(kind):
            raise Mistake(f"no fault of kind {kind!r}; there are {', '.join(sorted(KINDS))} and <code>:<description>")
        method = wish.get("method")
        chat = wish.get("chat")
        try:
            fault = Fault(
                kind=kind,
                method=str(method).lower() if method else None,
                chat=int(chat) if chat is not None else None,
                times=int(wish.get("times", 1)),
                retry_after=int(wish.get("retry_after", 1)),
                seconds=float(wish.get("seconds", 60)),
                delivered=bool(wish.get("delivered", kind in _DELIVERED)),
            )
        except (TypeError, ValueError):
            raise Mistake("chat, times, retry_after and seconds are numbers") from None
        if fault.times < 1:
            raise Mistake("times is at least 1")
        self.ordered.append(fault)
        return fault

    def take_back(self, wish: dict[str, Any]) -> None:
        """Forget the failures still to come: all, or those of the ``chat`` or ``method`` that is named."""
        chat, method = wish.get("chat"), wish.get("method")
        self.ordered[:] = [
            fault
            for fault in self.ordered
            if (chat is not None and fault.chat != int(chat))
            or (method is not None and fault.method != str(method).lower())
        ]

    def due(self, method: str, chat: Any) -> Fault | None:
        """The failure that this call meets, used up by one; None when it may pass.

        A fault that names no method spares getUpdates, or the bot's idle polling would use it up.
        """
        if not self.ordered:
            return None
        name = method.lower()
        for fault in self.ordered:
            named = fault.method == name or (fault.method is None and name != "getupdates")
            if named and (fault.chat is None or fault.chat == chat):
                fault.times -= 1
                if fault.times <= 0:
                    self.ordered.remove(fault)
                return fault
        return None
