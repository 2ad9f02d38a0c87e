"""Where one transaction's work lies: the session, the moment, and what the alliance has set."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.domain.categories import CATEGORIES
from bot.domain.deadlines import Limits
from bot.domain.durations import Duration
from bot.domain.worktime import Calendar, Hours, Workdays
from bot.speech import Speech, choose
from storage import chats
from storage.tables import Binding, Community, Person


@dataclass(frozen=True)
class Ground:
    """What holds for the whole program."""

    zone: ZoneInfo
    language: str
    workdays: Workdays
    operators: frozenset[int] = frozenset()
    bot_username: str = ""


@dataclass
class Desk:
    """One transaction: `now` is the same for all that happens in it."""

    session: Session
    ground: Ground
    now: datetime
    source: str = "chat"
    _limits: dict[str, Limits] = field(default_factory=dict)

    def speech(self, binding: Binding | None = None, person: Person | None = None, hint: str | None = None) -> Speech:
        """The language for a chat, then for a person, then the default (issue: in this order)."""
        return choose(
            (binding.language if binding else None, person.language if person else None, hint), self.ground.language
        )

    def calendar(self, community: Community) -> Calendar:
        return Calendar(self.ground.zone, _hours(community.working_hours), self.ground.workdays)

    def quiet(self, community: Community) -> Hours:
        return _hours(community.quiet_hours)

    def limits(self, category: str) -> Limits:
        """The limits of a category: the alliance's own where it has set one, else the shipped default."""
        if category not in self._limits:
            shipped = CATEGORIES.get(category) or CATEGORIES["other"]
            own = {row.category: row for row in chats.category_limits(self.session)}.get(category)
            self._limits[category] = Limits(
                accept=Duration.parse(own.accept) if own and own.accept else shipped.accept,
                safe=Duration.parse(own.safe) if own and own.safe else shipped.safe,
                repair=Duration.parse(own.repair) if own and own.repair else shipped.repair,
            )
        return self._limits[category]


@lru_cache(maxsize=256)
def _hours(text: str) -> Hours:
    return Hours.parse(text)
