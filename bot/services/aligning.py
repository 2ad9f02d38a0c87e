"""Brings the database to what the alliance file says, and says in lines what changed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlmodel import Session, SQLModel

from bot.alliance import Alliance, CommunityEntry, DistrictEntry, UnitEntry
from storage import chats
from storage.posts import retire
from storage.tables import Binding, CategoryLimit, Community, District, Note, Secretary, Unit

DIGEST = "alliance"


def applied_digest(session: Session) -> str:
    """The digest of the file that was applied last; empty when none was."""
    note = session.get(Note, DIGEST)
    return note.value if note else ""


def align(session: Session, alliance: Alliance, now: datetime) -> list[str]:
    """Apply the whole file; returns one line for each difference. What the file no longer names is put to rest, not
    deleted: its incidents stay."""
    changes: list[str] = []
    keys = {entry.key for entry in alliance.communities}
    for entry in alliance.communities:
        changes += _community(session, entry, now)
    for community in chats.communities(session):
        if community.key not in keys:
            community.active = False
            session.add(community)
            changes.append(f"- community {community.key}")
    changes += _limits(session, alliance)
    note = session.get(Note, DIGEST) or Note(key=DIGEST, value="")
    note.value = alliance.digest
    session.add(note)
    return changes


def _community(session: Session, entry: CommunityEntry, now: datetime) -> Iterator[str]:
    row = chats.community_by_key(session, entry.key)
    fields = {
        "name": entry.name,
        "prefix": entry.prefix,
        "parent": entry.parent,
        "dispatch": entry.dispatch,
        "intake": entry.intake,
        "gather": int(entry.gather.natural.total_seconds()),
        "proof": entry.proof,
        "quiet_hours": entry.quiet_hours,
        "working_hours": entry.working_hours,
        "fallback_unit": entry.fallback_unit,
        "quota": entry.quota,
        "language": entry.language,
        "active": True,
    }
    yield from _upsert(session, row, Community, {"key": entry.key}, fields, f"community {entry.key}")
    row = chats.community_by_key(session, entry.key)
    if row is None:
        raise LookupError(entry.key)
    yield from _secretaries(session, row, entry.secretaries)
    if entry.office_chat is not None:
        yield from _bind(session, entry.office_chat, row, "office", None, None, now)
    for district in entry.districts:
        yield from _district(session, row, district, now)
    for unit in entry.units:
        yield from _unit(session, row, unit, now)
    yield from _rest(session, row, entry)


def _secretaries(session: Session, community: Community, wanted: tuple[int, ...]) -> Iterator[str]:
    present = set(chats.secretaries_of(session, community.ident))
    for user_id in sorted(set(wanted) - present):
        session.add(Secretary(community_id=community.ident, user_id=user_id))
        yield f"+ secretary {user_id} of {community.key}"
    for user_id in sorted(present - set(wanted)):
        session.delete(session.get_one(Secretary, (community.id, user_id)))
        yield f"- secretary {user_id} of {community.key}"


def _district(session: Session, community: Community, entry: DistrictEntry, now: datetime) -> Iterator[str]:
    row = chats.district_by_key(session, community.ident, entry.key)
    own = {"community_id": community.ident, "key": entry.key}
    name = f"district {community.key}/{entry.key}"
    yield from _upsert(session, row, District, own, {"name": entry.name, "active": True}, name)
    row = chats.district_by_key(session, community.ident, entry.key)
    if row is None:
        raise LookupError(entry.key)
    for chat_id in entry.chats:
        yield from _bind(session, chat_id, community, "district", row.id, None, now)


def _unit(session: Session, community: Community, entry: UnitEntry, now: datetime) -> Iterator[str]:
    row = chats.unit_by_key(session, community.ident, entry.key)
    fields = {
        "name": entry.name,
        "contact": entry.contact,
        "members": list(entry.members),
        "categories": list(entry.categories),
        "districts": list(entry.districts),
        "active": True,
    }
    own = {"community_id": community.ident, "key": entry.key}
    yield from _upsert(session, row, Unit, own, fields, f"unit {community.key}/{entry.key}")
    row = chats.unit_by_key(session, community.ident, entry.key)
    if row is None:
        raise LookupError(entry.key)
    if entry.chat is not None:
        yield from _bind(session, entry.chat, community, "unit", None, row.id, now)


def _rest(session: Session, community: Community, entry: CommunityEntry) -> Iterator[str]:
    """Put to rest what the file no longer names."""
    for kind, rows, keys in (
        ("district", chats.districts_of(session, community.ident), {each.key for each in entry.districts}),
        ("unit", chats.units_of(session, community.ident), {each.key for each in entry.units}),
    ):
        for row in rows:
            if row.key not in keys:
                row.active = False
                session.add(row)
                yield f"- {kind} {community.key}/{row.key}"


def _upsert(
    session: Session,
    row: SQLModel | None,
    table: type[SQLModel],
    own: dict[str, Any],
    fields: dict[str, Any],
    name: str,
) -> Iterator[str]:
    if row is None:
        session.add(table(**own, **fields))
        session.flush()
        yield f"+ {name}"
        return
    changed = [key for key, value in fields.items() if getattr(row, key) != value]
    for key in changed:
        yield f"~ {name}: {key} {getattr(row, key)!r} → {fields[key]!r}"
        setattr(row, key, fields[key])
    if changed:
        session.add(row)
        session.flush()


def _bind(
    session: Session,
    chat_id: int,
    community: Community,
    role: str,
    district_id: int | None,
    unit_id: int | None,
    now: datetime,
) -> Iterator[str]:
    chat_id = chats.current_id(session, chat_id)
    binding = session.get(Binding, chat_id)
    if binding is not None and (binding.role, binding.community_id, binding.district_id, binding.unit_id) == (
        role,
        community.id,
        district_id,
        unit_id,
    ):
        return
    if role != "district":
        for other in chats.other_chats(session, role, community.ident, unit_id, chat_id):
            retire(session, other.chat_id, now)
            session.delete(other)
    if binding is not None:
        retire(session, chat_id, now)
    binding = binding or Binding(chat_id=chat_id, role=role, community_id=community.ident)
    binding.role, binding.community_id = role, community.ident
    binding.district_id, binding.unit_id = district_id, unit_id
    session.add(binding)
    session.flush()
    yield f"+ chat {chat_id}: {role} of {community.key}"


def _limits(session: Session, alliance: Alliance) -> Iterator[str]:
    present = {row.category: row for row in chats.category_limits(session)}
    for entry in alliance.categories:
        row = present.pop(entry.category, None)
        own = {"category": entry.category}
        fields = {
            name: (duration.text if duration else "")
            for name, duration in (("accept", entry.accept), ("safe", entry.safe), ("repair", entry.repair))
        }
        yield from _upsert(session, row, CategoryLimit, own, fields, f"limits of {entry.category}")
    for category, row in present.items():
        session.delete(row)
        yield f"- limits of {category}"
