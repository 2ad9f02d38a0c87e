"""Ordinary words and places: they count only where they belong to a picture, a card or a line."""

from functools import partial

from aiogram import F, Router
from aiogram.types import Message

from bot.services.receiving import concerns, receive_edit, receive_words
from bot.services.receiving import is_part as known_part
from handlers.door import Door
from handlers.reading import incoming


async def words(message: Message, door: Door) -> None:
    said = incoming(message)
    if await door.look(partial(concerns, incoming=said)):
        await door.do(partial(receive_words, incoming=said))
    elif said.text:
        door.recent.heard(said)


async def edited(message: Message, door: Door) -> None:
    said = incoming(message)
    if await door.look(partial(known_part, incoming=said)):
        await door.do(partial(receive_edit, incoming=said))


def router() -> Router:
    """A fresh router: a dispatcher keeps its own for ever."""
    made = Router(name="words")
    made.message.register(words, F.text | F.location | F.venue)
    made.edited_message.register(edited, F.text | F.caption)
    return made
