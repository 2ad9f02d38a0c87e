"""The bot comes into a chat or is put out of it, and groups become supergroups."""

from functools import partial

from aiogram import F, Router
from aiogram.types import ChatMemberUpdated, Message

from bot.services.binding import bot_came, bot_went, moved, said_goodbye
from handlers.door import Door
from handlers.reading import title

INSIDE = {"member", "administrator", "restricted"}


async def membership(change: ChatMemberUpdated, door: Door) -> None:
    status = change.new_chat_member.status
    if status in INSIDE and getattr(change.new_chat_member, "is_member", True):
        came = partial(
            bot_came,
            chat_id=change.chat.id,
            title=title(change.chat),
            admin=status == "administrator",
            reads_all=door.reads_all,
        )
        await door.do(came)
    else:
        await door.do(partial(bot_went, chat_id=change.chat.id))


async def blocked(change: ChatMemberUpdated, door: Door) -> None:
    gone = change.new_chat_member.status not in INSIDE
    await door.do(partial(said_goodbye, user_id=change.chat.id, gone=gone))


async def became(message: Message, door: Door) -> None:
    await door.do(partial(moved, old=message.chat.id, new=message.migrate_to_chat_id or 0))


async def came_from(message: Message, door: Door) -> None:
    await door.do(partial(moved, old=message.migrate_from_chat_id or 0, new=message.chat.id))


def router() -> Router:
    """A fresh router: a dispatcher keeps its own for ever."""
    made = Router(name="membership")
    made.my_chat_member.register(membership, F.chat.type.in_({"group", "supergroup"}))
    made.my_chat_member.register(blocked, F.chat.type == "private")
    made.message.register(became, F.migrate_to_chat_id)
    made.message.register(came_from, F.migrate_from_chat_id)
    return made
