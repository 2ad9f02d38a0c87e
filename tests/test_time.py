"""Issue 3, point 4: a year of operation, clocks that are set ahead and back, other zones, and what is said when.

One reminder at a time, none in the quiet hours, none about what is over; nothing twice, nothing that waits for an hour
that was lost. Days off the air are told in tests/test_story_off.py, summer time in tests/test_time_zones.py.
"""

import asyncio
import itertools
import os
import time as stopwatch
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlmodel import Session, col, select

from bot.channels.outcome import Shown
from bot.clock import Clock
from bot.domain.acts import Act
from bot.services.counting import month_numbers
from bot.services.delivering import Delivery
from bot.services.desk import Desk
from bot.services.forgetting import Keep
from bot.services.posting import add_notice
from bot.ticker import Ticker
from bot.views.content import Gone
from storage.tables import Event, Handled, Incident, Post, Timer
from storage.updates import forget_handled
from tests.databases import opened
from tests.year import DISTRICT, OFFICE, POWER, SECRETARY, WATER, Plan, Year
from tests.year_chats import Faults

LONG = int(os.environ.get("YEAR_INCIDENTS", "0"))
"""The long form: so many incidents in all four years (`YEAR_INCIDENTS=2000 pytest tests/test_time.py -k a_year_of`)."""
SHORT = 36
NONE = Faults()
COVER, LIGHT, UNCLEAR = "自来水井盖被货车压裂", "路灯不亮了", "看这里"
MONDAY = date(2026, 9, 7)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
FOR_EVER = Keep(None, None, None, None, None)


