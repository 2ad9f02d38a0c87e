"""What people do: write, post pictures, correct themselves, press buttons. Each act becomes messages in the
chat and updates for the bot, exactly as their phones would make them."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any, Final

from bot.sandbox import pictures, samples, texts
from bot.sandbox.messages import Message
from bot.sandbox.platform import Platform
from bot.sandbox.refusals import Mistake, Refusal
from bot.sandbox.uploads import Upload
from bot.sandbox.views import message_view
from bot.sandbox.world import ANONYMOUS_ADMIN, Chat, Person

Wish = dict[str, Any]

_MOST_PICTURES: Final = 10
_SEND_FIELDS: Final = frozenset(
    {
        "as",
        "chat",
        "text",
        "reply_to",
        "thread",
        "location",
        "venue",
        "samples",
        "as_file",
        "live",
        "sticker",
        "anonymous",
        "media_group",
        "forward",
        "photo",
    }
)


def person_of(platform: Platform, wish: Wish) -> Person:
    """Who acts; raises Mistake (404)."""
    number = integer(wish, "as")
    person = platform.world.people.get(number)
    if person is None:
        raise Mistake(f"there is no person {number}", 404)
    return person


def chat_of(platform: Platform, wish: Wish) -> Chat:
    """In which chat; raises Mistake (404)."""
    number = integer(wish, "chat")
    chat = platform.world.chats.get(number)
    if chat is None:
        raise Mistake(f"there is no chat {number}", 404)
    return chat


def integer(wish: Wish, name: str) -> int:
    """A whole number that must be there; raises Mistake (400)."""
    try:
        return int(wish[name])
    except KeyError:
        raise Mistake(f'"{name}" is missing') from None
    except (TypeError, ValueError):
        raise Mistake(f'"{name}" is not a whole number') from None


async def send(platform: Platform, wish: Wish, files: list[Upload]) -> dict[str, Any]:
    """Somebody writes: ``{"messages": [...]}``; raises Mistake."""
    unknown = wish.keys() - _SEND_FIELDS
    if unknown:
        raise Mistake(f"unknown field {sorted(unknown)[0]!r}")
    person, chat = person_of(platform, wish), chat_of(platform, wish)
    _present(person, chat)
    frame = _frame(platform, wish, chat)
    text = str(wish.get("text") or "")
    contents = await _pictures(platform, wish, files)
    if contents:
        contents[0] |= _words(text, "caption", texts.CAPTION_LIMIT)
        album = _album(wish.get("media_group"), len(contents))
        if album:
            frame["media_group_id"] = album
    else:
        contents = [_content(platform, wish, chat, text)]
    sender: Wish = person.user
    if flag(wish.get("anonymous")) and not chat.private:
        sender = ANONYMOUS_ADMIN
        frame["sender_chat"] = chat.json
    if chat.private:
        person.started = True
    sent = []
    for content in contents:
        message = platform.put(chat, sender, {**frame, **content})
        platform.deliver(chat, message)
        sent.append(message_view(message))
    return {"messages": sent}


def edit(platform: Platform, wish: Wish) -> dict[str, Any]:
    """Somebody corrects their own message: ``{"message": ...}``; raises Mistake."""
    person, chat = person_of(platform, wish), chat_of(platform, wish)
    message = platform.world.message(chat, integer(wish, "message_id"))
    if message is None:
        raise Mistake("there is no such message", 404)
    if message.body["from"]["id"] != person.id:
        raise Mistake(f"{person.first_name} did not write that message")
    field = "text" if "text" in message.body else "caption"
    words = wish.get("text", wish.get("caption"))
    if words is None:
        raise Mistake('"text" or "caption" is missing')
    kept = {name: value for name, value in message.body.items() if name not in (field, _ENTITIES[field])}
    limit = texts.TEXT_LIMIT if field == "text" else texts.CAPTION_LIMIT
    kept |= _words(str(words), field, limit)
    if field == "text" and not kept.get("text"):
        raise Mistake("a message is not empty")
    message.body = {**kept, "edit_date": platform.clock.stamp()}
    platform.tell("edited", chat, message)
    platform.deliver(chat, message, kind="edited_message")
    return {"message": message_view(message)}


async def press(platform: Platform, wish: Wish) -> dict[str, Any]:
    """Somebody presses a button and waits for the answer: ``{"id", "answer"}``; raises Mistake."""
    person, chat = person_of(platform, wish), chat_of(platform, wish)
    forged = flag(wish.get("forged"))
    if not forged:
        _present(person, chat)
    message = _pressed_message(platform, wish, person, chat)
    data = wish.get("data")
    if not forged:
        if message is None:
            raise Mistake("there is no such message", 404)
        button = _button(message, data, wish.get("button"))
        if "disabled" in button:
            raise Mistake(f"the button {button['text']!r} is disabled")
        for kind in ("url", "web_app", "copy_text"):
            if kind in button:
                return {kind: button[kind]}
        if "callback_data" not in button:
            raise Mistake(f"the button {button['text']!r} sends nothing")
        data = button["callback_data"]
    if data is None:
        raise Mistake('a forged press needs "data"')
    if not chat.has_bot:
        raise Mistake("the bot is not in that chat")
    opened = platform.presses.open(person.id, chat.id, message.id if message else 0)
    body = message.body if message else {"chat": chat.json, "message_id": integer(wish, "message_id"), "date": 0}
    platform.updates.push(
        "callback_query",
        {
            "id": opened.id,
            "from": person.user,
            "message": body,
            "chat_instance": str(-chat.id * 7919),
            "data": str(data),
        },
    )
    answer: dict[str, Any] | None = None
    try:
        async with asyncio.timeout(max(number(wish.get("wait", 5), "wait"), 0)):
            answer = await asyncio.shield(opened.answer)
    except TimeoutError:
        pass
    return {"id": opened.id, "answer": answer}


def number(value: Any, name: str) -> float:
    """A number; raises Mistake (400)."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise Mistake(f'"{name}" is not a number') from None
    if found != found or found in (float("inf"), float("-inf")):
        raise Mistake(f'"{name}" is not a number')
    return found


