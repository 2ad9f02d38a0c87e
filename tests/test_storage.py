"""Rows: migrations up and down, jobs that commit together, a database that is away."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect
from sqlmodel import Session, SQLModel, select

import storage.store as storing
import storage.tables as tables
from bot.alliance import read
from bot.clock import Clock
from storage.migrating import head, migrate
from storage.store import StorageAway, sqlite_engine, stir
from storage.types import Instant
from tests.databases import chosen, file, opened


async def test_every_migration_goes_up_down_and_up_again(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await migrate(chosen().url, file(tmp_path), "base")
    left = await store.read(lambda session: inspect(session.connection()).get_table_names())
    assert set(left) <= {"alembic_version"}
    await migrate(chosen().url, file(tmp_path))
    await store.write(_note("kept"))
    await store.close()
    assert head()


async def test_what_the_first_version_has_stored_goes_up_and_down_with_its_tables(tmp_path: Path) -> None:
    """A report with its picture: others refer to its row, so no table may be copied over on the way."""
    path = tmp_path / "relay.sqlite"
    await migrate("", path, "0001")
    columns = ", ".join(
        ("key", "name", "prefix", "parent", "dispatch", "intake", "gather", "proof", "quiet_hours", "working_hours")
    )
    with sqlite_engine(path, writing=True).begin() as connection:
        connection.exec_driver_sql(
            f"insert into community (id, {columns}, fallback_unit, language, active)"
            " values (1, 'sd', 'SD', 'SD', '', 'auto', 'ask', 15, 'required', '', '', '', '', 1)"
        )
        connection.exec_driver_sql(
            "insert into incident (id, community_id, status, category, likely, refused_by, chat_id, message_id,"
            " author_id, place, shop, address, created_at, gather_until, dispatches, cards, rework, reopened,"
            " breached, need, needs, explicit, prompted, version)"
            " values (7, 1, 'draft', '', '[]', '[]', -5, 1, 2, '', '', '', 1, 1, 0, 0, 0, 0, 0, '', 0, 0, 0, 1)"
        )
        connection.exec_driver_sql(
            "insert into part (incident_id, chat_id, message_id, user_id, role, media_group_id, file_id,"
            " file_unique_id, media, unreadable, text, at)"
            " values (7, -5, 1, 2, 'report', '', 'f', 'u', 'photo', 0, '', 1)"
        )
    await migrate("", path)
    with sqlite_engine(path, writing=False).connect() as connection:
        assert connection.exec_driver_sql("select quota from community").fetchall() == [(20,)]
        assert connection.exec_driver_sql("select id, beyond from incident").fetchall() == [(7, 0)]
    await migrate("", path, "base")


async def test_the_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    def compare(session: Session) -> list[Any]:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        return list(compare_metadata(context, SQLModel.metadata))

    store = await opened(tmp_path)
    assert await store.read(compare) == []
    await store.close()


def _note(key: str):  # type: ignore[no-untyped-def]
    return lambda session: session.add(tables.Note(key=key, value="x"))


async def test_a_job_that_fails_leaves_nothing_and_harms_none_beside_it(tmp_path: Path) -> None:
    store = await opened(tmp_path)

    def bad(session: Session) -> None:
        session.add(tables.Note(key="bad", value="x"))
        session.flush()
        raise ValueError("no")

    results = await asyncio.gather(
        store.write(_note("a")), store.write(bad), store.write(_note("b")), return_exceptions=True
    )
    assert isinstance(results[1], ValueError)
    found = await store.read(lambda session: sorted(row.key for row in session.exec(select(tables.Note)).all()))
    assert found == ["a", "b"]
    await store.close()


async def test_a_commit_tells_who_waits_and_a_failed_job_tells_nobody(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    heard: list[frozenset[str]] = []
    store.on_commit = heard.append

    def failing(session: Session) -> None:
        stir(session, "timers")
        raise ValueError

    with pytest.raises(ValueError):
        await store.write(failing)
    await store.write(lambda session: stir(session, "posts"))
    await asyncio.sleep(0.01)
    assert heard == [frozenset({"posts"})]
    await store.close()


@pytest.mark.once
async def test_a_locked_database_is_away_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "LOCKED", 0.2)
    store = await opened(tmp_path)
    await store.write(lambda session: session.connection().exec_driver_sql("PRAGMA busy_timeout=50") and None)
    other = sqlite_engine(file(tmp_path), writing=True)
    with other.connect() as connection:
        connection.begin()
        connection.exec_driver_sql("SELECT 1")
        with pytest.raises(StorageAway):
            await store.write(_note("late"))
    await store.write(_note("later"))
    await store.close()


@pytest.mark.once
async def test_a_race_on_one_incident_is_decided_once(tmp_path: Path) -> None:
    """Two readers of one version: the second write finds that it has moved on."""
    from sqlalchemy.orm.exc import StaleDataError

    store = await opened(tmp_path)
    now = datetime.now(UTC)

    def make(session: Session) -> int:
        community = tables.Community(key="a", name="A", prefix="A")
        session.add(community)
        session.flush()
        incident = tables.Incident(
            community_id=community.ident, chat_id=-1, author_id=1, reporter_id=1, created_at=now, gather_until=now
        )
        session.add(incident)
        session.flush()
        return incident.ident

    incident_id = await store.write(make)
    first = await store.read(lambda session: session.get_one(tables.Incident, incident_id))

    def change(session: Session) -> None:
        incident = session.get_one(tables.Incident, incident_id)
        incident.status = "filed"
        session.add(incident)

    await store.write(change)

    def late(session: Session) -> None:
        session.add(first)
        first.status = "void"

    with pytest.raises(StaleDataError):
        await store.write(late)
    await store.close()


@pytest.mark.once
def test_a_moment_is_kept_to_the_millisecond_and_in_utc() -> None:
    shanghai = timezone(timedelta(hours=8))
    stored = Instant().process_bind_param(datetime(2026, 11, 23, 20, 2, 3, 456000, shanghai), None)  # type: ignore[arg-type]
    back = Instant().process_result_value(stored, None)  # type: ignore[arg-type]
    assert back == datetime(2026, 11, 23, 12, 2, 3, 456000, UTC)
    with pytest.raises(ValueError, match="time zone"):
        Instant().process_bind_param(datetime(2026, 11, 23), None)  # type: ignore[arg-type]  # noqa: DTZ001


async def test_a_file_that_names_a_group_by_its_old_id_means_the_supergroup(tmp_path: Path) -> None:
    """Otherwise the next change of the alliance file would bind a chat that is no more, and unbind the living one."""
    from bot.services.aligning import align
    from storage import chats
    from tests.town import WATER, alliance

    store = await opened(tmp_path)
    now = datetime.now(UTC)
    found = read(alliance(tmp_path))
    await store.write(lambda session: align(session, found, now))
    assert await store.write(lambda session: chats.rebind(session, WATER, -1009, now))
    assert await store.write(lambda session: align(session, found, now)) == []
    bound = await store.read(lambda session: {each.chat_id for each in chats.bindings(session)})
    assert -1009 in bound and WATER not in bound
    await store.close()


async def test_a_move_told_twice_or_to_a_chat_already_known_changes_nothing_more(tmp_path: Path) -> None:
    from bot.services.aligning import align
    from storage import chats
    from tests.town import WATER, alliance

    store = await opened(tmp_path)
    now, new = datetime.now(UTC), -1009000000001
    await store.write(lambda session: align(session, read(alliance(tmp_path)), now))

    def move(session: Session) -> list[bool]:
        for chat_id in (WATER, new):
            # The same list was asked for under both ids: only one of them can go on under the new one.
            session.add(tables.Post(subject="chat:1", kind="menu", chat_id=chat_id, due_at=now))
        session.flush()
        return [chats.rebind(session, old, new, now) for old in (WATER, WATER, new)]

    assert await store.write(move) == [True, False, False]
    bound = await store.read(lambda session: [each.chat_id for each in chats.bindings(session)])
    assert bound.count(new) == 1 and WATER not in bound
    await store.close()


async def test_a_unit_put_to_rest_leaves_its_open_incidents_to_the_secretary(tmp_path: Path) -> None:
    from bot.opening import apply_alliance, ground_of
    from bot.settings import load
    from storage import chats
    from tests.town import GUANDI, OFFICE, alliance, config

    alliance(tmp_path)
    settings = load(config(tmp_path, "http://127.0.0.1:1"))
    store = await opened(tmp_path)
    ground, clock = ground_of(settings), Clock()
    await apply_alliance(store, settings, tmp_path / "alliance.toml", ground, clock)

    def dispatch(session: Session) -> int:
        community = chats.community_by_key(session, "shuidongdai")
        assert community is not None
        unit = chats.unit_by_key(session, community.ident, "telecom")
        assert unit is not None
        now = clock.now()
        incident = tables.Incident(
            community_id=community.ident,
            number="SD-2026-0001",
            status="accepted",
            unit_id=unit.id,
            chat_id=GUANDI,
            author_id=1,
            created_at=now,
            gather_until=now,
            cards=1,
        )
        session.add(incident)
        session.flush()
        return incident.ident

    incident_id = await store.write(dispatch)
    text = (tmp_path / "alliance.toml").read_text(encoding="utf-8")
    start = text.index('[[community.unit]]\nkey = "telecom"')
    (tmp_path / "alliance.toml").write_text(text[:start] + text[text.index("[[community.unit]]", start + 5) :])
    changes = await apply_alliance(store, settings, tmp_path / "alliance.toml", ground, clock)
    assert "- unit shuidongdai/telecom" in changes

    def look(session: Session) -> tuple[str, list[int]]:
        posts = session.exec(select(tables.Post).where(tables.Post.incident_id == incident_id)).all()
        return session.get_one(tables.Incident, incident_id).need, [
            post.chat_id for post in posts if post.kind == "office"
        ]

    assert await store.read(look) == ("undelivered", [OFFICE])
    await store.close()
