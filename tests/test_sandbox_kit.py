"""The bot's side and the people's side of the emulator as one object over real HTTP; every answer of the Bot
API is held against the published schema before a test sees it. Holds no tests itself."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from jsonschema import Draft202012Validator
from PIL import Image

from bot.sandbox import server

SCHEMA = json.loads(Path(server.__file__).with_name("botapi.jsonschema.json").read_text(encoding="utf-8"))
TOKEN = "700000001:a-token_of_the_sandbox"
GUANDI, WATER, OFFICE = -1001000000101, -1001000000201, -1001000000001
ZHANG, LI, MARIA, WANG, LIN, ZHOU = 500000101, 500000102, 500000103, 500000104, 500000001, 500000201

_validators: dict[str, Draft202012Validator] = {}


def wrong_with(kind: str, value: Any) -> str | None:
    """What the schema has against a value of that return type, or None."""
    if kind not in _validators:
        _validators[kind] = Draft202012Validator({**_shape(kind), "$defs": SCHEMA["$defs"]})
    error = next(_validators[kind].iter_errors(value), None)
    return None if error is None else f"{error.json_path}: {error.message[:300]}"


def _shape(kind: str) -> dict[str, Any]:
    if " or " in kind:
        return {"anyOf": [_shape(part) for part in kind.split(" or ")]}
    if kind.startswith("Array of "):
        return {"type": "array", "items": _shape(kind[9:])}
    plain = {"True": {"const": True}, "Integer": {"type": "integer"}, "String": {"type": "string"}}
    return plain.get(kind) or {"$ref": f"#/$defs/{kind}"}


class Telegram:
    """One sandbox seen from outside."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A call of the bot as JSON; the whole answer, checked."""
        async with self.http.post(f"/bot{TOKEN}/{method}", json=params) as answer:
            return checked(method, answer.status, await answer.json())

    async def form(self, method: str, fields: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:
        """A call of the bot as multipart, as aiogram sends it."""
        form = aiohttp.FormData(quote_fields=False)
        for name, value in fields.items():
            form.add_field(name, value if isinstance(value, str) else json.dumps(value))
        for name, content in files.items():
            form.add_field(name, io.BytesIO(content), filename=f"{name}.jpg")
        async with self.http.post(f"/bot{TOKEN}/{method}", data=form) as answer:
            return checked(method, answer.status, await answer.json())

    async def ok(self, method: str, **params: Any) -> Any:
        """The result of a call that must succeed."""
        body = await self.call(method, **params)
        assert body["ok"], body
        return body["result"]

    async def refusal(self, method: str, **params: Any) -> str:
        """The description of a call that must be refused."""
        body = await self.call(method, **params)
        assert not body["ok"], body
        return str(body["description"])

    async def updates(self, **params: Any) -> list[dict[str, Any]]:
        """getUpdates."""
        found: list[dict[str, Any]] = await self.ok("getUpdates", **params)
        return found

    async def new_updates(self) -> list[dict[str, Any]]:
        """All that is pending, acknowledged at once."""
        found = await self.updates()
        if found:
            await self.updates(offset=found[-1]["update_id"] + 1)
        return found

    async def do(self, path: str, wish: dict[str, Any] | None = None, *, method: str = "POST") -> dict[str, Any]:
        """A request to the control API that must succeed."""
        status, body = await self.ask(path, wish, method=method)
        assert status == 200, body
        return body

    async def ask(
        self, path: str, wish: dict[str, Any] | None = None, *, method: str = "POST"
    ) -> tuple[int, dict[str, Any]]:
        """A request to the control API: (status, body)."""
        async with self.http.request(method, f"/sandbox/{path}", json=wish) as answer:
            return answer.status, await answer.json()

    async def see(self, path: str) -> dict[str, Any]:
        """A GET of the control API that must succeed."""
        return await self.do(path, method="GET")

    async def say(self, person: int, chat: int, text: str | None = None, **more: Any) -> dict[str, Any]:
        """Somebody writes; their (first) message."""
        wish = {"as": person, "chat": chat, "text": text, **more}
        message: dict[str, Any] = (await self.do("send", wish))["messages"][0]
        return message

    async def buttons(self, chat: int, *labels: str, **more: Any) -> dict[str, Any]:
        """The bot sends a text with buttons whose data is their label."""
        rows = [[{"text": label, "callback_data": label}] for label in labels]
        sent: dict[str, Any] = await self.ok(
            "sendMessage", chat_id=chat, text="choose", reply_markup={"inline_keyboard": rows}, **more
        )
        return sent

    def press(self, person: int, chat: int, message_id: int, label: str, **more: Any) -> asyncio.Task[dict[str, Any]]:
        """Somebody presses and waits, in the background."""
        wish = {"as": person, "chat": chat, "message_id": message_id, "button": label, **more}
        return asyncio.create_task(self.do("press", wish))

    async def pressed(self) -> dict[str, Any]:
        """The callback query that comes next, acknowledged."""
        found = await self.updates(timeout=5)
        await self.updates(offset=found[0]["update_id"] + 1)
        query: dict[str, Any] = found[0]["callback_query"]
        return query

    async def shown(self, chat: int, person: int | None = None) -> list[dict[str, Any]]:
        """The messages of a chat as the page sees them."""
        state = await self.see("state" + (f"?as={person}" if person else ""))
        messages: list[dict[str, Any]] = state["messages"][str(chat)]
        return messages


def checked(method: str, status: int, body: dict[str, Any]) -> dict[str, Any]:
    """An answer of the Bot API that fits the schema (or Telegram's form of an error)."""
    if body["ok"]:
        assert status == 200
        names = {name.lower(): kind for name, kind in SCHEMA["returns"].items()}
        wrong = wrong_with(names[method.lower()], body["result"])
        assert wrong is None, f"{method}: {wrong}"
    else:
        assert status == body["error_code"] and isinstance(body["description"], str)
    return body


def picture(width: int = 200, height: int = 100, form: str = "JPEG", **options: Any) -> bytes:
    """A plain picture."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 80, 40)).save(out, form, **options)
    return out.getvalue()


@asynccontextmanager
async def telegram(*, limits: bool = False, **options: Any) -> AsyncIterator[Telegram]:
    """A started sandbox and its client; flood limits are off unless a test is about them."""
    sandbox = server.Sandbox(limits=limits, **options)
    url = await sandbox.start()
    try:
        async with aiohttp.ClientSession(url) as http:
            yield Telegram(url, http)
    finally:
        await sandbox.stop()
