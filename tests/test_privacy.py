"""Privacy: a person who asks is erased from rows, files and backups; what has been kept long enough goes by itself."""

import asyncio
import gzip
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel

from bot.__main__ import main
from bot.clock import Clock
from bot.opening import ground_of, keep_of
from bot.settings import load
from bot.ticker import Ticker
from tests import databases
from tests.town import GUANDI, LIN, OFFICE, WATER, WATER_MAN, ZHANG, words
from tests.walks import Walk, says, walk

SHOP, ADDRESS = "张记牛肉面", "中山路1234号"
CAPTION, LATER = "自来水井盖被货车压裂", "孩子放学要走这里"
REMARK = "昨天还好好的呢"


def needles(user_id: int, *said: str) -> list[bytes]:
    """What must not be found anywhere: the words, the id in figures, the id as SQLite keeps a number."""
    return [each.encode() for each in (*said, str(user_id))] + [user_id.to_bytes(4, "big")]


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below, unpacked where it is packed; the emulator and the tests' own files are no store."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            yield path.name, gzip.decompress(content) if path.name.endswith(".gz") else content


def legible() -> bool:
    """Whether what a backup holds can be searched as it lies there: PostgreSQL's dump packs each table by itself."""
    return not databases.chosen().url


def found_in(folder: Path, wanted: list[bytes]) -> set[tuple[str, str]]:
    return {
        (name, each.decode("utf-8", "backslashreplace"))
        for name, content in files(folder)
        for each in wanted
        if each in content
    }


def in_rows(here: Walk, *wanted: str) -> set[tuple[str, str]]:
    """Tables in which one of these stands, whatever the column."""
    return {
        (table, each)
        for table in SQLModel.metadata.tables
        for row in here.rows(f"SELECT * FROM {table}")
        for each in wanted
        if each in repr(row)
    }


async def command(here: Walk, *arguments: str) -> int:
    """A command as the operator types it, while the relay goes on."""
    return await asyncio.to_thread(main, [*arguments, "--config", str(here.home / "config.env")])


async def a_life(here: Walk) -> None:
    """One who has registered a shop, reported, added, remarked, answered, asked: one matter closed, one open."""
    await here.say(ZHANG, GUANDI, f"/shop {SHOP},{ADDRESS}")
    await here.say(ZHANG, ZHANG, "/start")
    await here.settled()
    card = await here.report(CAPTION)
    await here.say(ZHANG, GUANDI, LATER, reply_to=card["reported"]["message_id"])
    await here.sees(WATER, LATER)
    await here.mended(card)
    line = await here.sees(GUANDI, says("SD-2026-0001", button="Fixed"))
    await here.press(ZHANG, GUANDI, line, "Fixed")
    check = await here.sees(OFFICE, says("check", button="Confirm"))
    await here.press(LIN, OFFICE, check, "Confirm")
    await here.sees(GUANDI, "Closed")
    await here.wind(120)
    again = (await here.photo(ZHANG, GUANDI, CAPTION))[0]
    await here.sees(WATER, "SD-2026-0002")
    await here.say(ZHANG, GUANDI, REMARK, reply_to=again["message_id"])
    await here.sees(WATER, REMARK)
    await here.say(ZHANG, GUANDI, "/my")
    await here.settled()


async def test_who_asks_to_be_forgotten_is_found_in_no_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = (SHOP, ADDRESS, CAPTION, LATER, REMARK, "张老板")
    async with walk(tmp_path) as here:
        name = next(each["first_name"] for each in (await here.state())["people"] if each["id"] == ZHANG)
        wanted = needles(ZHANG, *said, name)
        await a_life(here)
        old = tmp_path / "old"
        assert await command(here, "backup", str(old)) == 0
        if legible():
            assert found_in(here.home / "data", wanted), "the test would find it if it were there"
            assert found_in(old, [SHOP.encode()])
        assert in_rows(here, SHOP) and in_rows(here, str(ZHANG))
        assert await command(here, "forget", str(ZHANG), "--show") == 0
        assert in_rows(here, SHOP)
        assert await command(here, "forget", str(ZHANG)) == 0
        told = capsys.readouterr().out
        assert "still open" in told and "SD-2026-0002" in told
        # The relay looks again within half a minute: what stands in the chats names and quotes nobody any more.
        await here.gone(WATER, REMARK, within=60)
        await here.gone(WATER, SHOP)
        await here.settled()
        assert await here.standing(WATER, "SD-2026-0002")
        assert not in_rows(here, *said, name, str(ZHANG))
        new = tmp_path / "new"
        assert await command(here, "backup", str(new)) == 0
        assert not found_in(new, wanted)
        # The relay's own log keeps what a reader still looks at: it is closed for the last look.
        assert await command(here, "forget", str(ZHANG)) == 0
        assert f"nothing is kept about {ZHANG}" in capsys.readouterr().out
    assert not found_in(tmp_path / "data", wanted)
    if not legible():
        # A dump goes into an empty database only, and that is another one.
        return
    # An old backup holds the person still; restored, it lets go as well.
    assert await command(here, "restore", str(next(old.iterdir()))) == 0
    assert not in_rows(here, *said, name, str(ZHANG))
    kept = {name for name, _ in found_in(tmp_path / "data", wanted)}
    # What was there before the restore is kept beside it, and holds nothing of the person either.
    assert not kept


