"""Photos, albums, live photos and images sent as files."""

from functools import partial

from aiogram import F, Router
from aiogram.types import Message

from bot.services.receiving import concerns_picture, receive_picture, receive_private_picture
from handlers.door import Door
from handlers.reading import has_picture, incoming


async def picture(message: Message, door: Door) -> None:
    shown = incoming(message)
    if await door.look(partial(concerns_picture, incoming=shown)):
        said = door.recent.last(shown.chat_id, shown.visitor.user_id)
        await door.do(partial(receive_picture, incoming=shown, said=said))
        door.recent.forget(shown.chat_id, shown.visitor.user_id)


async def private_picture(message: Message, door: Door) -> None:
    await door.do(partial(receive_private_picture, incoming=incoming(message), key=f"update:{door.update_id}"))


def router() -> Router:
    """A fresh router: a dispatcher keeps its own for ever."""
    made = Router(name="pictures")
    made.message.register(picture, F.chat.type.in_({"group", "supergroup"}), has_picture)
    made.message.register(private_picture, F.chat.type == "private", has_picture)
    return made
