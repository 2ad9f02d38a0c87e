"""The alliance file: who works with whom, read from TOML and checked as a whole, so that nothing half right is applied.

`read` is the only door. What the file is made of stands in `entries`, the reading of one table in
`table`, the rules between entries in `rules`, the lines that errors name in `lines`.
"""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path

from bot.alliance.entries import Alliance, CommunityEntry, DistrictEntry, LimitEntry, UnitEntry
from bot.alliance.lines import Lines
from bot.alliance.rules import hold
from bot.alliance.table import AllianceError, Source, Table, quoted
from bot.domain.categories import CATEGORIES
from bot.domain.durations import Duration

COMMUNITY = (
    *("key", "name", "prefix", "parent", "office_chat", "secretaries", "dispatch", "intake", "gather", "proof"),
    *("quiet_hours", "working_hours", "fallback_unit", "quota", "language", "district", "unit"),
)
DISTRICT = ("key", "name", "chats")
UNIT = ("key", "name", "chat", "contact", "members", "categories", "districts")
LIMIT = ("accept", "safe", "repair")

_TOP = {
    **dict.fromkeys(COMMUNITY, "write it below [[community]]"),
    **{key: f"write [[community.{key}]]" for key in ("district", "unit")},
}
_ABOVE = dict.fromkeys(COMMUNITY[:-2], "it belongs to [[community]]: move it above the districts and units")
_GROUPS = {f"{key.rpartition('.')[0]}.*" for key in CATEGORIES if "." in key}
_KEY = (r"[A-Za-z0-9_-]{1,32}", "1 to 32 letters, digits, - or _")
_GATHER = Duration.parse("15s")
_CONTACT = re.compile(r"mailto:[^\s@]+@[^\s@]+|(?:wecom|dingtalk|feishu)://\S+")
_CURES = {
    "Illegal character '\\n'": "close the text with a quotation mark",
    "Unterminated string": "close the text with quotation marks",
    "Invalid value": "put text in quotes",
    "Unclosed array": "close the list with ]",
    "Expected '='": 'write key = "value"',
    "Expected ']": "end the header with as many brackets as it begins with",
    "Expected newline": "begin a new line for each key",
    "Cannot declare": "a table that comes more than once has two brackets each side, as in [[community]]",
}
"""How tomllib's complaints begin, and what mends them."""


