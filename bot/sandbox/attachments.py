"""What a person's message holds: words with their commands marked, own or drawn pictures as photos or files,
albums, places, stickers, forwards."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any, Final

from bot.sandbox import pictures, samples, texts, wishes
from bot.sandbox.platform import Platform
from bot.sandbox.refusals import Mistake, Refusal
from bot.sandbox.uploads import Upload
from bot.sandbox.wishes import Wish
from bot.sandbox.world import Chat

ENTITIES: Final = {"text": "entities", "caption": "caption_entities"}
"""Which field holds the entities of which."""

_MOST_PICTURES: Final = 10


def words_of(text: str, field: str, limit: int) -> Wish:
    """``text`` or ``caption`` with a leading command marked; empty for no words. Raises Mistake (400)."""
    try:
        text, _ = texts.prepared(text, None, None, limit=limit, what="message")
    except Refusal as refusal:
        raise Mistake(refusal.description.removeprefix("Bad Request: ")) from None
    if not text:
        return {}
    entities = texts.command_entity(text)
    return {field: text, ENTITIES[field]: entities} if entities else {field: text}


async def pictures_of(platform: Platform, wish: Wish, files: list[Upload]) -> list[Wish]:
    """The files and the samples wished for, as photos, files or live photos; raises Mistake (400)."""
    as_file, live = wishes.flag(wish.get("as_file")), wishes.flag(wish.get("live"))
    found = list(files)
    for name in _names(wish.get("samples")):
        if name not in samples.SAMPLES:
            raise Mistake(f"there is no sample {name!r}; there are {', '.join(samples.SAMPLES)}")
        drawn = await asyncio.to_thread(samples.drawn, name, as_file=as_file)
        found.append(Upload(drawn, f"{name}.jpg", "image/jpeg"))
    if len(found) > _MOST_PICTURES:
        raise Mistake(f"an album holds at most {_MOST_PICTURES} pictures")
    contents: list[Wish] = []
    for upload in found:
        if as_file:
            contents.append({"document": platform.files.document(upload.content, upload.name, upload.mime_type)})
            continue
        try:
            renditions = await asyncio.to_thread(pictures.developed, upload.content, by_bot=False)
        except Refusal:
            raise Mistake(f"{upload.name} is not a picture that Telegram takes") from None
        if live:
            made = platform.files.live_photo(renditions)
            contents.append({"live_photo": made, "photo": made["photo"]})
        else:
            contents.append({"photo": platform.files.photo(renditions)})
    return contents


def album_of(wish: Any, pieces: int) -> str | None:
    """The media_group_id: as named, a new one for several pieces, or None."""
    if isinstance(wish, str) and wish.lower() not in ("true", "false", "1", "0", ""):
        return wish
    wanted = pieces > 1 if wish in (None, "") else wishes.flag(wish)
    return str(secrets.randbelow(9 * 10**16) + 10**16) if wanted else None


def content_of(platform: Platform, wish: Wish, chat: Chat, text: str) -> Wish:
    """What is sent without pictures: a place, a sticker, a forward or words; raises Mistake (400)."""
    if wish.get("venue"):
        venue = wishes.object_of(wish, "venue")
        spot = _spot(venue)
        made = {"location": spot, "title": str(venue.get("title", "")), "address": str(venue.get("address", ""))}
        return {"venue": made, "location": spot}
    if wish.get("location"):
        return {"location": _spot(wishes.object_of(wish, "location"))}
    if wishes.flag(wish.get("sticker")):
        return {"sticker": platform.files.sticker(samples.sticker(), 512)}
    if wish.get("forward"):
        return _forwarded(platform, wish, chat, text)
    content = words_of(text, "text", texts.TEXT_LIMIT)
    if not content:
        raise Mistake("there is nothing to send")
    return content


def _forwarded(platform: Platform, wish: Wish, chat: Chat, text: str) -> Wish:
    """``forward`` is ``{"chat", "message_id"}`` of a message, or the name of a hidden stranger (with text)."""
    forward = wish["forward"]
    if isinstance(forward, str) and not forward.startswith("{"):
        stranger = {"type": "hidden_user", "sender_user_name": forward, "date": platform.clock.stamp()}
        return {**words_of(text or "…", "text", texts.TEXT_LIMIT), "forward_origin": stranger}
    source = wishes.object_of(wish, "forward")
    origin = wishes.chat_of(platform, source) if "chat" in source else chat
    original = platform.world.message(origin, wishes.integer(source, "message_id"))
    if original is None:
        raise Mistake("there is no message to forward", 404)
    user = original.body["from"]
    dropped = {"message_id", "from", "sender_chat", "chat", "date", "edit_date", "reply_to_message"}
    dropped |= {"media_group_id", "message_thread_id", "is_topic_message", "reply_markup"}
    copied = {name: value for name, value in original.body.items() if name not in dropped}
    copied.setdefault("forward_origin", {"type": "user", "sender_user": user, "date": original.body["date"]})
    return copied


def _names(given: Any) -> list[str]:
    if isinstance(given, str):
        try:
            given = json.loads(given) if given.startswith("[") else given.split(",")
        except ValueError:
            raise Mistake('"samples" is not a list') from None
    return [str(name).strip() for name in given or [] if str(name).strip()]


def _spot(given: Wish) -> Wish:
    return {name: wishes.number(given.get(name), name) for name in ("latitude", "longitude")}
