"""The methods that the sandbox emulates, by name. Others of the Bot API are known to the schema and refused
as not emulated, so that a new call in the bot shows at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bot.sandbox.methods import asking, clearing, editing, sending
from bot.sandbox.platform import Platform
from bot.sandbox.uploads import Uploads

Run = Callable[[Platform, dict[str, Any], Uploads], Any]

METHODS: Final[dict[str, Run]] = {
    "getMe": asking.get_me,
    "sendMessage": sending.send_message,
    "sendPhoto": sending.send_photo,
    "sendLivePhoto": sending.send_live_photo,
    "sendDocument": sending.send_document,
    "sendLocation": sending.send_location,
    "sendVenue": sending.send_venue,
    "sendMediaGroup": sending.send_media_group,
    "sendChatAction": sending.send_chat_action,
    "editMessageText": editing.edit_message_text,
    "editMessageCaption": editing.edit_message_caption,
    "editMessageMedia": editing.edit_message_media,
    "editMessageReplyMarkup": editing.edit_message_reply_markup,
    "editEphemeralMessageText": editing.edit_ephemeral_text,
    "editEphemeralMessageCaption": editing.edit_ephemeral_caption,
    "editEphemeralMessageMedia": editing.edit_ephemeral_media,
    "editEphemeralMessageReplyMarkup": editing.edit_ephemeral_reply_markup,
    "deleteMessage": clearing.delete_message,
    "deleteMessages": clearing.delete_messages,
    "deleteEphemeralMessage": clearing.delete_ephemeral_message,
    "setMessageReaction": clearing.set_message_reaction,
    "answerCallbackQuery": asking.answer_callback_query,
    "getFile": asking.get_file,
    "getChat": asking.get_chat,
    "getChatMember": asking.get_chat_member,
    "getChatAdministrators": asking.get_chat_administrators,
    "getChatMemberCount": asking.get_chat_member_count,
    "leaveChat": asking.leave_chat,
    "setMyCommands": lambda platform, params, _: platform.profile.set_commands(params),
    "getMyCommands": lambda platform, params, _: platform.profile.commands(params),
    "deleteMyCommands": lambda platform, params, _: platform.profile.delete_commands(params),
    "setMyName": lambda platform, params, _: platform.profile.set_sentence("name", params),
    "getMyName": lambda platform, params, _: platform.profile.sentence(
        "name", params, platform.world.bot["first_name"]
    ),
    "setMyDescription": lambda platform, params, _: platform.profile.set_sentence("description", params),
    "getMyDescription": lambda platform, params, _: platform.profile.sentence("description", params),
    "setMyShortDescription": lambda platform, params, _: platform.profile.set_sentence("short_description", params),
    "getMyShortDescription": lambda platform, params, _: platform.profile.sentence("short_description", params),
    "setChatMenuButton": lambda platform, params, _: platform.profile.set_button(params),
    "getChatMenuButton": lambda platform, params, _: platform.profile.button(params),
}
