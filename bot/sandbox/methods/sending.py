"""Sending: the answers are whole messages, and what Telegram would refuse is refused before anything is
kept, so that a refused call leaves no trace."""

from __future__ import annotations

import secrets
from typing import Any

from bot.sandbox import uploads
from bot.sandbox.messages import Message
from bot.sandbox.methods import contents, places
from bot.sandbox.platform import Platform
from bot.sandbox.refusals import bad
from bot.sandbox.uploads import Uploads
from bot.sandbox.world import Chat

Params = dict[str, Any]


def send_message(platform: Platform, params: Params, attached: Uploads) -> Any:
    """sendMessage."""
    chat = places.open_to_bot(platform, params)
    return _sent(platform, "sendMessage", chat, params, contents.text_content(params))


def send_photo(platform: Platform, params: Params, attached: Uploads) -> Any:
    """sendPhoto."""
    chat = places.open_to_bot(platform, params)
    content = contents.caption_content(params)
    content["photo"] = uploads.photo(platform.files, attached, params["photo"])
    return _sent(platform, "sendPhoto", chat, params, content)


def send_live_photo(platform: Platform, params: Params, attached: Uploads) -> Any:
    """sendLivePhoto."""
    chat = places.open_to_bot(platform, params)
    content = contents.caption_content(params)
    live = uploads.live_photo(platform.files, attached, params["live_photo"], params["photo"])
    content |= {"live_photo": live, "photo": live["photo"]}
    return _sent(platform, "sendLivePhoto", chat, params, content)


def send_document(platform: Platform, params: Params, attached: Uploads) -> Any:
    """sendDocument."""
    chat = places.open_to_bot(platform, params)
    content = contents.caption_content(params)
    content["document"] = uploads.document(platform.files, attached, params["document"])
    return _sent(platform, "sendDocument", chat, params, content)


def send_location(platform: Platform, params: Params, attached: Uploads) -> Any:
    """sendLocation."""
    chat = places.open_to_bot(platform, params)
    return _sent(platform, "sendLocation", chat, params, {"location": _spot(params)})


def send_venue(platform: Platform, params: Params, attached: Uploads) -> Any:
    """sendVenue."""
    chat = places.open_to_bot(platform, params)
    venue = {"location": _spot(params), "title": params["title"], "address": params["address"]}
    return _sent(platform, "sendVenue", chat, params, {"venue": venue, "location": venue["location"]})


def send_media_group(platform: Platform, params: Params, attached: Uploads) -> Any:
    """sendMediaGroup: 2 to 10 media of one kind, no buttons."""
    chat = places.open_to_bot(platform, params)
    media = params["media"]
    if not 2 <= len(media) <= 10:
        raise bad("group send failed: an album has 2 to 10 media")
    if len({item["type"] == "document" for item in media}) > 1:
        raise bad("can't mix documents with other media in an album")
    made = [contents.media_content(platform, item, attached) for item in media]
    shared = _thread_and_reply(platform, chat, params)
    places.counted(platform, "sendMediaGroup", chat)
    shared["media_group_id"] = str(secrets.randbelow(9 * 10**16) + 10**16)
    return [platform.put(chat, platform.world.bot, {**content, **shared}, mine=True).body for content in made]


def send_chat_action(platform: Platform, params: Params, attached: Uploads) -> Any:
    """sendChatAction."""
    places.open_to_bot(platform, params)
    return True


def _sent(platform: Platform, method: str, chat: Chat, params: Params, content: Params) -> Any:
    content |= contents.keyboard_content(params, chat)
    content |= _thread_and_reply(platform, chat, params)
    receiver, replaces = _receiver(platform, chat, params)
    places.counted(platform, method, chat)
    sender = platform.world.bot
    return platform.put(chat, sender, content, mine=True, receiver=receiver, replaces=replaces).body


def _spot(params: Params) -> Params:
    if not -90 <= params["latitude"] <= 90 or not -180 <= params["longitude"] <= 180:
        raise bad("wrong latitude or longitude specified")
    return {"latitude": params["latitude"], "longitude": params["longitude"]}


def _thread_and_reply(platform: Platform, chat: Chat, params: Params) -> Params:
    content: Params = {}
    thread = params.get("message_thread_id")
    if thread is not None:
        if chat.topic(thread) is None:
            raise bad("message thread not found")
        content = {"message_thread_id": thread, "is_topic_message": True}
    replied = _replied(platform, chat, params.get("reply_parameters"))
    if replied is not None:
        content["reply_to_message"] = replied.quoted()
        if thread is None and replied.body.get("is_topic_message"):
            content |= {"message_thread_id": replied.body["message_thread_id"], "is_topic_message": True}
    if params.get("protect_content"):
        content["has_protected_content"] = True
    return content


def _replied(platform: Platform, chat: Chat, reply: Params | None) -> Message | None:
    if not reply:
        return None
    if "ephemeral_message_id" in reply:
        wanted = reply["ephemeral_message_id"]
        kept = chat.timeline.ephemerals.items()
        found = next((message for (_, number), message in kept if number == wanted), None)
    else:
        other = platform.world.chats.get(reply["chat_id"]) if "chat_id" in reply else chat
        found = platform.world.message(other, reply.get("message_id", 0)) if other is chat else None
    if (found is None or found.deleted) and not reply.get("allow_sending_without_reply"):
        raise bad("message to be replied not found")
    return found if found is not None and not found.deleted else None


def _receiver(platform: Platform, chat: Chat, params: Params) -> tuple[Params | None, int | None]:
    """The User who alone shall see the message, and the message that it stands in place of."""
    wish = params.get("ephemeral_message_parameters")
    if wish is None:
        return None, None
    if not platform.ephemeral_allowed:
        raise bad("EPHEMERAL_NOT_ALLOWED")
    if chat.private:
        raise bad("ephemeral messages can be sent only to groups and supergroups")
    receiver = wish["receiver_user_id"]
    if receiver not in chat.members:
        raise bad("USER_NOT_PARTICIPANT")
    replaces = None
    if "callback_query_id" in wish:
        press = platform.presses.fresh(wish["callback_query_id"])
        if press.user != receiver or press.chat != chat.id:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        if wish.get("replace_callback_query_message"):
            if not press.message_id:
                raise bad("replace_callback_query_message can't be used for an ephemeral message")
            replaces = press.message_id
    return platform.world.people[receiver].user, replaces
