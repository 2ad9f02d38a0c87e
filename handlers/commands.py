"""Commands: read as written, done by one service."""

from functools import partial

from aiogram import F, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import Message

from bot.services.commanding import COMMANDS, Asked
from bot.services.commanding import command as do_command
from handlers.door import Door
from handlers.reading import cleaned, incoming, title


async def asked(message: Message, command: CommandObject, door: Door) -> None:
    earlier = message.reply_to_message
    await door.do(
        partial(
            do_command,
            asked=Asked(
                name=command.command.lower(),
                words=cleaned(command.args),
                incoming=incoming(message),
                key=f"update:{door.update_id}",
                title=title(message.chat),
                earlier=incoming(earlier) if earlier is not None else None,
            ),
        )
    )


def router() -> Router:
    """A fresh router: a dispatcher keeps its own for ever."""
    made = Router(name="commands")
    made.message.register(
        asked, F.text.startswith("/") | F.caption.startswith("/"), Command(*COMMANDS, ignore_case=True)
    )
    return made
