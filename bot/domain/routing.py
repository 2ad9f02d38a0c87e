"""Which unit a matter belongs to: category × district → unit, the narrowest route first."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """One unit's competence: category keys (`cover.*` and `*` are groups) in district keys (`*` = all)."""

    unit: int
    categories: tuple[str, ...]
    districts: tuple[str, ...]


def route(category: str, district: str | None, routes: Iterable[Route]) -> int | None:
    """The unit for `category` in `district`, or None. A named category beats a group, a named district beats `*`;
    between equals the first in the alliance file wins.
    """
    best: tuple[int, int] | None = None
    chosen = None
    for candidate in routes:
        kind = max((_fits(category, wanted) for wanted in candidate.categories), default=0)
        where = max((_fits(district or "", wanted) for wanted in candidate.districts), default=0)
        if kind and where and (best is None or (kind, where) > best):
            best, chosen = (kind, where), candidate.unit
    return chosen


def _fits(key: str, wanted: str) -> int:
    """3 for the key itself, 2 for its group (`cover.*`), 1 for everything, 0 for no."""
    if wanted == key:
        return 3
    if wanted.endswith(".*") and key.startswith(wanted[:-1]):
        return 2
    return 1 if wanted == "*" else 0
