"""What Telegram does to a text before it counts and stores it: HTML becomes plain text with entities,
lengths are in UTF-16 units, the ends are trimmed. Bots that count characters instead find out here."""

from __future__ import annotations

import html
import re
from typing import Any, Final

from bot.sandbox.refusals import Refusal, bad

Entity = dict[str, Any]

TEXT_LIMIT: Final = 4096
CAPTION_LIMIT: Final = 1024

_TYPES: Final = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
    "tg-emoji": "custom_emoji",
}
_SPECIAL: Final = re.compile(r"[<&]")
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][\w-]*)((?:\s+[\w-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+))?)*)\s*/?>")
_ATTRIBUTE: Final = re.compile(r"([\w-]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+)))?")
_REFERENCE: Final = re.compile(r"&(?:lt|gt|amp|quot|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});")
_COMMAND: Final = re.compile(r"/[A-Za-z0-9_]{1,32}(?:@[A-Za-z0-9_]{3,32})?(?![\w/])")


def units(text: str) -> int:
    """The length of a text in UTF-16 code units, as Telegram counts."""
    if text.isascii():
        return len(text)
    return len(text) + sum(1 for character in text if character > "\uffff")


def prepared(
    text: str, parse_mode: str | None, entities: list[Entity] | None, *, limit: int, what: str
) -> tuple[str, list[Entity]]:
    """The plain text and its entities as they will be stored; raises Refusal (400).

    ``limit`` is in UTF-16 units after parsing, ``what`` is "message" or "caption".
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise bad("strings must be encoded in UTF-8") from None
    marks: list[Entity] = []
    if parse_mode:
        if parse_mode.lower() != "html":
            # Only HTML is used by anything here; a silent half-parse of Markdown would mislead.
            raise bad(f"unsupported parse_mode (the sandbox parses HTML only, not {parse_mode})")
        text, marks = parsed(text)
    elif entities:
        marks = [dict(entity) for entity in entities]
    text, marks = trimmed(text, marks)
    if len(text) > limit // 2 and units(text) > limit:
        raise bad("message is too long" if what == "message" else "message caption is too long")
    return text, marks


def trimmed(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """The text without white space at its ends, its entities moved and cut to match."""
    stripped = text.strip()
    if len(stripped) == len(text) or not entities:
        return stripped, entities
    lead = units(text[: len(text) - len(text.lstrip())])
    total = units(stripped)
    kept = []
    for entity in entities:
        start = max(entity["offset"] - lead, 0)
        end = min(entity["offset"] + entity["length"] - lead, total)
        if end > start:
            kept.append({**entity, "offset": start, "length": end - start})
    return stripped, kept


def command_entity(text: str) -> list[Entity]:
    """The bot_command entity of a text that begins with a command, else nothing."""
    found = _COMMAND.match(text) if text.startswith("/") else None
    return [{"type": "bot_command", "offset": 0, "length": found.end()}] if found else []


def parsed(source: str) -> tuple[str, list[Entity]]:
    """HTML of Telegram's small dialect as (plain text, entities); raises Refusal (400)."""
    if "<" not in source and "&" not in source:
        return source, []
    out: list[str] = []
    entities: list[Entity] = []
    open_tags: list[tuple[str, Entity]] = []
    offset = position = 0
    while position < len(source):
        special = _SPECIAL.search(source, position)
        stop = special.start() if special else len(source)
        if stop > position:
            out.append(source[position:stop])
            offset += units(out[-1])
            position = stop
            continue
        if source[position] == "&":
            reference = _REFERENCE.match(source, position)
            plain = html.unescape(reference.group()) if reference else "&"
            out.append(plain)
            offset += units(plain)
            position = reference.end() if reference else position + 1
            continue
        tag = _TAG.match(source, position)
        if tag is None:
            raise _broken(source, position)
        name = tag.group(2).lower()
        if tag.group(1):
            _close(name, open_tags, entities, offset, len(source[:position].encode()))
        else:
            open_tags.append((name, _opened(name, tag.group(3), offset, open_tags, len(source[:position].encode()))))
        position = tag.end()
    if open_tags:
        raise bad(f"can't parse entities: Can't find end tag corresponding to start tag \"{open_tags[-1][0]}\"")
    entities.sort(key=lambda entity: (entity["offset"], -entity["length"]))
    return "".join(out), entities


def _opened(name: str, attributes: str, offset: int, open_tags: list[tuple[str, Entity]], at: int) -> Entity:
    kind = _TYPES.get(name)
    values = {
        found.group(1).lower(): html.unescape(found.group(2) or found.group(3) or found.group(4) or "")
        for found in _ATTRIBUTE.finditer(attributes)
    }
    if kind is None or (name == "span" and values.get("class") != "tg-spoiler"):
        raise bad(f'can\'t parse entities: Unsupported start tag "{name}" at byte offset {at}')
    entity: Entity = {"type": kind, "offset": offset, "length": 0}
    if name == "a":
        entity["url"] = values.get("href", "")
    elif name == "tg-emoji":
        entity["custom_emoji_id"] = values.get("emoji-id", "")
    elif name == "blockquote" and "expandable" in values:
        entity["type"] = "expandable_blockquote"
    elif name == "code" and open_tags and open_tags[-1][0] == "pre":
        # <pre><code class="language-x"> is one entity in Telegram: pre with a language.
        entity["type"] = ""
        if values.get("class", "").startswith("language-"):
            open_tags[-1][1]["language"] = values["class"].removeprefix("language-")
    return entity


def _close(name: str, open_tags: list[tuple[str, Entity]], entities: list[Entity], offset: int, at: int) -> None:
    if not open_tags:
        raise bad(f"can't parse entities: Unexpected end tag at byte offset {at}")
    expected, entity = open_tags.pop()
    if expected != name:
        raise bad(
            f'can\'t parse entities: Unmatched end tag at byte offset {at}, expected "</{expected}>", found "</{name}>"'
        )
    entity["length"] = offset - entity["offset"]
    if entity["length"] and entity["type"] and entity.get("url") != "":
        entities.append(entity)


def _broken(source: str, position: int) -> Refusal:
    at = len(source[:position].encode())
    rest = source[position + 1 :]
    if ">" not in rest and rest[:1].isalpha():
        return bad(f"can't parse entities: Unclosed start tag at byte offset {at}")
    name = re.match(r"/?[^\s>]*", rest)
    return bad(f'can\'t parse entities: Unsupported start tag "{name.group() if name else ""}" at byte offset {at}')
