"""What every handler is given: one transaction for its update, committed together with the note that it was handled."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlmodel import Session

from bot.clock import Clock
from bot.services.desk import Desk, Ground
from handlers.recent import Recent
from storage.store import Store
from storage.tables import Handled

T = TypeVar("T")


class HandledBefore(Exception):
    """The update was delivered again; its effects are in the database already."""


@dataclass
class Door:
    """One update's way in. `do` may be called once: all that an update causes is one transaction."""

    store: Store
    ground: Ground
    clock: Clock
    recent: Recent
    update_id: int
    bot_id: int
    reads_all: bool = True
    done: bool = field(default=False)

    async def do(self, work: Callable[[Desk], T]) -> T:
        """Run `work` and record the update as handled in the same commit. Raises HandledBefore."""
        if self.done:
            raise RuntimeError("an update is handled in one transaction")
        self.done = True
        now = self.clock.now()

        def job(session: Session) -> T:
            if session.get(Handled, self.update_id) is not None:
                raise HandledBefore
            session.add(Handled(update_id=self.update_id, at=now))
            session.flush()
            return work(Desk(session, self.ground, now))

        return await self.store.write(job)

    async def look(self, work: Callable[[Desk], T]) -> T:
        """Only read: chatter is told apart from reports without a write."""
        now = self.clock.now()
        return await self.store.read(lambda session: work(Desk(session, self.ground, now)))
