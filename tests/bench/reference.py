"""What every figure is held against: a bare aiogram bot that passes photos on, with no database and no checks.

For each photo it sends the same photo to a staff chat and sets 👀 on the one that came: the least that a bot of this
kind can do with aiogram as it comes. It loses what is in flight when it is killed. Process:
`python -m tests.bench.reference API STAFF_CHAT`.
"""

import asyncio
import sys

from aiogram import Bot, Dispatcher, F
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message, ReactionTypeEmoji

from bot.app import SANDBOX_TOKEN

EYES = ReactionTypeEmoji(emoji="👀")


async def main(api: str, staff: int) -> None:
    bot = Bot(SANDBOX_TOKEN, session=AiohttpSession(api=TelegramAPIServer.from_base(api)))
    routes = Dispatcher()

    @routes.message(F.photo)
    async def pass_on(message: Message) -> None:
        assert message.photo
        await bot.send_photo(staff, message.photo[-1].file_id, caption=message.caption)
        await message.react([EYES])

    @routes.startup()
    async def up() -> None:
        print("is running as", (await bot.me()).username, flush=True)

    await routes.start_polling(bot, handle_signals=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
