"""What an alliance is made of, as its file says it: communities, their districts and units, the limits they change.

These are plain words and numbers, checked but bound to nothing: no database, no chat. What applies them
compares them with the rows it has.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.domain.durations import Duration


@dataclass(frozen=True)
class DistrictEntry:
    """A commercial district: the merchants' groups whose photos are reports."""

    key: str
    name: str
    chats: tuple[int, ...]


@dataclass(frozen=True)
class UnitEntry:
    """A partner unit: where its cards go and what it answers for.

    `chat` and `contact` may both be missing: such a unit is bound later, from a chat. `members` empty means
    everybody in the chat acts for the unit. `categories` holds category keys, groups ("cover.*") or "*";
    `districts` holds district keys of the same community or "*". A robot's contact is a secret, so it stays
    out of the repr.
    """

    key: str
    name: str
    chat: int | None
    contact: str = field(repr=False)
    members: tuple[int, ...]
    categories: tuple[str, ...]
    districts: tuple[str, ...]


@dataclass(frozen=True)
class CommunityEntry:
    """A community, or the street above it; `parent` and `fallback_unit` are keys, "" for none.

    `quota` is how many reports of one person go their way by themselves within an hour, 0 for all of them;
    `quiet_hours` and `working_hours` are kept as written ("21:30-07:00", "" for none) and known to be readable;
    `language` "" means the one of the settings.
    """

    key: str
    name: str
    prefix: str
    parent: str
    office_chat: int | None
    secretaries: tuple[int, ...]
    dispatch: str
    intake: str
    gather: Duration
    proof: str
    quiet_hours: str
    working_hours: str
    fallback_unit: str
    quota: int
    language: str
    districts: tuple[DistrictEntry, ...]
    units: tuple[UnitEntry, ...]


@dataclass(frozen=True)
class LimitEntry:
    """Limits of one category that differ from the shipped ones; None leaves the shipped one."""

    category: str
    accept: Duration | None
    safe: Duration | None
    repair: Duration | None


@dataclass(frozen=True)
class Alliance:
    """The whole file; `digest` is the SHA-256 of its bytes, which tells whether it changed since it was applied."""

    communities: tuple[CommunityEntry, ...]
    categories: tuple[LimitEntry, ...]
    digest: str