def flag(value: Any) -> bool:
    """Yes or no, from JSON or from a form's text."""
    return value.lower() in ("true", "1", "yes", "on") if isinstance(value, str) else bool(value)


_ENTITIES: Final = {"text": "entities", "caption": "caption_entities"}


def _present(person: Person, chat: Chat) -> None:
    if person.id not in chat.members:
        raise Mistake(f"{person.first_name} is not a member of {chat.title}")
    if chat.migrated_to is not None:
        raise Mistake(f"{chat.title} has become the supergroup {chat.migrated_to}")


def _words(text: str, field: str, limit: int) -> Wish:
    try:
        text, _ = texts.prepared(text, None, None, limit=limit, what="message")
    except Refusal as refusal:
        raise Mistake(refusal.description.removeprefix("Bad Request: ")) from None
    if not text:
        return {}
    entities = texts.command_entity(text)
    return {field: text, _ENTITIES[field]: entities} if entities else {field: text}


def _frame(platform: Platform, wish: Wish, chat: Chat) -> Wish:
    frame: Wish = {}
    if wish.get("thread"):
        thread = integer(wish, "thread")
        if chat.topic(thread) is None:
            raise Mistake(f"there is no topic {thread} in {chat.title}", 404)
        frame |= {"message_thread_id": thread, "is_topic_message": True}
    if wish.get("reply_to"):
        replied = platform.world.message(chat, integer(wish, "reply_to"))
        if replied is None:
            raise Mistake("there is no message to reply to", 404)
        frame["reply_to_message"] = replied.quoted()
        if replied.body.get("is_topic_message"):
            frame |= {"message_thread_id": replied.body["message_thread_id"], "is_topic_message": True}
    return frame


async def _pictures(platform: Platform, wish: Wish, files: list[Upload]) -> list[Wish]:
    as_file, live = flag(wish.get("as_file")), flag(wish.get("live"))
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


def _names(given: Any) -> list[str]:
    if isinstance(given, str):
        try:
            given = json.loads(given) if given.startswith("[") else given.split(",")
        except ValueError:
            raise Mistake('"samples" is not a list') from None
    return [str(name).strip() for name in given or [] if str(name).strip()]


def _album(wish: Any, pieces: int) -> str | None:
    if isinstance(wish, str) and wish.lower() not in ("true", "false", "1", "0", ""):
        return wish
    wanted = pieces > 1 if wish in (None, "") else flag(wish)
    return str(secrets.randbelow(9 * 10**16) + 10**16) if wanted else None


def _content(platform: Platform, wish: Wish, chat: Chat, text: str) -> Wish:
    if wish.get("venue"):
        venue = _object(wish, "venue")
        spot = _spot(venue)
        made = {"location": spot, "title": str(venue.get("title", "")), "address": str(venue.get("address", ""))}
        return {"venue": made, "location": spot}
    if wish.get("location"):
        return {"location": _spot(_object(wish, "location"))}
    if flag(wish.get("sticker")):
        return {"sticker": platform.files.sticker(samples.sticker(), 512)}
    if wish.get("forward"):
        return _forwarded(platform, wish, chat, text)
    content = _words(text, "text", texts.TEXT_LIMIT)
    if not content:
        raise Mistake("there is nothing to send")
    return content


def _forwarded(platform: Platform, wish: Wish, chat: Chat, text: str) -> Wish:
    """``forward`` is ``{"chat", "message_id"}`` of a message, or the name of a hidden stranger (with text)."""
    forward = wish["forward"]
    if isinstance(forward, str) and not forward.startswith("{"):
        stranger = {"type": "hidden_user", "sender_user_name": forward, "date": platform.clock.stamp()}
        return {**_words(text or "…", "text", texts.TEXT_LIMIT), "forward_origin": stranger}
    source = _object(wish, "forward")
    origin = chat_of(platform, source) if "chat" in source else chat
    original = platform.world.message(origin, integer(source, "message_id"))
    if original is None:
        raise Mistake("there is no message to forward", 404)
    user = original.body["from"]
    dropped = {"message_id", "from", "sender_chat", "chat", "date", "edit_date", "reply_to_message"}
    dropped |= {"media_group_id", "message_thread_id", "is_topic_message", "reply_markup"}
    copied = {name: value for name, value in original.body.items() if name not in dropped}
    copied.setdefault("forward_origin", {"type": "user", "sender_user": user, "date": original.body["date"]})
    return copied


def _object(wish: Wish, name: str) -> Wish:
    value = wish[name]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, dict):
        raise Mistake(f'"{name}" is not an object')
    return value


def _spot(given: Wish) -> Wish:
    return {name: number(given.get(name), name) for name in ("latitude", "longitude")}


def _pressed_message(platform: Platform, wish: Wish, person: Person, chat: Chat) -> Message | None:
    if wish.get("ephemeral_message_id") is not None:
        key = (person.id, integer(wish, "ephemeral_message_id"))
        message = chat.timeline.ephemerals.get(key)
        return None if message is None or message.deleted else message
    return platform.world.message(chat, integer(wish, "message_id"))


def _button(message: Message, data: Any, label: Any) -> Wish:
    if data is None and label is None:
        raise Mistake('"data" or "button" is missing')
    for button in message.buttons():
        if button.get("callback_data") == data if data is not None else button["text"] == label:
            return button
    raise Mistake(f"there is no such button on that message now: {data if data is not None else label!r}", 404)
