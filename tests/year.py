"""A year of operation in seconds: the real services on real rows, people who act by a seeded chance, a clock that steps
from one moment at which something is due to the next. `tests/year_watch.py` says what must hold at every step.

    python -m tests.year 2000            2,000 incidents in Asia/Shanghai
    python -m tests.year 500 Europe/Berlin 7
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
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from bot.alliance import read
from bot.channels.outcome import Unknown
from bot.domain.acts import ANSWERS, OPEN, REASONS, Act, Status
from bot.services import binding as bindings
from bot.services.aligning import align
from bot.services.auditing import repair, survey
from bot.services.desk import Desk, Ground
from bot.services.incoming import Incoming
from bot.services.people import Visitor
from bot.services.posting import subject
from bot.services.pressing import Pressed, press
from bot.services.receiving import receive_picture, receive_words
from bot.services.reminding import fire
from bot.services.showing import note, prepare
from bot.views.presses import Press, pack
from bot.workdays import ChinaWorkdays
from storage import chats as chat_rows
from storage.migrating import migrate
from storage.posts import due_chats, find_post, first_due, next_due, release_leases
from storage.store import Store, open_store
from storage.tables import Binding, Event, Incident, Post, Unit
from storage.timers import due_timers, next_timer
from tests.year_chats import Chats, Faults
from tests.year_watch import Figures, Watch

REDELIVERED = timedelta(hours=24)
"""How long Telegram keeps a message for a bot that is away; a press only two minutes and a half."""
WORDS = (
    *("自来水井盖被货车压裂", "污水井盖没了", "电线杆歪了", "消防栓漏水"),
    *(
        "占道堆物, 路过不去",
        "路灯不亮了",
        "垃圾桶满了",
        "人行道地砖破损",
        "违建雨棚",
        "绿化带树枝断了",
        "广告牌",
        "看这里",
    ),
)
TRIES = 12
"""Times one post may be due at one moment: an album of many pictures goes out in pieces."""
QUIETS = ("21:30-07:00", "", "13:00-12:00")
"""Over midnight, none, and all of the day but an hour."""
FAULTS = Faults(wait=0.01, unknown=0.02, lost_answer=0.003, deleted=0.003)
WORKING = ("08:30-11:30,13:30-17:30", "09:00-18:00", "")


@dataclass(frozen=True)
class Plan:
    """One simulated year."""

    incidents: int
    zone: str = "Asia/Shanghai"
    seed: int = 1
    start: date = date(2026, 2, 1)
    days: int = 365
    quiets: tuple[str, str, str] = QUIETS
    faults: Faults = FAULTS
    outages: int = 6

    @property
    def label(self) -> str:
        return f"seed {self.seed} in {self.zone}"


@dataclass
class Told:
    """The figures of a year."""

    plan: Plan
    watched: Figures
    incidents: int = 0
    steps: int = 0
    acts: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    doubled: int = 0
    lost: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        figures = self.watched
        lines = (
            f"{self.plan.label}: {self.incidents} incidents, {sum(self.acts.values())} acts ({self.refused} refused), "
            f"{self.steps} steps in {self.seconds:.1f} s",
            f"  reminders: {sum(figures.kinds.values())}, at most {figures.most} about one incident: "
            + ", ".join(f"{kind} {count}" for kind, count in sorted(figures.kinds.items())),
            f"  breaches told: {figures.breaches}; messages: "
            + ", ".join(f"{kind} {count}" for kind, count in sorted(figures.sends.items())),
            f"  longest gap of a late repair {figures.longest_gap}, of a check {figures.longest_check_gap}",
            f"  failures met {self.failures}, answers lost {self.doubled}, presses lost to outages {self.lost}; "
            f"at the end: {', '.join(f'{status} {count}' for status, count in sorted(self.ends.items()))}",
        )
        return "\n".join(lines)


def alliance_text(quiets: tuple[str, str, str]) -> str:
    """A street and three communities with two districts and three units each."""
    text = '[[community]]\nkey = "street"\nname = "街道"\nprefix = "ST"\noffice_chat = -900\nsecretaries = [900]\n'
    for n in range(3):
        base = -1000 * (n + 1)
        text += (
            f'[[community]]\nkey = "c{n}"\nname = "社区{n}"\nprefix = "C{"ABC"[n]}"\nparent = "street"\n'
            f'office_chat = {base}\nsecretaries = [{901 + n}]\ndispatch = "{("auto", "approve", "auto")[n]}"\n'
            f'intake = "{("ask", "all", "ask")[n]}"\nproof = "{("required", "optional", "optional")[n]}"\n'
            f'quiet_hours = "{quiets[n]}"\nworking_hours = "{WORKING[n]}"\nfallback_unit = "rest"\n'
        )
        for m in range(2):
            text += f'[[community.district]]\nkey = "d{m}"\nname = "商圈{m}"\nchats = [{base - 10 - m}]\n'
        for m, (key, kinds) in enumerate(
            (("water", '"cover.water", "cover.sewer"'), ("power", '"light", "pole", "power"'), ("rest", '"rubbish"'))
        ):
            text += (
                f'[[community.unit]]\nkey = "{key}"\nname = "{key}"\nchat = {base - 20 - m}\n'
                f'categories = [{kinds}]\ndistricts = ["*"]\n'
            )
    return text


class Year:
    """One run. `run` may be called once."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self._store, self._plan = store, plan
        self._chance = random.Random(plan.seed)
        self._zone = ZoneInfo(plan.zone)
        self._ground = Ground(self._zone, "en", ChinaWorkdays())
        self._chats = Chats(self._chance, plan.faults)
        self._watch = Watch(self._ground, self._chats, plan.label)
        self._told = Told(plan, self._watch.figures)
        self._people: list[tuple[datetime, int, bool, Callable[[Desk, datetime], None]]] = []
        """(when, order, whether Telegram keeps it for a day, what they do)"""
        self._order = itertools.count()
        self._message = itertools.count(1)
        self._planned: dict[int, tuple[object, ...]] = {}
        self._last_event = self._last_post = 0
        self._now = datetime.combine(plan.start, time(9), self._zone).astimezone(UTC)
        self._end = self._now + timedelta(days=plan.days)
        self._off = self._outages()

    # -- what will happen ------------------------------------------------------------------------------------------

    def _outages(self) -> list[tuple[datetime, datetime]]:
        """Three days each: from a Thursday evening until 03:00, before a long holiday until 10:00, and so on."""
        found: list[tuple[datetime, datetime]] = []
        for n in range(self._plan.outages):
            day = self._plan.start + timedelta(days=20 + n * (self._plan.days - 60) // max(self._plan.outages, 1))
            if n == 1:
                day = max(date(self._plan.start.year, 4, 30), self._plan.start)  # the eve of the May holiday
            else:
                day += timedelta(days=(3 - day.weekday()) % 7)
            begin = datetime.combine(day, time(18, self._chance.randrange(60)), self._zone)
            end = datetime.combine(day + timedelta(days=3), time(3 if n % 2 == 0 else 10), self._zone)
            found.append((begin.astimezone(UTC), end.astimezone(UTC)))
        return sorted(found)

    def _later(self, delay: timedelta, work: Callable[[Desk, datetime], None], kept: bool = False) -> None:
        self._at(self._now + delay, work, kept)

    def _at(self, at: datetime, work: Callable[[Desk, datetime], None], kept: bool = False) -> None:
        at -= timedelta(microseconds=at.microsecond % 1000)  # as finely as rows hold it
        for begin, end in self._off:
            if begin <= at < end - timedelta(seconds=150 if not kept else 0):
                if kept and end - at < REDELIVERED:
                    heapq.heappush(self._people, (end, next(self._order), True, lambda desk, _, at=at: work(desk, at)))
                    return
                # Nobody was there to take the press; people try again once the bot answers.
                self._told.lost += 1
                at = end + timedelta(hours=self._chance.expovariate(1 / 6))
        heapq.heappush(self._people, (at, next(self._order), kept, work))

    def _seed_reports(self) -> None:
        for _ in range(self._plan.incidents):
            day = self._plan.start + timedelta(days=self._chance.randrange(1, self._plan.days - 1))
            if not self._ground.workdays.is_workday(day) and self._chance.random() < 0.4:
                day += timedelta(days=self._chance.randrange(3))
            hour = self._chance.triangular(5, 23, 13) if self._chance.random() < 0.9 else self._chance.uniform(0, 5)
            at = datetime.combine(day, time(), self._zone).astimezone(UTC) + timedelta(hours=hour)
            community, district = self._chance.randrange(3), self._chance.randrange(2)
            self._at(at, self._report(-1000 * (community + 1) - 10 - district), kept=True)

    def _seed_chats(self) -> None:
        for n in range(3):
            base = -1000 * (n + 1)
            for chat in (base - 20, base - 21, base - 22, base):
                at = self._now + timedelta(days=self._chance.randrange(10, self._plan.days - 20))
                self._at(at, self._lose(chat))
            moving = base - 22
            self._at(self._now + timedelta(days=self._chance.randrange(30, 300)), self._migrate(moving, moving - 500))

    # -- what people do --------------------------------------------------------------------------------------------

    def _report(self, chat: int) -> Callable[[Desk, datetime], None]:
        author, words = 7000 + self._chance.randrange(40), self._chance.choice(WORDS)

        def post(desk: Desk, sent_at: datetime) -> None:
            receive_picture(desk, self._picture(chat, author, sent_at, words), None)
            self._told.incidents += 1
            self._told.acts["report"] += 1

        return post

    def _picture(self, chat: int, user: int, sent_at: datetime, text: str = "", **fields: object) -> Incoming:
        number = next(self._message)
        return Incoming(
            chat_id=chat,
            message_id=number,
            visitor=Visitor(user, f"P{user}", "en"),
            sent_at=sent_at,
            text=text,
            file_id=f"file-{number}",
            file_unique_id=f"unique-{number}",
            media="photo",
            **fields,  # type: ignore[arg-type]
        )

    def _press(self, chat: int, user: int, incident_id: int, act: Act, choice: str = "") -> None:
        """Press a button as the phone would send it, and perhaps take it back."""

        def do(desk: Desk, _at: datetime, wanted: Act = act) -> None:
            data = pack(Press("act", incident_id, str(wanted), choice if wanted is act else ""))
            told = press(desk, Pressed(chat, None, None, Visitor(user, f"P{user}", "en"), data))
            self._told.acts[str(wanted)] += 1
            self._told.refused += told.alert
            if wanted is act and not told.alert and self._chance.random() < 0.08:
                taking_back = timedelta(seconds=self._chance.uniform(2, 75))
                self._later(taking_back, lambda desk, at: do(desk, at, Act.UNDO))

        self._pending.append(do)

    def _plan_for(self, session: Session, incident: Incident) -> None:
        """What the people around an incident will do next, once its state has changed."""
        state = (incident.status, incident.unit_id, incident.cards, incident.need, incident.safe_at is None)
        if self._planned.get(incident.ident) == state:
            return
        self._planned[incident.ident] = state
        self._pending: list[Callable[[Desk, datetime], None]] = []
        chance, incident_id = self._chance, incident.ident
        office = chat_rows.office_of(session, incident.community_id)
        secretary = next(iter(chat_rows.secretaries_of(session, incident.community_id)))
        home = chat_rows.chat_of_unit(session, incident.unit_id) if incident.unit_id else None
        lot, delay, photo = chance.random(), timedelta(minutes=chance.expovariate(1 / 30)), False
        at_office = timedelta(hours=chance.expovariate(1 / 8))
        never = timedelta(days=chance.choice((3, 5, 8, 13, 60)) * chance.uniform(0.7, 1.3))

        def by_office(act: Act, choice: str = "") -> None:
            self._press(office.chat_id if office else 0, secretary, incident_id, act, choice)

        def by_unit(act: Act, choice: str = "") -> None:
            if home is None:
                by_office(Act.VOID, "mistake")
            else:
                self._press(home.chat_id, 8000 + (incident.unit_id or 0), incident_id, act, choice)

        def reason(act: Act) -> str:
            return chance.choice(list(REASONS[act]))

        others = [unit.ident for unit in chat_rows.units_of(session, incident.community_id)]
        others = [each for each in others if each != incident.unit_id]
        match Status(incident.status):
            case Status.DRAFT if incident.need:
                delay = at_office if lot < 0.8 else never
                by_office(Act.FILE, chance.choice(("rubbish", "cover.water", "road"))) if lot < 0.75 else by_office(
                    Act.DISMISS, reason(Act.DISMISS)
                )
            case Status.DRAFT if incident.prompted and incident.reporter_id:
                delay = timedelta(seconds=chance.uniform(10, 500))
                choice = ("", Act.NOT_A_REPORT) if lot < 0.15 else (chance.choice(("rubbish", "light")), Act.FILE)
                if lot < 0.7:
                    self._press(incident.chat_id, incident.reporter_id, incident_id, choice[1], choice[0])
            case Status.FILED:
                delay = at_office if lot < 0.85 else never
                if lot < 0.08:
                    by_office(Act.DISMISS, reason(Act.DISMISS))
                elif lot < 0.11:
                    by_office(Act.VOID, reason(Act.VOID))
                else:
                    by_office(Act.DISPATCH, str(chance.choice(others)))
            case Status.DISPATCHED:
                if lot < 0.5:
                    by_unit(Act.ACCEPT)
                elif lot < 0.65:
                    delay = timedelta(hours=chance.expovariate(1 / 12))
                    by_unit(Act.ACCEPT)
                elif lot < 0.75:
                    by_unit(Act.MAKE_SAFE)
                elif lot < 0.82:
                    photo = True
                elif lot < 0.9:
                    by_unit(Act.RETURN, reason(Act.RETURN))
                else:
                    delay = never
                    by_office(*((Act.VOID, reason(Act.VOID)) if lot > 0.96 else (Act.REASSIGN, str(others[0]))))
            case Status.ACCEPTED:
                delay = timedelta(hours=chance.lognormvariate(1.5, 1.6))
                photo = lot < 0.75
                if 0.75 <= lot < 0.85 and incident.safe_at is None:
                    by_unit(Act.MAKE_SAFE)
                elif 0.75 <= lot < 0.88:
                    by_unit(Act.RETURN, reason(Act.RETURN))
                elif lot >= 0.88:
                    delay = never
                    by_office(*((Act.VOID, reason(Act.VOID)) if lot > 0.93 else (Act.REASSIGN, str(others[0]))))
            case Status.RESOLVED:
                delay = at_office * 3 if lot < 0.9 else never
                if lot < 0.95:
                    by_office(*((Act.SEND_BACK, reason(Act.SEND_BACK)) if lot < 0.12 else (Act.CONFIRM, "")))
                if chance.random() < 0.3:
                    asked, self._pending = self._pending, []
                    self._press(
                        incident.chat_id, 7000 + chance.randrange(40), incident_id, Act.SAY_FIXED, next(iter(ANSWERS))
                    )
                    self._later(delay / 2, self._pending.pop())
                    self._pending = asked
            case Status.CLOSED:
                delay = timedelta(days=chance.uniform(0.1, 13))
                if lot < 0.05:
                    by_office(Act.REOPEN)
                elif lot < 0.08 and incident.reporter_id:
                    self._press(incident.chat_id, incident.reporter_id, incident_id, Act.ASK_REOPEN)
        for each in self._pending:
            self._later(delay, self._unless_moved_on(incident_id, state, each))
        if photo and home is not None:
            self._later(delay, self._unless_moved_on(incident_id, state, self._proof(incident_id)), kept=True)
            if chance.random() < 0.1:
                self._later(delay / 2, self._remark(incident_id), kept=True)

    def _unless_moved_on(
        self, incident_id: int, state: tuple[object, ...], work: Callable[[Desk, datetime], None]
    ) -> Callable[[Desk, datetime], None]:
        """People act on what they see; once in a while on what they saw before."""

        def do(desk: Desk, at: datetime) -> None:
            if self._planned.get(incident_id) == state or self._chance.random() < 0.1:
                work(desk, at)

        return do

    def _proof(self, incident_id: int) -> Callable[[Desk, datetime], None]:
        def show(desk: Desk, sent_at: datetime) -> None:
            reply = self._reply(desk, incident_id, sent_at)
            if reply is not None:
                receive_picture(desk, reply, None)
                self._told.acts["proof"] += 1

        return show

    def _remark(self, incident_id: int) -> Callable[[Desk, datetime], None]:
        def say(desk: Desk, sent_at: datetime) -> None:
            reply = self._reply(desk, incident_id, sent_at)
            if reply is not None:
                receive_words(desk, Incoming(**{**vars(reply), "text": "在路上", "media": "", "file_id": ""}))
                self._told.acts["remark"] += 1

        return say

    def _reply(self, desk: Desk, incident_id: int, sent_at: datetime) -> Incoming | None:
        """A picture in answer to the unit's card, known by the number on it where its message id is not."""
        incident = desk.session.get_one(Incident, incident_id)
        home = chat_rows.chat_of_unit(desk.session, incident.unit_id) if incident.unit_id else None
        if home is None or home.chat_id in self._chats.lost or incident.number is None:
            return None
        card = find_post(desk.session, subject(incident), home.chat_id, "card", incident.cards)
        standing = card.message_ids[0] if card is not None and card.message_ids else 0
        user = 8000 + (incident.unit_id or 0)
        return self._picture(home.chat_id, user, sent_at, reply_to=standing, reply_number=incident.number)

    # -- what becomes of chats -------------------------------------------------------------------------------------

    def _lose(self, chat: int) -> Callable[[Desk, datetime], None]:
        """The bot is put out of a chat; days later it is back, or another chat takes its place."""

        def lose(desk: Desk, _at: datetime) -> None:
            here = self._now_of(chat)
            if desk.session.get(Binding, here) is None:
                return
            self._chats.lost.add(here)
            bindings.bot_went(desk, here)
            self._told.acts["chat lost"] += 1
            self._later(timedelta(days=self._chance.uniform(0.5, 9)), back)

        def back(desk: Desk, _at: datetime) -> None:
            here = self._now_of(chat)
            binding = desk.session.get(Binding, here)
            if binding is not None and binding.unit_id is not None and self._chance.random() < 0.4:
                unit = desk.session.get_one(Unit, binding.unit_id)
                self._chats.moved[here] = here - 100_000
                del self._chats.moved[here]
                bindings.set_binding(desk, here - 100_000, None, "another", unit)
                self._replaced[here] = here - 100_000
                self._told.acts["chat replaced"] += 1
                return
            self._chats.lost.discard(here)
            bindings.bot_came(desk, here, "back", admin=True, reads_all=True)
            self._told.acts["chat back"] += 1

        return lose

    def _migrate(self, old: int, new: int) -> Callable[[Desk, datetime], None]:
        """The group becomes a supergroup; half of the time only a refused call tells."""

        def move(desk: Desk, _at: datetime) -> None:
            here = self._now_of(old)
            if here in self._chats.lost or here != old:
                return
            self._chats.moved[old] = new
            self._replaced[old] = new
            self._chats.standing.pop(old, None)
            self._told.acts["chat moved"] += 1
            if self._chance.random() < 0.5:
                bindings.moved(desk, old, new)

        return move

    def _now_of(self, chat: int) -> int:
        while chat in self._replaced:
            chat = self._replaced[chat]
        return chat

    # -- the loop --------------------------------------------------------------------------------------------------

    async def run(self, home: Path) -> Told:
        """The whole year."""
        begun = stopwatch.monotonic()
        self._replaced: dict[int, int] = {}
        path = home / "alliance.toml"
        path.write_text(alliance_text(self._plan.quiets), encoding="utf-8")
        alliance = read(path)
        await self._store.write(lambda session: align(session, alliance, self._now))
        self._seed_reports()
        self._seed_chats()
        standing_still, looked, off = 0, self._now, list(self._off)
        following: datetime | None = None
        while True:
            acting = self._people[0][0] if self._people else None
            moments = [each for each in (following, acting) if each is not None]
            if not moments or (then := min(moments)) >= self._end:
                break
            standing_still = standing_still + 1 if then <= self._now else 0
            assert standing_still < 40, f"{self._plan.label}: nothing moves on at {self._now}"
            started = False
            self._now = max(self._now, then)
            while off and off[0][0] <= self._now:
                self._now, started = max(self._now, off.pop(0)[1]), True
            weekly = self._now - looked >= timedelta(days=7)
            looked = self._now if weekly else looked
            following = await self._store.write(
                lambda session, started=started, weekly=weekly: self._step(session, started, weekly)  # type: ignore[misc]
            )
            self._told.steps += 1
        await self._store.read(self._conclude)
        self._told.seconds = stopwatch.monotonic() - begun
        return self._told

    def _step(self, session: Session, started: bool, weekly: bool) -> datetime | None:
        """All that is due now: what people do, then the clock's own, then what is to be shown. The next moment."""
        now, touched = self._now, set[int]()
        if started:
            self._job(session, lambda desk: release_leases(desk.session, desk.now))
        if started or weekly:
            self._audit(session)
        while self._people and self._people[0][0] <= now:
            _, _, _, work = heapq.heappop(self._people)
            self._job(session, lambda desk, work=work: work(desk, now))  # type: ignore[misc]
            self._look(session, touched)
        fired: set[tuple[int, str]] = set()
        while due := due_timers(session, now, 100):
            for each in due:
                if each in fired:
                    self._watch.fail(now, f"the timer {each} is due again after it was done")
                fired.add(each)
                self._job(session, lambda desk, each=each: fire(desk, *each), "clock")  # type: ignore[misc]
                self._look(session, touched, each[0])
        shown = self._deliver(session)
        self._look(session, touched, *shown)
        self._watch.step(session, touched, now)
        if weekly:
            self._watch.everything(session, now)
            self._take_up_again(session)
        session.expunge_all()
        soonest = [each for each in (next_timer(session), next_due(session)) if each is not None]
        return min(soonest, default=None)

    def _take_up_again(self, session: Session) -> None:
        """What people have let lie for a month they look at again; one matter in thirty is forgotten for good."""
        old = self._now - timedelta(days=30)
        for incident in session.exec(
            select(Incident).where(
                col(Incident.status).in_([str(each) for each in OPEN]), col(Incident.created_at) < old
            )
        ):
            if incident.ident % 30:
                self._planned.pop(incident.ident, None)
                self._plan_for(session, incident)

    def _job(self, session: Session, work: Callable[[Desk], object], source: str = "chat") -> object:
        """As one transaction sees the rows: nothing is known from the one before."""
        done = work(Desk(session, self._ground, self._now, source))
        session.flush()
        session.expunge_all()
        return done

    def _look(self, session: Session, touched: set[int], *known: int) -> None:
        """What the last job has changed: reminders it has made, people who will act on what they see now."""
        changed = set(known)
        for post in session.exec(
            select(Post).where(Post.kind == "reminder", col(Post.id) > self._last_post).order_by(col(Post.id))
        ):
            self._last_post = post.ident
            self._watch.made(session, post, self._now)
        for event in session.exec(select(Event).where(col(Event.id) > self._last_event).order_by(col(Event.id))):
            self._last_event = event.ident
            changed.add(event.incident_id)
            if event.act == Act.UNDO:
                self._watch.undone.add(event.incident_id)
        touched |= changed
        for incident_id in changed:
            incident = session.get(Incident, incident_id)
            if incident is not None:
                self._plan_for(session, incident)
        session.expunge_all()

    def _deliver(self, session: Session) -> set[int]:
        """Bring up to date what is due; returns the incidents it was about."""
        shown = set[int]()
        now, tried = self._now, Counter[int]()
        for _ in range(200):
            waiting = due_chats(session, now, ())
            if not waiting:
                return shown
            for chat in waiting:
                while (post := first_due(session, chat, now)) is not None:
                    post_id, kind, incident_id = post.ident, post.kind, post.incident_id
                    tried[post_id] += 1
                    if tried[post_id] > TRIES:
                        self._watch.fail(now, f"a post is due again and again: {post}")
                    if incident_id is not None:
                        shown.add(incident_id)
                    prepared = prepare(Desk(session, self._ground, now), post_id)
                    if prepared is None:
                        session.flush()
                        session.expunge_all()
                        continue
                    outcome, rang = self._chats.show(
                        prepared.place,
                        prepared.shape,
                        post_id,
                        kind,
                        incident_id,
                        now,
                    )
                    if rang:
                        row = session.get_one(Post, post_id)
                        doubtful = row.doubled > 0 or row.attempts > 0
                        if not (isinstance(outcome, Unknown) and row.kind == "reminder"):
                            self._watch.rung(session, row, chat, now, doubtful)
                    note(Desk(session, self._ground, now), prepared, outcome)
                    session.flush()
                    session.expunge_all()
        self._watch.fail(now, f"posts in {due_chats(session, now, ())} never come to rest")
        return shown

    def _audit(self, session: Session) -> None:
        """The auditor finds nothing to repair: the rules alone keep the promises."""
        after, suspects = 0, []
        while True:
            seen = survey(Desk(session, self._ground, self._now, "audit"), after)
            suspects += seen.suspects
            if not (after := seen.next_after):
                break
        done = self._job(session, lambda desk: repair(desk, suspects), "audit")
        if done.mended or done.broken:  # type: ignore[attr-defined]
            self._watch.fail(self._now, f"the auditor had to mend {done}")

    def _conclude(self, session: Session) -> None:
        self._watch.everything(session, self._now)
        self._watch.conclude(session, self._off)
        for incident in session.exec(select(Incident)):
            self._told.ends[incident.status] += 1
        self._told.failures, self._told.doubled = self._chats.failures, self._chats.strays


async def simulate(plan: Plan, home: Path, url: str = "") -> Told:
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
