"""Shows content on Telegram: chooses between sending, editing and deleting, and reads what each refusal means."""

import html
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    BufferedInputFile,
    EphemeralMessageParameters,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    LinkPreviewOptions,
    Message,
    ReactionTypeEmoji,
    ReplyParameters,
)
from aiohttp import ClientConnectorError

from bot.channels.outcome import (
    Migrated,
    Missing,
    Outcome,
    PictureData,
    Place,
    Refused,
    Removed,
    Shown,
    Unknown,
    Wait,
)
from bot.views.content import CAPTION, TEXT, Button, Content, Gone, Menu, Reaction, Shape, units

Pictures = Sequence[tuple[str, PictureData]]
"""(key, picture) of what the content shows, in its order."""

ALBUM = 10
"""Most pictures in one media group."""


class Telegram:
    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._no_ephemeral: set[int] = set()
        """Chats in which Telegram has refused an ephemeral message: they get an ordinary one."""

    async def show(self, place: Place, shape: Shape, pictures: Pictures) -> Outcome:
        """Bring one message to what `shape` says."""
        return await self._tried(place, lambda: self._show(place, shape, pictures))

    async def _show(self, place: Place, shape: Shape, pictures: Pictures) -> Outcome:
        if isinstance(shape, Reaction):
            return await self._react(place, shape)
        if isinstance(shape, Gone):
            return await self._remove(place, shape)
        if isinstance(shape, Menu):
            await self.offer(shape, place.chat_id)
            return Shown((), "menu")
        if shape.album:
            return await self._album(place, pictures)
        if place.message_ids:
            return await self._edit(place, shape, pictures)
        return await self._send(place, shape, pictures)

    async def offer(self, menu: Menu, chat_id: int | None = None, language: str | None = None) -> None:
        """The commands of one chat, or of all private chats in a language. Raises what aiogram raises."""
        commands = [BotCommand(command=name, description=told) for name, told in menu.commands]
        scope = BotCommandScopeChat(chat_id=chat_id) if chat_id is not None else BotCommandScopeAllPrivateChats()
        await self._bot.set_my_commands(commands=commands, scope=scope, language_code=language)

    async def _send(self, place: Place, content: Content, pictures: Pictures) -> Outcome:
        if place.user_id is not None and place.chat_id < 0 and place.chat_id not in self._no_ephemeral:
            try:
                return await self._send_as(place, content, pictures, ephemeral=True)
            except TelegramBadRequest as error:
                if _nobody_there(error.message):
                    # For this person alone, and the person is not there: nobody else is to see it.
                    return Removed()
                if "EPHEMERAL" in error.message.upper():
                    self._no_ephemeral.add(place.chat_id)
                # A basic group, an old server: an ordinary reply does it, and goes again by itself.
        return await self._send_as(place, content, pictures, ephemeral=False)

    async def _send_as(self, place: Place, content: Content, pictures: Pictures, ephemeral: bool) -> Shown:
        common: dict[str, Any] = {
            "chat_id": place.chat_id,
            "message_thread_id": place.thread_id,
            "reply_markup": _markup(content.rows),
            "disable_notification": content.silent or None,
            "parse_mode": "HTML",
        }
        if place.reply_to:
            common["reply_parameters"] = ReplyParameters(message_id=place.reply_to, allow_sending_without_reply=True)
        if ephemeral:
            common["ephemeral_message_parameters"] = EphemeralMessageParameters(receiver_user_id=place.user_id or 0)
        if pictures and _visible(content.text) <= CAPTION:
            key, picture = pictures[0]
            message = await self._bot.send_photo(photo=_file(picture), caption=content.text or None, **common)
            return self._shown(message, "photo", key, {key: picture}, ephemeral)
        message = await self._bot.send_message(
            text=_fit(content.text, TEXT), link_preview_options=LinkPreviewOptions(is_disabled=True), **common
        )
        return self._shown(message, "text", "", {}, ephemeral)

    def _shown(self, message: Message, form: str, key: str, uploaded: dict[str, PictureData], ephemeral: bool) -> Shown:
        message_id = message.ephemeral_message_id if ephemeral and message.ephemeral_message_id else message.message_id
        file_ids = {}
        if message.photo and any(isinstance(picture, bytes) for picture in uploaded.values()):
            file_ids[key] = message.photo[-1].file_id
        return Shown((message_id,), form, key, ephemeral, file_ids)

    async def _edit(self, place: Place, content: Content, pictures: Pictures) -> Outcome:
        markup, message_id = _markup(content.rows), place.message_ids[0]
        if place.ephemeral:
            return await self._edit_ephemeral(place, content, markup)
        target: dict[str, Any] = {"chat_id": place.chat_id, "message_id": message_id, "reply_markup": markup}
        key, picture = pictures[0] if pictures else ("", "")
        fits = place.form == "photo" or _visible(content.text) <= CAPTION
        if key and key != place.picture and fits:
            media = InputMediaPhoto(media=_file(picture), caption=_fit(content.text, CAPTION), parse_mode="HTML")
            message = await self._bot.edit_message_media(media=media, **target)
            if isinstance(message, Message):
                return self._shown(message, "photo", key, {key: picture}, ephemeral=False)
            return Shown((message_id,), "photo", key)
        if place.form == "photo":
            await self._bot.edit_message_caption(caption=_fit(content.text, CAPTION), parse_mode="HTML", **target)
            return Shown((message_id,), "photo", place.picture)
        await self._bot.edit_message_text(
            text=_fit(content.text, TEXT),
            parse_mode="HTML",
            link_preview_options=LinkPreviewOptions(is_disabled=True),
            **target,
        )
        return Shown((message_id,), "text")

    async def _edit_ephemeral(self, place: Place, content: Content, markup: InlineKeyboardMarkup | None) -> Shown:
        await self._bot.edit_ephemeral_message_text(
            chat_id=place.chat_id,
            receiver_user_id=place.user_id or 0,
            ephemeral_message_id=place.message_ids[0],
            text=_fit(content.text, TEXT),
            parse_mode="HTML",
            reply_markup=markup,
        )
        return Shown(place.message_ids, "text", ephemeral=True)

    async def _album(self, place: Place, pictures: Pictures) -> Outcome:
        """The next piece of what has not gone out yet: an album cannot be added to, and holds ten."""
        known = [key for key in place.picture.split(",") if key]
        piece = [(key, picture) for key, picture in pictures if key not in known][:ALBUM]
        common: dict[str, Any] = {"chat_id": place.chat_id, "message_thread_id": place.thread_id}
        common["disable_notification"] = True
        messages: list[Message] = []
        if len(piece) == 1:
            messages = [await self._bot.send_photo(photo=_file(piece[0][1]), **common)]
        elif piece:
            media = [InputMediaPhoto(media=_file(picture)) for _, picture in piece]
            messages = await self._bot.send_media_group(media=list(media), **common)
        file_ids = {
            key: message.photo[-1].file_id
            for (key, picture), message in zip(piece, messages, strict=False)
            if isinstance(picture, bytes) and message.photo
        }
        sent = (*place.message_ids, *(message.message_id for message in messages))
        return Shown(sent, "album", ",".join([*known, *(key for key, _ in piece)]), file_ids=file_ids)

    async def _react(self, place: Place, reaction: Reaction) -> Outcome:
        wanted = [ReactionTypeEmoji(emoji=reaction.emoji)] if reaction.emoji else []
        if place.reply_to is None:
            return Removed()
        await self._bot.set_message_reaction(chat_id=place.chat_id, message_id=place.reply_to, reaction=list(wanted))
        return Shown((), "reaction")

    async def _remove(self, place: Place, gone: Gone) -> Outcome:
        for message_id in place.message_ids:
            try:
                if place.ephemeral:
                    await self._bot.delete_ephemeral_message(
                        chat_id=place.chat_id,
                        receiver_user_id=place.user_id or 0,
                        ephemeral_message_id=message_id,
                    )
                else:
                    await self._bot.delete_message(chat_id=place.chat_id, message_id=message_id)
            except TelegramBadRequest as error:
                if "can't be deleted" in error.message:
                    # Older than 48 hours: it stays, as small as it can be, and loses its buttons.
                    await self._shrink(place, message_id, gone)
        return Removed()

    async def _shrink(self, place: Place, message_id: int, gone: Gone) -> None:
        text = gone.text or "·"
        try:
            if place.form == "photo":
                await self._bot.edit_message_caption(
                    chat_id=place.chat_id, message_id=message_id, caption=text, parse_mode="HTML"
                )
            elif place.form == "text":
                await self._bot.edit_message_text(
                    chat_id=place.chat_id, message_id=message_id, text=text, parse_mode="HTML"
                )
        except TelegramBadRequest:
            return

    async def _tried(self, place: Place, attempt: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """The outcome of an attempt. Client errors (4xx) were not carried out; of everything else nobody knows."""
        try:
            return await attempt()
        except TelegramRetryAfter as error:
            return Wait(float(error.retry_after))
        except TelegramMigrateToChat as error:
            return Migrated(error.migrate_to_chat_id)
        except TelegramForbiddenError as error:
            if place.user_id is not None and place.chat_id < 0:
                # One person cannot be reached; that says nothing about the group.
                return Removed()
            return Refused(error.message, chat_lost=True)
        except (TelegramBadRequest, TelegramNotFound, TelegramUnauthorizedError) as error:
            return _refusal(place, error.message)
        except TelegramNetworkError as error:
            never_connected = isinstance(error.__cause__ or error.__context__, ClientConnectorError)
            return Unknown("network", sent_maybe=not never_connected)
        except Exception as error:
            # A server error, a page instead of JSON, an answer of another shape: delivered or not, nobody knows.
            return Unknown(type(error).__name__)


def _refusal(place: Place, message: str) -> Outcome:
    known = message.lower()
    if "message is not modified" in known:
        return Shown(place.message_ids, place.form, place.picture, place.ephemeral)
    if any(sign in known for sign in ("message to edit not found", "message can't be edited", "message_id_invalid")):
        return Removed() if place.user_id is not None else Missing()
    if any(sign in known for sign in ("message to react not found", "message to delete not found", "reaction_invalid")):
        return Removed()
    if place.ephemeral:
        return Removed()
    lost = any(sign in known for sign in ("chat not found", "user not found", "bot was kicked", "peer_id_invalid"))
    return Refused(message, chat_lost=lost)


def _nobody_there(message: str) -> bool:
    known = message.lower()
    return any(sign in known for sign in ("user not found", "participant", "not a member", "user_id_invalid"))


def _markup(rows: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    if not rows:
        return None
    return InlineKeyboardMarkup(
        inline_keyboard=[
            [
                InlineKeyboardButton(
                    text=button.text,
                    callback_data=button.data or None,
                    url=button.url or None,
                    style=button.style or None,
                )
                for button in row
            ]
            for row in rows
        ]
    )


def _file(picture: PictureData) -> str | BufferedInputFile:
    return picture if isinstance(picture, str) else BufferedInputFile(picture, "picture.jpg")


_TAG = re.compile(r"<[^>]+>")


def _visible(text: str) -> int:
    return units(html.unescape(_TAG.sub("", text)))


def _fit(text: str, most: int) -> str:
    """Whole lines from the end are left out until the text fits; no tag spans two lines."""
    lines = text.split("\n")
    while len(lines) > 1 and _visible("\n".join(lines)) > most:
        lines.pop()
    return "\n".join(lines)
