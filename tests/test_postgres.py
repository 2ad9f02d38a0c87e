"""The same relay on PostgreSQL: migrations, a whole story, and a race that is decided once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from storage.migrating import migrate
from storage.store import PostgresStore, StorageAway
from storage.tables import Community, Incident, Note
from tests.postgres import binaries, cluster
from tests.town import GUANDI, LIN, OFFICE, WATER, WATER_MAN, ZHANG, town, words

pytestmark = pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed here; .ci/run installs it")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    # Not below pytest's own folder, which another run may close to the user that PostgreSQL runs as.
    with TemporaryDirectory(prefix="relay-postgres-", dir="/tmp") as home, cluster(Path(home)) as found:
        yield found


async def test_a_report_goes_its_whole_way_on_postgresql(url: str, tmp_path: Path) -> None:
    async with town(tmp_path, DATABASE_URL=url, LANGUAGE="en") as here:
        await here.photo(ZHANG, GUANDI, "自来水井盖压裂了")
        card = await here.sees(WATER, "SD-2026-0001")
        await here.press(WATER_MAN, WATER, card, "Accept")
        await here.sees(WATER, "In hand")
        await here.photo(WATER_MAN, WATER, samples=("fixed",), reply_to=card["message_id"])
        check = await here.sees(OFFICE, "Please check")
        await here.press(LIN, OFFICE, check, "Confirm")
        line = await here.sees(GUANDI, "Closed")
        assert "SD-2026-0001" in words(line) and line.get("photo")


async def test_migrations_go_down_and_up_on_postgresql(url: str) -> None:
    await migrate(url, Path("unused"))
    await migrate(url, Path("unused"), "base")
    await migrate(url, Path("unused"))


async def test_of_two_who_count_at_once_none_is_lost(url: str) -> None:
    """Sixteen jobs change one row: the version makes the losers look again."""
    await migrate(url, Path("unused"))
    store = PostgresStore(url)

    def make(session):  # type: ignore[no-untyped-def]
        from datetime import UTC, datetime

        community = Community(key="race", name="R", prefix="RC")
        session.add(community)
        session.flush()
        now = datetime.now(UTC)
        incident = Incident(community_id=community.ident, chat_id=-1, author_id=1, created_at=now, gather_until=now)
        session.add(incident)
        session.flush()
        return incident.ident

    incident_id = await store.write(make)

    def count(session) -> None:  # type: ignore[no-untyped-def]
        incident = session.get(Incident, incident_id)
        incident.rework += 1
        session.add(incident)

    await asyncio.gather(*(store.write(count) for _ in range(4)))
    assert await store.read(lambda session: session.get_one(Incident, incident_id).rework) == 4
    await store.close()


async def test_a_server_that_is_gone_is_storage_away() -> None:
    store = PostgresStore("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    with pytest.raises(StorageAway):
        await store.write(lambda session: session.add(Note(key="a", value="b")))
    await store.close()
