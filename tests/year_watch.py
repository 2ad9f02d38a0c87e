"""What must hold at every step of a simulated year, told independently of the rules it watches over."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from bot.domain.acts import ENDED, OPEN, Status
from bot.domain.deadlines import Clock, Running
from bot.domain.ladder import Step
from bot.domain.worktime import Calendar, Hours, out_of_quiet
from bot.services.desk import Desk, Ground
from bot.services.lifecycle import next_reminder, running
from bot.services.posting import dangerous
from storage.posts import next_due
from storage.tables import Binding, Community, Event, Incident, Post, Timer
from storage.timers import next_timer
from tests.year_chats import Chats

DAY = timedelta(days=1)
BLINK = timedelta(milliseconds=2)
"""Rows keep whole milliseconds."""
Told = tuple[Clock, Step, datetime]


def expected(clocks: list[Running], calendar: Calendar, until: datetime) -> list[Told]:
    """The ladder as DOMAIN.md and docs/decisions/0004 tell it, written down once more for the comparison."""
    found: list[Told] = []
    repair = next((each.due for each in clocks if each.clock is Clock.REPAIR), None)
    for each in clocks:
        if each.clock is Clock.VERIFY:
            found += _checks(each, calendar, until)
            continue
        span = each.due - each.start
        found += [(each.clock, Step.SOON, each.start + span * 0.75), (each.clock, Step.DUE, each.due)]
        gap, at = max(timedelta(minutes=30), span / 4), each.due
        street = each.due + span if each.clock is Clock.REPAIR else None
        if street is not None:
            found.append((each.clock, Step.STREET, street))
        while at <= until:
            gap = min(gap * 2, DAY)
            at += gap
            late = each.clock is Clock.REPAIR or repair is None or at < repair
            if late and at != street:
                found.append((each.clock, Step.LATE, at))
    return sorted((each for each in found if each[2] <= until), key=lambda each: each[2])


def _checks(clock: Running, calendar: Calendar, until: datetime) -> list[Told]:
    """One for each working day after the day on which the unit said done, at its opening."""
    zone, day = calendar.zone, clock.start.astimezone(calendar.zone).date() + DAY
    found: list[Told] = []
    while day <= until.astimezone(zone).date() + DAY:
        if calendar.workdays.is_workday(day):
            opens = min((start for start, _ in calendar.hours.spans), default=time.min)
            at = datetime.combine(day, opens, zone).astimezone(until.tzinfo)
            found.append((Clock.VERIFY, Step.VERIFY, at))
        day += DAY
    return found


@dataclass
class Figures:
    """What is told at the end."""

    kinds: Counter[str] = field(default_factory=Counter)
    """Reminders by clock and step."""
    sends: Counter[str] = field(default_factory=Counter)
    """New messages by kind of post."""
    breaches: int = 0
    most: int = 0
    """Reminders about one incident."""
    longest_gap: timedelta = timedelta(0)
    """Between two reminders of a late repair, while it was late and nothing was off."""
    longest_check_gap: timedelta = timedelta(0)


class Watch:
    """Raises AssertionError at the first step at which something does not hold."""

    def __init__(self, ground: Ground, chats: Chats, label: str) -> None:
        self.ground, self.chats, self.label = ground, chats, label
        self.figures = Figures()
        self._heard: dict[tuple[int, str], set[Told]] = {}
        self._rung: dict[int, int] = {}
        self._checked: set[tuple[int, date]] = set()
        self._breaches: set[tuple[int, Clock, datetime]] = set()
        self._breached: dict[int, bool] = {}
        self._made: dict[int, list[tuple[datetime, str, int]]] = {}
        self.undone: set[int] = set()
        """Incidents an act on which was taken back in this step: what was told before it stands told again."""

    @property
    def zone(self) -> ZoneInfo:
        return self.ground.zone

    def fail(self, now: datetime, told: str) -> None:
        raise AssertionError(f"{self.label}, {now.astimezone(self.zone):%a %Y-%m-%d %H:%M:%S}: {told}")

    def made(self, session: Session, post: Post, now: datetime) -> None:
        """A reminder was decided on: it is a step of the ladder that was not told before."""
        incident = session.get_one(Incident, post.incident_id)
        clock, step = Clock(str(post.args["clock"])), Step(str(post.args["step"]))
        kind = f"{clock} {step}{' to the street' if post.args.get('street') else ''}"
        ladder = expected(running(incident), self._calendar(session, incident), now + BLINK)
        mine = [each for each in ladder if each[:2] == (clock, step)]
        if not mine:
            self.fail(now, f"{incident.number} was reminded of {kind}, which no ladder tells by now: {ladder}")
        heard = self._heard.setdefault((incident.ident, "street" if post.args.get("street") else "home"), set())
        if mine[-1] in heard:
            self.fail(now, f"{incident.number} was reminded of {kind} twice")
        heard.update(ladder)
        self.figures.kinds[kind] += 1
        self._made.setdefault(incident.ident, []).append((now, kind, incident.round))

    def rung(self, session: Session, post: Post, chat_id: int, now: datetime, doubtful: bool) -> None:
        """A new message arrived in a chat. `doubtful`: an earlier try of the same may have arrived as well."""
        self.figures.sends[post.kind] += 1
        if post.kind != "reminder":
            return
        incident = session.get_one(Incident, post.incident_id)
        community = session.get_one(Community, incident.community_id)
        local, clock = now.astimezone(self.zone), Clock(str(post.args["clock"]))
        told = f"{incident.number} ({incident.status}) was reminded of {clock} in {chat_id}"
        urgent = dangerous(incident) and clock is not Clock.VERIFY
        if not urgent and Hours.parse(community.quiet_hours).contains(local):
            self.fail(now, f"{told} in the quiet hours {community.quiet_hours}")
        if incident.status not in OPEN or incident.parked_until is not None:
            self.fail(now, f"{told} although it is over")
        others = self.chats.about(chat_id, incident.ident, "reminder")
        if len(others) > 1:
            self.fail(now, f"{told} while {len(others) - 1} others stand there")
        if incident.status in (Status.RESOLVED, Status.DRAFT):
            self._check(session, incident, post, chat_id, local, told, doubtful)
        elif clock is Clock.VERIFY:
            self.fail(now, f"{told} although nothing waits to be checked")

    def _check(
        self, session: Session, incident: Incident, post: Post, chat_id: int, local: datetime, told: str, doubtful: bool
    ) -> None:
        binding = session.get(Binding, chat_id)
        if post.args["clock"] != Clock.VERIFY or binding is None or binding.role != "office":
            self.fail(local, f"{told}, where nothing is left to do but to check")
        if not self.ground.workdays.is_workday(local.date()):
            self.fail(local, f"{told} on a day off")
        key = (incident.ident, local.date())
        if key in self._checked and not doubtful:
            self.fail(local, f"{told} twice on one day")
        self._checked.add(key)

    def step(self, session: Session, touched: set[int], now: datetime) -> None:
        """After all that was due is done."""
        for found, what in ((next_timer(session), "timer"), (next_due(session), "post")):
            if found is not None and found <= now:
                self.fail(now, f"a {what} of {found} is due and undone")
        for incident_id in touched:
            incident = session.get(Incident, incident_id)
            if incident is not None:
                self._incident(session, incident, now)
        self.undone.clear()

    def everything(self, session: Session, now: datetime) -> None:
        """All open incidents, whether anything happened to them or not."""
        for incident in session.exec(select(Incident).where(col(Incident.status).in_([str(each) for each in OPEN]))):
            self._incident(session, incident, now)

    def _incident(self, session: Session, incident: Incident, now: datetime) -> None:
        timers = {each.kind: each for each in session.exec(select(Timer).where(Timer.incident_id == incident.ident))}
        if incident.status in ENDED:
            left = sorted(set(timers) - {"refresh"})
            if left:
                self.fail(now, f"{incident.number} is {incident.status} and still has {left}")
        elif incident.status == Status.DRAFT and not incident.need and not {"gather", "answer"} & set(timers):
            self.fail(now, f"nobody waits for draft {incident.ident}")
        self._standing(incident, now)
        self._timer(session, incident, timers.get("remind"), now)
        self._breach(session, incident, now)

    def _standing(self, incident: Incident, now: datetime) -> None:
        standing = self.chats.somewhere(incident.ident, "reminder")
        if standing and incident.status not in OPEN and not self.chats.faults.any:
            self.fail(now, f"{incident.number} is {incident.status} and a reminder stands in {standing[0][0]}")
        crowded = [chat for chat, count in Counter(chat for chat, _ in standing).items() if count > 1]
        if crowded:
            self.fail(now, f"{incident.number} has several reminders in {crowded[0]}")

    def _timer(self, session: Session, incident: Incident, timer: Timer | None, now: datetime) -> None:
        desk = Desk(session, self.ground, now)
        wanted = next_reminder(desk, incident)
        if wanted is None:
            if running(incident) and incident.status in OPEN:
                self.fail(now, f"{incident.number} ({incident.status}) has a running clock and no next moment")
            return
        if timer is None:
            self.fail(now, f"{incident.number} ({incident.status}) waits for {wanted} and has no timer")
            return
        community = session.get_one(Community, incident.community_id)
        latest = max(wanted.at, self._next_free(community, max(wanted.at, now), self._calendar(session, incident)))
        if timer.next_at > latest + BLINK:
            self.fail(now, f"{incident.number} waits until {timer.next_at}, though {wanted} could be told at {latest}")

    def _next_free(self, community: Community, at: datetime, calendar: Calendar) -> datetime:
        """The first moment outside of the quiet hours and after the opening of a working day: all is told by then."""
        quiet = Hours.parse(community.quiet_hours)
        for _ in range(30):
            free = out_of_quiet(at, quiet, self.zone)
            day = free.astimezone(self.zone).date()
            if self.ground.workdays.is_workday(day):
                opens = min((start for start, _ in calendar.hours.spans), default=time.min)
                return max(free, out_of_quiet(datetime.combine(day, opens, self.zone), quiet, self.zone))
            at = calendar.next_opening(free)
        raise AssertionError(f"no moment to tell anything after {at}")

    def _breach(self, session: Session, incident: Incident, now: datetime) -> None:
        """Each limit that passes while a unit has it is the secretary's to hear: once, and as soon as may be."""
        before, self._breached[incident.ident] = self._breached.get(incident.ident, False), incident.breached
        if incident.status not in (Status.DISPATCHED, Status.ACCEPTED):
            return
        late = [each for each in running(incident) if each.due <= now]
        community = session.get_one(Community, incident.community_id)
        if late and not incident.breached:
            local = now.astimezone(self.zone)
            if dangerous(incident) or not Hours.parse(community.quiet_hours).contains(local):
                self.fail(now, f"{incident.number} is past {late[0]} and the secretary was never told")
        if incident.breached and not before and late and incident.ident not in self.undone:
            newest = max(late, key=lambda each: each.due)
            key = (incident.ident, newest.clock, newest.due)
            if key in self._breaches:
                self.fail(now, f"the secretary was told twice that {incident.number} is past {newest}")
            self._breaches.add(key)
            self.figures.breaches += 1

    def _calendar(self, session: Session, incident: Incident) -> Calendar:
        return Desk(session, self.ground, incident.created_at).calendar(
            session.get_one(Community, incident.community_id)
        )

    def conclude(self, session: Session, off: list[tuple[datetime, datetime]]) -> Figures:
        """At the end: numbers without gap or repetition, and how long nothing was heard."""
        self._numbers(session)
        figures = self.figures
        figures.most = max((len(each) for each in self._made.values()), default=0)
        for told in self._made.values():
            home = [each for each in told if not each[1].endswith("street")]
            for (sooner, first, before), (later, second, after) in pairwise(home):
                if before != after or any(begin <= later and sooner <= end for begin, end in off):
                    continue
                gap = later - sooner
                if first == second == "repair late":
                    figures.longest_gap = max(figures.longest_gap, gap)
                elif first == second == "verify verify":
                    figures.longest_check_gap = max(figures.longest_check_gap, gap)
        return figures

    def _numbers(self, session: Session) -> None:
        given: dict[str, list[int]] = {}
        for incident in session.exec(select(Incident).where(col(Incident.number).is_not(None))):
            series, _, count = str(incident.number).rpartition("-")
            given.setdefault(series, []).append(int(count))
            filed = session.exec(
                select(Event.at).where(Event.incident_id == incident.ident, Event.act == "file").order_by(col(Event.id))
            ).first()
            assert filed is not None
            assert series.endswith(f"-{filed.astimezone(self.zone).year}"), (incident.number, filed)
        for series, counts in given.items():
            assert sorted(counts) == list(range(1, len(counts) + 1)), (series, sorted(counts))