@pytest.mark.once
@pytest.mark.timeout(0 if LONG else 120)
@pytest.mark.parametrize(
    ("zone", "quiets", "incidents"),
    [
        ("Asia/Shanghai", ("21:30-07:00", "", "13:00-12:00"), 18),
        ("Europe/Berlin", ("22:00-02:30", "02:15-02:45,12:00-13:00", "13:00-12:00"), 6),
        ("America/Santiago", ("21:30-23:30", "00:00-00:30,23:00-24:00", "13:00-12:00"), 6),
        ("Australia/Lord_Howe", ("21:30-07:00", "01:45-02:15", "13:00-12:00"), 6),
    ],
)
async def test_a_year_of_operation_keeps_every_promise_at_every_step(
    tmp_path: Path, zone: str, quiets: tuple[str, str, str], incidents: int
) -> None:
    store = await opened(tmp_path)
    try:
        plan = Plan(incidents * LONG // SHORT if LONG else incidents, zone, seed=7, quiets=quiets)
        told = await Year(store, plan).run(tmp_path)
    finally:
        await store.close()
    print(told)
    assert told.acts["report"] >= plan.incidents - 3, "what was posted in an outage's first days is all that is lost"
    assert told.ends["closed"] > plan.incidents // 3
    kinds = told.watched.kinds
    assert {f"{each} due" for each in ("accept", "safe", "repair")} | {"verify verify", "repair street"} <= set(kinds)
    # A late repair is heard of each day, or when the quiet lets it; a check each working day of the longest holiday.
    assert told.watched.longest_gap <= 2 * DAY
    assert told.watched.longest_check_gap <= 11 * DAY


async def test_two_months_on_whatever_database(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    try:
        told = await Year(store, Plan(6, days=70, seed=3, outages=1, start=date(2026, 9, 1))).run(tmp_path)
    finally:
        await store.close()
    assert told.acts["report"] >= 5 and told.watched.kinds


class Day(Year):
    """A year in which nobody does anything but what the test says."""

    authors = itertools.count(7001)

    async def set_back(self, by: timedelta) -> None:
        """The clock is set back while the program runs: the last audit was within the minute, the next one finds it."""
        await self.look()
        await self.stand(self.now - by, started=True)

    async def rows(self, kind: type[Any], *where: Any) -> list[Any]:
        query = select(kind).where(*where).order_by(*kind.__table__.primary_key)
        return await self._store.read(lambda session: list(session.exec(query).all()))

    async def incident(self) -> Incident:
        """The newest."""
        found: Incident = (await self.rows(Incident))[-1]
        return found

    async def reported(self, words: str = COVER, chat: int = DISTRICT) -> Incident:
        """Somebody else each time reports at the moment that it is."""
        self.at(self.now, self.people.report(chat, next(self.authors), words))
        await self.stand(self.now)
        return await self.incident()

    async def pressed(self, act: Act, chat: int = WATER, user: int = 8001, choice: str = "") -> None:
        incident = await self.incident()
        self.at(self.now, self.people.press(chat, user, incident.ident, act, choice))
        await self.stand(self.now)

    async def heard(self) -> list[tuple[str, str, str]]:
        """The reminders that were decided on so far: (moment on the wall, clock, step)."""
        found = await self.rows(Post, Post.kind == "reminder")
        return [
            (each.sent_at.astimezone(self.ground.zone).strftime("%d %H:%M"), each.args["clock"], each.args["step"])
            for each in found
            if each.sent_at
        ]


@asynccontextmanager
async def day(home: Path, at: time = time(9), on: date = MONDAY, zone: str = "Asia/Shanghai") -> AsyncIterator[Day]:
    """The alliance of the simulated year at that hour, without faults and outages."""
    store = await opened(home)
    try:
        here = Day(store, Plan(0, zone, start=on, faults=NONE, outages=0, alive=False))
        here.now = here.wall(on, at)
        await here.begin(home)
        yield here
    finally:
        await store.close()


# Set back.


async def test_a_clock_set_back_by_minutes_says_nothing_twice_and_skips_nothing(tmp_path: Path) -> None:
    async with day(tmp_path) as here:
        await here.reported()
        await here.until(here.now + 31 * MINUTE)
        told = [("07 09:22", "accept", "soon"), ("07 09:30", "accept", "due")]
        assert await here.heard() == told
        # 09:31, and the clock turns out to have been twenty minutes ahead; the next audit finds it.
        await here.set_back(20 * MINUTE)
        await here.until(here.wall(MONDAY, time(9, 44)))
        assert await here.heard() == told, "half past nine comes a second time, the reminder does not"
        await here.until(here.wall(MONDAY, time(11)))
        assert (await here.heard())[2:4] == [("07 09:45", "safe", "soon"), ("07 10:00", "safe", "due")]


async def test_a_day_that_never_was_holds_nothing_up(tmp_path: Path) -> None:
    """The clock runs a day ahead; an incident is reported and accepted; then the clock is right."""
    async with day(tmp_path, on=MONDAY + DAY) as here:
        await here.reported()
        await here.pressed(Act.ACCEPT)
        await here.until(here.now + 50 * MINUTE)
        assert [each[1:] for each in await here.heard()] == [("safe", "soon")]
        await here.set_back(DAY)
        await here.until(here.now + 11 * MINUTE)
        assert [each[1:] for each in await here.heard()] == [("safe", "soon"), ("safe", "due")]
        assert (await here.heard())[1][0].startswith("07 10:0"), "told on the day that it is"
        assert (await here.incident()).breached


@pytest.mark.parametrize("back", [HOUR, DAY])
async def test_what_was_about_to_be_sent_goes_out_after_the_clock_is_set_back(tmp_path: Path, back: timedelta) -> None:
    async with day(tmp_path, at=time(14)) as here:
        here.chats.faults = Faults(unknown=1.0)
        await here.reported()
        await here.until(here.now + 8 * MINUTE)
        assert not here.chats.standing, "nothing gets through"
        (waiting,) = await here.rows(Post, Post.kind == "card")
        assert waiting.due_at > here.now
        here.chats.faults = NONE
        await here.set_back(back)
        assert [each.kind for each in here.chats.standing[WATER].values()] == ["card"]
        (line,) = here.chats.standing[DISTRICT].values()
        assert line.kind == "line"


async def test_a_prompt_does_not_stand_for_the_day_that_was_set_back(tmp_path: Path) -> None:
    async with day(tmp_path) as here:
        await here.reported(UNCLEAR)
        await here.until(here.now + MINUTE)
        assert [each.kind for each in here.chats.standing[DISTRICT].values()] == ["prompt"]
        await here.set_back(DAY)
        await here.until(here.now + 6 * MINUTE)
        assert not here.chats.standing[DISTRICT]
        assert (await here.incident()).need == "unknown", "the secretary has it after the five minutes"


async def test_a_draft_does_not_gather_for_the_day_that_was_set_back(tmp_path: Path) -> None:
    async with day(tmp_path) as here:
        await here.reported(UNCLEAR)
        await here.set_back(DAY)
        await here.until(here.now + MINUTE)
        assert (await here.incident()).prompted


async def test_an_hour_set_back_gives_nobody_an_hour_to_undo(tmp_path: Path) -> None:
    async with day(tmp_path) as here:
        await here.reported()
        await here.pressed(Act.ACCEPT)
        await here.stand(here.now - HOUR)
        await here.pressed(Act.UNDO)
        assert (await here.incident()).status == "accepted"
        # And within the minute, as ever.
        await here.pressed(Act.MAKE_SAFE)
        await here.stand(here.now + timedelta(seconds=50))
        await here.pressed(Act.UNDO)
        assert (await here.incident()).safe_at is None


async def test_a_year_that_turns_back_gives_no_number_twice(tmp_path: Path) -> None:
    async with day(tmp_path, on=date(2026, 12, 31), at=time(23, 59, 30)) as here:
        numbers = []
        for clock in (timedelta(0), MINUTE, -2 * MINUTE, timedelta(0), 2 * MINUTE, -DAY, 2 * DAY, timedelta(0)):
            await here.look()
            await here.stand(here.now + clock, started=clock < timedelta(0))
            numbers.append((await here.reported(COVER)).number)
        assert numbers == [
            *("CA-2026-0001", "CA-2027-0001", "CA-2026-0002", "CA-2026-0003", "CA-2027-0002"),
            *("CA-2026-0004", "CA-2027-0003", "CA-2027-0004"),
        ]


# Set ahead.


@pytest.mark.parametrize("ahead", [3 * HOUR, 3 * DAY])
async def test_a_clock_that_leaps_ahead_reminds_once_for_all_it_has_leapt_over(
    tmp_path: Path, ahead: timedelta
) -> None:
    async with day(tmp_path, at=time(10)) as here:
        await here.reported(COVER)
        await here.reported(LIGHT)
        await here.stand(here.now + ahead)
        reminded = await here.rows(Post, Post.kind == "reminder", Post.chat_id != -900)
        assert sorted(each.chat_id for each in reminded) == ([WATER] if ahead < DAY else [POWER, WATER])
        assert len([each for each in here.chats.standing[WATER].values() if each.kind == "reminder"]) == 1
        before = len(await here.heard())
        # And set right again: nothing of it is said a second time.
        await here.set_back(ahead)
        await here.until(here.now + min(ahead, 8 * HOUR) - MINUTE)
        assert len(await here.heard()) == before


async def test_a_leap_ahead_forgets_no_update_that_may_come_again(tmp_path: Path) -> None:
    """Telegram delivers again what was not acknowledged, whatever our clock says of its age."""
    store, now = await opened(tmp_path), datetime(2026, 9, 7, 9, tzinfo=UTC)

    def kept(session: Session) -> list[int]:
        return sorted(session.exec(select(Handled.update_id)).all())

    try:
        await store.write(
            lambda session: session.add_all(Handled(update_id=n, at=now + timedelta(hours=n)) for n in range(10))
        )
        for clock in (now + 10 * HOUR, now + 3 * DAY, now + 4000 * DAY, now - 30 * DAY):
            await store.write(lambda session, clock=clock: forget_handled(session, clock, 2 * DAY))
            assert await store.read(kept) == list(range(10)), clock
        # Time that has really passed brings new ones, and then the old ones go.
        later = now + 2 * DAY + 5.5 * HOUR
        await store.write(lambda session: session.add(Handled(update_id=10, at=later)))
        await store.write(lambda session: forget_handled(session, later, 2 * DAY))
        assert await store.read(kept) == [6, 7, 8, 9, 10]
    finally:
        await store.close()


# Ours is not Telegram's.


async def test_a_clock_behind_telegrams_holds_up_no_draft_and_no_album(tmp_path: Path) -> None:
    """Messages come from the future by an hour: what they belong to is told by their time, the waiting by ours."""
    async with day(tmp_path) as here:
        report = here.people.report(DISTRICT, 7001, UNCLEAR)
        here.at(here.now, lambda desk, at: report(desk, at + HOUR))
        await here.until(here.now + 20 * timedelta(seconds=1))
        assert (await here.incident()).prompted
        pieces = [here.people.report(DISTRICT, 7002, text) for text in (COVER, "")]
        for piece in pieces:
            here.at(here.now, lambda desk, at, piece=piece: piece(desk, at + HOUR))
        await here.stand(here.now)
        assert len(await here.rows(Incident)) == 2
        await here.until(here.now + 20 * timedelta(seconds=1))
        assert [each.kind for each in here.chats.standing[WATER].values()] == ["card", "album"]


# The machine's own clock, by which APScheduler waits.


class Machine(datetime):
    """The machine's clock, somewhere else than where it is."""

    ahead = timedelta(0)

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + cls.ahead


@contextmanager
def machine() -> Iterator[type[Machine]]:
    """Everything that asks the machine for the time asks this one."""
    Machine.ahead = timedelta(0)
    with patch("bot.clock.datetime", Machine), patch("apscheduler.schedulers.base.datetime", Machine):
        yield Machine


@pytest.mark.once
async def test_the_ticker_keeps_its_beat_whatever_becomes_of_the_clock(tmp_path: Path) -> None:
    """Found: after an hour set back nothing ticked for an hour; a leap of ten years counted up every second of it."""
    store = await opened(tmp_path)
    year = Year(store, Plan(0, outages=0, alive=False))
    beats: list[float] = []
    with machine() as wall:
        ticker = Ticker(store, year.ground, Clock(), FOR_EVER)

        async def beat() -> None:
            beats.append(stopwatch.monotonic())

        async def two_more(within: float) -> None:
            wanted, end = len(beats) + 2, stopwatch.monotonic() + within
            while len(beats) < wanted:
                assert stopwatch.monotonic() < end, "it does not tick any more"
                await asyncio.sleep(0.02)

        ticker.every(0.3, "beat", beat)
        ticker.start()
        try:
            await two_more(10)
            for leap in (-HOUR, -DAY, 3 * HOUR, 3 * DAY, 3650 * DAY, -3650 * DAY):
                wall.ahead += leap
                await two_more(10)
        finally:
            ticker.stop()
    await asyncio.sleep(0)
    await store.close()


@pytest.mark.once
async def test_what_may_be_sent_in_a_minute_is_counted_by_a_clock_that_nobody_sets(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    year = Year(store, Plan(0, outages=0, alive=False))
    clock, sent, tasks, all_sent = Clock(), list[float](), list[asyncio.Task[None]](), asyncio.Event()

    class Channel:
        async def show(self, place: Any, shape: Any, pictures: Any) -> Shown:
            sent.append(stopwatch.monotonic())
            clock.ahead += DAY if len(sent) % 2 else -2 * HOUR
            if len(sent) == 3:
                all_sent.set()
            return Shown((len(sent),), "text")

    def spawn(work: Any, name: str) -> "asyncio.Task[None]":
        tasks.append(asyncio.create_task(work, name=name))
        return tasks[-1]

    delivery = Delivery(store, year.ground, clock, Channel(), None, spawn)  # type: ignore[arg-type]
    store.on_commit = lambda _topics: delivery.wake()
    for n in range(3):
        await store.write(
            lambda session, n=n: add_notice(
                Desk(session, year.ground, clock.now()), -5, "note", f"k{n}", sentence="From now on in English."
            )
        )
    running = asyncio.create_task(delivery.run())
    try:
        await asyncio.wait_for(all_sent.wait(), 20)
    finally:
        await delivery.finish()
        await asyncio.gather(running, *tasks)
        await store.close()
    assert all(later - sooner >= 1.0 for sooner, later in pairwise(sent)), sent


# Zones.


@pytest.mark.parametrize(
    ("zone", "at", "number"),
    [
        ("Asia/Shanghai", datetime(2026, 12, 31, 15, 59, 59, tzinfo=UTC), "CA-2026-0001"),
        ("Asia/Shanghai", datetime(2026, 12, 31, 16, 0, 0, tzinfo=UTC), "CA-2027-0001"),
        ("America/New_York", datetime(2027, 1, 1, 4, 59, 59, tzinfo=UTC), "CA-2026-0001"),
        ("America/New_York", datetime(2027, 1, 1, 5, 0, 0, tzinfo=UTC), "CA-2027-0001"),
        ("Australia/Lord_Howe", datetime(2026, 12, 31, 12, 59, 59, tzinfo=UTC), "CA-2026-0001"),
        ("Australia/Lord_Howe", datetime(2026, 12, 31, 13, 0, 0, tzinfo=UTC), "CA-2027-0001"),
    ],
)
@pytest.mark.once
async def test_a_new_year_of_numbers_begins_at_midnight_where_the_community_is(
    tmp_path: Path, zone: str, at: datetime, number: str
) -> None:
    async with day(tmp_path, zone=zone) as here:
        here.now = at
        assert (await here.reported()).number == number


async def test_another_zone_from_one_run_to_the_next_keeps_limits_and_moves_the_quiet(tmp_path: Path) -> None:
    """Reported at 16:00 in Shanghai; then the operator sets TIMEZONE to New York, where it is 04:00 in the morning."""
    async with day(tmp_path, at=time(16)) as here:
        await here.reported(LIGHT)
        before = await here.incident()
        here.move_to("America/New_York")
        await here.stand(here.now + MINUTE, started=True)
        await here.until(here.now + 3 * DAY)
        after = await here.incident()
        assert (after.accept_due, after.repair_due) == (before.accept_due, before.repair_due), "promised is promised"
        heard = await here.heard()
        assert heard and all("07:00" <= told[0][3:] < "21:30" for told in heard), heard
        assert (await here.rows(Timer, Timer.kind == "remind"))[0].next_at > here.now
        # Numbers go on where they were; the year is that of the new zone.
        assert (await here.reported(COVER)).number == "CA-2026-0002"


@pytest.mark.once
@pytest.mark.parametrize(
    ("zone", "now", "start"),
    [
        # Havana's first hour of November comes twice: the month begins with the first of them.
        ("America/Havana", datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ("America/Havana", datetime(2026, 11, 20, 5, 30, tzinfo=UTC), datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 6, 30, tzinfo=UTC), datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 30, 6, 30, tzinfo=UTC), datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 31, 12, tzinfo=UTC), datetime(2026, 2, 28, 23, tzinfo=UTC)),
        ("America/Santiago", datetime(2026, 9, 6, 4, 30, tzinfo=UTC), datetime(2026, 9, 1, 4, tzinfo=UTC)),
        ("Asia/Shanghai", datetime(2026, 8, 31, 16, 0, tzinfo=UTC), datetime(2026, 8, 31, 16, tzinfo=UTC)),
    ],
)
async def test_the_month_of_the_numbers_begins_at_its_first_midnight(
    tmp_path: Path, zone: str, now: datetime, start: datetime
) -> None:
    async with day(tmp_path, zone=zone) as here:
        for at in (start - timedelta(seconds=1), start):
            here.now = at
            await here.reported(LIGHT)

        community = (await here.incident()).community_id

        def counted(session: Session) -> int:
            return month_numbers(Desk(session, here.ground, now), {"communities": [community]}).filed

        assert await here._store.read(counted) == 1


# What is said when, whoever acts meanwhile.


async def test_a_limit_that_ran_out_at_night_is_told_though_the_unit_accepts_before_morning(tmp_path: Path) -> None:
    """Found by the simulated year: the step was held for the morning, the act before it counted it as done with."""
    async with day(tmp_path, at=time(16)) as here:
        await here.reported(LIGHT)
        limits = await here.incident()
        assert limits.repair_due == here.wall(MONDAY + DAY, time(16))
        await here.until(here.wall(MONDAY + DAY, time(15, 59)))
        await here.pressed(Act.ACCEPT, chat=POWER, user=8002)
        assert not (await here.incident()).breached
        # The program is off until the next morning, and the unit presses before the quiet is over. The ladder's next
        # step after that is a day away.
        await here.stand(here.wall(MONDAY + 2 * DAY, time(6, 50)))
        await here.pressed(Act.MAKE_SAFE, chat=POWER, user=8002)
        assert not (await here.incident()).breached
        await here.until(here.wall(MONDAY + 2 * DAY, time(7)))
        told = await here.incident()
        assert told.breached and told.need == "breached"


async def test_what_a_minutes_undo_leaps_over_is_told_all_the_same(tmp_path: Path) -> None:
    async with day(tmp_path) as here:
        await here.reported()
        await here.until(here.wall(MONDAY, time(9, 29, 40)))
        await here.pressed(Act.ACCEPT)
        await here.until(here.wall(MONDAY, time(9, 30, 20)))
        assert [each[2] for each in await here.heard()] == ["soon"]
        await here.pressed(Act.UNDO)
        await here.until(here.now + MINUTE)
        assert [each[1:] for each in await here.heard()] == [("accept", "soon"), ("accept", "due")]
        assert (await here.incident()).need == "breached"


async def test_a_reminder_that_could_not_be_sent_by_day_is_not_sent_at_night(tmp_path: Path) -> None:
    async with day(tmp_path) as here:
        await here.reported(LIGHT)
        await here.until(here.wall(MONDAY, time(16, 59)))
        told = await here.heard()
        here.chats.faults = Faults(unknown=1.0)
        await here.until(here.wall(MONDAY, time(23)))
        decided = await here.rows(Post, Post.kind == "reminder")
        assert len(decided) == len(told) + 1 and await here.heard() == told, "one was decided on, and got nowhere"
        here.chats.faults = NONE
        await here.until(here.wall(MONDAY + DAY, time(6, 59)))
        assert [each.kind for each in here.chats.standing[POWER].values()] == ["card"]
        await here.until(here.wall(MONDAY + DAY, time(7, 0)))
        assert sorted(each.kind for each in here.chats.standing[POWER].values()) == ["card", "reminder"]


async def test_a_reminder_waits_until_the_one_before_it_is_taken_away(tmp_path: Path) -> None:
    """Found by the simulated year: the old one could not be deleted at once, and for a while two stood there."""
    async with day(tmp_path) as here:
        await here.reported()
        await here.until(here.wall(MONDAY, time(9, 29)))
        (first,) = [each for each in here.chats.standing[WATER].values() if each.kind == "reminder"]
        tried: list[int] = []
        show, failing = here.chats.show, True

        def fails_to_delete(place: Any, shape: Any, *about: Any) -> Any:
            if failing and isinstance(shape, Gone):
                tried.append(1)
                from bot.channels.outcome import Unknown

                return Unknown("network", sent_maybe=False), False
            return show(place, shape, *about)

        here.chats.show = fails_to_delete  # type: ignore[method-assign]
        await here.until(here.wall(MONDAY, time(9, 30, 20)))
        assert len(tried) > 3
        assert [each for each in here.chats.standing[WATER].values() if each.kind == "reminder"] == [first]
        failing = False
        await here.until(here.wall(MONDAY, time(9, 32)))
        (second,) = [each for each in here.chats.standing[WATER].values() if each.kind == "reminder"]
        assert second.post_id != first.post_id


async def test_a_check_missed_over_an_outage_is_asked_for_once_and_on_a_working_day(tmp_path: Path) -> None:
    """Off from Thursday evening to Sunday 03:00, and that Sunday is worked in China; then to a Saturday that is not."""
    async with day(tmp_path, on=date(2026, 9, 17)) as here:
        await here.reported(LIGHT)
        self_made = await here.incident()
        here.at(here.now, here.people.proof(self_made.ident))
        await here.stand(here.now)
        assert (await here.incident()).status == "resolved"
        await here.stand(here.wall(date(2026, 9, 20), time(3)), started=True)
        await here.until(here.wall(date(2026, 9, 20), time(23)))
        assert [each[0] for each in await here.heard()] == ["20 08:30"]
        await here.stand(here.wall(date(2026, 9, 26), time(10)), started=True)
        await here.until(here.wall(date(2026, 9, 28), time(23)))
        assert [each[0] for each in await here.heard()][1:] == ["28 08:30"]
        await here.pressed(Act.CONFIRM, chat=OFFICE, user=SECRETARY)
        assert (await here.incident()).status == "closed"
        assert not [each for each in here.chats.standing[OFFICE].values() if each.kind == "reminder"]
        assert not await here.rows(Timer, Timer.kind == "remind")
        acts = [each.act for each in await here.rows(Event, col(Event.act).in_(("resolve", "confirm")))]
        assert acts == ["resolve", "confirm"]