async def test_the_incidents_of_the_forgotten_go_on(tmp_path: Path) -> None:
    async with walk(tmp_path) as here:
        await a_life(here)
        assert await command(here, "forget", str(ZHANG)) == 0
        assert here.rows("SELECT status FROM incident ORDER BY id") == [("closed",), ("dispatched",)]
        card = (await here.standing(WATER, "SD-2026-0002"))[-1]
        await here.press(WATER_MAN, WATER, card, "Accept")
        await here.sees(WATER, says("SD-2026-0002", "In hand"))
        await here.mended(card)
        check = await here.sees(OFFICE, says("SD-2026-0002", "check", button="Confirm"))
        await here.press(LIN, OFFICE, check, "Confirm")
        await here.sees(GUANDI, says("SD-2026-0002", "Closed"))
        # The person comes back as anybody would.
        await here.wind(120)
        await here.report(CAPTION)


async def test_a_draft_of_the_forgotten_is_no_report(tmp_path: Path) -> None:
    async with walk(tmp_path) as here:
        await here.photo(ZHANG, GUANDI, "看这里")
        await here.sees(GUANDI, lambda each: bool(each.get("ephemeral_message_id")), person=ZHANG)
        await here.settled()
        assert await command(here, "forget", str(ZHANG)) == 0
        assert here.rows("SELECT status, number FROM incident") == [("void", None)]
        assert here.rows("SELECT count(*) FROM part") == [(0,)]


async def test_a_unit_worker_is_forgotten_and_the_work_stays(tmp_path: Path) -> None:
    async with walk(tmp_path) as here:
        await a_life(here)
        before = here.rows("SELECT count(*) FROM part WHERE role = 'after'")
        assert await command(here, "forget", str(WATER_MAN)) == 0
        assert here.rows("SELECT count(*) FROM part WHERE role = 'after'") == before != [(0,)]
        assert not in_rows(here, str(WATER_MAN))
        await here.say(LIN, OFFICE, "/i SD-2026-0001")
        shown = await here.sees(OFFICE, "says it is done")
        assert "the unit" in words(shown)


async def test_whoever_a_file_still_names_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with walk(tmp_path) as here:
        await here.settled()
        assert await command(here, "forget", str(LIN)) == 0
        told = capsys.readouterr().out
        assert "alliance.toml" in told and "take it out there" in told


@pytest.mark.parametrize("given", ["zhang", "-5", "0", "12345678901234567890", "五"])
def test_what_is_no_user_id_is_refused_in_one_line(
    given: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["forget", given, "--config", str(tmp_path / "config.env")])
    told = capsys.readouterr().err
    assert ended.value.code == 2 and len(told.splitlines()) == 1 and ("user id" in told or "unrecognized" in told)


async def tidied(here: Walk, days: float, patiently: bool = True, **settings: int) -> None:
    """What the relay lets go of when its clock has gone on so far: hour by hour, or (not `patiently`) in one leap."""
    chosen = load(here.home / "config.env").model_copy(update=settings)
    store, clock = await databases.opened(here.home), Clock()
    clock.ahead = timedelta(days=days)
    if patiently:
        here.rows("DELETE FROM note WHERE key = 'age is told as of'")
    try:
        await Ticker(store, ground_of(chosen), clock, keep_of(chosen)).tidy()
    finally:
        await store.close()


async def test_each_kind_of_data_goes_when_its_time_is_over(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with here.running():
            await a_life(here)

        def kept() -> dict[str, Any]:
            one = "incident_id = 1"
            return {
                "reporter": here.rows("SELECT reporter_id, shop FROM incident WHERE id = 1")[0][0],
                "answers": here.rows(f"SELECT count(*) FROM answer WHERE {one}")[0][0],
                "words": here.rows(f"SELECT count(*) FROM part WHERE {one} AND text <> ''")[0][0],
                "pictures": here.rows(f"SELECT count(*) FROM part WHERE {one} AND file_id <> ''")[0][0],
                "messages": here.rows(f"SELECT count(*) FROM post WHERE {one}")[0][0],
            }

        whole = kept()
        assert whole["reporter"] == ZHANG and all(whole.values())
        open_before = here.rows("SELECT * FROM part WHERE incident_id = 2")
        await tidied(here, 89)
        assert kept() == whole
        await tidied(here, 91)
        assert kept() == {**whole, "messages": 0}
        await tidied(here, 366)
        assert kept() == {**whole, "messages": 0, "reporter": None, "answers": 0}
        await tidied(here, 731)
        assert kept() == {"reporter": None, "answers": 0, "words": 0, "pictures": 0, "messages": 0}
        # What is open is never old.
        assert here.rows("SELECT reporter_id FROM incident WHERE id = 2") == [(ZHANG,)]
        assert here.rows("SELECT * FROM part WHERE incident_id = 2") == open_before
        # The figures of the round table are all there still.
        assert here.rows("SELECT number, status, category FROM incident WHERE id = 1") == [
            ("SD-2026-0001", "closed", "cover.water")
        ]


async def test_a_clock_that_leaps_by_years_erases_nothing(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with here.running():
            await a_life(here)
        await tidied(here, 0)
        await tidied(here, 3000, patiently=False)
        await tidied(here, 3000, patiently=False)
        assert here.rows("SELECT reporter_id FROM incident WHERE id = 1") == [(ZHANG,)]
        assert here.rows("SELECT count(*) FROM post WHERE incident_id = 1") != [(0,)]


async def test_nought_keeps_for_ever(tmp_path: Path) -> None:
    async with walk(tmp_path, running=False) as here:
        async with here.running():
            await a_life(here)
        before = {table: here.rows(f"SELECT count(*) FROM {table}") for table in ("post", "part", "answer", "person")}
        forever = {f"keep_{kind}": 0 for kind in ("people", "words", "pictures", "messages", "failed")}
        await tidied(here, 5000, **forever)
        assert before == {table: here.rows(f"SELECT count(*) FROM {table}") for table in before}
        assert here.rows("SELECT reporter_id FROM incident WHERE id = 1") == [(ZHANG,)]
