"""The second door, for the page and the tests: see the world, act as its people, wind its clock, order
failures. Everything in JSON; a mistake is answered with one clear line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any, Final

from aiohttp import web

from bot.sandbox import posting, pressing, requests, staging, switches, wishes
from bot.sandbox.platform import Platform
from bot.sandbox.refusals import Mistake, Refusal
from bot.sandbox.views import bot_view, chat_view, message_view, person_view
from bot.sandbox.world import Chat

LONGEST_WAIT: Final = 60.0
HEARTBEAT: Final = 15.0
SHOWN_OF_A_CHAT: Final = 1000
"""How many of a chat's last messages the state holds unless ``limit`` says otherwise."""

Wish = dict[str, Any]
Act = Callable[[Platform, Wish], Wish]


class Control:
    """``/sandbox/<name>``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._routes: dict[tuple[str, str], Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]] = {
            ("GET", "state"): self._state,
            ("GET", "events"): self._events,
            ("POST", "send"): self._send,
            ("POST", "press"): self._press,
            ("GET", "clock"): self._clock,
            ("GET", "calls"): self._calls,
        }
        for method, name, act in _ACTS:
            self._routes[method, name] = self._doing(act)

    async def answer(self, request: web.BaseRequest, name: str) -> web.StreamResponse:
        """Answer one request, mistakes included."""
        try:
            if name.startswith("file/") and request.method == "GET":
                return self._file(name[5:])
            route = self._routes.get((request.method, name))
            if route is None:
                known = any(path == name for _, path in self._routes)
                raise Mistake(f"there is no {request.method} /sandbox/{name}", 405 if known else 404)
            return await route(request)
        except Mistake as mistake:
            return _json({"error": mistake.line}, mistake.status)
        except Refusal as refusal:
            return _json({"error": refusal.description.removeprefix("Bad Request: ")}, 400)

    def _doing(self, act: Act) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
        async def do(request: web.BaseRequest) -> web.StreamResponse:
            wish = requests.query(request) | await requests.read_object(request)
            return _json(act(self._platform, wish))

        return do

    async def _state(self, request: web.BaseRequest) -> web.StreamResponse:
        platform = self._platform
        asked = requests.query(request)
        eyes = _eyes(platform, asked)
        limit = wishes.integer(asked, "limit") if "limit" in asked else SHOWN_OF_A_CHAT
        chats = [chat for chat in platform.world.chats.values() if eyes is None or _open_to(chat, eyes)]
        if "chat" in asked:
            chats = [wishes.chat_of(platform, asked)]
        return _json(
            {
                "now": platform.clock.now(),
                "offset": platform.clock.offset,
                "bot": bot_view(platform.world),
                "people": [person_view(person) for person in platform.world.people.values()],
                "chats": [chat_view(chat) for chat in chats],
                "messages": {str(chat.id): _messages(chat, eyes, limit) for chat in chats},
            }
        )

    async def _events(self, request: web.BaseRequest) -> web.StreamResponse:
        looker = self._platform.events.open(_eyes(self._platform, requests.query(request)))
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        try:
            await stream.prepare(request)
            await stream.write(b": open\n\n")
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        line = await looker.queue.get()
                except TimeoutError:
                    line = b": still here\n\n"
                if line is None:
                    break
                await stream.write(line)
        except ConnectionError:
            pass
        finally:
            self._platform.events.close(looker)
        return stream

    async def _send(self, request: web.BaseRequest) -> web.StreamResponse:
        fields, files = await requests.read(request)
        for field, _ in files:
            fields.pop(field, None)
        strange = next((field for field, _ in files if field != "photo"), None)
        if strange is not None:
            raise Mistake(f'files come in the field "photo", not {strange!r}')
        return _json(await posting.send(self._platform, fields, [upload for _, upload in files]))

    async def _press(self, request: web.BaseRequest) -> web.StreamResponse:
        return _json(await pressing.press(self._platform, await requests.read_object(request)))

    async def _clock(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = requests.query(request)
        clock = self._platform.clock
        if "after" in asked:
            after = wishes.number(asked["after"], "after")
            timeout = wishes.number(asked.get("timeout", 25), "timeout")
            await clock.differing(after, min(timeout, LONGEST_WAIT))
        return _json({"offset": clock.offset, "now": clock.now()})

    async def _calls(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = requests.query(request)
        since = wishes.integer(asked, "since") if "since" in asked else 0
        return _json(self._platform.calls.since(since))

    def _file(self, file_id: str) -> web.StreamResponse:
        stored = self._platform.files.known(file_id)
        if stored is None:
            raise Mistake("there is no such file", 404)
        headers = {"Cache-Control": "max-age=86400, immutable", "X-Content-Type-Options": "nosniff"}
        kind = stored.mime_type if stored.mime_type in _SHOWABLE else "application/octet-stream"
        return web.Response(body=stored.content, content_type=kind, headers=headers)


_SHOWABLE: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4"})


def _eyes(platform: Platform, asked: Wish) -> int | None:
    return wishes.person_of(platform, asked).id if asked.get("as") else None


def _open_to(chat: Chat, person: int) -> bool:
    """A person's state shows the groups and, of the private chats, their own."""
    return not chat.private or chat.id == person


def _messages(chat: Chat, eyes: int | None, limit: int) -> list[Wish]:
    order = chat.timeline.order
    shown = islice(order, max(len(order) - limit, 0), None)
    return [
        message_view(message)
        for message in shown
        if message.receiver is None or eyes is None or message.receiver == eyes
    ]


def _json(answer: Wish, status: int = 200) -> web.Response:
    return web.Response(
        body=json.dumps(answer).encode(),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


_ACTS: Final[tuple[tuple[str, str, Act], ...]] = (
    ("POST", "edit", posting.edit),
    ("POST", "clock", switches.wind),
    ("POST", "membership", staging.membership),
    ("POST", "chat", staging.found_chat),
    ("POST", "join", staging.join),
    ("POST", "migrate", staging.migrate),
    ("POST", "member", staging.add_member),
    ("POST", "fault", switches.order_fault),
    ("GET", "fault", switches.see_faults),
    ("DELETE", "fault", switches.clear_faults),
    ("POST", "update", switches.push_update),
    ("POST", "limits", switches.enforce),
    ("POST", "ephemeral", switches.allow_ephemeral),
    (
        "GET",
        "violations",
        lambda platform, _: {"count": platform.limits.count, "last": list(platform.limits.last)},
    ),
    ("GET", "pending", lambda platform, _: {"updates": len(platform.updates)}),
    ("GET", "commands", lambda platform, _: {"lists": platform.profile.all_commands()}),
)
