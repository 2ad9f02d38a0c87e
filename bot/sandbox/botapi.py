"""The door the bot comes through: a token, a method, an answer. Ordered failures happen here, around the
method and never inside it."""

from __future__ import annotations

import asyncio
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
        fault = self._platform.faults.due(method.name, params.get("chat_id"))
        if fault is not None:
            return await self._failing(request, method, params, attached, fault)
        answer, status = await self._run(method, params, attached)
        return self._told(method, params, answer, status)

    async def download(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        """Answer ``<token>/<file_path>`` with the file's bytes."""
        token, _, file_path = path.partition("/")
        if not _TOKEN.fullmatch(token):
            return _answered(_UNAUTHORIZED.answer(), 401)
        fault = self._platform.faults.due("file", None)
        if fault is not None:
            return await self._cut(request, fault, b"{}")
        stored = self._platform.files.at(file_path)
        if stored is None:
            return _answered(_NOT_FOUND.answer(), 404)
        return web.Response(body=stored.content, content_type="application/octet-stream")

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
        status = {"500": 500, "500bare": 500, "502page": 502, "truncated": 200}.get(fault.kind, 0)
        self._platform.calls.note(method.name, params, answer, status)
        return await self._cut(request, fault, json.dumps(answer).encode())

    async def _cut(self, request: web.BaseRequest, fault: Fault, body: bytes) -> web.StreamResponse:
        if fault.kind == "500":
            return _answered(Refusal(500, "Internal Server Error").answer(), 500)
        if fault.kind == "500bare":
            return _answered({"ok": False, "error_code": 500}, 500)
        if fault.kind == "502page":
            return web.Response(body=_BAD_GATEWAY, status=502, content_type="text/html")
        if fault.kind == "truncated":
            return web.Response(body=body[: len(body) // 2], content_type="application/json")
        refusal = fault.refusal()
        if refusal is not None:
            return _answered(refusal.answer(), refusal.code)
        if fault.kind == "timeout":
            try:
                async with asyncio.timeout(fault.seconds):
                    await self.closing.wait()
            except TimeoutError:
                pass
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

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


def _answered(answer: dict[str, Any], status: int) -> web.Response:
    return web.Response(body=json.dumps(answer).encode(), status=status, content_type="application/json")
