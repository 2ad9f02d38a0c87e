"""Lengths of time as an operator writes them: ``30m``, ``6h``, ``3d``, ``4wh``, ``2wd``.

The module exists because a limit in the settings is not yet a ``timedelta``: "4 working hours" and
"2 working days" only become moments once a calendar is known (see ``bot.domain.worktime``). A
``Duration`` keeps what was written, so it can be shown again exactly as the operator wrote it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

NATURAL_UNITS: Final[dict[str, timedelta]] = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
"""Units that run on every clock, night and holiday included; ``d`` is exactly 24 hours."""

WORKING_UNITS: Final[dict[str, timedelta]] = {"wh": timedelta(hours=1), "wd": timedelta(days=1)}
"""Units that run only in working time; the lengths here serve the upper bound alone."""

LONGEST: Final = timedelta(days=400)
"""No limit is longer than this; a longer one is a slip of the pen. 400wd counts as 400 days."""

FORMS: Final = "a whole number from 1 up and its unit: 90s, 30m, 6h, 3d, 4wh (working hours) or 2wd (working days)"

_WRITTEN = re.compile(r"([1-9][0-9]{0,8})(wh|wd|s|m|h|d)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Duration:
    """``amount`` (whole, at least 1) of ``unit``: s, m, h, d (natural) or wh, wd (working).

    Raises ValueError when built with another unit, a zero or negative amount, or more than 400 days.
    """

    amount: int
    unit: str

    def __post_init__(self) -> None:
        length = NATURAL_UNITS.get(self.unit) or WORKING_UNITS.get(self.unit)
        written = f"{self.amount}{self.unit}"
        if length is None or self.amount < 1:
            raise ValueError(f"{written!r} is not a duration: write {FORMS}")
        if self.amount > LONGEST // length:
            raise ValueError(f"{written!r} is too long a duration: at most {LONGEST.days} days")

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read ``30m``, ``6h``, ``3d``, ``4wh``, ``2wd`` or ``90s``; spaces around and capitals are forgiven.

        Raises ValueError with one line that names the text and the allowed forms.
        """
        found = _WRITTEN.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text[:40]!r} is not a duration: write {FORMS}")
        return cls(int(found[1]), found[2].lower())

    @property
    def text(self) -> str:
        """The written form; ``Duration.parse(d.text) == d`` always."""
        return f"{self.amount}{self.unit}"

    @property
    def is_working(self) -> bool:
        """True for wh and wd, which need a calendar to become a moment."""
        return self.unit in WORKING_UNITS

    @property
    def natural(self) -> timedelta:
        """The length on the clock. Raises ValueError for a working duration, which has none by itself."""
        if self.is_working:
            raise ValueError(f"{self.text!r} counts working time: ask a Calendar, not the clock")
        return NATURAL_UNITS[self.unit] * self.amount

    def __str__(self) -> str:
        return self.text
