"""A year of operation in minutes: the real services on real rows, people who act by a seeded chance, a clock that steps
from one moment at which something is due to the next. `tests/year_watch.py` says what must hold at every step.

    python -m tests.year 2000                 2,000 incidents in Asia/Shanghai
    python -m tests.year 500 Europe/Berlin 7  with another seed; DATABASE_URL names an empty PostgreSQL
"""

import asyncio
import heapq
import itertools
import os
import random
import sys
import tempfile
import time as stopwatch
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from bot.alliance import read
from bot.domain.acts import OPEN, Act
from bot.services.aligning import align
from bot.services.auditing import repair, survey
from bot.services.desk import Desk, Ground
from bot.services.reminding import fire
from bot.services.showing import note, prepare, set_out
from bot.workdays import ChinaWorkdays
from storage.migrating import migrate
from storage.posts import due_chats, first_due, next_due, release_leases
from storage.store import Store, open_store
from storage.tables import Event, Incident, Post
from storage.timers import due_timers, next_timer
from tests.year_chats import Chats, Faults
from tests.year_people import WORDS, Deed, People
from tests.year_watch import Figures, Watch

REDELIVERED = timedelta(hours=24)
"""How long Telegram keeps a message for a bot that is away."""
PRESSED = timedelta(seconds=150)
"""How long it keeps a press."""
TRIES = 12
"""Times one post may be due at one moment: an album of many pictures goes out in pieces."""
QUIETS = ("21:30-07:00", "", "13:00-12:00")
"""Over midnight, none, and all of the day but an hour."""
WORKING = ("08:30-11:30,13:30-17:30", "09:00-18:00", "")
SOME_FAULTS = Faults(wait=0.01, unknown=0.02, lost_answer=0.003, deleted=0.003)
STREET, OFFICE, DISTRICT, WATER, POWER, REST = -900, -1000, -1010, -1020, -1021, -1022
"""Chats of the street and of the first community; those of the next are 1,000 and 2,000 lower."""
SECRETARY = 901


@dataclass(frozen=True)
class Plan:
    """One simulated year."""

    incidents: int
    zone: str = "Asia/Shanghai"
    seed: int = 1
    start: date = date(2026, 2, 1)
    days: int = 365
    quiets: tuple[str, str, str] = QUIETS
    faults: Faults = SOME_FAULTS
    outages: int = 6
    alive: bool = True
    """Whether people do anything by themselves."""

    @property
    def label(self) -> str:
        return f"seed {self.seed} in {self.zone}"


@dataclass
class Told:
    """The figures of a year."""

    plan: Plan
    watched: Figures
    steps: int = 0
    acts: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    strays: int = 0
    doubled: int = 0
    lost: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        figures = self.watched

        def listed(counts: Counter[str]) -> str:
            return ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))

        lines = (
            f"{self.plan.label}: {self.acts['report']} reports, {sum(self.acts.values())} acts "
            f"({self.refused} refused), {self.steps} steps in {self.seconds:.1f} s",
            f"  acts: {listed(self.acts)}",
            f"  reminders {sum(figures.kinds.values())}, at most {figures.most} about one incident: "
            + listed(figures.kinds),
            f"  breaches told {figures.breaches}; new messages: {listed(figures.sends)}",
            f"  longest gap of a late repair {figures.longest_gap}, of a check {figures.longest_check_gap}",
            f"  failures met {self.failures}, answers lost {self.strays} (possibly doubled: {self.doubled}), "
            f"presses lost to outages {self.lost}; at the end: {listed(self.ends)}",
        )
        return "\n".join(lines)


