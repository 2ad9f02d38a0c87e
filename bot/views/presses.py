"""What a button says when it is pressed: a short typed line that fits Telegram's 64 bytes."""

from dataclasses import dataclass

from bot.domain.acts import Act


@dataclass(frozen=True)
class Press:
    """`kind`: act, menu (choices on this card), open (a card of its own), page (of a list), bind (a chat),
    more (pictures), all (that wait in a list)."""

    kind: str
    incident: int = 0
    name: str = ""
    choice: str = ""


_LETTERS = {"act": "a", "menu": "m", "open": "o", "page": "p", "bind": "b", "more": "n", "all": "w"}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}


def number(text: str) -> int | None:
    """A number a button may carry, or None: other digits than 0-9, or more than a row can have, were never written."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def pack(press: Press) -> str:
    data = f"{_LETTERS[press.kind]}:{press.incident}:{press.name}:{press.choice}"
    if len(data.encode()) > 64:
        raise ValueError(f"a button's data is over 64 bytes: {data}")
    return data


def unpack(data: str) -> Press | None:
    """The press, or None for data that this bot never wrote."""
    pieces = data.split(":", 3)
    if len(pieces) != 4 or pieces[0] not in _KINDS:
        return None
    incident = number(pieces[1])
    if incident is None:
        return None
    press = Press(_KINDS[pieces[0]], incident, pieces[2], pieces[3])
    if press.kind == "act" and press.name not in set(Act):
        return None
    return press
