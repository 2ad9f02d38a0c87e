"""The door the bot comes through: a token, a method, an answer. Ordered failures happen here, around the
method and never inside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from typing import Any, Final

from aiohttp import web

from bot.sandbox import requests, uploads
from bot.sandbox.faults import Fault
from bot.sandbox.methods.table import METHODS
from bot.sandbox.platform import Platform
from bot.sandbox.refusals import Refusal, conflict
from bot.sandbox.shapes import Method, Shapes
from bot.sandbox.uploads import ATTACHED, Uploads
from bot.sandbox.webhook import Webhook

_TOKEN: Final = re.compile(r"\d+:[\w-]+", re.ASCII)
_BAD_GATEWAY: Final = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.18.0</center>\r\n</body>\r\n</html>\r\n"
)
_STATUSES: Final = {"429bare": 429, "500": 500, "500bare": 500, "502page": 502, "redirect": 302}
_CUT: Final = frozenset({"timeout", "reset_before", "reset_after"})
_DRIPS: Final = 20
_NOT_FOUND: Final = Refusal(404, "Not Found")
_UNAUTHORIZED: Final = Refusal(401, "Unauthorized")


class BotApi:
    """``/bot<token>/<method>`` and ``/file/bot<token>/<path>``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._shapes = Shapes()
        self.webhook = Webhook(platform.updates, self._replied)
        self.closing = asyncio.Event()

    async def call(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        """Answer ``<token>/<method>``."""
        token, _, name = path.partition("/")
        if not _TOKEN.fullmatch(token):
            return _answered(_UNAUTHORIZED.answer(), 401)
        method = self._shapes.method(name)
        if method is None:
            return _answered(_NOT_FOUND.answer(), 404)
        params: dict[str, Any] = {}
        try:
            given, files = await requests.read(request)
            attached = dict(files)
            params = given
            # A file that a parameter names by attach:// is no parameter itself.
            for field in attached:
                if field not in method.checks and given.get(field) == ATTACHED + field:
                    del given[field]
            params = method.parameters(given)
        except Refusal as refusal:
            return self._told(method, params, refusal.answer(), refusal.code)
        fault = self._platform.faults.due(method.name, self._aimed_at(params))
        if fault is not None:
            return await self._failing(request, method, params, attached, fault)
        answer, status = await self._run(method, params, attached)
        return self._told(method, params, answer, status)

    async def download(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        """Answer ``<token>/<file_path>`` with the file's bytes."""
        token, _, file_path = path.partition("/")
        if not _TOKEN.fullmatch(token):
            return _answered(_UNAUTHORIZED.answer(), 401)
        stored = self._platform.files.at(file_path)
        fault = self._platform.faults.due("file", stored.chat if stored is not None else None)
        if fault is not None:
            return await self._cut(request, fault, stored.content if stored is not None else b"{}")
        if stored is None:
            return _answered(_NOT_FOUND.answer(), 404)
        return web.Response(body=stored.content, content_type="application/octet-stream")

    def _aimed_at(self, params: dict[str, Any]) -> Any:
        """The chat that a call concerns: named by it, by its menu's scope, by the press it answers or by its file."""
        if "chat_id" in params:
            return params["chat_id"]
        if "callback_query_id" in params:
            return self._platform.presses.chat_of(params["callback_query_id"])
        if "file_id" in params:
            stored = self._platform.files.known(params["file_id"])
            return stored.chat if stored is not None else None
        return params.get("scope", {}).get("chat_id")

    async def _run(self, method: Method, params: dict[str, Any], attached: Uploads) -> tuple[dict[str, Any], int]:
        try:
            result = await self._result(method.name, params, attached)
        except Refusal as refusal:
            return refusal.answer(), refusal.code
        return {"ok": True, "result": result}, 200

    async def _result(self, name: str, params: dict[str, Any], attached: Uploads) -> Any:
        if name == "getUpdates":
            if self.webhook.url:
                raise conflict(
                    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
                )
            return await self._platform.updates.get(params)
        if name == "setWebhook":
            if params["url"]:
                self._platform.updates.interrupt("terminated by setWebhook request")
            return await self.webhook.set(params)
        if name == "deleteWebhook":
            return await self.webhook.delete(params)
        if name == "getWebhookInfo":
            return self.webhook.info()
        run = METHODS.get(name)
        if run is None:
            raise Refusal(404, f"Not Found: the sandbox does not emulate {name}")
        if attached:
            await uploads.develop(params, attached)
        return run(self._platform, params, attached)

    async def _failing(
        self,
        request: web.BaseRequest,
        method: Method,
        params: dict[str, Any],
        attached: Uploads,
        fault: Fault,
    ) -> web.StreamResponse:
        refusal = fault.refusal()
        if refusal is not None:
            return self._told(method, params, refusal.answer(), refusal.code)
        answer: dict[str, Any] = {"ok": False, "error_code": 500, "description": "Internal Server Error"}
        if fault.delivered:
            answer, _ = await self._run(method, params, attached)
        status = _STATUSES.get(fault.kind, 0 if fault.kind in _CUT else 200)
        self._platform.calls.note(method.name, params, answer, status)
        return await self._cut(request, fault, json.dumps(answer).encode())

    async def _cut(self, request: web.BaseRequest, fault: Fault, body: bytes) -> web.StreamResponse:
        refusal = fault.refusal()
        if refusal is not None:
            return _answered(refusal.answer(), refusal.code)
        if fault.kind == "500":
            return _answered(Refusal(500, "Internal Server Error").answer(), 500)
        if fault.kind in ("500bare", "429bare"):
            return _answered({"ok": False, "error_code": _STATUSES[fault.kind]}, _STATUSES[fault.kind])
        if fault.kind == "slow":
            return await self._dripped(request, body, fault.seconds)
        if fault.kind not in _CUT:
            return _strange(fault.kind, body)
        if fault.kind == "timeout":
            try:
                async with asyncio.timeout(fault.seconds):
                    await self.closing.wait()
            except TimeoutError:
                pass
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _dripped(self, request: web.BaseRequest, body: bytes, seconds: float) -> web.StreamResponse:
        """The whole answer, a few bytes at a time, spread over so many seconds."""
        answer = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
        await answer.prepare(request)
        piece = max(len(body) // _DRIPS, 1)
        for start in range(0, len(body), piece):
            await answer.write(body[start : start + piece])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds / _DRIPS):
                    await self.closing.wait()
        return answer

    def _told(self, method: Method, params: dict[str, Any], answer: dict[str, Any], status: int) -> web.Response:
        self._platform.calls.note(method.name, params, answer, status)
        return _answered(answer, status)

    async def _replied(self, reply: dict[str, Any]) -> None:
        method = self._shapes.method(str(reply.pop("method")))
        if method is None:
            return
        try:
            params = method.parameters(reply)
        except Refusal as refusal:
            self._platform.calls.note(method.name, reply, refusal.answer(), refusal.code)
            return
        answer, status = await self._run(method, params, {})
        self._platform.calls.note(method.name, params, answer, status)


def _strange(kind: str, body: bytes) -> web.Response:
    """An answer that is no Bot API answer: a page, half of one, nothing, something else."""
    if kind in ("502page", "html"):
        return web.Response(body=_BAD_GATEWAY, status=_STATUSES.get(kind, 200), content_type="text/html")
    if kind == "redirect":
        return web.Response(status=302, headers={"Location": "/"})
    if kind == "gzip":
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        return web.Response(body=b"\x1f\x8b\x08 this is no deflated stream", headers=headers)
    bodies = {
        "truncated": body[: len(body) // 2],
        "empty": b"",
        "binary": b"\xff\xfe\x80" + body,
        "shape": b'{"ok": true, "result": {"surprise": [1, 2]}}',
        "null": b'{"ok": true}',
    }
    return web.Response(body=bodies[kind], content_type="application/json")


def _answered(answer: dict[str, Any], status: int) -> web.Response:
    return web.Response(body=json.dumps(answer).encode(), status=status, content_type="application/json")
