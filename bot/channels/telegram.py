"""Shows content on Telegram: chooses between sending, editing and deleting, and reads what each refusal means."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from aiogram import Bot
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
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

from bot.channels.outcome import (
    Migrated,
    Outcome,
    PictureData,
    Place,
    Refused,
    Removed,
    Shown,
    Unfit,
    Unknown,
    Wait,
)
from bot.channels.refusals import LOST, MUTED, NOBODY, PICTURE, concession, refusal, says
from bot.channels.wire import NotCarriedOut
from bot.views.content import ALBUM, CAPTION, TEXT, Button, Content, Gone, Menu, Reaction, Shape, plain, visible

Pictures = Sequence[tuple[str, PictureData]]
"""(key, picture) of what the content shows, in its order."""


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
        """Send it; what Telegram refuses it for is left away, one thing after the other."""
        ephemeral = place.user_id is not None and place.chat_id < 0 and place.chat_id not in self._no_ephemeral
        without: frozenset[str] = frozenset()
        while True:
            pictured = pictures if "picture" not in without and visible(content.text) <= CAPTION else ()
            has = {"reply": place.reply_to, "thread": place.thread_id, "picture": pictured, "format": content.text}
            try:
                return await self._send_as(place, content, pictured, ephemeral, without)
            except (TelegramBadRequest, TelegramEntityTooLarge) as error:
                if ephemeral and says(error, NOBODY):
                    # For this person alone, and the person is not there: nobody else is to see it.
                    return Removed()
                conceded = concession(error, [each for each in has if has[each] and each not in without])
                if conceded:
                    without |= {conceded}
                elif pictured and says(error, PICTURE):
                    return Unfit(pictured[0][0], error.message)
                elif ephemeral:
                    if says(error, ("ephemeral",)):
                        self._no_ephemeral.add(place.chat_id)
                    # A basic group, an old server: an ordinary reply does it, and goes again by itself.
                    ephemeral = False
                else:
                    raise

    async def _send_as(
        self, place: Place, content: Content, pictures: Pictures, ephemeral: bool, without: frozenset[str]
    ) -> Shown:
        common: dict[str, Any] = {
            "chat_id": place.chat_id,
            "message_thread_id": place.thread_id if "thread" not in without else None,
            "reply_markup": _markup(content.rows),
            "disable_notification": content.silent or None,
            "parse_mode": "HTML" if "format" not in without else None,
        }
        if place.reply_to and "reply" not in without:
            common["reply_parameters"] = ReplyParameters(message_id=place.reply_to, allow_sending_without_reply=True)
        if ephemeral:
            common["ephemeral_message_parameters"] = EphemeralMessageParameters(receiver_user_id=place.user_id or 0)
        if pictures:
            key, picture = pictures[0]
            caption = _worded(content.text, CAPTION, without) or None
            message = await self._bot.send_photo(photo=_file(picture), caption=caption, **common)
            return self._shown(message, "photo", key, {key: picture}, ephemeral, without)
        message = await self._bot.send_message(
            text=_worded(content.text, TEXT, without),
            link_preview_options=LinkPreviewOptions(is_disabled=True),
            **common,
        )
        return self._shown(message, "text", "", {}, ephemeral, without)

    def _shown(
        self,
        message: Message,
        form: str,
        key: str,
        uploaded: dict[str, PictureData],
        ephemeral: bool = False,
        without: frozenset[str] = frozenset(),
    ) -> Shown:
        # A server that knows nothing of ephemeral messages takes no notice of the wish and shows it to everybody.
        ephemeral = ephemeral and bool(message.ephemeral_message_id)
        message_id = (message.ephemeral_message_id or 0) if ephemeral else message.message_id
        file_ids = {}
        if message.photo and any(isinstance(picture, bytes) for picture in uploaded.values()):
            file_ids[key] = message.photo[-1].file_id
        return Shown((message_id,), form, key, ephemeral, file_ids, without)

    async def _edit(self, place: Place, content: Content, pictures: Pictures) -> Outcome:
        """Change what stands there, in the way that its form allows."""
        if place.ephemeral:
            return await self._edit_ephemeral(place, content, _markup(content.rows))
        key = pictures[0][0] if pictures else ""
        fits = place.form == "photo" or visible(content.text) <= CAPTION
        way = "media" if key and key != place.picture and fits else "caption" if place.form == "photo" else "text"
        without: frozenset[str] = frozenset()
        while True:
            try:
                return await self._edit_as(way, place, content, pictures, without)
            except (TelegramBadRequest, TelegramEntityTooLarge) as error:
                conceded = concession(error, {"picture", "format"} - without)
                if says(error, ("message is not modified",)):
                    return _as_edited(way, place, key, without)
                if way == "text" and says(error, ("no text in the message",)):
                    # It got its picture in an edit whose outcome nobody heard of; which one stands there is not known.
                    way = "caption"
                elif conceded == "picture" and way == "media":
                    way, without = "caption" if place.form == "photo" else "text", without | {"picture"}
                elif conceded == "format":
                    without |= {"format"}
                elif way == "media" and says(error, PICTURE):
                    return Unfit(key, error.message)
                else:
                    raise

    async def _edit_as(
        self, way: str, place: Place, content: Content, pictures: Pictures, without: frozenset[str]
    ) -> Shown:
        target: dict[str, Any] = {
            "chat_id": place.chat_id,
            "message_id": place.message_ids[0],
            "reply_markup": _markup(content.rows),
        }
        mode = "HTML" if "format" not in without else None
        if way == "media":
            key, picture = pictures[0]
            caption = _worded(content.text, CAPTION, without)
            media = InputMediaPhoto(media=_file(picture), caption=caption, parse_mode=mode)
            message = await self._bot.edit_message_media(media=media, **target)
            if isinstance(message, Message):
                return self._shown(message, "photo", key, {key: picture}, without=without)
            return _as_edited(way, place, key, without)
        if way == "caption":
            caption = _worded(content.text, CAPTION, without)
            await self._bot.edit_message_caption(caption=caption, parse_mode=mode, **target)
        else:
            await self._bot.edit_message_text(
                text=_worded(content.text, TEXT, without),
                parse_mode=mode,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
                **target,
            )
        return _as_edited(way, place, "", without)

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
        without: frozenset[str] = frozenset()
        while True:
            try:
                messages = await self._send_pieces(place, piece, without)
                break
            except (TelegramBadRequest, TelegramEntityTooLarge) as error:
                conceded = concession(error, {"thread", "picture"} - without)
                if conceded == "picture":
                    # No pictures in this chat: the card stands for them.
                    return Removed()
                if conceded:
                    without |= {conceded}
                elif len(piece) > 1 and says(error, PICTURE):
                    # One of them will not do, and Telegram does not say which: they go one at a time.
                    piece = piece[:1]
                elif piece and says(error, PICTURE):
                    return Unfit(piece[0][0], error.message)
                else:
                    raise
        file_ids = {
            key: message.photo[-1].file_id
            for (key, picture), message in zip(piece, messages, strict=False)
            if isinstance(picture, bytes) and message.photo
        }
        sent = (*place.message_ids, *(message.message_id for message in messages))
        shown = ",".join([*known, *(key for key, _ in piece)])
        return Shown(sent, "album", shown, file_ids=file_ids, without=without)

    async def _send_pieces(self, place: Place, piece: Pictures, without: frozenset[str]) -> list[Message]:
        if not piece:
            return []
        common: dict[str, Any] = {
            "chat_id": place.chat_id,
            "message_thread_id": place.thread_id if "thread" not in without else None,
            "disable_notification": True,
        }
        if len(piece) == 1:
            return [await self._bot.send_photo(photo=_file(piece[0][1]), **common)]
        media = [InputMediaPhoto(media=_file(picture)) for _, picture in piece]
        return await self._bot.send_media_group(media=list(media), **common)

    async def _react(self, place: Place, reaction: Reaction) -> Outcome:
        wanted = [ReactionTypeEmoji(emoji=reaction.emoji)] if reaction.emoji else []
        if place.reply_to is None:
            return Removed()
        try:
            await self._bot.set_message_reaction(
                chat_id=place.chat_id, message_id=place.reply_to, reaction=list(wanted)
            )
        except TelegramBadRequest as error:
            if says(error, LOST):
                raise
            # The photo is gone, or the group allows no reactions: the line says it too.
            return Removed()
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
            muted = says(error, MUTED)
            return Refused(error.message, chat_lost=not muted, muted=muted)
        except TelegramBadRequest as error:
            return refusal(place, error)
        except (NotCarriedOut, TelegramNotFound, TelegramUnauthorizedError, TelegramEntityTooLarge) as error:
            return Unknown(error.message, sent_maybe=False)
        except TelegramAPIError as error:
            return Unknown(error.message)
        except Exception as error:
            # Something that no library said it would raise: delivered or not, nobody knows.
            return Unknown(type(error).__name__)


def _as_edited(way: str, place: Place, key: str, without: frozenset[str]) -> Shown:
    """What stands there after an edit whose answer tells nothing more."""
    if way == "text":
        return Shown(place.message_ids[:1], "text", without=without)
    return Shown(place.message_ids[:1], "photo", (key if way == "media" else "") or place.picture, without=without)


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


def _worded(text: str, most: int, without: Collection[str]) -> str:
    """The text as it goes out: HTML, or plain where Telegram does not read ours."""
    fitted = _fit(text, most)
    return plain(fitted) if "format" in without else fitted


def _fit(text: str, most: int) -> str:
    """Whole lines from the end are left out until the text fits; no tag spans two lines."""
    lines = text.split("\n")
    while len(lines) > 1 and visible("\n".join(lines)) > most:
        lines.pop()
    return "\n".join(lines)
