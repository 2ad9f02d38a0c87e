"""What must hold between the entries of an alliance file: names that are unique, and links that lead somewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

from bot.alliance.entries import CommunityEntry
from bot.alliance.lines import Place
from bot.alliance.table import Source, quoted


def hold(communities: tuple[CommunityEntry, ...], source: Source) -> None:
    """Raise AllianceError for the first rule that is broken."""
    numbered = list(enumerate(communities))
    _unique("community key", ((("community", n, "key"), each.key) for n, each in numbered), source)
    _unique("prefix", ((("community", n, "prefix"), each.prefix) for n, each in numbered), source)
    for n, community in numbered:
        _within(("community", n), community, source)
    _bound_once(communities, source)
    _parents(communities, source)


def _within(place: Place, community: CommunityEntry, source: Source) -> None:
    """The rules that look at one community alone."""
    districts = [each.key for each in community.districts]
    units = [each.key for each in community.units]
    for kind, keys in (("district", districts), ("unit", units)):
        named = (((*place, kind, n, "key"), key) for n, key in enumerate(keys))
        _unique(f"{kind} key", named, source, f" within {quoted(community.key)}")
    if community.fallback_unit:
        _exists("unit", community.fallback_unit, units, (*place, "fallback_unit"), source, community.key)
    for n, unit in enumerate(community.units):
        for m, district in enumerate(unit.districts):
            if district != "*":
                where = (*place, "unit", n, "districts", m)
                _exists("district", district, districts, where, source, community.key)


def _unique(what: str, named: Iterable[tuple[Place, str]], source: Source, scope: str = "") -> None:
    first: dict[str, Place] = {}
    for place, name in named:
        if name in first:
            line = source.lines.of(first[name])
            cure = f"it is taken on line {line}; choose another"
            raise source.wrong(place, f"{what} {quoted(name)} is used twice{scope}: {cure}")
        first[name] = place


def _exists(kind: str, key: str, known: Collection[str], place: Place, source: Source, community: str = "") -> None:
    if key in known:
        return
    scope = f" in {quoted(community)}" if community else ""
    near = get_close_matches(key, known, n=1)
    listed = f"known are {', '.join(known)}" if known else "it has none" if community else "there is none"
    cure = f"did you mean {quoted(near[0])}?" if near else listed
    raise source.wrong(place, f"there is no {kind} {quoted(key)}{scope}: {cure}")


def _bound_once(communities: tuple[CommunityEntry, ...], source: Source) -> None:
    bound: dict[int, tuple[Place, str]] = {}
    for place, chat, role in _bindings(communities):
        if chat in bound:
            taken, already = bound[chat]
            line = source.lines.of(taken)
            cure = f"it is already {already} (line {line}); give each its own group"
            raise source.wrong(place, f"chat {chat} is bound twice: {cure}")
        bound[chat] = (place, role)


def _bindings(communities: tuple[CommunityEntry, ...]) -> Iterator[tuple[Place, int, str]]:
    """Every chat of the alliance: where it is written, its id, what it is."""
    for n, community in enumerate(communities):
        place: Place = ("community", n)
        if community.office_chat is not None:
            yield (*place, "office_chat"), community.office_chat, f"the office of {quoted(community.key)}"
        for m, district in enumerate(community.districts):
            for k, chat in enumerate(district.chats):
                yield (*place, "district", m, "chats", k), chat, f"the district {quoted(district.key)}"
        for m, unit in enumerate(community.units):
            if unit.chat is not None:
                yield (*place, "unit", m, "chat"), unit.chat, f"the unit {quoted(unit.key)}"


def _parents(communities: tuple[CommunityEntry, ...], source: Source) -> None:
    parents = {each.key: each.parent for each in communities}
    for n, community in enumerate(communities):
        if community.parent:
            _exists("community", community.parent, parents, ("community", n, "parent"), source)
    for n, community in enumerate(communities):
        way = [community.key]
        while (above := parents[way[-1]]) and above not in way:
            way.append(above)
        if above == community.key:  # a cycle further up is found at one of its own members
            shown = " → ".join([*way, above])
            cure = "leave parent out at the top"
            raise source.wrong(("community", n, "parent"), f"{shown} reports to itself: {cure}")
