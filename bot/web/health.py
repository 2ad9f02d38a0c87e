"""`/healthz`: the process answers. `/readyz`: it can do its work, or says in JSON what keeps it from it. `/metrics`."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.web.metrics import CONTENT_TYPE, Measured, metrics

Troubles = Callable[[], Awaitable[dict[str, str]]]
"""What is wrong now: name → what; empty when all is well."""
Measure = Callable[[], Awaitable[Measured]]


def health_app(troubles: Troubles, measure: Measure) -> web.Application:
    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def readyz(_request: web.Request) -> web.Response:
        found = await troubles()
        return web.json_response({"ok": not found, "troubles": found}, status=503 if found else 200)

    async def measures(_request: web.Request) -> web.Response:
        return web.Response(body=metrics(await measure()), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", measures)
    return app
