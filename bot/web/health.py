"""`/healthz`: the process answers. `/readyz`: it can do its work, or says in JSON what keeps it from it."""

from collections.abc import Awaitable, Callable

from aiohttp import web

Troubles = Callable[[], Awaitable[dict[str, str]]]
"""What is wrong now: name → what; empty when all is well."""


def health_app(troubles: Troubles) -> web.Application:
    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def readyz(_request: web.Request) -> web.Response:
        found = await troubles()
        return web.json_response({"ok": not found, "troubles": found}, status=503 if found else 200)

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    return app
