"""Somebody presses a button: only what is on the message now can be pressed, the bot is told, and the person
waits for its answer a while."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.sandbox import wishes
from bot.sandbox.messages import Message
from bot.sandbox.platform import Platform
from bot.sandbox.refusals import Mistake
from bot.sandbox.wishes import Wish
from bot.sandbox.world import Chat, Person


async def press(platform: Platform, wish: Wish) -> dict[str, Any]:
    """Somebody presses a button and waits for the answer: ``{"id", "answer"}``; raises Mistake."""
    person, chat = wishes.person_of(platform, wish), wishes.chat_of(platform, wish)
    forged = wishes.flag(wish.get("forged"))
    if not forged:
        wishes.must_be_in(person, chat)
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
    body = message.body if message else {"chat": chat.json, "message_id": wishes.integer(wish, "message_id"), "date": 0}
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
        async with asyncio.timeout(max(wishes.number(wish.get("wait", 5), "wait"), 0)):
            answer = await asyncio.shield(opened.answer)
    except TimeoutError:
        pass
    return {"id": opened.id, "answer": answer}


def _pressed_message(platform: Platform, wish: Wish, person: Person, chat: Chat) -> Message | None:
    if wish.get("ephemeral_message_id") is not None:
        key = (person.id, wishes.integer(wish, "ephemeral_message_id"))
        message = chat.timeline.ephemerals.get(key)
        return None if message is None or message.deleted else message
    return platform.world.message(chat, wishes.integer(wish, "message_id"))


def _button(message: Message, data: Any, label: Any) -> Wish:
    if data is None and label is None:
        raise Mistake('"data" or "button" is missing')
    for button in message.buttons():
        if button.get("callback_data") == data if data is not None else button["text"] == label:
            return button
    raise Mistake(f"there is no such button on that message now: {data if data is not None else label!r}", 404)
