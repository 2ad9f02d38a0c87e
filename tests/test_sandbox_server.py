"""The emulator as a server: it starts, serves the page, and stops at once; a real aiogram bot talks to it."""

from __future__ import annotations

import ast
import asyncio
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError, TelegramMigrateToChat, TelegramRetryAfter
from aiogram.types import (
    BufferedInputFile,
    EphemeralMessageParameters,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    ReactionTypeEmoji,
    ReplyParameters,
)

from bot import sandbox
from bot.sandbox.server import Sandbox
from tests.test_sandbox_kit import GUANDI, LIN, TOKEN, WATER, ZHANG, picture, telegram

HERE = Path(str(sandbox.__file__)).parent


async def test_it_stops_within_a_second_with_polls_and_streams_open() -> None:
    server = Sandbox()
    url = await server.start()
    async with aiohttp.ClientSession(url) as http:
        stream = await http.get("/sandbox/events")
        poll = asyncio.create_task(http.post(f"/bot{TOKEN}/getUpdates", json={"timeout": 50}))
        clock = asyncio.create_task(http.get("/sandbox/clock?after=0&timeout=25"))
        hanging = asyncio.create_task(http.post("/sandbox/fault", json={"kind": "timeout"}))
        await hanging
        stuck = asyncio.create_task(http.post(f"/bot{TOKEN}/getMe"))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await server.stop()
        assert time.monotonic() - began < 1
        async with await poll as answer:
            assert (await answer.json())["result"] == []
        async with await clock as answer:
            assert (await answer.json())["offset"] == 0
        with pytest.raises(aiohttp.ClientError):
            await stuck
        assert b"open" in await stream.read()  # it ended, it was not torn off
    await server.stop()


async def test_a_taken_port_is_an_os_error_and_leaves_nothing_behind() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = Sandbox()
        with pytest.raises(OSError):
            await server.start(port=taken.getsockname()[1])
    url = await server.start()
    assert url.startswith("http://127.0.0.1:")
    await server.stop()


async def test_only_files_of_the_page_are_served() -> None:
    async with telegram() as tg:
        for path in ("/sandbox/static/none.js", "/sandbox/static/..%2fworld.json", "/sandbox/static/", "/none"):
            async with tg.http.get(path) as answer:
                assert answer.status == 404, path
        async with tg.http.get("/") as answer:
            assert answer.status == (200 if (HERE / "static" / "index.html").exists() else 404)
        assert (await tg.ask("nothing", method="GET"))[0] == 404
        assert (await tg.ask("state"))[0] == 405
        async with tg.http.post("/sandbox/clock", data=b"[") as answer:
            assert (answer.status, await answer.json()) == (400, {"error": "the body is not JSON"})


async def test_serving_alone_prints_one_line_and_ends_on_sigterm() -> None:
    code = "import asyncio; from bot.sandbox.server import serve; asyncio.run(serve('127.0.0.1', 0))"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=HERE.parent.parent
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 10)).decode()
    address = line.split()[2]
    async with aiohttp.ClientSession() as http, http.get(f"{address}sandbox/pending") as answer:
        assert await answer.json() == {"updates": 0}
    process.send_signal(signal.SIGTERM)
    out, err = await asyncio.wait_for(process.communicate(), 5)
    assert (process.returncode, out, err) == (0, b"", b"")


def test_the_sandbox_knows_nothing_of_the_bot() -> None:
    allowed = {"aiohttp", "PIL"} | set(sys.stdlib_module_names)
    for file in HERE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.startswith("bot.sandbox") or name.split(".")[0] in allowed, f"{file.name}: {name}"


async def test_a_real_aiogram_bot_lives_here() -> None:
    async with telegram() as tg:
        api = TelegramAPIServer.from_base(tg.url)
        bot = Bot(TOKEN, session=AiohttpSession(api=api))
        try:
            assert (await bot.get_me()).username == "alliance_relay_bot"
            message = await tg.say(ZHANG, GUANDI, "/report 井盖", samples=["cover"])
            update = (await bot.get_updates(timeout=1, allowed_updates=["message", "callback_query"]))[0]
            assert update.message is not None and update.message.photo is not None
            content = await bot.download(update.message.photo[-1])
            assert content is not None and content.read(2) == b"\xff\xd8"
            await bot.set_message_reaction(GUANDI, message["message_id"], [ReactionTypeEmoji(emoji="👀")])
            keys = InlineKeyboardMarkup(
                inline_keyboard=[[InlineKeyboardButton(text="接单", callback_data="a:1", style="success")]]
            )
            card = await bot.send_photo(
                WATER, BufferedInputFile(picture(), "a.jpg"), caption="<b>SD</b>", parse_mode="HTML", reply_markup=keys
            )
            album = await bot.send_media_group(
                GUANDI,
                [
                    InputMediaPhoto(media=update.message.photo[0].file_id),
                    InputMediaPhoto(media=BufferedInputFile(picture(), "b.jpg"), caption="after"),
                ],
                reply_parameters=ReplyParameters(message_id=message["message_id"]),
            )
            assert len(album) == 2 and album[1].caption == "after"
            press = tg.press(500000201, WATER, card.message_id, "接单")
            query = (await bot.get_updates(offset=update.update_id + 1, timeout=5))[0].callback_query
            assert query is not None and query.data == "a:1"
            assert await query.answer("好") and (await press)["answer"]["text"] == "好"
            media = InputMediaPhoto(media=BufferedInputFile(picture(300, 300), "c.jpg"), caption="SD")
            assert await bot.edit_message_media(media, chat_id=WATER, message_id=card.message_id)
            with pytest.raises(TelegramBadRequest, match="message is not modified"):
                await bot.edit_message_caption(chat_id=WATER, message_id=card.message_id, caption="SD")
            quiet = await bot.send_message(
                GUANDI, "?", ephemeral_message_parameters=EphemeralMessageParameters(receiver_user_id=ZHANG)
            )
            assert quiet.ephemeral_message_id is not None
            assert await bot.delete_ephemeral_message(GUANDI, ZHANG, quiet.ephemeral_message_id)
            with pytest.raises(TelegramForbiddenError):
                await bot.send_message(LIN, "hello")
            await tg.do("fault", {"kind": "429", "retry_after": 3})
            with pytest.raises(TelegramRetryAfter) as wait:
                await bot.send_message(GUANDI, "x")
            assert wait.value.retry_after == 3
            new = (await tg.do("migrate", {"chat": GUANDI}))["id"]
            with pytest.raises(TelegramMigrateToChat) as moved:
                await bot.send_message(GUANDI, "x")
            assert moved.value.migrate_to_chat_id == new
        finally:
            await bot.session.close()
