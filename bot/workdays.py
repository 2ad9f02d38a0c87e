"""China's working days: which weekdays are holidays and which weekend days are worked in their place.

The State Council publishes them a year at a time, in November; the chinesecalendar package carries them to the
end of its data and raises past it. Where nothing is published, Monday to Friday stands in, and the screens say
"estimated". It stands outside bot.domain because the rules know no library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import Final

from bot.domain.worktime import Weekdays

_NOTHING: Final[Mapping[date, bool]] = MappingProxyType({})


class ChinaWorkdays:
    """``bot.domain.worktime.Workdays`` of mainland China.

    ``overlay``: day → worked or not, loaded by an operator ahead of the package; it wins over the package, and a
    year with a day in it counts as published, its other days being plain weekdays.
    """

    def __init__(self, overlay: Mapping[date, bool] = _NOTHING) -> None:
        self._overlay = dict(overlay)
        self._loaded_years = {day.year for day in overlay}
        self._plain = Weekdays()

    @cached_property
    def _published(self) -> Callable[[date], bool]:
        import chinese_calendar  # here, since only communities in China need its 20 years of tables

        return chinese_calendar.is_workday  # type: ignore[no-any-return]

    def _known(self, day: date) -> bool | None:
        """Worked or not as published; None where it is not."""
        if day in self._overlay:
            return self._overlay[day]
        try:
            return self._published(day)
        except NotImplementedError:  # how the package says "outside of my years"
            return self._plain.is_workday(day) if day.year in self._loaded_years else None

    def is_workday(self, day: date) -> bool:
        known = self._known(day)
        return self._plain.is_workday(day) if known is None else known

    def is_estimated(self, day: date) -> bool:
        """Whether the year of ``day`` is not published as far as this program knows."""
        return self._known(day) is None
