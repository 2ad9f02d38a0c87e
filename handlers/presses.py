"""Buttons: one service, one line back to whoever pressed."""

from functools import partial

from aiogram import Router
from aiogram.methods import AnswerCallbackQuery
from aiogram.types import CallbackQuery, Message

from bot.services.pressing import Pressed, press
from bot.speech import choose
from bot.views.content import shorten
from handlers.door import Door
from handlers.reading import pressing, title

ANSWER = 200
"""Characters in the answer to a press (Bot API)."""


async def pressed(query: CallbackQuery, door: Door) -> AnswerCallbackQuery:
    message = query.message
    if message is None:
        # On a message sent by way of the bot, in whatever chat: no card of ours is one.
        speech = choose((query.from_user.language_code,), door.ground.language)
        return query.answer(text=speech.tell("This button is out of date."), show_alert=True)
    known = message if isinstance(message, Message) else None
    ephemeral = known.ephemeral_message_id if known is not None else None
    told = await door.do(
        partial(
            press,
            pressed=Pressed(
                chat_id=message.chat.id,
                message_id=None if ephemeral else message.message_id,
                ephemeral_id=ephemeral,
                visitor=pressing(query.from_user),
                data=query.data or "",
                title=title(message.chat),
                thread_id=known.message_thread_id if known is not None and known.is_topic_message else None,
            ),
        )
    )
    return query.answer(text=shorten(told.text, ANSWER) or None, show_alert=told.alert or None)


def router() -> Router:
    """A fresh router: a dispatcher keeps its own for ever."""
    made = Router(name="presses")
    made.callback_query.register(pressed)
    return made
