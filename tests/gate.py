"""A way to Telegram that can be barred: the address stays, nobody answers at it. Holds no tests itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from tests.town import free_port


class Gate:
    """Passes bytes on to another address while it is open."""

    def __init__(self, base: str) -> None:
        there = urlsplit(base)
        self._there = (str(there.hostname), int(there.port or 80))
        self._port = free_port()
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self.base = f"http://127.0.0.1:{self._port}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self._port)

    async def shut(self) -> None:
        """Whoever is inside is thrown out, and nobody is let in: the system refuses the connection."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        passing = list(self._passing)
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        to_reader, to_writer = await asyncio.open_connection(*self._there)
        ways = [asyncio.create_task(_copy(*way)) for way in ((reader, to_writer), (to_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # The task ends here: the server would report a cancelled one.
            pass
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for each in (writer, to_writer):
                each.transport.abort()
            self._passing.discard(task)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()


@contextlib.asynccontextmanager
async def gate(base: str) -> AsyncIterator[Gate]:
    """A gate to `base`, shut at first."""
    made = Gate(base)
    try:
        yield made
    finally:
        await made.shut()
