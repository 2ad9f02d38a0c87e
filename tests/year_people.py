"""The people of a simulated year: who reports, presses, answers, forgets and changes their mind, by a seeded chance.

They come in through the services that the doors call, with what a phone would send.
"""

import itertools
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from bot.domain.acts import ANSWERS, REASONS, Act, Status
from bot.services import binding as bindings
from bot.services.desk import Desk
from bot.services.incoming import Incoming
from bot.services.people import Visitor
from bot.services.posting import subject
from bot.services.pressing import Pressed, press
from bot.services.receiving import receive_picture, receive_words
from bot.views.presses import Press, pack
from storage import chats as rows
from storage.posts import find_post
from storage.tables import Binding, Incident, Unit
from tests.year_chats import Chats

Deed = Callable[[Desk, datetime], None]
"""What somebody does; the moment is when they did it, which after an outage is hours before it arrives."""
Later = Callable[[timedelta, Deed, bool], None]
"""Have it done after a while; `kept`: Telegram keeps it for a bot that is away."""

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
TAKEN_BACK = 0.08
"""Share of presses that are taken back."""


class People:
    def __init__(self, chance: random.Random, chats: Chats, later: Later) -> None:
        self._chance, self._chats, self._later = chance, chats, later
        self._message = itertools.count(1)
        self._planned: dict[int, tuple[object, ...]] = {}
        self._replaced: dict[int, int] = {}
        self.acts: Counter[str] = Counter()
        self.refused = 0

    # What somebody can do.

    def report(self, chat: int, author: int, words: str) -> Deed:
        def do(desk: Desk, sent_at: datetime) -> None:
            receive_picture(desk, self._picture(chat, author, sent_at, text=words), None)
            self.acts["report"] += 1

        return do

    def press(self, chat: int, user: int, incident_id: int, act: Act, choice: str = "") -> Deed:
        """Press a button as the phone would send it."""

        def do(desk: Desk, _at: datetime) -> None:
            data = pack(Press("act", incident_id, str(act), choice))
            told = press(desk, Pressed(chat, None, None, Visitor(user, f"P{user}", "en"), data))
            self.acts[str(act)] += 1
            self.refused += told.alert
            if act is not Act.UNDO and not told.alert and self._chance.random() < TAKEN_BACK:
                delay = timedelta(seconds=self._chance.uniform(2, 75))
                self._later(delay, self.press(chat, user, incident_id, Act.UNDO), False)

        return do

    def proof(self, incident_id: int) -> Deed:
        """A picture of the work in answer to the unit's card."""

        def do(desk: Desk, sent_at: datetime) -> None:
            reply = self._reply(desk, incident_id, sent_at)
            if reply is not None:
                receive_picture(desk, reply, None)
                self.acts["proof"] += 1

        return do

    def remark(self, incident_id: int) -> Deed:
        """Words in answer to the unit's card."""

        def do(desk: Desk, sent_at: datetime) -> None:
            reply = self._reply(desk, incident_id, sent_at)
            if reply is not None:
                receive_words(desk, Incoming(**{**vars(reply), "text": "在路上", "media": "", "file_id": ""}))
                self.acts["remark"] += 1

        return do

    def _picture(self, chat: int, user: int, sent_at: datetime, **fields: Any) -> Incoming:
        number = next(self._message)
        return Incoming(
            chat_id=chat,
            message_id=number,
            visitor=Visitor(user, f"P{user}", "en"),
            sent_at=sent_at.replace(microsecond=0),
            file_id=f"file-{number}",
            file_unique_id=f"unique-{number}",
            media="photo",
            **fields,
        )

    def _reply(self, desk: Desk, incident_id: int, sent_at: datetime) -> Incoming | None:
        """Known by the number on the card where its message id is not."""
        incident = desk.session.get_one(Incident, incident_id)
        home = rows.chat_of_unit(desk.session, incident.unit_id) if incident.unit_id else None
        if home is None or home.chat_id in self._chats.lost or incident.number is None:
            return None
        card = find_post(desk.session, subject(incident), home.chat_id, "card", incident.cards)
        standing = card.message_ids[0] if card is not None and card.message_ids else 0
        return self._picture(
            home.chat_id, 8000 + (incident.unit_id or 0), sent_at, reply_to=standing, reply_number=incident.number
        )

    # What they will do next about an incident.

    def look_again(self, session: Session, incident: Incident) -> None:
        """What was let lie is taken up."""
        self._planned.pop(incident.ident, None)
        self.notice(session, incident)

    def notice(self, session: Session, incident: Incident) -> None:
        """Decide what happens next to the incident, once for each state it comes into."""
        state = (incident.status, incident.unit_id, incident.cards, incident.need, incident.safe_at is None)
        if self._planned.get(incident.ident) == state:
            return
        self._planned[incident.ident] = state
        for delay, deed, kept in self._next(session, incident):
            self._later(delay, self._unless_moved_on(incident.ident, state, deed), kept)

    def _unless_moved_on(self, incident_id: int, state: tuple[object, ...], deed: Deed) -> Deed:
        """People act on what they see; once in a while on what they saw before."""

        def do(desk: Desk, at: datetime) -> None:
            if self._planned.get(incident_id) == state or self._chance.random() < 0.1:
                deed(desk, at)

        return do

    def _next(self, session: Session, incident: Incident) -> list[tuple[timedelta, Deed, bool]]:
        chance = self._chance
        lot, some_days = chance.random(), chance.choice((3, 5, 8, 13, 60)) * chance.uniform(0.7, 1.3)
        office_hours, never = timedelta(hours=chance.expovariate(1 / 8)), timedelta(days=some_days)
        minutes = timedelta(minutes=chance.expovariate(1 / 30))
        match Status(incident.status):
            case Status.DRAFT if incident.need:
                act = (
                    (Act.FILE, chance.choice(("rubbish", "cover.water", "road")))
                    if lot < 0.75
                    else _why(Act.DISMISS, lot)
                )
                return [(office_hours if lot < 0.8 else never, self._office(session, incident, *act), False)]
            case Status.DRAFT if incident.prompted and incident.reporter_id and lot < 0.7:
                act = (Act.NOT_A_REPORT, "") if lot < 0.1 else (Act.FILE, chance.choice(("rubbish", "light")))
                soon = timedelta(seconds=chance.uniform(10, 500))
                return [(soon, self.press(incident.chat_id, incident.reporter_id, incident.ident, *act), False)]
            case Status.FILED:
                act = (Act.DISPATCH, self._other_unit(session, incident))
                if lot < 0.11:
                    act = _why(Act.DISMISS if lot < 0.08 else Act.VOID, lot)
                return [(office_hours if lot < 0.85 else never, self._office(session, incident, *act), False)]
            case Status.DISPATCHED:
                if lot < 0.65:
                    late = timedelta(hours=chance.expovariate(1 / 12))
                    return [(minutes if lot < 0.5 else late, self._unit(session, incident, Act.ACCEPT), False)]
                if lot < 0.75:
                    return [(minutes, self._unit(session, incident, Act.MAKE_SAFE), False)]
                if lot < 0.82:
                    return [(minutes, self.proof(incident.ident), True)]
                if lot < 0.9:
                    return [(minutes, self._unit(session, incident, *_why(Act.RETURN, lot)), False)]
                return [(never, self._away_from_unit(session, incident, lot), False)]
            case Status.ACCEPTED:
                work = timedelta(hours=chance.lognormvariate(1.5, 1.6))
                if lot < 0.75:
                    said = [(work / 2, self.remark(incident.ident), True)] if lot < 0.08 else []
                    return [*said, (work, self.proof(incident.ident), True)]
                if lot < 0.85 and incident.safe_at is None:
                    return [(work / 8, self._unit(session, incident, Act.MAKE_SAFE), False)]
                if lot < 0.88:
                    return [(work, self._unit(session, incident, *_why(Act.RETURN, lot)), False)]
                return [(never, self._away_from_unit(session, incident, lot), False)]
            case Status.RESOLVED:
                act = _why(Act.SEND_BACK, lot) if lot < 0.12 else (Act.CONFIRM, "")
                check = (office_hours * 3 if lot < 0.9 else never, self._office(session, incident, *act), False)
                merchant, said = 7000 + chance.randrange(40), chance.choice(list(ANSWERS))
                answer = self.press(incident.chat_id, merchant, incident.ident, Act.SAY_FIXED, said)
                return [check, (office_hours, answer, False)] if lot < 0.3 else [check]
            case Status.CLOSED:
                within = timedelta(days=chance.uniform(0.1, 13))
                if lot < 0.05:
                    return [(within, self._office(session, incident, Act.REOPEN), False)]
                if lot < 0.08 and incident.reporter_id:
                    ask = self.press(incident.chat_id, incident.reporter_id, incident.ident, Act.ASK_REOPEN)
                    return [(within, ask, False)]
        return []

    def _away_from_unit(self, session: Session, incident: Incident, lot: float) -> Deed:
        other = (Act.REASSIGN, self._other_unit(session, incident))
        return self._office(session, incident, *(_why(Act.VOID, lot) if lot > 0.95 else other))

    def _office(self, session: Session, incident: Incident, act: Act, choice: str = "") -> Deed:
        office = rows.office_of(session, incident.community_id)
        secretary = next(iter(rows.secretaries_of(session, incident.community_id)))
        return self.press(office.chat_id if office else 0, secretary, incident.ident, act, choice)

    def _unit(self, session: Session, incident: Incident, act: Act, choice: str = "") -> Deed:
        home = rows.chat_of_unit(session, incident.unit_id) if incident.unit_id else None
        if home is None:
            return self._office(session, incident, Act.VOID, "mistake")
        return self.press(home.chat_id, 8000 + (incident.unit_id or 0), incident.ident, act, choice)

    def _other_unit(self, session: Session, incident: Incident) -> str:
        units = rows.units_of(session, incident.community_id)
        return str(self._chance.choice([unit.ident for unit in units if unit.id != incident.unit_id]))

    # What becomes of chats.

    def lose(self, chat: int) -> Deed:
        """The bot is put out of a chat; days later it is back, or another chat takes its place."""

        def lose(desk: Desk, _at: datetime) -> None:
            here = self._now_of(chat)
            if desk.session.get(Binding, here) is not None:
                self._chats.lost.add(here)
                bindings.bot_went(desk, here)
                self.acts["chat lost"] += 1
                self._later(timedelta(days=self._chance.uniform(0.5, 9)), back, False)

        def back(desk: Desk, _at: datetime) -> None:
            here = self._now_of(chat)
            binding = desk.session.get(Binding, here)
            if binding is not None and binding.unit_id is not None and self._chance.random() < 0.4:
                unit = desk.session.get_one(Unit, binding.unit_id)
                self._replaced[here] = here - 100_000
                bindings.set_binding(desk, here - 100_000, None, "another", unit)
                self.acts["chat replaced"] += 1
                return
            self._chats.lost.discard(here)
            bindings.bot_came(desk, here, "back", admin=True, reads_all=True)
            self.acts["chat back"] += 1

        return lose

    def migrate(self, old: int, new: int) -> Deed:
        """The group becomes a supergroup; half of the time only a refused call tells."""

        def move(desk: Desk, _at: datetime) -> None:
            if old in self._chats.lost or self._now_of(old) != old:
                return
            self._chats.moved[old] = self._replaced[old] = new
            self._chats.standing.pop(old, None)
            self.acts["chat moved"] += 1
            if self._chance.random() < 0.5:
                bindings.moved(desk, old, new)

        return move

    def _now_of(self, chat: int) -> int:
        while chat in self._replaced:
            chat = self._replaced[chat]
        return chat


def _why(act: Act, lot: float) -> tuple[Act, str]:
    """The act and one of its reasons."""
    reasons = list(REASONS[act])
    return act, reasons[int(lot * 997) % len(reasons)]