def alliance_text(quiets: tuple[str, str, str]) -> str:
    """A street and three communities with two districts and three units each."""
    text = f'[[community]]\nkey = "street"\nname = "街道"\nprefix = "ST"\noffice_chat = {STREET}\nsecretaries = [900]\n'
    for n in range(3):
        base = -1000 * n
        text += (
            f'[[community]]\nkey = "c{n}"\nname = "社区{n}"\nprefix = "C{"ABC"[n]}"\nparent = "street"\n'
            f"office_chat = {base + OFFICE}\nsecretaries = [{SECRETARY + n}]\n"
            f'dispatch = "{("auto", "approve", "auto")[n]}"\nintake = "{("ask", "all", "ask")[n]}"\n'
            f'proof = "{("required", "optional", "optional")[n]}"\nquiet_hours = "{quiets[n]}"\n'
            f'working_hours = "{WORKING[n]}"\nfallback_unit = "rest"\n'
        )
        for m in range(2):
            text += f'[[community.district]]\nkey = "d{m}"\nname = "商圈{m}"\nchats = [{base + DISTRICT - m}]\n'
        for key, chat, kinds in (
            ("water", WATER, '"cover.water", "cover.sewer"'),
            ("power", POWER, '"light", "pole", "power"'),
            ("rest", REST, '"rubbish"'),
        ):
            text += f'[[community.unit]]\nkey = "{key}"\nname = "{key}"\nchat = {base + chat}\ncategories = [{kinds}]\n'
    return text


