"""What people write: words, pictures, places, corrections. Each becomes messages in the chat and updates for
the bot, exactly as their phones would make them."""

from __future__ import annotations

from typing import Any, Final

from bot.sandbox import attachments, wishes
from bot.sandbox.platform import Platform
from bot.sandbox.refusals import Mistake
from bot.sandbox.texts import CAPTION_LIMIT, TEXT_LIMIT
from bot.sandbox.uploads import Upload
from bot.sandbox.views import message_view
from bot.sandbox.wishes import Wish
from bot.sandbox.world import ANONYMOUS_ADMIN, Chat

_FIELDS: Final = frozenset(
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


async def send(platform: Platform, wish: Wish, files: list[Upload]) -> dict[str, Any]:
    """Somebody writes: ``{"messages": [...]}``; raises Mistake."""
    unknown = wish.keys() - _FIELDS
    if unknown:
        raise Mistake(f"unknown field {sorted(unknown)[0]!r}")
    person, chat = wishes.person_of(platform, wish), wishes.chat_of(platform, wish)
    wishes.must_be_in(person, chat)
    frame = _frame(platform, wish, chat)
    text = str(wish.get("text") or "")
    contents = await attachments.pictures_of(platform, wish, files)
    if contents:
        contents[0] |= attachments.words_of(text, "caption", CAPTION_LIMIT)
        album = attachments.album_of(wish.get("media_group"), len(contents))
        if album:
            frame["media_group_id"] = album
    else:
        contents = [attachments.content_of(platform, wish, chat, text)]
    sender: Wish = person.user
    if wishes.flag(wish.get("anonymous")) and not chat.private:
        sender = ANONYMOUS_ADMIN
        frame["sender_chat"] = chat.json
    if chat.private:
        person.started = True
    sent = []
    for content in contents:
        platform.files.stand_in(chat.id, content)
        message = platform.put(chat, sender, {**frame, **content})
        platform.deliver(chat, message)
        sent.append(message_view(message))
    return {"messages": sent}


def edit(platform: Platform, wish: Wish) -> dict[str, Any]:
    """Somebody corrects their own message: ``{"message": ...}``; raises Mistake."""
    person, chat = wishes.person_of(platform, wish), wishes.chat_of(platform, wish)
    message = platform.world.message(chat, wishes.integer(wish, "message_id"))
    if message is None:
        raise Mistake("there is no such message", 404)
    if message.body["from"]["id"] != person.id:
        raise Mistake(f"{person.first_name} did not write that message")
    field = "text" if "text" in message.body else "caption"
    words = wish.get("text", wish.get("caption"))
    if words is None:
        raise Mistake('"text" or "caption" is missing')
    kept = {name: value for name, value in message.body.items() if name not in (field, attachments.ENTITIES[field])}
    limit = TEXT_LIMIT if field == "text" else CAPTION_LIMIT
    kept |= attachments.words_of(str(words), field, limit)
    if field == "text" and not kept.get("text"):
        raise Mistake("a message is not empty")
    message.body = {**kept, "edit_date": platform.clock.stamp()}
    platform.tell("edited", chat, message)
    platform.deliver(chat, message, kind="edited_message")
    return {"message": message_view(message)}


def _frame(platform: Platform, wish: Wish, chat: Chat) -> Wish:
    frame: Wish = {}
    if wish.get("thread"):
        thread = wishes.integer(wish, "thread")
        if chat.topic(thread) is None:
            raise Mistake(f"there is no topic {thread} in {chat.title}", 404)
        frame |= {"message_thread_id": thread, "is_topic_message": True}
    if wish.get("reply_to"):
        replied = platform.world.message(chat, wishes.integer(wish, "reply_to"))
        if replied is None:
            raise Mistake("there is no message to reply to", 404)
        frame["reply_to_message"] = replied.quoted()
        if replied.body.get("is_topic_message"):
            frame |= {"message_thread_id": replied.body["message_thread_id"], "is_topic_message": True}
    return frame
