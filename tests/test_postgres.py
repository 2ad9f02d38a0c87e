"""Where PostgreSQL is stricter than SQLite, or merely other: what it cannot store, large numbers, rows in no order,
letters of two sizes, a server that is gone. Whatever holds for one of them must hold for both."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

from storage.incidents import find, open_in
from storage.store import PostgresStore, StorageAway
from storage.tables import Binding, Community, FailedUpdate, Handled, Incident, Note, Part, Person
from tests.databases import opened
from tests.test_races import Rows, door, photo, rows
from tests.town import GUANDI, ZHANG

__all__ = ["rows"]
NUL, LONE = "\x00", "\ud83d"
"""PostgreSQL stores neither; Telegram sends both, where people or their programs are creative."""


@pytest.mark.once
async def test_a_server_that_is_gone_is_storage_away() -> None:
    store = PostgresStore("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    with pytest.raises(StorageAway):
        await store.write(lambda session: session.add(Note(key="a", value="b")))
    await store.close()


async def test_signs_that_cannot_be_stored_lose_no_report(rows: Rows) -> None:
    store, _ = rows
    raw = photo(1, ZHANG, GUANDI, f"自来水{NUL}井盖{LONE}坏了")
    raw["message"]["from"].update(first_name=f"张{NUL}{LONE}", language_code=f"{NUL}h")
    raw["message"]["chat"]["title"] = f"商圈{LONE}"
    # One that cannot be read at all, and says so in the very words that cannot be stored.
    poison = {"update_id": 2, "message": {"message_id": f"{NUL}{LONE}", "chat": {"id": GUANDI}}}
    async with door(rows) as intake:
        await intake.take_all([raw, poison])

    def look(session: Session) -> tuple[list[str], list[str], list[int]]:
        return (
            list(session.exec(select(Part.text)).all()),
            list(session.exec(select(Person.name)).all()),
            list(session.exec(select(FailedUpdate.update_id)).all()),
        )

    assert await store.read(look) == (["自来水井盖坏了"], ["张"], [2])


async def test_numbers_of_telegram_s_size_are_kept_whole(rows: Rows) -> None:
    """Ids of people and chats have up to 52 bits, those of messages 31."""
    store, _ = rows
    person, update_id = (1 << 52) - 1, (1 << 40) + 7
    raw = photo(update_id, person, GUANDI)
    raw["message"]["message_id"] = (1 << 31) - 1
    async with door(rows) as intake:
        await intake.take(raw)

    def look(session: Session) -> tuple[Any, ...]:
        part = session.exec(select(Part)).one()
        assert session.get(Handled, update_id) is not None and session.get(Person, person) is not None
        return part.user_id, part.message_id

    assert await store.read(look) == (person, (1 << 31) - 1)


async def test_a_search_finds_small_and_large_letters_alike_and_takes_its_signs_as_they_are(rows: Rows) -> None:
    store, _ = rows
    async with door(rows) as intake:
        await intake.take(photo(1, ZHANG, GUANDI, "自来水井盖坏了 Manhole 100%_\\ Tür"))

    def found(session: Session, text: str) -> int:
        community = session.get_one(Binding, GUANDI).community_id
        return len(find(session, [community], None, text, [], 10))

    for text, wanted in (("sd-2026", 1), ("MANHOLE", 1), ("100%", 1), ("100_", 0), ("%_\\", 1), ("10%_", 0)):
        assert await store.read(lambda session, text=text: found(session, text)) == wanted, text  # type: ignore[misc]


async def test_what_is_open_comes_in_the_order_in_which_it_came_whatever_was_changed_since(tmp_path: Path) -> None:
    """Without being told an order a database has none: what was changed moves, or comes as an index has it."""
    store = await opened(tmp_path)
    now = datetime.now(UTC)

    def make(session: Session) -> int:
        community = Community(key="a", name="A", prefix="A")
        session.add(community)
        session.flush()
        for _ in range(5):
            session.add(
                Incident(community_id=community.ident, chat_id=-1, author_id=1, created_at=now, gather_until=now)
            )
            session.flush()
        return community.ident

    community_id = await store.write(make)

    def change(session: Session) -> None:
        first = session.exec(select(Incident).order_by(col(Incident.id)).limit(1)).one()
        first.status = "filed"
        session.add(first)

    await store.write(change)
    found = await store.read(lambda session: [each.ident for each in open_in(session, community_id)])
    assert found == sorted(found) and len(found) == 5
    await store.close()
