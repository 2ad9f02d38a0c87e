"""Telegram without a network: takes every call a bot makes, holds it against the schema and the limits, answers it.

What stands in the chats is kept, so that people can press what the bot has shown and reply to it.
"""

import copy
import html
import itertools
import re
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from aiogram import Bot
from aiogram.client.session.base import BaseSession
from aiogram.exceptions import TelegramBadRequest
from aiogram.methods import TelegramMethod
from pydantic import TypeAdapter

from bot.sandbox import texts
from bot.sandbox.refusals import Refusal
from tests.fuzz.schema import NOW
from tests.schema import wrong_with_request

BOT_USER = {"id": 700000001, "is_bot": True, "first_name": "一针千线", "username": "alliance_relay_bot"}
CAPTION, TEXT, ANSWER, DATA, LABEL = 1024, 4096, 200, 64, 64
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What no text of ours may hold: control signs, other line ends than our own, halves of a surrogate pair."""


@dataclass
class Stood:
    """What stands in the chats, and what was wrong with a call."""

    messages: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    ephemeral: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)
    """(chat, text as read) of everything that was shown, edits too."""
    next_id: int = 900_000


class Wire(BaseSession):
    """The session of a bot that reaches nothing."""

    def __init__(self, stood: Stood | None = None) -> None:
        super().__init__()
        self.stood = copy.deepcopy(stood) if stood else Stood()
        self._ids = itertools.count(self.stood.next_id)

    async def close(self) -> None:
        pass

    async def stream_content(self, *args: Any, **more: Any) -> AsyncGenerator[bytes, None]:
        raise AssertionError("nothing is downloaded here")
        yield b""

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:  # noqa: ASYNC109
        asked = self._asked(bot, method)
        name = method.__api_method__
        self.stood.wrong += [f"{name}: {each}" for each in wrong_with(name, asked)]
        found = self._answer(name, asked, method)
        kind = method.__returning__
        return _read(bot, kind, found)

    def _asked(self, bot: Bot, method: TelegramMethod[Any]) -> dict[str, Any]:
        fields = method.model_dump(warnings=False)
        prepared = {
            key: self.prepare_value(value, bot=bot, files={}, _dumps_json=False) for key, value in fields.items()
        }
        return {key: value for key, value in prepared.items() if value is not None}

    def _answer(self, name: str, asked: dict[str, Any], method: TelegramMethod[Any]) -> Any:
        if name == "getMe":
            return BOT_USER
        if name == "answerCallbackQuery":
            self.stood.answers.append(asked)
            return True
        if name == "sendMediaGroup":
            return [self._stands(asked, {"photo": _photo(each["media"])}) for each in asked["media"]]
        if name.startswith("send"):
            return self._stands(asked, {})
        if name.startswith("editMessage"):
            key = (asked["chat_id"], asked["message_id"])
            if key not in self.stood.messages:
                raise TelegramBadRequest(method=method, message="Bad Request: message to edit not found")
            stood = self.stood.messages[key]
            return self._stands(asked, {"photo": stood["photo"]} if "photo" in stood else {}, key[1])
        if name in ("deleteMessage", "deleteMessages"):
            for each in asked.get("message_ids", [asked.get("message_id")]):
                self.stood.messages.pop((asked["chat_id"], each), None)
        return True

    def _stands(self, asked: dict[str, Any], more: dict[str, Any], message_id: int | None = None) -> dict[str, Any]:
        chat_id = asked["chat_id"]
        number = message_id or next(self._ids)
        self.stood.next_id = number + 1 if message_id is None else self.stood.next_id
        body: dict[str, Any] = {"message_id": number, "date": NOW, "chat": chat(chat_id), "from": BOT_USER, **more}
        media = asked.get("media")
        caption = media.get("caption") if isinstance(media, dict) else asked.get("caption")
        for key, text in (("text", asked.get("text")), ("caption", caption)):
            if text:
                body[key] = shown(text)
                self.stood.texts.append((chat_id, body[key]))
        if "photo" in asked or isinstance(media, dict):
            body["photo"] = _photo(str(asked.get("photo") or media["media"]))
        if "reply_markup" in asked:
            body["reply_markup"] = asked["reply_markup"]
        if "ephemeral_message_parameters" in asked:
            receiver = asked["ephemeral_message_parameters"]["receiver_user_id"]
            body |= {"ephemeral_message_id": number, "receiver_user": person(receiver)}
            self.stood.ephemeral[chat_id, number] = body
        else:
            self.stood.messages[chat_id, number] = body
        return body


def _read(bot: Bot, kind: Any, found: Any) -> Any:
    return _adapter(kind).validate_python(found, context={"bot": bot})


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _photo(name: str) -> list[dict[str, Any]]:
    return [{"file_id": f"file-{name}", "file_unique_id": f"u-{name}", "width": 1280, "height": 960}]


def chat(chat_id: int) -> dict[str, Any]:
    if chat_id > 0:
        return {"id": chat_id, "type": "private", "first_name": "somebody"}
    return {"id": chat_id, "type": "supergroup", "title": f"chat {chat_id}"}


def person(user_id: int) -> dict[str, Any]:
    return {"id": user_id, "is_bot": False, "first_name": f"person {user_id}"}


def shown(text: str) -> str:
    """The text as it is read, without its HTML."""
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def wrong_with(method: str, asked: dict[str, Any]) -> Iterator[str]:
    """What Telegram would have against a call: its schema, and the limits that are prose there."""
    against = wrong_with_request(method, asked)
    if against:
        yield against
    for text, most in _texts(method, asked):
        yield from wrong_with_text(text, most)
    for row in (asked.get("reply_markup") or {}).get("inline_keyboard", []):
        for button in row:
            yield from _wrong_with_button(button)


def _texts(method: str, asked: dict[str, Any]) -> Iterator[tuple[str, int]]:
    media = asked.get("media")
    for piece in media if isinstance(media, list) else [media] if isinstance(media, dict) else []:
        if piece.get("caption"):
            yield piece["caption"], CAPTION
    if asked.get("caption"):
        yield asked["caption"], CAPTION
    if "text" in asked and method == "answerCallbackQuery":
        yield asked["text"].replace("&", "&amp;").replace("<", "&lt;"), ANSWER
    elif "text" in asked:
        yield asked["text"], TEXT
        if not shown(asked["text"]).strip():
            yield "an empty message"


def wrong_with_text(text: str, most: int) -> Iterator[str]:
    """What is wrong with HTML that is to be shown; `most`: UTF-16 units as shown."""
    try:
        plain, _ = texts.parsed(text)
    except Refusal as refusal:
        yield f"{refusal.description}: {text[:200]!r}"
        return
    if units(plain) > most:
        yield f"{units(plain)} units, over {most}: {plain[:80]!r}"
    found = UNSEEN.search(plain)
    if found:
        yield f"holds {found.group()!r}: {plain[:200]!r}"


def _wrong_with_button(button: dict[str, Any]) -> Iterator[str]:
    size = len(str(button.get("callback_data", "")).encode())
    if size > DATA:
        yield f"a button's data has {size} bytes"
    if not button["text"].strip() or units(button["text"]) > LABEL:
        yield f"a button's label has {units(button['text'])} units"
    if len(button.get("url", "")) > 2048:
        yield "a button's address is too long"
