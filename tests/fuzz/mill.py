"""A relay without a network: the real intake, store, timers, views and channel, fed with raw updates, its clock turned
by hand. Beside it what must hold after every batch, whatever came in."""

import asyncio
import json
import re
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiogram import Bot
from sqlmodel import Session, col, select

from bot.channels.telegram import Telegram
from bot.clock import Clock
from bot.domain.acts import OPEN, Status
from bot.nursery import Nursery
from bot.polling import Intake
from bot.services.desk import Desk, Ground
from bot.services.reminding import fire
from bot.services.showing import note, prepare
from bot.views.content import Content
from bot.workdays import ChinaWorkdays
from handlers.routes import dispatcher
from storage.store import open_store
from storage.tables import Post
from storage.timers import due_timers
from tests.fuzz.schema import NOW
from tests.fuzz.wire import Stood, Wire
from tests.town import OPERATOR

TOKEN = "700000001:a-token-of-the-mill-0123456789"
FILE = "relay.sqlite"


OPEN_ONES = ", ".join(f"'{status}'" for status in sorted(OPEN))


class HandClock(Clock):
    """It stands until it is turned."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at

    def now(self) -> datetime:
        return self.at


GROUND = Ground(ZoneInfo("Asia/Shanghai"), "zh", ChinaWorkdays(), frozenset({OPERATOR}), "alliance_relay_bot")


class Mill:
    """One relay on one database. `stood`: what stood in the chats when the database was copied."""

    def __init__(self, home: Path, stood: Stood | None = None, at: datetime | None = None) -> None:
        self.home = home
        self.clock = HandClock(at or datetime.fromtimestamp(NOW, UTC))
        self.wire = Wire(stood)
        self.bot = Bot(TOKEN, session=self.wire)
        self.store = open_store("", home / FILE)
        self.nursery = Nursery()
        self.intake = Intake(self.bot, dispatcher(), self.store, GROUND, self.clock, True, self.nursery.spawn)
        self.channel = Telegram(self.bot)

    async def close(self) -> None:
        await self.nursery.close()
        await self.store.close()

    async def take(self, batch: list[dict[str, Any]]) -> None:
        """A batch through the real intake. Raises whatever that raises."""
        before = asyncio.all_tasks()
        await self.intake.take_all(batch)
        await self.intake.answered()
        left = {task for task in asyncio.all_tasks() - before if not task.done()}
        assert not left, f"the intake left tasks behind: {left}"

    async def turn(self, seconds: float) -> None:
        """Let time pass: what is due happens, what is to be shown is shown."""
        self.clock.at += timedelta(seconds=seconds)
        await self.show()
        for _ in range(20):
            due = await self.store.read(lambda session: due_timers(session, self.clock.at, 500))
            if not due:
                break
            await self.store.write(lambda session, due=due: [fire(self._desk(session), *each) for each in due])
        else:
            raise AssertionError(f"timers that never end: {due}")
        await self.show()

    async def show(self) -> None:
        """Render and send all that is due, as the delivery does, without its patience. Raises what fails there."""
        for _ in range(400):
            posts = await self.store.read(self._due)
            if not posts:
                return
            ready = await self.store.write(
                lambda session, posts=posts: [prepare(self._desk(session), each) for each in posts]
            )
            shown = []
            for prepared in filter(None, ready):
                keys = prepared.shape.pictures if isinstance(prepared.shape, Content) else ()
                pictures = [(key, f"file-of-{key}") for key in keys]
                shown.append((prepared, await self.channel.show(prepared.place, prepared.shape, pictures)))
            await self.store.write(lambda session, shown=shown: [note(self._desk(session), *each) for each in shown])
        raise AssertionError("there is no end of what is due")

    def _due(self, session: Session) -> list[int]:
        """All posts that are due, in the order in which a chat gets them."""
        wanted = select(Post.id).where(col(Post.due_at) <= self.clock.at)
        return list(session.exec(wanted.order_by(col(Post.urgent).desc(), col(Post.due_at), col(Post.id))).all())

    def _desk(self, session: Session) -> Desk:
        return Desk(session, GROUND, self.clock.at)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.home / FILE}?mode=ro", uri=True)) as base:
            return base.execute(query, values).fetchall()

    def set_aside(self) -> dict[int, str]:
        """Update id → why."""
        return dict(self.rows("select update_id, error from failed_update"))

    def handled(self) -> set[int]:
        return {row[0] for row in self.rows("select update_id from handled")}

    def wrong(self) -> list[str]:
        """What must hold and does not; empty when all is well."""
        return [*self.wire.stood.wrong, *self._wrong_incidents(), *self._wrong_posts()]

    def _wrong_incidents(self) -> list[str]:
        found = []
        numbers = [row[0] for row in self.rows("select number from incident where number is not null")]
        if len(numbers) != len(set(numbers)):
            found.append("a number was given twice")
        found += [f"{each} is no number" for each in numbers if not re.fullmatch(r"[A-Z]{1,4}-\d{4}-\d{4,7}", each)]
        for status, number, number_needed in self.rows(
            "select status, number, status in ('filed','dispatched','accepted','resolved','closed') from incident"
        ):
            if status not in set(Status):
                found.append(f"{status} is no status")
            if number_needed and number is None:
                found.append(f"{status} without a number")
        with_unit = self.rows(
            "select id from incident where status in ('dispatched', 'accepted', 'resolved') and unit_id is null"
        )
        found += [f"incident {row[0]} is with nobody" for row in with_unit]
        found += [
            f"incident {ident} ({status}) never comes up again: it has no timer, no need, no unit's card"
            for ident, status in self.rows(
                f"select id, status from incident where status in ({OPEN_ONES})"
                " and need = '' and not exists (select 1 from timer where incident_id = incident.id)"
            )
        ]
        return found

    def _wrong_posts(self) -> list[str]:
        missing = self.rows(
            f"select id, number from incident where status in ({OPEN_ONES}) and status != 'draft' and chat_id < 0"
            " and not exists (select 1 from post where incident_id = incident.id and kind = 'line' and state != 'gone')"
        )
        cards = self.rows(
            "select id, number from incident where status in ('dispatched', 'accepted', 'resolved')"
            " and exists (select 1 from binding where unit_id = incident.unit_id) and not exists"
            " (select 1 from post where incident_id = incident.id and kind = 'card' and seq = incident.cards"
            "  and state != 'gone')"
        )
        broken = self.rows("select kind, error from post where state = 'broken' or error not in ('', 'failed')")
        due = self.rows(
            "select kind, state from post where due_at is not null and due_at <= ?",
            int(self.clock.at.timestamp() * 1000),
        )
        return [
            *(f"{number} has no line in its group" for _, number in missing),
            *(f"{number} has no card with its unit" for _, number in cards),
            *(f"a {kind} was refused: {error}" for kind, error in broken),
            *(f"a {kind} stays due ({state})" for kind, state in due),
        ]


def copied(source: Path, target: Path) -> Path:
    """A copy of a database that nobody has open."""
    target.mkdir(parents=True, exist_ok=True)
    for leftover in target.glob(f"{FILE}*"):
        leftover.unlink()
    for each in source.glob(f"{FILE}*"):
        shutil.copyfile(each, target / each.name)
    return target


def through_json(raw: Any) -> Any:
    """As it comes from Telegram: text that was read."""
    return json.loads(json.dumps(raw))