def read(path: Path) -> Alliance:
    """The alliance that the file at `path` describes; AllianceError when anything in it is wrong."""
    raw = _bytes(path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise AllianceError(f"{path.name}, line {line}: not UTF-8 text: save the file as UTF-8") from None
    source = Source(path.name, Lines(text))
    top = Table(_toml(text, source), (), source)
    top.only(("community", "categories"), _TOP)
    communities = tuple(_community(table) for table in top.tables("community"))
    hold(communities, source)
    return Alliance(communities, _limits(top), sha256(raw).hexdigest())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        cure = "copy bot/example/alliance.toml there, or name yours in ALLIANCE_FILE"
        raise AllianceError(f"{path}: no such file: {cure}") from None
    except IsADirectoryError:
        raise AllianceError(f"{path}: is a folder: name the file in it") from None
    except OSError as error:
        raise AllianceError(f"{path}: cannot be read: {error.strerror}") from None


def _toml(text: str, source: Source) -> dict[str, object]:
    """The parsed text; a syntax error points at the line where the broken statement begins."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise AllianceError(f"{source.name}: nested too deeply: it needs tables and lists only") from None
    except ValueError as error:
        reason, _, position = str(error).partition(" (at ")
        number = re.search(r"line (\d+)", position)
        noticed = int(number[1]) if number else None
        line, place = source.lines.statement(noticed)
        if place and reason == "Cannot overwrite a value":
            reason = f"{quoted(str(place[-1]))} is given twice: keep one of the two"
        later = f" (noticed on line {noticed})" if noticed not in (None, line) else ""
        cure = next((f": {cure}" for start, cure in _CURES.items() if reason.startswith(start)), "")
        shown = f"not valid TOML: {reason[:1].lower()}{reason[1:]}{cure}{later}"
        raise AllianceError(f"{source.name}, line {line}: {shown}") from None


def _community(table: Table) -> CommunityEntry:
    table.only(COMMUNITY)
    gather = table.duration("gather") or _GATHER
    if gather.is_working or gather.natural.total_seconds() > 3600:
        raise table.wrong("gather", f'"gather" cannot be {quoted(gather.text)}: write 1s to 60m, as in "15s"')
    return CommunityEntry(
        key=table.shaped("key", *_KEY),
        name=table.name(),
        prefix=table.shaped("prefix", "[A-Z]{1,4}", "1 to 4 capital letters"),
        parent=table.text("parent", ""),
        office_chat=table.chat("office_chat"),
        secretaries=table.people("secretaries"),
        dispatch=table.choice("dispatch", ("auto", "approve")),
        intake=table.choice("intake", ("ask", "all", "keyword")),
        gather=gather,
        proof=table.choice("proof", ("required", "optional")),
        quiet_hours=table.hours("quiet_hours", "21:30-07:00"),
        working_hours=table.hours("working_hours", "08:30-11:30,13:30-17:30"),
        fallback_unit=table.text("fallback_unit", ""),
        quota=table.count("quota", 20, 1000),
        language=table.choice("language", ("", "zh", "en")),
        districts=tuple(_district(each) for each in table.tables("district")),
        units=tuple(_unit(each) for each in table.tables("unit")),
    )


def _district(table: Table) -> DistrictEntry:
    table.only(DISTRICT, _ABOVE)
    return DistrictEntry(key=table.shaped("key", *_KEY), name=table.name(), chats=table.chats("chats"))


def _unit(table: Table) -> UnitEntry:
    table.only(UNIT, _ABOVE)
    categories = table.texts("categories")
    for n, category in enumerate(categories):
        if category not in CATEGORIES and category not in _GROUPS and category != "*":
            raise table.wrong("categories", _no_category(category, {*CATEGORIES, *_GROUPS}), n)
    return UnitEntry(
        key=table.shaped("key", *_KEY),
        name=table.name(),
        chat=table.chat("chat"),
        contact=_contact(table),
        members=table.people("members"),
        categories=categories,
        districts=table.texts("districts", ("*",)),
    )


def _contact(table: Table) -> str:
    """Where a unit without a chat is reached. What stands behind the scheme may be a robot's key: never shown."""
    contact = table.text("contact", "")
    if contact and not _CONTACT.fullmatch(contact):
        cure = "write mailto:name@example.org, wecom://…, dingtalk://… or feishu://…"
        raise table.wrong("contact", f'"contact" in {table.label} is no address that the bot can write to: {cure}')
    return contact


def _limits(top: Table) -> tuple[LimitEntry, ...]:
    found = top.found.get("categories", {})
    if not isinstance(found, dict):
        raise top.wrong("categories", 'limits must be written as [categories."cover.water"], one bracket each side')
    limits = []
    for category, values in found.items():
        table = Table(values if isinstance(values, dict) else {}, ("categories", category), top.source)
        if category not in CATEGORIES:
            raise top.source.wrong(table.place, _no_category(category, set(CATEGORIES)))
        if not isinstance(values, dict):
            raise top.source.wrong(table.place, f'{table.label} must be a table: write accept = "30m" below it')
        table.only(LIMIT)
        limits.append(LimitEntry(category, *(table.duration(key) for key in LIMIT)))
    return tuple(limits)


def _no_category(category: str, known: set[str]) -> str:
    """The complaint and its cure; `[categories.cover.water]` without quotes arrives here as "cover"."""
    group = f"{category}.*"
    if group in known:
        cure = f"did you mean {quoted(group)}?"
    elif group in _GROUPS:
        cure = 'a key with a point stands in quotes, as in [categories."cover.water"]'
    elif category in _GROUPS:
        cure = "limits are set for one category each"
    elif near := get_close_matches(category, sorted(known), n=1):
        cure = f"did you mean {quoted(near[0])}?"
    else:
        cure = f"known are {', '.join(CATEGORIES)}"
    return f"unknown category {quoted(category)}: {cure}"