class Year:
    """One run: `begin`, then `until` again and again, or `run` for the whole."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self._store, self._plan = store, plan
        self._chance = random.Random(plan.seed)
        self._order = itertools.count()
        self._people_to_come: list[tuple[datetime, int, Deed]] = []
        self._last_event = self._last_post = 0
        self._following: datetime | None = None
        self.chats = Chats(self._chance, plan.faults)
        self.people = People(self._chance, self.chats, self._later)
        self.move_to(plan.zone)
        self.told = Told(plan, self.watch.figures, acts=self.people.acts)
        self.now = self.wall(plan.start, time(9))
        self._looked = self.now
        self._off = self._outages()

    def move_to(self, zone: str) -> None:
        """The operator sets TIMEZONE to this."""
        self.ground = Ground(ZoneInfo(zone), "en", ChinaWorkdays())
        self.watch = Watch(self.ground, self.chats, replace(self._plan, zone=zone).label)

    def wall(self, day: date, clock: time) -> datetime:
        """The moment at which the clock on the wall shows that."""
        return datetime.combine(day, clock, self.ground.zone).astimezone(UTC)

    # What will happen.

    def _outages(self) -> list[tuple[datetime, datetime]]:
        """Three days each, from a Thursday evening or the eve of the May holiday, until 03:00 or 10:00."""
        found: list[tuple[datetime, datetime]] = []
        for n in range(self._plan.outages):
            day = self._plan.start + timedelta(days=20 + n * (self._plan.days - 60) // self._plan.outages)
            day = date(day.year, 4, 30) if n == 1 else day + timedelta(days=(3 - day.weekday()) % 7)
            begin = self.wall(day, time(18, self._chance.randrange(60)))
            found.append((begin, self.wall(day + timedelta(days=3), time(3 if n % 2 == 0 else 10))))
        return sorted(found)

    def _later(self, delay: timedelta, deed: Deed, kept: bool = False) -> None:
        self.at(self.now + delay, deed, kept)

    def at(self, at: datetime, deed: Deed, kept: bool = True) -> None:
        """Have somebody do something at that moment; `kept`: a message, which Telegram keeps for a bot that is away."""
        arrives = at = _whole(at)
        for begin, end in self._off:
            if not begin <= at < end or end - at < PRESSED:
                continue
            if kept and end - at < REDELIVERED:
                arrives = end
            else:
                # It never came; people try again once the bot answers.
                self.told.lost += 1
                at = arrives = _whole(end + timedelta(hours=self._chance.expovariate(1 / 6)))
        heapq.heappush(self._people_to_come, (arrives, next(self._order), lambda desk, _, at=at: deed(desk, at)))

    def _seed(self) -> None:
        plan, chance = self._plan, self._chance
        for _ in range(plan.incidents):
            day = plan.start + timedelta(days=chance.randrange(1, plan.days - 1))
            if not self.ground.workdays.is_workday(day) and chance.random() < 0.4:
                day += timedelta(days=chance.randrange(3))
            hour = chance.triangular(5, 23, 13) if chance.random() < 0.9 else chance.uniform(0, 5)
            chat = DISTRICT - chance.randrange(2) - 1000 * chance.randrange(3)
            report = self.people.report(chat, 7000 + chance.randrange(40), chance.choice(WORDS))
            self.at(self.wall(day, time()) + timedelta(hours=hour), report)
        for n in range(3):
            for chat in (WATER, POWER, REST, OFFICE):
                at = self.now + timedelta(days=chance.randrange(10, plan.days - 20))
                self.at(at, self.people.lose(chat - 1000 * n))
            moved = REST - 1000 * n
            self.at(self.now + timedelta(days=chance.randrange(30, 300)), self.people.migrate(moved, moved - 500))

    # The loop.

    async def run(self, home: Path) -> Told:
        """The whole year."""
        begun = stopwatch.monotonic()
        await self.begin(home)
        self._seed()
        await self.until(self.now + timedelta(days=self._plan.days))
        await self._store.read(self._conclude)
        self.told.seconds = stopwatch.monotonic() - begun
        return self.told

    async def begin(self, home: Path) -> None:
        """Apply the alliance, and show it: menus and the like."""
        path = home / "alliance.toml"
        path.write_text(alliance_text(self._plan.quiets), encoding="utf-8")
        alliance = read(path)
        await self._store.write(lambda session: align(session, alliance, self.now))
        await self.stand(self.now, started=True)

    async def until(self, end: datetime) -> None:
        """Step from one moment at which something is due to the next, up to `end`."""
        still = 0
        while True:
            soonest = [self._following] if self._following is not None else []
            soonest += [self._people_to_come[0][0]] if self._people_to_come else []
            if not soonest or (then := min(soonest)) > end:
                self.now = max(self.now, end)
                return
            still = still + 1 if then <= self.now else 0
            assert still < 40, f"{self._plan.label}: nothing moves on at {self.now}"
            now, started = max(self.now, then), False
            while self._off and self._off[0][0] <= now:
                now, started = max(now, self._off.pop(0)[1]), True
            await self.stand(now, started)

    async def look(self) -> None:
        """The audit that runs every minute; a year of them would only take long, so a test of the clock asks for it."""
        await self._store.write(self._audit)

    async def stand(self, now: datetime, started: bool = False) -> None:
        """The clock shows `now`, whatever it showed before: do all that is due. `started`: the program was off."""
        self.now = _whole(now)
        weekly = self.now - self._looked >= timedelta(days=7)
        self._looked = self.now if weekly else self._looked
        self._following = await self._store.write(lambda session: self._step(session, started, weekly))
        self.told.steps += 1

    def _step(self, session: Session, started: bool, weekly: bool) -> datetime | None:
        """All that is due now: what people did, the clock's own, what is to be shown. Returns the next moment."""
        touched = set[int]()
        if started:
            release_leases(session, self.now)
            session.flush()
        if started or weekly:
            self._audit(session)
        if started and self._chance.random() < 0.5:
            # Nobody says what comes first after a start: the clock's own, or what Telegram has kept.
            self._fire(session, touched)
        while self._people_to_come and self._people_to_come[0][0] <= self.now:
            _, _, deed = heapq.heappop(self._people_to_come)
            deed(Desk(session, self.ground, self.now), self.now)
            self._look(session, touched)
        self._fire(session, touched)
        shown = self._deliver(session)
        self._look(session, touched, *shown)
        self.watch.step(session, touched, self.now)
        if weekly:
            self.watch.everything(session, self.now)
            self._take_up_again(session)
        session.expunge_all()
        soonest = [each for each in (next_timer(session), next_due(session)) if each is not None]
        return min(soonest, default=None)

    def _fire(self, session: Session, touched: set[int]) -> None:
        fired: set[tuple[int, str]] = set()
        while due := due_timers(session, self.now, 100):
            for each in due:
                if each in fired:
                    self.watch.fail(self.now, f"the timer {each} is due again after it was done")
                fired.add(each)
                fire(Desk(session, self.ground, self.now, "clock"), *each)
                self._look(session, touched, each[0])

    def _look(self, session: Session, touched: set[int], *known: int) -> None:
        """What the last transaction has changed: reminders it has made, people who will act on what they see now."""
        # Each transaction has a session of its own, which knows nothing of the one before.
        session.flush()
        session.expunge_all()
        changed = set(known)
        for post in session.exec(
            select(Post).where(Post.kind == "reminder", col(Post.id) > self._last_post).order_by(col(Post.id))
        ):
            self._last_post = post.ident
            self.watch.made(session, post, self.now)
        for event in session.exec(select(Event).where(col(Event.id) > self._last_event).order_by(col(Event.id))):
            self._last_event = event.ident
            changed.add(event.incident_id)
            if event.act == Act.UNDO:
                self.watch.undone.add(event.incident_id)
        touched |= changed
        for incident_id in changed if self._plan.alive else ():
            incident = session.get(Incident, incident_id)
            if incident is not None:
                self.people.notice(session, incident)
        session.expunge_all()

    def _take_up_again(self, session: Session) -> None:
        """What people have let lie for a month they look at again; one matter in thirty is forgotten for good."""
        old = self.now - timedelta(days=30)
        still_open = col(Incident.status).in_([str(each) for each in OPEN])
        for incident in session.exec(select(Incident).where(still_open, col(Incident.created_at) < old)):
            if incident.ident % 30:
                self.people.look_again(session, incident)

    def _deliver(self, session: Session) -> set[int]:
        """Bring up to date what is due; returns the incidents it was about."""
        shown, tried = set[int](), Counter[int]()
        while waiting := due_chats(session, self.now, ()):
            for chat in waiting:
                while (post := first_due(session, chat, self.now)) is not None:
                    tried[post.ident] += 1
                    if tried[post.ident] > TRIES:
                        self.watch.fail(self.now, f"a post is due again and again: {post}")
                    shown |= {post.incident_id} if post.incident_id is not None else set()
                    self._show(session, post)
                    session.flush()
                    session.expunge_all()
        return shown

    def _show(self, session: Session, post: Post) -> None:
        post_id, kind, incident_id = post.ident, post.kind, post.incident_id
        prepared = prepare(Desk(session, self.ground, self.now), post_id)
        if prepared is None:
            return
        if prepared.sends:
            set_out(Desk(session, self.ground, self.now), post_id)
        session.flush()
        outcome, rang = self.chats.show(prepared.place, prepared.shape, post_id, kind, incident_id, self.now)
        if rang:
            row = session.get_one(Post, post_id)
            self.watch.rung(session, row, prepared.place.chat_id, self.now, row.doubled > 0)
        note(Desk(session, self.ground, self.now), prepared, outcome)

    def _audit(self, session: Session) -> None:
        """The auditor finds nothing to repair but what a clock that was set back has left: the rules alone keep the
        promises."""
        after, suspects = 0, list[int]()
        while True:
            seen = survey(Desk(session, self.ground, self.now, "audit"), after)
            suspects += seen.suspects
            if not (after := seen.next_after):
                break
        done = repair(Desk(session, self.ground, self.now, "audit"), suspects)
        session.flush()
        session.expunge_all()
        if done.broken or set(done.mended) - {"clock_set_back"}:
            self.watch.fail(self.now, f"the auditor had to mend {done}")

    def _conclude(self, session: Session) -> None:
        self.watch.everything(session, self.now)
        self.watch.conclude(session, self._outages())
        for incident in session.exec(select(Incident)):
            self.told.ends[incident.status] += 1
        counted = session.exec(select(Post.doubled).where(col(Post.doubled) > 0)).all()
        self.told.failures, self.told.strays = self.chats.failures, self.chats.strays
        self.told.doubled, self.told.refused = sum(counted), self.people.refused


def _whole(at: datetime) -> datetime:
    """The moment as finely as rows hold it."""
    return at - timedelta(microseconds=at.microsecond % 1000)


async def simulate(plan: Plan, home: Path, url: str) -> Told:
    """One year in a database of its own: SQLite below `home`, or the empty PostgreSQL at `url`."""
    await migrate(url, home / "year.sqlite")
    store = open_store(url, home / "year.sqlite")
    try:
        return await Year(store, plan).run(home)
    finally:
        await store.close()


if __name__ == "__main__":
    asked = sys.argv[1:]
    wanted = Plan(int(asked[0]), *asked[1:2], *(int(each) for each in asked[2:3]))
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(simulate(wanted, Path(folder), os.environ.get("DATABASE_URL", ""))))
