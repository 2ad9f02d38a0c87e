"""The points of `check` that Telegram alone can tell: the token, the privacy mode, the bot's rights in each chat."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp

from bot.asking import Asking, NoAnswer, Refused, find_host

Point = tuple[str, str]
"""What was found and what cures it; an empty cure means that all is well."""

DRIFT = timedelta(seconds=60)
AT_ONCE = 8
INSIDE = ("member", "administrator", "creator", "restricted")


@dataclass(frozen=True)
class Bound:
    """A chat of the alliance. `must_see`: reports come from it, so the bot must see the photos in it."""

    chat_id: int
    role: str
    must_see: bool


async def telegram_points(base: str, token: str, bound: Sequence[Bound]) -> AsyncIterator[Point]:
    """Ask the Bot API at `base`; without a network one point says so."""
    try:
        await find_host(base)
        async with aiohttp.ClientSession() as http:
            asking = Asking(http, base, token)
            me = await asking.ask("getMe")
            yield f"token: it is @{me.get('username')}'s", ""
            yield _clock(asking.drift)
            yield _privacy(me)
            for point in await _chats(asking, me, bound):
                yield point
    except NoAnswer as error:
        yield f"Telegram: {base} cannot be reached ({error})", "check the network and BOT_API_URL"
    except Refused as error:
        if error.code in (401, 404):
            yield "token: Telegram refuses it", "copy BOT_TOKEN again from @BotFather"
        else:
            yield f"Telegram: {base} answered {error.code} {error.told[:100]}", "try again in a minute"


def _clock(drift: timedelta | None) -> Point:
    if drift is None or abs(drift) <= DRIFT:
        return "clock: it agrees with Telegram's", ""
    seconds = round(drift.total_seconds())
    way = "behind" if seconds > 0 else "ahead of"
    return f"clock: it is {abs(seconds)} s {way} Telegram's", "set the machine's clock, best by NTP"


def _privacy(me: dict[str, Any]) -> Point:
    if me.get("can_read_all_group_messages"):
        return "privacy mode: off, photos in groups are seen", ""
    return "privacy mode: on, photos are seen where the bot is an administrator (the chats below tell)", ""


async def _chats(asking: Asking, me: dict[str, Any], bound: Sequence[Bound]) -> list[Point]:
    at_once = asyncio.Semaphore(AT_ONCE)

    async def one(chat: Bound) -> Point:
        async with at_once:
            return await _chat(asking, me, chat)

    return await asyncio.gather(*(one(chat) for chat in bound))


async def _chat(asking: Asking, me: dict[str, Any], bound: Bound) -> Point:
    """Raises NoAnswer."""
    point = f"chat {bound.chat_id} ({bound.role})"
    try:
        chat = await asking.ask("getChat", chat_id=bound.chat_id)
        if bound.chat_id > 0:
            return f"{point}: {chat.get('first_name', '')}, in private", ""
        member = await asking.ask("getChatMember", chat_id=bound.chat_id, user_id=me["id"])
    except Refused as error:
        if "upgraded to a supergroup" in error.told:
            return f"{point}: it is a supergroup now, with another id", "let the relay run, or /bind there"
        told = error.told.partition(": ")[2] or error.told
        return f"{point}: {told[:100]}", "add the bot to the group, or correct the id in the alliance file"
    status = str(member.get("status"))
    return _rights(f'{point}: "{chat.get("title", "")}"', status, me, chat, member, bound)


def _rights(
    point: str, status: str, me: dict[str, Any], chat: dict[str, Any], member: dict[str, Any], bound: Bound
) -> Point:
    if status not in INSIDE or member.get("is_member") is False:
        return f"{point}, the bot is not in it ({status})", "add it again"
    granted = {"restricted": member, "member": chat.get("permissions", {})}.get(status, {})
    missing = [name for name in ("can_send_messages", "can_send_photos") if granted.get(name) is False]
    if missing:
        return f"{point}, the bot lacks {' and '.join(missing)}", "make it an administrator of the group"
    if bound.must_see and status != "administrator" and not me.get("can_read_all_group_messages"):
        cure = "make it an administrator, or turn privacy off with /setprivacy at @BotFather and add it again"
        return f"{point}, the bot does not see its photos", cure
    return f"{point}, the bot is {status}", ""
