"""Tells systemd when the relay runs, that it still does, and when it stops: one that hangs is then started again.

The protocol is a line of text in a datagram (sd_notify(3)); without NOTIFY_SOCKET nobody wants to know.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress

EVERY = 2
"""How many signs of life fit into the time after which systemd gives up."""


class Supervisor:
    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        mine = environment.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        patience = environment.get("WATCHDOG_USEC", "") if mine else ""
        self.patience = int(patience) / 1_000_000 if patience.isdigit() else 0.0
        """Seconds after which a silent program is ended; 0: never."""

    def running(self) -> None:
        self._say("READY=1")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    async def keep_alive(self) -> None:
        """For ever, if systemd waits for it: as long as the loop comes round, it lives."""
        while self._address and self.patience:
            self._say("WATCHDOG=1")
            await asyncio.sleep(self.patience / EVERY)

    def _say(self, line: str) -> None:
        if not self._address:
            return
        # An abstract address is written with an @.
        where = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line_out:
            line_out.setblocking(False)
            line_out.sendto(line.encode(), where)
